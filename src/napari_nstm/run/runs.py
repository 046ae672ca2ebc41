"""The runs of a user: stores in a cache folder, whose they are, which were interrupted, which may go.

Beside each store lies a small file that says what the user knows the run as and which process it belongs to.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import platformdirs
import psutil

from napari_nstm.core.errors import NstmError, StoreError
from napari_nstm.io._atomic import reason, remove_folder, replace, write_bytes
from napari_nstm.io.result import CHECKPOINT, open_result, read_record
from napari_nstm.run.save import save_as

__all__ = ["InterruptedRun", "RunFolder", "save_as"]

ENVIRONMENT = "NAPARI_NSTM_RUNS"
_INTERRUPTED_KEPT = timedelta(days=7)
# A process of another machine cannot be asked whether it lives (cache folders may lie on a network drive).
_FOREIGN_LIVES = timedelta(days=2)
# Clocks may be set while a process runs.
_SAME_START_S = 5.0


@dataclass(frozen=True)
class InterruptedRun:
    """A run that ended without finishing or being stopped, and that can go on.

    Parameters
    ----------
    path
        Its store.
    title
        What the user knows it as.
    created
        When it began, ISO 8601 in UTC.
    step, n_steps
        How far its checkpoint is, and steps in all.
    """

    path: Path
    title: str
    created: str
    step: int
    n_steps: int


class RunFolder:
    """Stores of runs that the user gave no place of their own.

    Parameters
    ----------
    path
        The folder; default: the environment's NAPARI_NSTM_RUNS, or one in the user's cache.
    """

    def __init__(self, path: Path | None = None) -> None:
        default = os.environ.get(ENVIRONMENT) or Path(platformdirs.user_cache_dir("napari-nstm")) / "runs"
        self.path = Path(default if path is None else path).expanduser().absolute()

    def new_path(self) -> Path:
        """Return a path for a new store, in the folder, which exists then.

        Raises
        ------
        StoreError
            If the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder for runs, {self.path}, cannot be made: {reason(error)}.") from error
        return self.path / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:8]}.zarr"

    def claim(self, path: Path, title: str) -> None:
        """Say that a run in this process writes a store, or is about to.

        Parameters
        ----------
        path
            The store.
        title
            What the user knows the run as.

        Raises
        ------
        StoreError
            If a run that goes on writes it, or nothing can be written.
        """
        self._refuse_if_running(path)
        me = psutil.Process()
        owner = {"host": platform.node(), "pid": me.pid, "started": me.create_time()}
        self._write(path, {"title": title, "owner": owner, "running": True, "claimed": _now().isoformat()})

    def release(self, path: Path) -> None:
        """Say that the run has ended: it can be resumed. Its store is kept while this process lives."""
        note = _read(path)
        if not path.exists():
            self._note(path).unlink(missing_ok=True)
        elif note:
            self._write(path, {**note, "running": False})

    def interrupted(self) -> list[InterruptedRun]:
        """Return the runs that can go on and that no living process has, the newest first."""
        found = []
        for path in self._stores():
            run = None if _is_running(_read(path)) else _interrupted(path)
            if run is not None:
                found.append(run)
        return sorted(found, key=lambda run: run.created, reverse=True)

    def discard(self, path: Path) -> None:
        """Remove a run.

        Raises
        ------
        StoreError
            If it goes on, or cannot be removed.
        """
        self._refuse_if_running(path)
        self._remove(path)

    def clear(self, max_age_days: float = 30, max_bytes: float = 5e9) -> list[Path]:
        """Remove runs that are old, then the oldest until the rest takes no more than `max_bytes`.

        Those that a living process made, and interrupted ones of the last week, stay in any case.

        Returns
        -------
        The stores that were removed.

        Raises
        ------
        StoreError
            If one cannot be removed.
        """
        self._sweep()
        stores = sorted(self._stores(), key=_last_change)
        sizes = {path: _size(path) for path in stores}
        total = sum(sizes.values())
        removed = []
        for path in stores:
            old = _now() - _last_change(path) > timedelta(days=max_age_days)
            if (old or total > max_bytes) and not _is_needed(path):
                self._remove(path)
                removed.append(path)
                total -= sizes[path]
        return removed

    # -- inside -------------------------------------------------------------

    def _stores(self) -> Iterator[Path]:
        return (path for path in self.path.glob("*.zarr") if path.is_dir() and not path.name.startswith("."))

    def _note(self, path: Path) -> Path:
        return _note_of(path)

    def _write(self, path: Path, note: Mapping[str, Any]) -> None:
        try:
            write_bytes(self._note(path), json.dumps(note).encode())
        except OSError as error:
            raise StoreError(f"{path.parent} cannot be written: {reason(error)}.") from error

    def _refuse_if_running(self, path: Path) -> None:
        if is_running(path):
            raise StoreError(f"{path} is being written by another run that goes on.")

    def _remove(self, path: Path) -> None:
        # Renamed first: a store that is half removed must not be taken for one.
        beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.removed")
        try:
            if path.exists():
                replace(path, beside)
                remove_folder(beside)
            self._note(path).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {reason(error)}.") from error

    def _sweep(self) -> None:
        """Remove what a process that was killed has left: notes without a store, stores half made or half removed."""
        for path in self.path.glob("*.zarr.json"):
            if not path.with_suffix("").exists() and not _owner_lives(_read(path.with_suffix(""))):
                path.unlink(missing_ok=True)
        for path in self.path.glob(".*"):
            if path.is_dir() and ".zarr." in path.name and _now() - _last_change(path) > timedelta(days=1):
                with suppress(OSError):  # it is tried again the next time
                    remove_folder(path)


def is_running(path: Path) -> bool:
    """Whether a run in a living process writes this store."""
    return _is_running(_read(path))


def _is_running(note: Mapping[str, Any]) -> bool:
    return bool(note.get("running")) and _owner_lives(note)


def _note_of(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _read(path: Path) -> Mapping[str, Any]:
    """Read the note beside a store; empty where there is none that can be read."""
    try:
        note = json.loads(_note_of(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _owner_lives(note: Mapping[str, Any]) -> bool:
    owner = note.get("owner")
    if not isinstance(owner, dict):
        return False
    try:
        if owner["host"] != platform.node():
            return _now() - datetime.fromisoformat(note["claimed"]) < _FOREIGN_LIVES
        # The number alone may have been given to another process since.
        return bool(abs(psutil.Process(int(owner["pid"])).create_time() - float(owner["started"])) < _SAME_START_S)
    except (psutil.NoSuchProcess, KeyError, TypeError, ValueError):
        return False
    except psutil.AccessDenied:
        return True


def _interrupted(path: Path) -> InterruptedRun | None:
    try:
        if read_record(path).status != "running" or not (path / CHECKPOINT).exists():
            return None
        record = open_result(path).record
    except NstmError:  # what is damaged cannot go on
        return None
    title = _read(path).get("title")
    return InterruptedRun(
        path, title if isinstance(title, str) else path.stem, record.created, record.step, record.n_steps
    )


def _is_needed(path: Path) -> bool:
    """Whether a store must not be cleared away."""
    if _owner_lives(_read(path)):
        return True
    return _now() - _last_change(path) < _INTERRUPTED_KEPT and _interrupted(path) is not None


def _last_change(path: Path) -> datetime:
    changed = 0.0
    for file in (path, path / "zarr.json", path / CHECKPOINT):
        with suppress(OSError):
            changed = max(changed, file.stat().st_mtime)
    return datetime.fromtimestamp(changed, UTC)


def _size(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # gone since
                total += (Path(folder) / name).stat().st_size
    return total


def _now() -> datetime:
    return datetime.now(UTC)
