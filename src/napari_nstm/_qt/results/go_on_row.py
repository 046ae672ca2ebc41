"""A run that has ended goes on: a number of steps, and a button."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QSpinBox, QWidget

from napari_nstm.run.attempts import Attempt

AT_MOST = 1_000_000

_LEAST, _SHARE = 20, 0.25  # steps that are proposed: of those that the run took
_FURTHER, _TO_ITS_END = "Go on for", "Go on to its end"
_TILED = "The tiles of a finished result cannot go on; a run with more epochs refines them."
_DIVERGED = "This run diverged, and would again."


class GoOnRow(QWidget):
    """Lets a run go on; hidden while no run is chosen.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    asked = Signal(object)
    """Steps beyond the end of the run; None: to its end."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._proposed_for: object = None
        self.button = QPushButton(_FURTHER)
        self.steps = QSpinBox()
        self.steps.setRange(1, AT_MOST)
        self.steps.setSuffix(" steps")
        self.steps.setAccessibleName("Further steps")
        self.steps.setToolTip("Steps of the fit beyond the end of the run, at full size.")
        self.steps.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the wheel scrolls the panel
        for part in (self.button, self.steps):
            part.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.steps)
        self.button.clicked.connect(self._clicked)
        self.offer(None, possible=False)

    def offer(self, attempt: Attempt | None, *, possible: bool) -> None:
        """Offer to go on with a run.

        Parameters
        ----------
        attempt
            How the run ended; None: none is chosen, or that is not known yet.
        possible
            Whether a run may be started now.
        """
        self.setVisible(attempt is not None)
        if attempt is None:
            return
        finished = attempt.status == "finished"
        why_not = ""
        if attempt.status == "diverged":
            why_not = _DIVERGED
        elif finished and attempt.job.compute.in_tiles:
            why_not = _TILED
        elif not possible:
            why_not = "Another run goes on."
        self.button.setText(_FURTHER if finished else _TO_ITS_END)
        self.button.setEnabled(not why_not)
        left = attempt.n_steps - attempt.step
        tip = "Refine this result with further steps of the fit." if finished else f"{left} steps of the fit are left."
        self.button.setToolTip(why_not or f"{tip} It takes the place of what is there.")
        self.steps.setVisible(finished)
        self.steps.setEnabled(not why_not)
        if self._proposed_for != (attempt.path, attempt.n_steps):
            self._proposed_for = (attempt.path, attempt.n_steps)
            self.steps.setValue(max(_LEAST, round(_SHARE * attempt.n_steps)))

    def _clicked(self) -> None:
        self.asked.emit(None if self.steps.isHidden() else self.steps.value())
