"""Smooth random curves in a plane or a volume, as points at equal steps; (point, component) in raw pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

STEP_PX = 0.25
"""Distance between the points of a curve."""

_N_WAVES = 3
_DEPTH_WAVELENGTHS = (1.5, 3.0)  # in lengths of the curve
_DEPTH_RANGES = (0.2, 1.0)  # of the depths there are


def wandering(rng: np.random.Generator, middle: Points, length_px: float, bend_rad: float) -> Points:
    """Draw a curve in a plane whose heading sways smoothly.

    Parameters
    ----------
    rng
        Source of everything that is random.
    middle
        (y, x) half way along.
    length_px
        Along the curve.
    bend_rad
        Standard deviation of the heading's slowest wave; the faster ones sway less.
    """
    n = max(3, round(length_px / STEP_PX))
    s = np.linspace(0, 1, n)
    heading = np.full(n, rng.uniform(0, 2 * math.pi))
    for k in range(1, _N_WAVES + 1):
        heading += bend_rad / k**2 * rng.normal() * np.sin(math.pi * k * s + rng.uniform(0, 2 * math.pi))
    line = np.cumsum(STEP_PX * np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)
    return np.asarray(middle + line - line[n // 2])


def with_depth(rng: np.random.Generator, curve: Points, low_px: float, high_px: float) -> Points:
    """Let a curve (point, 2) rise and sink slowly within two depths: (point, 3), at equal steps again."""
    # Curves that all swung from one end to the other would crowd at both.
    half = rng.uniform(*_DEPTH_RANGES) * (high_px - low_px) / 2
    middle = rng.uniform(low_px + half, high_px - half)
    phase = rng.uniform(0, 2 * math.pi) + 2 * math.pi / rng.uniform(*_DEPTH_WAVELENGTHS) * np.linspace(0, 1, len(curve))
    return at_equal_steps(np.column_stack([middle + half * np.sin(phase), curve]))


def at_equal_steps(points: Points) -> Points:
    """Return the broken line through `points` as points a step apart; what is left over at its end is cut off."""
    reached = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    s = np.arange(0.0, reached[-1] + 1e-9, STEP_PX)
    return np.stack([np.interp(s, reached, component) for component in points.T], axis=1)


def tangents(curve: Points) -> Points:
    """Return unit vectors along a curve, (point, component)."""
    along = np.gradient(curve, axis=0)
    return np.asarray(along / np.linalg.norm(along, axis=1, keepdims=True))


def beside(curve: Points, gap_px: float) -> Points:
    """Return the curve that runs at a distance `gap_px` from another at every point, within the plane."""
    along = tangents(curve)[:, -2:]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    moved = curve.copy()
    moved[:, -2:] += gap_px * np.stack([along[:, 1], -along[:, 0]], axis=1)
    return at_equal_steps(moved)


def longest_run(kept: NDArray[np.bool_]) -> slice:
    """Return the longest stretch of points that are all kept."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], kept.astype(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    if len(starts) == 0:
        return slice(0, 0)
    best = int(np.argmax(ends - starts))
    return slice(int(starts[best]), int(ends[best]))
