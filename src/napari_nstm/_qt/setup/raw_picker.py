"""The row of the form in which the raw frames are chosen among the viewer's layers."""

from napari.components import ViewerModel
from napari.layers import Image, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.form.row import ProblemLine
from napari_nstm._qt.raw_layer import axes_of, has_opacity, may_be_raw, may_belong_to_raw, shape_of
from napari_nstm._qt.setup.single_images import single_images, stacked

_NOTHING = "Drop files of raw frames onto the viewer."
_NAMES = 8  # at most in a sentence


class RawPicker(QWidget):
    """Chooses an Image layer, says what is in it, and shows what is wrong with it.

    Parameters
    ----------
    viewer
        Whose layers are offered; what this plugin made from a result is not.
    parent
        Owner in Qt's sense.
    """

    chosen = Signal(object)
    """The layer, or None where there is no candidate any more."""
    data_changed = Signal()
    """The chosen layer's array was replaced."""
    candidates_changed = Signal()
    """Layers came, went or were renamed."""
    placed = Signal()
    """The chosen layer's scale or units were changed."""

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Image | None = None
        self._picked_by_user = False
        self._takes_stacks = True
        self._made: Image | None = None  # the stack that was made last
        self._made_of = ""  # what is to be said of it
        self._parts: list[Image] = []  # what it was made of
        self.combo = CalmComboBox()
        self.combo.setAccessibleName("Raw frames")
        self.combo.setToolTip("Layer with the raw frames, in the order in which they were taken.")
        self.combo.setMinimumContentsLength(12)
        self.about = QLabel()
        self.stack_button = QPushButton()
        self.problem = ProblemLine()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for widget in (self.combo, self.about, self.stack_button, self.problem):
            layout.addWidget(widget)
        self.about.setWordWrap(True)
        self.show_problem("")
        self.stack_button.clicked.connect(self.stack)
        self.combo.activated.connect(self._picked_by_hand)
        self.combo.currentIndexChanged.connect(self._picked)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
            event.connect(self._refill)
        self._refill()

    @property
    def layer(self) -> Image | None:
        """The chosen layer."""
        return self._layer

    def choose(self, layer: Layer) -> None:
        """Choose a layer of the viewer."""
        index = self.combo.findData(layer)
        if index >= 0:
            self._picked_by_user = True
            self.combo.setCurrentIndex(index)

    def candidates(self) -> list[Image]:
        """Return the layers that may hold raw frames, the newest first."""
        return [layer for layer in reversed(self._viewer.layers) if may_be_raw(layer)]

    def array_candidates(self) -> list[Image]:
        """Return the layers that may hold further arrays, the newest first."""
        return [layer for layer in reversed(self._viewer.layers) if may_belong_to_raw(layer)]

    def set_takes_stacks(self, takes: bool) -> None:
        """Say whether raw frames are a stack; where they are one image, none is offered."""
        self._takes_stacks = takes
        self._offer_stack()

    def stack(self) -> None:
        """Make one layer of the single images, in the order of their names, and choose it."""
        images = single_images(self.candidates()) if self._takes_stacks else []
        if not images:
            return
        array, attributes = stacked(images)
        self._made_of = f"\nStacked in this order, which should be that in which they were taken: {_listed(images)}."
        self._made = self._viewer.add_image(array, **attributes)
        self._parts = images
        for image in images:
            image.visible = False
        self.choose(self._made)
        self._describe()

    def show_problem(self, text: str) -> None:
        """Show what is wrong with the frames; an empty text takes it away."""
        self.problem.set_text(text)
        self.combo.setAccessibleDescription(text)

    def disconnect_viewer(self) -> None:
        """Listen no longer."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.disconnect(self._refill)
        self._listen(None)

    # -- inside -------------------------------------------------------------

    def _refill(self, _: object = None) -> None:
        before, layers = self._layer, self.candidates()
        # What is offered follows the layer list; the choice stays while its layer does.
        self.combo.blockSignals(True)
        self.combo.clear()
        for layer in layers:
            self.combo.addItem(layer.name, layer)
        self.combo.setEnabled(bool(layers))
        if layers:
            self.combo.setCurrentIndex(self._choice(before, layers))
        self.combo.blockSignals(False)
        for layer in layers:
            layer.events.name.disconnect(self._refill)
            layer.events.name.connect(self._refill)
        self._picked()
        self._offer_stack()
        self.candidates_changed.emit()

    def _offer_stack(self) -> None:
        images = single_images(self.candidates()) if self._takes_stacks else []
        self.stack_button.setText(f"Stack these {len(images)} images")
        self.stack_button.setToolTip(f"Make one layer of them, a frame each, in this order: {_listed(images)}.")
        self.stack_button.setVisible(bool(images))

    def _choice(self, before: Image | None, layers: list[Image]) -> int:
        """Return what to choose: what was chosen, unless that was no stack and nobody asked for it."""
        if before in layers and (self._picked_by_user or before.ndim >= 3):
            return layers.index(before)
        self._picked_by_user = False
        stacks = [layer for layer in layers if layer.ndim >= 3]
        kept = before if before in layers and not stacks else None
        return layers.index(kept or (stacks or layers)[0])

    def _picked_by_hand(self, _: int) -> None:
        self._picked_by_user = True

    def _picked(self, _: int = 0) -> None:
        layer = self.combo.currentData()
        if layer is not self._layer:
            self._listen(layer)
            self._describe()
            self.chosen.emit(layer)
        elif layer is None:
            self._describe()

    def _listen(self, layer: Image | None) -> None:
        for old, on in ((self._layer, False), (layer, True)):
            if old is None:
                continue
            for event, slot in (
                (old.events.data, self._data_replaced),
                (old.events.scale, self._moved),
                (old.events.units, self._moved),
            ):
                event.connect(slot) if on else event.disconnect(slot)
        self._layer = layer

    def _data_replaced(self, _: object = None) -> None:
        self._describe()
        self.data_changed.emit()

    def _moved(self, _: object = None) -> None:
        if self._layer == self._made:
            self._place_parts()
        self.placed.emit()

    def _place_parts(self) -> None:
        """Let images that were stacked lie where the stack does: napari shows no scale bar for units that differ."""
        for image in self._parts:
            if image in self._viewer.layers:
                image.units, image.axis_labels = self._layer.units[-2:], ("y", "x")
                image.scale = self._layer.scale[-2:]

    def _describe(self) -> None:
        layer = self._layer
        if layer is None:
            self.about.setText(_NOTHING)
            return
        size = " × ".join(map(str, shape_of(layer)))
        axes = axes_of(layer)
        named = f" ({', '.join(axes)})" if axes else ""
        colors = " in colours" if layer.rgb else ""
        opacity = "; its opacity is left out" if has_opacity(layer) else ""
        made_of = self._made_of if layer == self._made else ""
        self.about.setText(f"{size}{named}{colors}, {layer.dtype}{opacity}{made_of}")


def _listed(images: list[Image]) -> str:
    names = [image.name for image in images]
    return ", ".join(names if len(names) <= _NAMES else [*names[: _NAMES // 2], "…", *names[-_NAMES // 2 + 1 :]])
