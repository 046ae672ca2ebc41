"""Keeps a key to the colours of arrows beside every result whose arrows are shown."""

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer

from napari_nstm._qt.layers.adding import add_unselected
from napari_nstm._qt.layers.time_text import DRAWN_MS
from napari_nstm._qt.layers.wheel import VIEW, arrow_key, key_of
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.solo import look_at

_WATCHED = ("inserted", "removed", "visible", "metadata", "scale", "translate")
_IN_PLACE = ("scale", "translate", "metadata", "name")


class ArrowKeys(QObject):
    """Adds, changes, hides and removes keys as the arrows change; one layer a turn, with the canvas drawn between.

    A key that the user deletes stays away until keys are asked for anew.

    Parameters
    ----------
    viewer
        Whose arrows are watched.
    parent
        Owner in Qt's sense.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._on = viewer, True
        self._seen: dict[str, bool] = {}  # whether a result's key was to be seen, by its store
        self._unwanted: set[str] = set()  # stores whose key the user deleted
        self._removing: Layer | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DRAWN_MS)
        self._timer.timeout.connect(self._next)
        viewer.layers.events.connect(self._on_layers)
        self._timer.start()

    def set_on(self, on: bool) -> None:
        """Show keys, or hide them."""
        self._on = on
        if on:
            self._unwanted.clear()
            self._seen.clear()
        self._timer.start()

    def disconnect_viewer(self) -> None:
        """Watch no longer; the keys stay."""
        self._timer.stop()
        self._viewer.layers.events.disconnect(self._on_layers)

    # -- inside -------------------------------------------------------------

    def _on_layers(self, event: Any) -> None:
        if event.type == "removed":
            known = known_of(event.value)
            if known.get("view") == VIEW and event.value != self._removing:
                self._unwanted.add(known["store"])
        if event.type in _WATCHED and not self._timer.isActive():
            self._timer.start()

    def _next(self) -> None:
        """Do the next thing; another turn follows where a layer came or went."""
        arrows: dict[str, list[Layer]] = {}
        keys: dict[str, Layer] = {}
        for layer in self._viewer.layers:
            known = known_of(layer)
            if known.get("kind") == "motion" and known.get("record"):
                arrows.setdefault(known["store"], []).append(layer)
            elif known.get("view") == VIEW:
                keys[known["store"]] = layer
        for store, key in keys.items():
            if store not in arrows:
                self._remove(key)
                return
        for store, layers in arrows.items():
            shown = [layer for layer in layers if layer.visible]
            if store in keys:
                self._update(keys[store], (shown or layers)[-1], store, seen=self._on and bool(shown))
            elif shown and self._on and store not in self._unwanted:
                self._add(shown[-1], store)
                return

    def _add(self, layer: Layer, store: str) -> None:
        place = self._viewer.layers.index(layer)
        key = add_unselected(self._viewer, Layer.create(*arrow_key(layer)), place)
        self._seen[store] = True
        self._unwanted.discard(store)
        self._step_back(layer, key)
        self._timer.start()

    def _remove(self, key: Layer) -> None:
        self._removing = key
        self._viewer.layers.remove(key)
        self._removing = None
        self._seen.pop(known_of(key)["store"], None)
        self._timer.start()

    def _update(self, key: Layer, layer: Layer, store: str, *, seen: bool) -> None:
        if known_of(key).get("shows") != list(key_of(layer)):
            data, attributes, _ = arrow_key(layer)
            key.data = data
            for name in _IN_PLACE:
                setattr(key, name, attributes[name])
        if self._seen.get(store) != seen:  # otherwise the user's choice stands
            self._seen[store] = seen
            key.visible = seen

    def _step_back(self, layer: Layer, key: Layer) -> None:
        """Let the camera see the key too, where it sees the whole field: the user has not gone nearer."""
        camera, dims = self._viewer.scene.camera, self._viewer.dims
        if dims.ndisplay != 2:
            return
        size, first = layer.scale[-2:], layer.translate[-2:]
        field = np.stack([first - size / 2, first + size * (np.asarray(known_of(layer)["record"]["shape"][-2:]) - 0.5)])
        half = np.asarray(self._viewer.canvas.size) / camera.zoom / 2
        center = np.asarray(camera.center[-2:])
        top = key.extent.world[0]
        if np.all(np.abs(field - center) <= half) and np.any(np.abs(top - center) > half):
            look_at(self._viewer, np.minimum(field[0], top), field[1])
