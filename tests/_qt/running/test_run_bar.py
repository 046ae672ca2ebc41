"""The bar says what a run does, each number with its unit, and what can be done about it."""

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel

from napari_nstm._qt.running.run_bar import RunBar, duration, memory
from napari_nstm.core.events import PartDone, Paused, Progress, Working


@pytest.fixture
def bar(qtbot):
    made = RunBar()
    qtbot.addWidget(made)
    made.show()
    return made


def test_what_says_what_will_happen_stands_above_the_button(bar, qtbot):
    card = QLabel("4 frames")
    bar.set_card(card)
    card.show()
    qtbot.waitUntil(lambda: 0 < card.geometry().bottom() < bar.button.y())


def test_run_becomes_stop_and_run_again(bar, qtbot):
    bar.set_ready(True)
    with qtbot.waitSignal(bar.run_asked):
        bar.button.click()
    bar.set_running()
    assert bar.button.text() == "Stop and keep"
    with qtbot.waitSignal(bar.stop_asked):
        bar.button.click()
    bar.set_stopping()
    assert not bar.button.isEnabled()
    bar.set_idle(ready=True)
    assert (bar.button.text(), bar.button.isEnabled()) == ("Run", True)
    assert not bar.progress.isVisible()


def test_why_it_cannot_run_is_said(bar):
    bar.set_ready(False, "Choose raw frames first.")
    assert not bar.button.isEnabled()
    assert bar.button.toolTip() == "Choose raw frames first."


def test_a_run_may_be_stopped_whatever_the_form_says(bar):
    bar.set_running()
    bar.set_ready(False, "Mend it.")
    assert bar.button.isEnabled()


def test_progress_tells_size_step_loss_and_time(bar):
    bar.set_running()
    bar.show_working(Working("r", "Compiling for 64 x 64 pixels", compiling=True))
    assert bar.state.text() == "Compiling for 64 x 64 pixels…"
    assert bar.progress.maximum() == 0, "how long a compile takes cannot be told"
    bar.show_progress(Progress("r", 120, 300, 1, 0.5, 0.000412, 3.0, 18.4), "128 × 128 px")
    assert bar.state.text() == "128 × 128 px · step 120 of 300 · 18 s left"
    assert bar.curve.accessibleDescription() == "loss 0.00041 at step 120 of 300"
    assert (bar.progress.value(), bar.progress.maximum()) == (120, 300)


def test_pause_becomes_resume_and_pause_again(bar, qtbot):
    bar.set_running()
    assert bar.pause_button.text().replace("&", "") == "Pause"
    with qtbot.waitSignal(bar.pause_asked):
        bar.pause_button.click()
    bar.set_pausing()
    bar.show_paused(Paused("r", 120, 300))
    assert bar.state.text() == "Paused at step 120 of 300"
    assert bar.pause_button.text().replace("&", "") == "Resume"
    with qtbot.waitSignal(bar.go_on_asked):
        bar.pause_button.click()
    bar.set_going_on()
    bar.show_paused(Paused("r", 121, 300))  # said before it heard that it goes on
    assert "Paused" not in bar.state.text()
    assert bar.pause_button.text().replace("&", "") == "Pause"


def test_a_short_run_is_discarded_at_once_and_a_long_one_after_a_question(bar, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(bar, "ask_discard", lambda: bool(asked.append(1)))
    bar.set_running()
    with qtbot.waitSignal(bar.discard_asked):
        bar.discard_button.click()
    assert not asked
    bar.set_running()
    bar.show_progress(Progress("r", 1, 300, 1, 0.5, 0.1, 61.0, 18.4), "64 × 64 px")
    with qtbot.assertNotEmitted(bar.discard_asked):
        bar.discard_button.click()
    assert asked == [1]


def test_what_was_reached_before_a_run_was_resumed_is_not_thrown_away_by_one_click(bar, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(bar, "ask_discard", lambda: bool(asked.append(1)))
    bar.set_running()
    bar.curve.set_history([1.0, 0.5], n_steps=300)
    with qtbot.assertNotEmitted(bar.discard_asked):
        bar.discard_button.click()
    assert asked == [1]


def test_a_run_that_ends_while_it_is_asked_about_is_kept(bar, qtbot):
    bar.set_running()
    QTimer.singleShot(50, bar.set_idle)
    assert not bar.ask_discard()


def test_a_question_answered_with_discard_discards(bar, qtbot):
    bar.set_running()
    QTimer.singleShot(50, lambda: answer(bar, "Discard"))
    assert bar.ask_discard()
    QTimer.singleShot(50, lambda: qtbot.keyClick(bar._question, Qt.Key.Key_Escape))
    assert not bar.ask_discard()


def test_a_pause_that_comes_after_the_last_step_is_over(bar):
    bar.set_running()
    bar.set_pausing()
    bar.show_working(Working("r", "FISTA-TV", done=1, total=300))
    assert bar.pause_button.text().replace("&", "") == "Pause"
    assert not bar.pause_button.isEnabled()
    bar.show_working(Working("r", "Writing the result"))
    assert bar.state.text() == "Writing the result…"


def test_what_was_stopped_can_still_be_discarded_but_not_paused(bar):
    bar.set_running()
    bar.set_stopping()
    assert (bar.pause_button.isEnabled(), bar.discard_button.isEnabled()) == (False, True)
    bar.set_discarding()
    assert not bar.discard_button.isEnabled()
    assert bar.state.text() == "Discarding…"
    bar.show_progress(Progress("r", 120, 300, 1, 0.5, 0.1, 3.0, 18.4), "64 × 64 px")
    assert bar.state.text() == "Discarding…"
    bar.set_idle(ready=True)
    assert not bar.discard_button.isVisible()


def test_something_slow_after_the_fit_has_a_bar_of_its_own(bar, qtbot):
    bar.set_running()
    bar.show_working(Working("r", "FISTA-TV", done=40, total=300, remaining_s=600.0))
    assert bar.state.text() == "FISTA-TV · 40 of 300 · 10 min left"
    assert (bar.progress.value(), bar.progress.maximum()) == (40, 300)
    bar.show_working(Working("r", "FISTA-TV", done=1, total=300))
    assert bar.state.text() == "FISTA-TV · 1 of 300"
    with qtbot.waitSignal(bar.stop_asked):
        bar.button.click()
    bar.show_working(Working("r", "Writing the result"))
    assert bar.progress.maximum() == 0


def test_a_sentence_replaces_the_one_before(bar):
    bar.say("It broke.", problem=True)
    assert bar.message.text() == "⚠ It broke."
    bar.say("")
    assert not bar.message.isVisible()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (9.4, "9 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(("n", "words"), [(1e4, "1 MB"), (86e6, "86 MB"), (1e9, "1.0 GB"), (23.74e9, "23.7 GB")])
def test_memory(n, words):
    assert memory(n) == words


def test_the_keyboard_runs_and_stops(bar, qtbot):
    bar.set_ready(True)
    bar.activateWindow()
    qtbot.waitUntil(bar.isActiveWindow)
    with qtbot.waitSignal(bar.run_asked):
        qtbot.keyClick(bar, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    bar.set_running()
    with qtbot.waitSignal(bar.stop_asked):
        qtbot.keyClick(bar, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def answer(bar, name):
    next(button for button in bar._question.buttons() if button.text().replace("&", "") == name).click()


def part(done, status="finished", total=4):
    return PartDone("r", f"tile {done + (status != 'finished')} of {total}", done, total, None, "It went so.", status)


def test_of_tiles_it_is_told_which_one_is_at_work(bar):
    bar.set_running()
    bar.set_tiles(4, at_once=False)
    bar.show_working(Working("r", "Compiling for 64 x 64 pixels", compiling=True))
    assert bar.state.text() == "Tile 1 of 4 · Compiling for 64 x 64 pixels…"
    assert bar.progress.maximum() == 0
    bar.show_progress(Progress("r", 3, 1200, 1, 0.5, 0.4, 3.0, 2000.0), "512 × 512 px")
    assert bar.state.text() == "Tile 1 of 4 · step 3 of 1200", "it has compiled most of the time"
    bar.show_progress(Progress("r", 160, 1200, 1, 0.5, 0.4, 3.0, 90.4), "512 × 512 px")
    assert bar.state.text() == "Tile 1 of 4 · step 160 of 1200 · 2 min left"
    bar.show_part(part(1))
    bar.show_working(Working("r", "Preparing"))
    assert bar.state.text() == "Tile 2 of 4 · Preparing…"
    assert (bar.progress.value(), bar.progress.maximum()) == (160, 1200), "how far all are stays to be seen"
    assert not bar.message.isVisible()
    bar.show_part(part(1, "failed"))
    assert bar.message.text() == "⚠ Tile 2 of 4: It went so."
    bar.show_progress(Progress("r", 700, 1200, 1, 0.5, 0.4, 3.0, None), "512 × 512 px")
    assert bar.state.text() == "Tile 3 of 4 · step 700 of 1200"
    bar.show_part(part(3))
    bar.show_working(Working("r", "Blending tiles", done=1, total=8))
    assert bar.state.text() == "Blending tiles · 1 of 8"
    bar.set_running()  # the next run has none
    bar.show_progress(Progress("r", 120, 300, 1, 0.5, 0.4, 3.0, None), "128 × 128 px")
    assert bar.state.text() == "128 × 128 px · step 120 of 300"


def test_on_a_cluster_tiles_are_counted(bar):
    bar.set_running()
    bar.set_tiles(16, at_once=True)
    bar.set_tiles_done(3)  # by the run before
    bar.show_progress(Progress("r", 120, 1600, 1, 0.5, 0.4, 3.0, None), "512 × 512 px")
    assert bar.state.text() == "3 of 16 tiles done · step 120 of 1600"


def test_a_result_that_goes_on_cannot_be_discarded(bar):
    bar.set_running(can_discard=False)
    bar.set_pausing()
    assert not bar.discard_button.isVisible()
    bar.set_running()
    assert bar.discard_button.isVisible()
