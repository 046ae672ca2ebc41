"""The plugin's panel: one form, one button, and the picture sharpens in the viewer."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import napari
from napari.layers import Layer
from qtpy.QtCore import QEventLoop, QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import QFrame, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.form import SettingsForm
from napari_nstm._qt.layers.compare import bind_comparison
from napari_nstm._qt.layers.result import first_frame
from napari_nstm._qt.layers.time_text import show_times
from napari_nstm._qt.preferences import read_preferences
from napari_nstm._qt.results.result_tab import ResultTab
from napari_nstm._qt.running.arrivals import Arrivals
from napari_nstm._qt.running.closing import CloseGuard
from napari_nstm._qt.running.interrupted import InterruptedBanner
from napari_nstm._qt.running.live import LiveLayers
from napari_nstm._qt.running.run_bar import RunBar
from napari_nstm._qt.running.session import FitSession, RunEnd
from napari_nstm._qt.running.watching import RunWatch, Watched
from napari_nstm._qt.setup.first_steps import FirstSteps
from napari_nstm._qt.setup.form_check import FormCheck
from napari_nstm._qt.setup.frames_tools import FramesTools
from napari_nstm._qt.setup.job_form import MARKED, JobForm
from napari_nstm._qt.setup.preflight import PreflightCard
from napari_nstm._qt.setup.region import RegionTool
from napari_nstm._qt.setup.settings_menu import SettingsMenu
from napari_nstm._qt.tab_order import order_tabs
from napari_nstm.io.result import StoredResult, read_record
from napari_nstm.run.plan import CheckedJob
from napari_nstm.run.runs import InterruptedRun, RunFolder

PLUGIN = "napari-nstm"

_WIDTH = 360
_SET_UP = 0  # tab
_MEMORY_SHARE = "NAPARI_NSTM_MEMORY_SHARE"


class ReconstructPanel(QWidget):
    """Reconstructs the scene and its motion from a layer of raw frames.

    Scripts drive it by `set_up`, `run`, `pause`, `go_on`, `stop`, `discard`, `wait` and the signal `finished`, and by
    the panels of `result` (see the documentation, "Python").

    Parameters
    ----------
    napari_viewer
        Whose layers hold the raw frames, and get the result.
    """

    finished = Signal(object)
    """`StoredResult` of a run that ended, once all of its layers stand."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.preferences = read_preferences()
        self.runs = RunFolder(self.preferences.runs_folder)
        self.session = FitSession(self.runs, {_MEMORY_SHARE: str(self.preferences.memory_share)})
        self._background = Background(self)
        self._looks = Background(self)  # checks of the form must not hold up what a user asks to see
        self._region_run = False  # whether the run that goes on is of a region
        self._closed = False
        self._make_widgets()
        self.check = FormCheck(self.form, self.bar, self.card, self.session, self.runs, self._background)
        self._arrivals = Arrivals(self._background, lambda: self.result.motion.choices.color)
        self._watch = RunWatch(napari_viewer, self.session, self.bar, self._arrivals)
        show_times(napari_viewer)
        bind_comparison(napari_viewer)
        self._guard = CloseGuard(self, self.session, self.shutdown)
        self._connect()
        self.session.warm_up()
        keep = partial(self.runs.clear, self.preferences.cache_days, self.preferences.cache_bytes)
        self._background.submit(keep)
        self._background.submit(self.runs.interrupted, done=self.banner.offer)
        self.bar.say(self.preferences.problem, problem=True)
        self.check.soon()

    # -- layout -------------------------------------------------------------

    def _make_widgets(self) -> None:
        viewer = self._viewer
        self.banner = InterruptedBanner()
        self.view = DrawingView(viewer)
        self.form = JobForm(viewer, self.preferences.device)
        self.steps = FirstSteps(self.form.raw)
        self.region = RegionTool(viewer, self.form)
        below_raw = self.form.layout().indexOf(self.form.raw) + 1
        self.form.layout().insertWidget(below_raw, self.region)
        self.menu = SettingsMenu(self.form, viewer)
        self.frames = FramesTools(self.form, self.view, self._looks, self.runs.path)
        self.result = ResultTab(viewer, self.view, self._background, self._looks)
        self.result.movie.set_default_format(self.preferences.movie_format)
        self.card, self.bar = PreflightCard(), RunBar()
        self._card_room = _column(self.card)
        self.bar.set_card(self._card_room)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(_scrolled(_column(self.steps, self.form)), "Set up")
        self.tabs.addTab(_scrolled(self.result), "Result")
        self.tabs.setCornerWidget(self.menu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.banner)
        layout.addWidget(self.view)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.bar)
        self.setMinimumWidth(320)
        # Rows come and go with the method, and with the kinds of a setting.
        self._ordering = QTimer(self)
        self._ordering.setSingleShot(True)
        self._ordering.timeout.connect(partial(order_tabs, self))
        self._ordering.start()

    def _connect(self) -> None:
        self.steps.sample_asked.connect(lambda key: self._viewer.open_sample(PLUGIN, key))
        self.form.raw.data_changed.connect(lambda: self._watch.raw_replaced(self.form.raw.layer))
        self.form.changed.connect(self._form_changed)
        self.form.said.connect(lambda text, problem: self.bar.say(text, problem=problem))
        self.menu.said.connect(lambda text, problem: self.bar.say(text, problem=problem))
        self.region.whole_field_asked.connect(self.run_whole_field)
        self.card.region_asked.connect(self.region.ask)
        self.card.tiles_asked.connect(lambda side: self._change(compute={"tile_px": side}))
        self.card.batch_asked.connect(partial(self._change, fit={"images_per_step": 1}))
        self.card.cpu_asked.connect(partial(self._change, fit={"device": "cpu"}))
        self.tabs.currentChanged.connect(self._show_card)
        self.bar.run_asked.connect(self.run)
        self.bar.stop_asked.connect(self.stop)
        self.bar.pause_asked.connect(self.pause)
        self.bar.go_on_asked.connect(self.go_on)
        self.bar.discard_asked.connect(self.discard)
        self._watch.ended.connect(self._ended)
        self._arrivals.opened.connect(self.result.set_result)
        self._arrivals.arrived.connect(self._arrived)
        for trouble in (self._arrivals.failed, self.session.trouble):
            trouble.connect(partial(self.bar.say, problem=True))
        self.banner.resume_asked.connect(lambda run: self._resume(run.path, run.title))
        self.result.list.go_on_asked.connect(self.resume)
        self.banner.open_asked.connect(self._open_interrupted)
        self.banner.discard_asked.connect(lambda run: self._background.submit(lambda: self.runs.discard(run.path)))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Qt's name: as wide as labels and values beside each other need."""
        return QSize(_WIDTH, super().sizeHint().height())

    # -- what scripts use too -------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a run goes on, or its result is on its way into the viewer."""
        return self.session.running or self._arrivals.busy

    def set_up(self, modality: str | None = None, raw: Layer | None = None, **parts: Mapping[str, Any]) -> None:
        """Fill in the form; what is not named stays.

        Parameters
        ----------
        modality
            dpc, sim, sim3d, diffusercam, or any registered.
        raw
            Layer with the raw frames.
        **parts
            `acquisition`, `fit`, `output` and `compute`: the same keys and units as in a job file.
        """
        if raw is not None:
            self.form.raw.choose(raw)
        if modality is not None:
            self.form.set_modality(modality)
        for name, changes in parts.items():
            form: SettingsForm = getattr(self.form, name)
            form.set_content({**form.content(), **changes})

    def run(self) -> None:
        """Start a run with what the form says; where something cannot be used, it is marked there."""
        path = self.runs.new_path()
        job = self.form.job(path, preview_every_s=read_preferences().preview_every_s)  # as they are now
        if job is None or self.session.running:
            return
        self.form.remember()
        layer = self.form.raw.layer
        self.view.back()
        placed = self.form.place_raw()
        if placed:
            self._viewer.reset_view()
        title, known = self._watch.new_title(layer.name), self.check.checked
        times, ndim = ((0.0,), 0) if known is None else (known.frame_times_ms, _ndim(known))
        self.bar.say(placed or "")
        self.session.run(job, self.form.reader(), path, title)
        self._region_run = job.region is not None
        first = 0 if job.frames is None else job.frames[0]
        live = LiveLayers(self._viewer, title, of_region=self._region_run, first_frame=first)
        self.result.list.set_running(title, job)
        self._begin(Watched(live, layer, times, ndim, on_cluster=job.compute.scheduler is not None))

    def run_whole_field(self) -> None:
        """Start a run of the whole field with the settings that were tried on a region."""
        self.region.whole_field()
        self.run()

    def resume(self, path: Path, name: str, steps: int | None = None) -> None:
        """Go on with a run that has ended; its layers give way to those of the run.

        Parameters
        ----------
        path
            Its store.
        name
            What the user knows it as.
        steps
            Steps beyond its end; None: to its end, of a run that was stopped.
        """
        if self.busy:
            return
        self.view.back()
        if str(path) in self.result.list.keys:
            self.result.list.remove_run(str(path), goes_on=True)
        self.result.set_result(None, "")
        self._resume(Path(path), name, steps, keep=True)

    def pause(self) -> None:
        """Let the run wait; `go_on` lets it go on."""
        self.bar.set_pausing()
        self.session.pause()

    def go_on(self) -> None:
        """Let a run that waits go on."""
        self.bar.set_going_on()
        self.session.go_on()

    def stop(self) -> None:
        """End the run and keep what it reached."""
        self.bar.set_stopping()
        self.session.stop()

    def discard(self) -> None:
        """End the run and keep nothing of it."""
        self.bar.set_discarding()
        self.session.discard()

    def wait(self, timeout_s: float = 3600.0) -> bool:
        """Process events until no run goes on and its result stands; returns whether that came in time."""
        loop, look = QEventLoop(), QTimer()
        look.timeout.connect(lambda: None if self.busy else loop.quit())
        look.start(20)
        QTimer.singleShot(round(1000 * timeout_s), loop.quit)
        if self.busy:
            loop.exec()
        look.stop()
        return not self.busy

    # -- what happens -------------------------------------------------------

    def _begin(self, watched: Watched) -> None:
        self.region.offer_whole_field(False)
        self.banner.set_resumable(False)
        self._watch.watch(watched)
        self._show_card()

    def _resume(self, path: Path, title: str, steps: int | None = None, *, keep: bool = False) -> None:
        record = read_record(path)
        self.session.resume(path, title, steps, keep=keep)
        # One that goes on keeps its name: its layers are about to go.
        live = LiveLayers(
            self._viewer,
            title if keep else self._watch.new_title(title),
            of_region=any(record.origin_um),
            first_frame=first_frame(record.job),
        )
        self._region_run = False  # its raw frames need not be here
        self.result.list.set_running(live.name)
        watched = Watched(live, None, record.frame_times_ms, len(record.shape), record.shape, kept=keep)
        if record.tiles is not None:
            watched.n_tiles = len(record.tiles.tiles)
            watched.on_cluster = (record.job.get("compute") or {}).get("scheduler") is not None
        self._begin(watched)
        if record.tiles is None:
            self.bar.curve.set_history(record.loss_history, record.n_steps + (steps or 0))
        else:
            n = watched.n_tiles
            self._background.submit(partial(_n_missing, path), lambda left: self.bar.set_tiles_done(n - left))

    def _open_interrupted(self, run: InterruptedRun) -> None:
        self._arrivals.load(run.path, LiveLayers(self._viewer, self._watch.new_title(run.title)), "")

    def _ended(self, end: RunEnd) -> None:
        self.banner.set_resumable(True)
        self.result.list.set_running(None)
        self.region.offer_whole_field(self._region_run and end.path is not None)
        self._show_card()
        if end.status in ("failed", "diverged") and self.form.show_problem(end.field, end.message):
            self.bar.set_ready(False, MARKED)
            self.bar.say("The run did not start.", problem=True)

    def _arrived(self, stored: StoredResult) -> None:
        self.result.arrived(stored)
        self.finished.emit(stored)

    def _form_changed(self) -> None:
        one_image = self.form.modality.raw_axes.startswith("c")
        self.form.raw.set_takes_stacks(not one_image)
        self._ordering.start()

    def _change(self, **parts: Mapping[str, Any]) -> None:
        self.set_up(**parts)
        self.check.soon()

    def _show_card(self, _: int = 0) -> None:
        """Leave the room to the result where it is looked at, and to the run while it goes on."""
        self._card_room.setVisible(self.tabs.currentIndex() == _SET_UP and not self.session.running)

    def shutdown(self) -> None:
        """End the fitting process, with a checkpoint of its run, and listen to the viewer no longer."""
        if self._closed:
            return
        self._closed = True
        self.check.stop()
        self._ordering.stop()
        self._arrivals.close()
        self.result.shutdown()
        self.menu.shutdown()
        self.session.shutdown()
        self._background.close()
        self._looks.close()
        self.view.disconnect_viewer()
        self._watch.disconnect_viewer()
        self.region.disconnect_viewer()
        self.form.disconnect_viewer()


def _n_missing(path: Path) -> int:
    """Return how many tiles of a store are still to be done; call it off the window's thread."""
    # What opens a window needs no arrays.
    from napari_nstm.run.tiled.run import missing_tiles

    return len(missing_tiles(path))


def _column(*widgets: QWidget) -> QWidget:
    """Put widgets one below the other."""
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return column


def _scrolled(widget: QWidget) -> QScrollArea:
    """Let a widget be higher than the panel, but never wider."""
    inside = _column(widget)
    inside.layout().setContentsMargins(0, 4, 4, 0)
    inside.layout().addStretch(1)
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
