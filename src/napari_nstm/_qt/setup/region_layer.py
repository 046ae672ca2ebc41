"""The Shapes layer whose newest shape says which part of the frames is meant."""

from collections.abc import Generator
from typing import Any

import numpy as np
import pint
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_nstm._qt.leaving import Leaving
from napari_nstm._qt.raw_layer import KEY, shape_of
from napari_nstm._qt.setup.region_px import corners_of, is_upright
from napari_nstm.core.settings import Region

_STYLE = {"edge_color": "#ffb000", "face_color": "transparent", "opacity": 1.0}
_OUTLINE = 0.008  # of the frames' longer side


class RegionLayer(QObject):
    """Shows one rectangle upon raw frames, and tells what the user does with it.

    Parameters
    ----------
    viewer
        Where it is shown.
    parent
        Owner in Qt's sense.
    """

    moved = Signal()
    """A shape was moved, resized, added or deleted, or is on its way under the mouse."""
    deleted = Signal()
    """The user deleted the layer."""

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Shapes | None = None
        self._leaving = Leaving(viewer, self)
        viewer.layers.events.removed.connect(self._layer_removed)

    def show(self, region: Region, raw: Image) -> None:
        """Show the rectangle around a region of a raw layer, in place of what was drawn before."""
        if self.layer is None:
            self.layer = Shapes(
                [corners_of(region)],
                shape_type="rectangle",
                ndim=2,
                name=f"region — {raw.name}",
                metadata={KEY: {"kind": "region"}},
                edge_width=max(1.0, _OUTLINE * max(shape_of(raw)[-2:])),
                **_STYLE,
            )
            self.place(raw)
            self._viewer.add_layer(self.layer)
            self.layer.events.data.connect(self._shapes_changed)
            self.layer.mouse_drag_callbacks.append(self._dragged)
        else:
            with self.layer.events.data.blocker(self._shapes_changed):
                self.layer.data = [(corners_of(region), "rectangle")]

    def place(self, raw: Image) -> None:
        """Put it on a raw layer: its pixels are raw pixels."""
        layer = self.layer
        if layer is not None:
            layer.scale, layer.translate = raw.scale[-2:], raw.translate[-2:]
            layer.units, layer.axis_labels = raw.units[-2:], raw.axis_labels[-2:]

    def grab(self) -> None:
        """Let the newest shape be moved and resized at once."""
        layer = self.layer
        if layer is not None and len(layer.data):
            layer.visible = True
            self._viewer.layers.selection.active = layer
            layer.mode = "select"
            layer.selected_data = {len(layer.data) - 1}

    @property
    def n_shapes(self) -> int:
        """How many shapes there are."""
        return 0 if self.layer is None else len(self.layer.data)

    def corners(self) -> NDArray[Any] | None:
        """Return the newest shape's corners (corner, 2) in raw pixels; None where there is none."""
        return np.asarray(self.layer.data[-1])[:, -2:] if self.n_shapes else None

    def is_box(self) -> bool:
        """Whether the newest shape is a rectangle along the axes."""
        corners = self.corners()
        return corners is not None and self.layer.shape_type[-1] == "rectangle" and is_upright(corners)

    def drop(self) -> None:
        """Take the layer away."""
        self.drop_soon()
        self._leaving.remove_one()

    def drop_soon(self) -> None:
        """Take the layer away once napari has drawn: it may be removing another one just now."""
        layer, self.layer = self.layer, None
        if layer is not None:
            layer.events.data.disconnect(self._shapes_changed)
            self._leaving.remove([layer])

    def disconnect_viewer(self) -> None:
        """Listen no longer; what is drawn stays."""
        self._leaving.stop()
        self._viewer.layers.events.removed.disconnect(self._layer_removed)
        if self.layer is not None:
            self.layer.events.data.disconnect(self._shapes_changed)

    def _shapes_changed(self, event: Any) -> None:
        if getattr(event.action, "value", event.action) in ("changed", "added", "removed"):
            self.moved.emit()

    def _dragged(self, _layer: Shapes, event: Any) -> Generator[None, None, None]:
        yield
        while event.type == "mouse_move":
            self.moved.emit()
            yield

    def _layer_removed(self, event: Any) -> None:
        if self.layer is not None and event.value == self.layer:
            self.layer.events.data.disconnect(self._shapes_changed)
            self.layer = None
            self.deleted.emit()


def corners_on(shapes: Shapes, raw: Image) -> NDArray[Any]:
    """Return the corners (corner, 2) of a layer's newest shape in pixels of a raw layer."""
    world = np.asarray([shapes.data_to_world(corner)[-2:] for corner in np.asarray(shapes.data[-1])])
    units = [_factor(a, b) for a, b in zip(shapes.units[-2:], raw.units[-2:], strict=True)]
    corners: NDArray[Any] = (world * units - np.asarray(raw.translate[-2:])) / np.asarray(raw.scale[-2:])
    return corners


def _factor(unit: Any, wanted: Any) -> float:
    """Return what a length in one unit is in another; where they do not compare napari takes numbers as they are."""
    try:
        return float((1 * unit).to(wanted).magnitude)
    except pint.DimensionalityError:
        return 1.0
