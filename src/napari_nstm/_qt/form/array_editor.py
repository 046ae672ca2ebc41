"""Choice of an array: an image layer of the viewer, or a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.form.fields import FieldSpec

LAYER_PREFIX = "layer: "
_BROWSE = "File…"
_COLORS = 3


class ArrayEditor(CalmComboBox):
    """A combo box of image layers, with a file as its last choice.

    In the settings a layer is written as "layer: NAME"; its array is in `array()`.

    Parameters
    ----------
    spec
        The field.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec = spec
        self._layers: list[Any] = []
        self._chosen: Any = None  # a layer, the path of a file, or None
        self._fill()
        self.activated.connect(self._on_activated)

    def set_layers(self, layers: Sequence[Any]) -> None:
        """Take the image layers to choose from; a choice that is still there is kept."""
        self._layers = list(layers)
        before = self._chosen
        if isinstance(before, str):
            self._chosen = self._named(before) or before
        elif all(layer is not before for layer in self._layers):
            self._chosen = None
        self._fill()
        if self._chosen is not before:
            self.changed.emit()

    def value(self) -> str | None:
        """Return the path, or "layer: NAME"."""
        if self._chosen is None or isinstance(self._chosen, str):
            return self._chosen
        return LAYER_PREFIX + str(self._chosen.name)

    def array(self) -> Any:
        """Return the chosen layer's array, as the layer holds it, but for opacity; None for a file or nothing."""
        if self._chosen is None or isinstance(self._chosen, str):
            return None
        data = self._chosen.data
        array = data[0] if getattr(self._chosen, "multiscale", False) else data
        return array[..., :_COLORS] if getattr(self._chosen, "rgb", False) and array.shape[-1] > _COLORS else array

    def layer(self) -> Any:
        """Return the chosen layer; None for a file or nothing."""
        return None if isinstance(self._chosen, str) else self._chosen

    def set_value(self, value: Any) -> None:
        """Choose by what `value` returns."""
        text = str(value) if value else None
        self._choose(text and (self._named(text) or text))

    def complaint(self) -> str:
        """Say so if a layer is asked for that is not there."""
        if isinstance(self._chosen, str) and self._chosen.startswith(LAYER_PREFIX):
            return f"There is no layer “{self._chosen.removeprefix(LAYER_PREFIX)}”: choose another, or a file."
        return ""

    def browse(self) -> None:
        """Ask for a file."""
        start = str(Path(self._chosen).parent) if isinstance(self._chosen, str) else ""
        path, _ = QFileDialog.getOpenFileName(self, self._spec.label, start)
        if path:
            self._choose(path)
        else:
            self._fill()

    def _named(self, text: str) -> Any:
        """Return the layer that settings mean by "layer: NAME"; None if there is none."""
        name = text.removeprefix(LAYER_PREFIX)
        if name == text:
            return None
        return next((layer for layer in self._layers if layer.name == name), None)

    def _choose(self, choice: Any) -> None:
        before, self._chosen = self._chosen, choice
        self._fill()
        if choice is not before and choice != before:
            self.changed.emit()

    def _entries(self) -> list[tuple[str, Any]]:
        none = self._spec.hint.none_means or "Choose…"
        entries = [(none, None), *((str(layer.name), layer) for layer in self._layers)]
        if isinstance(self._chosen, str):
            entries.append((Path(self._chosen).name or self._chosen, self._chosen))
        return entries

    def _fill(self) -> None:
        entries = self._entries()
        self.clear()
        self.addItems([label for label, _ in entries])
        self.insertSeparator(self.count())
        self.addItem(_BROWSE)
        self.setCurrentIndex(next(i for i, (_, choice) in enumerate(entries) if choice is self._chosen))
        self.setToolTip(self._chosen if isinstance(self._chosen, str) else self._spec.help)

    def _on_activated(self, index: int) -> None:
        entries = self._entries()
        if index < len(entries):
            self._choose(entries[index][1])
        else:
            self.browse()
