"""The tab about results: which there are, and what can be made of the one that is looked at."""

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.form.collapsible import Collapsible
from napari_nstm._qt.form.row import WrappedLabel
from napari_nstm._qt.layers.runs import run_name
from napari_nstm._qt.movies.movie_panel import MoviePanel
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.results.motion_panel import MotionPanel
from napari_nstm._qt.results.residual_panel import ResidualPanel
from napari_nstm._qt.results.run_list import RunList
from napari_nstm._qt.results.save_panel import SavePanel
from napari_nstm._qt.results.time_panel import TimePanel
from napari_nstm._qt.results.tracks_panel import TracksPanel
from napari_nstm._qt.results.views_panel import ViewsPanel
from napari_nstm.io.result import StoredResult, open_result

_NO_RESULT = "Run a reconstruction, or select a layer of a result: here it becomes tracks, files and movies."
_OPEN_AT_FIRST = ("Time", "Motion", "Views")


class ResultTab(QWidget):
    """Runs, and time, motion, views, residual, trajectories, files and movies of the one that was selected last.

    Parameters
    ----------
    viewer
        Whose layers show results.
    view
        Shows views of a result alone.
    opening
        Where results are opened.
    looks
        Where views, arrows and tracks are made.
    """

    def __init__(self, viewer: ViewerModel, view: DrawingView, opening: Background, looks: Background) -> None:
        super().__init__()
        self._viewer, self._opening = viewer, opening
        self._exports = Background(self)  # a long movie must not hold up the next result
        self._stored: StoredResult | None = None
        self.about = WrappedLabel()
        self.about.setText(_NO_RESULT)
        self.list = RunList(viewer, looks)
        self.time = TimePanel(viewer, looks)
        self.motion = MotionPanel(viewer, looks)
        self.views = ViewsPanel(viewer, view, looks)
        self.residual = ResidualPanel(viewer, view, looks)
        self.tracks = TracksPanel(viewer, looks)
        self.save = SavePanel(self._exports)
        self.movie = MoviePanel(viewer, self._exports)
        self.groups = {
            title: Collapsible(title, widget)
            for title, widget in (
                ("Time", self.time),
                ("Motion", self.motion),
                ("Views", self.views),
                ("Residual", self.residual),
                ("Trajectories", self.tracks),
                ("Files", self.save),
                ("Movie", self.movie),
            )
        }
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.about)
        layout.addWidget(self.list)
        for title, group in self.groups.items():
            group.set_open(title in _OPEN_AT_FIRST)
            layout.addWidget(group)
        self.list.chosen.connect(self.open)
        viewer.layers.selection.events.active.connect(self._layer_selected)

    def set_result(self, stored: StoredResult | None, name: str) -> None:
        """Offer what can be made of a result.

        Parameters
        ----------
        stored
            The result; None: there is none.
        name
            What the user knows it as.
        """
        self._stored = stored
        for part in (self.time, self.motion, self.views, self.residual, self.tracks, self.save, self.movie):
            part.set_result(stored, name)
        self.about.setText(_NO_RESULT if stored is None else _about(stored, name))

    def open(self, path: Path, name: str) -> None:
        """Offer the result of a store, once it was read."""
        if self._stored is None or self._stored.path != Path(path):
            self._opening.submit(lambda: open_result(path), lambda stored: self.set_result(stored, name), _ignore)

    def arrived(self, stored: StoredResult) -> None:
        """Take note that all layers of a result stand."""
        self.motion.apply_to(stored)

    def shutdown(self) -> None:
        """Call off what is being written, and listen to the viewer no longer."""
        self.movie.shutdown()
        self.save.cancel()
        self._exports.close()
        for part in (self.list, self.time, self.motion, self.residual, self.tracks):
            part.disconnect_viewer()
        self._viewer.layers.selection.events.active.disconnect(self._layer_selected)

    # -- inside -------------------------------------------------------------

    def _layer_selected(self, _: object = None) -> None:
        layer = self._viewer.layers.selection.active
        store = None if layer is None else known_of(layer).get("store")
        if store:
            self.open(Path(store), run_name(layer))


def _about(stored: StoredResult, name: str) -> str:
    record = stored.record
    ended = {"running": "interrupted"}.get(stored.status, stored.status)
    tiles = "" if record.tiles is None else f", {len(record.tiles.tiles)} tiles"
    when = record.created[:16].replace("T", " ")
    return f"{name}: {ended} at step {record.step} of {record.n_steps}{tiles}, {when} UTC."


def _ignore(_: Exception) -> None:
    """Say nothing: that a store vanished is said when something is made of it."""
