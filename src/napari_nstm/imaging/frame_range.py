"""A part of the frames in time: an acquisition of a series as if it were all that was taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import FrameRange
from napari_nstm.imaging.base import Modality


def cut_frames(modality: Modality, raw: RawData, settings: Any, frames: FrameRange) -> tuple[RawData, Any]:
    """Cut raw frames, and all that belongs to single ones, to a part of the series; nothing is copied.

    Frames keep their times: without any they count from the first frame of the whole.

    Parameters
    ----------
    modality, raw, settings
        A method whose frames are taken one after the other, and all of them.
    frames
        First frame, from 0, and how many.

    Raises
    ------
    InputError
        If frames are no series for the method, or the part reaches beyond them; field `frames`.
    """
    first, count = frames
    n = len(raw.frames)
    if not modality.raw_axes.startswith("t") or "timestamps_ms" not in type(settings).model_fields:
        takes = f"nothing with {modality.title}: cut the raw data into files, one for each acquisition"
        raise InputError("frames", f"{first}, {count}", takes)
    if first + count > n:
        raise InputError(
            "frames", f"frames {first} to {first + count - 1}", f"a part of the {n} frames, counted from 0"
        )
    part = slice(first, first + count)
    times = modality.frame_times_ms(raw, settings)
    extras = {
        name: array[part] if np.ndim(array) == raw.frames.ndim and len(array) == n else array
        for name, array in raw.extras.items()
    }
    changes: dict[str, Any] = {"timestamps_ms": tuple(times[part])}
    background = getattr(settings, "background", None)
    values = getattr(background, "value", None)
    if background is not None and isinstance(values, tuple) and len(values) == n:
        changes["background"] = background.model_copy(update={"value": values[part]})
    return replace(raw, frames=raw.frames[part], extras=extras), settings.model_copy(update=changes)
