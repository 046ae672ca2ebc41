"""Power spectra: a wave is found where it is, the mean is taken away, and large images are cut."""

import numpy as np
import pytest

from napari_nstm.imaging.spectrum import frequency_step, power_spectrum

PIXEL_UM = 0.1


def wave(ky, kx, shape=(96, 128), level=0.0):
    y, x = np.meshgrid(*(PIXEL_UM * np.arange(n) for n in shape), indexing="ij")
    return level + np.cos(2 * np.pi * (ky * y + kx * x))


def brightest(power, pixel_um=PIXEL_UM):
    """Frequency (ky, kx) of the brightest sample with kx > 0."""
    half = power.copy()
    half[:, : power.shape[1] // 2] = 0
    row, column = np.unravel_index(half.argmax(), half.shape)
    return [(index - n // 2) * frequency_step(n, pixel_um) for index, n in zip((row, column), power.shape, strict=True)]


@pytest.mark.parametrize("shape", [(96, 128), (95, 127)])
def test_a_wave_is_where_its_frequency_says(shape):
    power = power_spectrum(wave(1.0, 2.5, shape))
    assert power.shape == shape
    np.testing.assert_allclose(brightest(power), (1.0, 2.5), atol=0.06)


def test_the_mean_of_an_image_leaves_nothing_in_the_middle():
    power = power_spectrum(wave(1.0, 2.5, level=1000.0))
    middle = power[46:51, 62:67]
    assert middle.max() < 1e-6 * power.max()


def test_spectra_of_several_images_are_averaged():
    stack = np.stack([wave(1.0, 2.5), 3 * wave(-2.0, 1.0)])
    each = [power_spectrum(image) for image in stack]
    np.testing.assert_allclose(power_spectrum(stack), (each[0] + each[1]) / 2)
    np.testing.assert_allclose(power_spectrum(stack[:, None]), power_spectrum(stack))


def test_of_a_large_image_the_middle_is_taken():
    image = np.zeros((96, 128))
    image[16:80, 32:96] = wave(1.0, 2.5, (64, 64))
    image[:8] = 1e6
    power = power_spectrum(image, at_most_px=64)
    assert power.shape == (64, 64)
    np.testing.assert_allclose(power, power_spectrum(image[16:80, 32:96]))
