"""How fast a movie plays, and in which order: in real time where that can be watched, else by a round factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_nstm.core.errors import InputError
from napari_nstm.io._gif import gif_rate
from napari_nstm.io.text import round_length

Loop = Literal["once", "boomerang"]

# A movie in real time is neither over before one has looked nor longer than one has patience for.
_SHORTEST_S, _SLOWED_TO_S, _LONGEST_S = 2.0, 4.0, 30.0
_FPS = 25.0
_SLOWEST_FPS, _FASTEST_FPS = 1.0, 60.0
_HIGHEST_FPS = 240
_MOST_MOMENTS = 20_000  # a slip of the hand must not fill the memory


@dataclass(frozen=True)
class MoviePlan:
    """How long a movie is, and how fast.

    Parameters
    ----------
    n_moments
        Different moments it shows.
    n_frames
        Frames of the file: more than moments where it plays there and back.
    fps
        Frames per second.
    slowdown
        Seconds on the screen per second of the acquisition; 1 is real time.
    """

    n_moments: int
    n_frames: int
    fps: float
    slowdown: float

    @property
    def duration_s(self) -> float:
        """How long it plays, once through."""
        return self.n_frames / self.fps


def movie_plan(
    duration_s: float,
    n_moments: int | None = None,
    fps: float | None = None,
    *,
    gif: bool = False,
    boomerang: bool = False,
) -> MoviePlan:
    """Choose what was not asked for.

    Parameters
    ----------
    duration_s
        Of the acquisition.
    n_moments
        Evenly spaced over the acquisition; None: as the speed needs.
    fps
        Frames per second; None: real time where that can be watched.
    gif
        Whether it will be a GIF, which cannot hold every rate.
    boomerang
        Whether it plays there and back.

    Raises
    ------
    InputError
        Fields `frames` and `fps`.
    """
    if n_moments is not None and not 1 <= n_moments <= _MOST_MOMENTS:
        raise InputError("frames", str(n_moments), f"at least 1, and at most {_MOST_MOMENTS}")
    if fps is not None and not 0 < fps <= _HIGHEST_FPS:
        raise InputError("fps", f"{fps:g}", f"frames per second, over 0 and up to {_HIGHEST_FPS}")
    n_moments, rate, slowdown = movie_pace(duration_s, n_moments, fps, gif)
    n_frames = n_moments + max(n_moments - 2, 0) if boomerang else n_moments
    return MoviePlan(n_moments, n_frames, rate, slowdown)


def movie_pace(duration_s: float, n_frames: int | None, fps: float | None, gif: bool) -> tuple[int, float, float]:
    """Choose the number of moments, frames per second and slow-down (seconds shown per second of acquisition)."""
    if duration_s <= 0:
        rate = fps or (1.0 if n_frames is None else _FPS)
        return n_frames or 1, gif_rate(rate) if gif else rate, 1.0
    wished = 1.0
    if duration_s < _SHORTEST_S:
        wished = round_length(_SLOWED_TO_S / duration_s * 1.25)
    elif duration_s > _LONGEST_S:
        wished = 1 / round_length(duration_s / _SLOWED_TO_S / 2)
    if n_frames is None:
        rate = fps or _FPS
        n_frames = max(2, round(duration_s * wished * rate) + 1)
    elif fps is None:
        rate = min(max((n_frames - 1) / (duration_s * wished), _SLOWEST_FPS), _FASTEST_FPS)
    else:
        rate = fps
    rate = gif_rate(rate) if gif else rate
    return n_frames, rate, max(n_frames - 1, 1) / rate / duration_s


def frame_order(n_moments: int, loop: Loop) -> list[int]:
    """Return the indices of moments in the order in which they are shown."""
    there = list(range(n_moments))
    return [*there, *there[-2:0:-1]] if loop == "boomerang" else there


def speed_text(slowdown: float) -> str:
    """Say how fast a movie plays."""
    if abs(slowdown - 1) < 0.02:
        return "real time"
    factor = slowdown if slowdown > 1 else 1 / slowdown
    text = f"{factor:.0f}" if factor >= 10 else f"{factor:.2g}"
    return f"{text}x {'slower' if slowdown > 1 else 'faster'}"


def remaining_text(seconds: float) -> str:
    """Say how long it will still take, about."""
    if seconds < 5:
        return "A few seconds to go."
    if seconds < 90:
        return f"About {5 * round(seconds / 5)} s to go."
    return f"About {round(seconds / 60)} min to go."
