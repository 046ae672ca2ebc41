"""Exporting a movie of a result."""

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.file_names import complete, file_name, stored_path
from napari_nstm._qt.movie_form import MovieForm
from napari_nstm._qt.task_row import Outcome, Task, TaskRow, in_words, message_label, set_words
from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.io.movie import MovieInfo, write_movie
from napari_nstm.io.pace import MoviePlan, speed_text
from napari_nstm.io.result import StoredResult

_KINDS = {"Video, H.264 (*.mp4)": ".mp4", "Animated picture (*.gif)": ".gif"}


class MoviePanel(QWidget):
    """What a movie shows, and the button that makes it; the result is only read.

    Parameters
    ----------
    background
        Where movies are made, one after another.
    parent
        Owner in Qt's sense.
    """

    exported = Signal(object)
    """`MovieInfo` of a movie that was written."""

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stored: StoredResult | None = None
        self._name = ""
        self._folder = Path.home()
        self.form = MovieForm()
        self.outlook = message_label("How long the movie will be")
        self.button = QPushButton("Export movie…")
        self.button.clicked.connect(self._ask_and_export)
        self.task = TaskRow(background)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.form, self.outlook, self.button, self.task):
            layout.addWidget(widget)
        self.form.changed.connect(self._refresh)
        self.task.busy_changed.connect(self._refresh)
        self.task.finished.connect(self.exported)
        self._refresh()

    def set_result(self, stored: StoredResult | None, name: str) -> None:
        """Offer a result; a movie in the making goes on.

        Parameters
        ----------
        stored
            The result, or None where there is none.
        name
            What the user knows it as: the name proposed for the file.
        """
        if not self.busy and stored_path(stored) != stored_path(self._stored):
            self.task.say("")
        self._stored, self._name = stored, name
        self.form.set_result(stored)

    @property
    def busy(self) -> bool:
        """Whether a movie is being made."""
        return self.task.busy

    def cancel(self) -> None:
        """Call off the movie in the making; it leaves no file."""
        self.task.cancel()

    def export_to(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Make the movie, unless one is in the making.

        Parameters
        ----------
        path
            A file ending in .mp4 or .gif.
        overwrite
            Replace an existing file.
        """
        if self._stored is None or self.busy:
            return
        if self.form.plan is None:
            self.task.say("No movie was made: see what is marked above.", problem=True)
            return
        target = Path(path).expanduser().absolute()
        self._folder = target.parent
        work = partial(_make, self._stored, target, {**self.form.wishes(), "overwrite": overwrite})
        self.task.run("Making the movie", work, self._made, self._not_made, unit="frames")
        self._refresh()

    # -- inside -------------------------------------------------------------

    def _ask_and_export(self) -> None:
        proposed = self._folder / f"{file_name(self._name)}.mp4"
        chosen, kind = QFileDialog.getSaveFileName(self, "Export movie", str(proposed), ";;".join(_KINDS))
        if chosen:
            path, replace = complete(chosen, _KINDS.get(kind, ".mp4"), tuple(_KINDS.values()))
            self.export_to(path, overwrite=replace)

    def _refresh(self) -> None:
        plan = self.form.plan
        self.form.setEnabled(self._stored is not None and not self.busy)
        self.button.setEnabled(plan is not None and not self.busy)
        set_words(self.outlook, "" if plan is None else _outlook(plan))

    def _made(self, info: MovieInfo) -> Outcome:
        size = f"{info.n_frames} frames of {info.size[0]} x {info.size[1]} pixels, {info.duration_s:.1f} s"
        return Outcome("\n".join([f"Saved: {info.path} ({size}).", *info.notices]), info.path)

    def _not_made(self, error: Exception) -> str | None:
        text = in_words(error)
        if isinstance(error, InputError) and text is not None and self.form.show_problem(error.field, text):
            return "No movie was made: see what is marked above."
        return text


def _outlook(plan: MoviePlan) -> str:
    if plan.n_frames == 1:
        return "A single picture: the acquisition has one moment."
    speed = speed_text(plan.slowdown)
    pace = f"in {speed}" if speed == "real time" else f"{speed} than real time"
    return f"{plan.n_frames} frames, {plan.duration_s:.1f} s, {pace}."


def _make(stored: StoredResult, path: Path, wishes: dict[str, Any], task: Task) -> MovieInfo:
    stored.check_there()
    info = write_movie(stored, path, on_progress=task.report, should_stop=task.cancelled, **wishes)
    if info.cancelled:
        raise CancelledError
    return info
