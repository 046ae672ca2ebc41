"""Looking at a result in other ways: time or depth as colour, spectra, and beside the conventional reconstruction."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtWidgets import QGridLayout, QPushButton, QSpinBox

from napari_nstm._qt.background import Background
from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.layers.adding import add_unselected
from napari_nstm._qt.layers.compare import KEY_NAME, toggle_comparison
from napari_nstm._qt.layers.seams import has_seams, seams_layer, seams_note
from napari_nstm._qt.layers.views import depth_view, spectra_view, time_view
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.results.result_panel import ResultPanel
from napari_nstm.core.data import Drawing
from napari_nstm.io.draw import contrast_limits
from napari_nstm.io.result import StoredResult

_MOMENTS, _AT_MOST = 3, 8
_TIME_NOTE = "What stands still is grey or white; what moves has the colour of its moment, as the key above it says."
_DEPTH_NOTE = (
    "The brightest of all planes, in the colour of its depth, as the key above it says; the slider scrubs time."
)


class ViewsPanel(ResultPanel):
    """A button for each view of a result; every view is a layer, or a drawing.

    Parameters
    ----------
    viewer
        Where they are shown.
    view
        Shows them alone, and brings back what was shown before.
    background
        Where they are made.
    """

    def __init__(self, viewer: ViewerModel, view: DrawingView, background: Background) -> None:
        super().__init__(background, "What came of a view")
        self._viewer, self._view = viewer, view
        self.time_button = QPushButton("Coloured by time")
        self.time_button.setToolTip("Some moments of the acquisition at once, each in a colour of its own.")
        self.moments = QSpinBox()
        self.moments.setRange(2, _AT_MOST)
        self.moments.setValue(_MOMENTS)
        self.moments.setSuffix(" moments")
        self.moments.setAccessibleName("Number of moments, each in a colour of its own")
        self.depth_button = QPushButton("Coloured by depth")
        self.depth_button.setToolTip("All planes at once, each in a colour of its own.")
        self.spectra_button = QPushButton("Spectra")
        self.spectra_button.setToolTip(
            "Power spectra of raw frames, conventional reconstruction and reconstruction, on one scale."
        )
        self.compare_button = QPushButton(f"Conventional ({KEY_NAME})")
        self.compare_button.setToolTip(
            f"Show the conventional reconstruction in place of this result, and back; key {KEY_NAME} in the viewer."
        )
        self.seams_button = QPushButton("Seams")
        self.seams_button.setToolTip("Show how far the tiles of this result differ where they overlap.")
        grid = QGridLayout()
        grid.addWidget(self.time_button, 0, 0)
        grid.addWidget(self.moments, 0, 1)
        grid.addWidget(self.compare_button, 1, 0)
        grid.addWidget(self.spectra_button, 1, 1)
        grid.addWidget(self.depth_button, 2, 0)
        grid.addWidget(self.seams_button, 3, 0)
        for column in (0, 1):
            grid.setColumnStretch(column, 1)
        self._lay_out(grid)
        self.time_button.clicked.connect(self.show_times)
        self.depth_button.clicked.connect(self.show_depths)
        self.spectra_button.clicked.connect(self.show_spectra)
        self.seams_button.clicked.connect(self.show_seams)
        self.compare_button.clicked.connect(lambda: toggle_comparison(self._viewer))
        self._refresh()

    def show_times(self) -> None:
        """Show moments of the acquisition, each in its colour."""
        make = partial(time_view, n=self.moments.value())
        self._make(make, partial(self._add, title="Coloured by time", note=_TIME_NOTE))

    def show_depths(self) -> None:
        """Show all planes, each in its colour."""
        self._make(depth_view, partial(self._add, title="Coloured by depth", note=_DEPTH_NOTE))

    def show_spectra(self) -> None:
        """Show the spectra of raw frames, conventional reconstruction and reconstruction."""

        def draw(stored: StoredResult, name: str, _limits: Any) -> Drawing:
            return spectra_view(stored, name)

        self._make(draw, self._view.show_drawing)

    def show_seams(self) -> None:
        """Show how far tiles differ where they overlap."""

        def make(stored: StoredResult, name: str, limits: tuple[float, float]) -> Any:
            return seams_layer(stored, name, limits), seams_note(stored, limits)

        def show(made: Any) -> None:
            layer, note = made
            self._add([layer], "Seams", note)

        self._make(make, show)

    # -- inside -------------------------------------------------------------

    def _make(self, make: Callable[..., Any], show: Callable[[Any], None]) -> None:
        stored, name = self._stored, self._name
        if stored is None:
            return
        shown = self._limits(stored)

        def work() -> Any:
            stored.check_there()
            moments = (stored.frame_times_ms[0], stored.frame_times_ms[-1])
            limits = shown or contrast_limits([stored.scene_at(time)[-1] for time in moments])
            return make(stored, name, limits)

        self._do("Drawing…", work, show)

    def _limits(self, stored: StoredResult) -> tuple[float, float] | None:
        """Return the contrast that the user sees the result's last channel with."""
        for layer in self._viewer.layers:
            known = known_of(layer)
            about = known.get("kind"), known.get("store"), known.get("channel")
            if about == ("reconstruction", str(stored.path), stored.channels[-1].name):
                low, high = layer.contrast_limits
                return float(low), float(high)
        return None

    def _add(self, made: Sequence[Any], title: str, note: str) -> None:
        layers = [self._placed(*one) for one in made]
        self._view.show_layers(layers, title, note)

    def _placed(self, data: Any, attributes: dict[str, Any], kind: str) -> Layer:
        """Add a layer, or show it in the one that showed the same view before."""
        for layer in self._viewer.layers:
            if known_of(layer).get("kind") == "view" and layer.name == attributes["name"]:
                layer.data = data
                layer.metadata = attributes["metadata"]
                return layer
        return add_unselected(self._viewer, Layer.create(data, attributes, kind))

    def _refresh(self) -> None:
        ready = self._stored is not None and not self._busy
        for button in (self.time_button, self.depth_button, self.spectra_button, self.seams_button):
            button.setEnabled(ready)
        self.moments.setEnabled(ready)
        self.compare_button.setEnabled(ready and self._stored.has_conventional)
        self.seams_button.setVisible(self._stored is not None and has_seams(self._stored))
        self.depth_button.setVisible(self._stored is not None and len(self._stored.shape) == 3)
