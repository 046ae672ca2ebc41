"""What a fit will cost, before its first step.

Counts of arrays, not measurements: the factors were set against what XLA reports for its
temporary arrays (tests keep them within a factor of two), the time against a small probe.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from napari_nstm.core.grids import Grid
from napari_nstm.core.settings import EncodingSettings, FitSettings, NetworkSettings
from napari_nstm.fit.device import free_memory_bytes
from napari_nstm.fit.schedule import build_schedule
from napari_nstm.model.encoding import level_cells

_FLOAT = 4
# Step time in units of the probe (one forward and inverse real transform of the padded field).
_CANVAS_UNITS_PER_FRAME = 5.0
_EXACT_UNITS_PER_FEATURE = 1.0


@dataclass(frozen=True)
class Cost:
    """Estimate of a fit's needs.

    Parameters
    ----------
    memory_bytes, memory_free_bytes
        Peak need, and what is free on the device (None where it cannot be known).
    seconds
        Time of all steps, without compiling.
    """

    memory_bytes: int
    memory_free_bytes: int | None
    seconds: float


def estimate_cost(grid: Grid, n_frames: int, n_batches: int, settings: FitSettings, device: jax.Device) -> Cost:
    """Estimate memory and time of a fit.

    Parameters
    ----------
    grid
        Of the problem at full size.
    n_frames, n_batches
        Frames in all, and steps in an epoch.
    settings, device
        The fit, and where it will run.
    """
    per_step = math.ceil(n_frames / n_batches)
    memory = memory_of_step(grid, n_frames, per_step, settings)
    probe = _probe_seconds(grid, device)
    units = per_step * _units_per_frame(grid, settings)
    seconds = 0.0
    for level, start, stop in build_schedule(settings, n_batches).stages:
        share = math.prod(grid.at_level(level).padded_shape) / math.prod(grid.padded_shape)
        seconds += (stop - start) * units * probe * share
    return Cost(memory, free_memory_bytes(device), seconds)


def memory_of_step(grid: Grid, n_frames: int, frames_per_step: int, settings: FitSettings) -> int:
    """Count the bytes of a full-size step: data, weights with optimiser and gradient, temporaries."""
    pixels, ndim, channels = math.prod(grid.padded_shape), grid.ndim, len(grid.channels)
    corners = 2**ndim
    data = n_frames * pixels * (1 + channels)
    weights = 5 * (
        _count_weights(settings.scene_encoding, settings.scene_network, channels)
        + _count_weights(settings.motion_encoding, settings.motion_network, ndim)
    )
    moving = frames_per_step * pixels
    if settings.rendering == "canvas":
        canvas = math.prod(n * settings.canvas_samples_per_pixel for n in grid.canvas_shape)
        temporary = moving * (4 * ndim + channels * (corners + 4) + 4) + channels * canvas * (2 * corners + 2)
    else:
        temporary = moving * (
            _per_query(settings.scene_encoding, settings.scene_network, ndim)
            + _per_query(settings.motion_encoding, settings.motion_network, ndim + 1)
        )
    return _FLOAT * (data + weights + temporary)


def _count_weights(encoding: EncodingSettings, network: NetworkSettings, n_outputs: int) -> int:
    if encoding.hash_entries_log2 is None:
        entries = sum(math.prod(n + 1 for n in cells) for cells in level_cells(encoding))
    else:
        entries = encoding.n_levels * 2**encoding.hash_entries_log2
    if network.kind == "sum":
        return entries * n_outputs
    features = encoding.n_levels * encoding.n_features
    hidden = network.width * (features + network.width * (network.depth - 1) + n_outputs)
    return entries * encoding.n_features + hidden


def _per_query(encoding: EncodingSettings, network: NetworkSettings, n_axes: int) -> int:
    """Floats that one query of a network leaves behind for its gradient."""
    gathered = encoding.n_levels * 2**n_axes * (encoding.n_features + 2)
    return gathered + (network.width * network.depth * 3 if network.kind == "mlp" else 0)


def _units_per_frame(grid: Grid, settings: FitSettings) -> float:
    if settings.rendering == "canvas":
        return _CANVAS_UNITS_PER_FRAME * len(grid.channels)
    queries = _per_query(settings.scene_encoding, settings.scene_network, grid.ndim)
    return _EXACT_UNITS_PER_FEATURE * (queries + _per_query(settings.motion_encoding, settings.motion_network, 3))


def _probe_seconds(grid: Grid, device: jax.Device) -> float:
    """Time one forward and inverse real transform of the padded field on this device (about 0.1 s in all)."""
    axes = tuple(range(-grid.ndim, 0))
    shape = grid.padded_shape
    field = jax.device_put(jnp.ones(shape), device)
    transform = jax.jit(lambda x: jnp.fft.irfftn(jnp.fft.rfftn(x, axes=axes), s=shape, axes=axes))
    transform(field).block_until_ready()
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        transform(field).block_until_ready()
        best = min(best, time.perf_counter() - began)
    return best
