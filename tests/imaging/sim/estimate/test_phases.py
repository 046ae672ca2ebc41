import numpy as np
import pytest

from napari_nstm.imaging.sim.estimate.phases import Peaks, fit_phases, peaks_at
from napari_nstm.imaging.sim.estimate.sampling import Sampling

PHASES = np.array([0.3, 1.5, 2.9, -2.2, -0.9])
AMPLITUDES = np.array([1.0, 0.6])


def _noise(covariance, rng):
    z = rng.normal(size=(2, len(covariance), 2)) @ [1, 1j] / np.sqrt(2)
    return z @ np.linalg.cholesky(covariance).T


def _peaks(covariance, rng):
    waves = AMPLITUDES[:, None] * np.exp(1j * np.arange(1, 3)[:, None] * PHASES)
    return Peaks(waves + _noise(covariance, rng), np.stack([covariance, covariance]).astype(complex))


def _turned(a, b):
    return np.angle(np.exp(1j * (a - b)))


def test_what_all_frames_share_is_taken_for_the_sample():
    shared = 0.3**2 * np.ones((5, 5)) + 0.01**2 * np.eye(5)
    apart = np.diag(np.diag(shared))
    rng = np.random.default_rng(0)
    errors = {"known": [], "ignored": []}
    for _ in range(100):
        peaks = _peaks(shared, rng)
        errors["known"].append(_turned(fit_phases(peaks).phases_rad, PHASES))
        ignoring = Peaks(peaks.values, np.stack([apart, apart]).astype(complex))
        errors["ignored"].append(_turned(fit_phases(ignoring).phases_rad, PHASES))
    assert np.std(errors["known"]) < 0.2 * np.std(errors["ignored"])


@pytest.mark.parametrize("shared", [0.0, 0.1])
def test_errors_are_those_of_a_repetition(shared):
    covariance = shared**2 * np.ones((5, 5)) + 0.05**2 * np.eye(5)
    rng = np.random.default_rng(1)
    fits = [fit_phases(_peaks(covariance, rng)) for _ in range(400)]
    spread = np.std([_turned(fit.phases_rad, PHASES) for fit in fits], axis=0)
    # Stated errors grow with the misfit, by a little on average.
    np.testing.assert_allclose(spread, np.median([fit.errors_rad for fit in fits], axis=0), rtol=0.2)
    np.testing.assert_allclose(
        np.std([fit.amplitudes for fit in fits], axis=0),
        np.median([fit.amplitude_errors for fit in fits], axis=0),
        rtol=0.2,
    )
    assert np.mean([fit.misfit for fit in fits]) == pytest.approx(1, abs=0.1)


def test_given_phases_are_kept_and_amplitudes_found():
    fit = fit_phases(_peaks(1e-4 * np.eye(5), np.random.default_rng(0)), PHASES)
    np.testing.assert_allclose(fit.phases_rad, PHASES, atol=1e-12)
    np.testing.assert_allclose(fit.amplitudes, AMPLITUDES, atol=0.03)
    assert (fit.errors_rad == 0).all()


def test_order_2_elsewhere_than_at_twice_the_phase_is_a_misfit():
    peaks = _peaks(1e-4 * np.eye(5), np.random.default_rng(0))
    turned = Peaks(peaks.values * np.array([[1], [1j]]), peaks.covariance)
    assert fit_phases(peaks).misfit < 3
    assert fit_phases(turned).misfit > 50
    assert fit_phases(turned).errors_rad.min() > 5 * fit_phases(peaks).errors_rad.max()


def test_the_outline_of_a_sample_spreads_its_peak_without_making_it_uncertain():
    sampling = Sampling((96, 96), 0.065)
    y, x = np.meshgrid(*sampling.positions_um, indexing="ij")
    small = np.exp(-(y**2 + x**2) / (2 * 0.4**2))  # its spectrum is some pixels wide
    k = np.array([1.7, 1.5])
    a = 2 * np.pi * (k[0] * y + k[1] * x) + PHASES[:, None, None]
    noise = 1e-3 * np.random.default_rng(0).normal(size=(5, 96, 96))
    found = fit_phases(peaks_at(small * (1 + 0.5 * np.cos(a) + 0.3 * np.cos(2 * a)) + noise, k, 3, sampling))
    np.testing.assert_allclose(_turned(found.phases_rad, PHASES), 0, atol=0.01)
    assert found.errors_rad.max() < 0.02
