"""Following points of a result: mark them, follow them, take their tracks home."""

from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer, Points, Tracks
from qtpy.QtWidgets import QFileDialog, QGridLayout, QPushButton

from napari_nstm._qt.background import Background
from napari_nstm._qt.file_names import complete, file_name
from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.layers.adding import add_unselected
from napari_nstm._qt.layers.tracks import marked_points, points_layer, show_again, tracks_layer
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.results.result_panel import ResultPanel
from napari_nstm.core.errors import InputError
from napari_nstm.core.trajectories import Trajectories
from napari_nstm.io.result import StoredResult
from napari_nstm.io.tracks import write_tracks

_TABLE = "Table (*.csv)"
_MARK = "Click on the sample, at any moment of the slider; then press Follow."


class TracksPanel(ResultPanel):
    """Chooses a Points layer and follows its points through the acquisition.

    Parameters
    ----------
    viewer
        Whose Points layers are offered, and which gets the tracks.
    background
        Where points are followed and tables written.
    """

    def __init__(self, viewer: ViewerModel, background: Background) -> None:
        super().__init__(background, "What came of following points")
        self._viewer = viewer
        self._found: dict[Path, Trajectories] = {}  # the newest, by the result's place
        self._folder = Path.home()
        self.combo = CalmComboBox()
        self.combo.setAccessibleName("Points to follow")
        self.combo.setToolTip("Points layer with the points to follow. Its scale and units count.")
        self.combo.setMinimumContentsLength(12)
        self.mark_button = QPushButton("Mark points")
        self.mark_button.setToolTip("Make a layer for points, and click on the sample to mark some.")
        self.follow_button = QPushButton("Follow")
        self.follow_button.setToolTip(
            "Follow the points forward and backward from the moment at which each was marked; "
            "points of a layer without time are those of the first frame."
        )
        self.save_button = QPushButton("Save table…")
        self.save_button.setToolTip("Write where the points are at every moment, and how fast, as CSV.")
        grid = QGridLayout()
        grid.addWidget(self.combo, 0, 0)
        grid.addWidget(self.mark_button, 0, 1)
        grid.addWidget(self.follow_button, 1, 0)
        grid.addWidget(self.save_button, 1, 1)
        for column in (0, 1):
            grid.setColumnStretch(column, 1)
        self._lay_out(grid)
        self.mark_button.clicked.connect(self.mark)
        self.follow_button.clicked.connect(self.follow)
        self.save_button.clicked.connect(self._ask_and_save)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self._refill)
        self._refill()

    def mark(self) -> None:
        """Let the user click points: in the result's layer for them, or a new one."""
        if self._stored is None:
            return
        layer = self._own_points()
        if layer is None:
            layer = Layer.create(*points_layer(self._stored, self._name))
            self._viewer.add_layer(layer)
        layer.visible = True
        self._viewer.layers.selection.active = layer
        layer.mode = "add"
        self.combo.setCurrentIndex(self.combo.findData(layer))
        self._say(_MARK)

    def follow(self) -> None:
        """Follow the points of the chosen layer; their tracks come in the place of earlier ones of the result."""
        stored, name, layer = self._stored, self._name, self.combo.currentData()
        if stored is None or layer is None or self._busy:
            return
        if not len(layer.data):
            self._say(f"{layer.name} holds no points: click on the sample to mark some.", problem=True)
            return
        try:
            points_um, at_ms = marked_points(layer, stored)
        except InputError as error:
            self._failed(error)
            return

        def work() -> Any:
            stored.check_there()
            found = stored.trajectories(points_um, at_ms)
            return found, tracks_layer(found, stored, name)

        def done(made: Any) -> str:
            found, tracks = made
            self._found[stored.path] = found
            self._show(tracks, stored)
            n_tracks, n_moments = found.positions_um.shape[:2]
            count = "1 point" if n_tracks == 1 else f"{n_tracks} points"
            return " ".join([f"{count} followed through {n_moments} moments.", *found.notices])

        self._do("Following…", work, done)

    def save_to(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the tracks of the result as a table.

        Parameters
        ----------
        path
            A file ending in .csv.
        overwrite
            Replace an existing file.
        """
        found = self._tracked()
        if found is None or self._busy:
            return
        target = Path(path).expanduser().absolute()
        self._folder = target.parent
        self._do(
            "Writing…",
            lambda: write_tracks(found, target, overwrite=overwrite),
            lambda written: f"Saved: {written}.",
        )

    def disconnect_viewer(self) -> None:
        """Listen no longer."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.disconnect(self._refill)
        for layer in self._candidates():
            layer.events.name.disconnect(self._refill)

    # -- inside -------------------------------------------------------------

    def _candidates(self) -> list[Points]:
        """Return the Points layers that are the user's, the newest first."""
        mine = (None, "points")
        layers = reversed(self._viewer.layers)
        return [layer for layer in layers if isinstance(layer, Points) and known_of(layer).get("kind") in mine]

    def _refill(self, _: object = None) -> None:
        before, layers = self.combo.currentData(), self._candidates()
        self.combo.blockSignals(True)
        self.combo.clear()
        for layer in layers:
            self.combo.addItem(layer.name, layer)
            layer.events.name.disconnect(self._refill)
            layer.events.name.connect(self._refill)
        if before in layers:
            self.combo.setCurrentIndex(layers.index(before))
        self.combo.blockSignals(False)
        self._refresh()

    def _own_points(self) -> Any:
        """Return the layer that was made for the result's points; None where there is none."""
        store = str(self._stored.path)
        return next((layer for layer in self._candidates() if known_of(layer).get("store") == store), None)

    def _show(self, made: Any, stored: StoredResult) -> None:
        layer = next((one for one in self._viewer.layers if _shows_tracks_of(one, stored)), None)
        if not len(made[0]):
            return  # all left before the next moment: napari shows no empty tracks
        if layer is not None:
            show_again(layer, made)
            layer.visible = True
            return
        add_unselected(self._viewer, Layer.create(*made))  # the user may go on to mark points

    def _tracked(self) -> Trajectories | None:
        return None if self._stored is None else self._found.get(self._stored.path)

    def _ask_and_save(self) -> None:
        proposed = self._folder / f"{file_name(self._name)}-tracks.csv"
        chosen, _ = QFileDialog.getSaveFileName(self, "Save tracks", str(proposed), _TABLE)
        if chosen:
            path, replace = complete(chosen, ".csv", (".csv",))
            self.save_to(path, overwrite=replace)

    def _refresh(self) -> None:
        ready = self._stored is not None and not self._busy
        self.combo.setEnabled(self.combo.count() > 0)
        self.mark_button.setEnabled(ready)
        self.follow_button.setEnabled(ready and self.combo.count() > 0)
        self.save_button.setEnabled(ready and self._tracked() is not None)


def _shows_tracks_of(layer: Layer, stored: StoredResult) -> bool:
    known = known_of(layer)
    return isinstance(layer, Tracks) and known.get("view") == "tracks" and known.get("store") == str(stored.path)
