"""A result taken home: its store, copied beside its new place and renamed into it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from napari_nstm.core.errors import CancelledError, InputError, StoreError
from napari_nstm.io._atomic import reason, remove_folder, replace, sync_folder, sync_tree
from napari_nstm.io.result import is_store, open_result
from napari_nstm.run.claims import refuse_if_running

_BLOCK = 8_000_000  # bytes between two looks at `should_stop`


def save_as(
    store: Path,
    target: Path,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Path:
    """Copy a store; nothing half-made is left where that fails.

    Parameters
    ----------
    store
        The store of a run that has ended.
    target
        Where the copy goes.
    overwrite
        Replace another store that lies there.
    on_progress
        Called with the kilobytes done, and in all.
    should_stop
        Asked often; true cancels.

    Returns
    -------
    `target`, absolute.

    Raises
    ------
    CancelledError
        If it was cancelled.
    InputError
        If the target is taken or cannot be used; field `out`.
    StoreError
        If the store cannot be read, or the disk is full.
    """
    store, target = Path(store).absolute(), Path(target).expanduser().absolute()
    open_result(store)  # says so where there is none
    refuse_if_running(store)
    _check_target(store, target, overwrite)
    beside = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    done = 0
    try:
        files = list(_files(store))
        in_all = sum(path.stat().st_size for path in files)
        _check_space(target, in_all)
        beside.mkdir()
        for path in files:
            copy = beside / path.relative_to(store)
            copy.parent.mkdir(parents=True, exist_ok=True)
            for n in _copy(path, copy):
                done += n
                if on_progress is not None:
                    on_progress(min(done, in_all) // 1000, max(in_all // 1000, 1))
                if should_stop is not None and should_stop():
                    raise CancelledError
        sync_tree(beside)
        _put_in_place(beside, target)
    except OSError as error:
        raise StoreError(_sentence(store, target, error)) from error
    finally:
        with suppress(OSError):
            remove_folder(beside)
    return target


def _check_target(store: Path, target: Path, overwrite: bool) -> None:
    if target.resolve().is_relative_to(store.resolve()):
        raise InputError("out", f"{target}, which is the result itself", "another path")
    if target.exists() or target.is_symlink():
        if not (overwrite and is_store(target)):
            raise InputError("out", f"{target}, which exists already", "a path that does not exist yet")
    elif not target.parent.is_dir():
        raise InputError("out", f"{target}, whose folder does not exist", "a path in a folder that exists")


def _check_space(target: Path, needed: int) -> None:
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError:  # some network drives do not know: then the copy will tell
        return
    if free < needed:
        raise StoreError(
            f"The result needs {needed / 1e6:.1f} MB, and {target.parent} has {free / 1e6:.1f} MB of free space."
        )


def _files(store: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(store):
        for name in sorted(names):
            yield Path(folder) / name


def _copy(source: Path, copy: Path) -> Iterator[int]:
    with source.open("rb") as read, copy.open("wb") as written:
        while block := read.read(_BLOCK):
            written.write(block)
            yield len(block)


def _put_in_place(beside: Path, target: Path) -> None:
    old = beside.with_name(beside.name + ".old")
    if target.exists():
        replace(target, old)
    try:
        replace(beside, target)
    except OSError:
        if old.exists():
            replace(old, target)
        raise
    sync_folder(target.parent)
    with suppress(OSError):  # it is out of the way already
        remove_folder(old)


def _sentence(store: Path, target: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The result could not be saved to {target}: the disk is full."
    if isinstance(error, FileNotFoundError) and not (store / "zarr.json").is_file():
        return f"The result is no longer at {store}: it was moved or removed."
    return f"The result could not be saved to {target}: {reason(error)}."
