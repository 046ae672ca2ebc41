"""What tiles of a SIM acquisition must have in common: brightness, and the smoothness that its noise asks for."""

from __future__ import annotations

import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.layout import enlargement
from napari_nstm.imaging.sim.prepare import prepared, smoothness
from napari_nstm.imaging.sim.settings import SimSettings

_BLOCK_PX = 8  # of the pyramid's levels
_LARGEST_BLOCK_PX = 128


def for_tiles(raw: RawData, settings: SimSettings) -> SimSettings:
    """Give what is otherwise found in the frames; stripes, phases and depths were found before."""
    data = prepared(raw, settings)
    group = data.frames.acquisition * settings.n_orientations + data.frames.orientation
    brightness = np.ones(int(group.max()) + 1)
    brightness[group] = data.light.intensities
    return settings.model_copy(
        update={
            "brightness": tuple(float(b) for b in brightness),
            "scale_counts": data.scale,
            "smoothness": smoothness(data, settings),
        }
    )


def block_px(settings: SimSettings) -> int:
    """Return the least multiple of 8 raw pixels after which a sample of the result lies on a raw one again.

    Raises
    ------
    InputError
        If none up to 128 does.
    """
    factor = enlargement(settings)
    for block in range(_BLOCK_PX, _LARGEST_BLOCK_PX + 1, _BLOCK_PX):
        if abs(block * factor - round(block * factor)) < 1e-9 * block:
            return block
    takes = f"samples of the result that meet raw pixels within {_LARGEST_BLOCK_PX}, to work in tiles"
    raise InputError("acquisition.enlarge", f"{factor:g}", takes)
