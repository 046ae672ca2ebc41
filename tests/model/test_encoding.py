from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from napari_nstm.core.settings import EncodingSettings
from napari_nstm.model.encoding import (
    MultiresolutionEncoding,
    level_cells,
    level_weights,
)


def encoding(ndim, hashed=None, n_levels=3, n_features=2, base=2.0, fine=7.0):
    settings = EncodingSettings(
        n_levels=n_levels,
        n_features=n_features,
        base_cells=(base,) * ndim,
        fine_cells=(fine,) * ndim,
        hash_entries_log2=hashed,
        init_scale=1.0,
    )
    module = MultiresolutionEncoding(settings)
    weights = jax.jit(module.init)(jax.random.key(ndim), jnp.zeros((1, ndim)))
    compiled = jax.jit(module.apply, static_argnames=("method",))
    return lambda *args, **kwargs: jax.tree.map(np.asarray, compiled(*args, **kwargs)), weights


@pytest.mark.parametrize("hashed", [None, 8])
@pytest.mark.parametrize("ndim", [2, 3, 4])
def test_a_lattice_of_features_equals_looking_up_its_points(ndim, hashed):
    apply, weights = encoding(ndim, hashed)
    # Corners, points between them, and points beyond the box.
    axes = [np.float32(x) for x in ([-0.2, 0.1, 0.4, 0.7, 1.0], [0.0, 0.3, 1.4], [0.5, 1.0], [0.99])][:ndim]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    looked_up = apply(weights, points)
    lattice = apply(weights, axes, method="on_lattice")
    assert len(lattice) == 3
    for level, values in enumerate(lattice):
        np.testing.assert_allclose(np.moveaxis(values, 0, -1), looked_up[..., level, :], atol=1e-5)
    mix = np.float32([0.2, 1.0, -3.0])
    total = apply(weights, axes, mix, method="sum_on_lattice")
    expected = np.einsum("...lf,l->f...", looked_up, mix)
    np.testing.assert_allclose(total, expected, atol=1e-5)


def test_a_lattice_known_beforehand_equals_looking_up_its_points_at_fine_levels_too():
    # More than 48 cells: banded products, constants of the compiled program.
    settings = EncodingSettings(
        n_levels=3, n_features=2, base_cells=(3.0, 3.0), fine_cells=(90.0, 70.0), init_scale=1.0
    )
    module = MultiresolutionEncoding(settings)
    weights = jax.jit(module.init)(jax.random.key(0), np.zeros((1, 2), np.float32))
    axes = [np.arange(130) / 127.3 - 0.01, np.linspace(0.1, 0.9, 33)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    mix = np.float32([1.0, -2.0, 3.0])

    @jax.jit
    def both(w):
        levels = module.apply(w, axes, method="on_lattice")
        return levels, module.apply(w, axes, mix, method="sum_on_lattice"), module.apply(w, points)

    levels, total, looked_up = jax.tree.map(np.asarray, both(weights))
    for k, level in enumerate(levels):
        np.testing.assert_allclose(np.moveaxis(level, 0, -1), looked_up[..., k, :], atol=1e-4)
    np.testing.assert_allclose(total, np.einsum("...lf,l->f...", looked_up, mix), atol=3e-4)


def test_a_corner_gives_its_own_features_and_the_middle_of_a_cell_the_mean_of_its_corners():
    apply, weights = encoding(2, n_levels=1, base=4.0, fine=4.0)
    table = np.asarray(weights["params"]["level_0"])
    corners = apply(weights, np.float32([[0.0, 0.0], [0.25, 0.5], [1.0, 1.0]]))
    np.testing.assert_allclose(corners[:, 0], [table[:, 0, 0], table[:, 1, 2], table[:, 4, 4]], atol=1e-6)
    middle = apply(weights, np.float32([[0.375, 0.625]]))[0, 0]
    np.testing.assert_allclose(middle, table[:, 1:3, 2:4].mean(axis=(1, 2)), atol=1e-6)


def test_dense_levels_are_constant_beyond_the_box():
    apply, weights = encoding(3)
    edge = apply(weights, np.float32([[0.0, 0.4, 1.0]]))
    beyond = apply(weights, np.float32([[-5.0, 0.4, 3.0]]))
    np.testing.assert_allclose(beyond, edge, atol=1e-6)


def test_hashed_levels_go_on_beyond_the_box():
    apply, weights = encoding(2, hashed=10)
    line = apply(weights, np.stack([np.linspace(-1, 2, 31), np.full(31, 0.3)], axis=-1).astype(np.float32))
    outside = line[:10, -1, 0]
    assert np.isfinite(outside).all()
    assert np.ptp(outside) > 0.1


def test_a_hash_table_is_read_where_the_published_hash_says():
    # XOR of index times a prime for each axis, modulo the size of the table (negative indices in two's complement).
    apply, weights = encoding(3, hashed=6, n_levels=1, base=4.0, fine=4.0)
    table = np.asarray(weights["params"]["level_0"])
    for corner in itertools.product((-1, 0, 3, 4), repeat=3):
        mixed = 0
        for index, prime in zip(corner, (1, 2_654_435_761, 805_459_861), strict=True):
            mixed ^= (index * prime) % 2**32
        found = apply(weights, np.float32([corner]) / 4)[0, 0]
        np.testing.assert_allclose(found, table[mixed % 64], atol=1e-5)


def test_linear_functions_are_reproduced_exactly():
    apply, weights = encoding(2, n_levels=1, n_features=1, base=5.0, fine=5.0)
    y, x = np.mgrid[:6, :6].astype(np.float32) / 5
    weights["params"]["level_0"] = (2 - 3 * y + 0.5 * x)[None]
    points = np.random.default_rng(0).uniform(size=(50, 2)).astype(np.float32)
    found = apply(weights, points)[:, 0, 0]
    np.testing.assert_allclose(found, 2 - 3 * points[:, 0] + 0.5 * points[:, 1], atol=1e-5)


def test_cells_grow_geometrically_from_base_to_fine():
    settings = EncodingSettings(n_levels=4, n_features=1, base_cells=(1.0, 10.0), fine_cells=(27.0, 80.0))
    assert level_cells(settings) == ((1, 10), (3, 20), (9, 40), (27, 80))
    one = EncodingSettings(n_levels=1, n_features=1, base_cells=(2.0,), fine_cells=(0.3,))
    assert level_cells(one) == ((1,),)  # the finest, and never less than one cell


def test_levels_open_one_after_the_other():
    np.testing.assert_allclose(level_weights(0.0, 4), [0, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(level_weights(1.0, 4), [1, 1, 1, 1], atol=1e-7)
    # Half way half of the levels are open, whole.
    np.testing.assert_allclose(level_weights(0.5, 4), [1, 1, 0, 0], atol=1e-6)
    # In the middle of a level's turn its weight is 1/2, after a quarter of it (1 - cos(pi/4)) / 2.
    np.testing.assert_allclose(level_weights(0.625, 4), [1, 1, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(level_weights(1 / 16, 4), [(1 - np.sqrt(0.5)) / 2, 0, 0, 0], atol=1e-6)
