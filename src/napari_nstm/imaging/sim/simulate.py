"""Simulated SIM frames of a moving sample, of one plane or of a volume, with the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.sim.camera import Camera, moment
from napari_nstm.imaging.sim.choices import DelayTiming, EvenTiming, VectorPattern
from napari_nstm.imaging.sim.frames import arrangement, shot_times_ms
from napari_nstm.imaging.sim.layout import enlargement, sim_layout
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings
from napari_nstm.phantoms.fluorescence import FluorescentTarget, beads, filaments, tubule, usaf
from napari_nstm.phantoms.motions import known_motion

Float = NDArray[np.float32]

PEAK_COUNTS = 10_000.0
"""Counts of the brightest pixel without noise, above the offset."""
OFFSET_COUNTS = 1000.0
TARGETS: dict[str, Callable[..., FluorescentTarget]] = {
    "usaf": usaf,
    "beads": beads,
    "filaments": filaments,
    "tubule": tubule,
}

_INTERVAL_MS = 25.0

# The optics of Cao et al. 2024 (beads): 3 orientations, 5 phases, stripes near the finest that the objective makes.
_SPACINGS_UM = (0.41949, 0.41952, 0.41933)
_ANGLES_RAD = (1.782, 2.897, -2.379)
_FIRST_PHASES_RAD = (0.4, -1.9, 2.6)
DEPTHS = (0.8, 0.5)
_PHASES = tuple(first + 2 * math.pi * p / 5 for first in _FIRST_PHASES_RAD for p in range(5))
_COMMON: Mapping[str, Any] = {
    "pixel_size_um": 0.065,
    "wavelength_um": 0.515,
    "excitation_wavelength_um": 0.488,
    "na_objective": 1.28,
    "refractive_index": 1.33,
    "offset": OFFSET_COUNTS,
    "pattern": VectorPattern(
        ky_per_um=tuple(round(math.sin(a) / s, 6) for s, a in zip(_SPACINGS_UM, _ANGLES_RAD, strict=True)),
        kx_per_um=tuple(round(math.cos(a) / s, 6) for s, a in zip(_SPACINGS_UM, _ANGLES_RAD, strict=True)),
    ),
    "phases_rad": tuple(round(phase, 6) for phase in _PHASES),
    "modulation_1": DEPTHS[0],
    "modulation_2": DEPTHS[1],
    "timing": EvenTiming(interval_ms=_INTERVAL_MS),
}
PLANE_SPACING_UM = 0.15
# Stripes turn slowly and shift fast: the sample moves most between two orientations.
_VOLUME_TIMING = DelayTiming(
    exposure_ms=5,
    phase_delay_ms=20,
    plane_delay_ms=20,
    orientation_delay_ms=300,
    taken_order="time, orientation, plane, phase",
)


def simulated_settings(n_planes: int | None = None, **changes: Any) -> SimSettings:
    """Return the settings of a simulated acquisition: of one plane, or of a volume of `n_planes`."""
    if n_planes is None:
        return SimSettings(**{**_COMMON, **changes})
    volume = {"n_planes": n_planes, "plane_spacing_um": PLANE_SPACING_UM, "timing": _VOLUME_TIMING}
    return Sim3dSettings(**{**_COMMON, **volume, **changes})


def simulate(request: SimulationRequest, settings: SimSettings) -> Simulation:
    """Simulate one acquisition, or several in a row.

    Parameters
    ----------
    request
        `size` is that of a frame in raw pixels; the option `target` is one of `TARGETS`, `acquisitions` a number.
    settings
        With stripes, phases (of one acquisition) and depths; `Sim3dSettings` with a number of planes for a volume,
        each plane at its own time where they say so.

    Raises
    ------
    InputError
        If the field is too small or an option is unknown.
    """
    if request.size < 64:
        raise InputError("size", f"{request.size}", "64 pixels or more")
    field = _field(request.size, settings)
    name = request.options.get("target", "usaf" if len(field) == 2 else "tubule")
    known = [target for target in TARGETS if len(field) == 2 or target != "usaf"]
    if name not in known:
        raise InputError("target", repr(name), " or ".join(known))
    shots = settings.n_orientations * settings.n_phases
    n_images = whole_number(request, "acquisitions", 1) * shots * math.prod(field[:-2])
    plan = arrangement(n_images, settings)
    frame_ms = shot_times_ms(plan)
    first, last = frame_ms.min(), frame_ms.max()
    order = np.argsort(frame_ms, kind="stable")
    times = 2 * (frame_ms[order] - first) / (last - first) - 1
    plane_times = 2 * (plan.times_ms.transpose(0, 2, 3, 1).reshape(len(order), -1) - first) / (last - first) - 1
    wish = request.options.get("cycles")
    cycles = None if wish is None else float(wish)
    motion = known_motion(request.motion, field, request.displacement_px, times, request.seed or None, cycles)
    target = _target(name, field, request.seed, settings)

    camera = Camera(target, motion, field, settings)
    clean = np.zeros((len(order), *field), np.float32)
    for t, frame in zip(times, order, strict=True):
        if isinstance(settings, Sim3dSettings) and settings.times_of == "plane":
            for plane, own in enumerate(plane_times[frame]):
                clean[frame, plane] = camera.image(float(own), int(frame) % shots)[plane]
        else:
            clean[frame] = camera.image(float(t), int(frame) % shots)
    scale = PEAK_COUNTS / float(clean.max())
    noise = np.random.default_rng(request.seed).normal(0, request.noise * PEAK_COUNTS, clean.shape)
    counts = np.clip(np.rint(scale * clean + noise + settings.offset), 0, np.iinfo(np.uint16).max).astype(np.uint16)
    stored = np.empty((n_images, *field[-2:]), np.uint16)
    stored[plan.images.transpose(0, 2, 3, 1).reshape(-1)] = counts.reshape(n_images, *field[-2:])

    enlarge = enlargement(settings)
    spacing = (1.0,) * (len(field) - 2) + (1 / enlarge,) * 2
    shape = (*field[:-2], *(math.ceil(n * enlarge) for n in field[-2:]))
    factor = np.asarray([1 / s for s in spacing], np.float32).reshape(-1, *(1,) * len(shape))
    where = positions(shape, spacing)
    truth = [np.float32(scale) * moment(target, motion, float(t), shape, spacing) for t in times]
    moved = [motion.displacement(where, float(t)) * factor for t in times]
    size = sim_layout(field, settings).scene.pixel_size_um
    return Simulation(stored, np.stack(truth)[:, None], np.stack(moved).astype(np.float32), settings, size)


def whole_number(request: SimulationRequest, option: str, default: int) -> int:
    """Return an option of a request that is a number.

    Raises
    ------
    InputError
        If it is none, or less than 1.
    """
    text = request.options.get(option, str(default))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise InputError(option, repr(text), "a whole number of 1 or more")
    return int(text)


def _field(size: int, settings: SimSettings) -> tuple[int, ...]:
    planes = (settings.n_planes or 1,) if isinstance(settings, Sim3dSettings) else ()
    return (*planes, size, size)


def _target(name: str, field: tuple[int, ...], seed: int, settings: SimSettings) -> FluorescentTarget:
    make = TARGETS[name]
    if isinstance(settings, Sim3dSettings):
        return make(field, seed=seed, plane_px=settings.plane_spacing_um / settings.pixel_size_um)
    return make(field, seed=seed)
