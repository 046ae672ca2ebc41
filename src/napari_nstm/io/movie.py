"""A movie of a result: the scene at evenly spaced moments, with arrows of its motion. Needs neither napari nor jax."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.core.warp import Float
from napari_nstm.io._sheet import COMFORTABLE_PX, Interpolation, Key, Sheet, enlargement
from napari_nstm.io._video import SUFFIXES, gif_palette, write_video
from napari_nstm.io._view import ArrowColor, Motion, View, channel_index
from napari_nstm.io.draw import contrast_limits
from napari_nstm.io.pace import movie_plan, speed_text
from napari_nstm.io.result import StoredResult
from napari_nstm.io.text import time_texts

Loop = Literal["once", "boomerang"]

_LIMIT_SAMPLES = 7
# A GIF's size grows with its pixels: it is kept smaller.
_COMFORTABLE_GIF_PX = 512


@dataclass(frozen=True)
class MovieInfo:
    """What was written.

    Parameters
    ----------
    path
        The file.
    n_frames, size, fps
        Frames of the file, (width, height) in pixels, frames per second.
    slowdown
        Seconds on the screen per second of the acquisition; 1 is real time.
    duration_s
        How long it plays, once through.
    limits
        Values shown black and white (of colours: full), in the channel's unit.
    enlargement
        Picture pixels per pixel of the result.
    stretch
        By how much arrows are lengthened; 1: true length; None: no arrows.
    cancelled
        Whether it was cancelled; then there is no file.
    notices
        What the viewer should know, a sentence each.
    """

    path: Path
    n_frames: int
    size: tuple[int, int]
    fps: float
    slowdown: float
    duration_s: float
    limits: tuple[float, float]
    enlargement: int
    stretch: float | None
    cancelled: bool
    notices: tuple[str, ...]


def write_movie(
    result: StoredResult,
    path: str | Path,
    n_frames: int | None = None,
    fps: float | None = None,
    *,
    loop: Loop = "once",
    channel: str | int | None = None,
    plane: int | None = None,
    side_by_side: bool = False,
    arrows: bool = True,
    arrow_color: ArrowColor = "direction",
    interpolation: Interpolation = "bicubic",
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> MovieInfo:
    """Write a movie of a result.

    Parameters
    ----------
    result
        The result.
    path
        A file ending in .mp4 or .gif (which starts over for ever).
    n_frames
        Moments, evenly spaced over the acquisition; None: as the speed needs.
    fps
        Frames per second; None: real time where it can be watched, otherwise slowed down or sped up by a round factor.
    loop
        once: from the first moment to the last; boomerang: and back.
    channel
        Name or index of what is shown; None: the colours, or the last channel (the phase of DPC).
    plane
        Plane of a volume; None: the middle one.
    side_by_side
        With the conventional reconstruction on the left.
    arrows
        Draw the motion since the first frame, where the scene shows something.
    arrow_color
        What the colours of arrows mean.
    interpolation
        Between pixels, where a small field is enlarged by a whole factor.
    overwrite
        Replace an existing file.
    on_progress
        Called with the frames done, and in all.
    should_stop
        Asked before each frame; true cancels and leaves no file.

    Raises
    ------
    InputError
        Names the parameter at fault.
    StoreError
        If the result holds nothing to show.
    """
    target = Path(path)
    _check_target(target, overwrite)
    gif, boomerang = target.suffix.lower() == ".gif", loop == "boomerang"
    first, last = result.frame_times_ms[0], result.frame_times_ms[-1]
    plan = movie_plan((last - first) / 1000, n_frames, fps, gif=gif, boomerang=boomerang)
    count, slowdown = plan.n_moments, plan.slowdown
    times = [float(t) for t in np.linspace(first, last, count)]
    result.canvas()
    result.check_there()  # what was just read is the result, not a store's remains
    view = View(result, channel_index(result, channel), plane)
    conventional = view.conventional() if side_by_side else None
    limits = _limits(view, times)
    comfortable_px = _COMFORTABLE_GIF_PX if gif else COMFORTABLE_PX
    factor = enlargement(view.shape, 2 if side_by_side else 1, comfortable_px)
    motion = Motion(view, times, arrow_color, factor) if arrows else None
    sheet = _sheet(view, times, slowdown, limits, motion, conventional is not None, interpolation, comfortable_px)
    order = [*range(count), *range(count - 2, 0, -1)] if boomerang else list(range(count))
    picture = _picture_of(sheet, view, times, motion, conventional)
    pictures = _pictures(picture, order, boomerang, on_progress, should_stop)
    palette = None
    if gif:
        accents = motion.colors.reshape(-1, 3) if motion else np.empty((0, 3), np.uint8)
        palette = gif_palette([picture(index) for index in sorted({0, count // 2, count - 1})], accents)
    try:
        write_video(target, pictures, sheet.size, plan.fps, palette)
        cancelled = False
    except CancelledError:
        cancelled = True
    return MovieInfo(
        path=target,
        n_frames=len(order),
        size=sheet.size,
        fps=plan.fps,
        slowdown=slowdown,
        duration_s=plan.duration_s,
        limits=limits,
        enlargement=sheet.factor,
        stretch=motion.stretch if motion else None,
        cancelled=cancelled,
        notices=_notices(view, slowdown, limits, sheet, motion),
    )


def _picture_of(
    sheet: Sheet, view: View, times: list[float], motion: Motion | None, conventional: Float | None
) -> Callable[[int], Image.Image]:
    stamps = time_texts(times)
    still = [] if conventional is None else [sheet.panel(conventional)]

    def picture(index: int) -> Image.Image:
        arrows = [*(None for _ in still), motion.at(index) if motion else None]
        return sheet.compose([*still, sheet.panel(view.image(times[index]))], arrows, stamps[index])

    return picture


def _pictures(
    picture: Callable[[int], Image.Image],
    order: list[int],
    boomerang: bool,
    on_progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> Iterator[Image.Image]:
    # On the way back every picture comes a second time; a few dozen fit into memory.
    remembered = lru_cache(maxsize=64 if boomerang else 0)(picture)
    for done, index in enumerate(order):
        if should_stop is not None and should_stop():
            raise CancelledError
        yield remembered(index)
        if on_progress is not None:
            on_progress(done + 1, len(order))


def _sheet(
    view: View,
    times: list[float],
    slowdown: float,
    limits: tuple[float, float],
    motion: Motion | None,
    side_by_side: bool,
    interpolation: Interpolation,
    comfortable_px: int,
) -> Sheet:
    key = Key(
        limits=limits,
        quantity=view.quantity,
        pixel_size_um=view.result.pixel_size_um[-1],
        motion=motion.key if motion else None,
        stamp=max(time_texts(times), key=len),
        stamp_note=speed_text(slowdown) if len(times) > 1 else "",
        in_colors=view.in_colors,
    )
    titles = ["conventional", "NSTM"] if side_by_side else [""]
    return Sheet(view.shape, titles, key, interpolation, comfortable_px)


def _limits(view: View, times: list[float]) -> tuple[float, float]:
    picked = np.unique(np.linspace(0, len(times) - 1, _LIMIT_SAMPLES).round().astype(int))
    return contrast_limits([view.image(times[index]) for index in picked])


def _notices(
    view: View, slowdown: float, limits: tuple[float, float], sheet: Sheet, motion: Motion | None
) -> tuple[str, ...]:
    unit = f" {view.unit}" if view.unit else ""
    shown, full = ("Each colour", "full") if view.in_colors else (view.name, "white")
    found = [f"{shown} is shown from {limits[0]:.3g} (black) to {limits[1]:.3g}{unit} ({full})."]
    if abs(slowdown - 1) >= 0.02:
        found.append(f"The movie plays {speed_text(slowdown)} than real time.")
    if sheet.factor > 1:
        found.append(f"Pixels are enlarged {sheet.factor} times ({sheet.interpolation}).")
    if motion is not None and motion.stretch != 1:
        found.append(f"Arrows are {motion.stretch:g} times as long as the motion.")
    if view.plane is not None:
        found.append(f"Plane {view.plane} of {view.result.shape[0]} is shown.")
    return tuple(found)


def _check_target(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError("out", f"{path.name}", f"a file ending in {' or '.join(SUFFIXES)}")
    if path.exists() and not (overwrite and path.is_file()):
        raise InputError("out", f"{path}, which exists already", "a path that does not exist yet, or --overwrite")
    if not path.absolute().parent.is_dir():
        raise InputError("out", f"{path}, whose folder does not exist", "a path in a folder that exists")
