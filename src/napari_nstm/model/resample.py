"""Resampling of a canvas at displaced positions; `core.warp.shift_transfer` says what it does to fine detail."""

from __future__ import annotations

import itertools
import math

import jax.numpy as jnp
from jaxtyping import Array, Float


def resample(
    canvas: Float[Array, channel * lattice], index: Float[Array, "time axis *field"]
) -> Float[Array, "time channel *field"]:
    """Interpolate multilinearly; beyond the lattice its edge goes on.

    The 2^n neighbours of every lattice point are stacked first, so that each position needs one
    gather of a short contiguous vector (and its gradient one scatter) instead of 2^n.

    Parameters
    ----------
    canvas
        Values on the lattice.
    index
        Positions in lattice samples, one plane per axis.
    """
    shape = canvas.shape[1:]
    ndim = len(shape)
    lower, fraction = [], []
    for axis, n in enumerate(shape):
        position = jnp.clip(index[:, axis], 0.0, n - 1.0)
        floor = jnp.minimum(jnp.floor(position), max(n - 2.0, 0.0))
        lower.append(floor.astype(jnp.int32))
        fraction.append(position - floor)
    flat = jnp.ravel_multi_index(lower, shape, mode="clip")
    corners = list(itertools.product((0, 1), repeat=ndim))
    planes = []
    for plane in canvas:
        shifted = [jnp.roll(plane, [-c for c in corner], axis=tuple(range(ndim))).ravel() for corner in corners]
        values = jnp.stack(shifted, axis=-1).at[flat].get(mode="promise_in_bounds")
        total = jnp.zeros(flat.shape, canvas.dtype)
        for k, corner in enumerate(corners):
            weight = math.prod((f if c else 1 - f for f, c in zip(fraction, corner, strict=True)), start=jnp.ones(()))
            total = total + weight * values[..., k]
        planes.append(total)
    return jnp.stack(planes, axis=1)
