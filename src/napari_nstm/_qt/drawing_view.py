"""What is shown alone on the canvas for a while: drawings of the frames, coloured views; in words, with a way back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Points
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.form.row import WrappedLabel
from napari_nstm._qt.heading import heading
from napari_nstm._qt.layers.drawing import Layout, drawing_layers, lay_out
from napari_nstm._qt.layers.time_text import DRAWN_MS
from napari_nstm._qt.leaving import Leaving
from napari_nstm._qt.solo import Solo
from napari_nstm.core.data import Drawing


class DrawingView(QFrame):
    """Says what is shown alone, and brings the frames back; hidden while nothing is.

    Parameters
    ----------
    viewer
        Where it is shown.
    parent
        Owner in Qt's sense.
    """

    moved = Signal(object, object)
    """`Mark` that the user moved, and its new position in the drawing's unit."""
    left = Signal()
    """The frames are shown again."""

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._viewer, self._solo = viewer, Solo(viewer)
        self._layout: Layout | None = None
        self._layers: list[Layer] = []  # of the drawing
        self._leaving = Leaving(viewer, self)
        self.title = heading("")
        self.title.setWordWrap(True)
        self.note = WrappedLabel()
        self.back_button = QPushButton("Back to the frames")
        self.back_button.setToolTip("Show again what was shown before.")
        self.back_button.clicked.connect(self.back)
        top = QHBoxLayout()
        top.addWidget(self.title, 1)
        top.addWidget(self.back_button)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.note)
        viewer.layers.events.removed.connect(self._on_removed)
        self.hide()

    @property
    def drawing(self) -> Drawing | None:
        """The drawing that is shown; None while there is none."""
        return None if self._layout is None else self._layout.drawing

    def show_drawing(self, drawing: Drawing, *, movable: bool = False) -> None:
        """Show a drawing alone; where only positions differ from the one before, its layers follow in place.

        Parameters
        ----------
        drawing
            What to show.
        movable
            Whether the user may move its marks.
        """
        height, width = self._viewer.canvas.size
        layout = lay_out(drawing, width / height)
        made = drawing_layers(layout, self._units())
        if self._layout is not None and _alike(self._layout, layout):
            self._layout = layout
            self._follow(made)
        else:
            self._dismiss()
            self._solo.remember()
            self._layout = layout
            self._layers = [Layer.create(*one) for one in made]
            for layer in self._layers:
                self._viewer.add_layer(layer)
            self._solo.enter(self._layers, elsewhere=True, leaving=self._leaving.layers)
            for layer in self._layers:
                if isinstance(layer, Points) and movable:
                    layer.mode = "select"
                    layer.events.data.connect(self._points_changed)
                    self._viewer.layers.selection.active = layer
        self._say(drawing.name, drawing.note)

    def show_layers(self, layers: Sequence[Layer], title: str, note: str) -> None:
        """Show layers of the viewer alone; they stay, hidden, when the frames come back."""
        self._dismiss()
        self._solo.enter(layers, leaving=self._leaving.layers)
        self._say(title, note)

    def back(self) -> None:
        """Show what was shown before."""
        if not self._solo.on:
            return
        self._dismiss()
        self._solo.leave(self._leaving.layers)
        self.hide()
        self.left.emit()

    def disconnect_viewer(self) -> None:
        """Listen no longer; what was shown before is shown again, and layers of a drawing stay, hidden."""
        self._leaving.stop()
        if self._solo.on:
            self._solo.leave()
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    # -- inside -------------------------------------------------------------

    def _say(self, title: str, note: str) -> None:
        self.title.setText(title)
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.show()

    def _units(self) -> Sequence[Any]:
        units = self._viewer.layers.units
        return ("pixel", "pixel") if units is None else tuple(units)[-2:]

    def _follow(self, made: Sequence[Any]) -> None:
        for layer, (data, attributes, kind) in zip(self._layers, made, strict=True):
            if kind == "image":
                if not np.array_equal(layer.data, data):
                    layer.data, layer.contrast_limits = data, attributes["contrast_limits"]
                layer.translate = attributes["translate"]
            elif kind == "points":
                with layer.events.data.blocker(self._points_changed):
                    layer.data = data
            else:
                layer.data = data
                layer.text = attributes["text"]

    def _points_changed(self, event: Any) -> None:
        layout = self._layout
        action = getattr(event.action, "value", event.action)
        if layout is None or action == "changing":
            return
        points = np.asarray(event.source.data)
        if len(points) != len(layout.marks):
            # One was added or deleted, which means nothing: they are as the settings say.
            QTimer.singleShot(0, self._restore)
            return
        where = np.asarray([layout.shown_at(mark, panel) for mark, panel in layout.marks])
        far = np.linalg.norm(points - where, axis=1)
        index = int(far.argmax())
        if far[index] > 1e-9 * layout.size:
            mark, panel = layout.marks[index]
            self.moved.emit(mark, layout.position(points[index], panel))

    def _restore(self) -> None:
        layout = self._layout
        if layout is not None:
            self._dismiss()
            self.show_drawing(layout.drawing, movable=True)

    def _dismiss(self) -> None:
        """Take the layers of the drawing away: at once for the eye, for napari one at a time."""
        self._leaving.remove(self._layers)
        self._layers, self._layout = [], None

    def _on_removed(self, event: Any) -> None:
        if any(event.value == layer for layer in self._layers):
            self._layers = [layer for layer in self._layers if layer != event.value]
            # Not while napari removes a layer.
            QTimer.singleShot(DRAWN_MS, self.back)


def _alike(before: Layout, now: Layout) -> bool:
    """Whether layers of the one can show the other: as many images, circles and marks, of the same names."""
    old, new = before.drawing, now.drawing
    return (
        old.name == new.name
        and old.images.shape == new.images.shape
        and (old.step, old.unit, old.panels) == (new.step, new.unit, new.panels)
        and len(old.circles) == len(new.circles)
        and [(mark.label, mark.panel) for mark in old.marks] == [(mark.label, mark.panel) for mark in new.marks]
    )
