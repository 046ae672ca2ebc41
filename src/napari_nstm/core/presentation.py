"""From the normalised scene of a fit to physical units, as a record that can be stored and applied by numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ChannelPresentation:
    """How one channel is presented: scale * value + offset, then less its mean.

    Parameters
    ----------
    scale, offset
        Undo what the normalisation divided by and subtracted.
    zero_mean
        Whether each moment's mean over the field is subtracted, where a modality carries no absolute value.
    """

    scale: float = 1.0
    offset: float = 0.0
    zero_mean: bool = False


def present(scene: NDArray[np.float32], presentation: Sequence[ChannelPresentation]) -> NDArray[np.float32]:
    """Turn a normalised scene into physical units.

    Parameters
    ----------
    scene
        (c, [z,] y, x) on the field of view at one moment.
    presentation
        One entry per channel.

    Returns
    -------
    NDArray
        (c, [z,] y, x), a new array.

    Raises
    ------
    ValueError
        If the numbers of channels differ.
    """
    shown = [_present_channel(values, how) for values, how in zip(scene, presentation, strict=True)]
    return np.stack(shown)


def _present_channel(values: NDArray[np.float32], how: ChannelPresentation) -> NDArray[np.float32]:
    shown = values * np.float32(how.scale) + np.float32(how.offset)
    if how.zero_mean:
        shown -= np.float32(shown.mean(dtype=np.float64))
    return shown
