"""One tile at a time, in any process: it begins, goes on, or says that it is done; and the blending of all."""

import shutil
import threading

import numpy as np
import pytest

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.events import Finished, Notice, Progress, Working
from napari_nstm.core.tiles import tile_path
from napari_nstm.io.store import open_result
from napari_nstm.run.job import load_job
from napari_nstm.run.patience import Controls
from napari_nstm.run.reconstruct import resume
from napari_nstm.run.tiled import run as running
from napari_nstm.run.tiled.plan import create_store, lay_out
from napari_nstm.run.tiled.run import blend, missing_tiles, run_tile

pytestmark = pytest.mark.usefixtures("toy")

EPOCHS = 40


def planned(folder, raw, epochs=EPOCHS, name="result.zarr"):
    """Plan two tiles of frames; given as a path, or as they are."""
    is_file = isinstance(raw, str)
    job = {
        "modality": "toy",
        "raw": raw if is_file else "raw",
        "acquisition": {"pixel_size_um": 1.0},
        "fit": {"epochs": epochs, "advanced": {"pyramid": [[0, 1.0]]}},
        "output": {"path": name, "checkpoint_every_s": 0.01},
        "compute": {"tile_px": 48, "tile_overlap_px": 12},
    }
    checked, base_dir = load_job(job, folder)
    plan = lay_out(checked, None if is_file else raw, base_dir, overwrite=False)
    assert [tile.output for tile in plan.tiles.tiles] == [(0, 0, 48, 48), (0, 48, 48, 48)]
    return create_store(plan, "r", overwrite=False)


@pytest.fixture
def store(tmp_path, field):
    np.save(tmp_path / "raw.npy", field)
    return planned(tmp_path, "raw.npy")


def run(store, index, **asked):
    return list(run_tile(store, index, Controls("r"), **asked))


def blended(store, should_stop=lambda: False):
    events = blend(store, Controls("r", should_stop))
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value


def drop_after_checkpoint(store, index):
    """Run a tile to its first steps and let it go, which leaves a checkpoint; returns the step."""
    events = run_tile(store, index, Controls("r"))
    for event in events:
        if isinstance(event, Progress):
            events.close()
            return event.step
    raise AssertionError("no steps")


def test_tiles_that_run_at_the_same_time_give_the_same_bits(store, tmp_path):
    sessions = [run_tile(store, index, Controls("r")) for index in (0, 1)]
    while sessions:
        sessions = [session for session in sessions if next(session, None) is not None]
    other = planned(tmp_path, "raw.npy", name="other.zarr")
    for index in (1, 0):
        run(other, index)
    found = [blended(path) for path in (store, other)]
    np.testing.assert_array_equal(found[0].reconstruction, found[1].reconstruction)
    np.testing.assert_array_equal(found[0].motion_um, found[1].motion_um)


def test_a_tile_that_was_killed_goes_on_from_its_checkpoint(tmp_path, field):
    np.save(tmp_path / "raw.npy", field)
    store, whole = (planned(tmp_path, "raw.npy", 600, name) for name in ("killed.zarr", "whole.zarr"))
    step = drop_after_checkpoint(store, 0)
    assert 0 < step < 600
    assert [tile.index for tile in missing_tiles(store)] == [0, 1]
    events = run(store, 0)
    assert any(isinstance(e, Notice) and e.message.startswith("Going on from step") for e in events)
    assert next(e.step for e in events if isinstance(e, Progress)) > step
    assert [tile.index for tile in missing_tiles(store)] == [1]
    run(whole, 0)
    killed, uninterrupted = (open_result(tile_path(path, 0)).reconstruction for path in (store, whole))
    np.testing.assert_allclose(killed, uninterrupted, atol=1e-3 * float(np.max(uninterrupted)))


def test_a_tile_that_was_stopped_goes_on(store):
    begun = threading.Event()
    for event in run_tile(store, 0, Controls("r", begun.is_set)):
        if isinstance(event, Progress):
            begun.set()
    assert event.status == "stopped"
    step = open_result(tile_path(store, 0)).record.step
    assert 0 < step < EPOCHS
    assert run(store, 0)[-1].status == "finished"
    assert open_result(tile_path(store, 0)).record.step == EPOCHS


@pytest.mark.parametrize("left", ["nothing", "half a file"])
def test_what_a_broken_disk_left_of_a_tile_is_made_again(store, left):
    path = tile_path(store, 0)
    path.mkdir()
    if left == "half a file":
        (path / "zarr.json").write_text('{"zarr_format": 3, "attri')
    assert run(store, 0)[-1].status == "finished"
    assert open_result(path).record.step == EPOCHS


def test_data_that_changed_since_the_plan_are_refused_before_anything_is_written(store, field):
    np.save(store.parent / "raw.npy", field + 1)
    with pytest.raises(InputError, match="data that have changed since the run began") as caught:
        run(store, 1)
    assert caught.value.field == "raw"
    assert not tile_path(store, 1).exists()


def test_a_tile_that_was_stopped_goes_on_where_the_store_was_moved_with_its_frames(tmp_path, field):
    store = planned(tmp_path, field, 600)
    drop_after_checkpoint(store, 0)
    moved = tmp_path / "elsewhere" / "moved.zarr"
    moved.parent.mkdir()
    shutil.move(store, moved)
    events = run(moved, 0)
    assert any(isinstance(e, Notice) and e.message.startswith("Going on from step") for e in events)
    assert events[-1].path == str(tile_path(moved, 0))
    run(moved, 1)
    assert blended(moved).reconstruction.shape == (4, 1, 48, 96)
    assert not store.exists()


@pytest.mark.parametrize("is_begun", [False, True])
def test_another_device_is_asked_for(store, is_begun):
    if is_begun:
        drop_after_checkpoint(store, 0)
    with pytest.raises(InputError, match="jax sees") as caught:
        run(store, 0, device="gpu:99")
    assert caught.value.field == "fit.device"
    assert run(store, 0, device="cpu")[-1].status == "finished"


def test_a_store_that_is_not_in_tiles_is_refused(store):
    run(store, 0)
    with pytest.raises(InputError, match="which is not in tiles") as caught:
        list(run_tile(tile_path(store, 0), 0, Controls("r")))
    assert caught.value.field == "store"
    with pytest.raises(InputError, match="does not exist"):
        list(blend(store.parent / "nothing.zarr", Controls("r")))


def test_blending_that_is_stopped_keeps_the_tiles_and_can_be_done_again(store):
    for index in (0, 1):
        run(store, index)
    assert blended(store, lambda: True) is None
    assert open_result(store).status == "running"
    assert blended(store).status == "finished"


def test_blending_that_nobody_listens_to_ends(store, monkeypatch):
    ended = []

    def endless(path, *, on_progress, should_stop, allow_missing):
        n = 0
        while not should_stop():
            n += 1
            on_progress(n % 100, 100)
        ended.append(path)

    monkeypatch.setattr(running, "blend_tiles", endless)
    events = blend(store, Controls("r"))
    assert next(events) == Working("r", "Blending tiles")
    told = next(events)
    assert (told.total, told.remaining_s) == (100, None)
    events.close()
    assert ended == [store]  # before the generator is closed: no other can write to the store meanwhile


def test_a_resume_of_the_whole_makes_what_sessions_left(store):
    run(store, 1)
    drop_after_checkpoint(store, 0)
    events = []
    result = resume(store, on_event=events.append, device="cpu")
    assert (result.status, open_result(store).status) == ("finished", "finished")
    assert any(isinstance(e, Notice) and e.message == "Of 2 tiles, 1 done already." for e in events)
    assert isinstance(events[-1], Finished)
    with pytest.raises(InputError, match="is finished"):
        resume(store)


def test_a_tile_that_is_missing_is_named(store):
    run(store, 0)
    with pytest.raises(StoreError, match="of its 2 tiles these are not done: 1"):
        blended(store)
