"""A run that was interrupted, offered again: go on, look at it, or throw it away."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_nstm.run.runs import InterruptedRun

_DISCARD, _FOR_GOOD = "Discard", "Discard for good"


class InterruptedBanner(QFrame):
    """Offers interrupted runs one after another; hidden while there is none.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    resume_asked = Signal(object)
    """`InterruptedRun` to go on with."""
    open_asked = Signal(object)
    """`InterruptedRun` to look at."""
    discard_asked = Signal(object)
    """`InterruptedRun` to remove."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._runs: list[InterruptedRun] = []
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.resume_button = QPushButton("Go on")
        self.resume_button.setToolTip("Go on with the run from its last checkpoint.")
        self.open_button = QPushButton("Look at it")
        self.open_button.setToolTip("Show what it reached, without going on.")
        self.discard_button = QPushButton(_DISCARD)
        self.discard_button.setToolTip("Remove what it reached from the disk; the second click does it.")
        buttons = QHBoxLayout()
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        for button, signal in (
            (self.resume_button, self.resume_asked),
            (self.open_button, self.open_asked),
        ):
            buttons.addWidget(button)
            button.clicked.connect(lambda _=False, signal=signal: self._take(signal))
        buttons.addWidget(self.discard_button)
        self.discard_button.clicked.connect(self._discard_clicked)
        self._show_next()

    def offer(self, runs: list[InterruptedRun]) -> None:
        """Offer these runs, the newest first."""
        self._runs = sorted(runs, key=lambda run: run.created, reverse=True)
        self._show_next()

    def set_resumable(self, possible: bool) -> None:
        """Say whether a run may be started now."""
        self.resume_button.setEnabled(possible)

    def _take(self, signal: Signal) -> None:
        run = self._runs.pop(0)
        self._show_next()
        signal.emit(run)

    def _discard_clicked(self) -> None:
        """Throw a run away at the second click: hours must not be lost by one."""
        if self.discard_button.text() == _FOR_GOOD:
            self._take(self.discard_asked)
        else:
            self.discard_button.setText(_FOR_GOOD)

    def _show_next(self) -> None:
        self.discard_button.setText(_DISCARD)
        self.setVisible(bool(self._runs))
        if self._runs:
            run = self._runs[0]
            more = f" ({len(self._runs) - 1} more)" if len(self._runs) > 1 else ""
            when = run.created.replace("T", " ")[:16]
            self.text.setText(
                f"A run of {run.title} was interrupted at step {run.step} of {run.n_steps} ({when} UTC){more}."
            )
