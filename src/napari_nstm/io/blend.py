"""The tiles of a field made one result: blended block by block, so that memory does not grow with the field."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_nstm.core.errors import CancelledError, StoreError
from napari_nstm.core.settings import Region
from napari_nstm.core.tiles import Tile
from napari_nstm.io._arrays import SPACE, StoredArray, create_array, open_array, write_frames, write_group
from napari_nstm.io._atomic import reason, remove_folder, replace, sync_tree
from napari_nstm.io._image import ImageWriter
from napari_nstm.io._mosaic import (
    Layout,
    Read,
    agreeing_offsets,
    averaged,
    blended,
    differences,
    field_means,
    samples_per_px,
)
from napari_nstm.io.result import ARRAYS, StoredResult, open_result, read_record
from napari_nstm.io.tiled import TiledResults

_NEW = ".new"
_KEPT_BYTES = 2**26  # of one moment of tiles that were read last
_LEAST_KEPT = 3  # fewer are not worth reading whole


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
        Called with the passes over a moment or a tile that are done, and all of them.
    should_stop
        Asked before each; true cancels.
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
    tiles = TiledResults(path, record, ended_only=True)
    lacking = [
        tile.index
        for tile in tiles.plan.tiles
        if tile.index not in tiles.results or tiles.results[tile.index].status == "stopped"
    ]
    if not tiles.results or (lacking and not allow_missing):
        names = ", ".join(map(str, lacking[:8])) + (", ..." if len(lacking) > 8 else "")
        raise StoreError(
            f"{path} cannot be blended yet: of its {len(tiles.plan.tiles)} tiles these are not done: {names}."
        )
    new = path / _NEW
    try:
        remove_folder(new)
        new.mkdir()
        changes = _Blend(tiles, new, on_progress, should_stop).write()
        sync_tree(new)
        if record.status != "running":  # what is there stays a result until the new one is ready to take its place
            write_group(path, {"nstm": record.changed({"status": "running"}).to_json()})
        for name in dict.fromkeys((*ARRAYS, *record.comparisons, *changes["comparisons"])):
            remove_folder(path / name)
            if (new / name).exists():
                replace(new / name, path / name)
        ended = record.changed({**_of_all(tiles, lacking), **changes})
        write_group(path, {"nstm": ended.to_json()})
    except OSError as error:
        raise StoreError(f"The result could not be written to {path}: {reason(error)}. Its tiles are kept.") from error
    finally:
        with suppress(OSError):
            remove_folder(new)
    return open_result(path)


def _of_all(tiles: TiledResults, lacking: Sequence[int]) -> dict[str, Any]:
    """Return the entries of the record that tell how the runs of all tiles ended."""
    n, records = len(tiles.plan.tiles), [result.record for result in tiles.results.values()]
    diverged = sum(one.status == "diverged" for one in records)
    message = f"{n} tiles, {diverged} of which diverged." if diverged else f"{n} tiles."
    if lacking:
        empty = n - len(records)
        message = f"Stopped: {n - len(lacking)} of {n} tiles are done" + (f", {empty} are empty." if empty else ".")
    names = dict.fromkeys(name for one in records for name in one.timings_s)
    changes: dict[str, Any] = {
        "status": "stopped" if lacking else "finished",
        "message": message,
        "step": sum(one.step for one in records),
        "timings_s": {name: sum(one.timings_s.get(name, 0.0) for one in records) for name in names},
    }
    if len(records) == n:
        changes["n_steps"] = sum(one.n_steps for one in records)
    return changes


class _Blend:
    """Writes the arrays of the whole into a folder."""

    def __init__(
        self,
        tiles: TiledResults,
        folder: Path,
        on_progress: Callable[[int, int], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._tiles, self._folder = tiles, folder
        self._record, self._results = tiles.record, tiles.results
        self._on_progress, self._should_stop = on_progress, should_stop
        self._layout = tiles.layout(tiles.record.shape)
        self._done, self._total = 0, 0

    def write(self) -> dict[str, Any]:
        """Write everything; return the entries of the record that tell of it."""
        record, results = self._record, list(self._results.values())
        shared = [n for n in results[0].comparison_names if all(n in one.comparison_names for one in results)]
        times = {name: results[0].comparison_times_ms(name) for name in shared}
        residual = self._open("residual") if all((one.path / "residual").is_dir() for one in results) else None
        n_frames = next(iter(residual.values())).shape[0] if residual else 0
        # Images take two passes: what tiles differ by is known only after the first.
        self._total = len(results) + 3 * len(record.times_ms) + 2 * sum(map(len, times.values())) + n_frames
        self._tell()
        offsets, seams = self._reconstruction()
        for name in shared:
            self._comparison(name, times[name])
        seams["motion_um"] = self._motion()
        if residual:
            self._residual(residual)
        self._motion_lattice()
        return {"comparisons": tuple(shared), "tile_offsets": offsets, "seam_rms": seams}

    def _reconstruction(self) -> tuple[tuple[tuple[float, ...], ...], dict[str, float]]:
        """Blend the scene; return the constant of each tile and channel, and how far tiles differ with them."""
        record, layout, unknown = self._record, self._layout, self._tiles.unknown_offset
        n, times = len(record.channels), record.times_ms
        sources = self._open("reconstruction/0")
        means = {}
        for tile in layout.tiles:
            means[tile.index] = self._tiles.means_of(tile, times)
            self._tick()

        def read_at(moment: int) -> Read:
            read = _reader(layout, sources, moment)
            return lambda tile, part: read(tile, part) + _channels(means[tile.index][moment], len(record.shape))

        found, fields = [], []
        for moment in range(len(times)):
            read = read_at(moment)
            found.append(differences(layout, read, n))
            fields.append(field_means(layout, read, n))
            self._tick()
        over_time = averaged(found)
        offsets = agreeing_offsets(layout, over_time, unknown)
        rms = np.sqrt(over_time.after(offsets, layout.pairs))
        writer, spread = self._image("reconstruction", times), self._seams()
        for moment, (mean, shares) in enumerate(fields):
            read, zero = read_at(moment), np.where(unknown, mean + shares @ offsets, 0.0)
            for tile in layout.plan.tiles:
                region, where = self._own(layout, tile)
                values, square = blended(layout, region, read, offsets - zero, self._leading(n))
                writer.array[(moment, ..., *where)] = values
                so_far = np.asarray(spread[(..., *where)]) ** 2
                spread[(..., *where)] = np.sqrt((so_far * moment + square) / (moment + 1))
            self._tick()
        writer.finish()
        names = [channel.name for channel in record.channels]
        return tuple(map(tuple, offsets.tolist())), dict(zip(names, map(float, rms), strict=True))

    def _comparison(self, name: str, times_ms: Sequence[float]) -> None:
        """Blend other images; each has a constant of its own, because no scene is common to them."""
        layout, unknown, n = self._layout, self._tiles.unknown_offset, len(self._record.channels)
        sources, writer = self._open(f"{name}/0"), self._image(name, times_ms)
        for moment in range(len(times_ms)):
            read = _reader(layout, sources, moment)
            offsets = agreeing_offsets(layout, differences(layout, read, n), unknown)
            mean, shares = field_means(layout, read, n)
            self._tick()
            self._fill(writer.array, moment, layout, read, offsets - np.where(unknown, mean + shares @ offsets, 0.0))
            self._tick()
        writer.finish()

    def _motion(self) -> float:
        """Blend u since the first frame, which is the same in whatever gauge a tile was fitted; return its rms."""
        record, layout = self._record, self._layout
        n, times, sources = len(record.shape), record.times_ms, self._open("motion")
        attributes = {
            "unit": "micrometer",
            "times_ms": list(times),
            "reference_ms": record.frame_times_ms[0],
            **self._place(),
        }
        names = ("t", "component", *SPACE[n])
        shape = (len(times), n, *record.shape)
        array = create_array(self._folder / "motion", shape, names, attributes, n_single=2, tile=layout.tile_size)
        none, apart = np.zeros((len(layout.plan.tiles), n)), []
        for moment in range(len(times)):
            read = _reader(layout, sources, moment)
            apart.append(differences(layout, read, n).after(none, layout.pairs).sum())
            self._fill(array, moment, layout, read, none)
            self._tick()
        return float(np.sqrt(np.mean(apart)))

    def _residual(self, sources: Mapping[int, StoredArray]) -> None:
        """Blend measured less rendered, on the frames' samples, which need not be the result's."""
        plan = self._tiles.plan
        index, one = next(iter(sources.items()))
        per_px = [samples_per_px(one.shape[axis], plan.tiles[index].fitted[axis]) for axis in (-2, -1)]
        field = tuple(round(n * f) for n, f in zip(plan.field_px, per_px, strict=True))
        layout = Layout.of(plan, field, frozenset(self._results))
        shape = (*one.shape[:-2], *layout.shape)
        names = ("frame", *SPACE[len(shape) - 1])
        array = create_array(self._folder / "residual", shape, names, self._place(), n_single=1, tile=layout.tile_size)
        none = np.zeros((len(plan.tiles), 1))
        for frame in range(shape[0]):
            self._fill(array, frame, layout, _reader(layout, sources, frame), none, leading=shape[1:-2])
            self._tick()

    def _motion_lattice(self) -> None:
        lattice = self._tiles.motion()
        place = {"origin_px": list(lattice.origin_px), "spacing_px": list(lattice.spacing_px)}
        names = ("t", "component", *SPACE[len(self._record.shape)])
        values = lattice.values_px
        write_frames(self._folder / "motion_lattice", values, values.shape, names, place)

    # -- what all of them need ----------------------------------------------

    def _fill(
        self,
        array: zarr.Array[Any],
        moment: int,
        layout: Layout,
        read: Read,
        offsets: NDArray[np.float64],
        leading: tuple[int, ...] | None = None,
    ) -> None:
        """Blend one moment into an array, a tile at a time."""
        for tile in layout.plan.tiles:
            region, where = self._own(layout, tile)
            axes = self._leading(offsets.shape[1]) if leading is None else leading
            array[(moment, ..., *where)] = blended(layout, region, read, offsets, axes)[0]

    def _own(self, layout: Layout, tile: Tile) -> tuple[Region, tuple[slice, slice]]:
        """Return an output tile in samples of the whole, twice."""
        y, x, rows, columns = region = layout.scaled(tile.output)
        return region, (slice(y, y + rows), slice(x, x + columns))

    def _leading(self, n: int) -> tuple[int, ...]:
        return (n, *self._record.shape[:-2])

    def _image(self, name: str, times_ms: Sequence[float]) -> ImageWriter:
        record = self._record
        size, tile = record.pixel_size_um, self._layout.tile_size
        return ImageWriter.create(
            self._folder / name, record.channels, record.shape, size, times_ms, record.origin_um, tile
        )

    def _seams(self) -> zarr.Array[Any]:
        """Make the map of the tiles' rms difference from the blend, over the moments so far; 0 before the first."""
        channels, shape = self._record.channels, self._record.shape
        attributes = {"channels": [one.name for one in channels], "units": [one.unit for one in channels]}
        array = create_array(
            self._folder / "seams",
            (len(channels), *shape),
            ("c", *SPACE[len(shape)]),
            {**attributes, **self._place()},
            n_single=1,
            tile=self._layout.tile_size,
        )
        array[...] = 0.0
        return array

    def _place(self) -> dict[str, list[float]]:
        return {"origin_um": list(self._record.origin_um or (0.0,) * len(self._record.shape))}

    def _open(self, name: str) -> dict[int, StoredArray]:
        return {index: open_array(result.path / name) for index, result in self._results.items()}

    def _tick(self) -> None:
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)
        if self._should_stop is not None and self._should_stop():
            raise CancelledError


def _reader(layout: Layout, sources: Mapping[int, StoredArray], moment: int) -> Read:
    """Read parts of tiles at one moment; neighbours want their bands again and again, so some tiles are kept."""
    n_kept = _KEPT_BYTES // (4 * math.prod(next(iter(sources.values())).shape[1:]))

    @lru_cache(maxsize=n_kept)
    def image(index: int) -> NDArray[np.float32]:
        return np.asarray(sources[index][moment], np.float32)

    def read(tile: Tile, part: Region) -> NDArray[np.float32]:
        where = (..., *layout.inside(tile, part))
        if n_kept < _LEAST_KEPT:
            return np.asarray(sources[tile.index][(moment, *where)], np.float32)
        return image(tile.index)[where]

    return read


def _channels(values: NDArray[np.float64], n_space: int) -> NDArray[np.float32]:
    """Make a value per channel fit (c, [z,] y, x)."""
    return values.astype(np.float32).reshape(-1, *(1,) * n_space)
