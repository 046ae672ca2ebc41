"""A field in tiles, seen as one: blended scenes at any time, with what is known only up to a constant made to agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.settings import Region
from napari_nstm.core.tiles import Tile, TilePlan, overlap_of, tile_path
from napari_nstm.core.warp import MotionLattice, positions
from napari_nstm.io.record import StoreRecord

if TYPE_CHECKING:
    from napari_nstm.io.result import StoredResult

# Of the weights of all tiles at a sample, which sum to one where all are there.
_LEAST_WEIGHT = 1e-6

Float = NDArray[np.float32]
Slices = tuple[slice, slice]
Read = Callable[[int, Slices], Float]
"""Reads a part (rows, columns) of what a tile holds: (..., row, column)."""


@dataclass(frozen=True)
class Layout:
    """Where the samples of tiles lie in an array of the whole field.

    Parameters
    ----------
    plan
        How the field is divided.
    shape
        Rows and columns of the whole array.
    there
        Indices of the tiles that hold something.
    """

    plan: TilePlan
    shape: tuple[int, int]
    there: frozenset[int]

    @cached_property
    def factor(self) -> tuple[float, float]:
        """Samples per raw pixel (y, x); 1, or what a method enlarges by, a multiple of a half."""
        return tuple(round(64 * n / m) / 64 for n, m in zip(self.shape, self.plan.field_px, strict=True))  # type: ignore[return-value]

    def scaled(self, region: Region) -> Region:
        """Turn a region in raw pixels, which begins where samples coincide, into one of samples."""
        start = [round(region[axis] * self.factor[axis]) for axis in (0, 1)]
        stop = [
            min(self.shape[axis], math.ceil((region[axis] + region[axis + 2]) * self.factor[axis])) for axis in (0, 1)
        ]
        return (start[0], start[1], stop[0] - start[0], stop[1] - start[1])

    def start(self, tile: Tile) -> tuple[int, int]:
        """Return the sample of the whole array at which what was fitted for a tile begins."""
        return (round(tile.fitted[0] * self.factor[0]), round(tile.fitted[1] * self.factor[1]))

    def weight(self, tile: Tile, region: Region) -> Float:
        """Return the weight of a tile at the samples of a region: (row, column)."""
        rows, columns = ((region[axis] + np.arange(region[axis + 2])) / self.factor[axis] for axis in (0, 1))
        return self.plan.weight(tile, rows, columns)

    def contributions(self, region: Region) -> list[tuple[Tile, Region]]:
        """Return the tiles that have weight in a region of samples, and are there, with the part that they share."""
        found = []
        for tile in self.plan.tiles:
            part = overlap_of(self.scaled(self.plan.support(tile)), region)
            if part is not None and tile.index in self.there:
                found.append((tile, part))
        return found

    def inside(self, tile: Tile, part: Region) -> Slices:
        """Return where a part of the whole array lies in the array of a tile."""
        y, x = self.start(tile)
        return (slice(part[0] - y, part[0] - y + part[2]), slice(part[1] - x, part[1] - x + part[3]))

    @cached_property
    def pairs(self) -> list[tuple[Tile, Tile, Region]]:
        """Tiles that are there and overlap within their bands, and where."""
        supports = [(t, self.scaled(self.plan.support(t))) for t in self.plan.tiles if t.index in self.there]
        found = []
        for i, (a, of_a) in enumerate(supports):
            for b, of_b in supports[i + 1 :]:
                part = overlap_of(of_a, of_b)
                if part is not None:
                    found.append((a, b, part))
        return found


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
        if not len(pairs):
            return np.zeros(offsets.shape[1])
        way = np.stack([offsets[a.index] - offsets[b.index] for a, b, _ in pairs])
        square = self.mean_square + 2 * way * self.mean + way**2
        return np.asarray(np.average(np.maximum(square, 0), axis=0, weights=self.count))


def differences(layout: Layout, read: Read, n_channels: int) -> Differences:
    """Compare neighbouring tiles where they overlap; one band is in memory at a time."""
    means, squares, counts = [], [], []
    for a, b, part in layout.pairs:
        way = read(a.index, layout.inside(a, part)).astype(np.float64) - read(b.index, layout.inside(b, part))
        way = way.reshape(n_channels, -1)
        means.append(way.mean(axis=1))
        squares.append((way**2).mean(axis=1))
        counts.append(way.shape[1])
    shape = (len(counts), n_channels)
    return Differences(np.reshape(means, shape), np.reshape(squares, shape), np.asarray(counts, np.float64))


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
    offsets = np.zeros((n_tiles, found.mean.shape[1]))
    if not any(channels) or not layout.pairs:
        return offsets
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
        values = read(tile.index, layout.inside(tile, part)) + column
        here = (..., *_within(part, region))
        weights[here] += weight
        total[here] += weight * values
        parts.append((here, weight, values))
    there = np.maximum(weights, _LEAST_WEIGHT)
    mean = np.where(weights < _LEAST_WEIGHT, np.float32(np.nan), total / there)
    squares = np.zeros_like(total)
    for here, weight, values in parts:
        squares[here] += weight * (values - mean[here]) ** 2
    return mean, np.asarray(squares / there, np.float32)


def _within(part: Region, region: Region) -> Slices:
    """Return where a part of a region lies in the array of the region."""
    y, x = part[0] - region[0], part[1] - region[1]
    return (slice(y, y + part[2]), slice(x, x + part[3]))


class TiledResults:
    """The results of the tiles of a store, opened when they are asked for.

    Parameters
    ----------
    store
        Folder of the whole.
    record
        What it says of itself.
    """

    def __init__(self, store: Path, record: StoreRecord) -> None:
        if record.tiles is None:
            raise StoreError(f"{store} is not in tiles.")
        self.store, self.record, self.plan = store, record, record.tiles
        self.unknown_offset = [one.zero_mean for one in record.presentation]

    @cached_property
    def results(self) -> Mapping[int, StoredResult]:
        """What tiles have reached, by index; those that hold nothing to show are left out."""
        from napari_nstm.io.result import open_result

        found = {}
        for tile in self.plan.tiles:
            path = tile_path(self.store, tile.index)
            try:
                result = open_result(path)
                result.motion()
            except InputError:
                continue  # it has not begun
            except StoreError:
                if (path / "zarr.json").is_file() and not _is_empty(path):
                    raise
                continue
            found[tile.index] = result
        return found

    def layout(self, shape: tuple[int, ...] | None = None) -> Layout:
        """Return where tiles lie in an array whose last axes are (row, column)."""
        rows, columns = (self.record.shape if shape is None else shape)[-2:]
        return Layout(self.plan, (rows, columns), frozenset(self.results))

    def scene_at(self, time_ms: float) -> Float:
        """Render the whole at a time: (c, [z,] y, x) in physical units; NaN where no tile has reached anything."""
        layout, shape = self.layout(), self.record.shape
        if not self.results:
            raise StoreError(f"{self.store} holds nothing to show yet: no tile has reached a checkpoint.")
        scenes = {index: result.scene_at(time_ms) for index, result in self.results.items()}

        def read(index: int, where: Slices) -> Float:
            return np.asarray(scenes[index][(..., *where)])

        n = len(self.record.channels)
        offsets = agreeing_offsets(layout, differences(layout, read, n), self.unknown_offset)
        scene, _ = blended(layout, (0, 0, *layout.shape), read, offsets, (n, *shape[:-2]))
        for channel in np.flatnonzero(self.unknown_offset):
            scene[channel] -= np.float32(np.nanmean(scene[channel], dtype=np.float64))
        return scene

    def motion(self) -> MotionLattice:
        """Return the motion of the whole, in the gauge in which the scene is that of the first frame.

        A tile's pull-back dx depends on where its scene happens to lie; dx' with dx'(x, first) = 0 does not:
        x + dx'(x, t) is where the point that is at x at time t was at first. So tiles can be mixed.
        """
        if not self.results:
            raise StoreError(f"{self.store} holds nothing to show yet: no tile has reached a checkpoint.")
        layout = self.layout()
        lattices = {index: result.motion() for index, result in self.results.items()}
        first = next(iter(lattices.values()))
        n_times = max(len(lattice.values_px) for lattice in lattices.values())
        spacing = np.min([lattice.spacing_px for lattice in lattices.values()], axis=0)
        origin, counts = list(first.origin_px), list(first.values_px.shape[2:])
        for axis, n in ((-2, layout.shape[0]), (-1, layout.shape[1])):
            counts[axis] = math.ceil((n - 1) / spacing[axis]) + 1
            spacing[axis], origin[axis] = (n - 1) / (counts[axis] - 1), 0.0
        step = tuple(float(s) for s in spacing)
        column = (-1,) + (1,) * len(step)
        where = positions(tuple(counts), step) + np.asarray(origin, np.float32).reshape(column)
        values = np.zeros((n_times, *where.shape), np.float32)
        total = np.zeros(counts[-2:], np.float32)
        for tile in self.plan.tiles:
            if tile.index not in lattices:
                continue
            rows, columns = (np.arange(n) * s for n, s in zip(counts[-2:], step[-2:], strict=True))
            weight = self.plan.weight(tile, rows / layout.factor[0], columns / layout.factor[1])
            y, x = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
            part = (slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1))
            start = np.asarray((0,) * (len(step) - 2) + layout.start(tile), np.float32).reshape(column)
            inside = where[(..., *part)] - start
            total[part] += weight[part]
            for moment, t in zip(values, np.linspace(-1, 1, n_times), strict=True):
                moment[(..., *part)] += weight[part] * lattices[tile.index].displacement(inside, -1.0, float(t))
        values /= np.maximum(total, _LEAST_WEIGHT)
        return MotionLattice(values, tuple(origin), step)


def _is_empty(path: Path) -> bool:
    """Whether a store's run has not reached a checkpoint yet."""
    from napari_nstm.io.result import CHECKPOINT, read_record

    return read_record(path).status == "running" and not (path / CHECKPOINT).exists()
