"""How results come into the viewer: read in a thread, added a layer a turn, so that the window can breathe."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_nstm._qt.background import Background
from napari_nstm._qt.layers.arrows import ArrowColor
from napari_nstm._qt.layers.result import ResultArrays, read_result
from napari_nstm._qt.layers.time_text import DRAWN_MS
from napari_nstm._qt.running.live import LiveLayers
from napari_nstm.core.errors import in_one_sentence
from napari_nstm.io.result import StoredResult, open_result


class Arrivals(QObject):
    """Brings results into the viewer, and takes layers away, in turns of the event loop.

    Parameters
    ----------
    background
        Where stores are read.
    arrow_color
        Asked what the colour of arrows is to tell.
    """

    opened = Signal(object, str)
    """`StoredResult` that was read, and what the user knows it as; its layers are about to come."""
    arrived = Signal(object)
    """`StoredResult` whose layers all stand."""
    failed = Signal(str)
    """A sentence: there is nothing to show."""

    def __init__(self, background: Background, arrow_color: Callable[[], ArrowColor]) -> None:
        super().__init__()
        self._background, self._arrow_color = background, arrow_color
        self._n_tasks = 0
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether something is on its way."""
        return self._n_tasks > 0

    def load(self, path: Path, live: LiveLayers, message: str) -> None:
        """Read a store and turn the layers of its run into those of its result.

        Parameters
        ----------
        path
            The store.
        live
            Layers that showed the run.
        message
            What was said of its end, to be said again before what goes wrong.
        """

        def read() -> tuple[StoredResult, ResultArrays]:
            stored = open_result(path)
            return stored, read_result(stored)

        def show(answer: tuple[StoredResult, ResultArrays]) -> None:
            stored, arrays = answer
            self.opened.emit(stored, live.name)
            pause_ms = DRAWN_MS if arrays.in_sizes else 0  # then layers are removed
            self.in_turns(live.become(arrays, self._arrow_color()), pause_ms, lambda: self.arrived.emit(stored))
            self._n_tasks -= 1

        def failed(error: Exception) -> None:
            # Ended before its first checkpoint: there is nothing but the pictures that were shown.
            self.remove(live)
            self._n_tasks -= 1
            self.failed.emit(f"{message} {in_one_sentence(error)}".strip())

        self._n_tasks += 1
        self._background.submit(read, show, failed)

    def remove(self, live: LiveLayers) -> None:
        """Take away the layers of a run that reached nothing."""
        self.in_turns(live.remove(), DRAWN_MS)

    def in_turns(self, steps: Iterator[Any], pause_ms: int = 0, done: Callable[[], None] | None = None) -> None:
        """Take one step at a time, and let the window's event loop turn between."""
        self._n_tasks += 1
        self._next(steps, pause_ms, done)

    def close(self) -> None:
        """Take no further steps."""
        self._closed = True

    def _next(self, steps: Iterator[Any], pause_ms: int, done: Callable[[], None] | None) -> None:
        if self._closed or next(steps, None) is None:
            self._n_tasks -= 1
            if done is not None and not self._closed:
                done()
        else:
            QTimer.singleShot(pause_ms, partial(self._next, steps, pause_ms, done))
