"""What a movie is to show, as a form."""

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from napari_nstm._qt.task_row import message_label, set_words
from napari_nstm.core.errors import InputError
from napari_nstm.io.pace import MoviePlan, movie_plan
from napari_nstm.io.result import StoredResult


class MovieForm(QWidget):
    """Channel, arrows and pace of a movie.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stored: StoredResult | None = None
        self._problems: dict[str, QLabel] = {}
        self.channel = _Choice()
        self.plane = QLineEdit()
        self.arrows = _Choice()
        for text, value in (("coloured by direction", "direction"), ("coloured by speed", "speed"), ("none", "")):
            self.arrows.addItem(text, value)
        self.beside = QCheckBox("conventional beside it")
        self.time_points, self.fps = QLineEdit(), QLineEdit()
        self.loop = _Choice()
        for text, value in (("once through", "once"), ("there and back", "boomerang")):
            self.loop.addItem(text, value)
        self._form = QFormLayout(self)
        self._lay_out()
        for choice in (self.channel, self.arrows, self.loop):
            choice.currentIndexChanged.connect(self._edited)
        for edit in (self.plane, self.time_points, self.fps):
            edit.textChanged.connect(self._edited)
        self.beside.toggled.connect(self._edited)
        self.set_result(None)

    def set_result(self, stored: StoredResult | None) -> None:
        """Offer the channels, and the planes, of a result; what was chosen stays where it can."""
        before, self._stored = self.channel.currentText(), stored
        names = [] if stored is None else [channel.name for channel in stored.channels]
        self.channel.blockSignals(True)
        self.channel.clear()
        self.channel.addItems(names)
        # The last channel is what DPC is made for: the phase.
        self.channel.setCurrentIndex(names.index(before) if before in names else len(names) - 1)
        self.channel.blockSignals(False)
        self._form.setRowVisible(self.channel.parentWidget(), len(names) != 1)
        self._form.setRowVisible(self.plane.parentWidget(), self._is_volume)
        if stored is not None and self._is_volume:
            self.plane.setPlaceholderText(f"middle ({stored.shape[0] // 2}) of 0 to {stored.shape[0] - 1}")
        has_conventional = stored is not None and stored.has_conventional
        self.beside.setEnabled(has_conventional)
        if stored is not None and not has_conventional:
            self.beside.setChecked(False)
        self._edited()

    def plan(self) -> MoviePlan | None:
        """Return how long the movie will be, as a video; None where an entry does not do, which is said beside it."""
        stored = self._stored
        if stored is None:
            return None
        times = stored.frame_times_ms
        problems: dict[str, str] = {}
        plan = None
        n_moments = _number(self.time_points, int, "frames", problems)
        fps = _number(self.fps, float, "fps", problems)
        plane = self._plane(problems)
        if plane is not None and not 0 <= plane < stored.shape[0]:
            problems["plane"] = f"{plane} does not do; give 0 to {stored.shape[0] - 1}."
        try:
            boomerang = self.loop.currentData() == "boomerang"
            plan = movie_plan((times[-1] - times[0]) / 1000, n_moments, fps, boomerang=boomerang)
        except InputError as error:
            problems[error.field] = f"{error.got} does not do; give {error.takes}."
        for field, label in self._problems.items():
            set_words(label, problems.get(field, ""), problem=True)
        return None if problems else plan

    def wishes(self) -> dict[str, Any]:
        """Return what `write_movie` is to be given; `plan` must have found nothing wrong."""
        return {
            "n_frames": _number(self.time_points, int, "frames", {}),
            "fps": _number(self.fps, float, "fps", {}),
            "plane": self._plane({}),
            "channel": self.channel.currentText(),
            "side_by_side": self.beside.isChecked(),
            "arrows": bool(self.arrows.currentData()),
            "arrow_color": self.arrows.currentData() or "direction",
            "loop": self.loop.currentData(),
        }

    def show_problem(self, field: str, text: str) -> bool:
        """Show a sentence at a parameter of `write_movie`; returns whether it has a row here."""
        if field not in self._problems:
            return False
        set_words(self._problems[field], text, problem=True)
        return True

    # -- inside -------------------------------------------------------------

    @property
    def _is_volume(self) -> bool:
        return self._stored is not None and len(self._stored.shape) == 3

    def _plane(self, problems: dict[str, str]) -> int | None:
        return _number(self.plane, int, "plane", problems) if self._is_volume else None

    def _edited(self) -> None:
        plan = self.plan()
        if plan is not None:
            # Of the two, what is left free follows what is given.
            self.time_points.setPlaceholderText(f"auto ({plan.n_moments})")
            self.fps.setPlaceholderText(f"auto ({plan.fps:.3g})")
        self.changed.emit()

    def _lay_out(self) -> None:
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        rows = (
            ("channel", "Channel", self.channel, "The channel that is shown."),
            ("plane", "Plane", self.plane, "Plane of the volume that is shown, counted from 0."),
            ("arrows", "Arrows", self.arrows, "They show how far the sample has moved since the first frame."),
            ("side_by_side", "Compare", self.beside, "On the left, what the frames give if nothing moved."),
            ("frames", "Time points", self.time_points, "Moments that are shown, evenly spaced over the acquisition."),
            ("fps", "Frames/s", self.fps, "Frames per second; auto: real time, where that can be watched."),
            ("loop", "Plays", self.loop, "A GIF starts over for ever, whichever is chosen."),
        )
        for field, title, editor, tip in rows:
            problem = self._problems[field] = message_label(f"Problem of {title}")
            cell = QWidget()
            column = QVBoxLayout(cell)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(2)
            column.addWidget(editor)
            column.addWidget(problem)
            label = QLabel(title)
            label.setBuddy(editor)
            for widget in (label, editor):
                widget.setToolTip(tip)
            editor.setAccessibleName(title)
            self._form.addRow(label, cell)


class _Choice(QComboBox):
    """A choice that the mouse wheel does not change in passing."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Scroll the panel instead, unless it was clicked before."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def _number(edit: QLineEdit, kind: type, field: str, problems: dict[str, str]) -> Any:
    """Return the number in a line, None where it is left free; what is none becomes a problem."""
    text = edit.text().strip()
    if text in ("", "auto"):
        return None
    try:
        return kind(text)
    except ValueError:
        takes = "a whole number" if kind is int else "a number"
        problems[field] = f"“{text}” does not do; give {takes}, or leave it empty."
        return None
