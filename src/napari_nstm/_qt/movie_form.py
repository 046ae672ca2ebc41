"""What a movie is to show, as a form."""

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.form.row import ProblemLine
from napari_nstm.core.errors import InputError
from napari_nstm.io.channels import is_rgb
from napari_nstm.io.pace import MoviePlan, movie_plan
from napari_nstm.io.result import StoredResult

_BESIDE = "On the left, what the frames give if nothing moved."


class MovieForm(QWidget):
    """Channel, arrows and pace of a movie.

    Parameters
    ----------
    parent
        Owner in Qt's sense.

    Attributes
    ----------
    plan
        How long the movie will be, as a video; None without a result, or where an entry does not do.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stored: StoredResult | None = None
        self.plan: MoviePlan | None = None
        self._editors: dict[str, tuple[QWidget, ProblemLine]] = {}
        self.channel = CalmComboBox()
        self.plane = QLineEdit()
        self.arrows = CalmComboBox()
        for text, value in (("coloured by direction", "direction"), ("coloured by speed", "speed"), ("none", "")):
            self.arrows.addItem(text, value)
        self.beside = QCheckBox("conventional beside it")
        self.time_points, self.fps = QLineEdit(), QLineEdit()
        self.loop = CalmComboBox()
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
        for index, name in enumerate(names):
            self.channel.addItem(name, index)
        if is_rgb(names):
            self.channel.addItem("all colours", None)
        # What is chosen for all is the last: the colours, or what DPC is made for, the phase.
        chosen = self.channel.findText(before)
        self.channel.setCurrentIndex(chosen if chosen >= 0 else self.channel.count() - 1)
        self.channel.blockSignals(False)
        self._form.setRowVisible(self.channel.parentWidget(), len(names) != 1)
        self._form.setRowVisible(self.plane.parentWidget(), self._is_volume)
        if stored is not None and self._is_volume:
            self.plane.setPlaceholderText(f"middle ({stored.shape[0] // 2}) of 0 to {stored.shape[0] - 1}")
        has_conventional = stored is not None and stored.has_conventional
        self.beside.setEnabled(has_conventional)
        self.beside.setToolTip(_BESIDE if has_conventional else "This result holds no conventional reconstruction.")
        if stored is not None and not has_conventional:
            self.beside.setChecked(False)
        self._edited()

    def wishes(self) -> dict[str, Any]:
        """Return what `write_movie` is to be given; there must be a plan."""
        return {
            "n_frames": _number(self.time_points, int, "frames", {}),
            "fps": _number(self.fps, float, "fps", {}),
            "plane": self._plane({}),
            "channel": self.channel.currentData(),
            "side_by_side": self.beside.isChecked(),
            "arrows": bool(self.arrows.currentData()),
            "arrow_color": self.arrows.currentData() or "direction",
            "loop": self.loop.currentData(),
        }

    def show_problem(self, field: str, text: str) -> bool:
        """Show a sentence at a parameter of an export, empty: none; returns whether it has a row here."""
        if field not in self._editors:
            return False
        editor, problem = self._editors[field]
        problem.set_text(text)
        editor.setAccessibleDescription(text or editor.toolTip())
        return True

    # -- inside -------------------------------------------------------------

    @property
    def _is_volume(self) -> bool:
        return self._stored is not None and len(self._stored.shape) == 3

    def _plane(self, problems: dict[str, str]) -> int | None:
        return _number(self.plane, int, "plane", problems) if self._is_volume else None

    def _edited(self) -> None:
        problems: dict[str, str] = {}
        self.plan = None if self._stored is None else self._planned(self._stored, problems)
        for field in self._editors:
            self.show_problem(field, problems.get(field, ""))
        if self.plan is not None:
            # Of the two, what is left free follows what is given.
            self.time_points.setPlaceholderText(f"auto ({self.plan.n_moments})")
            self.fps.setPlaceholderText(f"auto ({self.plan.fps:.3g})")
        self.changed.emit()

    def _planned(self, stored: StoredResult, problems: dict[str, str]) -> MoviePlan | None:
        times = stored.frame_times_ms
        n_moments = _number(self.time_points, int, "frames", problems)
        fps = _number(self.fps, float, "fps", problems)
        plane = self._plane(problems)
        if plane is not None and not 0 <= plane < stored.shape[0]:
            problems["plane"] = f"{plane} does not do; give 0 to {stored.shape[0] - 1}."
        plan = None
        try:
            boomerang = self.loop.currentData() == "boomerang"
            plan = movie_plan((times[-1] - times[0]) / 1000, n_moments, fps, boomerang=boomerang)
        except InputError as error:
            problems[error.field] = f"{error.got} does not do; give {error.takes}."
        return None if problems else plan

    def _lay_out(self) -> None:
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        rows = (
            ("channel", "Channel", self.channel, "The channel that is shown."),
            ("plane", "Plane", self.plane, "Plane of the volume that is shown, counted from 0."),
            ("arrows", "Arrows", self.arrows, "They show how far the sample has moved since the first frame."),
            ("side_by_side", "Compare", self.beside, _BESIDE),
            ("frames", "Time points", self.time_points, "Moments that are shown, evenly spaced over the acquisition."),
            ("fps", "Frames/s", self.fps, "Frames per second; auto: real time, where that can be watched."),
            ("loop", "Plays", self.loop, "A GIF starts over for ever, whichever is chosen."),
        )
        for field, title, editor, tip in rows:
            problem = ProblemLine()
            self._editors[field] = (editor, problem)
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
