"""When the images of a stack were taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.choices import DelayTiming
from napari_nstm.imaging.sim.settings import IMAGE_AXES, SimSettings, axes_in


def image_times_ms(images: NDArray[np.int64], settings: SimSettings) -> NDArray[np.float64]:
    """Return the mid-exposure time of every image in ms, the first at 0 where they are built.

    Parameters
    ----------
    images
        (time, plane, orientation, phase): index of the image in the stack.
    settings
        `timestamps_ms` (one for each image of the stack in its order, or one for each orientation and phase of
        every time point, for all planes alike), or else `timing`.

    Raises
    ------
    InputError
        If the number of times does not fit the images, or two images of a plane were taken at once.
    """
    given = settings.timestamps_ms
    if given is None:
        return _built(images, settings)
    n_images = images.size
    n_times, n_planes, n_orientations, n_phases = images.shape
    if len(given) == n_images:
        times = np.asarray(given, np.float64)[images]
    elif len(given) == n_images // n_planes:
        shots = np.asarray(given, np.float64).reshape(n_times, 1, n_orientations, n_phases)
        times = np.repeat(shots, n_planes, axis=1)
    else:
        alike = f", or {n_images // n_planes}, one per frame of all planes" if n_planes > 1 else ""
        raise InputError(
            "acquisition.timestamps_ms", f"{len(given)} times for {n_images} images", f"one per image{alike}"
        )
    of_planes = np.sort(np.moveaxis(times, 1, 0).reshape(n_planes, -1), axis=1)
    if np.any(np.diff(of_planes, axis=1) == 0):
        raise InputError("acquisition.timestamps_ms", "the same time twice", "a time of its own for each image")
    return times


def _built(images: NDArray[np.int64], settings: SimSettings) -> NDArray[np.float64]:
    timing = settings.timing
    if not isinstance(timing, DelayTiming):
        return np.asarray(images * timing.interval_ms, np.float64)
    counts = dict(zip(IMAGE_AXES, images.shape, strict=True))
    axes = axes_in(timing.taken_order) if timing.taken_order else settings.axes_of_stack
    axes = (*(axis for axis in IMAGE_AXES if axis not in axes), *axes)
    delays = {
        "time": timing.time_delay_ms,
        "plane": timing.plane_delay_ms,
        "orientation": timing.orientation_delay_ms,
        "phase": timing.phase_delay_ms,
    }
    # What changes from one image to the next changes at once: the slowest of it is waited for.
    steps = np.zeros([counts[axis] for axis in axes])
    index = np.indices(steps.shape).reshape(len(axes), -1)
    changed = np.diff(index, axis=1) != 0
    waits = np.max(changed * np.asarray([delays[axis] for axis in axes])[:, None], axis=0, initial=0.0)
    times = np.concatenate([[0.0], np.cumsum(timing.exposure_ms + waits)]).reshape(steps.shape)
    return np.asarray(times.transpose([axes.index(axis) for axis in IMAGE_AXES]), np.float64)
