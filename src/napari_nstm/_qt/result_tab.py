"""The tab about one result: what it is, and what can be made of it."""

from typing import get_args

from napari.components import ViewerModel
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.heading import heading
from napari_nstm._qt.layers.arrows import ArrowColor
from napari_nstm._qt.layers.result import recolor
from napari_nstm._qt.movie_panel import MoviePanel
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.save_panel import SavePanel
from napari_nstm._qt.tracks_panel import TracksPanel
from napari_nstm._qt.views_panel import ViewsPanel
from napari_nstm.io.result import StoredResult, open_result

_NO_RESULT = "Run a reconstruction, or select a layer of a result: here it becomes tracks, files and movies."


class ResultTab(QWidget):
    """Arrows, views, trajectories, files and movies of the result whose layer was selected last.

    Parameters
    ----------
    viewer
        Whose layers show results.
    view
        Shows views of a result alone.
    opening
        Where results are opened.
    looks
        Where views and tracks are made.
    """

    def __init__(self, viewer: ViewerModel, view: DrawingView, opening: Background, looks: Background) -> None:
        super().__init__()
        self._viewer, self._opening = viewer, opening
        self._exports = Background(self)  # a long movie must not hold up the next result
        self.about = QLabel(_NO_RESULT)
        self.about.setWordWrap(True)
        self.arrow_color = CalmComboBox()
        self.arrow_color.setAccessibleName("Arrows in the viewer")
        self.arrow_color.setToolTip("What the colour of the arrows in the viewer tells.")
        for by in get_args(ArrowColor):
            self.arrow_color.addItem(f"coloured by {by}", by)
        self.views = ViewsPanel(viewer, view, looks)
        self.tracks = TracksPanel(viewer, looks)
        self.save = SavePanel(self._exports)
        self.movie = MoviePanel(self._exports)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.about)
        for title, widget in (
            ("Arrows in the viewer", self.arrow_color),
            ("Views", self.views),
            ("Trajectories", self.tracks),
            ("Files", self.save),
            ("Movie", self.movie),
        ):
            layout.addWidget(heading(title))
            layout.addWidget(widget)
        self.arrow_color.currentIndexChanged.connect(self._recolor)
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
        for part in (self.movie, self.views, self.tracks, self.save):
            part.set_result(stored, name)
        self.about.setText(_NO_RESULT if stored is None else _about(stored, name))

    def shutdown(self) -> None:
        """Call off what is being written, and listen to the viewer no longer."""
        self.movie.cancel()
        self.save.cancel()
        self._exports.close()
        self.tracks.disconnect_viewer()
        self._viewer.layers.selection.events.active.disconnect(self._layer_selected)

    # -- inside -------------------------------------------------------------

    def _layer_selected(self, _: object = None) -> None:
        layer = self._viewer.layers.selection.active
        store = None if layer is None else known_of(layer).get("store")
        if store:
            name = layer.name.partition(" — ")[2] or layer.name
            self._opening.submit(lambda: open_result(store), lambda stored: self.set_result(stored, name), _ignore)

    def _recolor(self, _: int = 0) -> None:
        for layer in self._viewer.layers:
            if known_of(layer).get("kind") == "motion":
                recolor(layer, self.arrow_color.currentData())


def _about(stored: StoredResult, name: str) -> str:
    record = stored.record
    ended = {"running": "interrupted"}.get(stored.status, stored.status)
    return f"{name}: {ended} at step {record.step} of {record.n_steps}, {record.created[:16].replace('T', ' ')} UTC."


def _ignore(_: Exception) -> None:
    """Say nothing: that a store vanished is said when something is made of it."""
