"""A part of the field: raw data as if the detector had been no larger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import Region
from napari_nstm.imaging.base import Modality


def crop(raw: RawData, region: Region, images: Collection[str] | None = None) -> RawData:
    """Cut frames, and the arrays that belong to their pixels, to a region; nothing is read or copied.

    Parameters
    ----------
    raw
        Whole frames.
    region
        First row, first column, rows and columns.
    images
        Extras that are images of the field (a background, a dark image); None: all whose last two axes have the
        frames' size.

    Raises
    ------
    InputError
        If the region reaches beyond the frames, or one of `images` has another size than they.
    """
    size = raw.frames.shape[-2:]
    check_inside(region, size)
    extras = dict(raw.extras)
    for name, array in raw.extras.items() if images is None else ((n, extras[n]) for n in images if n in extras):
        if np.shape(array)[-2:] == size:
            extras[name] = _cut(array, region)
        elif images is not None:
            got = " x ".join(map(str, np.shape(array)))
            raise InputError(
                f"acquisition.{name}", f"an image of {got}", f"{size[0]} x {size[1]} pixels, as the frames"
            )
    return replace(raw, frames=_cut(raw.frames, region), extras=extras)


def check_inside(region: Region, size: tuple[int, ...]) -> None:
    """Raise `InputError` for a region that reaches beyond frames of a size (y, x)."""
    top, left, rows, columns = region
    if top < 0 or left < 0 or top + rows > size[0] or left + columns > size[1]:
        got = f"rows {top} to {top + rows - 1} and columns {left} to {left + columns - 1}"
        takes = f"a part of the frames, whose last row is {size[0] - 1} and last column {size[1] - 1}"
        raise InputError("region", got, takes)


def cropped(modality: Modality, raw: RawData, settings: Any, region: Region) -> tuple[RawData, Any]:
    """Cut raw data to a region, and say what the settings are for it, as the modality does it or by `crop`.

    Raises
    ------
    InputError
        If the region reaches beyond the frames, or means nothing to the modality; field `region`.
    """
    check_inside(region, raw.frames.shape[-2:])
    own = getattr(modality, "cropped", None)
    if own is None:
        return crop(raw, region), settings
    cut: tuple[RawData, Any] = own(raw, settings, region)
    return cut


def uncropped(modality: Modality, settings: Any, size: tuple[int, int], region: Region) -> Any:
    """Turn settings for a region of frames of a size (y, x) into those for the whole frames, as a job holds them."""
    own = getattr(modality, "uncropped", None)
    return settings if own is None else own(settings, size, region)


def _cut(array: NDArray[Any], region: Region) -> NDArray[Any]:
    top, left, rows, columns = region
    return array[..., top : top + rows, left : left + columns]
