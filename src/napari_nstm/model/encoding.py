"""Multiresolution encodings: grids of learned features, from coarse to fine.

A level divides its box into cells and interpolates features multilinearly between
the cells' corners (Mueller et al. 2022, "Instant neural graphics primitives").
Dense levels store every corner, hashed levels look corners up in a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from napari_nstm.core.settings import EncodingSettings

# One factor per axis for the spatial hash of Mueller et al. 2022 (the first is 1, the others large primes).
_PRIMES = (1, 2_654_435_761, 805_459_861, 3_674_653_429)


def level_cells(settings: EncodingSettings) -> tuple[tuple[int, ...], ...]:
    """Return the number of cells of every level along each axis: geometric from base to fine."""
    n = settings.n_levels
    cells = []
    for level in range(n):
        s = level / (n - 1) if n > 1 else 1.0
        pairs = zip(settings.base_cells, settings.fine_cells, strict=True)
        cells.append(tuple(max(1, round(base ** (1 - s) * fine**s)) for base, fine in pairs))
    return tuple(cells)


def level_weights(alpha: Float[Array, ""] | float, n_levels: int) -> Float[Array, " level"]:
    """Coarse-to-fine weights (Cao et al. 2024, Methods): level i opens while alpha goes from i/N to (i+1)/N."""
    opened = jnp.clip(alpha * n_levels - jnp.arange(n_levels), 0.0, 1.0)
    return 0.5 - 0.5 * jnp.cos(jnp.pi * opened)


def hat_matrix(x: Float[Array, " n"], cells: int) -> Float[Array, "n corner"]:
    """Linear interpolation as a matrix: row i holds the weights of the corners around x[i] in [0, 1]."""
    position = jnp.clip(x, 0.0, 1.0) * cells
    return jnp.maximum(0.0, 1.0 - jnp.abs(position[:, None] - jnp.arange(cells + 1)))


def apply_along_axes(
    values: Float[Array, "feature ..."], matrices: Sequence[Float[Array, "out in"]]
) -> Float[Array, "feature ..."]:
    """Multiply every axis after the first by its matrix."""
    for axis, matrix in enumerate(matrices, start=1):
        values = jnp.moveaxis(jnp.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return values


class MultiresolutionEncoding(nn.Module):
    """Features at positions in the unit box.

    Parameters
    ----------
    settings
        Levels, features, cells and kind (dense or hashed).
    """

    settings: EncodingSettings

    def setup(self) -> None:
        """Create one feature grid a level: (feature, *corners) dense, (entry, feature) hashed."""
        s = self.settings
        self.cells = level_cells(s)

        def init(key: Array, shape: tuple[int, ...]) -> Array:
            return jax.random.uniform(key, shape, jnp.float32, 0.0, s.init_scale)

        if s.hash_entries_log2 is None:
            shapes = [(s.n_features, *(n + 1 for n in cells)) for cells in self.cells]
        else:
            shapes = [(2**s.hash_entries_log2, s.n_features)] * s.n_levels
        self.levels = [self.param(f"level_{i}", init, shape) for i, shape in enumerate(shapes)]

    def __call__(self, x: Float[Array, "... axis"]) -> Float[Array, "... level feature"]:
        """Look features up at any positions; dense levels are constant beyond the box."""
        features = [self._gather(table, cells, x) for table, cells in zip(self.levels, self.cells, strict=True)]
        return jnp.stack(features, axis=-2)

    def on_lattice(self, axes: Sequence[Float[Array, " n"]]) -> list[Float[Array, "feature ..."]]:
        """Features of every level on the product of `axes`: products of small matrices for dense levels."""
        if self.settings.hash_entries_log2 is None:
            return [
                apply_along_axes(table, [hat_matrix(x, n) for x, n in zip(axes, cells, strict=True)])
                for table, cells in zip(self.levels, self.cells, strict=True)
            ]
        features = self(jnp.stack(jnp.meshgrid(*axes, indexing="ij"), axis=-1))
        return [jnp.moveaxis(features[..., i, :], -1, 0) for i in range(self.settings.n_levels)]

    def sum_on_lattice(
        self, axes: Sequence[Float[Array, " n"]], weights: Float[Array, " level"]
    ) -> Float[Array, "feature ..."]:
        """Weighted sum of the levels on a lattice, without holding every level at full size."""
        if self.settings.hash_entries_log2 is None:
            return self._dense_sum(axes, weights)
        return jnp.tensordot(weights, jnp.stack(self.on_lattice(axes)), axes=1)

    def _dense_sum(
        self, axes: Sequence[Float[Array, " n"]], weights: Float[Array, " level"]
    ) -> Float[Array, "feature ..."]:
        # All but the last axis are enlarged level by level; the last one by ONE product over all levels.
        partial, last = [], []
        for weight, table, cells in zip(weights, self.levels, self.cells, strict=True):
            matrices = [hat_matrix(x, n) for x, n in zip(axes, cells, strict=True)]
            partial.append(apply_along_axes(weight * table, matrices[:-1]))
            last.append(matrices[-1])
        return jnp.tensordot(jnp.concatenate(partial, axis=-1), jnp.concatenate(last, axis=1), axes=(-1, 1))

    def _gather(
        self, table: Float[Array, ...], cells: tuple[int, ...], x: Float[Array, "... axis"]
    ) -> Float[Array, "... feature"]:
        counts = jnp.asarray(cells)
        dense = self.settings.hash_entries_log2 is None
        position = (jnp.clip(x, 0.0, 1.0) if dense else x) * counts
        lower = jnp.floor(position)
        if dense:
            lower = jnp.minimum(lower, counts - 1)
        fraction = position - lower
        corner_offsets = jnp.asarray(list(itertools.product((0, 1), repeat=len(cells))))
        corners = lower.astype(jnp.int32)[..., None, :] + corner_offsets
        weight = jnp.where(corner_offsets == 1, fraction[..., None, :], 1 - fraction[..., None, :]).prod(axis=-1)
        if dense:
            strides = jnp.asarray([_stride(cells, axis) for axis in range(len(cells))])
            values = table.reshape(table.shape[0], -1).T[(corners * strides).sum(axis=-1)]
        else:
            values = table[_hash(corners, table.shape[0])]
        return jnp.einsum("...cf,...c->...f", values, weight)


def _stride(cells: tuple[int, ...], axis: int) -> int:
    stride = 1
    for n in cells[axis + 1 :]:
        stride *= n + 1
    return stride


def _hash(corners: jax.Array, entries: int) -> jax.Array:
    mixed = jnp.zeros(corners.shape[:-1], jnp.uint32)
    for axis in range(corners.shape[-1]):
        mixed = mixed ^ (corners[..., axis].astype(jnp.uint32) * jnp.uint32(_PRIMES[axis]))
    return (mixed % jnp.uint32(entries)).astype(jnp.int32)
