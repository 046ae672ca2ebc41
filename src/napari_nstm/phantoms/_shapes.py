"""Shapes by their signed distance, negative inside, and what they are painted with; all in one unit of length."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Point = tuple[float, float]

EDGE_PX = 1.5
"""Width over which an edge rises from 0 to 1: 1 px from a fifth to four fifths, nearly."""

_N_WAVES = 16


def coverage(distance: Array, edge: Array | float) -> Array:
    """Return 1 inside and 0 outside, with an edge that rises smoothly (a cubic) over the width `edge`."""
    part = np.clip(0.5 - distance / edge, 0.0, 1.0)
    return np.asarray(part**2 * (3 - 2 * part))


def convex(corners: Sequence[Point], x: Array, y: Array) -> Array:
    """Return the largest of the distances from the lines through a convex polygon's sides; corners (x, y) in order."""
    points = np.asarray(corners)
    sides = np.roll(points, -1, axis=0) - points
    turn = math.copysign(1.0, float(np.cross(np.append(sides[0], 0), np.append(sides[1], 0))[2]))
    outwards = turn * np.stack([sides[:, 1], -sides[:, 0]], axis=1) / np.linalg.norm(sides, axis=1, keepdims=True)
    found = np.full(np.shape(x), -np.inf)
    for (px, py), (nx, ny) in zip(points, outwards, strict=True):
        np.maximum(found, nx * (x - px) + ny * (y - py), out=found)
    return found


def along(start: Point, end: Point, x: Array, y: Array) -> tuple[Array, Array, float]:
    """Return how far points are along the line from start to end (0 to 1) and to its left, and the line's length."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    part = ((x - start[0]) * dx + (y - start[1]) * dy) / length**2
    return part, ((y - start[1]) * dx - (x - start[0]) * dy) / length, length


def capsule(start: Point, end: Point, radii: tuple[float, float], x: Array, y: Array) -> Array:
    """Return the distance from a line with round ends whose radius changes evenly along it."""
    part, aside, length = along(start, end, x, y)
    held = np.clip(part, 0.0, 1.0)
    return np.asarray(np.hypot((part - held) * length, aside) - (radii[0] + (radii[1] - radii[0]) * held))


def joined(a: Array, b: Array, fillet: float) -> Array:
    """Return the union of two shapes, the corner between them filled over a length of about `fillet`."""
    near = np.maximum(fillet - np.abs(a - b), 0.0) / fillet
    return np.asarray(np.minimum(a, b) - near**2 * fillet / 4)


def mottle(rng: np.random.Generator, points: Array, wavelength: float) -> Array:
    """Return an uneven texture between -1 and 1 at points (component, ...): waves of all directions and one length."""
    directions = rng.normal(size=(_N_WAVES, len(points)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    phases = rng.uniform(0, 2 * math.pi, _N_WAVES)
    total = np.zeros(points.shape[1:])
    for direction, phase in zip(directions, phases, strict=True):
        total += np.cos(2 * math.pi / wavelength * np.tensordot(direction, points, 1) + phase)
    return np.tanh(total / math.sqrt(_N_WAVES / 2))
