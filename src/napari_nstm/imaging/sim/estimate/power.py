"""The power spectrum of the sample itself, from that of frames in which the orders of the stripes overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]

# Each step explains the measured power better, and late ones explain its noise.
_STEPS = 12
_LEAST_GAIN = 1e-3


class Shift:
    """Moves values by multiples of a vector, linearly between samples; what lies outside is 0.

    Parameters
    ----------
    vector_px
        (2,) y and x, in samples.
    """

    def __init__(self, vector_px: Float) -> None:
        self._vector_px = vector_px

    def __call__(self, values: Float, a: int) -> Float:
        """Return values(k - a p), (..., y, x)."""
        if a == 0:
            return values
        for axis, shift in ((-2, a * self._vector_px[0]), (-1, a * self._vector_px[1])):
            whole = math.floor(shift)
            part = shift - whole
            values = (1 - part) * _moved(values, whole, axis) + part * _moved(values, whole + 1, axis)
        return values


def _moved(values: Float, by: int, axis: int) -> Float:
    n = values.shape[axis]
    moved = np.zeros_like(values)
    if abs(by) < n:
        to, source = [slice(None)] * values.ndim, [slice(None)] * values.ndim
        to[axis], source[axis] = (slice(by, None), slice(n - by)) if by >= 0 else (slice(n + by), slice(-by, None))
        moved[tuple(to)] = values[tuple(source)]
    return moved


def sample_power(measured: Float, gains: Sequence[Float], noise: float, c: Float, shift: Shift) -> Float:
    """Return P for which V = sum_a c_|a|^2 H_a^2 P(k - a p) + noise comes near the measured power.

    Some steps of expectation maximisation (Richardson 1972, Lucy 1974) from what order 0 alone would say: P stays
    positive, and is found too where other orders alone show it.

    Parameters
    ----------
    measured
        V: ([kz,] ky, kx) on a grid that is symmetric about 0, and V(-k) = V(k).
    gains
        By |a|: H_a^2, likewise.
    noise
        Power of the noise.
    c
        (order,) weights of the orders, c_0 = 1.
    shift
        Moves by multiples of the vector.
    """
    even = gains[0]
    largest = float(even.max())
    power = np.clip(measured - noise, 0, None) * even / (even**2 + (_LEAST_GAIN * largest) ** 2) + noise / largest
    full = _both(gains, c, lambda gain, a: shift(gain, -a))
    for _ in range(_STEPS):
        seen = power
        model = noise + _both(gains, c, lambda gain, a, seen=seen: gain * shift(seen, a))
        ratio = measured / model
        back = _both(gains, c, lambda gain, a, ratio=ratio: shift(gain * ratio, -a))
        power = power * back / np.maximum(full, 1e-12 * full.max())
    return np.asarray(power)


def _both(gains: Sequence[Float], c: Float, term: Any) -> Float:
    """Sum c_|a|^2 term(H_a^2, a) over orders of both signs: of -a it is that of a, mirrored."""
    total = c[0] ** 2 * term(gains[0], 0)
    for a in range(1, len(gains)):
        one = term(gains[a], a)
        total = total + c[a] ** 2 * (one + one[..., ::-1, ::-1])
    return np.asarray(total)
