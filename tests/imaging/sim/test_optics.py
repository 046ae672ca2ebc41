import numpy as np
import pytest
from tests.imaging.sim.point import OPTICS

from napari_nstm.imaging.sim.optics import Illumination, SimOptics, carrier, stripes


def test_an_objective_passes_twice_its_aperture(settings):
    optics = SimOptics.from_settings(settings())
    assert optics == OPTICS
    assert optics.cutoff == pytest.approx(2 * 1.28 / 0.515)


def test_the_finest_stripes_are_made_by_beams_at_the_rim_of_the_pupil():
    """Beams are plane waves of length n / wavelength; the outer ones have lateral parts +-NA / wavelength."""
    assert 2 * OPTICS.finest_order_1 == pytest.approx(2 * 1.28 / 0.488)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_axial_stripes_are_those_of_three_plane_waves(share):
    k, lateral = 1.33 / 0.488, share * OPTICS.finest_order_1
    beams = np.array([[0.0, k], [lateral, np.sqrt(k**2 - lateral**2)], [-lateral, np.sqrt(k**2 - lateral**2)]])
    z = np.linspace(0, 5, 4001)
    x = 0.37
    amplitude = np.exp(2j * np.pi * (beams[:, :1] * x + beams[:, 1:] * z)).sum(axis=0)
    kz = OPTICS.axial_frequency(lateral)
    # |1 + 2 cos(2 pi q x) exp(-2 pi i kz z)|^2
    c = np.cos(2 * np.pi * lateral * x)
    np.testing.assert_allclose(np.abs(amplitude) ** 2, 1 + 4 * c**2 + 4 * c * np.cos(2 * np.pi * kz * z), atol=1e-9)


def test_stripes_are_a_sum_of_cosines_of_the_phase_at_a_place():
    vector, phase, depths = np.array([1.2, -0.7]), 0.9, np.array([1.0, 0.8, 0.5])
    y, x = np.random.default_rng(0).uniform(-3, 3, (2, 50))
    a = 2 * np.pi * (1.2 * y - 0.7 * x) + 0.9
    expected = 1 + 0.8 * np.cos(a) + 0.5 * np.cos(2 * a)
    np.testing.assert_allclose(stripes(vector, phase, depths, y, x), expected)
    np.testing.assert_allclose(stripes(vector, phase, depths[:2], y, x), expected - 0.5 * np.cos(2 * a))
    np.testing.assert_allclose(carrier(vector, y, x) + 0.9, a)


def test_a_growing_phase_moves_the_stripes_against_their_vector():
    """Where the light was brightest, a = 0: k . r = -phi / 2 pi."""
    x = np.linspace(-0.5, 0.5, 2001)
    for phase in (0.0, 0.5, -0.5):
        light = stripes(np.array([0.0, 1.0]), phase, np.array([1.0, 0.8, 0.5]), np.zeros(1), x)
        assert x[light.argmax()] == pytest.approx(-phase / (2 * np.pi), abs=1e-3)


def test_an_illumination_says_how_many_orders_it_has():
    light = Illumination(np.ones((3, 2)), np.zeros(15), np.ones((3, 2)), np.ones(15))
    assert light.n_orders == 2
