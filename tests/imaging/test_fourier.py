import numpy as np
import pytest

from napari_nstm.imaging.fourier import fourier_resample, resize_spectrum


def _wave(n, cycles, phase=0.3):
    return np.cos(2 * np.pi * cycles * np.arange(n) / n + phase)


@pytest.mark.parametrize("n", [32, 36, 45])
@pytest.mark.parametrize("to", [16, 18, 27, 64])
def test_a_wave_is_sampled_at_the_new_positions_with_its_amplitude(n, to):
    image = _wave(n, 3)[:, None] * _wave(n, 5)
    expected = _wave(to, 3)[:, None] * _wave(to, 5)
    np.testing.assert_allclose(fourier_resample(image, (to, to)), expected, atol=1e-12)


def test_sample_zero_stays_where_it_is():
    image = np.random.default_rng(0).random((48, 64))
    smooth = fourier_resample(fourier_resample(image, (12, 16)), (48, 64))
    np.testing.assert_allclose(fourier_resample(image, (12, 16)), smooth[::4, ::4], atol=1e-12)


def test_the_nyquist_sample_of_an_even_size_is_left_out():
    assert abs(fourier_resample(_wave(64, 16)[None] * np.ones((4, 1)), (4, 32))).max() < 1e-12
    spectrum = resize_spectrum(np.ones((9, 9)), (8, 8))
    assert spectrum[4].max() == spectrum[:, 4].max() == 0
    assert spectrum.sum() == 49


def test_precision_and_shape_are_kept():
    image = np.ones((3, 8, 8), np.float32)
    assert fourier_resample(image, (8, 8)) is image
    assert fourier_resample(image, (4, 4)).dtype == np.float32
