"""A field in tiles, seen as one: blended scenes and motion at any time."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.presentation import present
from napari_nstm.core.settings import Region
from napari_nstm.core.tiles import Tile, tile_path
from napari_nstm.core.warp import MotionLattice, positions, render
from napari_nstm.io._mosaic import Layout, agreeing_offsets, blended, differences, within
from napari_nstm.io.record import StoreRecord

if TYPE_CHECKING:
    from napari_nstm.io.result import StoredResult

Float = NDArray[np.float32]

_KEPT_BYTES = 2**30
"""Lattices of tiles stay in memory between two moments up to this; beyond it they are read anew."""

_CANVAS_SAMPLES = 6  # of a lattice per sample of a scene: two along y and x, and a border


class TiledResults:
    """The results of the tiles of a store, opened when they are asked for.

    Parameters
    ----------
    store
        Folder of the whole.
    record
        What it says of itself.
    ended_only
        Leave out tiles whose run goes on or was interrupted.
    """

    def __init__(self, store: Path, record: StoreRecord, *, ended_only: bool = False) -> None:
        if record.tiles is None:
            raise StoreError(f"{store} is not in tiles.")
        self.store, self.record, self.plan = store, record, record.tiles
        self.unknown_offset = [one.zero_mean for one in record.presentation]
        self._ended_only = ended_only

    @cached_property
    def results(self) -> Mapping[int, StoredResult]:
        """What tiles have reached, by index; those that hold nothing to show are left out."""
        from napari_nstm.io.result import open_result

        found = {}
        for tile in self.plan.tiles:
            try:
                result = open_result(tile_path(self.store, tile.index))
            except InputError:
                continue  # it has not begun
            if result.status != "running" or (result.is_shown and not self._ended_only):
                found[tile.index] = result
        return found

    def layout(self, shape: tuple[int, ...]) -> Layout:
        """Return where tiles lie in an array whose last axes are (row, column)."""
        return Layout.of(self.plan, shape, frozenset(self.results))

    def scene_at(self, time_ms: float, step_px: tuple[float, ...] | None = None) -> Float:
        """Render the whole at a time: (c, [z,] y, x) in physical units; NaN where no tile has reached anything.

        Parameters
        ----------
        time_ms
            The moment.
        step_px
            Distance between samples in pixels of the result, ([z,] y, x); None: 1.

        Raises
        ------
        StoreError
            If no tile has anything to show.
        """
        self.check_shown()
        step = step_px or (1.0,) * len(self.record.shape)
        shape = tuple(math.ceil(n / s) for n, s in zip(self.record.shape, step, strict=True))
        full = self.layout(self.record.shape)
        layout = replace(
            full,
            shape=(shape[-2], shape[-1]),
            factor=(full.factor[0] / step[-2], full.factor[1] / step[-1]),
        )
        # scipy needs no interpreter while it renders.
        with ThreadPoolExecutor(min(os.cpu_count() or 1, 4), thread_name_prefix="render") as threads:
            found = threads.map(lambda tile: self._scene_of(tile, time_ms, layout, shape[:-2], step), layout.tiles)
            scenes = {tile.index: scene for tile, scene in zip(layout.tiles, found, strict=True)}

        def read(tile: Tile, part: Region) -> Float:
            return scenes[tile.index][(..., *within(part, layout.support(tile)))]

        n, leading = len(self.record.channels), (len(self.record.channels), *shape[:-2])
        if self.record.tile_offsets:
            offsets = np.asarray(self.record.tile_offsets, np.float64)
        else:
            offsets = agreeing_offsets(layout, differences(layout, read, n), self.unknown_offset)
        scene, _ = blended(layout, (0, 0, *layout.shape), read, offsets, leading)
        for channel in np.flatnonzero(self.unknown_offset):
            scene[channel] -= np.float32(np.nanmean(scene[channel], dtype=np.float64))
        return scene

    def means_of(self, tile: Tile, times_ms: tuple[float, ...]) -> NDArray[np.float64]:
        """Return what a tile's own presentation took off its channels at each moment: (time, channel).

        Its scene as it was fitted is known up to one constant; less its mean, which changes with what moves in and
        out, it would be known up to one a moment.
        """
        if not any(self.unknown_offset):
            return np.zeros((len(times_ms), len(self.unknown_offset)))
        result = replace(self.results[tile.index])
        where = positions(result.shape)
        means = [
            self._plain(result, time, where).mean(axis=tuple(range(1, where.ndim)), dtype=np.float64)
            for time in times_ms
        ]
        return np.where(self.unknown_offset, means, 0.0)

    def motion(self) -> MotionLattice:
        """Return the motion of the whole, in the gauge in which the scene is that of the first frame.

        A tile's pull-back dx depends on where its scene happens to lie; dx' with dx'(x, first) = 0 does not:
        x + dx'(x, t) is where the point that is at x at time t was at first. So tiles can be mixed.

        Raises
        ------
        StoreError
            If no tile has anything to show.
        """
        self.check_shown()
        layout = self.layout(self.record.shape)
        origin, step, counts, n_times = self._lattice(layout)
        where = positions(counts, step) + _column(origin)
        values = np.zeros((n_times, *where.shape), np.float32)
        total = np.zeros(counts[-2:], np.float32)
        rows, columns = (
            (o + np.arange(n) * s) / f
            for o, n, s, f in zip(origin[-2:], counts[-2:], step[-2:], layout.factor, strict=True)
        )
        for tile in layout.tiles:
            lattice = self._motion_of(tile)
            y = np.flatnonzero(self.plan.weight(tile, rows, [tile.output[1]]))
            x = np.flatnonzero(self.plan.weight(tile, [tile.output[0]], columns))
            if not (y.size and x.size):
                continue
            part = (slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1))
            weight = self.plan.weight(tile, rows[part[0]], columns[part[1]])
            inside = where[(..., *part)] - _column((0.0,) * (len(step) - 2) + layout.start(tile))
            total[part] += weight
            for moment, t in zip(values, np.linspace(-1, 1, n_times), strict=True):
                moment[(..., *part)] += weight * lattice.displacement(inside, -1.0, float(t))
        values /= np.where(total > 0, total, 1)
        return MotionLattice(values, origin, step)

    def check_shown(self) -> None:
        """Make sure that there is something to show."""
        if not self.results and self.record.status != "running":
            raise StoreError(f"{self.store} no longer holds its tiles: only the moments that are stored can be shown.")
        if not self.results:
            raise StoreError(f"{self.store} holds nothing to show yet: no tile has reached a checkpoint.")

    # -- inside -------------------------------------------------------------

    def _lattice(self, layout: Layout) -> tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...], int]:
        """Return origin, spacing and points of a lattice as fine as the finest, and its moments.

        Sample 0 is one of its points; it covers the field and what tiles know of its surroundings.
        """
        n_times, spacing, before, after = 1, [], [], []
        for tile in layout.tiles:
            lattice = self._motion_of(tile)
            n_times = max(n_times, len(lattice.values_px))
            start = np.asarray((0.0,) * (len(self.record.shape) - 2) + layout.start(tile))
            extent = (np.asarray(lattice.values_px.shape[2:]) - 1) * lattice.spacing_px
            spacing.append(lattice.spacing_px)
            before.append(start + lattice.origin_px)
            after.append(start + lattice.origin_px + extent)
        step = np.min(spacing, axis=0)
        first = np.floor(np.minimum(np.min(before, axis=0), 0) / step + 1e-6)
        end = np.maximum(np.max(after, axis=0), np.asarray(self.record.shape) - 1.0)
        last = np.ceil(end / step - 1e-6)
        counts = tuple(int(n) for n in last - first + 1)
        return tuple(map(float, first * step)), tuple(map(float, step)), counts, n_times

    def _motion_of(self, tile: Tile) -> MotionLattice:
        """Return a tile's motion; those of all are not kept."""
        return replace(self.results[tile.index]).motion()

    def _scene_of(
        self, tile: Tile, time_ms: float, layout: Layout, planes: tuple[int, ...], step: tuple[float, ...]
    ) -> Float:
        """Render the part of a tile that counts."""
        part = layout.support(tile)
        first = (0.0,) * len(planes) + (part[0] * step[-2], part[1] * step[-1])
        start = (0.0,) * len(planes) + self.layout(self.record.shape).start(tile)
        shape = (*planes, *part[2:])
        if not all(shape):
            return np.zeros((len(self.record.channels), *shape), np.float32)
        where = positions(shape, step) + _column(tuple(a - b for a, b in zip(first, start, strict=True)))
        result = self.results[tile.index]
        return self._plain(result if self._are_kept else replace(result), time_ms, where)

    def _plain(self, result: StoredResult, time_ms: float, where_px: Float) -> Float:
        """Render a tile in physical units, but for a constant: as it was fitted."""
        scene = render(result.canvas(), result.motion(), result.record.normalized_time(time_ms), where_px)
        return present(scene, [replace(one, zero_mean=False) for one in result.record.presentation])

    @cached_property
    def _are_kept(self) -> bool:
        n = len(self.record.channels) * sum(math.prod(result.shape) for result in self.results.values())
        return 4 * _CANVAS_SAMPLES * n <= _KEPT_BYTES


def _column(vector: tuple[float, ...]) -> Float:
    """Make a vector fit positions (component, ...)."""
    return np.asarray(vector, np.float32).reshape(-1, *(1,) * len(vector))
