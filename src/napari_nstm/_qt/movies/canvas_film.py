"""The thread's part of a movie of the canvas: pictures come through a queue and go into a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_nstm._qt.movies.canvas_moves import CanvasPlan
from napari_nstm._qt.movies.frame_queue import FrameQueue
from napari_nstm.core.errors import CancelledError
from napari_nstm.io.pace import speed_text
from napari_nstm.io.video import VideoInfo, gif_palette, write_video

_LOOKED_AT = 4  # pictures by which the colours of a GIF are chosen


@dataclass
class Film:
    """A movie in the making, shared by window and thread.

    Parameters
    ----------
    path
        Where it goes.
    plan
        What it is.
    resized
        Whether its width was asked for.
    queue
        Pictures (row, column, rgba).
    """

    path: Path
    plan: CanvasPlan
    resized: bool = False
    queue: FrameQueue = field(default_factory=FrameQueue)
    done: int = 0
    outcome: VideoInfo | Exception | None = None

    @property
    def sample_takes(self) -> list[int]:
        """Indices of the pictures that come first, once more than in the movie: the colours of a GIF are chosen."""
        if self.path.suffix.lower() != ".gif":
            return []
        return [int(i) for i in np.unique(np.linspace(0, self.plan.n_frames - 1, _LOOKED_AT).round())]

    def write(
        self,
        on_progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> VideoInfo:
        """Write what comes through the queue; for a thread.

        Raises
        ------
        CancelledError
            If it was called off.
        InputError, StoreError
            If the file cannot be written.
        """
        try:
            self.outcome = self._written(on_progress or _ignore, should_stop or _never)
        except Exception as error:
            self.outcome = error
            raise
        return self.outcome

    def _written(self, on_progress: Callable[[int, int], None], should_stop: Callable[[], bool]) -> VideoInfo:
        frames = self.queue.frames(should_stop)
        looked_at = [_picture(frame) for frame in islice(frames, len(self.sample_takes))]
        first = next(frames, None)
        if first is None:
            raise CancelledError
        size, n_frames = (first.shape[1], first.shape[0]), self.plan.n_frames
        if self.path.suffix.lower() == ".mp4":
            size = (size[0] - size[0] % 2, size[1] - size[1] % 2)

        def pictures() -> Iterator[Image.Image]:
            for frame in chain([first], frames):
                yield _picture(frame).crop((0, 0, *size))
                self.done += 1
                on_progress(self.done, n_frames)

        palette = gif_palette(looked_at) if looked_at else None
        written = write_video(self.path, pictures(), size, self.plan.fps, n_frames=n_frames, palette=palette)
        notices = []
        slowdown = self.plan.slowdown
        if slowdown is not None and abs(slowdown - 1) >= 0.02:
            notices.append(f"The movie plays {speed_text(slowdown)} than real time.")
        if self.resized:
            notices.append("Texts and lines on the canvas keep their size in pixels, however wide the picture is.")
        if size != first.shape[1::-1]:
            notices.append("A row or column of pixels at the edge was left out: a video takes even sizes only.")
        return VideoInfo(written, n_frames, size, self.plan.fps, self.plan.duration_s, tuple(notices))


def _picture(frame: NDArray[Any]) -> Image.Image:
    """Turn what the canvas gave into a picture; the canvas is opaque."""
    return Image.fromarray(np.ascontiguousarray(frame[..., :3]))


def _ignore(_done: int, _in_all: int) -> None:
    """Tell nobody."""


def _never() -> bool:
    return False
