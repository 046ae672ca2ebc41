"""The runs of a user: stores in a cache folder, whose they are, which were interrupted, which may go.

Beside each store lies a note that says what the user knows the run as and which process it belongs to (`claims`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import platformdirs

from napari_nstm.core.errors import NstmError, StoreError
from napari_nstm.io._atomic import reason, remove_folder, replace
from napari_nstm.io.result import CHECKPOINT, open_result, read_record
from napari_nstm.run.claims import (
    is_running,
    new_note,
    note_path,
    owner_lives,
    read_note,
    refuse_if_running,
    write_note,
)
from napari_nstm.run.save import save_as

__all__ = ["InterruptedRun", "RunFolder", "save_as"]

ENVIRONMENT = "NAPARI_NSTM_RUNS"
_INTERRUPTED_KEPT = timedelta(days=7)
_EMPTY_KEPT = timedelta(days=1)


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
        refuse_if_running(path)
        write_note(path, new_note(title))

    def release(self, path: Path) -> None:
        """Say that the run has ended: it can be resumed. Its store is kept while this process lives."""
        note = read_note(path)
        if not path.exists() or path.parent != self.path:  # beside a result that lies elsewhere nothing is left
            note_path(path).unlink(missing_ok=True)
        elif note:
            write_note(path, {**note, "running": False})

    def interrupted(self) -> list[InterruptedRun]:
        """Return the runs that can go on and that no living process has, the newest first."""
        found = []
        for path in self._stores():
            run = None if is_running(read_note(path)) else _interrupted(path)
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
        refuse_if_running(path)
        self._remove(path)

    def clear(self, max_age_days: float = 30, max_bytes: float = 5e9) -> list[Path]:
        """Remove runs that are old or hold nothing, then the oldest until the rest takes no more than `max_bytes`.

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
            age = _now() - _last_change(path)
            old = age > timedelta(days=max_age_days) or (age > _EMPTY_KEPT and _is_empty(path))
            if (old or total > max_bytes) and not _is_needed(path):
                self._remove(path)
                removed.append(path)
                total -= sizes[path]
        return removed

    # -- inside -------------------------------------------------------------

    def _stores(self) -> Iterator[Path]:
        return (path for path in self.path.glob("*.zarr") if path.is_dir() and not path.name.startswith("."))

    def _remove(self, path: Path) -> None:
        # Renamed first: a store that is half removed must not be taken for one.
        beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.removed")
        try:
            if path.exists():
                replace(path, beside)
                remove_folder(beside)
            note_path(path).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {reason(error)}.") from error

    def _sweep(self) -> None:
        """Remove what a process that was killed has left: notes without a store, stores half made or half removed."""
        for path in self.path.glob("*.zarr.json"):
            if not path.with_suffix("").exists() and not owner_lives(read_note(path.with_suffix(""))):
                path.unlink(missing_ok=True)
        for path in self.path.glob(".*"):
            if path.is_dir() and ".zarr." in path.name and _now() - _last_change(path) > _EMPTY_KEPT:
                with suppress(OSError):  # it is tried again the next time
                    remove_folder(path)


def _interrupted(path: Path) -> InterruptedRun | None:
    try:
        record = read_record(path)
        if record.status == "running" and record.tiles is not None:
            if not open_result(path).is_shown:
                return None
        elif record.status == "running" and (path / CHECKPOINT).exists():
            record = open_result(path).record
        elif not (record.status == "finished" and record.awaits_comparisons):
            return None
    except NstmError:  # what is damaged cannot go on
        return None
    title = read_note(path).get("title")
    return InterruptedRun(
        path, title if isinstance(title, str) else path.stem, record.created, record.step, record.n_steps
    )


def _is_empty(path: Path) -> bool:
    """Whether a run ended before its first checkpoint."""
    try:
        record = read_record(path)
        if record.tiles is not None:
            return record.status == "running" and not open_result(path).is_shown
        return record.status == "running" and not (path / CHECKPOINT).exists()
    except NstmError:  # no store at all, or damaged: it goes by its age
        return False


def _is_needed(path: Path) -> bool:
    """Whether a store must not be cleared away."""
    if owner_lives(read_note(path)):
        return True
    return _now() - _last_change(path) < _INTERRUPTED_KEPT and _interrupted(path) is not None


def _last_change(path: Path) -> datetime:
    changed = 0.0
    for file in (path, path / "zarr.json", path / CHECKPOINT, path / "tiles"):
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
