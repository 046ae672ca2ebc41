"""Exporting a movie of a result, or of the canvas."""

import time
from functools import partial
from pathlib import Path
from typing import Any, Literal

from napari import Viewer
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.file_names import complete, file_name
from napari_nstm._qt.movies.canvas_moves import CanvasPlan
from napari_nstm._qt.movies.canvas_movie import CanvasMovie
from napari_nstm._qt.movies.movie_form import MovieForm
from napari_nstm._qt.results.task_panel import TaskPanel
from napari_nstm._qt.task_row import Outcome, Task, in_words, message_label, set_words
from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.io.movie import MovieInfo, write_movie
from napari_nstm.io.pace import MoviePlan, remaining_text, speed_text
from napari_nstm.io.result import StoredResult
from napari_nstm.io.video import VideoInfo

_KINDS = {
    "Video, H.264 (*.mp4)": ".mp4",
    "Animated picture (*.gif)": ".gif",
    "Numbered pictures (*.png)": ".png",
}
_NOT_MADE = "No movie was made: see what is marked above."
_LOOK_MS = 500


class MoviePanel(TaskPanel):
    """What a movie shows, and the button that makes it; the result is only read.

    Parameters
    ----------
    viewer
        Whose canvas can be taken.
    background
        Where movies are written, one after another.
    parent
        Owner in Qt's sense.
    """

    exported = Signal(object)
    """`VideoInfo` of a movie that was written; `MovieInfo` of one that was drawn."""

    def __init__(self, viewer: Viewer, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(background, parent)
        self._suffix = ".mp4"
        self._first: tuple[int, float] | None = None  # frames done, and when: from there the rest is told
        self._progress = (0, 0)
        self.canvas = CanvasMovie(viewer, self)
        self.form = MovieForm(viewer)
        self.outlook = message_label("How long the movie will be")
        self.button = QPushButton("Export movie…")
        self.button.setToolTip("Choose a file: video, animated picture, or numbered pictures.")
        self.button.clicked.connect(self._ask_and_export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.form, self.outlook, self.button, self.task):
            layout.addWidget(widget)
        self._clock = QTimer(self)
        self._clock.setInterval(_LOOK_MS)
        self._clock.timeout.connect(self._say_what_remains)
        self.form.changed.connect(self._refresh)
        self.task.busy_changed.connect(self._busy_changed)
        self.task.finished.connect(self.exported)
        self._refresh()

    def set_result(self, stored: StoredResult | None, name: str) -> None:
        """Offer a result; a movie in the making goes on. Parameters as of any panel that writes files."""
        super().set_result(stored, name)
        self.form.set_result(stored)

    def set_default_format(self, kind: Literal["mp4", "gif", "png"]) -> None:
        """Choose what the dialog proposes."""
        self._suffix = f".{kind}"

    def cancel(self) -> None:
        """Call off the movie in the making; it leaves no file."""
        super().cancel()
        self.canvas.cancel()

    def shutdown(self) -> None:
        """Call off what goes on, and listen to the viewer no longer; may be called more than once."""
        self.task.cancel()
        self.canvas.shutdown()
        self.form.disconnect_viewer()

    def export_to(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Make the movie, unless one is in the making.

        Parameters
        ----------
        path
            A file ending in .mp4, .gif or .png (NAME-0001.png and so on).
        overwrite
            Replace existing files.
        """
        target = self._target(path)
        if target is None:
            return
        if self.form.plan is None:
            self.task.say(_NOT_MADE, problem=True)
            return
        wishes = {**self.form.wishes(), "overwrite": overwrite}
        self._progress, self._first = (0, 0), None
        if self.form.of_canvas:
            try:
                write = self.canvas.prepare(target, **wishes)
            except InputError as error:
                self.task.say(self._not_made(error) or "", problem=True)
                return
            work = partial(self._film, write)
        else:
            work = partial(self._draw, self._stored, target, wishes)
        self.task.run("Making the movie", work, self._made, self._not_made, unit="frames")
        self._clock.start()
        self._refresh()

    # -- inside -------------------------------------------------------------

    def _ask_and_export(self) -> None:
        proposed = self._folder / f"{file_name(self._name)}{self._suffix}"
        mine = next(kind for kind, suffix in _KINDS.items() if suffix == self._suffix)
        kinds = ";;".join([mine, *(kind for kind in _KINDS if kind != mine)])
        chosen, kind = QFileDialog.getSaveFileName(self, "Export movie", str(proposed), kinds)
        if chosen:
            path, replace = complete(chosen, _KINDS.get(kind, self._suffix), tuple(_KINDS.values()))
            plan = self.form.plan
            # Of numbered pictures the dialog knew nothing: it asked about a name that none of them has.
            asked = path.suffix.lower() != ".png" or (plan is not None and plan.n_frames == 1)
            self.export_to(path, overwrite=replace and asked)

    def _busy_changed(self, busy: bool) -> None:
        if not busy:
            self._clock.stop()
            self.canvas.cancel()  # where it was called off before its turn came
        self._refresh()

    def _refresh(self) -> None:
        plan = self.form.plan
        self.form.setEnabled(self._stored is not None and not self.busy)
        self.button.setEnabled(plan is not None and not self.busy)
        if not self.busy:
            set_words(self.outlook, "" if plan is None else _outlook(plan))

    def _say_what_remains(self) -> None:
        done, in_all = self._progress
        now = time.monotonic()
        if self._first is None or not done:
            self._first = (done, now) if done else None
            return
        begun, since = self._first
        if done > begun:
            set_words(self.outlook, remaining_text((in_all - done) * (now - since) / (done - begun)))

    def _report(self, task: Task, done: int, in_all: int) -> None:
        task.report(done, in_all)
        self._progress = (done, in_all)

    def _draw(self, stored: StoredResult, path: Path, wishes: dict[str, Any], task: Task) -> MovieInfo:
        stored.check_there()
        report = partial(self._report, task)
        info = write_movie(stored, path, on_progress=report, should_stop=task.cancelled, **wishes)
        if info.cancelled:
            raise CancelledError
        return info

    def _film(self, write: Any, task: Task) -> VideoInfo:
        info: VideoInfo = write(on_progress=partial(self._report, task), should_stop=task.cancelled)
        return info

    def _made(self, info: VideoInfo) -> Outcome:
        size = f"{info.n_frames} frames of {info.size[0]} x {info.size[1]} pixels, {info.duration_s:.1f} s"
        if info.path.suffix.lower() == ".png":
            size = f"the first of {size}" if info.n_frames > 1 else f"{info.size[0]} x {info.size[1]} pixels"
        return Outcome("\n".join([f"Saved: {info.path} ({size}).", *info.notices]), info.path)

    def _not_made(self, error: Exception) -> str | None:
        text = in_words(error)
        if isinstance(error, InputError) and text is not None and self.form.show_problem(error.field, text):
            return _NOT_MADE
        return text


def _outlook(plan: MoviePlan | CanvasPlan) -> str:
    if plan.n_frames == 1:
        return "A single picture: the acquisition has one moment."
    said = f"{plan.n_frames} frames, {plan.duration_s:.1f} s"
    if plan.slowdown is None:
        return f"{said}."
    speed = speed_text(plan.slowdown)
    return f"{said}, in {speed}." if speed == "real time" else f"{said}, {speed} than real time."
