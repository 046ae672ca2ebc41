"""The bar at the foot of the panel: what will happen, Run or Stop, how far it is, and what there is to say."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_nstm.core.events import Prepared, Progress, Working

_GB = 1e9
_SHORTCUT = "Ctrl+Return"


class RunBar(QWidget):
    """One button that is Run or Stop, with the progress of a run.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    run_asked = Signal()
    stop_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.outlook = _words("What will happen, before Run is pressed.")
        self.button = QPushButton("Run")
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.setMinimumHeight(32)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(10)
        self.state = _words("What the run does now.")
        self.message = _words("What there is to say.")
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        for widget in (self.outlook, self.button, self.progress, self.state, self.message):
            layout.addWidget(widget)
        self.button.clicked.connect(self._clicked)
        self._running = False
        self._n_levels = 0
        self.set_idle()
        self.say("")

    # -- states -------------------------------------------------------------

    def set_ready(self, ready: bool, why_not: str = "") -> None:
        """Allow Run, or say why not."""
        self._ready = ready
        if not self._running:
            self.button.setEnabled(ready)
            self.button.setToolTip(f"Reconstruct the scene and its motion ({_SHORTCUT})." if ready else why_not)

    def set_running(self) -> None:
        """Run becomes Stop."""
        self._running = True
        self._call_button("Stop")
        self.button.setEnabled(True)
        self.button.setToolTip(f"End the run and keep what was reached ({_SHORTCUT}).")
        self._busy("Starting…")
        self.progress.show()
        self.state.show()

    def set_stopping(self) -> None:
        """Stop was asked for."""
        self.button.setEnabled(False)
        self.state.setText("Stopping…")

    def set_idle(self, ready: bool = False) -> None:
        """Stop becomes Run."""
        self._running = False
        self._call_button("Run")
        self.progress.hide()
        self.state.hide()
        self.set_ready(ready)

    # -- what is said -------------------------------------------------------

    def show_outlook(self, prepared: Prepared | None, text: str = "") -> None:
        """Say what a run will do and need, and what else there is to know; or just a text."""
        known = [outlook(prepared)] if prepared is not None else []
        self.outlook.setText("\n".join([*known, text] if text else known))
        self.outlook.setVisible(bool(self.outlook.text()))

    def show_working(self, event: Working) -> None:
        """Say what takes long without a step of the fit, and how far it is where that can be told."""
        if event.done is None or event.total is None:
            self._busy(f"{event.what}…")
            return
        self.progress.setRange(0, event.total)
        self.progress.setValue(event.done)
        self.state.setText(f"{event.what} · {event.done} of {event.total}{_left(event.remaining_s)}")
        self.state.setToolTip("What is made beside the fit's result, which is complete; Stop keeps both.")

    def show_progress(self, event: Progress, size: str) -> None:
        """Show level, loss and remaining time.

        Parameters
        ----------
        event
            How far the fit is.
        size
            Size of the level at work in pixels, in words.
        """
        self.progress.setRange(0, event.n_steps)
        self.progress.setValue(event.step)
        left = _left(event.remaining_s)
        self.state.setText(f"{size} · step {event.step} of {event.n_steps} · loss {event.loss:.3g}{left}")
        self.state.setToolTip(
            "Size at which the fit works now, steps, mean squared error in units of the normalised frames, squared."
        )

    def say(self, text: str, *, problem: bool = False) -> None:
        """Show a sentence, in place of the one before; an empty one takes it away."""
        self.message.setText(f"⚠ {text}" if problem and text else text)
        self.message.setVisible(bool(text))

    def _call_button(self, name: str) -> None:
        self.button.setText(name)
        self.button.setShortcut(_SHORTCUT)  # a new text takes it away

    def _busy(self, text: str) -> None:
        self.progress.setRange(0, 0)
        self.state.setText(text)

    def _clicked(self) -> None:
        (self.stop_asked if self._running else self.run_asked).emit()


def outlook(prepared: Prepared) -> str:
    """Say in one or two lines what a run will do: frames, size, device, memory, time."""
    needed = f"needs {memory(prepared.memory_bytes)}"
    free = prepared.memory_free_bytes
    if free is not None:
        needed += f" of {memory(free)} free"
        if prepared.memory_bytes > free:
            needed = f"⚠ {needed}"
    parts = [prepared.device, needed]
    if prepared.expected_s is not None:
        parts.append(f"about {duration(prepared.expected_s)}")
    return f"{prepared.summary}\n{' · '.join(parts)}"


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
