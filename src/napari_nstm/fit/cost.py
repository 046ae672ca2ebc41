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

from napari_nstm.core.grids import Grid, samples_per_pixel
from napari_nstm.core.settings import EncodingSettings, FitSettings, NetworkSettings
from napari_nstm.fit.device import free_memory_bytes
from napari_nstm.fit.schedule import build_schedule
from napari_nstm.imaging.base import Problem
from napari_nstm.model.encoding import level_cells

_FLOAT = 4
# Time per number that is touched, in units of what the probe (a forward and an inverse real transform of the
# padded field) takes per pixel. Set on CPUs, 64 to 288 pixels wide, 2D and 3D: within a factor of two of what was
# measured, but for published networks on a canvas (three times too much).
_UNITS_RESAMPLED = 2.5
_UNITS_CANVAS = 4.0
_UNITS_LOOKED_UP = 1.4
_UNITS_HIDDEN = 0.75
_PROBE_SECONDS = 0.05


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


def estimate_cost(
    grid: Grid,
    n_frames: int,
    n_batches: int,
    settings: FitSettings,
    device: jax.Device,
    frames_per_step: int | None = None,
) -> Cost:
    """Estimate memory and time of a fit.

    Parameters
    ----------
    grid
        Of the problem at full size.
    n_frames, n_batches
        Frames in all, and steps in an epoch.
    settings, device
        The fit, and where it will run.
    frames_per_step
        Moments that a step renders; None: each frame is one, and all are rendered in an epoch.
    """
    per_step = math.ceil(n_frames / n_batches) if frames_per_step is None else frames_per_step
    memory = memory_of_step(grid, n_frames, per_step, settings)
    per_unit = _probe_seconds(grid, device) / math.prod(grid.padded_shape)
    seconds = 0.0
    for level, start, stop in build_schedule(settings, n_batches).stages:
        seconds += (stop - start) * per_unit * _units_of_step(grid.at_level(level), per_step, settings)
    return Cost(memory, free_memory_bytes(device), seconds)


def moments_per_step(problem: Problem) -> int:
    """Return how many moments a step renders; nothing is computed."""
    key = jax.random.key(0)
    times, _ = jax.eval_shape(problem.batch, key, jnp.asarray(0))
    return int(times.shape[0])


def memory_of_step(grid: Grid, n_frames: int, frames_per_step: int, settings: FitSettings) -> int:
    """Count the bytes of a full-size step: data, weights with optimiser and gradient, temporaries."""
    pixels, ndim, channels = math.prod(grid.padded_shape), grid.ndim, len(grid.channels)
    corners: int = 2**ndim
    data = n_frames * pixels * (1 + channels)
    # Weights, their gradient, both moments of Adam; old state, new state and the last one that proved good.
    weights = 8 * (
        _count_weights(settings.scene_encoding, settings.scene_network, channels)
        + _count_weights(settings.motion_encoding, settings.motion_network, ndim)
    )
    moving = frames_per_step * pixels
    if settings.rendering == "canvas":
        canvas = _canvas_samples(grid, settings)
        temporary = moving * (4 * ndim + channels * (corners + 4) + 4) + channels * canvas * (2 * corners + 2)
        temporary += canvas * sum(_canvas_readout(settings, ndim))
    else:
        temporary = pixels * sum(_per_pixel(settings, ndim)) + moving * (2 + 4 * channels)
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


def _per_query(encoding: EncodingSettings, network: NetworkSettings, n_axes: int) -> tuple[int, int]:
    """Floats that one query of a network leaves behind for its gradient: of its encoding, of its hidden layers."""
    corners: int = 2**n_axes
    looked_up = encoding.n_levels * corners * (encoding.n_features + 2)
    return looked_up, network.width * network.depth * 3 if network.kind == "mlp" else 0


def _per_pixel(settings: FitSettings, ndim: int) -> tuple[int, int]:
    """Floats of both networks' queries for one pixel of one frame."""
    scene = _per_query(settings.scene_encoding, settings.scene_network, ndim)
    motion = _per_query(settings.motion_encoding, settings.motion_network, ndim + 1)
    return scene[0] + motion[0], scene[1] + motion[1]


def _canvas_samples(grid: Grid, settings: FitSettings) -> int:
    per_pixel = samples_per_pixel(grid, settings.canvas_samples_per_pixel)
    return math.prod(grid.canvas_shape) * math.prod(per_pixel)


def _canvas_readout(settings: FitSettings, ndim: int) -> tuple[int, int]:
    """Floats of the scene network for one sample of the canvas, beyond the canvas itself."""
    looked_up, hidden = _per_query(settings.scene_encoding, settings.scene_network, ndim)
    if settings.scene_encoding.hash_entries_log2 is None:
        # Dense levels are products of small matrices; only a perceptron needs them one by one.
        looked_up = settings.scene_encoding.n_levels * settings.scene_encoding.n_features if hidden else 0
    return looked_up, hidden


def _units_of_step(grid: Grid, frames_per_step: int, settings: FitSettings) -> float:
    moving, channels, corners = frames_per_step * math.prod(grid.padded_shape), len(grid.channels), float(2**grid.ndim)
    if settings.rendering == "canvas":
        queries, (looked_up, hidden) = _canvas_samples(grid, settings), _canvas_readout(settings, grid.ndim)
        own = channels * (_UNITS_RESAMPLED * moving * corners + _UNITS_CANVAS * queries)
    else:
        queries, (looked_up, hidden) = moving, _per_pixel(settings, grid.ndim)
        own = 0.0
    return own + queries * (_UNITS_LOOKED_UP * looked_up + _UNITS_HIDDEN * hidden)


def _probe_seconds(grid: Grid, device: jax.Device) -> float:
    """Time one forward and inverse real transform of the padded field on this device."""
    axes = tuple(range(-grid.ndim, 0))
    shape = grid.padded_shape
    field = jax.device_put(jnp.ones(shape), device)
    transform = jax.jit(lambda x: jnp.fft.irfftn(jnp.fft.rfftn(x, axes=axes), s=shape, axes=axes))
    transform(field).block_until_ready()
    best, until = math.inf, time.perf_counter() + _PROBE_SECONDS
    while best == math.inf or time.perf_counter() < until:
        began = time.perf_counter()
        transform(field).block_until_ready()
        best = min(best, time.perf_counter() - began)
    return best
