"""Plays the moments of a result in the viewer: its slider moves in true time, however long the canvas takes."""

from time import perf_counter

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_nstm._qt.layers.moments import layers_of, moment_shown
from napari_nstm._qt.raw_layer import known_of
from napari_nstm.io.result import StoredResult

_REST_MS = 15  # in which the window draws, and hears its user
_STAYS_S = 0.4  # at the last moment, before it starts again


class Player(QObject):
    """Moves the slider through the moments of a result; moments are left out where drawing takes longer than they last.

    Parameters
    ----------
    viewer
        Whose slider moves.
    window
        Widget in whose window it plays; it stops where that is closed.
    """

    stopped = Signal()
    """It stopped by itself: its layers or its window went."""

    def __init__(self, viewer: ViewerModel, window: QWidget) -> None:
        super().__init__(window)
        self._viewer, self._widget = viewer, window
        self._stored: StoredResult | None = None
        self._slowdown, self._there_and_back = 1.0, False
        self._since_s, self._from_s = 0.0, 0.0  # on the clock, and of the playing time then
        self._put: tuple[int, float] | None = None  # where the slider was left: axis and position
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tick)

    @property
    def playing(self) -> bool:
        """Whether the slider moves."""
        return self._timer.isActive()

    def start(self, stored: StoredResult | None) -> bool:
        """Play a result from the moment that is shown; returns whether there is something to play."""
        self._stored = stored
        layer = self._layer()
        if layer is None or len(known_of(layer)["times_ms"]) < 2:
            return False
        self._go_on_from_slider(layer)
        self._timer.start(_REST_MS)
        return True

    def set_pace(self, slowdown: float, *, there_and_back: bool) -> None:
        """Say how many seconds a second of the acquisition takes, and what follows the last moment."""
        changed = (slowdown, there_and_back) != (self._slowdown, self._there_and_back)
        self._slowdown, self._there_and_back = slowdown, there_and_back
        layer = self._layer()
        if changed and self.playing and layer is not None:
            self._go_on_from_slider(layer)

    def stop(self) -> None:
        """Leave the slider where it is."""
        self._timer.stop()

    # -- inside -------------------------------------------------------------

    def _layer(self) -> Layer | None:
        """Return a layer with the moments: one that is shown, if any is."""
        if self._stored is None:
            return None
        layers = layers_of(self._viewer, self._stored, "motion", "reconstruction")
        return max(layers, key=lambda layer: layer.visible, default=None)

    def _tick(self) -> None:
        layer = self._layer()
        if layer is None or not self._widget.window().isVisible() or len(known_of(layer)["times_ms"]) < 2:
            self.stopped.emit()
            return
        dims = self._viewer.dims
        if self._put is not None and not np.isclose(dims.point[self._put[0]], self._put[1]):
            self._go_on_from_slider(layer)  # the user moved it
        index = self._index(layer)
        axis = dims.ndim - layer.ndim
        where = float(layer.translate[0] + index * layer.scale[0])
        if not np.isclose(dims.point[axis], where):
            dims.set_point(axis, where)
        self._put = axis, float(dims.point[axis])
        self._timer.start(_REST_MS)

    def _index(self, layer: Layer) -> int:
        times = np.asarray(known_of(layer)["times_ms"]) / 1000
        return moment_at(times, self._from_s + perf_counter() - self._since_s, self._slowdown, self._there_and_back)

    def _go_on_from_slider(self, layer: Layer) -> None:
        times = np.asarray(known_of(layer)["times_ms"]) / 1000
        index = moment_shown(layer, self._viewer) or 0
        self._since_s, self._from_s = perf_counter(), float(times[index] - times[0]) * self._slowdown
        if index == len(times) - 1 and not self._there_and_back:
            self._from_s = 0.0  # nobody wants to see it stand still first
        self._put = None


def moment_at(times_s: NDArray[np.floating], played_s: float, slowdown: float, there_and_back: bool) -> int:
    """Return the index of the moment that is shown after playing for some time.

    Parameters
    ----------
    times_s
        Of the moments, ascending, in seconds.
    played_s
        Since the first moment was shown, on the clock.
    slowdown
        Seconds on the clock per second of the acquisition.
    there_and_back
        Whether time runs backward after the last moment; otherwise it is shown a while, and the first follows.
    """
    lasts = (times_s[-1] - times_s[0]) * slowdown
    if there_and_back:
        at = played_s % (2 * lasts)
        at = min(at, 2 * lasts - at)
    else:
        at = min(played_s % (lasts + _STAYS_S), lasts)
    return int(np.argmin(np.abs(times_s - times_s[0] - at / slowdown)))
