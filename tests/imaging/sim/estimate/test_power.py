import numpy as np
import pytest
from scipy import ndimage

from napari_nstm.imaging.sim.estimate.power import Shift, sample_power


def test_shifts_are_linear_and_bring_nothing_in():
    values = np.random.default_rng(0).normal(size=(2, 21, 25))
    shift = Shift(np.array([1.3, -4.6]))
    for a in (-2, -1, 1, 2):
        expected = ndimage.shift(values, (0, 1.3 * a, -4.6 * a), order=1, prefilter=False, mode="grid-constant")
        np.testing.assert_allclose(shift(values, a), expected, atol=1e-12)
    assert shift(values, 0) is values
    assert (shift(values, 20) == 0).all()


@pytest.mark.parametrize("deep", [0.15, 0.4])
def test_the_samples_power_is_found_under_the_orders_images(deep):
    k = np.arange(-30, 31.0)
    kr = np.hypot(k[:, None], k)
    shift = Shift(np.array([9.3, 11.6]))
    H = np.clip(1 - kr / 28, 0, None)
    true = 1e4 / (1 + (kr / 6) ** 2) ** 2
    true[kr > 28] = 0
    c, gains = np.array([1, deep, 0.25]), [H**2] * 3
    measured = 1.0 + sum(c[abs(a)] ** 2 * H**2 * shift(true, a) for a in range(-2, 3))
    found = sample_power(measured[None], [gain[None] for gain in gains], 1.0, c, shift)[0]
    inside = kr < 20
    naive = (measured - 1)[inside] / H[inside] ** 2
    assert (found >= 0).all()
    np.testing.assert_allclose(found[kr < 6], true[kr < 6], rtol=0.05)
    assert np.abs(found[inside] / true[inside] - 1).mean() < 0.15
    assert np.abs(found[inside] / true[inside] - 1).mean() < 0.3 * np.abs(naive / true[inside] - 1).mean()
