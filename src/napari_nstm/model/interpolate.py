"""Linear interpolation on lattices: as small matrices, or as banded ones where the grid is fine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Up to this many cells one product over all of them is faster than many small ones.
_FEW_CELLS = 48
# Outputs a block of the banded product holds.
_BLOCK = 32


def hat_matrix(x: Float[Array, " n"] | np.ndarray, cells: int) -> Float[Array, "n corner"]:
    """Linear interpolation as a matrix: row i holds the weights of the corners around x[i] in [0, 1]."""
    position = jnp.clip(jnp.asarray(x), 0.0, 1.0) * cells
    return jnp.maximum(0.0, 1.0 - jnp.abs(position[:, None] - jnp.arange(cells + 1)))


def apply_along_axes(
    values: Float[Array, "feature ..."], matrices: Sequence[Float[Array, "out in"]]
) -> Float[Array, "feature ..."]:
    """Multiply every axis after the first by its matrix."""
    for axis, matrix in enumerate(matrices, start=1):
        values = jnp.moveaxis(jnp.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return values


def is_banded(x: Array | np.ndarray, cells: int) -> bool:
    """Tell whether `interpolate` uses a banded product: the grid is fine, and x (ascending) known beforehand."""
    return isinstance(x, np.ndarray) and cells > _FEW_CELLS


def interpolate(values: Array, x: Array | np.ndarray, cells: int, axis: int) -> Array:
    """Interpolate the corners along `axis` (cells + 1 of them) at x in [0, 1].

    Work grows with the outputs, not with outputs times cells, where `is_banded`.
    """
    if isinstance(x, np.ndarray) and is_banded(x, cells):
        return _banded(values, x, cells, axis)
    return jnp.moveaxis(jnp.tensordot(hat_matrix(x, cells), values, axes=(1, axis)), 0, axis)


def _banded(values: Array, x: np.ndarray, cells: int, axis: int) -> Array:
    # Each block of outputs needs a short window of corners only: the windows are gathered as slices and
    # multiplied by small matrices, all of which are constants of the compiled program.
    n_blocks = math.ceil(len(x) / _BLOCK)
    position = np.clip(np.pad(x, (0, n_blocks * _BLOCK - len(x)), mode="edge"), 0.0, 1.0) * cells
    blocks = position.reshape(n_blocks, _BLOCK)
    starts = np.floor(blocks[:, 0]).astype(int)
    width = min(int(np.max(np.floor(blocks[:, -1]) - starts)) + 2, cells + 1)
    starts = np.minimum(starts, cells + 1 - width)
    corners = starts[:, None] + np.arange(width)
    weights = np.maximum(0.0, 1.0 - np.abs(blocks[:, :, None] - corners[:, None, :])).astype(np.float32)
    moved = jnp.moveaxis(values, axis, 0)
    windows = jax.vmap(lambda start: jax.lax.dynamic_slice_in_dim(moved, start, width))(jnp.asarray(starts))
    out = jnp.einsum("bow,bw...->bo...", weights, windows).reshape(n_blocks * _BLOCK, *moved.shape[1:])
    return jnp.moveaxis(out[: len(x)], 0, axis)
