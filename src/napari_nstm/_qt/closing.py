"""What happens to a run when napari's window closes: the user is asked once, and no process is left."""

from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer
from qtpy.QtWidgets import QMessageBox, QWidget


class CloseGuard(QObject):
    """Watches the window that a panel stands in.

    Parameters
    ----------
    panel
        The panel; its window is watched as soon as it has one.
    is_running
        Whether a run goes on.
    shutdown
        Ends the fitting process; may be called more than once.
    """

    def __init__(self, panel: QWidget, is_running: Callable[[], bool], shutdown: Callable[[], None]) -> None:
        super().__init__(panel)
        self._panel, self._is_running = panel, is_running
        self._window: QWidget | None = None
        panel.installEventFilter(self)
        self._shutdown = _once(shutdown)
        # The last resort, where a window goes without a word. Not a method of this object, which goes too.
        panel.destroyed.connect(self._shutdown)
        QCoreApplication.instance().aboutToQuit.connect(self._shutdown)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Qt's name: see what happens to the window and to the panel."""
        kind = event.type()
        if watched is self._panel:
            if kind in (QEvent.Type.Show, QEvent.Type.ParentChange):
                # In the next turn: napari moves a panel about while it docks it.
                QTimer.singleShot(0, self._find_window)
        elif watched is self._window and kind == QEvent.Type.Close:
            return self._closing(event)
        return False

    def _find_window(self) -> None:
        window = self._panel.window()
        if window is self._panel:
            if self._window is not None and self._panel.parent() is None:
                self._shutdown()  # taken out of the window for good: its dock was closed
            return
        if window is not self._window:
            if self._window is not None:
                self._window.removeEventFilter(self)
            self._window = window
            window.installEventFilter(self)

    def _closing(self, event: QEvent) -> bool:
        if self._is_running() and event.spontaneous():
            event.ignore()
            if self.ask():
                self._shutdown()
                # By program, so that napari does not ask a second time.
                QTimer.singleShot(0, self._window.close)
            return True
        if event.spontaneous():
            QTimer.singleShot(0, self._see_whether_closed)  # napari may ask, and be told not to
        else:
            # By program, or napari has asked already: nothing stops it any more.
            self._shutdown()
        return False

    def _see_whether_closed(self) -> None:
        if self._window is not None and not self._window.isVisible():
            self._shutdown()

    def ask(self) -> bool:
        """Ask whether to close although a run goes on."""
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("A reconstruction is running")
        box.setText("Close napari although a reconstruction is running?")
        box.setInformativeText("What it has reached is kept: you can go on with it the next time.")
        close = box.addButton("Close", QMessageBox.ButtonRole.AcceptRole)
        box.addButton("Go on", QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return box.clickedButton() is close


def _once(shutdown: Callable[[], None]) -> Callable[..., None]:
    """Let the application forget a panel that is gone."""

    def run(_: object = None) -> None:
        with suppress(TypeError, RuntimeError):  # disconnected before, or there is no application any more
            QCoreApplication.instance().aboutToQuit.disconnect(run)
        shutdown()

    return run
