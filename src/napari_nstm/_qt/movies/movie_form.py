"""What a movie is to show, as a form."""

from typing import Any

from napari.components import ViewerModel
from qtpy.compat import isalive
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QLineEdit, QVBoxLayout, QWidget

from napari_nstm._qt.form.collapsible import Collapsible
from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.movies.canvas_moves import CanvasPlan, canvas_plan, shows_volume, timeline
from napari_nstm._qt.movies.movie_rows import MovieRow, new_form, rest_item
from napari_nstm.core.errors import InputError
from napari_nstm.io.channels import is_rgb
from napari_nstm.io.pace import MoviePlan, movie_plan
from napari_nstm.io.result import StoredResult
from napari_nstm.io.titles import comparison_title

_AS_SHOWN = "The canvas is taken as it is shown: change it there."
_OF_CANVAS = "Of the canvas only."
_OVERLAY = "The canvas is taken with what is shown on it: switch it there (menu View)."
_FLAT = "What is shown is flat: a turn would show nothing new."
_STILL = "Nothing that is shown has more than one moment."
_WATCHED = ("ndisplay", "range", "inserted", "removed", "visible")
_WAIT_MS = 100


class MovieForm(QWidget):
    """Picture, what stands beside and below it, moments and pace of a movie.

    Parameters
    ----------
    viewer
        Whose canvas can be taken.
    parent
        Owner in Qt's sense.

    Attributes
    ----------
    plan
        How long the movie will be, as a video; None without a result, or where an entry does not do.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._stored: StoredResult | None = None
        self.plan: MoviePlan | CanvasPlan | None = None
        self.picture = _choice(("Result, drawn for print", "drawn"), ("The canvas, as it is shown", "canvas"))
        self.channel, self.comparison = CalmComboBox(), _choice(("none", ""))
        self.moves = _choice(("through time", "time"), ("a turn in 3D", "turn"), ("both", "both"))
        self.arrows = _choice(("coloured by direction", "direction"), ("coloured by speed", "speed"), ("none", ""))
        self.scale_bar = _check("scale bar", "A line of a round length.")
        self.time_stamp = _check("time", "The time of each moment, and how fast the movie plays.")
        self.color_key = _check("key", "What grey levels and the colours of arrows mean.")
        self.time_points, self.fps, self.size, self.plane = QLineEdit(), QLineEdit(), QLineEdit(), QLineEdit()
        self.loop = _choice(("once through", "once"), ("there and back", "boomerang"))
        self._rows: dict[str, MovieRow] = {}
        self._lay_out()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_WAIT_MS)
        self._later.timeout.connect(self._edited)
        self._connect()
        self.set_result(None)

    def set_result(self, stored: StoredResult | None) -> None:
        """Offer the channels, planes and comparisons of a result; what was chosen stays where it can."""
        self._stored = stored
        names = [] if stored is None else [channel.name for channel in stored.channels]
        colors = [("all colours", None)] if is_rgb(names) else []
        # What is chosen for all is the last: the colours, or what DPC is made for, the phase.
        _offer(self.channel, [*((name, index) for index, name in enumerate(names)), *colors], last=True)
        self._rows["channel"].set_visible(len(names) != 1)
        self._rows["plane"].set_visible(self._is_volume)
        if stored is not None and self._is_volume:
            self.plane.setPlaceholderText(f"middle ({stored.shape[0] // 2}) of 0 to {stored.shape[0] - 1}")
        others = () if stored is None else stored.comparison_names
        _offer(self.comparison, [("none", ""), *((comparison_title(name), name) for name in others)])
        self._edited()

    @property
    def of_canvas(self) -> bool:
        """Whether the canvas is taken, and no picture drawn."""
        return self.picture.currentData() == "canvas"

    def wishes(self) -> dict[str, Any]:
        """Return what `write_movie`, or of the canvas `CanvasMovie.prepare`, is to be given; there must be a plan."""
        both = {
            "n_frames": _number(self.time_points, int, "frames", {}),
            "fps": _number(self.fps, float, "fps", {}),
            "loop": self.loop.currentData(),
            "size_px": _number(self.size, int, "size", {}),
        }
        if self.of_canvas:
            return {**both, "moves": self.moves.currentData()}
        return {
            **both,
            "plane": self._plane({}),
            "channel": self.channel.currentData(),
            "comparison": self.comparison.currentData() or None,
            "arrows": bool(self.arrows.currentData()),
            "arrow_color": self.arrows.currentData() or "direction",
            "scale_bar": self.scale_bar.isChecked(),
            "time_stamp": self.time_stamp.isChecked(),
            "color_key": self.color_key.isChecked(),
        }

    def show_problem(self, field: str, text: str) -> bool:
        """Show a sentence at a parameter of an export, empty: none; returns whether it has a row here."""
        if field not in self._rows:
            return False
        self._rows[field].set_problem(text)
        if text and field in self._in_more:
            self.more.set_open()
        return True

    def disconnect_viewer(self) -> None:
        """Listen to the viewer no longer; may be called more than once."""
        for emitter in self._heard:
            emitter.disconnect(self._viewer_changed)
        self._heard = ()

    # -- inside -------------------------------------------------------------

    @property
    def _is_volume(self) -> bool:
        return self._stored is not None and len(self._stored.shape) == 3

    def _plane(self, problems: dict[str, str]) -> int | None:
        return _number(self.plane, int, "plane", problems) if self._is_volume else None

    def _viewer_changed(self, event: Any) -> None:
        if event.type in _WATCHED and isalive(self) and self.of_canvas and self.isEnabled():
            self._later.start()  # a layer that comes or goes changes several things at once

    def _edited(self) -> None:
        self._rest_what_does_not_apply()
        problems: dict[str, str] = {}
        self.plan = None if self._stored is None else self._planned(self._stored, problems)
        for field in self._rows:
            self.show_problem(field, problems.get(field, ""))
        if self.plan is not None:
            # Of the two, what is left free follows what is given.
            self.time_points.setPlaceholderText(f"auto ({self.plan.n_moments})")
            self.fps.setPlaceholderText(f"auto ({self.plan.fps:.3g})")
        self.changed.emit()

    def _rest_what_does_not_apply(self) -> None:
        canvas = self.of_canvas
        for field in ("channel", "arrows", "plane"):
            self._rows[field].set_reason(_AS_SHOWN if canvas else "")
        self._rows["below"].set_reason(_OVERLAY if canvas else "")
        alone = "" if self.comparison.count() > 1 else "This result holds no conventional reconstruction."
        self._rows["comparison"].set_reason(_AS_SHOWN if canvas else alone)
        self._rows["moves"].set_reason("" if canvas else _OF_CANVAS)
        if not canvas:
            return
        still = "" if timeline(self._viewer) is not None else _STILL
        flat = "" if shows_volume(self._viewer) else _FLAT
        for item, reason in (("time", still), ("turn", flat), ("both", flat or still)):
            rest_item(self.moves, item, reason)
            if reason and self.moves.currentData() == item:
                self.moves.setToolTip(reason)

    def _planned(self, stored: StoredResult, problems: dict[str, str]) -> MoviePlan | CanvasPlan | None:
        times = stored.frame_times_ms
        n_moments = _number(self.time_points, int, "frames", problems)
        fps = _number(self.fps, float, "fps", problems)
        size = _number(self.size, int, "size", problems)
        if size is not None and size < 1:
            problems["size"] = f"{size} does not do; give a width in pixels, or leave it empty."
        plane = None if self.of_canvas else self._plane(problems)
        if plane is not None and not 0 <= plane < stored.shape[0]:
            problems["plane"] = f"{plane} does not do; give 0 to {stored.shape[0] - 1}."
        plan: MoviePlan | CanvasPlan | None = None
        try:
            loop = self.loop.currentData()
            if self.of_canvas:
                moves = self.moves.currentData()
                if moves != "time" and not shows_volume(self._viewer):
                    problems["moves"] = _FLAT
                plan = canvas_plan(timeline(self._viewer), moves, n_moments, fps, loop=loop)
            else:
                plan = movie_plan((times[-1] - times[0]) / 1000, n_moments, fps, boomerang=loop == "boomerang")
        except InputError as error:
            problems[error.field] = _STILL if error.field == "moves" else _in_words(error)
        return None if problems else plan

    def _lay_out(self) -> None:
        below = [self.scale_bar, self.time_stamp, self.color_key]
        main = (
            ("picture", "Picture", [self.picture], "Drawn with a key below, or the canvas with all that is visible."),
            ("moves", "Moves", [self.moves], "The time slider from end to end, or the view once around the sample."),
            ("channel", "Channel", [self.channel], "The channel that is shown."),
            ("arrows", "Arrows", [self.arrows], "They show how far the sample has moved since the first frame."),
            ("comparison", "Compare", [self.comparison], "On the left, what the same frames give in another way."),
            ("below", "Below it", below, "What stands below the picture."),
            ("frames", "Time points", [self.time_points], "Different pictures, evenly spaced over the acquisition."),
        )
        more = (
            ("fps", "Frames/s", [self.fps], "Frames per second; auto: real time, where that can be watched."),
            ("loop", "Plays", [self.loop], "A GIF starts over for ever, whichever is chosen."),
            (
                "size",
                "Width (px)",
                [self.size],
                "Of the whole picture; auto: what suits the field, or the canvas.",
            ),
            ("plane", "Plane", [self.plane], "Plane of the volume that is shown, counted from 0."),
        )
        self.size.setPlaceholderText("auto")
        content = QWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        form, rest = new_form(), new_form(content)
        for target, rows in ((form, main), (rest, more)):
            for field, title, editors, tip in rows:
                self._rows[field] = MovieRow(target, title, editors, tip)
        self._in_more = [field for field, *_ in more]
        self.more = Collapsible("More", content)
        layout.addLayout(form)
        layout.addWidget(self.more)

    def _connect(self) -> None:
        choices = (self.picture, self.moves, self.channel, self.arrows, self.comparison, self.loop)
        for choice in choices:
            choice.currentIndexChanged.connect(self._edited)
        for edit in (self.time_points, self.fps, self.size, self.plane):
            edit.textChanged.connect(self._edited)
        for check in (self.scale_bar, self.time_stamp, self.color_key):
            check.toggled.connect(self._edited)
        dims = self._viewer.dims.events
        self._heard: tuple[Any, ...] = (dims.ndisplay, dims.range, self._viewer.layers.events)
        for emitter in self._heard:
            emitter.connect(self._viewer_changed)


def _choice(*items: tuple[str, Any]) -> CalmComboBox:
    box = CalmComboBox()
    for text, value in items:
        box.addItem(text, value)
    return box


def _check(text: str, tip: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    box.setChecked(True)
    return box


def _offer(box: CalmComboBox, items: list[tuple[str, Any]], *, last: bool = False) -> None:
    """Offer items; what was chosen stays if it is among them, or else the first is, or the last."""
    before = box.currentText()
    box.blockSignals(True)
    box.clear()
    for text, value in items:
        box.addItem(text, value)
    chosen = box.findText(before)
    box.setCurrentIndex(chosen if chosen >= 0 else box.count() - 1 if last else 0)
    box.blockSignals(False)


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


def _in_words(error: InputError) -> str:
    return f"{error.got} does not do; give {error.takes}."
