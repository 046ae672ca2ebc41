import numpy as np
import pytest

from napari_nstm.imaging.dpc.abbe import abbe
from napari_nstm.imaging.dpc.optics import Optics, pupil, source, transfer_functions
from napari_nstm.imaging.fourier import fourier_resample

PIXEL = 0.454
ANGLES = (0.0, 90.0, 180.0, 270.0, 35.0)
DISC = Optics(0.525, 0.25, 0.25, 0.0, ANGLES)
ANNULUS = Optics(0.525, 0.25, 0.25, 0.18, ANGLES)
UNMATCHED = Optics(0.525, 0.25, 0.15, 0.0, ANGLES)
WIDER_SOURCE = Optics(0.525, 0.2, 0.3, 0.0, ANGLES)


def _frequencies(shape, pixel=PIXEL):
    return np.meshgrid(*(np.fft.fftfreq(n, pixel) for n in shape), indexing="ij")


def _brute_force(phase, absorption, optics, condition, pixel=PIXEL):
    """Sum the images of all source points as the equation says, waves written out."""
    shape = phase.shape
    spacing = tuple(1 / (n * pixel) for n in shape)
    fy, fx = _frequencies(shape, pixel)
    y, x = np.meshgrid(*(np.arange(n) * pixel for n in shape), indexing="ij")
    P, S = pupil(optics, fy, fx, spacing), source(optics, condition, fy, fx, spacing)
    thing = np.exp(-absorption + 1j * phase)
    total, direct = 0.0, 0.0
    for sy, sx, weight in zip(fy[S > 0], fx[S > 0], S[S > 0], strict=True):
        wave = np.exp(2j * np.pi * (sy * y + sx * x))
        total = total + weight * np.abs(np.fft.ifft2(P * np.fft.fft2(thing * wave))) ** 2
        direct = direct + weight * np.abs(np.fft.ifft2(P * np.fft.fft2(wave))) ** 2
    return total / direct


def _weak(phase, absorption, optics, pixel=PIXEL):
    transfer = transfer_functions(optics, phase.shape, pixel)
    spectrum = transfer.absorption * np.fft.fft2(absorption) + 1j * transfer.phase * np.fft.fft2(phase)
    contrast = np.fft.ifft2(spectrum)
    assert np.abs(contrast.imag).max() < 1e-6 * np.abs(contrast.real).max()
    return 1 + contrast.real


def _relative_rms(a, b):
    return np.sqrt(np.mean((a - b) ** 2) / np.mean((b - b.mean()) ** 2))


@pytest.mark.parametrize("optics", [DISC, ANNULUS, UNMATCHED, WIDER_SOURCE], ids=["disc", "annulus", "na", "wide"])
@pytest.mark.parametrize("kind", ["phase", "absorption"])
def test_weak_objects_look_as_the_brute_force_sum_says(optics, kind, smooth):
    thing = {"phase": np.zeros((40, 48)), "absorption": np.zeros((40, 48))}
    thing[kind] = smooth((40, 48), sigma=1.5, rms=1e-3)
    weak = _weak(**thing, optics=optics)
    for condition in range(len(ANGLES)):
        exact = _brute_force(**thing, optics=optics, condition=condition)
        assert _relative_rms(weak[condition], exact) < 0.01


def test_light_from_the_right_darkens_where_the_phase_rises_to_the_right():
    # A rising phase bends light to the right: light that comes from +fx at the pupil's edge is bent out of it.
    x = np.arange(128)
    rise = np.tile(np.sin(2 * np.pi * x / 128), (96, 1))
    slope = np.cos(2 * np.pi * x / 128)
    right, below, left, _, _ = _weak(1e-2 * rise, 0 * rise, DISC)
    assert (right - 1) @ slope == pytest.approx(np.full(96, (right - 1)[0] @ slope))
    assert (right - 1)[0] @ slope < -1e-3
    assert (left - 1)[0] @ slope > 1e-3
    assert np.abs(below - 1).max() < 1e-6
    below = _weak(1e-2 * rise.T, 0 * rise.T, DISC)[1]
    assert (below - 1)[:, 0] @ slope < -1e-3


def test_absorption_darkens_twofold_at_zero_frequency():
    for optics in (DISC, ANNULUS, WIDER_SOURCE):
        transfer = transfer_functions(optics, (64, 64), PIXEL)
        np.testing.assert_allclose(transfer.absorption[:, 0, 0], -2, rtol=1e-6)
        np.testing.assert_allclose(transfer.phase[:, 0, 0], 0, atol=1e-6)


@pytest.mark.parametrize("shape", [(64, 48), (45, 51)])
def test_transfer_functions_are_even_and_odd(shape):
    transfer = transfer_functions(ANNULUS, shape, PIXEL)

    def mirrored(a):
        return np.roll(a[:, ::-1, ::-1], (1, 1), (1, 2))

    np.testing.assert_allclose(transfer.absorption, mirrored(transfer.absorption), atol=1e-6)
    np.testing.assert_allclose(transfer.phase, -mirrored(transfer.phase), atol=1e-6)


def test_opposite_halves_differ_in_the_sign_of_phase_alone():
    transfer = transfer_functions(DISC, (64, 64), PIXEL)
    for one, other in ((0, 2), (1, 3)):
        np.testing.assert_allclose(transfer.phase[one], -transfer.phase[other], atol=1e-6)
        np.testing.assert_allclose(transfer.absorption[one], transfer.absorption[other], atol=1e-6)


def test_halves_of_a_source_add_up_and_share_the_dividing_line():
    shape = (64, 64)
    spacing = (1 / (64 * PIXEL),) * 2
    fy, fx = _frequencies(shape)
    right, below, left, above, _ = (source(DISC, c, fy, fx, spacing) for c in range(5))
    whole = pupil(DISC, fy, fx, spacing)
    np.testing.assert_allclose(right + left, whole, atol=1e-12)
    np.testing.assert_allclose(below + above, whole, atol=1e-12)
    np.testing.assert_allclose([right[5, 0], below[0, 5]], 0.5, atol=1e-12)
    assert right[5, 3] == below[3, 5] == 1
    assert left[5, 3] == above[3, 5] == 0


def test_the_area_of_a_pupil_does_not_jump_with_the_grid():
    for n in (40, 41, 50, 64):
        spacing = (1 / (n * PIXEL), 1 / ((n + 7) * PIXEL))
        fy, fx = _frequencies((n, n + 7))
        area = pupil(DISC, fy, fx, spacing).sum() * spacing[0] * spacing[1]
        assert area == pytest.approx(np.pi * DISC.pupil_radius**2, rel=0.01)


def test_beyond_the_optics_nothing_passes_and_beyond_the_pixel_nothing_wraps():
    fine = transfer_functions(DISC, (128, 128), PIXEL)
    fy, fx = _frequencies((128, 128))
    beyond = np.hypot(fy, fx) > DISC.cutoff + 2 / (128 * PIXEL)
    assert np.abs(fine.absorption[:, beyond]).max() < 1e-6
    # With pixels four times as wide, too coarse for these optics, the field has the same values at its frequencies.
    coarse = transfer_functions(DISC, (32, 32), 4 * PIXEL)
    assert DISC.cutoff > 0.5 / (4 * PIXEL)
    rows = np.r_[0:16, -15:0]
    for name in ("absorption", "phase"):
        a, b = getattr(coarse, name), getattr(fine, name)
        np.testing.assert_array_equal(a[:, rows[:, None], rows], b[:, rows[:, None], rows])


def test_measured_patterns_of_half_discs_give_the_transfer_functions_of_half_discs():
    extent, n = 0.3, 301
    fy, fx = np.meshgrid(*(np.linspace(-extent, extent, n) / 0.525,) * 2, indexing="ij")
    spacing = (2 * extent / 0.525 / (n - 1),) * 2
    patterns = 7.0 * np.stack([source(DISC, c, fy, fx, spacing) for c in range(len(ANGLES))])
    measured = Optics(0.525, 0.25, 0.25, patterns=patterns, patterns_na_extent=extent)
    assert measured.n_conditions == len(ANGLES)
    ideal = transfer_functions(DISC, (96, 128), PIXEL)
    found = transfer_functions(measured, (96, 128), PIXEL)
    assert np.sqrt(np.mean((found.phase - ideal.phase) ** 2)) < 0.01 * ideal.phase.std()
    assert np.sqrt(np.mean((found.absorption - ideal.absorption) ** 2)) < 0.01 * ideal.absorption.std()


@pytest.mark.parametrize("optics", [DISC, ANNULUS], ids=["disc", "annulus"])
def test_the_fast_sum_over_source_points_equals_the_brute_force_one(optics, smooth):
    phase, absorption = smooth((40, 48), rms=0.8), 0.3 + smooth((40, 48), rms=0.1, seed=1)
    strong = abbe(phase, absorption, optics, PIXEL)
    for condition in range(len(ANGLES)):
        exact = fourier_resample(_brute_force(phase, absorption, optics, condition), (40, 48))
        assert _relative_rms(strong[condition], exact) < 0.01


def test_some_source_points_are_enough(smooth):
    phase = smooth((128, 128), rms=0.5)
    every = abbe(phase, 0 * phase, DISC, PIXEL)
    some = abbe(phase, 0 * phase, DISC, PIXEL, conditions=(3, 0), n_points=1000)
    assert _relative_rms(some[0], every[3]) < 0.03
    assert _relative_rms(some[1], every[0]) < 0.03


def test_a_uniform_absorber_attenuates_by_its_own_law():
    flat = np.full((32, 32), 0.4)
    np.testing.assert_allclose(abbe(0 * flat + 1.0, flat, DISC, PIXEL), np.exp(-0.8), rtol=1e-4)
