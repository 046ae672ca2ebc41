import numpy as np
import pytest
from scipy import fft

from napari_nstm.imaging.sim.conventional.noise import noise_of_sum, noise_over_signal, noise_variance
from napari_nstm.imaging.sim.conventional.shifted import half_plane, half_shape
from napari_nstm.imaging.sim.layout import sim_layout
from napari_nstm.imaging.sim.theory import in_focus

PIXEL, CUTOFF = (0.065, 0.065), 4.97


def _blurred(shape=(128, 120), pixel=0.065, seed=0):
    """A bright sample that is cut by the edges of the field, through the objective."""
    rows, columns = (2 * n for n in shape)
    thing = np.random.default_rng(seed).uniform(0, 1, (rows, columns)) ** 8 * 2e4
    k = np.hypot(fft.fftfreq(rows, pixel)[:, None], fft.rfftfreq(columns, pixel))
    return fft.irfft2(fft.rfft2(thing) * in_focus(k, CUTOFF), s=thing.shape)[: shape[0], : shape[1]]


@pytest.mark.parametrize("sigma", [3.0, 100.0, 1000.0])
def test_noise_is_told_from_a_bright_sample(sigma):
    rng = np.random.default_rng(1)
    images = np.stack([_blurred(seed=k) for k in range(15)])
    assert images.std() > 500
    images = images + rng.normal(0, sigma, images.shape)
    assert noise_variance(images.astype(np.float32), PIXEL, CUTOFF) == pytest.approx(sigma**2, rel=0.05)


def test_noise_of_counted_photons():
    clean = _blurred() + 200
    images = np.random.default_rng(2).poisson(clean, (15, *clean.shape)).astype(np.float32)
    assert noise_variance(images, PIXEL, CUTOFF) == pytest.approx(clean.mean(), rel=0.1)


def test_a_line_of_interference_is_not_noise():
    rng = np.random.default_rng(3)
    images = rng.normal(0, 10, (5, 128, 128))
    images += 500 * np.cos(2 * np.pi * 0.35 * np.arange(128))
    assert noise_variance(images.astype(np.float32), PIXEL, CUTOFF) == pytest.approx(100, rel=0.1)


def test_noise_where_pixels_hold_nothing_beyond_the_cutoff():
    images = np.stack([_blurred(pixel=0.14, seed=k) for k in range(15)])
    assert np.hypot(*(2 * (1 / (2 * 0.14),))) < CUTOFF * 1.02
    images = images + np.random.default_rng(1).normal(0, 100, images.shape)
    assert noise_variance(images.astype(np.float32), (0.14, 0.14), CUTOFF) == pytest.approx(1e4, rel=0.3)


@pytest.fixture
def summed(settings):
    """A sum of bands of an object whose power is known: (spectrum, transfer, supported, N, power, grid)."""

    def make(power_at_1, noise=1.0, slope=2.0):
        grid = sim_layout((160, 160), settings()).scene
        ky, kx = half_plane(grid)
        k = np.hypot(ky[:, None], kx)
        transfer = in_focus(k, 9.0) ** 2
        power = power_at_1 / (0.3 + k) ** slope
        rng = np.random.default_rng(0)
        thing, error = (
            fft.rfft2(rng.standard_normal(grid.padded_shape)) / np.sqrt(np.prod(grid.padded_shape)) for _ in range(2)
        )
        total = transfer * np.sqrt(power) * thing + np.sqrt(transfer * noise) * error
        assert total.shape == half_shape(grid)
        return total.astype(np.complex64), transfer.astype(np.float32), k < 9.0, power, k, grid

    return make


@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
def test_noise_over_signal_is_found(summed, noise):
    total, transfer, supported, power, k, grid = summed(100.0, noise)
    assert noise_of_sum(total, transfer, supported, noise) == pytest.approx(noise, rel=0.1)
    found = noise_over_signal(total, transfer, supported, noise, grid)
    measured = (k > 0.5) & (transfer**2 * power > 0.3 * transfer * noise)
    error = np.log(found[measured] / (noise / power[measured]))
    assert np.sqrt(np.mean(error**2)) < 0.25
    by_frequency = found.ravel()[np.argsort(k, axis=None)]
    assert np.all(np.diff(by_frequency) > -1e-3 * by_frequency[1:])


def test_signal_at_the_rim_is_not_taken_for_noise(summed):
    total, transfer, supported, _, _, _ = summed(1e6, 1.0, slope=0.0)
    assert noise_of_sum(total, transfer, supported, 1.0) == pytest.approx(1.25)
    # But less noise than expected is believed: dark edges, for one.
    assert noise_of_sum(total * 1e-3, transfer, supported, 1e-3) < 0.5e-3


def test_noise_alone_is_filtered_away(summed):
    total, transfer, supported, _, k, grid = summed(0.0)
    found = noise_over_signal(total, transfer, supported, 1.0, grid)
    gain = np.where(supported, transfer / (transfer + found), 0)
    assert gain[k > 1].max() < 0.05


def test_nothing_at_all_gives_a_finite_ratio(summed):
    total, transfer, supported, _, _, grid = summed(1.0)
    found = noise_over_signal(0 * total, transfer, supported, 0.0, grid)
    assert np.all(np.isfinite(found) & (found > 0))


def test_smooth_samples_are_filtered_more(summed):
    ratios = [noise_over_signal(*summed(100.0, slope=slope)[:3], 1.0, summed(100.0)[-1]) for slope in (1.0, 3.0)]
    k = summed(100.0)[-2]
    at_high = (k > 5) & (k < 6)
    assert ratios[1][at_high].mean() > 5 * ratios[0][at_high].mean()
