import numpy as np
import pytest

from napari_nstm.imaging.sim.estimate.sampling import Sampling, whole


@pytest.mark.parametrize("shape", [(16, 20), (15, 21), (16, 21)])
def test_the_other_half_of_a_spectrum(shape):
    image = np.random.default_rng(0).normal(size=shape)
    half, full = np.abs(np.fft.rfft2(image)), np.abs(np.fft.fft2(image))
    np.testing.assert_allclose(whole(half, shape[1]), full, rtol=1e-12)
    np.testing.assert_allclose(whole(np.stack([half, 2 * half]), shape[1])[1], 2 * full, rtol=1e-12)


def test_a_transform_at_any_frequency_counts_from_the_middle_pixel():
    sampling = Sampling((40, 33), 0.1)
    y, x = np.arange(40)[:, None] - 20, np.arange(33) - 16
    k = np.array([1.31, -0.77])
    wave = np.cos(2 * np.pi * 0.1 * (k[0] * y + k[1] * x) + 0.6)
    window = np.exp(-(y**2 + x**2) / 60)
    found = sampling.transform((window * wave)[None], k)
    assert np.angle(found[0]) == pytest.approx(0.6, abs=1e-3)
    assert abs(found[0]) == pytest.approx(window.sum() / 2, rel=1e-3)


def test_transforms_around_a_vector_are_those_at_the_vectors():
    sampling = Sampling((40, 32), 0.1)
    images = np.random.default_rng(0).normal(size=(2, 40, 32))
    offsets = np.array([-1.5, 0.0, 2.0])
    k = np.array([1.3, 0.4])
    around = sampling.transform(images, k, offsets)
    assert around.shape == (2, 3, 3)
    there = k + np.array([2.0, -1.5]) / (np.array([40, 32]) * 0.1)
    np.testing.assert_allclose(around[:, 2, 0], sampling.transform(images, there), rtol=1e-4)
    # On the frequencies of the field itself it is the fast transform, but for where positions begin.
    on_grid = np.array([3 / 4.0, 5 / 3.2])
    expected = np.abs(np.fft.fft2(images)[:, 3, 5])
    np.testing.assert_allclose(np.abs(sampling.transform(images, on_grid)), expected, rtol=1e-4)
