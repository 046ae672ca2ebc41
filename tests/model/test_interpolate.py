from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from napari_nstm.model.interpolate import apply_along_axes, hat_matrix, interpolate, is_banded


def test_rows_of_the_interpolation_matrix_sum_to_1():
    x = np.linspace(-0.3, 1.3, 41, dtype=np.float32)
    matrix = np.asarray(jax.jit(hat_matrix, static_argnums=1)(x, 7))
    assert matrix.shape == (41, 8)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix @ (np.arange(8) / 7), np.clip(x, 0, 1), atol=1e-6)


def test_matrices_along_axes_make_the_separable_sum():
    rng = np.random.default_rng(0)
    values, a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(5, 3)), rng.normal(size=(6, 4))
    expected = np.einsum("iy,jx,fyx->fij", a, b, values)
    np.testing.assert_allclose(apply_along_axes(jnp.asarray(values), [a, b]), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("cells", "x"),
    [
        (1000, np.linspace(0, 1, 97)),
        (200, np.arange(300) / 256 - 0.05),  # beyond the box at both ends
        (49, np.sort(np.random.default_rng(0).uniform(size=64)) ** 3),  # unevenly spaced
        (60, np.array([0.3])),
    ],
    ids=["even", "beyond", "uneven", "one"],
)
def test_a_banded_product_is_the_product_with_the_whole_matrix(cells, x):
    assert is_banded(x, cells)
    assert not is_banded(jnp.asarray(x), cells)
    values = np.random.default_rng(1).normal(size=(2, cells + 1, 3)).astype(np.float32)

    def banded(v):
        return interpolate(v, x, cells, 1)

    def whole(v):
        return jnp.einsum("ij,fjx->fix", hat_matrix(x, cells), v)

    # float32 leaves cells x 6e-8 of a cell in the position of the whole matrix's rows.
    tolerance = 1e-5 + cells * 6e-7
    cotangent = np.random.default_rng(2).normal(size=(2, len(x), 3)).astype(np.float32)

    @jax.jit
    def with_gradients(v, c):
        (a, back_a), (b, back_b) = jax.vjp(banded, v), jax.vjp(whole, v)
        return a, b, back_a(c)[0], back_b(c)[0]

    a, b, gradient_a, gradient_b = with_gradients(values, cotangent)
    np.testing.assert_allclose(a, b, atol=tolerance)
    np.testing.assert_allclose(gradient_a, gradient_b, atol=4 * tolerance)


def test_few_cells_take_the_whole_matrix():
    x = np.linspace(0, 1, 9)
    assert not is_banded(x, 48)
    ramp = np.arange(5, dtype=np.float32)[None]
    np.testing.assert_allclose(interpolate(ramp, x, 4, 1)[0], 4 * x, atol=1e-6)
