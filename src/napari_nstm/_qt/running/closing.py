"""What happens to a run when napari's window closes: the user is asked once, and no process is left."""

from collections.abc import Callable
from weakref import ref

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_nstm._qt.running.session import FitSession


class CloseGuard(QObject):
    """Watches the window that a panel stands in.

    Parameters
    ----------
    panel
        The panel; its window is watched as soon as it has one.
    session
        Its fitting process; ended in any case when the panel is gone.
    shutdown
        Ends all work of the panel; may be called more than once.
    """

    def __init__(self, panel: QWidget, session: FitSession, shutdown: Callable[[], None]) -> None:
        super().__init__(panel)
        self._panel, self._session, self._shutdown = panel, session, shutdown
        self._watched: ref[QWidget] | None = None  # weak: a panel that somebody keeps must not keep the window
        panel.installEventFilter(self)
        # The last resort, where a window goes without a word. It is the session's alone, which survives the panel;
        # the application, which outlives both, must not keep it.
        known = ref(session)
        panel.destroyed.connect(lambda _=None: session.shutdown())
        QCoreApplication.instance().aboutToQuit.connect(lambda: _shut_down(known()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Qt's name: see what happens to the window and to the panel."""
        if not hasattr(self, "_panel"):
            return False  # PySide calls this also while Python takes the object apart
        kind = event.type()
        if watched is self._panel:
            if kind in (QEvent.Type.Show, QEvent.Type.ParentChange):
                # In the next turn: napari moves a panel about while it docks it.
                QTimer.singleShot(0, self._find_window)
        elif kind == QEvent.Type.Close and watched is self._window:
            return self._closing(event)
        return False

    @property
    def _window(self) -> QWidget | None:
        return None if self._watched is None else self._watched()

    def _find_window(self) -> None:
        window = self._panel.window()
        if window is self._panel:
            if self._window is not None and self._panel.parent() is None:
                self._shutdown()  # taken out of the window for good: its dock was closed
            return
        if window is not self._window:
            if self._window is not None:
                self._window.removeEventFilter(self)
            self._watched = ref(window)
            window.installEventFilter(self)

    def _closing(self, event: QEvent) -> bool:
        # What is being discarded is not asked about again.
        if self._session.running and not self._session.discarding and event.spontaneous():
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
        what = "paused" if self._session.paused else "running"
        box.setWindowTitle(f"A reconstruction is {what}")
        box.setText(f"Close napari although a reconstruction is {what}?")
        box.setInformativeText("What it has reached is kept: you can go on with it the next time.")
        close = box.addButton("Close", QMessageBox.ButtonRole.AcceptRole)
        box.addButton("Go on", QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return box.clickedButton() is close


def _shut_down(session: FitSession | None) -> None:
    if session is not None:
        session.shutdown()
