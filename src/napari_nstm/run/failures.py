"""What may go wrong anywhere in a run, as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_nstm.core.errors import DeviceError, StoreError


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turn a lack of memory, or of a file system's good will, into an error for the user.

    Raises
    ------
    DeviceError, StoreError
        One sentence.
    """
    try:
        yield
    except MemoryError as error:
        raise DeviceError("The computer ran out of memory; a smaller field or fewer frames need less.") from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise StoreError(f"The run failed: {where}{error.strerror or type(error).__name__}.") from error
