"""A result taken home."""

import errno
import filecmp
import os

import numpy as np
import pytest
from tests.run.stores import make_store

from napari_nstm.core.errors import CancelledError, InputError, StoreError
from napari_nstm.io.store import open_result
from napari_nstm.run import save
from napari_nstm.run.claims import new_note, write_note
from napari_nstm.run.runs import save_as


@pytest.fixture
def store(tmp_path):
    (tmp_path / "cache").mkdir()
    return make_store(tmp_path / "cache" / "a.zarr", ballast=300_000)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_copy_is_the_same_and_opens(store, home):
    told = []
    target = save_as(store, home / "b.zarr", on_progress=lambda *values: told.append(values))
    assert target == home / "b.zarr"
    assert files(target) == files(store)
    assert filecmp.cmpfiles(store, target, files(store), shallow=False)[0] == files(store)
    np.testing.assert_array_equal(open_result(target).reconstruction, open_result(store).reconstruction)
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] >= 300
    assert os.listdir(home) == ["b.zarr"]


@pytest.mark.parametrize("status", ["running", "stopped"])
def test_runs_that_were_stopped_or_interrupted_can_be_taken_too(tmp_path, status):
    store = make_store(tmp_path / "a.zarr", status=status)
    assert open_result(save_as(store, tmp_path / "b.zarr")).status == status


def test_a_run_that_goes_on_is_refused(store, home):
    write_note(store, new_note("t"))
    with pytest.raises(StoreError, match="goes on"):
        save_as(store, home / "b.zarr")


def test_taken_and_impossible_places_are_one_sentence(store, home):
    other = make_store(home / "other.zarr")
    (home / "file.zarr").write_text("precious")
    for target, says in (
        (other, "exists already"),
        (home / "file.zarr", "exists already"),
        (home / "no" / "b.zarr", "whose folder does not exist"),
        (store, "the result itself"),
        (store / "inside.zarr", "the result itself"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            save_as(store, target)
        assert caught.value.field == "out"
    with pytest.raises(InputError, match="exists already"):
        save_as(store, home / "file.zarr", overwrite=True)
    assert (home / "file.zarr").read_text() == "precious"
    with pytest.raises(InputError, match="does not exist"):
        save_as(home / "none.zarr", home / "b.zarr")


def test_another_result_is_replaced_where_that_is_wished(store, home):
    make_store(home / "b.zarr", step=7)
    assert open_result(save_as(store, home / "b.zarr", overwrite=True)).record.step == 30
    assert os.listdir(home) == ["b.zarr"]


def test_a_copy_that_is_cancelled_leaves_nothing(store, home):
    told = []
    with pytest.raises(CancelledError):
        save_as(store, home / "b.zarr", on_progress=lambda *_: told.append(1), should_stop=lambda: len(told) > 3)
    assert os.listdir(home) == []


def test_a_full_disk_leaves_nothing(store, small_disk):
    disk = small_disk(100)
    with pytest.raises(StoreError, match=r"^The result needs 0\.\d MB, and .* has 0\.\d MB of free space\.$"):
        save_as(store, disk / "b.zarr")
    assert os.listdir(disk) == []


def test_a_disk_that_fills_up_on_the_way_leaves_nothing(store, small_disk, monkeypatch):
    monkeypatch.setattr(save, "_check_space", lambda *_: None)
    disk = small_disk(100)
    with pytest.raises(StoreError, match=r"^The result could not be saved to .*b\.zarr: the disk is full\.$"):
        save_as(store, disk / "b.zarr")
    assert os.listdir(disk) == []


def test_a_result_that_goes_away_on_the_way_is_one_sentence(store, home):
    def remove(*_):
        if store.exists():
            for path in sorted(store.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            store.rmdir()

    with pytest.raises(StoreError, match=r"^The result is no longer at .*a\.zarr: it was moved or removed\.$"):
        save_as(store, home / "b.zarr", on_progress=remove)
    assert os.listdir(home) == []


def test_the_old_result_comes_back_where_the_new_one_cannot_be_put(store, home, monkeypatch):
    make_store(home / "b.zarr", step=7)
    real = save.replace

    def fail(source, target):
        if target == home / "b.zarr" and not source.name.endswith(".old"):
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    monkeypatch.setattr(save, "replace", fail)
    with pytest.raises(StoreError, match=r"b\.zarr: Input/output error\.$"):
        save_as(store, home / "b.zarr", overwrite=True)
    assert open_result(home / "b.zarr").record.step == 7
    assert os.listdir(home) == ["b.zarr"]
