"""The bar at the foot of the panel: Run, or what can be done about a run, how far it is, what there is to say."""

import time

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_nstm._qt.running.loss_curve import LossCurve
from napari_nstm._qt.running.tile_count import TileCount
from napari_nstm.core.events import PartDone, Paused, Progress, Working

_GB = 1e9
_SHORTCUT = "Ctrl+Return"
_ASKED_AFTER_S = 60.0  # a run that took longer is not thrown away by one click
# Alt+U for both; P is the letter of napari's menu of plugins.
_PAUSE, _GO_ON, _DISCARD = "Pa&use", "Res&ume", "&Discard"


class RunBar(QWidget):
    """Run; or, while a run goes on, stop and keep, pause or resume, discard, with its progress.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    run_asked = Signal()
    stop_asked = Signal()
    pause_asked = Signal()
    go_on_asked = Signal()
    discard_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QPushButton("Run")
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.pause_button = QPushButton(_PAUSE)
        self.discard_button = QPushButton(_DISCARD)
        self.discard_button.setToolTip(
            f"End the run and keep nothing of it (Alt+D); asks first if it took more than {_ASKED_AFTER_S:g} s, "
            "or was resumed."
        )
        self.curve = LossCurve()
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(10)
        self.state = _words("What the run does now.")
        self.message = _words("What there is to say.")
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QHBoxLayout()
        for button in (self.button, self.pause_button, self.discard_button):
            button.setMinimumHeight(32)
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        for widget in (self.progress, self.state, self.curve, self.message):
            layout.addWidget(widget)
        self.button.clicked.connect(self._clicked)
        self.pause_button.clicked.connect(self._pause_clicked)
        self.discard_button.clicked.connect(self._discard_clicked)
        self._running = self._pausing = self._ending = False
        self._began_s = self._elapsed_s = 0.0
        self._tiles = TileCount()
        self._question: QMessageBox | None = None
        self.set_idle()
        self.say("")

    def set_card(self, widget: QWidget) -> None:
        """Let a widget that says what will happen stand above the button."""
        self.layout().insertWidget(0, widget)
        QWidget.setTabOrder(widget, self.button)

    # -- states -------------------------------------------------------------

    def set_ready(self, ready: bool, why_not: str = "") -> None:
        """Allow Run, or say why not."""
        self._ready = ready
        if not self._running:
            self.button.setEnabled(ready)
            self.button.setToolTip(f"Reconstruct the scene and its motion ({_SHORTCUT})." if ready else why_not)

    def set_running(self, *, can_discard: bool = True) -> None:
        """Run becomes Stop and keep, with Pause and Discard beside it; without Discard where a result goes on."""
        self._running, self._ending = True, False
        self._began_s, self._elapsed_s = time.monotonic(), 0.0
        self._call_button("Stop and keep")
        self.button.setEnabled(True)
        self.button.setToolTip(f"End the run and keep what was reached ({_SHORTCUT}).")
        self._set_pausing(False)
        self.curve.clear()
        self._tiles = TileCount()
        self._busy("Starting…")
        self._show_parts(True)
        self.discard_button.setVisible(can_discard)

    def set_pausing(self) -> None:
        """Pause was asked for: it becomes Resume; the step, or the compile, that is under way ends first."""
        self._set_pausing(True)
        self.state.setText("Pausing…")

    def set_going_on(self) -> None:
        """Resume was asked for."""
        self._set_pausing(False)
        self.state.setText("Going on…")

    def set_stopping(self) -> None:
        """Stop was asked for; the run can still be discarded."""
        self._ending = True
        self.button.setEnabled(False)
        self.pause_button.setEnabled(False)
        self.state.setText("Stopping…")

    def set_discarding(self) -> None:
        """Discard was asked for."""
        self.set_stopping()
        self.discard_button.setEnabled(False)
        self.state.setText("Discarding…")

    def set_idle(self, ready: bool = False) -> None:
        """Stop becomes Run."""
        self._running = self._ending = False
        if self._question is not None:
            self._question.reject()  # what it asks about has ended
        self._call_button("Run")
        self._show_parts(False)
        self.set_ready(ready)

    def set_tiles(self, n: int, *, at_once: bool) -> None:
        """Say how far the tiles are beside all else.

        Parameters
        ----------
        n
            Tiles of the run.
        at_once
            Whether several are fitted at the same time.
        """
        self._tiles = TileCount(n, at_once)
        self.curve.set_tiles(at_once=at_once)

    def set_tiles_done(self, done: int) -> None:
        """Say how many tiles are done."""
        self._tiles.done = done

    # -- what is said -------------------------------------------------------

    def show_working(self, event: Working) -> None:
        """Say what takes long without a step of the fit, and how far it is where that can be told."""
        if event.done is None or event.total is None:
            self._busy(f"{event.what}…")
            return
        if self._pausing and not self._ending:
            self._set_pausing(False)  # it was asked for too late
        self.pause_button.setEnabled(False)
        self.pause_button.setToolTip("Only the fit can be paused; it is complete.")
        self.progress.setRange(0, event.total)
        self.progress.setValue(event.done)
        if not self._ending:
            self.state.setText(f"{event.what} · {event.done} of {event.total}{_left(event.remaining_s)}")
            self.state.setToolTip("What is made beside the fit's result, which is complete; Stop keeps both.")

    def show_progress(self, event: Progress, size: str) -> None:
        """Show level, loss (in the curve) and remaining time.

        Parameters
        ----------
        event
            How far the fit is.
        size
            Size of the level at work in pixels, in words.
        """
        self._elapsed_s = event.elapsed_s
        self.progress.setRange(0, event.n_steps)
        self.progress.setValue(event.step)
        size = self._tiles.in_words() or size
        self.curve.add(event, size)
        if self._ending:
            return
        at = f"step {event.step} of {event.n_steps}"
        left = _left(event.remaining_s) if self._tiles.time_is_known(event.step, event.n_steps) else ""
        self.state.setText(f"Pausing… · {at}" if self._pausing else f"{size} · {at}{left}")
        what = "The tile that is fitted now, steps of all tiles" if self._tiles.n else "Size at which the fit works now"
        rest = "" if self._tiles.n else ", steps of the fit"
        self.state.setToolTip(f"{what}{rest}, and about how long it will take.")

    def show_part(self, event: PartDone) -> None:
        """Count a tile that is done; one that went wrong is said, and the others go on."""
        self._tiles.done = event.done
        if event.status == "failed":
            self._tiles.failed += 1
        if event.status in ("failed", "diverged"):
            self.say(f"{event.name[:1].upper()}{event.name[1:]}: {event.message}", problem=True)

    def show_paused(self, event: Paused) -> None:
        """Say that the fit waits, and where."""
        if self._ending or not self._pausing:
            return  # it was told to go on, or to end, before this was heard
        self.progress.setRange(0, event.n_steps)
        self.progress.setValue(event.step)
        self.state.setText(f"Paused at step {event.step} of {event.n_steps}")
        self.state.setToolTip("The fit waits and uses no processor; what it has reached is on the disk.")

    def say(self, text: str, *, problem: bool = False) -> None:
        """Show a sentence, in place of the one before; an empty one takes it away."""
        self.message.setText(f"⚠ {text}" if problem and text else text)
        self.message.setVisible(bool(text))

    def ask_discard(self) -> bool:
        """Ask whether to throw away a run that took long; a run that ends meanwhile is kept."""
        box = self._question = QMessageBox(self.window())
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Discard this run?")
        box.setText("Throw away what this run has reached?")
        box.setInformativeText("Nothing of it is kept. “Stop and keep” ends it with a result instead.")
        discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
        go_on = box.addButton("Go on", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(go_on)
        box.setEscapeButton(go_on)
        box.exec()
        self._question = None
        return self._running and box.clickedButton() is discard

    # -- inside -------------------------------------------------------------

    @property
    def _taken_s(self) -> float:
        """Seconds that the run took: of one that was resumed, those before too."""
        return max(time.monotonic() - self._began_s, self._elapsed_s)

    def _set_pausing(self, pausing: bool) -> None:
        self._pausing = pausing
        self.pause_button.setText(_GO_ON if pausing else _PAUSE)
        self.pause_button.setToolTip(
            "Go on with the fit (Alt+U)." if pausing else "Let the fit wait, without using a processor (Alt+U)."
        )
        self.pause_button.setEnabled(True)
        self.discard_button.setEnabled(True)

    def _show_parts(self, running: bool) -> None:
        for part in (self.pause_button, self.discard_button, self.curve, self.progress, self.state):
            part.setVisible(running)

    def _call_button(self, name: str) -> None:
        self.button.setText(name)
        self.button.setShortcut(_SHORTCUT)  # a new text takes it away

    def _busy(self, text: str) -> None:
        if not self._tiles.started:
            self.progress.setRange(0, 0)
        text = " · ".join(filter(None, [self._tiles.in_words(), text]))
        if not self._ending:
            self.state.setText(f"Pausing… · {text}" if self._pausing else text)

    def _clicked(self) -> None:
        (self.stop_asked if self._running else self.run_asked).emit()

    def _pause_clicked(self) -> None:
        (self.go_on_asked if self._pausing else self.pause_asked).emit()

    def _discard_clicked(self) -> None:
        # Of a run that was resumed it is known only at its next step how long it took before.
        short = self._taken_s < _ASKED_AFTER_S and not self.curve.resumed
        if short or self.ask_discard():
            self.discard_asked.emit()


def memory(n_bytes: int) -> str:
    """Return a size in MB or GB."""
    return f"{n_bytes / _GB:.1f} GB" if n_bytes >= _GB else f"{max(1, round(n_bytes / 1e6))} MB"


def duration(seconds: float) -> str:
    """Return a duration in words, as exact as an estimate is."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f" · {duration(seconds)} left"


def _words(name: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setAccessibleName(name)
    return label
