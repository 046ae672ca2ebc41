"""The tiles of a field made one result: blended block by block, so that memory does not grow with the field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_nstm.core.errors import CancelledError, StoreError
from napari_nstm.core.tiles import tile_path
from napari_nstm.io._arrays import SPACE, create_array, open_array, write_array, write_group
from napari_nstm.io._atomic import reason, remove_folder, replace, sync_tree
from napari_nstm.io._image import ImageWriter
from napari_nstm.io.record import StoreRecord
from napari_nstm.io.result import ARRAYS, StoredResult, open_result, read_record
from napari_nstm.io.tiled import Layout, Slices, TiledResults, agreeing_offsets, blended, differences

_NEW = ".new"


def blend_tiles(
    path: Path,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    allow_missing: bool = False,
) -> StoredResult:
    """Write the arrays of the whole from those of its tiles, and say that it is finished.

    Arrays grow beside and are renamed into place; the status changes last. Whatever ends it before leaves the tiles
    as they are.

    Parameters
    ----------
    path
        Store of the whole.
    on_progress
        Called with the moments done, and in all.
    should_stop
        Asked before each moment; true cancels.
    allow_missing
        Blend what is there, also of tiles that were stopped; the rest is NaN, and the status is `stopped`.

    Raises
    ------
    CancelledError
        If it was cancelled.
    StoreError
        If a tile is missing or cannot be read, or the disk is full.
    """
    record = read_record(path)
    tiles = TiledResults(path, record)
    ended = {i: result for i, result in tiles.results.items() if result.status != "running"}
    lacking = [
        tile.index for tile in tiles.plan.tiles if tile.index not in ended or ended[tile.index].status == "stopped"
    ]
    if not ended or (lacking and not allow_missing):
        names = ", ".join(map(str, lacking[:8])) + (", ..." if len(lacking) > 8 else "")
        raise StoreError(
            f"{path} cannot be blended yet: of its {len(tiles.plan.tiles)} tiles these are not done: {names}."
        )
    new = path / _NEW
    try:
        remove_folder(new)
        new.mkdir()
        blend = _Blend(tiles, ended, new, on_progress or (lambda done, total: None), should_stop or (lambda: False))
        comparisons, seams = blend.write()
        sync_tree(new)
        for name in dict.fromkeys((*ARRAYS, *record.comparisons, *comparisons)):
            remove_folder(path / name)
            if (new / name).exists():
                replace(new / name, path / name)
        write_group(path, {"nstm": _ended(record, ended, lacking, comparisons, seams).to_json()})
    except OSError as error:
        raise StoreError(f"The result could not be written to {path}: {reason(error)}. Its tiles are kept.") from error
    finally:
        with suppress(OSError):
            remove_folder(new)
    return open_result(path)


def _ended(
    record: StoreRecord,
    ended: dict[int, StoredResult],
    lacking: Sequence[int],
    comparisons: Sequence[str],
    seams: dict[str, float],
) -> StoreRecord:
    n = 0 if record.tiles is None else len(record.tiles.tiles)
    message = f"{n} tiles."
    if lacking:
        empty = n - len(ended)
        message = f"Stopped: {n - len(lacking)} of {n} tiles are done" + (f", {empty} are empty." if empty else ".")
    records = [result.record for result in ended.values()]
    timings = {name: sum(one.timings_s.get(name, 0.0) for one in records) for name in records[0].timings_s}
    return record.changed(
        {
            "status": "stopped" if lacking else "finished",
            "message": message,
            "comparisons": tuple(comparisons),
            "seam_rms": seams,
            "step": sum(one.step for one in records),
            "timings_s": timings,
        }
    )


@dataclass(frozen=True)
class _Blend:
    tiles: TiledResults
    ended: dict[int, StoredResult]
    folder: Path
    on_progress: Callable[[int, int], None]
    should_stop: Callable[[], bool]

    @property
    def _record(self) -> StoreRecord:
        return self.tiles.record

    def write(self) -> tuple[list[str], dict[str, float]]:
        """Write everything; return the comparisons, and how far tiles differ where they overlap."""
        record, results = self._record, list(self.ended.values())
        shared = [n for n in results[0].comparison_names if all(n in one.comparison_names for one in results)]
        times = {name: _times(self.tiles, self.ended, name) for name in shared}
        total = 2 * len(record.times_ms) + sum(map(len, times.values()))
        self.on_progress(0, total)
        seams = self._image("reconstruction", record.times_ms, 0, total, with_seams=True)
        done = len(record.times_ms)
        for name in shared:
            self._image(name, times[name], done, total)
            done += len(times[name])
        seams["motion_um"] = self._motion(done, total)
        self._residual()
        lattice = self.tiles.motion()
        place = {"origin_px": list(lattice.origin_px), "spacing_px": list(lattice.spacing_px)}
        space = SPACE[len(record.shape)]
        write_array(self.folder / "motion_lattice", lattice.values_px, ("t", "component", *space), place)
        return shared, seams

    def _image(
        self, name: str, times_ms: Sequence[float], done: int, total: int, *, with_seams: bool = False
    ) -> dict[str, float]:
        record, layout = self._record, self._layout()
        n, tile = len(record.channels), self._tile_samples(layout)
        origin = record.origin_um
        writer = ImageWriter.create(
            self.folder / name, record.channels, record.shape, record.pixel_size_um, times_ms, origin, tile
        )
        sources = self._open(f"{name}/0")
        leading = (n, *record.shape[:-2])
        spread = self._seams(tile) if with_seams else None
        apart = np.zeros(n)
        for moment in self._moments(len(times_ms), done, total):
            read = _reader(sources, moment)
            found = differences(layout, read, n)
            offsets = agreeing_offsets(layout, found, self.tiles.unknown_offset)
            apart += found.after(offsets, layout.pairs)
            offsets = offsets - self._mean_over_field(layout, read, offsets, leading)
            for tile_ in layout.plan.tiles:
                region = layout.scaled(tile_.output)
                where = (slice(region[0], region[0] + region[2]), slice(region[1], region[1] + region[3]))
                values, square = blended(layout, region, read, offsets, leading)
                writer.array[(moment, ..., *where)] = values
                if spread is not None:
                    so_far = np.asarray(spread[(..., *where)]) ** 2
                    spread[(..., *where)] = np.sqrt((so_far * moment + square) / (moment + 1))
        writer.finish()
        rms = np.sqrt(apart / max(len(times_ms), 1))
        return {channel.name: float(value) for channel, value in zip(record.channels, rms, strict=True)}

    def _mean_over_field(
        self, layout: Layout, read: Any, offsets: NDArray[np.float64], leading: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Return the blend's mean over the field per channel, of those that are known up to a constant; else 0."""
        sums, count = np.zeros(leading[0]), 0.0
        if not any(self.tiles.unknown_offset):
            return sums
        for tile in layout.plan.tiles:
            if tile.index in layout.there:
                region = layout.scaled(layout.plan.support(tile))
                weight = layout.weight(tile, region)
                values = read(tile.index, layout.inside(tile, region))
                n_planes = values[0].size // weight.size
                sums += (weight * values).reshape(leading[0], -1).sum(axis=1, dtype=np.float64)
                sums += offsets[tile.index] * weight.sum(dtype=np.float64) * n_planes
                count += float(weight.sum(dtype=np.float64)) * n_planes
        return np.where(self.tiles.unknown_offset, sums / max(count, 1e-6), 0.0)

    def _motion(self, done: int, total: int) -> float:
        """Blend u since the first frame, which is the same in whatever gauge a tile was fitted."""
        record, layout = self._record, self._layout()
        n, space = len(record.shape), SPACE[len(record.shape)]
        times = record.times_ms
        units = {"unit": "micrometer", "times_ms": list(times), "reference_ms": record.frame_times_ms[0]}
        place = {"origin_um": list(record.origin_um or (0.0,) * n)}
        shape, names = (len(times), n, *record.shape), ("t", "component", *space)
        tile = self._tile_samples(layout)
        array = create_array(self.folder / "motion", shape, names, {**units, **place}, n_single=2, tile=tile)
        sources, apart = self._open("motion"), 0.0
        none = np.zeros((len(layout.plan.tiles), n))
        for moment in self._moments(len(times), done, total):
            read = _reader(sources, moment)
            apart += float(differences(layout, read, n).after(none, layout.pairs).sum())
            _fill(array, moment, layout, read, none, (n, *record.shape[:-2]))
        return float(np.sqrt(apart / max(len(times), 1)))

    def _residual(self) -> None:
        if not all(result.residual is not None for result in self.ended.values()):
            return
        sources = self._open("residual")
        fitted = {tile.index: tile.fitted for tile in self.tiles.plan.tiles}
        index, one = next(iter(sources.items()))
        # Residuals are on the frames' samples, which need not be the result's.
        per_px = [round(64 * one.shape[axis] / fitted[index][axis]) / 64 for axis in (-2, -1)]
        rows, columns = (round(n * f) for n, f in zip(self.tiles.plan.field_px, per_px, strict=True))
        layout = Layout(self.tiles.plan, (rows, columns), frozenset(self.ended))
        shape = (*one.shape[:-2], rows, columns)
        place = {"origin_um": list(self._record.origin_um or (0.0,) * len(self._record.shape))}
        names = ("frame", *SPACE[len(shape) - 1])
        array = create_array(self.folder / "residual", shape, names, place, n_single=1)
        none = np.zeros((len(self.tiles.plan.tiles), 1))
        for frame in range(shape[0]):
            read = _reader(sources, frame, keep_axis=True)
            _fill(array, frame, layout, read, none, (1, *shape[1:-2]), drop_axis=True)

    def _seams(self, tile: tuple[int, int]) -> zarr.Array[Any]:
        """Make the map of the tiles' rms difference from the blend, over the moments so far; 0 before the first."""
        channels, shape = self._record.channels, self._record.shape
        attributes = {"channels": [one.name for one in channels], "units": [one.unit for one in channels]}
        names = ("c", *SPACE[len(shape)])
        array = create_array(self.folder / "seams", (len(channels), *shape), names, attributes, n_single=1, tile=tile)
        array[...] = 0.0
        return array

    # -- what all of them need ----------------------------------------------

    def _layout(self) -> Layout:
        rows, columns = self._record.shape[-2:]
        return Layout(self.tiles.plan, (rows, columns), frozenset(self.ended))

    def _tile_samples(self, layout: Layout) -> tuple[int, int]:
        size = self.tiles.plan.size_px
        return (round(size[0] * layout.factor[0]), round(size[1] * layout.factor[1]))

    def _open(self, name: str) -> dict[int, zarr.Array[Any]]:
        return {index: open_array(tile_path(self.tiles.store, index) / name) for index in self.ended}

    def _moments(self, n: int, done: int, total: int) -> Iterator[int]:
        for moment in range(n):
            if self.should_stop():
                raise CancelledError
            yield moment
            self.on_progress(done + moment + 1, total)


def _fill(
    array: zarr.Array[Any],
    index: int,
    layout: Layout,
    read: Callable[[int, Slices], NDArray[np.float32]],
    offsets: NDArray[np.float64],
    leading: tuple[int, ...],
    *,
    drop_axis: bool = False,
) -> None:
    """Blend one moment into an array, tile by tile."""
    for tile in layout.plan.tiles:
        region = layout.scaled(tile.output)
        values, _ = blended(layout, region, read, offsets, leading)
        where = (slice(region[0], region[0] + region[2]), slice(region[1], region[1] + region[3]))
        array[(index, ..., *where)] = values[0] if drop_axis else values


def _reader(
    sources: dict[int, zarr.Array[Any]], moment: int, *, keep_axis: bool = False
) -> Callable[[int, Slices], NDArray[np.float32]]:
    def read(index: int, where: Slices) -> NDArray[np.float32]:
        first = slice(moment, moment + 1) if keep_axis else moment
        return np.asarray(sources[index][(first, ..., *where)], np.float32)

    return read


def _times(tiles: TiledResults, ended: dict[int, StoredResult], name: str) -> tuple[float, ...]:
    """Return the moments of a comparison, which all tiles share."""
    return next(iter(ended.values())).comparison(name).times_ms
