"""Closing the window: asked once, and only while a run goes on."""

import pytest
from qtpy.QtCore import QEvent, QObject, Qt, Signal, Slot
from qtpy.QtWidgets import QDockWidget, QMainWindow, QMessageBox, QWidget

from napari_nstm._qt.running.closing import CloseGuard


class Session(QObject):
    ended = Signal()

    def __init__(self):
        super().__init__()
        self.running, self.paused, self.discarding, self.n_shutdown = True, False, False, 0

    @Slot()
    def shutdown(self):
        self.n_shutdown += 1
        self.running = False


class CloseByHand:
    """What Qt sends when the user closes a window: no event that a program sends says so."""

    def __init__(self):
        self.ignored = False

    def type(self):
        return QEvent.Type.Close

    def spontaneous(self):
        return True

    def ignore(self):
        self.ignored = True


@pytest.fixture
def scene(qtbot):
    window, panel, session = QMainWindow(), QWidget(), Session()
    guard = CloseGuard(panel, session, session.shutdown)
    dock = QDockWidget()
    dock.setWidget(panel)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: guard._window is window)
    return window, panel, session, guard


def test_asked_once_and_closed(scene, qtbot, monkeypatch):
    window, _, session, guard = scene
    asked = []
    monkeypatch.setattr(guard, "ask", lambda: asked.append(1) or True)
    event = CloseByHand()
    assert guard.eventFilter(window, event), "the event goes no further: napari would ask again"
    assert event.ignored
    assert not session.running
    qtbot.waitUntil(lambda: not window.isVisible())
    assert asked == [1]


def test_the_user_goes_on(scene, qtbot, monkeypatch):
    window, _, session, guard = scene
    monkeypatch.setattr(guard, "ask", lambda: False)
    assert guard.eventFilter(window, CloseByHand())
    qtbot.wait(50)
    assert session.running
    assert window.isVisible()


def test_nothing_is_asked_while_nothing_runs(scene, monkeypatch):
    window, _, session, guard = scene
    session.running = False
    monkeypatch.setattr(guard, "ask", lambda: pytest.fail("asked"))
    assert not guard.eventFilter(window, CloseByHand())


def test_closed_by_program_nothing_is_asked_and_all_ended(scene, monkeypatch):
    window, _, session, guard = scene
    monkeypatch.setattr(guard, "ask", lambda: pytest.fail("asked"))
    window.close()
    assert session.n_shutdown >= 1


def test_a_panel_whose_dock_is_closed_ends_its_process(scene, qtbot):
    _, panel, session, _ = scene
    panel.setParent(None)
    qtbot.waitUntil(lambda: session.n_shutdown == 1)


def test_a_floating_panel_goes_on(scene, qtbot):
    _, panel, session, _ = scene
    panel.parent().setFloating(True)
    qtbot.wait(50)
    assert session.n_shutdown == 0


def test_a_panel_that_is_destroyed_ends_its_process(scene, qtbot):
    _, panel, session, _ = scene
    panel.deleteLater()
    qtbot.waitUntil(lambda: session.n_shutdown == 1)


def test_what_is_being_discarded_is_not_asked_about(scene, monkeypatch):
    window, _, session, guard = scene
    session.discarding = True
    monkeypatch.setattr(guard, "ask", lambda: pytest.fail("asked"))
    assert not guard.eventFilter(window, CloseByHand())


@pytest.mark.parametrize("paused", [False, True])
def test_the_question_says_what_the_run_does(scene, monkeypatch, paused):
    _, _, session, guard = scene
    session.paused = paused
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()))
    assert not guard.ask(), "without an answer it goes on"
    assert asked == [f"Close napari although a reconstruction is {'paused' if paused else 'running'}?"]
