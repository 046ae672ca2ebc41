"""A movie of napari's canvas as the user sees it, taken a picture at a time between the window's other work."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari import Viewer
from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal

from napari_nstm._qt.background import Background
from napari_nstm._qt.movies.canvas_film import Film
from napari_nstm._qt.movies.canvas_moves import Moves, Take, canvas_plan, timeline
from napari_nstm._qt.movies.canvas_stage import Stage
from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.io.pace import Loop
from napari_nstm.io.targets import check_target
from napari_nstm.io.video import VideoInfo

# Between two pictures the window does what else it has to; while the thread is behind it has more time.
_TICK_MS, _WAIT_MS = 1, 20
_NARROWEST_PX, _WIDEST_PX = 64, 4096


class CanvasMovie(QObject):
    """Moves slider and camera, takes a picture of the canvas in each turn of the event loop, and puts all back.

    The pictures are written in a thread; never more than a few wait for it.

    Parameters
    ----------
    viewer
        Whose canvas is taken. What the user moves meanwhile is undone in the next picture.
    parent
        Owner in Qt's sense.
    """

    progressed = Signal(int, int)
    """Frames that are written, and in all."""
    finished = Signal(object)
    """`VideoInfo` of what was written."""
    failed = Signal(object)
    """The error; there is no file."""
    cancelled = Signal()
    """It was called off; there is no file."""

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._film: Film | None = None
        self._threads: Background | None = None
        self._takes: list[Take] = []
        self._size_px: int | None = None
        self._told = 0
        self._stage: Stage | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tick)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shutdown)

    @property
    def busy(self) -> bool:
        """Whether a movie is in the making."""
        return self._film is not None

    def start(self, path: str | Path, **wishes: Any) -> None:
        """Make a movie; takes and raises what `prepare` does."""
        write = self.prepare(path, **wishes)
        if self._threads is None:
            self._threads = Background(self)
        self._threads.submit(write, failed=_told_by_signal)

    def prepare(
        self,
        path: str | Path,
        *,
        moves: Moves = "time",
        n_frames: int | None = None,
        fps: float | None = None,
        loop: Loop = "once",
        size_px: int | None = None,
        overwrite: bool = False,
    ) -> Callable[..., VideoInfo]:
        """Get ready for a movie; the first picture is taken once what is returned runs.

        Parameters
        ----------
        path
            A file ending in .mp4, .gif or .png (numbered pictures).
        moves
            time: the slider from end to end; turn: the camera once around the sample, in 3D; both: at a time.
        n_frames
            Different pictures; None: the slider's own moments, or 120 for a turn.
        fps
            Frames per second; None: real time where that can be watched.
        loop
            once, or boomerang: and back.
        size_px
            Width in pixels; None: as wide as the canvas is. The same part of the sample is shown; texts and lines on
            the canvas keep their size in pixels.
        overwrite
            Replace existing files.

        Returns
        -------
        callable
            For a thread: takes `on_progress` and `should_stop` as `write_movie` does, returns `VideoInfo`, and
            raises `CancelledError` if it was called off.

        Raises
        ------
        InputError
            Names the parameter at fault.
        """
        if self._film is not None:
            raise RuntimeError("a movie is in the making")
        if not any(layer.visible for layer in self._viewer.layers):
            raise InputError("picture", "a canvas that shows nothing", "a visible layer")
        if size_px is not None and not _NARROWEST_PX <= size_px <= _WIDEST_PX:
            raise InputError("size", str(size_px), f"a width of {_NARROWEST_PX} to {_WIDEST_PX} pixels")
        target = Path(path)
        gif = target.suffix.lower() == ".gif"
        plan = canvas_plan(timeline(self._viewer), moves, n_frames, fps, loop=loop, gif=gif)
        check_target(target, plan.n_frames, overwrite=overwrite)
        self._film = film = Film(target, plan, resized=size_px is not None)
        self._takes = [plan.takes[index] for index in film.sample_takes] + list(plan.takes)
        self._size_px, self._told = size_px, 0
        # Not by `destroyed`: where Python's collector ends both at once, Qt would call what is no longer whole.
        weakref.finalize(self, film.queue.abort)
        self._timer.start(_WAIT_MS)
        return film.write

    def cancel(self) -> None:
        """Call the movie off; slider and camera go back at once, and no file is left."""
        film = self._film
        if film is None:
            return
        if film.outcome is not None:
            self._end(film.outcome)  # it is too late, and nobody was told yet
            return
        film.queue.abort()
        self._put_back()
        if not film.queue.begun:
            self._end(CancelledError())

    def shutdown(self) -> None:
        """Call off what goes on, and tell nobody any more; may be called more than once."""
        self.blockSignals(True)
        self.cancel()
        self._timer.stop()
        self._film = None
        if self._threads is not None:
            self._threads.close()

    # -- inside -------------------------------------------------------------

    def _tick(self) -> None:
        film = self._film
        if film is None:
            return
        if film.done > self._told:
            self._told = film.done
            self.progressed.emit(film.done, film.plan.n_frames)
        if film.outcome is not None:
            self._end(film.outcome)
            return
        wait = not film.queue.begun or film.queue.full or not self._takes
        if not wait:
            try:
                self._take(film)
            except Exception as error:  # noqa: BLE001 - whatever it was: the thread must hear of it, and all goes back
                # Where all layers are gone, the window is being closed.
                film.queue.abort(error if len(self._viewer.layers) else None)
                self._takes = []
            if not self._takes:
                film.queue.close()
                self._put_back()
        self._timer.start(_WAIT_MS if wait else _TICK_MS)

    def _take(self, film: Film) -> None:
        if not len(self._viewer.layers):
            raise CancelledError
        if self._stage is None:
            self._stage = Stage(self._viewer, film.plan.axis, self._size_px)
            if film.plan.turns and self._stage.look_in_3d():
                return  # napari draws it in its own time
        film.queue.put(self._stage.picture(self._takes[0]))
        del self._takes[0]

    def _put_back(self) -> None:
        self._takes = []
        stage, self._stage = self._stage, None
        if stage is not None and len(self._viewer.layers):
            stage.put_back()

    def _end(self, outcome: VideoInfo | Exception) -> None:
        self._film = None
        self._timer.stop()
        self._put_back()
        if isinstance(outcome, VideoInfo):
            self.finished.emit(outcome)
        elif isinstance(outcome, CancelledError):
            self.cancelled.emit()
        else:
            self.failed.emit(outcome)


def _told_by_signal(_error: Exception) -> None:
    """Do nothing: the next look at the film finds the error too."""
