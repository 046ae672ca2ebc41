"""Least squares with total variation, from 0 up: FISTA, its proximal step by the same method on the dual problem."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.diffusercam.conventional.operators import Operator, largest_gain

Float = NDArray[np.float32]

_DUAL_STEPS = 8


def fista(
    operator: Operator,
    image: Float,
    weights: Sequence[float],
    n_iterations: int,
    go_on: Callable[[int, Float], bool] = lambda done, movie: True,
) -> Float:
    """Minimise 1/2 |A v - I|^2 + sum_i weights_i |D_i v|_1 over movies v >= 0 (Beck and Teboulle 2009).

    Parameters
    ----------
    operator
        A.
    image
        I: (colour, y, x).
    weights
        Of the total variation along time, y and x.
    n_iterations
        Steps.
    go_on
        Called after each with the number done and v; False ends it.

    Returns
    -------
    (moment, colour, y, x)
    """
    # A tenth more: the power iteration comes from below.
    gain = 1.1 * largest_gain(operator)
    movie = np.zeros(operator.movie_shape, np.float32)
    ahead, momentum = movie, 1.0
    scaled = [weight / gain for weight in weights]
    dual = [np.zeros_like(movie) for _ in weights]
    for done in range(1, n_iterations + 1):
        descent = ahead - operator.adjoint(operator.forward(ahead) - image) / np.float32(gain)
        before, movie = movie, denoise(descent, scaled, dual)
        grown = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = movie + np.float32((momentum - 1) / grown) * (movie - before)
        momentum = grown
        if not go_on(done, movie):
            break
    return movie


def denoise(noisy: Float, weights: Sequence[float], dual: list[Float], n_steps: int = _DUAL_STEPS) -> Float:
    """Minimise 1/2 |v - noisy|^2 + sum_i weights_i |D_i v|_1 over v >= 0 (fast gradient projection).

    Parameters
    ----------
    noisy
        (moment, colour, y, x).
    weights
        Along time, y and x.
    dual
        One array like `noisy` per weight: where to start; they are changed to where it ended.
    n_steps
        Steps on the dual problem.
    """
    axes = (0, 2, 3)
    used = [i for i, weight in enumerate(weights) if weight > 0 and noisy.shape[axes[i]] > 1]
    if not used:
        return np.maximum(noisy, 0)
    step = np.float32(1 / (4 * len(used)))
    ahead, momentum = [dual[i] for i in used], 1.0
    for _ in range(n_steps):
        primal = _primal(noisy, ahead, [axes[i] for i in used])
        grown = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        for k, i in enumerate(used):
            moved = ahead[k] + step * _difference(primal, axes[i])
            before, dual[i] = dual[i], np.clip(moved, -weights[i], weights[i])
            ahead[k] = dual[i] + np.float32((momentum - 1) / grown) * (dual[i] - before)
        momentum = grown
    return _primal(noisy, [dual[i] for i in used], [axes[i] for i in used])


def _primal(noisy: Float, duals: Sequence[Float], axes: Sequence[int]) -> Float:
    found = noisy.copy()
    for dual, axis in zip(duals, axes, strict=True):
        found -= _difference_adjoint(dual, axis)
    return np.asarray(np.maximum(found, 0, out=found))


def _difference(movie: Float, axis: int) -> Float:
    """Next minus this; 0 at the end."""
    out = np.zeros_like(movie)
    out[_cut(axis, None, -1)] = np.diff(movie, axis=axis)
    return out


def _difference_adjoint(dual: Float, axis: int) -> Float:
    out = np.zeros_like(dual)
    inner = dual[_cut(axis, None, -1)]
    out[_cut(axis, None, -1)] -= inner
    out[_cut(axis, 1, None)] += inner
    return out


def _cut(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, stop),)
