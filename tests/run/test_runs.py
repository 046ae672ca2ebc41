"""The user's runs: where they go, which can go on, which may go."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time

import psutil
import pytest
from tests.io.tiled_store import write_whole
from tests.run.stores import make_store

from napari_nstm.core.errors import StoreError
from napari_nstm.run.claims import note_path, read_note, write_note
from napari_nstm.run.runs import RunFolder


@pytest.fixture
def runs(tmp_path):
    return RunFolder(tmp_path / "runs")


@pytest.fixture
def new(runs):
    """Write a store into the folder."""

    def make(**content):
        return make_store(runs.new_path(), **content)

    return make


@pytest.fixture
def other():
    """Note of a process that lives, and that is not this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = {"host": platform.node(), "pid": process.pid, "started": psutil.Process(process.pid).create_time()}
        yield {"title": "theirs", "owner": owner, "running": True}
        process.communicate(b"\n")


GONE = {"title": "cells", "owner": {"host": platform.node(), "pid": 2**22 + 1, "started": 0.0}, "running": True}


def test_the_folder_is_the_environments_or_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_NSTM_RUNS", str(tmp_path / "mine"))
    assert RunFolder().path == tmp_path / "mine"
    assert RunFolder(tmp_path).path == tmp_path
    monkeypatch.delenv("NAPARI_NSTM_RUNS")
    assert RunFolder().path.parts[-2:] == ("napari-nstm", "runs")


def test_new_paths_differ_and_can_be_written(runs):
    paths = {runs.new_path() for _ in range(5)}
    assert len(paths) == 5
    assert all(path.suffix == ".zarr" and path.parent == runs.path and runs.path.is_dir() for path in paths)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"^The folder for runs, .*file.*, cannot be made: .*\.$"):
        RunFolder(tmp_path / "file" / "runs").new_path()


def test_nothing_is_found_where_there_is_no_folder(runs):
    assert runs.interrupted() == runs.clear() == []


def test_interrupted_are_those_with_a_checkpoint_whose_process_is_gone(runs, new, other):
    old, young = new(status="running"), new(status="running", step=50, created="2026-02-01T10:00:00+00:00")
    write_note(old, GONE)
    for status in ("finished", "stopped", "diverged"):
        write_note(new(status=status), GONE)
    write_note(new(status="running", step=0), GONE)
    write_note(new(status="running"), other)
    runs.claim(new(status="running"), "ours")
    (runs.path / "damaged.zarr").mkdir()
    found = runs.interrupted()
    assert [run.path for run in found] == [young, old]
    assert [run.title for run in found] == [young.stem, "cells"]
    assert [(run.step, run.n_steps) for run in found] == [(50, 60), (30, 60)]
    assert found[0].created == "2026-02-01T10:00:00+00:00"


def test_a_run_killed_in_a_slow_comparison_can_go_on(runs, new):
    owing, _ = new(step=60, awaits_comparisons=True), new()
    write_note(owing, GONE)
    assert [(run.path, run.title, run.step) for run in runs.interrupted()] == [(owing, "cells", 60)]
    assert runs.clear(max_bytes=0) != []
    assert owing.exists()


def test_a_field_in_tiles_goes_on_with_its_tiles(runs):
    path, empty = runs.new_path(), runs.new_path()
    write_whole(path, tile_2={"status": "running"}, tile_4={"missing": True}, tile_5={"missing": True})
    write_whole(empty, **{f"tile_{index}": {"missing": True} for index in range(6)})
    assert [run.path for run in runs.interrupted()] == [path]
    for file in [entry for store in (path, empty) for entry in (store, store / "zarr.json", store / "tiles")]:
        if file.exists():
            os.utime(file, (time.time() - 2 * 86_400,) * 2)
    assert runs.clear() == [empty], "what its tiles reached is needed, though the whole has no checkpoint"


def test_beside_a_result_elsewhere_no_note_is_left(runs, tmp_path):
    path = make_store(tmp_path / "mine.zarr")
    runs.claim(path, "mine")
    assert note_path(path).exists()
    runs.release(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine.zarr"]


def test_a_claimed_store_is_refused_to_a_second_process(runs, new, other):
    path = new(status="running")
    write_note(path, other)
    for attempt in (lambda: runs.claim(path, "mine"), lambda: runs.discard(path)):
        with pytest.raises(StoreError, match=r"is being written by a run that goes on\.$"):
            attempt()
    assert read_note(path) == other
    write_note(path, GONE)
    runs.claim(path, "mine")
    assert read_note(path)["title"] == "mine"


def test_a_run_that_is_released_can_go_on(runs, new):
    path = new(status="running")
    runs.claim(path, "mine")
    assert runs.interrupted() == []
    with pytest.raises(StoreError, match="goes on"):
        runs.claim(path, "twice")
    runs.release(path)
    assert [run.title for run in runs.interrupted()] == ["mine"]
    runs.claim(path, "again")


def test_a_run_that_wrote_nothing_leaves_no_note(runs):
    path = runs.new_path()
    runs.claim(path, "mine")
    runs.release(path)
    runs.release(path)
    assert list(runs.path.iterdir()) == []


def test_a_discarded_run_is_gone(runs, new):
    path = new(status="running")
    write_note(path, GONE)
    runs.discard(path)
    runs.discard(path)
    assert list(runs.path.iterdir()) == []


def test_old_runs_are_cleared_and_the_young_and_the_needed_stay(runs, new, other):
    old, young = new(age_days=31), new(age_days=29)
    shown, interrupted_long_ago, interrupted = (
        new(age_days=40),
        new(status="running", age_days=31),
        new(status="running", age_days=6),
    )
    empty, just_begun = new(status="running", step=0, age_days=2), new(status="running", step=0)
    write_note(old, GONE)
    write_note(shown, {**other, "running": False})  # its window is open, and may still read it
    write_note(interrupted, GONE)
    assert set(runs.clear()) == {old, interrupted_long_ago, empty}
    assert set(runs.path.glob("*.zarr")) == {young, shown, interrupted, just_begun}
    assert not note_path(old).exists()
    assert note_path(shown).exists()


def test_the_oldest_go_until_the_rest_fits(runs, new, other):
    size = 200_000
    stores = [new(age_days=days, ballast=size) for days in (5, 4, 3, 2)]
    theirs = new(age_days=20, ballast=size)
    write_note(theirs, other)
    recent = new(status="running", age_days=6.5, ballast=size)
    # Two of the six fit: four must go, but two of them must not.
    assert runs.clear(max_bytes=2.9 * size) == stores
    assert set(runs.path.glob("*.zarr")) == {theirs, recent}
    assert runs.clear(max_bytes=0) == []


def test_what_killed_processes_left_half_made_is_swept_away(runs, new, other):
    store = new()
    beside = runs.path / f".{store.name}.abcd"
    shutil.copytree(store, beside)
    make_store(runs.path / ".fresh.zarr.1234", age_days=0)
    for file in (beside, *beside.iterdir()):
        os.utime(file, (time.time() - 2 * 86_400,) * 2)
    note_path(runs.path / "gone.zarr").write_text(json.dumps(GONE))
    note_path(runs.path / "coming.zarr").write_text(json.dumps(other))
    assert runs.clear() == []
    assert {path.name for path in runs.path.iterdir()} == {store.name, ".fresh.zarr.1234", "coming.zarr.json"}
