"""One tile, in any process and on any machine that sees the store; and all of them made one result."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from concurrent.futures import wait
from pathlib import Path

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.core.events import Event, Working
from napari_nstm.core.settings import Job
from napari_nstm.core.tiles import Tile, TilePlan, tile_path
from napari_nstm.imaging import registry
from napari_nstm.io._atomic import remove_folder
from napari_nstm.io.blend import blend_tiles
from napari_nstm.io.result import CHECKPOINT, is_store, read_record
from napari_nstm.io.store import StoredResult, StoreRecord, StoreWriter, open_result
from napari_nstm.run.execute import Opened, execute
from napari_nstm.run.failures import in_plain_words
from napari_nstm.run.job import acquisition_settings, with_fit
from napari_nstm.run.patience import Controls, Patience
from napari_nstm.run.plan import make_plan, read_frames
from napari_nstm.run.raw_use import check_unchanged
from napari_nstm.run.result import done_before
from napari_nstm.run.tiled.plan import tile_job

# How often progress of the blending is told (seconds).
_TELL_S = 0.2


def read_tiled(store: Path) -> tuple[StoreRecord, TilePlan]:
    """Read the record of a store in tiles, and how its field is divided.

    Raises
    ------
    InputError
        If there is no store, or it is not in tiles; field `store`.
    """
    record = read_record(store)
    if record.tiles is None:
        raise InputError("store", f"{store}, which is not in tiles", "a result that was planned in tiles")
    return record, record.tiles


def is_done(store: Path, tile: Tile) -> bool:
    """Whether nothing of a tile is left to be done."""
    path = tile_path(store, tile.index)
    return is_store(path) and read_record(path).status in ("finished", "diverged")


@in_plain_words
def run_tile(
    store: str | Path, index: int, controls: Controls, *, device: str | None = None
) -> Generator[Event, None, None]:
    """Reconstruct a tile of a planned store, yielding its events; the last is `Finished`.

    One that is done says so at once; one that was interrupted goes on from its checkpoint.

    Parameters
    ----------
    store, index
        The store of the whole, and which of its tiles, from 0.
    controls
        What can be asked of the run.
    device
        Another device than the plan's.

    Raises
    ------
    InputError
        If there is no such tile or store, or the data have changed since they were planned.
    """
    from napari_nstm.run.reconstruct import iter_resume

    began = time.monotonic()
    path = Path(store).absolute()
    record, tiles = read_tiled(path)
    n = len(tiles.tiles)
    if not 0 <= index < n:
        raise InputError("tile", str(index), f"a number from 0 to {n - 1}")
    tile = tiles.tiles[index]
    target = tile_path(path, index)
    if is_done(path, tile):
        yield done_before(open_result(target), controls.run_id)
        return
    job = tile_job(path, record, tile)
    if is_store(target) and (read_record(target).status == "stopped" or (target / CHECKPOINT).exists()):
        # Where the whole was moved, a tile's own job still names the data of the plan where they were.
        is_moved = read_record(target).job.get("output", {}).get("path") != str(target)
        raw = _data_of(job, path / "tiles") if is_moved else None
        yield from iter_resume(target, raw, device=device, **controls.as_options())
        return
    if target.exists() and not is_store(target):
        remove_folder(target)  # what cannot be read is made again
    yield Working(controls.run_id, "Preparing")
    if device is not None:
        job = with_fit(job, device=device)
    plan = make_plan(job, base_dir=path / "tiles", overwrite=True)
    frozen = {file.stem for file in (path / "tiles").glob("*.npy")}
    shared = (record.input_hashes.keys() & plan.input_hashes.keys()) - frozen  # a tile has arrays of its own
    check_unchanged({name: record.input_hashes[name] for name in shared}, plan.input_hashes)

    def create(own: StoreRecord) -> Opened:
        return Opened(StoreWriter.create(target, own, overwrite=True), None, is_new=True)

    yield from execute(plan, create, controls, began)


@in_plain_words
def blend(
    store: str | Path, controls: Controls, *, allow_missing: bool = False
) -> Generator[Event, None, StoredResult | None]:
    """Make one result of all tiles, yielding how far it is; returns it, or None where a stop came first.

    Raises
    ------
    InputError, StoreError
        If the store is not in tiles, tiles are missing, or the disk is full.
    """
    path = Path(store).absolute()
    read_tiled(path)
    told = [0, 1]

    def tell(done: int, total: int) -> None:
        told[:] = [done, total]

    dropped = threading.Event()

    def should_stop() -> bool:
        # A stop that came before means: blend what is there.
        return dropped.is_set() or (not allow_missing and controls.should_stop())

    yield Working(controls.run_id, "Blending tiles")
    with Patience(lambda: False) as patience:
        future = patience.begin(
            lambda: blend_tiles(path, on_progress=tell, should_stop=should_stop, allow_missing=allow_missing)
        )
        said = list(told)
        try:
            while not wait([future], _TELL_S).done:
                if told != said:
                    said = list(told)
                    yield Working(controls.run_id, "Blending tiles", done=said[0], total=said[1])
            return future.result()
        except CancelledError:
            return None
        finally:
            dropped.set()  # nobody listens any more: two must not write to one store
            wait([future])


def missing_tiles(store: Path) -> list[Tile]:
    """Return the tiles of a store that are not done.

    Raises
    ------
    InputError, StoreError
        If there is no such store, or it is not in tiles.
    """
    _, plan = read_tiled(store)
    return [tile for tile in plan.tiles if not is_done(store, tile)]


def _data_of(job: Job, folder: Path) -> RawData:
    modality = registry.modality(job.modality)
    return read_frames(job, modality, acquisition_settings(job, modality), None, folder)
