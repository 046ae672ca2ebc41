"""Multiresolution encodings: grids of learned features, from coarse to fine.

A level divides its box into cells and interpolates features multilinearly between
the cells' corners (Mueller et al. 2022, "Instant neural graphics primitives").
Dense levels store every corner, hashed levels look corners up in a table.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from napari_nstm.core.settings import EncodingSettings
from napari_nstm.model.interpolate import hat_matrices, hat_matrix, interpolate, is_banded

Axis = Float[Array, " n"] | np.ndarray

# One factor per axis for the spatial hash of Mueller et al. 2022 (the first is 1, the others large primes).
_PRIMES = (1, 2_654_435_761, 805_459_861, 3_674_653_429)

# Coarse levels are enlarged together while they fit, padded to one shape, into this many numbers.
_STACK_ENTRIES = 32_768


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

        if s.hash_entries_log2 is None:
            shapes = [(s.n_features, *(n + 1 for n in cells)) for cells in self.cells]
        else:
            shapes = [(2**s.hash_entries_log2, s.n_features)] * s.n_levels
        initial = self._draw(shapes)

        def init(_key: Array, level: int) -> Array:
            return jnp.asarray(initial[level])

        self.levels = [self.param(f"level_{i}", init, i) for i in range(s.n_levels)]

    def __call__(self, x: Float[Array, "... axis"]) -> Float[Array, "... level feature"]:
        """Look features up at any positions; dense levels are constant beyond the box."""
        features = [self._gather(table, cells, x) for table, cells in zip(self.levels, self.cells, strict=True)]
        return jnp.stack(features, axis=-2)

    def on_lattice(self, axes: Sequence[Axis]) -> list[Float[Array, "feature ..."]]:
        """Features of every level on the product of `axes`; dense levels axis by axis, without gathers.

        An axis that is a numpy array must ascend; it is a constant of the compiled program.
        """
        if self.settings.hash_entries_log2 is None:
            return [_along_axes(table, axes, cells) for table, cells in zip(self.levels, self.cells, strict=True)]
        features = self(jnp.stack(jnp.meshgrid(*map(jnp.asarray, axes), indexing="ij"), axis=-1))
        return [jnp.moveaxis(features[..., i, :], -1, 0) for i in range(self.settings.n_levels)]

    def sum_on_lattice(self, axes: Sequence[Axis], weights: Float[Array, " level"]) -> Float[Array, "feature ..."]:
        """Weighted sum of the levels on a lattice, without holding every level at full size."""
        if self.settings.hash_entries_log2 is None:
            return self._dense_sum(axes, weights)
        return jnp.tensordot(weights, jnp.stack(self.on_lattice(axes)), axes=1)

    def _dense_sum(self, axes: Sequence[Axis], weights: Float[Array, " level"]) -> Float[Array, "feature ..."]:
        # All but the first axis are enlarged level by level; the first one of all coarse levels by ONE product.
        # The first comes last, so that what comes out lies in memory with x running fastest.
        first, *others = axes
        total: Array | float = 0.0
        partial, matrices = [], []
        n = self._n_stacked(axes)
        if n:
            partial.append(_stacked(self.levels[:n], weights[:n], others, self.cells[:n]))
            matrices.append(_flat_matrices(first, [cells[0] for cells in self.cells[:n]]))
        for i in range(n, len(self.levels)):
            cells = self.cells[i]
            enlarged = _along_axes(weights[i] * self.levels[i], others, cells[1:], start=2)
            if is_banded(first, cells[0]):
                total = total + interpolate(enlarged, first, cells[0], 1)
            else:
                partial.append(enlarged)
                matrices.append(hat_matrix(first, cells[0]))
        if partial:
            coarse = jnp.tensordot(jnp.concatenate(matrices, 1), jnp.concatenate(partial, 1), axes=(1, 1))
            total = total + jnp.moveaxis(coarse, 0, 1)
        return jnp.asarray(total)

    def _n_stacked(self, axes: Sequence[Axis]) -> int:
        """Count the coarsest levels that are enlarged together, as if all had the corners of the finest of them."""
        n = 0
        for i, cells in enumerate(self.cells):
            padded = (i + 1) * math.prod(self.levels[i].shape)
            if padded > _STACK_ENTRIES or any(is_banded(x, m) for x, m in zip(axes, cells, strict=True)):
                break
            n = i + 1
        return n if n > 1 else 0

    def _draw(self, shapes: Sequence[tuple[int, ...]]) -> Sequence[Array | NDArray[np.float32]]:
        """Draw all levels at once: to compile a draw takes half a second, whatever its size."""
        if not self.is_initializing():
            return [np.zeros(shape, np.float32) for shape in shapes]  # flax compares shapes, and uses its own
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        key = self.make_rng("params")
        drawn = jax.random.uniform(key, (int(ends[-1]),), jnp.float32, 0.0, self.settings.init_scale)
        return [part.reshape(shape) for part, shape in zip(jnp.split(drawn, ends[:-1]), shapes, strict=True)]

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
        features: Array = jnp.einsum("...cf,...c->...f", values, weight)
        return features


def _stacked(
    tables: Sequence[Array], weights: Array, others: Sequence[Axis], cells: Sequence[tuple[int, ...]]
) -> Float[Array, "feature level_corner ..."]:
    """Enlarge levels along all axes but the first, in one product an axis; level and first axis become one."""
    shape = tables[-1].shape
    padded = [jnp.pad(t, [(0, m - n) for m, n in zip(shape, t.shape, strict=True)]) for t in tables]
    values = jnp.stack(padded) * weights.reshape(-1, *[1] * len(shape))
    for axis in reversed(range(len(others))):
        matrices = hat_matrices(others[axis], [c[1 + axis] for c in cells])
        moved = jnp.moveaxis(values, 3 + axis, 1)
        values = jnp.moveaxis(jnp.einsum("lnc,lc...->ln...", matrices, moved), 1, 3 + axis)
    values = jnp.moveaxis(values, 1, 0)
    return values.reshape(values.shape[0], -1, *values.shape[3:])


def _flat_matrices(x: Axis, cells: Sequence[int]) -> Float[Array, "n level_corner"] | np.ndarray:
    matrices = hat_matrices(x, cells)
    if isinstance(matrices, np.ndarray):
        return np.moveaxis(matrices, 0, 1).reshape(len(x), -1)
    return jnp.moveaxis(matrices, 0, 1).reshape(len(x), -1)


def _along_axes(values: Array, axes: Sequence[Axis], cells: Sequence[int], start: int = 1) -> Array:
    for axis in reversed(range(len(axes))):
        values = interpolate(values, axes[axis], cells[axis], start + axis)
    return values


def _stride(cells: tuple[int, ...], axis: int) -> int:
    stride = 1
    for n in cells[axis + 1 :]:
        stride *= n + 1
    return stride


def _hash(corners: jax.Array, entries: int) -> jax.Array:
    mixed = jnp.zeros(corners.shape[:-1], jnp.uint32)
    for axis in range(corners.shape[-1]):
        mixed = mixed ^ (corners[..., axis].astype(jnp.uint32) * jnp.uint32(_PRIMES[axis]))
    return jnp.asarray(mixed % jnp.uint32(entries), jnp.int32)
