"""Layers that leave a viewer, one at a time."""

from collections.abc import Sequence

from napari.components import ViewerModel
from napari.layers import Layer, Points, Shapes
from qtpy.QtCore import QObject, QTimer

from napari_nstm._qt.layers.time_text import DRAWN_MS


class Leaving(QObject):
    """Removes layers from a viewer, one a turn, with a draw between.

    napari 0.9 crashes where several vanish between two draws, and where hidden ones vanish one after another: until
    they go they are drawn, but cannot be seen.

    Parameters
    ----------
    viewer
        Whose layers they are.
    parent
        Owner in Qt's sense.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._doomed: list[Layer] = []
        self._opacity: dict[int, float] = {}  # by the layer's id: it stays where the removal is called off
        self._timer = QTimer(self)
        self._timer.setInterval(DRAWN_MS)
        self._timer.timeout.connect(self.remove_one)

    @property
    def layers(self) -> list[Layer]:
        """Those that are still to go."""
        return list(self._doomed)

    def remove(self, layers: Sequence[Layer]) -> None:
        """Let layers go, the topmost first; for the eye at once."""
        for layer in layers:
            self._opacity[id(layer)] = layer.opacity
            layer.opacity = 0.0
            layer.visible = True
            if isinstance(layer, Points | Shapes):
                layer.text.visible = False
        self._doomed += layers
        if self._doomed:
            self._timer.start()

    def remove_one(self) -> None:
        """Remove the next one now; to be called where nothing else was removed since the last draw."""
        while self._doomed:
            layer = self._doomed.pop()
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
                return
        self._timer.stop()

    def stop(self) -> None:
        """Remove nothing any more; what was to go is hidden."""
        self._timer.stop()
        for layer in self._doomed:
            layer.visible = False
            layer.opacity = self._opacity[id(layer)]
            if isinstance(layer, Points | Shapes):
                layer.text.visible = True
        self._doomed = []
