"""Rendering the fitted scene and motion at any time, with numpy and scipy alone.

The two arrays it needs are stored with every result, so that sliders, readers
and movies work without jax.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Float = NDArray[np.float32]

_FIXED_POINT_STEPS = 12
_FIXED_POINT_TOLERANCE_PX = 1e-4


@dataclass(frozen=True)
class Canvas:
    """The scene on its lattice.

    Parameters
    ----------
    coefficients
        (c, [z,] y, x); cubic: coefficients of cubic B-splines centred on the samples,
        linear: the values themselves.
    origin_px, spacing_px
        Position of the first sample and distance between samples, raw pixels, ([z,] y, x).
    order
        3 (cubic B-spline) or 1 (linear).
    """

    coefficients: Float
    origin_px: tuple[float, ...]
    spacing_px: tuple[float, ...]
    order: int

    def at(self, positions_px: Float) -> Float:
        """Evaluate every channel at `positions_px` (component, ...); beyond the edge the edge goes on."""
        index = _to_index(positions_px, self.origin_px, self.spacing_px)
        return np.stack(
            [map_coordinates(c, index, order=self.order, prefilter=False, mode="nearest") for c in self.coefficients]
        ).astype(np.float32)


@dataclass(frozen=True)
class MotionLattice:
    """The pull-back dx of the model, sampled coarsely in space and densely in time.

    Parameters
    ----------
    values_px
        (time, component, [z,] y, x) in raw pixels: the scene at time t is looked up at x + dx(x, t).
        Times are evenly spaced over [-1, 1].
    origin_px, spacing_px
        Of its spatial lattice, as in `Canvas`.
    """

    values_px: Float
    origin_px: tuple[float, ...]
    spacing_px: tuple[float, ...]

    def at_time(self, t: float) -> Float:
        """Interpolate linearly in time (t in [-1, 1], clamped): (component, [z,] y, x)."""
        last = len(self.values_px) - 1
        position = float(np.clip((t + 1) / 2 * last, 0, last))
        before = min(int(position), max(last - 1, 0))
        weight = position - before
        if weight == 0:
            return np.asarray(self.values_px[before], np.float32)
        mixed = (1 - weight) * self.values_px[before] + weight * self.values_px[before + 1]
        return np.asarray(mixed, np.float32)

    def pull_back(self, positions_px: Float, t: float) -> Float:
        """Return dx(x, t) in pixels at `positions_px` (component, ...)."""
        index = _to_index(positions_px, self.origin_px, self.spacing_px)
        return np.stack(
            [map_coordinates(c, index, order=1, prefilter=False, mode="nearest") for c in self.at_time(t)]
        ).astype(np.float32)

    def displacement(self, positions_px: Float, t: float, t_reference: float) -> Float:
        """Return u(x, t) = y - x in pixels: the point at x at the reference time is at y at time t.

        Solves y + dx(y, t) = x + dx(x, t_reference) by fixed-point iteration, which converges
        while the motion's gradient stays under 1 (no folding).
        """
        if t == t_reference:
            return np.zeros(positions_px.shape, np.float32)
        target = positions_px + self.pull_back(positions_px, t_reference)
        y = positions_px
        for _ in range(_FIXED_POINT_STEPS):
            before, y = y, target - self.pull_back(y, t)
            if not np.any(np.abs(y - before) > _FIXED_POINT_TOLERANCE_PX):
                break
        return np.asarray(y - positions_px, np.float32)


def positions(shape: tuple[int, ...], spacing_px: tuple[float, ...] | None = None) -> Float:
    """Positions of a field's samples: (component, *shape) in raw pixels, sample 0 at 0."""
    spacing = spacing_px or (1.0,) * len(shape)
    axes = [np.arange(n, dtype=np.float32) * s for n, s in zip(shape, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def render(canvas: Canvas, motion: MotionLattice, t: float, where_px: Float) -> Float:
    """Render the scene at time t in [-1, 1]: (c, ...) at `where_px` (component, ...)."""
    return canvas.at(where_px + motion.pull_back(where_px, t))


def shift_transfer(frequency: float, shift_px: float, samples_per_pixel: int) -> float:
    """Amplitude that is left of a wave after the canvas is resampled at a shift.

    Linear interpolation between two samples at distance d mixes them with weights 1 - s and s, which
    leaves |(1 - s) + s exp(2 pi i f d)| of a wave of frequency f.

    Parameters
    ----------
    frequency
        Cycles per raw pixel.
    shift_px
        Shift along the wave, raw pixels.
    samples_per_pixel
        Canvas samples per raw pixel.

    Examples
    --------
    >>> round(shift_transfer(0.43, 0.5, 1), 2)
    0.22
    >>> round(shift_transfer(0.43, 0.5, 2), 2)
    1.0
    """
    fraction = (shift_px * samples_per_pixel) % 1.0
    angle = 2 * math.pi * frequency / samples_per_pixel
    return abs(complex(1 - fraction + fraction * math.cos(angle), fraction * math.sin(angle)))


def _to_index(positions_px: Float, origin: tuple[float, ...], spacing: tuple[float, ...]) -> Float:
    column = (-1,) + (1,) * (positions_px.ndim - 1)
    offset = np.asarray(origin, np.float32).reshape(column)
    step = np.asarray(spacing, np.float32).reshape(column)
    return np.asarray((positions_px - offset) / step, np.float32)
