from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from napari_nstm.core.warp import shift_transfer
from napari_nstm.model.resample import resample as resample_eagerly

# One compilation instead of one for each operation.
resample = jax.jit(resample_eagerly)


def lattice(*shape):
    return np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij"))


def test_whole_samples_are_shifted_as_they_are():
    canvas = np.random.default_rng(0).normal(size=(3, 12, 10)).astype(np.float32)
    index = lattice(12, 10)[None] + np.float32([2.0, -3.0])[:, None, None]
    shown = np.asarray(resample(canvas, index))
    assert shown.shape == (1, 3, 12, 10)
    np.testing.assert_allclose(shown[0, :, :-2, 3:], canvas[:, 2:, :-3], atol=1e-6)


@pytest.mark.parametrize("shape", [(9, 8), (4, 9, 8), (1, 9, 8)])
def test_linear_functions_are_exact_between_samples(shape):
    where = lattice(*shape)
    slopes = np.arange(1, len(shape) + 1, dtype=np.float32) * 0.7
    canvas = np.tensordot(slopes, where, axes=1)[None] - 1
    points = np.random.default_rng(1).uniform(0, np.array(shape) - 1, (2, 30, len(shape))).astype(np.float32)
    index = np.moveaxis(points, -1, 1)
    np.testing.assert_allclose(np.asarray(resample(canvas, index))[:, 0], points @ slopes - 1, atol=1e-5)


def test_beyond_the_lattice_its_edge_goes_on():
    canvas = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    index = np.float32([[[-9.0, 7.0, 1.0], [0.0, 50.0, -2.0]]])
    np.testing.assert_allclose(np.asarray(resample(canvas, index))[0, 0], [0, 11, 4])


def test_gradients_against_finite_differences():
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        canvas = jnp.asarray(rng.normal(size=(2, 7, 8)))
        index = jnp.asarray(rng.uniform(0, 6, size=(3, 2, 4, 5)))
        # Away from the samples themselves, where the slope jumps.
        index = jnp.floor(index) + 0.1 + 0.8 * (index - jnp.floor(index))
        cotangent = jnp.asarray(rng.normal(size=(3, 2, 4, 5)))

        @jax.jit
        def f(canvas, index):
            return jnp.sum(cotangent * jnp.sin(resample(canvas, index)))

        step = 1e-6
        for argument, gradient in enumerate(jax.grad(f, argnums=(0, 1))(canvas, index)):
            direction = jnp.asarray(rng.normal(size=gradient.shape))
            there, back = [canvas, index], [canvas, index]
            there[argument], back[argument] = there[argument] + step * direction, back[argument] - step * direction
            difference = (f(*there) - f(*back)) / (2 * step)
            assert float(jnp.vdot(gradient, direction)) == pytest.approx(float(difference), rel=1e-6)


@pytest.mark.parametrize("samples_per_pixel", [1, 2])
@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 3.5])
@pytest.mark.parametrize("frequency", [0.1, 0.43])
def test_the_transfer_of_a_shift_is_what_resampling_does_to_a_wave(frequency, shift, samples_per_pixel):
    n = 200
    x = np.arange(-40 * samples_per_pixel, (n + 40) * samples_per_pixel) / samples_per_pixel
    wave = np.stack([np.cos(2 * np.pi * frequency * x), np.sin(2 * np.pi * frequency * x)])
    canvas = np.repeat(wave[:, None, :], 2, axis=1).astype(np.float32)
    points = (np.arange(n) + shift + 40) * samples_per_pixel
    index = np.stack([np.zeros((1, n)), points[None]])[None].astype(np.float32)
    real, imaginary = np.asarray(resample(canvas, index))[0, :, 0]
    amplitude = np.abs(real + 1j * imaginary)
    np.testing.assert_allclose(amplitude, shift_transfer(frequency, shift, samples_per_pixel), atol=2e-4)


def test_the_default_canvas_keeps_fine_detail_at_half_a_pixel():
    assert shift_transfer(0.43, 0.5, 1) == pytest.approx(np.cos(np.pi * 0.43))  # 0.22
    assert shift_transfer(0.43, 0.5, 2) == pytest.approx(1.0)
    # The worst shift of the default canvas is a quarter of a pixel.
    assert shift_transfer(0.43, 0.25, 2) == pytest.approx(np.cos(np.pi * 0.43 / 2))  # 0.78
