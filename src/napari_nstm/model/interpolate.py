"""Linear interpolation on lattices: as small matrices, or as banded ones where the grid is fine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

# Up to this many cells one product over all of them is faster than many small ones.
_FEW_CELLS = 48
# Rows a block of the banded product holds, and of that with the transposed matrix, whose windows are wider.
_BLOCK = 32
_BLOCK_BACK = 32


def hat_matrix(x: Float[Array, " n"] | np.ndarray, cells: int) -> Float[Array, "n corner"] | np.ndarray:
    """Linear interpolation as a matrix: row i holds the weights of the corners around x[i] in [0, 1].

    It is a numpy array where x is one: a constant of the compiled program, not a part of it.
    """
    return hat_matrices(x, (cells,))[0]


def hat_matrices(
    x: Float[Array, " n"] | np.ndarray, cells: Sequence[int]
) -> Float[Array, "level n corner"] | np.ndarray:
    """Stack the matrices of several levels; the corners that a coarser level does not have weigh nothing."""
    corners = np.arange(max(cells) + 1)
    counts = np.asarray(cells)[:, None]
    if isinstance(x, np.ndarray):
        at = np.clip(x, 0.0, 1.0) * counts
        weights: np.ndarray = np.maximum(0.0, 1.0 - np.abs(at[..., None] - corners)).astype(np.float32)
        return weights
    return jnp.maximum(0.0, 1.0 - jnp.abs((jnp.clip(x, 0.0, 1.0) * counts)[..., None] - corners))


def apply_along_axes(
    values: Float[Array, "feature ..."], matrices: Sequence[Float[Array, "out in"] | np.ndarray]
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
    matrix = hat_matrix(x, cells)
    forth, back = _Band.of(np.asarray(matrix), _BLOCK), _Band.of(np.asarray(matrix).T, _BLOCK_BACK)

    # The gradient is a banded product as well: to scatter windows takes longer to compile and to run.
    @jax.custom_vjp
    def product(moved: Array) -> Array:
        return forth.times(moved)

    product.defvjp(lambda moved: (forth.times(moved), None), lambda _, cotangent: (back.times(cotangent),))
    return jnp.moveaxis(product(jnp.moveaxis(values, axis, 0)), 0, axis)


@dataclass(frozen=True)
class _Band:
    """A matrix whose non-zeros lie around a diagonal, as constants of the compiled program.

    Each block of rows needs a short window of columns only: the windows are gathered as slices and
    multiplied by small matrices.
    """

    n_rows: int
    starts: np.ndarray  # (block,) first column of the window
    weights: np.ndarray  # (block, row, column of the window)

    @classmethod
    def of(cls, matrix: np.ndarray, rows_per_block: int) -> _Band:
        n_rows, n_columns = matrix.shape
        n_blocks = math.ceil(n_rows / rows_per_block)
        padded = np.pad(matrix, ((0, n_blocks * rows_per_block - n_rows), (0, 0)))
        blocks = padded.reshape(n_blocks, rows_per_block, n_columns)
        used: NDArray[np.bool_] = np.any(blocks != 0, axis=1)
        starts = used.argmax(axis=1)
        ends = np.where(used.any(axis=1), n_columns - used[:, ::-1].argmax(axis=1), starts + 1)
        width = int(np.max(ends - starts))
        starts = np.minimum(starts, n_columns - width)
        columns = starts[:, None] + np.arange(width)
        return cls(n_rows, starts, np.take_along_axis(blocks, columns[:, None, :], axis=2))

    def times(self, values: Array) -> Array:
        width = self.weights.shape[-1]
        starts = jnp.asarray(self.starts, jnp.int32)
        windows = jax.vmap(lambda start: jax.lax.dynamic_slice_in_dim(values, start, width))(starts)
        out = jnp.einsum("bow,bw...->bo...", self.weights, windows)
        return out.reshape(-1, *values.shape[1:])[: self.n_rows]
