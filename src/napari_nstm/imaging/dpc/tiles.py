"""What tiles of a DPC acquisition must have in common: the background of the whole frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.imaging.dpc.normalise import contrasts
from napari_nstm.imaging.dpc.settings import (
    BlurBackground,
    ConstantBackground,
    DpcSettings,
    ImageBackground,
    NoBackground,
)

_PATH = "background.path"


def for_tiles(raw: RawData, settings: DpcSettings) -> tuple[DpcSettings, dict[str, NDArray[Any]]]:
    """Give a background that is otherwise found in the frames.

    Returns
    -------
    settings
        Means become known intensities, blurred frames become measured images; others stay.
    arrays
        The images, (frame, y, x) in counts, as `background.path`.
    """
    background = settings.background
    if isinstance(background, NoBackground):
        means = tuple(float(frame.mean(dtype=np.float64)) for frame in raw.frames)
        return settings.model_copy(update={"background": ConstantBackground(value=means)}), {}
    if isinstance(background, BlurBackground):
        # One frame after the other: the transforms of all of them at once would take several times their memory.
        images = np.empty(raw.frames.shape, np.float32)
        for k, one in enumerate(contrasts(raw.frames, background, 1)):
            images[k] = one.divisor[0]
        frozen = settings.model_copy(update={"background": ImageBackground(path=f"{_PATH}.npy")})
        return frozen, {_PATH: images}
    return settings, {}
