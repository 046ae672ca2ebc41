"""What exports have in common: a file that appears whole or not at all, and never in place of another unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.io._atomic import reason, replacing
from napari_nstm.io.result import StoredResult

Progress = Callable[[int, int], None]
Stop = Callable[[], bool]


def check_target(target: Path, suffixes: tuple[str, ...], takes: str, *, overwrite: bool) -> None:
    """Refuse a place for a file.

    Parameters
    ----------
    target
        The file.
    suffixes, takes
        How its name may end, and the same in words.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        Field `out`.
    """
    if target.suffix.lower() not in suffixes:
        raise InputError("out", target.name, takes)
    if target.exists() and not (overwrite and target.is_file()):
        raise InputError("out", f"{target}, which exists already", "a path that does not exist yet, or --overwrite")


def not_written(target: Path, error: OSError) -> InputError:
    """Say why a file could not be written."""
    return InputError("out", f"{target}, which cannot be written ({reason(error)})", "a writable path")


@contextmanager
def writing(result: StoredResult, target: Path, suffix: str, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open a file for what is exported of a result; raises InputError, of the field `out`, and StoreError."""
    check_target(target, (suffix,), f"a file ending in {suffix}", overwrite=overwrite)
    result.check_there()
    try:
        with replacing(target) as stream:
            yield stream
    except OSError as error:
        raise not_written(target, error) from error


def counted(
    times_ms: tuple[float, ...], on_progress: Progress | None, should_stop: Stop | None
) -> Iterator[tuple[int, float]]:
    """Go through moments: their numbers and times; raises CancelledError where it should stop."""
    for index, time_ms in enumerate(times_ms):
        if should_stop is not None and should_stop():
            raise CancelledError
        yield index, time_ms
        if on_progress is not None:
            on_progress(index + 1, len(times_ms))
