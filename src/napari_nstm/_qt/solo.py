"""Some layers alone on the canvas, and one way back to how it was."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

_MARGIN = 0.05  # of the canvas, around what is shown


class Solo:
    """Shows some layers alone: the others are hidden until `leave`, which puts back what was changed.

    Parameters
    ----------
    viewer
        Whose layers they are.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._hidden: list[Layer] = []
        self._active: Layer | None = None
        self._view: dict[str, Any] | None = None
        self._shown: list[Layer] = []
        self.on = False
        """Whether layers are shown alone."""

    def remember(self) -> None:
        """Note which layer is selected, to be selected again; to be called before layers are added."""
        if self._active is None and not self.on:
            self._active = self._viewer.layers.selection.active

    def enter(self, layers: Sequence[Layer], *, elsewhere: bool = False, leaving: Sequence[Layer] = ()) -> None:
        """Hide all but some layers, and let the camera go to these.

        Parameters
        ----------
        layers
            They stand in the viewer already.
        elsewhere
            Whether they show no place of the sample, but something in a plane and a unit of its own.
        leaving
            Layers that are about to vanish: nobody hides them, nor brings them back.
        """
        viewer = self._viewer
        self.remember()
        self.on = True
        for layer in viewer.layers:
            if layer.visible and not _among(layer, [*layers, *leaving]):
                if not _among(layer, self._shown):
                    self._hidden.append(layer)
                layer.visible = False
        self._shown = list(layers)
        for layer in layers:
            layer.visible = True
        if self._view is None:
            camera = viewer.scene.camera
            self._view = {
                "center": camera.center,
                "zoom": camera.zoom,
                "ndisplay": viewer.dims.ndisplay,
                "bar": viewer.canvas.overlays.scale_bar.visible,
            }
        if elsewhere:
            viewer.dims.ndisplay = 2
            viewer.canvas.overlays.scale_bar.visible = False
        elif self._view["bar"]:
            viewer.canvas.overlays.scale_bar.visible = True
        self._fit()
        QTimer.singleShot(0, self._fit)  # the canvas may be about to change its size

    def leave(self, leaving: Sequence[Layer] = ()) -> None:
        """Show what was hidden, and look at it as before; what was shown alone is hidden, unless it is leaving."""
        viewer = self._viewer
        for layer in self._shown:
            if layer in viewer.layers and not _among(layer, leaving):
                layer.visible = False
        for layer in self._hidden:
            if layer in viewer.layers:
                layer.visible = True
        if self._view is not None:
            self._put_view_back()
        if self._active is not None and self._active in viewer.layers:
            viewer.layers.selection.active = self._active
        self._shown, self._hidden, self._active, self.on = [], [], None, False

    def _fit(self) -> None:
        viewer = self._viewer
        # `viewer.reset_view(layers=...)` of napari 0.9 fails for layers with fewer axes than others have.
        if self._view is None or viewer.dims.ndisplay == 3:
            return
        extents = [layer.extent.world[:, -2:] for layer in self._shown]
        low, high = np.min([e[0] for e in extents], axis=0), np.max([e[1] for e in extents], axis=0)
        look_at(viewer, low, high)

    def _put_view_back(self) -> None:
        view, self._view = self._view, None
        self._viewer.dims.ndisplay = view["ndisplay"]
        self._viewer.scene.camera.center = view["center"]
        self._viewer.scene.camera.zoom = view["zoom"]
        if view["bar"]:
            self._viewer.canvas.overlays.scale_bar.visible = True


def look_at(viewer: ViewerModel, low: NDArray[np.floating], high: NDArray[np.floating]) -> None:
    """Let the camera show a rectangle, given by its corners (y, x), as large as the canvas allows."""
    viewer.scene.camera.center = (0.0, *((low + high) / 2))
    viewer.scene.camera.zoom = float((1 - _MARGIN) * np.min(np.asarray(viewer.canvas.size) / (high - low)))


def _among(layer: Layer, layers: Sequence[Layer]) -> bool:
    return any(layer == one for one in layers)  # what napari hands out may be a proxy
