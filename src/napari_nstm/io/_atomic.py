"""Files that appear whole or not at all, whatever ends the process or the machine."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Windows refuses to replace a file that a reader has open; readers here close theirs within milliseconds.
_ATTEMPTS, _PAUSE_S = 40, 0.05


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside `path` for writing; it takes the name once it is complete and on the disk."""
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with replacing(path) as stream:
        stream.write(content)


def replace(source: Path, target: Path) -> None:
    """Rename a file over another, or a folder to a free name."""
    _patiently(lambda: os.replace(source, target))


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        _patiently(lambda: shutil.rmtree(path))


def sync_folder(path: Path) -> None:
    """Put the names in a folder on the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Put every file and name below a folder on the disk."""
    for folder, _, names in os.walk(path):
        for name in names:
            with (Path(folder) / name).open("rb+") as stream:
                os.fsync(stream.fileno())
        sync_folder(Path(folder))


def reason(error: OSError) -> str:
    """Say in words why a file operation failed."""
    return error.strerror or str(error) or type(error).__name__


def _patiently(action: Callable[[], object]) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            action()
            return
        except PermissionError:
            if os.name != "nt" or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_S)
