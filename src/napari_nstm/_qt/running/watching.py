"""A run as the window shows it: its pictures sharpen, the bar tells how far it is, its result takes their place."""

from dataclasses import dataclass
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from napari_nstm._qt.layers.runs import run_name
from napari_nstm._qt.raw_layer import is_of_a_run, stretch_over_planes
from napari_nstm._qt.running.arrivals import Arrivals
from napari_nstm._qt.running.live import LiveLayers
from napari_nstm._qt.running.run_bar import RunBar
from napari_nstm._qt.running.session import FitSession, RunEnd
from napari_nstm.core.events import Event, Notice, PartDone, Paused, Prepared, Preview, Progress, Working


@dataclass
class Watched:
    """The run that goes on, as far as the window is concerned.

    Parameters
    ----------
    live
        Its layers.
    raw_layer
        Where its frames came from; None: from a store.
    frame_times_ms
        Of its frames, which the slider counts.
    ndim
        Axes of the field; 0: not known.
    shape
        Of the result, ([z,] y, x), as far as it is known: it may be finer than the frames.
    n_tiles
        Tiles that its field is divided into; 0: none, or not known yet.
    on_cluster
        Whether a cluster computes them.
    kept
        Whether it left a result before, which cannot be discarded.
    """

    live: LiveLayers
    raw_layer: Layer | None
    frame_times_ms: tuple[float, ...]
    ndim: int
    shape: tuple[int, ...] = ()
    n_tiles: int = 0
    on_cluster: bool = False
    kept: bool = False


class RunWatch(QObject):
    """Shows what a run says, and what becomes of it.

    Parameters
    ----------
    viewer
        Where it is seen.
    session
        Its events, and where the wish for another moment goes.
    bar
        Tells how far it is.
    arrivals
        Bring its result.
    """

    began = Signal()
    """A run goes on from now."""
    ended = Signal(object)
    """`RunEnd`, after the window has taken note of it."""

    def __init__(self, viewer: ViewerModel, session: FitSession, bar: RunBar, arrivals: Arrivals) -> None:
        super().__init__()
        self._viewer, self._session, self._bar, self._arrivals = viewer, session, bar, arrivals
        self._watched: Watched | None = None
        self._n_steps = 0
        session.happened.connect(self._take)
        session.ended.connect(self._end)
        viewer.layers.events.removed.connect(self._layer_removed)
        viewer.dims.events.current_step.connect(self._slider_moved)

    def watch(self, watched: Watched) -> None:
        """Show a run that was just begun."""
        self._watched = watched
        self._n_steps = 0
        self._bar.set_running(can_discard=not watched.kept)
        self._count_tiles(watched.n_tiles)
        self._slider_moved()
        self.began.emit()

    def new_title(self, raw_name: str) -> str:
        """Return what a new run of some frames is to be known as: no other one in the viewer is."""
        taken = {run_name(layer) for layer in self._viewer.layers if is_of_a_run(layer)}
        title, number = raw_name, 1
        while title in taken:
            number += 1
            title = f"{raw_name} ({number})"
        return title

    def raw_replaced(self, layer: Layer | None) -> None:
        """Take note that a layer's frames were changed."""
        if self._watched is not None and layer == self._watched.raw_layer:
            self._bar.say("The raw frames were changed: this run goes on with those it began with.")

    def disconnect_viewer(self) -> None:
        """Listen no longer."""
        self._viewer.layers.events.removed.disconnect(self._layer_removed)
        self._viewer.dims.events.current_step.disconnect(self._slider_moved)

    # -- inside -------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case Preview():
                self._show(event)
            case Progress():
                self._bar.show_progress(event, _size_at(self._watched.shape, event.level))
            case Paused():
                self._bar.show_paused(event)
            case Working():
                self._bar.show_working(event)
            case PartDone():
                self._bar.show_part(event)
            case Prepared():
                self._n_steps = event.n_steps
                self._count_tiles(event.n_tiles)
            case Notice():
                self._bar.say(event.message)

    def _count_tiles(self, n: int) -> None:
        if n:
            self._bar.set_tiles(n, at_once=self._watched.on_cluster)

    def _show(self, preview: Preview) -> None:
        watched = self._watched
        if not watched.live.started:
            self._hide_earlier()
        self._measure(watched, preview)
        watched.live.show(preview, preview.step / max(self._n_steps, 1), watched.frame_times_ms)

    def _measure(self, watched: Watched, preview: Preview) -> None:
        """Learn the size of the result from its pictures; coarse ones may be larger than it by a part of a pixel."""
        spacing = preview.spacing_px
        if not watched.shape or max(spacing) == 1:
            watched.shape = tuple(n * s for n, s in zip(preview.scene.shape[1:], spacing, strict=True))
            layer = watched.raw_layer
            if watched.ndim == 3 and layer is not None and layer in self._viewer.layers:
                stretch_over_planes(layer, watched.shape[0], preview.pixel_size_um[0])

    def _end(self, end: RunEnd) -> None:
        live, self._watched = self._watched.live, None
        self._bar.set_idle(ready=True)
        self._bar.say(end.message, problem=end.status in ("failed", "diverged"))
        self.ended.emit(end)
        if end.path is None:
            self._arrivals.remove(live)
        else:
            self._arrivals.load(end.path, live, end.message)

    def _hide_earlier(self) -> None:
        """Hide the layers of earlier results, so that the new one is seen."""
        for layer in self._viewer.layers:
            if is_of_a_run(layer):
                layer.visible = False

    def _slider_moved(self, _: object = None) -> None:
        """While a run goes on its pictures show the frame that the slider stands at."""
        dims, watched = self._viewer.dims, self._watched
        if watched is not None and dims.ndim > watched.ndim > 0:
            last = len(watched.frame_times_ms) - 1
            frame = round(dims.point[dims.ndim - watched.ndim - 1]) - watched.live.first_frame
            self._session.show(watched.frame_times_ms[min(max(frame, 0), last)])

    def _layer_removed(self, event: Any) -> None:
        if self._watched is None:
            return
        if event.value == self._watched.raw_layer:
            self._bar.say("The raw layer was deleted: the run goes on with the frames it began with.")
        elif self._watched.live.made(event.value):
            self._bar.say("A layer of this run was deleted: its result will be added at the end.")


def _size_at(shape: tuple[int, ...], level: int) -> str:
    coarse = [n if axis < len(shape) - 2 else -(-n // 2**level) for axis, n in enumerate(shape)]
    return " × ".join(map(str, coarse)) + " px" if coarse else f"Level {level}"
