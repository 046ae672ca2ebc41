from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.phantoms.caustic import caustic_psf

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "diffusercam_hand" / "psf.tif"
SENSOR = (300, 400)


def autocorrelation(psf: np.ndarray) -> np.ndarray:
    """Of radius 0, 1, 2, ... pixels, averaged over all directions, 1 at 0."""
    padded = [2 * n for n in psf.shape]
    power = np.abs(np.fft.rfft2(psf, padded)) ** 2
    picture = np.fft.fftshift(np.fft.irfft2(power, padded))
    y, x = (np.arange(n) - n // 2 for n in padded)
    radius = np.rint(np.hypot(y[:, None], x)).astype(int).ravel()
    mean = np.bincount(radius, picture.ravel()) / np.bincount(radius)
    return mean[:100] / mean[0]


def peak(psf: np.ndarray) -> tuple[float, float]:
    """Full width of the autocorrelation's peak half way down to its floor (15 to 30 pixels away), and that floor."""
    profile = autocorrelation(psf)
    floor = float(np.mean(profile[15:31]))
    half = (1 + floor) / 2
    return 2 * float(np.interp(-half, -profile[:15], np.arange(15))), floor


@pytest.mark.parametrize("shape", [(300, 400), (150, 200), (97, 64)])
def test_it_is_a_psf_that_ends_inside_the_sensor(shape):
    psf = caustic_psf(shape)
    assert psf.shape == shape
    assert psf.dtype == np.float32
    assert psf.min() >= 0
    assert psf.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)
    for axis in (0, 1):
        profile = psf.sum(axis=axis, dtype=np.float64)
        n = len(profile)
        assert profile[: n // 20].sum() + profile[-(n // 20) :].sum() < 1e-9
        # It is lit from edge to edge of the aperture.
        within = np.flatnonzero((np.cumsum(profile) > 0.02) & (np.cumsum(profile) < 0.98))
        assert 0.65 < np.ptp(within) / n < 0.8


def test_light_goes_where_the_aperture_lets_it():
    narrow, wide = (caustic_psf((150, 200), cover=cover).sum(axis=0, dtype=np.float64).cumsum() for cover in (0.4, 0.8))
    for share, cover in ((narrow, 0.4), (wide, 0.8)):
        left, right = np.interp([0.05, 0.95], share, np.arange(200))
        assert right - left == pytest.approx(0.9 * cover * 200, rel=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_a_net_of_thin_lines(seed):
    psf = caustic_psf(SENSOR, seed)
    brightest = np.sort(psf.ravel())[::-1].cumsum(dtype=np.float64)
    assert brightest[psf.size // 20] > 0.28  # of an even patch it would be 0.09
    width, floor = peak(psf)
    assert 4.9 < width < 6.3
    assert 0.33 < floor < 0.42


@pytest.mark.skipif(not MEASURED.exists(), reason="measured PSF is not at hand")
def test_it_is_as_fine_as_a_measured_one():
    import tifffile

    measured = tifffile.imread(MEASURED).astype(np.float64)
    width, floor = peak(measured - measured[:5, :5].mean())
    drawn = np.mean([peak(caustic_psf(SENSOR, seed)) for seed in range(4)], axis=0)
    assert drawn[0] == pytest.approx(width, rel=0.1)
    assert drawn[1] == pytest.approx(floor, rel=0.1)


def test_the_same_diffuser_before_a_coarser_sensor():
    fine = caustic_psf(SENSOR, 2)
    binned = fine.reshape(150, 2, 200, 2).sum(axis=(1, 3))
    coarse = caustic_psf((150, 200), 2)
    assert np.corrcoef(binned.ravel(), coarse.ravel())[0, 1] > 0.98


def test_seeds_choose_the_diffuser():
    first = caustic_psf((150, 200), 1)
    np.testing.assert_array_equal(first, caustic_psf((150, 200), 1))
    other = caustic_psf((150, 200), 2)
    assert np.corrcoef(first.ravel(), other.ravel())[0, 1] < 0.5


def test_a_stronger_diffuser_focuses_and_a_coarser_one_has_wider_meshes():
    weak, strong = (np.sort(caustic_psf((150, 200), focus=f).ravel())[::-1][:300].sum() for f in (0.1, 0.5))
    assert strong > 1.5 * weak
    # Away from the peak the autocorrelation falls over about half a mesh.
    fine, coarse = (autocorrelation(caustic_psf(SENSOR, grain=g)) for g in (0.02, 0.05))
    assert coarse[10] - coarse[30] > 1.5 * (fine[10] - fine[30])


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: caustic_psf((20, 300)), "size"),
        (lambda: caustic_psf((64, 64), grain=0.0), "grain"),
        (lambda: caustic_psf((64, 64), focus=math.nan), "focus"),
        (lambda: caustic_psf((64, 64), cover=1.0), "cover"),
    ],
)
def test_what_cannot_be_is_refused(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
