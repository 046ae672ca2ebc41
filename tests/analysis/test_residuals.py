"""The residual tells a good fit from a bad one, and a good frame from a disturbed one, in units of the noise."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from napari_nstm.analysis.residuals import ResidualSummary, inner, noise_sigma, residual_summary, standing_out
from napari_nstm.core.grids import Channel

SIGMA = 0.02
MANY = 10**6  # pixels
TIMES = (0.0, 25.0, 50.0, 75.0, 100.0)
GREY = (Channel("brightness", ""),)
RGB = tuple(Channel(name, "") for name in ("red", "green", "blue"))


@dataclass
class Stored:
    residual: Any
    frame_times_ms: tuple = TIMES
    channels: tuple = field(default=GREY)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def white(rng):
    return rng.normal(0, SIGMA, (5, 128, 128)).astype(np.float32)


def bar(amount):
    """A bright bar across an image of 128 x 128."""
    image = np.zeros((128, 128), np.float32)
    image[60:66, 16:112] = amount
    return image


# -- noise of an image --------------------------------------------------------


@pytest.mark.parametrize("shape", [(96, 200), (128, 128), (256, 256)])
def test_white_noise_is_measured(shape, rng):
    for sigma in (1e-4, 1.0, 300.0):
        assert noise_sigma(rng.normal(0, sigma, shape).astype(np.float32)) == pytest.approx(sigma, rel=0.05)


def test_planes_of_a_volume_count_alike(rng):
    sigmas = np.asarray([1.0, 1, 3, 3]).reshape(-1, 1, 1)
    found = noise_sigma(rng.normal(0, 1, (4, 100, 100)) * sigmas)
    assert found == pytest.approx(np.sqrt(5), rel=0.05)


def test_smooth_structure_is_no_noise(rng):
    y, x = np.mgrid[:160, :160]
    # As strong as 40 times the noise, up to 0.3 cycles per pixel: nearly all that a lens sends to Nyquist pixels.
    waves = sum(np.cos(2 * np.pi * (fy * y + fx * x)) for fy, fx in ((0.01, 0.02), (0.2, 0.1), (0.0, 0.3)))
    noise = rng.normal(0, SIGMA, (160, 160))
    assert noise_sigma(40 * SIGMA * waves + noise) == pytest.approx(SIGMA, rel=0.05)


def test_edges_and_hot_pixels_are_no_noise(rng):
    image = rng.normal(0, SIGMA, (128, 128)) + bar(30 * SIGMA)
    image[rng.integers(0, 128, 30), rng.integers(0, 128, 30)] += 100 * SIGMA
    assert noise_sigma(image) == pytest.approx(SIGMA, rel=0.08)


def test_photon_noise_counts_as_its_root_mean_square(rng):
    mean = np.broadcast_to(np.linspace(5, 2000, 256), (256, 256))
    image = rng.poisson(mean) - mean
    assert noise_sigma(image) == pytest.approx(image.std(), rel=0.05)


def test_noise_that_is_not_white_cannot_be_told(rng):
    fine = rng.normal(0, SIGMA, (128, 128))
    for smooth in (gaussian_filter(fine, 0.6), gaussian_filter(fine, 2), zoom(fine[:64, :64], 2, order=1)):
        assert noise_sigma(smooth) is None
    # Colours filled in from a mosaic: every other pixel is the mean of its neighbours.
    filled = fine.copy()
    filled[:, 1:-1:2] = (fine[:, :-2:2] + fine[:, 2::2]) / 2
    filled[1:-1:2] = (filled[:-2:2] + filled[2::2]) / 2
    assert noise_sigma(filled) is None


def test_without_noise_or_room_nothing_is_estimated(rng):
    assert noise_sigma(np.zeros((64, 64))) is None
    assert noise_sigma(np.full((64, 64), 3.7, np.float32)) is None
    assert noise_sigma(rng.normal(size=(64, 20))) is None
    broken = rng.normal(size=(64, 64))
    broken[3, 4] = np.nan
    assert noise_sigma(broken) is None


def test_the_margin_is_left_out_where_there_is_room():
    assert inner(np.zeros((3, 64, 80))).shape == (3, 54, 70)
    assert inner(np.zeros((20, 80))).shape == (20, 80)


# -- frames that stand out ----------------------------------------------------


def test_what_stands_out_comes_worst_first():
    assert standing_out([1.0, 2.4, 1.02, 0.98, 3.1], MANY) == (4, 1)
    assert standing_out([1.0, 1.0, 1.0, 1.3], MANY) == (3,)
    # In small frames that may be chance.
    assert standing_out([1.0, 1.0, 1.0, 1.3], 30 * 30) == ()


@pytest.mark.parametrize(
    "alike",
    [
        [1.0] * 4,
        [1.10, 1.10, 1.07, 1.03],  # of the simulated DPC sample
        [1.0, 1.05, 1.09, 0.95],
        [2.0, 1.0, 2.0, 1.0],  # two conditions that differ
        [1.0, 9.0],
        [1.0],
        [0.0, 0.0, 0.0],
    ],
)
def test_where_frames_are_alike_none_stands_out(alike):
    assert standing_out(alike, MANY) == ()


def test_of_many_good_frames_hardly_any_is_named(rng):
    named = sum(len(standing_out(1 + 0.02 * rng.normal(size=15), MANY)) for _ in range(200))
    assert named <= 2


# -- a result -----------------------------------------------------------------


def test_noise_alone_is_a_good_fit(white):
    found = residual_summary(Stored(white))
    assert found.times_ms == TIMES
    assert found.rms == pytest.approx([SIGMA] * 5, rel=0.03)
    assert found.noise == pytest.approx([SIGMA] * 5, rel=0.08)
    assert found.in_noise_units == pytest.approx(1, abs=0.04)
    assert found.worst == ()
    assert found.sentence() == f"The frames are explained to {found.in_noise_units:.2f} times the noise."


def test_structure_is_told_from_noise(white):
    blobs = gaussian_filter(np.random.default_rng(1).normal(size=(128, 128)), 2)
    structure = (2 * SIGMA / blobs.std() * blobs).astype(np.float32)
    found = residual_summary(Stored(white + structure))
    assert found.noise == pytest.approx([SIGMA] * 5, rel=0.08)
    assert found.in_noise_units == pytest.approx(np.sqrt(5), rel=0.08)
    assert "only to 2." in found.sentence()
    assert "structure is left" in found.sentence()
    assert found.worst == ()


def test_a_disturbed_frame_is_named(white):
    white[2] += bar(6 * SIGMA)
    found = residual_summary(Stored(white))
    assert found.worst == (2,)
    assert found.ratios[2] > 1.3
    assert found.in_noise_units < 1.2
    assert found.sentence().endswith(f"; frame 3 (50 ms, {found.ratios[2]:.2f} times) stands out.")


def test_several_frames_that_stand_out_are_listed(rng):
    frames = rng.normal(0, SIGMA, (20, 64, 64)).astype(np.float32)
    for index, times in ((4, 3), (9, 5), (11, 4), (17, 2)):
        frames[index] += times * SIGMA
    found = residual_summary(Stored(frames, tuple(10.0 * k for k in range(20))))
    assert found.worst == (9, 11, 4, 17)
    assert "frame 10 (90 ms, " in found.sentence()
    assert found.sentence().endswith(" and 1 more stand out.")


def test_noise_that_was_fitted_is_not_called_good(white):
    # What is left where the low half of the frequencies was fitted, noise and all.
    spectrum = np.fft.fft2(white)
    f = np.fft.fftfreq(128)
    spectrum[:, np.hypot(f[:, None], f) < 0.4] = 0
    found = residual_summary(Stored(np.fft.ifft2(spectrum).real.astype(np.float32)))
    assert found.noise == pytest.approx([SIGMA] * 5, rel=0.08)
    assert found.in_noise_units < 0.8
    assert found.sentence().startswith("Of the frames only 0.")
    assert "explained to" not in found.sentence()


def test_where_noise_is_unknown_frames_are_compared_with_each_other(white):
    smooth = gaussian_filter(white, (0, 1.5, 1.5))
    smooth[:] = smooth[0]
    smooth[1] *= 3
    found = residual_summary(Stored(smooth))
    assert (found.noise, found.in_noise_units, found.ratios) == (None, None, None)
    assert found.worst == (1,)
    assert "the noise cannot be told" in found.sentence()
    assert "frame 2 (25 ms, 3.0 times the median) stands out" in found.sentence()


def test_the_margin_does_not_count(white):
    white[:, :5] += 50 * SIGMA
    white[..., -5:] += 50 * SIGMA
    assert residual_summary(Stored(white)).in_noise_units == pytest.approx(1, abs=0.04)


def test_colours_of_one_exposure_share_its_middle(rng):
    image = rng.normal(0, SIGMA, (3, 96, 128)).astype(np.float32)
    image[1] += 2 * SIGMA
    found = residual_summary(Stored(image, (0.0, 2.0, 8.0, 10.0), RGB))
    assert found.times_ms == (5.0,) * 3
    assert found.colors == ("red", "green", "blue")
    assert found.sentence().startswith("The raw image is explained only to ")
    assert "; green (2." in found.sentence()


def test_one_grey_exposure(rng):
    found = residual_summary(Stored(rng.normal(0, SIGMA, (1, 96, 128)), (0.0, 2.0, 10.0), GREY))
    assert (found.times_ms, found.colors, found.worst) == ((5.0,), (), ())
    assert found.sentence().startswith("The raw image is explained to 1.0")


def test_volumes_are_read_a_frame_at_a_time(rng):
    class Lazy:
        shape = (5, 3, 64, 64)

        def __init__(self):
            self.read = []

        def __getitem__(self, index):
            self.read.append(index)
            return rng.normal(0, SIGMA, self.shape[1:])

    lazy = Lazy()
    found = residual_summary(Stored(lazy))
    assert lazy.read == [0, 1, 2, 3, 4]
    assert found.in_noise_units == pytest.approx(1, abs=0.05)


def test_without_a_residual_there_is_nothing():
    assert residual_summary(Stored(None)) is None


def test_overall_figures_weigh_frames_alike():
    found = ResidualSummary((3.0, 4.0), (1.0, 2.0), (), (0.0, 1.0))
    assert found.overall == pytest.approx(np.sqrt(12.5))
    assert found.in_noise_units == pytest.approx(np.sqrt(12.5 / 2.5))
    assert found.ratios == (3.0, 2.0)


# -- a fit --------------------------------------------------------------------


def residual_of_fit(noise, disturbed=None, **changes):
    """Fit a texture that moves by 6 pixels, coarser than the noise as if a lens had shown it; 5 frames."""
    from tests.fit.samples import SIZE, moving_frames, run, solver_of

    from napari_nstm.core.settings import EncodingSettings
    from napari_nstm.phantoms.motions import KnownMotion

    frames = moving_frames(KnownMotion("translation", (SIZE, SIZE), 6.0), np.linspace(-1, 1, 5))
    frames = (frames + np.random.default_rng(3).normal(0, noise, frames.shape)).astype(np.float32)
    if disturbed is not None:
        frames[disturbed, 20:26] += 10 * noise
    lens = EncodingSettings(n_levels=5, n_features=1, base_cells=(4.0, 4.0), fine_cells=(36.0, 36.0))
    solver = solver_of(frames, scene_encoding=lens, epochs=120, pyramid=((0, 1.0),), **changes)
    return residual_summary(Stored(solver.residual(run(solver)[0])))


def test_a_fit_says_whether_to_believe_it():
    noise = 0.1
    good, static, disturbed = (residual_of_fit(noise, **how) for how in ({}, {"static": True}, {"disturbed": 3}))
    for found in (good, static, disturbed):
        assert np.sqrt(np.mean(np.square(found.noise))) == pytest.approx(noise, rel=0.05)
    assert 0.9 < good.in_noise_units < 1.1
    assert good.worst == ()
    assert static.in_noise_units > 1.6
    assert "structure is left" in static.sentence()
    assert disturbed.worst == (3,)
