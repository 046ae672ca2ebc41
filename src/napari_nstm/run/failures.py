"""What may go wrong anywhere in a run, as one sentence."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from typing import ParamSpec, TypeVar

from napari_nstm.core.errors import DeviceError, StoreError
from napari_nstm.core.events import Event

_P = ParamSpec("_P")
_T = TypeVar("_T")


def in_plain_words(run: Callable[_P, Generator[Event, None, _T]]) -> Callable[_P, Generator[Event, None, _T]]:
    """Let a run that lacks memory, or whose files fail it, end with an error that is meant for the user.

    Where more is known of what failed it was put into words already: this is the last resort.
    """

    @wraps(run)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> Generator[Event, None, _T]:
        try:
            return (yield from run(*args, **kwargs))
        except (MemoryError, RuntimeError) as error:
            # Python says so, and no more, where there is no memory for another thread's stack.
            if isinstance(error, RuntimeError) and "can't start new thread" not in str(error):
                raise
            raise DeviceError("The computer ran out of memory; a smaller field or fewer frames need less.") from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise StoreError(f"The run failed: {where}{error.strerror or type(error).__name__}.") from error

    return told
