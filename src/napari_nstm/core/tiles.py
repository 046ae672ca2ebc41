"""A large field in tiles: what is fitted, what is kept of it, and how neighbours are blended.

Output tiles cover the field and do not overlap. What is fitted for one reaches further on every side: by the reach of
the optics and by the largest motion, which spoil the rim of a fit, and by the band in which neighbours are mixed.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import LEAST_REGION_PX, Region, Settings

LEAST_BLEND_PX = 8
"""Least half width of the band in which neighbours are mixed, in raw pixels: no edge is to be seen."""

_BLEND_SHARE = 0.25  # of what is fitted beyond a tile for other reasons


def blend_px(beyond_px: int) -> int:
    """Return half the width of the blending band of tiles that reach so far for optics and motion, in raw pixels."""
    return max(LEAST_BLEND_PX, round(_BLEND_SHARE * beyond_px))


class Tile(Settings):
    """One tile; all regions are first row, first column, rows and columns, in raw pixels."""

    index: int = Field(ge=0, description="Its number, row by row.")
    output: Region = Field(description="Part of the result that is its own.")
    fitted: Region = Field(description="Part of the frames that is reconstructed for it.")


class TilePlan(Settings):
    """How a field is divided; nothing of it changes once it is made."""

    field_px: tuple[int, int] = Field(description="Raw pixels of the field (y, x).")
    size_px: tuple[int, int] = Field(description="Raw pixels of an output tile (y, x); the last ones may be smaller.")
    reach_px: int = Field(ge=0, description="How far the optics spread a point, in raw pixels.")
    motion_px: int = Field(ge=0, description="Largest displacement that is expected, in raw pixels.")
    blend_px: int = Field(ge=0, description="Half the width of the band in which neighbours are mixed, in raw pixels.")
    tiles: tuple[Tile, ...] = Field(min_length=1)

    def weight(self, tile: Tile, rows_px: ArrayLike, columns_px: ArrayLike) -> NDArray[np.float32]:
        """Return the weight of a tile at positions of the field: (row, column); all tiles' sum to one everywhere.

        Parameters
        ----------
        tile
            One of `tiles`.
        rows_px, columns_px
            Positions in raw pixels, from sample 0 of the field.
        """
        along = (np.asarray(rows_px, np.float64), np.asarray(columns_px, np.float64))
        wy, wx = (self._along(axis, tile, x) for axis, x in enumerate(along))
        return np.asarray(wy[:, None] * wx, np.float32)

    def support(self, tile: Tile) -> Region:
        """Return the part of the field in which a tile has weight: its own, and the bands around it."""
        start = [max(0, tile.output[axis] - self._band(axis)) for axis in (0, 1)]
        stop = [
            min(self.field_px[axis], tile.output[axis] + tile.output[axis + 2] + self._band(axis)) for axis in (0, 1)
        ]
        return (start[0], start[1], stop[0] - start[0], stop[1] - start[1])

    def neighbours(self, region: Region) -> tuple[Tile, ...]:
        """Return the tiles that have weight somewhere in a region."""
        return tuple(tile for tile in self.tiles if overlap_of(self.support(tile), region) is not None)

    def _band(self, axis: int) -> int:
        return self.blend_px if self.field_px[axis] > self.size_px[axis] else 0

    def _along(self, axis: int, tile: Tile, x: NDArray[np.float64]) -> NDArray[np.float64]:
        start, stop = tile.output[axis], tile.output[axis] + tile.output[axis + 2]
        weight = np.ones(x.shape)
        if start > 0:
            weight *= self._rise(x, start)
        if stop < self.field_px[axis]:
            weight *= 1 - self._rise(x, stop)
        return weight

    def _rise(self, x: NDArray[np.float64], seam: int) -> NDArray[np.float64]:
        # The seam lies between two samples. Both its slopes are smooth, so that no edge shows where a band ends.
        if not self.blend_px:
            return np.asarray(x >= seam - 0.5, np.float64)
        s = np.clip((x - (seam - 0.5) + self.blend_px) / (2 * self.blend_px), 0, 1)
        return np.asarray(s * s * (3 - 2 * s))


def plan_tiles(
    field_px: tuple[int, int], tile_px: int, *, reach_px: int, motion_px: int, blend_px: int, block_px: int = 8
) -> TilePlan:
    """Divide a field.

    All fitted parts have one size, so that one compiled program serves them all: at the edges of the field they are
    moved inwards.

    Parameters
    ----------
    field_px
        Raw pixels (y, x).
    tile_px
        Largest side of an output tile.
    reach_px, motion_px, blend_px
        As in `TilePlan`; what is fitted reaches at least their sum beyond a tile.
    block_px
        All regions begin at multiples of this, where samples of raw frames and of the result coincide.

    Raises
    ------
    InputError
        If tiles are smaller than a block or than the band of both seams; field `compute.tile_px`.
    """
    overlap = math.ceil((reach_px + motion_px + blend_px) / block_px) * block_px
    least = math.ceil(max(2 * blend_px, LEAST_REGION_PX) / block_px) * block_px
    if tile_px < least:
        raise InputError("compute.tile_px", f"{tile_px} pixels", f"{least} pixels or more with these optics")
    sizes, outputs, fitted = [], [], []
    for n in field_px:
        count = math.ceil(n / tile_px)
        size = math.ceil(n / count / block_px) * block_px
        while count > 1 and size > tile_px:  # blocks round up
            count += 1
            size = math.ceil(n / count / block_px) * block_px
        if count > 1 and size < least:  # tiles of about one size would be too small: the last one is what is left
            size = tile_px // block_px * block_px
        starts = range(0, n, size)
        whole = min(n, math.ceil((size + 2 * overlap) / block_px) * block_px)
        # The last block of the field may be cut; a fitted part that ends with the field begins at a block all the same.
        last = (n - whole) // block_px * block_px
        begins = [min(max(0, (start - overlap) // block_px * block_px), last) for start in starts]
        sizes.append(min(size, n))
        outputs.append([(start, min(size, n - start)) for start in starts])
        fitted.append([(b, n - b if b == last else whole) for b in begins])
    tiles = tuple(
        Tile(index=index, output=(y, x, h, w), fitted=(fy, fx, fh, fw))
        for index, (((y, h), (fy, fh)), ((x, w), (fx, fw))) in enumerate(
            itertools.product(zip(outputs[0], fitted[0], strict=True), zip(outputs[1], fitted[1], strict=True))
        )
    )
    return TilePlan(
        field_px=field_px,
        size_px=(sizes[0], sizes[1]),
        reach_px=reach_px,
        motion_px=motion_px,
        blend_px=blend_px,
        tiles=tiles,
    )


def tile_path(store: Path, index: int) -> Path:
    """Return where the result of a tile lies: in the store of the whole."""
    return store / "tiles" / f"{index:04d}.zarr"


def overlap_of(a: Region, b: Region) -> Region | None:
    """Return the part that two regions share; None where they share none."""
    start = [max(a[axis], b[axis]) for axis in (0, 1)]
    size = [min(a[axis] + a[axis + 2], b[axis] + b[axis + 2]) - start[axis] for axis in (0, 1)]
    return (start[0], start[1], size[0], size[1]) if min(size) > 0 else None
