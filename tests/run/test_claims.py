"""Who has a store."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from napari_nstm.core.errors import StoreError
from napari_nstm.run.claims import (
    family,
    is_running,
    new_note,
    note_path,
    owner_lives,
    read_note,
    refuse_if_running,
    write_note,
)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "a.zarr"


def test_a_note_comes_back_from_beside_the_store(store):
    assert read_note(store) == {}
    write_note(store, new_note("cells — day 3"))
    assert note_path(store) == store.with_name("a.zarr.json")
    assert read_note(store)["title"] == "cells — day 3"
    assert is_running(read_note(store))


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"owner": 3, "running": true}', '{"owner": {}, "running": true}'])
def test_a_note_that_cannot_be_read_claims_nothing(store, content):
    note_path(store).write_text(content)
    assert not is_running(read_note(store))


def test_the_owner_is_known_by_its_number_and_its_start():
    note = new_note("t")
    assert note["owner"]["pid"] == os.getpid()
    assert owner_lives(note)
    # Another process may have been given the number since.
    assert not owner_lives({**note, "owner": {**note["owner"], "started": note["owner"]["started"] - 60}})


def test_an_owner_that_ended_has_nothing():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        started = psutil.Process(other.pid).create_time()
        note = {"owner": {"host": platform.node(), "pid": other.pid, "started": started}, "running": True}
        assert is_running(note)
        other.communicate(b"\n")
    assert not is_running(note)


def test_an_owner_on_another_machine_is_trusted_for_two_days():
    note = new_note("t")
    note = {**note, "owner": {**note["owner"], "host": "elsewhere"}}
    assert owner_lives(note)
    assert not owner_lives({**note, "claimed": (datetime.now(UTC) - timedelta(days=3)).isoformat()})


def test_a_store_that_is_written_is_refused_but_to_the_family(store):
    refuse_if_running(store)
    write_note(store, new_note("t"))
    with pytest.raises(StoreError, match=r"a\.zarr is being written by a run that goes on\.$"):
        refuse_if_running(store)
    refuse_if_running(store, but_of=family())
    assert {os.getpid(), os.getppid()} <= family()


def test_a_note_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match=r"gone cannot be written: No such file or directory\.$"):
        write_note(tmp_path / "gone" / "a.zarr", new_note("t"))
