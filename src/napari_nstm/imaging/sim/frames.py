"""Which image of a stack is which: from the order it is stored in to frames in the order of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.settings import IMAGE_AXES, Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.timing import image_times_ms

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Arrangement:
    """Where each image of a stack belongs.

    Parameters
    ----------
    images
        (time, plane, orientation, phase): index of the image in the stack.
    times_ms
        Mid-exposure time of each image, likewise.
    """

    images: Index
    times_ms: NDArray[np.float64]

    @property
    def n_acquisitions(self) -> int:
        """Acquisitions of the series."""
        return int(self.images.shape[0])

    @property
    def n_planes(self) -> int:
        """Planes."""
        return int(self.images.shape[1])


@dataclass(frozen=True)
class SimFrames:
    """Frames in the order of time; a frame is an image, or in 3D all planes of one orientation and phase.

    Parameters
    ----------
    images
        (frame, [z,] y, x) counts, less the camera's offset.
    acquisition, orientation, phase
        Which of the series, of the orientations and of the phase steps each frame is: (frame,).
    times_ms
        Mid-exposure time of each frame, the mean over its planes, ascending: (frame,).
    plane_times_ms
        Mid-exposure time of each plane: (frame, z), one plane in 2D.
    """

    images: NDArray[np.float32]
    acquisition: Index
    orientation: Index
    phase: Index
    times_ms: NDArray[np.float64]
    plane_times_ms: NDArray[np.float64]

    def of(self, acquisition: int) -> SimFrames:
        """Return the frames of one acquisition of a series."""
        return self.chosen(np.flatnonzero(self.acquisition == acquisition))

    def chosen(self, which: Index) -> SimFrames:
        """Return some of the frames."""
        return SimFrames(
            self.images[which],
            self.acquisition[which],
            self.orientation[which],
            self.phase[which],
            self.times_ms[which],
            self.plane_times_ms[which],
        )


def arrangement(n_images: int, settings: SimSettings) -> Arrangement:
    """Say where each image of a stack belongs.

    Parameters
    ----------
    n_images
        Images of the stack.
    settings
        Their order, how many there are of everything, and when they were taken.

    Raises
    ------
    InputError
        If the images are no whole acquisitions.
    """
    shots = settings.n_orientations * settings.n_phases
    planes = settings.n_planes_of_stack
    if planes is None:
        planes = max(1, n_images // shots)
    words = f"{settings.n_orientations} orientations x {settings.n_phases} phases"
    if planes > 1:
        words += f" x {planes} planes"
    whole = shots * planes
    if n_images == 0 or n_images % whole:
        raise InputError(
            "raw",
            f"{n_images} image{'s' * (n_images != 1)}",
            f"a multiple of {whole} images ({words}), or other numbers of them",
        )
    counts = {
        "time": n_images // whole,
        "plane": planes,
        "orientation": settings.n_orientations,
        "phase": settings.n_phases,
    }
    axes = settings.axes_of_stack
    stored = np.arange(n_images).reshape([counts[axis] for axis in axes])
    images = stored.transpose([axes.index(axis) for axis in IMAGE_AXES])
    return Arrangement(images, image_times_ms(images, settings))


def sim_frames(raw: RawData, settings: SimSettings) -> SimFrames:
    """Arrange the images of a stack as frames in the order of time, and subtract the offset.

    Parameters
    ----------
    raw
        (image, y, x) in the order in which the stack holds them.
    settings
        The acquisition.

    Raises
    ------
    InputError
        If the images are no whole acquisitions.
    """
    plan = arrangement(len(raw.frames), settings)
    is_volume = isinstance(settings, Sim3dSettings)
    moved = plan.images.transpose(0, 2, 3, 1)  # time, orientation, phase, plane
    times = plan.times_ms.transpose(0, 2, 3, 1).reshape(-1, plan.n_planes)
    which = moved.reshape(-1, plan.n_planes)
    acquisition, orientation, phase = (index.ravel() for index in np.indices(moved.shape[:3]))
    mean = times.mean(axis=1)
    order = np.argsort(mean, kind="stable")
    chosen = which[order]
    images = np.asarray(raw.frames[chosen.ravel()], np.float32) - np.float32(settings.offset)
    size = raw.frames.shape[1:]
    shape = (len(order), plan.n_planes, *size) if is_volume else (len(order), *size)
    return SimFrames(
        images.reshape(shape), acquisition[order], orientation[order], phase[order], mean[order], times[order]
    )


def shot_times_ms(plan: Arrangement) -> NDArray[np.float64]:
    """Return the mid-exposure time of each frame, the mean over its planes: (time, orientation, phase) in one row."""
    return np.asarray(plan.times_ms.mean(axis=1).reshape(-1))


def planes_in_time(frames: SimFrames) -> tuple[Index, Index, Index]:
    """Return all planes of all frames in the order of time.

    Returns
    -------
    order
        Index into `frames.plane_times_ms.ravel()`.
    frame, plane
        What each of them is.
    """
    order = np.argsort(frames.plane_times_ms.ravel(), kind="stable")
    frame, plane = np.unravel_index(order, frames.plane_times_ms.shape)
    return order, frame, plane
