"""From raw frames to what a fit works on: brightness, stripes, padding and levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.fourier import fourier_resample
from napari_nstm.imaging.padding import pad_fading, weight_of
from napari_nstm.imaging.sim.frames import SimFrames, planes_in_time, sim_frames
from napari_nstm.imaging.sim.layout import N_LEVELS, SimLayout, sim_layout
from napari_nstm.imaging.sim.optics import Illumination, SimOptics, given_vectors
from napari_nstm.imaging.sim.otf import OtfTable
from napari_nstm.imaging.sim.otf_choice import otf_table
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.support import half_plane, sharpening

if TYPE_CHECKING:
    from napari_nstm.imaging.sim.problem import SimProblem

# What counts as the brightest part of a picture, whatever single pixels do.
_BRIGHT_PERCENTILE = 99.9
# Weight of the squared gradient over the noise of fine detail. Measured frames, whose optics are never quite those of
# the model, need it; simulated ones lose some tenths of a dB.
_SMOOTHNESS = {2: 2.0, 3: 0.5}
# Scene samples of all frames of a step together: 15 frames of some 440 x 440 samples, or 5 of 16 x 190 x 190.
_SAMPLES_PER_STEP = 3e6


@dataclass(frozen=True)
class Prepared:
    """An acquisition with everything that a reconstruction of it needs.

    Parameters
    ----------
    frames
        In the order of time.
    light
        Their stripes.
    table
        OTF at the depths of the padded field.
    layout
        Grids at full size.
    scale
        Counts that stand for 1 in a fit.
    """

    frames: SimFrames
    light: Illumination
    table: OtfTable
    layout: SimLayout
    scale: float


def prepared(raw: RawData, settings: SimSettings) -> Prepared:
    """Bring raw frames, settings and OTF together.

    Raises
    ------
    InputError
        If stripes are not given and were not estimated.
    """
    frames = sim_frames(raw, settings)
    layout = sim_layout(frames.images.shape[1:], settings)
    light = illumination(frames, settings)
    table = otf_table(settings, raw.extras, light.vectors_per_um, layout.padded_planes)
    bright = settings.scale_counts or float(np.percentile(frames.images.mean(axis=0), _BRIGHT_PERCENTILE))
    if not bright > 0:
        raise InputError(
            "acquisition.offset",
            f"{settings.offset:g} counts, above the frames",
            "less than the frames' brightest parts",
        )
    return Prepared(frames, light, table, layout, bright)


def illumination(frames: SimFrames, settings: SimSettings) -> Illumination:
    """Return the stripes of every frame as the settings give them.

    Raises
    ------
    InputError
        Where they leave something open, or give a number of phases that does not fit.
    """
    vectors = given_vectors(settings)
    if vectors is None:
        raise InputError("acquisition.pattern", "stripes still to be found", "vectors, or periods and directions")
    return Illumination(vectors, phases(frames, settings), depths(settings), intensities(frames, settings))


def phases(frames: SimFrames, settings: SimSettings) -> NDArray[np.float64]:
    """Return the phase of order 1 of every frame in rad: (frame,)."""
    given = settings.phases_rad
    per_acquisition = settings.n_orientations * settings.n_phases
    shot = place(frames, settings)
    if given is not None and len(given) in (per_acquisition, len(shot)):
        return np.asarray(np.asarray(given, np.float64)[shot % len(given)])
    got = "nothing" if given is None else f"{len(given)} phases"
    more = "" if len(shot) == per_acquisition else f", or {len(shot)}: one for each frame of the series"
    takes = f"{per_acquisition}: one for each orientation and phase{more}"
    raise InputError("acquisition.phases_rad", got, takes)


def place(frames: SimFrames, settings: SimSettings) -> NDArray[np.int64]:
    """Return where each frame stands among phases as they are given: acquisition, orientation, phase."""
    per_acquisition = settings.n_orientations * settings.n_phases
    return frames.acquisition * per_acquisition + frames.orientation * settings.n_phases + frames.phase


def depths(settings: SimSettings) -> NDArray[np.float64]:
    """Return the depths of all orders: (orientation, order), 1 for order 0."""
    orders = [np.ones(settings.n_orientations)]
    for name in ("modulation_1", "modulation_2")[: settings.n_orders - 1]:
        value = getattr(settings, name)
        if value is None:
            raise InputError(f"acquisition.{name}", "nothing", "a depth, or one per orientation")
        orders.append(np.broadcast_to(np.asarray(value, np.float64), (settings.n_orientations,)))
    return np.stack(orders, axis=-1)


def intensities(frames: SimFrames, settings: SimSettings) -> NDArray[np.float64]:
    """Return the brightness of every frame relative to the first orientation of the first acquisition: (frame,)."""
    group = frames.acquisition * settings.n_orientations + frames.orientation
    if settings.brightness is not None:
        n_groups = int(group.max()) + 1
        if len(settings.brightness) != n_groups or min(settings.brightness) <= 0:
            takes = f"{n_groups} positive values: one for each orientation of each acquisition"
            raise InputError("acquisition.brightness", ", ".join(f"{b:g}" for b in settings.brightness), takes)
        return np.asarray(np.asarray(settings.brightness, np.float64)[group])
    if settings.intensities == "equal":
        return np.ones(len(frames.images))
    means = frames.images.mean(axis=tuple(range(1, frames.images.ndim)), dtype=np.float64)
    sums = np.bincount(group, means) / np.bincount(group)
    if not np.all(sums > 0):
        raise InputError("acquisition.offset", f"{settings.offset:g} counts, more than a frame's mean", "fewer counts")
    return np.asarray((sums / sums[0])[group])


def smoothness(data: Prepared, settings: SimSettings) -> float:
    """Return the weight of the scene's squared gradient: given, or in proportion to the noise of fine detail.

    Of a series its first acquisition tells.
    """
    if settings.smoothness is not None:
        return settings.smoothness
    from napari_nstm.imaging.sim.conventional import fine_noise_ratio, light_of, windows

    first = windows(data.frames, settings)[0]
    return _SMOOTHNESS[data.layout.raw.ndim] * fine_noise_ratio(
        data.frames.chosen(first), light_of(data.light, first), data.table, data.layout
    )


def images_per_step(layout: SimLayout, n_frames: int) -> int:
    """Return the frames of a step: all of them, or of large fields as many as divide them and stay in memory."""
    samples = math.prod(layout.scene.padded_shape)
    most = max(1, min(n_frames, round(_SAMPLES_PER_STEP / samples)))
    return next(n for n in range(most, 0, -1) if n_frames % n == 0)


def problem_at(data: Prepared, settings: SimSettings, level: int) -> SimProblem:
    """Normalise and pad frames, at a level of the pyramid.

    Raises
    ------
    InputError
        If there is no such level.
    """
    import jax.numpy as jnp

    from napari_nstm.imaging.sim.problem import MARGIN_PX, SimProblem

    if not 0 <= level < N_LEVELS:
        raise InputError("fit.advanced.pyramid", f"level {level}", f"levels from 0 to {N_LEVELS - 1}")
    layout = data.layout.at_level(level)
    frames = pad_fading(data.frames.images / np.float32(data.scale), data.layout.raw)
    frames = np.asarray(fourier_resample(frames, layout.frame_shape), np.float32)
    by_planes = isinstance(settings, Sim3dSettings) and settings.times_of == "plane"
    transfer, groups = transfer_groups(data, layout, by_depth=by_planes)
    margin = tuple(max(2, round(MARGIN_PX / step)) for step in layout.frame_spacing_px[-2:])
    weight = weight_of(layout.frame_field, layout.frame_shape, (0,) * (len(layout.frame_shape) - 2) + margin)
    times_ms, of_frame, planes = data.frames.times_ms, np.arange(len(frames)), np.zeros(0, np.int64)
    if by_planes:
        # Every plane is a frame of its own, in the order of time.
        order, of_frame, plane = planes_in_time(data.frames)
        times_ms = data.frames.plane_times_ms.ravel()[order]
        planes = plane + layout.frame_field[0].start
        frames, weight = frames[of_frame, planes], weight[layout.frame_field[0].start]
    light = data.light
    shot, n_shots = place(data.frames, settings), len(data.frames.times_ms)
    phases_rad = np.empty(n_shots)
    phases_rad[shot] = light.phases_rad
    return SimProblem(
        frames=jnp.asarray(frames),
        frame_times=jnp.asarray(2 * (times_ms - times_ms[0]) / (times_ms[-1] - times_ms[0]) - 1, jnp.float32),
        orientation=jnp.asarray(data.frames.orientation[of_frame], jnp.int32),
        shot=jnp.asarray(shot[of_frame], jnp.int32),
        phases=jnp.asarray(phases_rad, jnp.float32),
        intensities=jnp.asarray(light.intensities[of_frame], jnp.float32),
        vectors=jnp.asarray(light.vectors_per_um, jnp.float32),
        depths=jnp.asarray(light.depths, jnp.float32),
        transfer=jnp.asarray(transfer),
        planes=jnp.asarray(planes, jnp.int32),
        shifts=jnp.zeros(n_shots),
        scales=jnp.zeros((len(light.depths), light.n_orders - 1)),
        sharpening=jnp.asarray(_sharpening(data, layout, settings)),
        weight=jnp.asarray(weight),
        nonnegativity=jnp.asarray(settings.nonnegativity, jnp.float32),
        smoothness=jnp.asarray(smoothness(data, settings), jnp.float32),
        scale=jnp.asarray(data.scale, jnp.float32),
        optics=SimOptics.from_settings(settings),
        layout=layout,
        groups=groups,
        images_per_step=images_per_step(data.layout, len(frames)),
        refine=settings.refine,
    )


def _sharpening(data: Prepared, layout: SimLayout, settings: SimSettings) -> NDArray[Any]:
    if not settings.apodised:
        return np.zeros(0, np.float32)
    grid = layout.scene
    steps = [s * p for s, p in zip(grid.step, grid.pixel_size_um, strict=True)]
    frequencies = half_plane(grid.padded_shape, steps)
    return sharpening(frequencies, SimOptics.from_settings(settings), data.light.vectors_per_um)


def transfer_groups(
    data: Prepared, layout: SimLayout, *, by_depth: bool = False
) -> tuple[NDArray[Any], tuple[tuple[int, ...], ...]]:
    """Return the transfer functions on a frame's half plane, and which orders share each.

    Returns
    -------
    transfer
        (orientation or 1, group, [kz,] ky, kx >= 0), 0 at the Nyquist samples; with `by_depth` (..., depth, ky, kx).
    groups
        Orders of each group.
    """
    planes, shape, steps = layout.frame_shape[:-2], layout.frame_shape[-2:], layout.frame_spacing_px[-2:]
    pixel = layout.raw.pixel_size_um[-2:]
    ky, kx = (fft.fftfreq(n, p * s) for n, p, s in zip(shape, pixel, steps, strict=True))
    kr = np.hypot(ky[:, None], np.abs(kx[: shape[1] // 2 + 1]))
    if shape[0] % 2 == 0:
        kr[shape[0] // 2] = np.inf
    if shape[1] % 2 == 0:
        kr[:, -1] = np.inf
    kr = np.where(np.isfinite(kr), kr, 1e9)
    table = data.table
    found: list[tuple[list[int], list[NDArray[Any]]]] = []
    for order in range(data.light.n_orders):
        # A volume of a single plane has a table of a single depth, and one kz.
        of_order = [table.transfer(order, d, kr).reshape(planes + kr.shape) for d in range(len(table.values))]
        if by_depth:
            of_order = [np.moveaxis(table.lateral(order, d, kr), -1, 0) for d in range(len(table.values))]
        for orders, first in found:
            if all(np.allclose(a, b, atol=1e-6) for a, b in zip(first, of_order, strict=True)):
                orders.append(order)
                break
        else:
            found.append(([order], of_order))
    stacked = np.stack([np.stack(arrays) for _, arrays in found], axis=1)
    kind = np.complex64 if np.iscomplexobj(stacked) else np.float32
    return stacked.astype(kind), tuple(tuple(orders) for orders, _ in found)
