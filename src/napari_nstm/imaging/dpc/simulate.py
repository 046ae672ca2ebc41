"""Simulated DPC frames of a moving sample, with the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.dpc.abbe import abbe
from napari_nstm.imaging.dpc.optics import Optics, TransferFunctions, transfer_functions
from napari_nstm.imaging.dpc.settings import ConstantBackground, DpcSettings
from napari_nstm.phantoms.motions import KnownMotion, known_motion
from napari_nstm.phantoms.targets import Phantom, cells, usaf1951

Float = NDArray[np.float32]

PEAK_PHASE_RAD = 0.5
"""Phase of the target's brightest parts; absorption is on the same scale."""
BACKGROUND_COUNTS = 10_000.0
# Border on every side: what wraps around comes from twice as far, five times what the optics reach.
_BORDER_PX = 48
_SOURCE_POINTS = 1500

# The optics of Cao et al. 2024 (C. elegans), and four frames at 40 Hz.
_SETTINGS = DpcSettings(
    wavelength_um=0.525,
    na_objective=0.25,
    na_illumination=0.25,
    pixel_size_um=0.454,
    source_angles_deg=(90.0, 270.0, 0.0, 180.0),
    timestamps_ms=(0.0, 25.0, 50.0, 75.0),
    background=ConstantBackground(value=BACKGROUND_COUNTS),
)


def simulate(request: SimulationRequest) -> Simulation:
    """Simulate one acquisition of four frames.

    Parameters
    ----------
    request
        Options: `target` usaf (phase only) or cells (phase and some absorption); `forward` linear
        (weak object) or abbe (the full sum over source points).

    Raises
    ------
    InputError
        If the field is too small or an option is unknown.
    """
    if request.size < 64:
        raise InputError("size", f"{request.size}", "64 pixels or more")
    target = _choice(request.options, "target", ("usaf", "cells"))
    forward = _choice(request.options, "forward", ("linear", "abbe"))
    field = (request.size, request.size)
    phantom = {"usaf": usaf1951, "cells": cells}[target](field, seed=request.seed)
    times = np.linspace(-1, 1, len(_SETTINGS.source_angles_deg))
    # Seed 0 is the plain case: the target in the middle, the motion in its usual direction.
    motion = known_motion(request.motion, field, request.displacement_px, times, request.seed or None)

    extent = fft.next_fast_len(request.size + 2 * _BORDER_PX, real=True)
    inner = (slice(_BORDER_PX, _BORDER_PX + request.size),) * 2
    # Targets end inside the field: beyond the reach of the motion there is nothing to draw.
    room = min(_BORDER_PX, math.ceil(2 * request.displacement_px))
    optics = Optics.from_settings(_SETTINGS)
    transfer = transfer_functions(optics, (extent, extent), _SETTINGS.pixel_size_um)
    truth, frames = [], []
    for condition, t in enumerate(times):
        drawn = _scene(phantom, motion, float(t), field, room)
        around = (_BORDER_PX - room, extent - _BORDER_PX - request.size - room)
        scene = np.pad(drawn, ((0, 0), around, around))
        image = _linear(scene, transfer, condition) if forward == "linear" else _abbe(scene, optics, condition)
        truth.append(scene[(slice(None), *inner)])
        frames.append(image[inner])
    noise = np.random.default_rng(request.seed).normal(0, request.noise, (len(frames), *field))
    counts = np.rint(BACKGROUND_COUNTS * (np.stack(frames) + noise))
    at = positions(field)
    displacement = np.stack([motion.displacement(at, float(t)) for t in times])
    return Simulation(
        np.clip(counts, 0, np.iinfo(np.uint16).max).astype(np.uint16),
        np.stack(truth).astype(np.float32),
        displacement.astype(np.float32),
        _SETTINGS,
    )


def _choice(options: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = options.get(name, choices[0])
    if value not in choices:
        raise InputError(name, repr(value), " or ".join(choices))
    return value


def _scene(phantom: Phantom, motion: KnownMotion, t: float, field: tuple[int, int], room_px: int) -> Float:
    """Draw (2, y, x) absorption and phase at time t, on the field and `room_px` around it."""

    def pull_back(at: Float) -> Float:
        return np.asarray(motion.pull_back(at - room_px, t) - room_px, np.float32)

    shape = (field[0] + 2 * room_px, field[1] + 2 * room_px)
    maps = (phantom.absorption, phantom.phase)
    drawn = [np.zeros(shape) if m is None else PEAK_PHASE_RAD * m.on_grid(shape, pull_back) for m in maps]
    return np.stack(drawn).astype(np.float32)


def _linear(scene: Float, transfer: TransferFunctions, condition: int) -> Float:
    spectrum = fft.fft2(scene)
    contrast = fft.ifft2(transfer.absorption[condition] * spectrum[0] + 1j * transfer.phase[condition] * spectrum[1])
    return np.asarray(1 + contrast.real, np.float32)


def _abbe(scene: Float, optics: Optics, condition: int) -> Float:
    return np.asarray(abbe(scene[1], scene[0], optics, _SETTINGS.pixel_size_um, (condition,), _SOURCE_POINTS)[0])
