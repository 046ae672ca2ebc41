"""The time of the moment that is shown, in words on the canvas, and a scale bar."""

from typing import Any
from weakref import WeakKeyDictionary, ref

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QCoreApplication, QTimer

from napari_nstm._qt.raw_layer import known_of
from napari_nstm.io.draw import stretch_note
from napari_nstm.io.text import time_texts

DRAWN_MS = 100
"""After this time the canvas was drawn anew, on any machine that can be worked with."""

_WATCHED = ("inserted", "removed", "reordered", "visible", "metadata", "length")


class TimeText:
    """Keeps a viewer's text and scale bar up to date while layers are visible that know their times.

    The t axis counts frames, which need not be evenly spaced: the text says the true time. What the user wrote, moved
    or hid there is left alone. Use `show_times`, which makes one for each viewer.

    Parameters
    ----------
    viewer
        Watched for as long as it lives.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self._text = ""
        self._on = self._bar_is_ours = False
        viewer.dims.events.point.connect(self.refresh)
        viewer.dims.events.ndim.connect(self.refresh)
        viewer.layers.events.connect(self._on_layers)
        self.refresh()

    def refresh(self, event: Any = None) -> None:
        """Write the text anew."""
        viewer = self._viewer()
        if viewer is None:
            return
        timed = [layer for layer in reversed(viewer.layers) if layer.visible and _knows_time(layer)]
        was_on, self._on = self._on, bool(timed)
        if self._on != was_on:
            self._switch_bar(viewer.canvas.overlays.scale_bar)
        lines = [_time_line(timed[0], viewer.dims)] if timed else []
        lines += [_arrow_line(layer) for layer in timed if "since_ms" in known_of(layer)][:1]
        self._write(viewer.canvas.overlays.text, "\n".join(line for line in lines if line), was_on)

    def _on_layers(self, event: Any) -> None:
        if event.type == "removed" and QCoreApplication.instance() is not None:
            # napari 0.9 crashes where a layer and an overlay vanish between two draws.
            QTimer.singleShot(DRAWN_MS, self.refresh)
        elif event.type in _WATCHED:
            self.refresh()

    def _switch_bar(self, bar: Any) -> None:
        if self._on and not bar.visible:
            bar.visible = bar.box = self._bar_is_ours = True  # the box makes it readable over a bright picture
        elif not self._on and self._bar_is_ours:
            bar.visible = bar.box = self._bar_is_ours = False

    def _write(self, overlay: Any, text: str, was_on: bool) -> None:
        if overlay.text not in ("", self._text):
            return  # the user's
        if overlay.text != text:
            overlay.text = text
        self._text = text
        if self._on != was_on:
            overlay.visible = overlay.box = self._on


_of_viewers: WeakKeyDictionary[ViewerModel, TimeText] = WeakKeyDictionary()


def show_times(viewer: ViewerModel) -> TimeText:
    """Let a viewer tell the times of its layers, from now on; a second call changes nothing."""
    # Widgets are given a proxy of the viewer, a new one every time.
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _of_viewers:
        _of_viewers[viewer] = TimeText(viewer)
    return _of_viewers[viewer]


def _knows_time(layer: Layer) -> bool:
    known = known_of(layer)
    return bool(known.get("times_ms") or known.get("time_text")) or known.get("time_ms") is not None


def _time_line(layer: Layer, dims: Any) -> str:
    """Return the time of what is shown of a layer; nothing where the slider is outside it."""
    known = known_of(layer)
    times = known.get("times_ms")
    if "time_text" in known:
        return str(known["time_text"])
    if not times:
        return time_texts([known["time_ms"]])[0]
    first, step = layer.translate[0], layer.scale[0]
    index = round((dims.point[dims.ndim - layer.ndim] - first) / step)
    return time_texts(list(times))[index] if 0 <= index < len(times) else ""


def _arrow_line(layer: Layer) -> str:
    known = known_of(layer)
    what = "to the next moment" if known.get("successive") else f"since {time_texts([known['since_ms']])[0]}"
    return f"arrows: {what}{stretch_note(layer.length)}"
