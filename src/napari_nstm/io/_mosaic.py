"""Arrays of a whole field from those of its tiles: where samples lie, how far tiles differ, and their blend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.settings import Region
from napari_nstm.core.tiles import Tile, TilePlan, overlap_of

# Of the weights of all tiles at a sample, which sum to one where all are there.
_LEAST_WEIGHT = 1e-6

Float = NDArray[np.float32]
Slices = tuple[slice, slice]
Read = Callable[[Tile, Region], Float]
"""Reads what a tile holds in a part of the whole array: (..., row, column)."""


@dataclass(frozen=True)
class Layout:
    """Where the samples of tiles lie in an array of the whole field.

    Parameters
    ----------
    plan
        How the field is divided.
    shape
        Rows and columns of the whole array.
    factor
        Samples per raw pixel (y, x).
    there
        Indices of the tiles that hold something.
    """

    plan: TilePlan
    shape: tuple[int, int]
    factor: tuple[float, float]
    there: frozenset[int]

    @classmethod
    def of(cls, plan: TilePlan, shape: tuple[int, ...], there: frozenset[int]) -> Layout:
        """Lay out an array whose last axes are (row, column), as many samples as the pixel size gives."""
        rows, columns = shape[-2:]
        factor = (samples_per_px(rows, plan.field_px[0]), samples_per_px(columns, plan.field_px[1]))
        return cls(plan, (rows, columns), factor, there)

    @property
    def tile_size(self) -> tuple[int, int]:
        """Rows and columns of an output tile, in samples."""
        return (math.ceil(self.plan.size_px[0] * self.factor[0]), math.ceil(self.plan.size_px[1] * self.factor[1]))

    def scaled(self, region: Region) -> Region:
        """Turn a region in raw pixels into that of the samples whose positions lie in it."""
        start = [math.ceil(region[axis] * self.factor[axis]) for axis in (0, 1)]
        stop = [math.ceil((region[axis] + region[axis + 2]) * self.factor[axis]) for axis in (0, 1)]
        stop = [min(n, end) for n, end in zip(self.shape, stop, strict=True)]
        return (start[0], start[1], stop[0] - start[0], stop[1] - start[1])

    def start(self, tile: Tile) -> tuple[float, float]:
        """Return the sample of the whole array at which what was fitted for a tile begins; whole at full size."""
        return (tile.fitted[0] * self.factor[0], tile.fitted[1] * self.factor[1])

    def inside(self, tile: Tile, part: Region) -> Slices:
        """Return where a part of the whole array lies in the array of a tile."""
        y, x = (part[axis] - round(start) for axis, start in enumerate(self.start(tile)))
        return (slice(y, y + part[2]), slice(x, x + part[3]))

    def support(self, tile: Tile) -> Region:
        """Return the samples at which a tile has weight."""
        return self.scaled(self.plan.support(tile))

    def weight(self, tile: Tile, region: Region) -> Float:
        """Return the weight of a tile at the samples of a region: (row, column)."""
        rows, columns = ((region[axis] + np.arange(region[axis + 2])) / self.factor[axis] for axis in (0, 1))
        return self.plan.weight(tile, rows, columns)

    def total_weight(self, region: Region) -> Float:
        """Return the sum of the weights of those that are there: (row, column)."""
        total = np.zeros(region[2:], np.float32)
        for tile, part in self.contributions(region):
            total[within(part, region)] += self.weight(tile, part)
        return total

    def contributions(self, region: Region) -> list[tuple[Tile, Region]]:
        """Return the tiles that have weight in a region of samples, and are there, with the part that they share."""
        found = [(tile, overlap_of(self.support(tile), region)) for tile in self.tiles]
        return [(tile, part) for tile, part in found if part is not None]

    @cached_property
    def tiles(self) -> list[Tile]:
        """The tiles that are there."""
        return [tile for tile in self.plan.tiles if tile.index in self.there]

    @cached_property
    def pairs(self) -> list[tuple[Tile, Tile, Region]]:
        """Tiles that are there and overlap within their bands, and where."""
        supports = [(tile, self.support(tile)) for tile in self.tiles]
        found = []
        for i, (a, of_a) in enumerate(supports):
            for b, of_b in supports[i + 1 :]:
                part = overlap_of(of_a, of_b)
                if part is not None:
                    found.append((a, b, part))
        return found


def within(part: Region, region: Region) -> Slices:
    """Return where a part of a region lies in the array of the region."""
    y, x = part[0] - region[0], part[1] - region[1]
    return (slice(y, y + part[2]), slice(x, x + part[3]))


def samples_per_px(n_samples: int, n_px: int) -> float:
    """Return what a method enlarges by; the last sample may stand beyond the last pixel.

    Examples
    --------
    >>> samples_per_px(50, 33)
    1.5
    """
    return round(8 * n_samples / n_px) / 8


@dataclass(frozen=True)
class Differences:
    """How far tiles differ where they overlap: for each pair of tiles a row, for each channel a column.

    Parameters
    ----------
    mean, mean_square
        Of the first less the second tile.
    count
        Samples that they share, (pair,).
    """

    mean: NDArray[np.float64]
    mean_square: NDArray[np.float64]
    count: NDArray[np.float64]

    def after(self, offsets: NDArray[np.float64], pairs: Sequence[tuple[Tile, Tile, Region]]) -> NDArray[np.float64]:
        """Return the mean square per channel once offsets (tile, channel) are added."""
        if not pairs:
            return np.zeros(offsets.shape[1])
        way = np.stack([offsets[a.index] - offsets[b.index] for a, b, _ in pairs])
        square = self.mean_square + 2 * way * self.mean + way**2
        return np.asarray(np.average(np.maximum(square, 0), axis=0, weights=self.count))


def differences(layout: Layout, read: Read, n_channels: int) -> Differences:
    """Compare neighbouring tiles where they overlap; one band is in memory at a time."""
    means, squares, counts = [], [], []
    for a, b, part in layout.pairs:
        way = np.subtract(read(a, part), read(b, part), dtype=np.float64).reshape(n_channels, -1)
        means.append(way.mean(axis=1))
        squares.append((way**2).mean(axis=1))
        counts.append(way.shape[1])
    shape = (len(counts), n_channels)
    return Differences(np.reshape(means, shape), np.reshape(squares, shape), np.asarray(counts, np.float64))


def averaged(moments: Sequence[Differences]) -> Differences:
    """Return the differences over all moments."""
    mean, square = (np.mean([getattr(one, name) for one in moments], axis=0) for name in ("mean", "mean_square"))
    return Differences(mean, square, moments[0].count)


def agreeing_offsets(layout: Layout, found: Differences, channels: Sequence[bool]) -> NDArray[np.float64]:
    """Return the constants that make tiles agree, (tile, channel); 0 for channels whose values are absolute.

    Least squares over the overlaps, each with the number of its samples as its weight; their sum is zero.

    Parameters
    ----------
    layout, found
        The tiles and how they differ.
    channels
        Whether a channel is only known up to a constant.
    """
    n_tiles = len(layout.plan.tiles)
    offsets = np.zeros((n_tiles, len(channels)))
    if not any(channels) or not layout.pairs:
        return offsets
    # Normal equations: a graph's Laplacian, whose kernel is what no difference tells; lstsq leaves that at zero.
    matrix = np.zeros((n_tiles, n_tiles))
    right = np.zeros_like(offsets)
    for (a, b, _), mean, count in zip(layout.pairs, found.mean, found.count, strict=True):
        i, j = a.index, b.index
        matrix[[i, j], [i, j]] += count
        matrix[[i, j], [j, i]] -= count
        right[i] -= count * mean
        right[j] += count * mean
    solved = np.linalg.lstsq(matrix, right, rcond=None)[0]
    offsets[:, list(channels)] = solved[:, list(channels)]
    return offsets


def blended(
    layout: Layout, region: Region, read: Read, offsets: NDArray[np.float64], leading: tuple[int, ...]
) -> tuple[Float, Float]:
    """Blend tiles in a region.

    Parameters
    ----------
    layout, region
        The tiles, and the part of the whole array that is wanted, in samples.
    read
        Reads what a tile holds.
    offsets
        What is added, (tile, channel); channels are the first axis of what is read.
    leading
        Axes before row and column.

    Returns
    -------
    values, spread
        (*leading, row, column): the blend, NaN where no tile is there; and the weighted mean square of the tiles'
        differences from it.
    """
    total = np.zeros((*leading, *region[2:]), np.float32)
    weights = np.zeros(region[2:], np.float32)
    parts = []
    for tile, part in layout.contributions(region):
        weight = layout.weight(tile, part)
        column = offsets[tile.index].astype(np.float32).reshape(-1, *(1,) * (len(leading) + 1))
        values = read(tile, part) + column
        here = (..., *within(part, region))
        weights[here] += weight
        total[here] += weight * values
        parts.append((here, weight, values))
    there = np.maximum(weights, _LEAST_WEIGHT)
    mean = np.where(weights < _LEAST_WEIGHT, np.float32(np.nan), total / there)
    squares = np.zeros_like(total)
    for here, weight, values in parts:
        # Where a missing neighbour leaves no weight there is no number, and nothing to compare.
        squares[here] += np.nan_to_num(weight * (values - mean[here]) ** 2)
    return mean, np.asarray(squares / there, np.float32)


def field_means(layout: Layout, read: Read, n_channels: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of a blend over the field without forming it.

    Returns
    -------
    means, shares
        (channel,) with no offsets; and by how much each tile's offset raises them, (tile,).
    """
    sums, shares = np.zeros(n_channels), np.zeros(len(layout.plan.tiles))
    for tile in layout.tiles:
        region = layout.support(tile)
        weight = layout.weight(tile, region)
        if len(layout.tiles) < len(layout.plan.tiles):  # beside a missing tile weights do not sum to one
            weight /= np.maximum(layout.total_weight(region), _LEAST_WEIGHT)
        values = read(tile, region)
        n_planes = values[0].size // weight.size
        sums += (weight * values).reshape(n_channels, -1).sum(axis=1, dtype=np.float64) / n_planes
        shares[tile.index] = weight.sum(dtype=np.float64)
    total = max(float(shares.sum()), _LEAST_WEIGHT)
    return sums / total, shares / total
