"""A part of the images of SIM in time: whole acquisitions, with what is given for each of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import FrameRange
from napari_nstm.imaging.frame_range import check_whole, cut
from napari_nstm.imaging.sim.frames import arrangement
from napari_nstm.imaging.sim.settings import SimSettings


def cut_frames(raw: RawData, settings: SimSettings, frames: FrameRange) -> tuple[RawData, SimSettings]:
    """Cut images, their times, and phases and brightness that are given for all of a series.

    Raises
    ------
    InputError
        If the part is no whole number of acquisitions, or the images of an acquisition do not follow each other; field
        `frames`.
    """
    n, (first, count) = len(raw.frames), frames
    shots = settings.n_orientations * settings.n_phases
    planes = settings.n_planes_of_stack or max(1, n // shots)
    together = shots * planes
    check_whole(frames, together)
    n_whole = n // together
    if settings.axes_of_stack[0] != "time" and n_whole > 1:
        order = ", ".join(settings.axes_of_stack)
        raise InputError("frames", f"a part of images in the order {order}", "images whose order begins with time")
    begin, end = first // together, (first + count) // together
    changes: dict[str, Any] = {}
    # What is given for the part alone, or for every acquisition alike, stays.
    for name, each in (("phases_rad", shots), ("brightness", settings.n_orientations), ("timestamps_ms", shots)):
        value = getattr(settings, name)
        if value is not None and len(value) == n_whole * each:
            changes[name] = value[begin * each : end * each]
    if settings.timestamps_ms is None:
        plan = arrangement(n_whole * together, settings)
        times = np.empty(n_whole * together)
        times[plan.images.ravel()] = plan.times_ms.ravel()
        changes["timestamps_ms"] = tuple(float(t) for t in times[first : first + count])
    given = settings.model_copy(update=changes)
    part: tuple[RawData, SimSettings] = cut(raw, given, frames, stacks=())
    return part
