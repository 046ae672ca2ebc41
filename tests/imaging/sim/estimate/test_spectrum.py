import numpy as np
import pytest
from tests.imaging.sim.estimate.moving import moving

from napari_nstm.imaging.sim.estimate import autocorrelation_spectrum, power_spectrum
from napari_nstm.imaging.sim.optics import SimOptics


@pytest.fixture(scope="module")
def sample():
    return moving("swirl", "beads", size=96)


def _at(picture, vector):
    spectrum, *steps = picture
    row, column = (round(n // 2 + k / step) for n, k, step in zip(spectrum.shape, vector, steps, strict=True))
    return spectrum[row - 1 : row + 2, column - 1 : column + 2].max()


@pytest.mark.parametrize("orientation", range(3))
def test_peaks_are_at_plus_and_minus_one_and_two_vectors(sample, orientation):
    picture = autocorrelation_spectrum(sample.frames, orientation, sample.settings)
    assert picture[0].dtype == np.float32
    for m in (-2, -1, 1, 2):
        assert _at(picture, m * sample.vectors[orientation]) > 1.5
        for other in set(range(3)) - {orientation}:
            assert _at(picture, m * sample.vectors[other]) < 1.2
    assert np.median(picture[0]) == pytest.approx(0, abs=0.05)


def test_the_power_spectrum_ends_at_the_cutoff_and_is_centred(sample):
    spectrum, step_y, step_x = power_spectrum(sample.frames, 1, sample.settings)
    assert spectrum.shape == (96, 96)
    assert spectrum.dtype == np.float32
    assert (step_y, step_x) == pytest.approx((1 / (96 * 0.065),) * 2)
    around = spectrum[1:, 1:]
    np.testing.assert_allclose(around, around[::-1, ::-1], atol=1e-4)
    assert spectrum.max() == 0
    kr = np.hypot((np.arange(96) - 48)[:, None] * step_y, (np.arange(96) - 48) * step_x)
    cutoff = SimOptics.from_settings(sample.settings).cutoff
    beyond = np.median(spectrum[kr > 1.05 * cutoff])
    assert np.median(spectrum[kr < 0.7 * cutoff]) > beyond + 1.5
    assert np.median(spectrum[(kr > 0.97 * cutoff) & (kr < 1.03 * cutoff)]) < beyond + 0.2
    assert _at((spectrum, step_y, step_x), sample.vectors[1]) > beyond + 3
