"""Pictures on their way from the window, which draws them, to the thread that writes them."""

from collections.abc import Callable, Iterator
from queue import Empty, Queue
from typing import Any

from numpy.typing import NDArray

from napari_nstm.core.errors import CancelledError

_LOOK_S = 0.05


class FrameQueue:
    """A few pictures; the window waits while it is full, the thread while it is empty.

    Parameters
    ----------
    most
        How many may wait.
    """

    def __init__(self, most: int = 3) -> None:
        self._waiting: Queue[NDArray[Any]] = Queue(most)
        self._error: Exception | None = None
        self._closed = False
        self.begun = False

    # -- for the window -----------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the thread is behind."""
        return self._waiting.full()

    def put(self, frame: NDArray[Any]) -> None:
        """Hand over a picture; the queue must not be full."""
        self._waiting.put_nowait(frame)

    def close(self) -> None:
        """Say that there will be no more."""
        self._closed = True

    def abort(self, error: Exception | None = None) -> None:
        """Let the thread leave off with an error; without one it was called off."""
        self._error = error or CancelledError()

    # -- for the thread -----------------------------------------------------

    def frames(self, should_stop: Callable[[], bool]) -> Iterator[NDArray[Any]]:
        """Yield pictures until there are no more.

        Raises
        ------
        CancelledError
            When they are not wanted any more; or the error that the window met.
        """
        self.begun = True
        while True:
            if self._error is not None:
                raise self._error
            if should_stop():
                raise CancelledError
            try:
                frame = self._waiting.get(timeout=_LOOK_S)
            except Empty:
                if self._closed and self._waiting.empty() and self._error is None:
                    return
            else:
                yield frame
