"""A part of the frames of DPC in time: whole acquisitions, with their background."""

from __future__ import annotations

from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FrameRange
from napari_nstm.imaging.dpc.settings import ConstantBackground, DpcSettings
from napari_nstm.imaging.frame_range import cut


def cut_frames(
    raw: RawData, settings: DpcSettings, frames: FrameRange, n_conditions: int
) -> tuple[RawData, DpcSettings]:
    """Cut frames, their times, and a background that is given for each of them.

    Parameters
    ----------
    raw, settings, frames
        As for `imaging.frame_range.cut_frames`.
    n_conditions
        Frames of one acquisition.

    Raises
    ------
    InputError
        If the part is no whole number of acquisitions; field `frames`.
    """
    n, (first, count) = len(raw.frames), frames
    background = settings.background
    values = background.value if isinstance(background, ConstantBackground) else None
    if isinstance(values, tuple) and len(values) == n:
        of_part = ConstantBackground(value=values[first : first + count])
        settings = settings.model_copy(update={"background": of_part})
    part: tuple[RawData, DpcSettings] = cut(raw, settings, frames, together=n_conditions, stacks=("background.path",))
    return part
