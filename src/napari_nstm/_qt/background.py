"""Work that would hold up the window, done in a thread of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from qtpy.QtCore import QCoreApplication, QEventLoop, QObject, Qt, QTimer, Signal

_LOOK_MS = 20


class Background(QObject):
    """Runs functions one after another in a thread; what they return, or raise, comes back in the window's thread.

    napari's own workers lose every `RuntimeError` (they take it for an abort); nothing is lost here.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    _ended = Signal(object, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="napari-nstm")
        self._closed = False
        # Queued in any case: work that ends before `submit` returns would be delivered from inside it.
        self._ended.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run `work` after what was submitted before.

        Parameters
        ----------
        work
            Runs in the thread: it must touch neither widgets nor layers.
        done
            Called in the window's thread with what `work` returned.
        failed
            Called in the window's thread with what it raised; without it the error is raised there.
        """
        future = self._threads.submit(work)
        future.add_done_callback(lambda ended: self._hand_over(ended, done, failed))

    def close(self, *, wait: bool = False) -> None:
        """Take no more work, drop what has not begun, and deliver nothing any more.

        Parameters
        ----------
        wait
            For the work that has begun.
        """
        self._closed = True
        self._threads.shutdown(wait=wait, cancel_futures=True)

    def _hand_over(self, ended: "Future[Any]", done: Any, failed: Any) -> None:
        # Still in the thread (or, cancelled, in the closing one): the signal crosses over.
        if not self._closed and not ended.cancelled():
            self._ended.emit(ended, done, failed)

    def _deliver(self, ended: "Future[Any]", done: Any, failed: Any) -> None:
        if self._closed:
            return
        error = ended.exception()
        if error is None:
            if done is not None:
                done(ended.result())
        elif failed is not None and isinstance(error, Exception):
            failed(error)
        else:
            raise error


def wait_for(work: Callable[[], Any]) -> Any:
    """Return what `work` returns, for a caller who must wait; meanwhile the window draws and timers go on.

    What the user does is heard afterwards. `work` runs in a thread: it must touch neither widgets nor layers.
    """
    if QCoreApplication.instance() is None or threading.current_thread() is not threading.main_thread():
        return work()
    loop, timer = QEventLoop(), QTimer()
    with ThreadPoolExecutor(1, thread_name_prefix="napari-nstm-wait") as threads:
        future = threads.submit(work)
        timer.timeout.connect(lambda: loop.quit() if future.done() else None)
        timer.start(_LOOK_MS)
        loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        timer.stop()
        return future.result()
