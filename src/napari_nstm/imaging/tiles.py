"""What a method must know of a whole field before it works on tiles of it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.imaging.base import Modality

DEFAULT_BLOCK_PX = 8


def for_tiles(modality: Modality, raw: RawData, settings: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Return settings that give all that is otherwise found in the whole field, and the arrays that they name.

    So a background, a brightness or stripes are the same in every tile.

    Raises
    ------
    InputError
        If tiles mean nothing to the method; field `compute.tile_px`.
    """
    own = getattr(modality, "for_tiles", None)
    if own is None:
        return settings, {}
    settled: tuple[Any, dict[str, NDArray[Any]]] = own(raw, settings)
    return settled


def reach_px(modality: Modality, raw: RawData, settings: Any) -> tuple[int, int] | None:
    """Return how far the optics spread a point, and the largest motion, in raw pixels; None: it does not say."""
    own = getattr(modality, "tile_reach_px", None)
    return None if own is None else own(raw, settings)


def block_px(modality: Modality, settings: Any) -> int:
    """Return what regions begin at multiples of, so that samples of frames and result coincide, in raw pixels."""
    own = getattr(modality, "tile_block_px", None)
    return DEFAULT_BLOCK_PX if own is None else int(own(settings))
