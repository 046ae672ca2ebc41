"""Work that nothing can interrupt (a compile, a long step), done so that a stop need not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, TypeVar

_T = TypeVar("_T")

# How often a stop is looked for while something is worked on (seconds).
_POLL_S = 0.02


@dataclass(frozen=True)
class Controls:
    """What can be asked of a run while it goes on.

    Parameters
    ----------
    run_id
        Id that its events carry.
    should_stop
        Whether to end, and keep what was reached.
    preview_time
        Moment in ms that previews show; None: the middle frame's.
    should_pause
        Whether to wait before the next step.
    """

    run_id: str
    should_stop: Callable[[], bool] = lambda: False
    preview_time: Callable[[], float | None] = lambda: None
    should_pause: Callable[[], bool] = lambda: False

    def as_options(self) -> dict[str, Any]:
        """Return them as the keywords of `iter_reconstruct` and `iter_resume`."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


class StopAskedError(Exception):
    """A stop was asked for; whatever was worked on is left to itself, and its outcome dropped."""


class Patience:
    """A thread that works, and one that listens while it does.

    Parameters
    ----------
    should_stop
        Whether a stop was asked for; called in the listening thread.
    """

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self._should_stop = should_stop
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="fit")

    def __enter__(self) -> Patience:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def do(self, work: Callable[[], _T], linger_s: float = 0.0) -> _T:
        """Return what `work` returns, or raise what it raises.

        Parameters
        ----------
        work
            Runs in the other thread; it must leave nothing behind that others use.
        linger_s
            Seconds to wait for it after a stop was asked for: it may be almost done.

        Raises
        ------
        StopAskedError
            If a stop was asked for before it was done.
        """
        future = self.begin(work)
        while not _is_done(future, _POLL_S):
            if self._should_stop():
                if _is_done(future, linger_s):
                    break
                raise StopAskedError
        return future.result()

    def begin(self, work: Callable[[], _T]) -> Future[_T]:
        """Let `work` run in the other thread; whoever waits for it listens meanwhile."""
        return self._threads.submit(work)


def _is_done(future: Future[_T], within_s: float) -> bool:
    return bool(wait([future], within_s).done)
