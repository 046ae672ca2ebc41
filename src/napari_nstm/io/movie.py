"""A movie of a result: the scene at evenly spaced moments, with arrows of its motion. Needs neither napari nor jax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_nstm.core.errors import CancelledError
from napari_nstm.io._layout import COMFORTABLE_PX
from napari_nstm.io._reel import COMFORTABLE_GIF_PX, Look, Reel
from napari_nstm.io._sheet import Interpolation
from napari_nstm.io._view import ArrowColor, View, channel_index
from napari_nstm.io.pace import Loop, frame_order, movie_plan, speed_text
from napari_nstm.io.result import StoredResult
from napari_nstm.io.targets import check_target
from napari_nstm.io.video import VideoInfo, gif_palette, write_video


@dataclass(frozen=True)
class MovieInfo(VideoInfo):
    """What was written of a result, beside what is said of any movie.

    Parameters
    ----------
    slowdown
        Seconds on the screen per second of the acquisition; 1 is real time.
    limits
        Values shown black and white (of colours: full), in the channel's unit.
    enlargement
        Picture pixels per pixel of the result; whole unless a width was asked for.
    stretch
        By how much arrows are lengthened; 1: true length; None: no arrows.
    cancelled
        Whether it was cancelled; then there is no file.
    """

    slowdown: float
    limits: tuple[float, float]
    enlargement: float
    stretch: float | None
    cancelled: bool


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
    comparison: str | None = None,
    arrows: bool = True,
    arrow_color: ArrowColor = "direction",
    size_px: int | None = None,
    scale_bar: bool = True,
    time_stamp: bool = True,
    color_key: bool = True,
    interpolation: Interpolation = "bicubic",
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> MovieInfo:
    """Write a movie of a result, a picture at a time: neither memory nor the time of a frame grow with its length.

    Parameters
    ----------
    result
        The result.
    path
        A file ending in .mp4, .gif (which starts over for ever) or .png (NAME-0001.png and so on; a single moment is
        NAME.png).
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
        With the conventional reconstruction on the left: short for `comparison="conventional"`.
    comparison
        What else is on the left, one of the result's `comparison_names`, by the same grey levels: of several images
        the nearest in time.
    arrows
        Draw the motion since the first frame, where the scene shows something.
    arrow_color
        What the colours of arrows mean.
    size_px
        Width of a picture in pixels; None: small fields are enlarged by a whole factor, larger ones stay as they are.
    scale_bar, time_stamp, color_key
        What stands below the images: a length; the time and the speed; what grey levels and colours mean.
    interpolation
        Between pixels, where their number changes.
    overwrite
        Replace existing files.
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
    gif, boomerang = target.suffix.lower() == ".gif", loop == "boomerang"
    first, last = result.frame_times_ms[0], result.frame_times_ms[-1]
    plan = movie_plan((last - first) / 1000, n_frames, fps, gif=gif, boomerang=boomerang)
    check_target(target, plan.n_frames, overwrite=overwrite)
    result.check_shown()
    result.check_there()  # what was just read is the result, not a store's remains
    look = Look(
        view=View(result, channel_index(result, channel), plane),
        comparison=comparison or ("conventional" if side_by_side else None),
        arrows=arrow_color if arrows else None,
        width_px=size_px,
        comfortable_px=COMFORTABLE_GIF_PX if gif else COMFORTABLE_PX,
        interpolation=interpolation,
        scale_bar=scale_bar,
        time_stamp=time_stamp,
        color_key=color_key,
    )
    reel = Reel(look, [float(t) for t in np.linspace(first, last, plan.n_moments)], plan.slowdown)
    palette = gif_palette(reel.samples(), reel.accents) if gif else None
    order = frame_order(plan.n_moments, loop)
    pictures = reel.pictures(order, on_progress, should_stop)
    written, cancelled = target, False
    try:
        written = write_video(target, pictures, reel.sheet.size, plan.fps, n_frames=len(order), palette=palette)
    except CancelledError:
        cancelled = True
    return MovieInfo(
        path=written,
        n_frames=len(order),
        size=reel.sheet.size,
        fps=plan.fps,
        slowdown=plan.slowdown,
        duration_s=plan.duration_s,
        limits=reel.limits,
        enlargement=reel.sheet.factor,
        stretch=reel.motion.stretch if reel.motion else None,
        cancelled=cancelled,
        notices=_notices(reel, plan.slowdown, size_px),
    )


def _notices(reel: Reel, slowdown: float, size_px: int | None) -> tuple[str, ...]:
    view, sheet, limits, motion = reel.view, reel.sheet, reel.limits, reel.motion
    unit = f" {view.unit}" if view.unit else ""
    shown, full = ("Each colour", "full") if view.in_colors else (view.name, "white")
    found = [f"{shown} is shown from {limits[0]:.3g} (black) to {limits[1]:.3g}{unit} ({full})."]
    if abs(slowdown - 1) >= 0.02:
        found.append(f"The movie plays {speed_text(slowdown)} than real time.")
    if sheet.factor > 1:
        found.append(f"Pixels are enlarged {sheet.factor:.3g} times ({sheet.interpolation}).")
    elif sheet.factor < 1:
        found.append(f"Pixels are reduced to {sheet.factor:.3g} of their number along each side (averaged).")
    if size_px is not None and sheet.size[0] != size_px:
        found.append(f"The picture is {sheet.size[0]} pixels wide: a video takes even sizes only.")
    if motion is not None and motion.stretch != 1:
        found.append(f"Arrows are {motion.stretch:g} times as long as the motion.")
    if view.plane is not None:
        found.append(f"Plane {view.plane} of {view.result.shape[0]} is shown.")
    return tuple(found)
