"""Notes beside stores: what the user knows a run as, and which process has it."""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from napari_nstm.core.errors import StoreError
from napari_nstm.io._atomic import reason, write_bytes

Note = Mapping[str, Any]

# A process of another machine cannot be asked whether it lives (cache folders may lie on a network drive).
_FOREIGN_LIVES = timedelta(days=2)
# Clocks may be set while a process runs.
_SAME_START_S = 5.0


def note_path(store: Path) -> Path:
    """Return where the note of a store lies."""
    return store.with_name(store.name + ".json")


def new_note(title: str) -> Note:
    """Say that a run in this process writes a store; `title` is what the user knows the run as."""
    me = psutil.Process()
    owner = {"host": platform.node(), "pid": me.pid, "started": me.create_time()}
    return {"title": title, "owner": owner, "running": True, "claimed": datetime.now(UTC).isoformat()}


def write_note(store: Path, note: Note) -> None:
    """Replace the note of a store atomically.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    try:
        write_bytes(note_path(store), json.dumps(note).encode())
    except OSError as error:
        raise StoreError(f"{store.parent} cannot be written: {reason(error)}.") from error


def read_note(store: Path) -> Note:
    """Read the note of a store; empty where there is none that can be read."""
    try:
        note = json.loads(note_path(store).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def is_running(note: Note) -> bool:
    """Whether a run in a living process writes the store of this note."""
    return bool(note.get("running")) and owner_lives(note)


def owner_lives(note: Note) -> bool:
    """Whether the process that made the store of this note still lives."""
    owner = note.get("owner")
    if not isinstance(owner, dict):
        return False
    try:
        if owner["host"] != platform.node():
            return datetime.now(UTC) - datetime.fromisoformat(note["claimed"]) < _FOREIGN_LIVES
        # The number alone may have been given to another process since.
        return bool(abs(psutil.Process(int(owner["pid"])).create_time() - float(owner["started"])) < _SAME_START_S)
    except (psutil.NoSuchProcess, KeyError, TypeError, ValueError):
        return False
    except psutil.AccessDenied:
        return True


def refuse_if_running(store: Path, but_of: Collection[int] = ()) -> None:
    """Refuse a store that a run in a living process writes.

    Parameters
    ----------
    store
        The store.
    but_of
        Ids of processes that may.

    Raises
    ------
    StoreError
        Says so.
    """
    note = read_note(store)
    if is_running(note) and note["owner"].get("pid") not in but_of:
        raise StoreError(f"{store} is being written by a run that goes on.")


def family() -> set[int]:
    """Return the ids of this process and of those that started it: a window claims for the process that fits."""
    me = psutil.Process()
    return {me.pid, *(parent.pid for parent in me.parents())}
