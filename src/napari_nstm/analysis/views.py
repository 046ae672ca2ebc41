"""Pictures of a whole acquisition or a whole volume at once: time, or depth, as colour."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]
Rgb = NDArray[np.uint8]

# Hues of depths, from the first plane to the last, in turns: blue to red, without the ends meeting.
_FIRST_HUE, _LAST_HUE = 0.67, 0.0
_NOTHING = 0.25  # of the way from black to full: more than that is something


def moments_of(frame_times_ms: Sequence[float], n: int = 3) -> tuple[float, ...]:
    """Return n moments evenly over an acquisition: the mean times of n groups of frames that follow each other.

    Where the frames come in groups of their own (the orientations of structured illumination) and n is their number,
    these are their mean times.

    Parameters
    ----------
    frame_times_ms
        Mid-exposure times of the frames, ascending.
    n
        Number of moments. Where it does not divide the frames, the time from the first to the last, half a frame
        added at both ends, is divided instead.
    """
    times = np.asarray(frame_times_ms, np.float64)
    if len(times) % n == 0:
        return tuple(float(t) for t in times.reshape(n, -1).mean(axis=1))
    half = (times[-1] - times[0]) / max(len(times) - 1, 1) / 2
    edges = np.linspace(times[0] - half, times[-1] + half, n + 1)
    middles = np.clip((edges[:-1] + edges[1:]) / 2, times[0], times[-1])
    return tuple(float(t) for t in middles)


def time_colors(n: int) -> NDArray[np.float64]:
    """Return the colours of n moments, red, green and blue in [0, 1]: (n, 3), which add up to white."""
    hues = np.asarray([colorsys.hsv_to_rgb(k / n, 1, 1) for k in range(n)])
    return np.asarray(hues / hues.sum(axis=0)) if n > 1 else np.ones((1, 3))


def colored_by_time(moments: Float, limits: tuple[float, float]) -> Rgb:
    """Add up moments, each in a colour of its own: what stands still comes out white, what moves in colours.

    Parameters
    ----------
    moments
        (n, [z,] y, x).
    limits
        Values shown black and full.

    Returns
    -------
    NDArray
        ([z,] y, x, 3) sRGB.
    """
    shown = _in_limits(np.asarray(moments, np.float32), limits)
    colors = time_colors(len(moments)).astype(np.float32)
    return _bytes(np.tensordot(shown, colors, axes=(0, 0)))


def depth_colors(n: int) -> NDArray[np.float64]:
    """Return the colours of n planes, red, green and blue in [0, 1]: (n, 3)."""
    hues = np.linspace(_FIRST_HUE, _LAST_HUE, n) if n > 1 else np.asarray([_FIRST_HUE])
    return np.asarray([colorsys.hsv_to_rgb(float(hue), 1, 1) for hue in hues])


def colored_by_depth(volumes: Iterable[Float], limits: tuple[float, float]) -> Rgb:
    """Project volumes along z, each pixel in the colour of the plane in which it is brightest.

    Where there is nothing, the brightest of many planes is noise of any colour: the median of a projection is shown
    black, if it is not over a quarter of the way from black to full.

    Parameters
    ----------
    volumes
        (z, y, x), one for each moment.
    limits
        Values shown black and full.

    Returns
    -------
    NDArray
        (t, y, x, 3) sRGB.
    """
    projected = []
    low, high = limits
    for volume in volumes:
        planes = np.asarray(volume, np.float32)
        colors = depth_colors(len(planes)).astype(np.float32)
        brightest = planes.argmax(axis=0)
        values = np.take_along_axis(planes, brightest[None], axis=0)[0]
        black = max(low, min(float(np.median(values)), low + _NOTHING * (high - low)))
        shown = _in_limits(values, (black, high))
        projected.append(_bytes(shown[..., None] * colors[brightest]))
    return np.stack(projected)


def _in_limits(values: Float, limits: tuple[float, float]) -> NDArray[np.float32]:
    low, high = limits
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), np.float32)


def _bytes(values: Float) -> Rgb:
    return np.asarray(np.rint(255 * np.clip(values, 0, 1)), np.uint8)
