"""The plugin's panel: one form, one button, and the picture sharpens in the viewer."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import napari
from napari.layers import Layer
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from napari_nstm._qt.arrivals import Arrivals
from napari_nstm._qt.background import Background
from napari_nstm._qt.closing import CloseGuard
from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.form_check import MARKED, FormCheck
from napari_nstm._qt.frames_tools import FramesTools
from napari_nstm._qt.interrupted import InterruptedBanner
from napari_nstm._qt.job_form import JobForm
from napari_nstm._qt.layers.compare import bind_comparison
from napari_nstm._qt.layers.time_text import show_times
from napari_nstm._qt.live import LiveLayers
from napari_nstm._qt.raw_layer import is_of_a_run, stretch_over_planes
from napari_nstm._qt.result_tab import ResultTab
from napari_nstm._qt.run_bar import RunBar
from napari_nstm._qt.session import FitSession, RunEnd
from napari_nstm.core.events import Event, Notice, Prepared, Preview, Progress, Working
from napari_nstm.io.result import read_record
from napari_nstm.run.plan import CheckedJob
from napari_nstm.run.runs import InterruptedRun, RunFolder

PLUGIN, SAMPLE = "napari-nstm", "dpc_moving_target"

_CHECK_DELAY_MS = 250
_WIDTH = 360
_PREVIEW_EVERY_S = 0.3


@dataclass
class _Watched:
    """The run that goes on, as far as the window is concerned."""

    live: LiveLayers
    raw_layer: Layer | None
    frame_times_ms: tuple[float, ...]
    ndim: int  # of the field
    shape: tuple[int, ...] = ()  # of the result, ([z,] y, x), as far as it is known: it may be finer than the frames


class ReconstructPanel(QWidget):
    """Reconstructs the scene and its motion from a layer of raw frames.

    Parameters
    ----------
    napari_viewer
        Whose layers hold the raw frames, and get the result.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.runs = RunFolder()
        self.session = FitSession(self.runs)
        self._background = Background(self)
        self._looks = Background(self)  # checks of the form must not hold up what a user asks to see
        self._watched: _Watched | None = None
        self._n_steps = 0
        self._closed = False
        self._make_widgets()
        self.check = FormCheck(self.form, self.bar, self.session, self.runs, self._background)
        self._arrivals = Arrivals(self._background, self.result.arrow_color.currentData)
        show_times(napari_viewer)
        bind_comparison(napari_viewer)
        self._guard = CloseGuard(self, self.session, self.shutdown)
        self._connect()
        self.session.warm_up()
        self._background.submit(self.runs.clear)
        self._background.submit(self.runs.interrupted, done=self.banner.offer)
        self.check.soon()

    # -- layout -------------------------------------------------------------

    def _make_widgets(self) -> None:
        self.banner = InterruptedBanner()
        self.view = DrawingView(self._viewer)
        self.form = JobForm(self._viewer)
        self.frames = FramesTools(self.form, self.view, self._looks, self.runs.path)
        self.result = ResultTab(self._viewer, self.view, self._background, self._looks)
        self.bar = RunBar()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(_scrolled(self.form), "Set up")
        self.tabs.addTab(_scrolled(self.result), "Result")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.banner)
        layout.addWidget(self.view)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.bar)
        self.setMinimumWidth(320)

    def _connect(self) -> None:
        self.form.raw.data_changed.connect(self._raw_replaced)
        self.form.raw.sample_asked.connect(lambda: self._viewer.open_sample(PLUGIN, SAMPLE))
        self.bar.run_asked.connect(self.run)
        self.bar.stop_asked.connect(self.stop)
        self.session.happened.connect(self._take)
        self.session.ended.connect(self._ended)
        self._arrivals.opened.connect(self.result.set_result)
        self._arrivals.failed.connect(partial(self.bar.say, problem=True))
        self.session.trouble.connect(partial(self.bar.say, problem=True))
        self.banner.resume_asked.connect(self._resume)
        self.banner.open_asked.connect(self._open_interrupted)
        self.banner.discard_asked.connect(lambda run: self._background.submit(lambda: self.runs.discard(run.path)))
        self._viewer.layers.events.removed.connect(self._layer_removed)
        self._viewer.dims.events.current_step.connect(self._slider_moved)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Qt's name: as wide as labels and values beside each other need."""
        return QSize(_WIDTH, super().sizeHint().height())

    @property
    def busy(self) -> bool:
        """Whether a run goes on, or its result is on its way into the viewer."""
        return self.session.running or self._arrivals.busy

    # -- run ----------------------------------------------------------------

    def run(self) -> None:
        """Start a run with what the form says."""
        path = self.runs.new_path()
        job = self.form.job(path, preview_every_s=_PREVIEW_EVERY_S)
        if job is None or self.session.running:
            return
        layer = self.form.raw.layer
        self.view.back()
        placed = self.form.place_raw()
        if placed:
            self._viewer.reset_view()
        title, known = self._new_title(layer.name), self.check.checked
        times, ndim = ((0.0,), 0) if known is None else (known.frame_times_ms, _ndim(known))
        self.bar.say(placed or "")
        self.session.run(job, self.form.reader(), path, title)
        self._watch(_Watched(LiveLayers(self._viewer, title), layer, times, ndim))

    def stop(self) -> None:
        """End the run and keep what it reached."""
        self.bar.set_stopping()
        self.session.stop()

    def _resume(self, run: InterruptedRun) -> None:
        record = read_record(run.path)
        self.session.resume(run.path, run.title)
        live = LiveLayers(self._viewer, self._new_title(run.title))
        self._watch(_Watched(live, None, record.frame_times_ms, len(record.shape), record.shape))

    def _open_interrupted(self, run: InterruptedRun) -> None:
        self._arrivals.load(run.path, LiveLayers(self._viewer, self._new_title(run.title)), "")

    def _watch(self, watched: _Watched) -> None:
        self._watched = watched
        self._n_steps = 0
        self.bar.set_running()
        self.banner.set_resumable(False)
        self._slider_moved()

    def _take(self, event: Event) -> None:
        if isinstance(event, Preview):
            if not self._watched.live.started:
                self._hide_earlier()
            self._measure(event)
            self._watched.live.show(event, event.step / max(self._n_steps, 1), self._watched.frame_times_ms)
        elif isinstance(event, Progress):
            self.bar.show_progress(event, _size_at(self._watched.shape, event.level))
        elif isinstance(event, Working):
            self.bar.show_working(event)
        elif isinstance(event, Prepared):
            self._n_steps = event.n_steps
            self.bar.show_outlook(event)
        elif isinstance(event, Notice):
            self.bar.say(event.message)

    def _measure(self, preview: Preview) -> None:
        """Learn the size of the result from its pictures; coarse ones may be larger than it by a part of a pixel."""
        watched, spacing = self._watched, preview.spacing_px
        if not watched.shape or max(spacing) == 1:
            watched.shape = tuple(n * s for n, s in zip(preview.scene.shape[1:], spacing, strict=True))
            layer = watched.raw_layer
            if watched.ndim == 3 and layer is not None and layer in self._viewer.layers:
                stretch_over_planes(layer, watched.shape[0], preview.pixel_size_um[0])

    def _ended(self, end: RunEnd) -> None:
        live, self._watched = self._watched.live, None
        self.bar.set_idle(ready=True)
        self.banner.set_resumable(True)
        failed = end.status in ("failed", "diverged")
        if failed and self.form.show_problem(end.field, end.message):
            self.bar.set_ready(False, MARKED)
            self.bar.say("The run did not start.", problem=True)
        else:
            self.bar.say(end.message, problem=failed)
        if end.path is None:
            self._arrivals.remove(live)
        else:
            self._arrivals.load(end.path, live, end.message)

    # -- earlier results ----------------------------------------------------

    def _hide_earlier(self) -> None:
        """Hide the layers of earlier results, so that the new one is seen."""
        for layer in self._viewer.layers:
            if is_of_a_run(layer):
                layer.visible = False

    def _new_title(self, raw_name: str) -> str:
        taken = {layer.name.partition(" — ")[2] for layer in self._viewer.layers if is_of_a_run(layer)}
        if raw_name not in taken:
            return raw_name
        number = 2
        while f"{raw_name} ({number})" in taken:
            number += 1
        return f"{raw_name} ({number})"

    # -- what happens around a run ------------------------------------------

    def _slider_moved(self, _: object = None) -> None:
        """While a run goes on its pictures show the frame that the slider stands at."""
        dims, watched = self._viewer.dims, self._watched
        if watched is not None and dims.ndim > watched.ndim > 0:
            last = len(watched.frame_times_ms) - 1
            frame = round(dims.point[dims.ndim - watched.ndim - 1])
            self.session.show(watched.frame_times_ms[min(max(frame, 0), last)])

    def _raw_replaced(self) -> None:
        if self._watched is not None and self.form.raw.layer == self._watched.raw_layer:
            self.bar.say("The raw frames were changed: this run goes on with those it began with.")

    def _layer_removed(self, event: Any) -> None:
        if self._watched is None:
            return
        if event.value == self._watched.raw_layer:
            self.bar.say("The raw layer was deleted: the run goes on with the frames it began with.")
        elif self._watched.live.made(event.value):
            self.bar.say("A layer of this run was deleted: its result will be added at the end.")

    def shutdown(self) -> None:
        """End the fitting process, with a checkpoint of its run, and listen to the viewer no longer."""
        if self._closed:
            return
        self._closed = True
        self.check.stop()
        self._arrivals.close()
        self.result.shutdown()
        self.session.shutdown()
        self._background.close()
        self._looks.close()
        self.view.disconnect_viewer()
        self._viewer.layers.events.removed.disconnect(self._layer_removed)
        self._viewer.dims.events.current_step.disconnect(self._slider_moved)
        self.form.disconnect_viewer()


def _scrolled(widget: QWidget) -> QScrollArea:
    """Let a widget be higher than the panel, but never wider."""
    inside = QWidget()
    layout = QVBoxLayout(inside)
    layout.setContentsMargins(0, 4, 4, 0)
    layout.addWidget(widget)
    layout.addStretch(1)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    area.setMinimumWidth(inside.minimumSizeHint().width() + area.verticalScrollBar().sizeHint().width())
    return area


def _ndim(checked: CheckedJob) -> int:
    """Return the number of axes of the field."""
    return len(checked.fit.scene_encoding.base_cells)


def _size_at(shape: tuple[int, ...], level: int) -> str:
    coarse = [n if axis < len(shape) - 2 else -(-n // 2**level) for axis, n in enumerate(shape)]
    return " × ".join(map(str, coarse)) + " px" if coarse else f"Level {level}"
