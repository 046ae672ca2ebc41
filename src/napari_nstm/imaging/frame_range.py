"""A part of the frames in time: raw data as if no more had been taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.hints import hint_of
from napari_nstm.core.settings import FrameRange, TimedAcquisition
from napari_nstm.imaging.base import Modality


def cut_frames(modality: Modality, raw: RawData, settings: Any, frames: FrameRange) -> tuple[RawData, Any]:
    """Cut raw data to some of their frames, and say what the settings are for them: by the modality, or by `cut`.

    Times stay those of the whole, so that the parts of a series line up.

    Parameters
    ----------
    modality, raw, settings
        What was measured, and how: of all frames. Values for each frame may be those of the part already.
    frames
        First frame, from 0, and number of frames.

    Raises
    ------
    InputError
        If the part reaches beyond the frames, is no whole number of acquisitions, or means nothing to the modality;
        field `frames`.
    """
    first, count = frames
    n = len(raw.frames)
    if not modality.raw_axes.startswith(("t", "*")):
        takes = f"nothing with {modality.title}: its frames are no series"
        raise InputError("frames", f"{first}, {count}", takes)
    if first + count > n:
        takes = f"a part of the {n} frames, counted from 0"
        raise InputError("frames", f"frames {first} to {first + count - 1}", takes)
    own = getattr(modality, "cut_frames", None)
    if own is None:
        return cut(raw, settings, frames)
    part: tuple[RawData, Any] = own(raw, settings, frames)
    return part


def cut(
    raw: RawData, settings: Any, frames: FrameRange, *, together: int = 1, stacks: Collection[str] | None = None
) -> tuple[RawData, Any]:
    """Cut frames and what there is for each of them: lists of numbers, and stacks of images; nothing is copied.

    Parameters
    ----------
    raw, settings, frames
        As for `cut_frames`.
    together
        Frames of an acquisition; only whole ones make sense.
    stacks
        Extras that may hold an image for each frame; None: all that have as many images of the frames' size.

    Raises
    ------
    InputError
        If the part is no whole number of acquisitions.
    """
    check_whole(frames, together)
    first, count = frames
    n = len(raw.frames)
    extras = dict(raw.extras)
    for name in extras if stacks is None else [name for name in stacks if name in extras]:
        shape = np.shape(extras[name])
        if len(shape) > 2 and shape[0] == n and shape[-2:] == raw.frames.shape[-2:]:
            extras[name] = extras[name][first : first + count]
    changes: dict[str, Any] = {}
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        if hint_of(info).per_frame and isinstance(value, tuple) and len(value) == n:
            changes[name] = value[first : first + count]
    if isinstance(settings, TimedAcquisition) and settings.timestamps_ms is None:
        changes["timestamps_ms"] = tuple(float(k) for k in range(first, first + count))
    part = settings.model_copy(update=changes) if changes else settings
    return replace(raw, frames=raw.frames[first : first + count], extras=extras), part


def check_whole(frames: FrameRange, together: int) -> None:
    """Raise `InputError` for a part that is no whole number of acquisitions of so many frames."""
    first, count = frames
    if first % together or count % together:
        takes = f"whole acquisitions of {together} frames: a first frame and a number that are multiples of {together}"
        raise InputError("frames", f"{first}, {count}", takes)
