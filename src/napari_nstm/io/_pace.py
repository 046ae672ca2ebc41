"""How fast a movie plays: in real time where that can be watched, otherwise slower or faster by a round factor."""

from __future__ import annotations

from napari_nstm.io._text import round_length
from napari_nstm.io._video import gif_rate

# A movie in real time is neither over before one has looked nor longer than one has patience for.
_SHORTEST_S, _SLOWED_TO_S, _LONGEST_S = 2.0, 4.0, 30.0
_FPS = 25.0
_SLOWEST_FPS, _FASTEST_FPS = 1.0, 60.0


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


def speed_text(slowdown: float) -> str:
    if abs(slowdown - 1) < 0.02:
        return "real time"
    factor = slowdown if slowdown > 1 else 1 / slowdown
    text = f"{factor:.0f}" if factor >= 10 else f"{factor:.2g}"
    return f"{text}x {'slower' if slowdown > 1 else 'faster'}"
