import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from tests.measured import HAND

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.diffusercam import DiffuserCam
from napari_nstm.phantoms.caustic import caustic_psf

RNG = np.random.default_rng(0)
IMAGE = RNG.normal(1000, 100, (1, 40, 48))
PSF = np.maximum(RNG.normal(0, 100, (40, 48)), 0)
RGB = RNG.normal(1000, 100, (3, 40, 48))


def _with(array, index, value):
    changed = np.array(array, np.float32)
    changed[index] = value
    return changed


def _raw(image=IMAGE, psf=PSF):
    return RawData(np.asarray(image), {} if psf is None else {"psf": np.asarray(psf)})


def _mosaic(image, red, green, blue):
    """What a sensor behind red, green and blue filters sees of a grey scene, in every two by two pixels."""
    seen = np.array(image, float)
    for y, x, gain in ((0, 0, red), (0, 1, green), (1, 0, green), (1, 1, blue)):
        seen[y::2, x::2] *= gain
    return seen


def _check(raw, settings, **changes):
    return DiffuserCam().check(raw, settings(**changes))


def test_good_images_pass_without_a_word(settings):
    assert _check(_raw(), settings) == []
    assert _check(_raw(RGB, np.stack([PSF] * 3)), settings) == []
    assert _check(_raw(IMAGE.astype(np.uint16), PSF.astype(np.uint16)), settings) == []
    assert _check(_raw(), settings, shutter="global", row_time_us=None, exposure_us=None) == []


@pytest.mark.parametrize(
    ("image", "psf", "changes", "field", "says"),
    [
        (IMAGE[0], PSF, {}, "raw", "2 axes"),
        (RNG.random((5, 40, 48)), PSF, {}, "raw", "5 images"),
        (RNG.random((40, 48, 3)), PSF, {}, "raw", r"40 x 48 x 3 taken as \(c, y, x\); takes `axes: yxc`"),
        (RNG.random((40, 48, 4)), PSF, {}, "raw", "axes: yxc"),
        (RNG.random((1, 31, 48)), PSF, {}, "raw", "31 x 48 pixels"),
        (IMAGE * 1j, PSF, {}, "raw", "complex"),
        (_with(IMAGE, (0, 3, 4), np.nan), PSF, {}, "raw", "1 pixels in colour 0 that are NaN"),
        (_with(RGB, 2, 700), PSF, {}, "raw", "colour 2 with 700 in every pixel"),
        (IMAGE, None, {}, "acquisition.psf", "got no image; takes the image of a point"),
        (
            IMAGE,
            RNG.random((44, 50)),
            {},
            "acquisition.psf",
            "44 x 50 pixels, larger than the raw image; takes 40 x 48",
        ),
        (IMAGE, RNG.random((36, 48)), {}, "acquisition.psf", "36 x 48 pixels, smaller than the raw image"),
        (IMAGE, RNG.random((48, 40)), {}, "acquisition.psf", "48 x 40 pixels; .* were rows and columns swapped"),
        (IMAGE, np.zeros((40, 48)), {}, "acquisition.psf", "0 in every pixel; takes the image of a point"),
        (IMAGE, np.full((40, 48), 7.0), {}, "acquisition.psf", "7 in every pixel"),
        (IMAGE, _with(PSF, (2, 2), np.nan), {}, "acquisition.psf", "NaN"),
        (IMAGE, _with(PSF, (2, 2), np.inf), {}, "acquisition.psf", "infinite"),
        (IMAGE, np.stack([PSF] * 3), {}, "acquisition.psf", "three colours for a grey raw image"),
        (IMAGE, np.stack([PSF] * 5), {}, "acquisition.psf", "an array of 5 x 40 x 48"),
        (IMAGE, PSF > 100, {}, "acquisition.psf", "pixels of type bool"),
        # A dual shutter of 40 rows reads for 19 row times.
        (IMAGE, PSF, {"exposure_us": 191}, "acquisition.exposure_us", r"191 us, longer than the readout .* \(190 us\)"),
        (IMAGE, PSF, {"exposure_us": 400, "shutter": "single"}, "acquisition.exposure_us", r"readout .* \(390 us\)"),
        (
            IMAGE,
            PSF,
            {"time_step_rows": 7},
            "acquisition.time_step_rows",
            r"7 row times, longer than an exposure \(6\)",
        ),
        (IMAGE, PSF, {"binning": 2}, "acquisition.binning", "2: 20 pixels are left; takes at least 32"),
        (IMAGE, PSF, {"background": {"kind": "image", "path": "d.tif"}}, "acquisition.background.path", "no image"),
        (
            IMAGE,
            PSF,
            {"background": {"kind": "constant", "value": 5000, "psf_value": 0}},
            "acquisition.background",
            "more counts than the raw image has",
        ),
        (
            IMAGE,
            PSF,
            {"background": {"kind": "constant", "psf_value": 5000}},
            "acquisition.psf",
            "nowhere above its background",
        ),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(settings, image, psf, changes, field, says):
    with pytest.raises(InputError, match=says) as caught:
        _check(_raw(image, psf), settings, **changes)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_the_axes_of_a_psf_of_300_x_400_that_were_swapped(settings):
    with pytest.raises(InputError, match="swapped") as caught:
        _check(_raw(RNG.random((1, 300, 400)), RNG.random((400, 300))), settings)
    assert str(caught.value).count("pixels") == 2
    assert "400 x 300" in caught.value.got
    assert "300 x 400" in caught.value.takes


# -- what passes, with a word -------------------------------------------------


def test_a_grey_psf_for_three_colours_is_used_for_all_and_said(settings):
    assert _check(_raw(RGB), settings) == ["The PSF is grey: it is used for all three colours."]


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((71, 83), "1 row and 1 column at the end do not fill a binned pixel and are left out."),
        ((70, 83), "1 column at the end does not fill a binned pixel and is left out."),
        ((98, 99), "2 rows at the end do not fill a binned pixel and are left out."),
    ],
)
def test_pixels_that_do_not_fill_a_binned_one_are_said(settings, shape, says):
    raw = _raw(RNG.random((1, *shape)), RNG.random(shape))
    assert _check(raw, settings, binning=3 if shape[0] == 98 else 2, exposure_us=120, time_step_rows=None) == [says]


@pytest.mark.parametrize(("exposure_us", "n"), [(60, 0), (90, 0), (100, 1), (190, 1)])
def test_an_exposure_of_half_the_readout_is_doubted(settings, exposure_us, n):
    warnings = _check(_raw(), settings, exposure_us=exposure_us)
    assert len(warnings) == n
    for warning in warnings:
        assert f"{100 * exposure_us / 190:.0f} % of the readout" in warning


def test_an_exposure_shorter_than_a_row_time_is_no_fault(settings):
    assert _check(_raw(), settings, exposure_us=4, time_step_rows=None) == []
    with pytest.raises(InputError, match="time_step_rows"):
        _check(_raw(), settings, exposure_us=4)


def test_saturated_pixels_and_another_pixel_size_in_the_file_are_said(settings):
    image = IMAGE.astype(np.uint16)
    image[0, :3, 5] = 65535
    saturated, size = _check(RawData(image, {"psf": PSF}, (0.1, 0.1), "hand.tif"), settings)
    assert saturated.startswith("3 saturated pixels")
    assert "hand.tif states pixels of 0.1 x 0.1 um" in size


# -- mosaics of colour filters ------------------------------------------------

Y, X = np.mgrid[:90, :120]
SMOOTH = 2000 * np.exp(-((Y - 50) ** 2 + (X - 55) ** 2) / (2 * 25**2)) + 150
GAINS = [(0.5, 1.0, 0.7), (0.6, 1.0, 0.6), (0.5, 1.0, 1.5), (0.9, 1.0, 0.8), (1.6, 1.0, 1.4)]


@pytest.mark.parametrize("gains", GAINS)
@pytest.mark.parametrize("first", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("noise", [0, 20])
def test_a_raw_image_behind_colour_filters_is_refused(settings, gains, first, noise):
    mosaic = _mosaic(SMOOTH, *gains)[first[0] :, first[1] :]
    mosaic = mosaic + np.random.default_rng(1).normal(0, noise, mosaic.shape)
    psf = caustic_psf(mosaic.shape)
    with pytest.raises(
        InputError, match=r"Bayer\); takes colours that were separated before, e.g. by OpenCV"
    ) as caught:
        _check(_raw(mosaic[None], psf), settings)
    assert caught.value.field == "raw"


@pytest.mark.parametrize("gains", GAINS)
def test_a_psf_behind_colour_filters_is_refused(settings, gains):
    psf = _mosaic(caustic_psf((90, 120)).astype(float), *gains)
    with pytest.raises(InputError, match="the PSF as a mosaic") as caught:
        _check(_raw(SMOOTH[None], psf), settings)
    assert caught.value.field == "acquisition.psf"


def test_means_of_two_by_two_pixels_are_as_the_sentence_says_they_are(settings):
    mosaic = _mosaic(SMOOTH, 0.5, 1.0, 0.7)
    grey = mosaic.reshape(45, 2, 60, 2).mean(axis=(1, 3))
    assert _check(_raw(grey[None], caustic_psf((45, 60))), settings) == []


@pytest.mark.parametrize("shape", [(40, 48), (41, 47), (150, 200), (300, 400)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_drawn_caustics_and_noise_are_taken_for_no_mosaic(settings, shape, seed):
    rng = np.random.default_rng(seed)
    psf = caustic_psf(shape, seed)
    for image in (
        rng.normal(1000, 100, shape),
        rng.poisson(2, shape),
        rng.uniform(0, 1, shape),
        gaussian_filter(rng.normal(0, 1, shape), 8),
        psf,
    ):
        assert _check(_raw(image[None], psf), settings, exposure_us=40) == []


def test_uneven_rows_or_columns_are_a_detectors(settings):
    rows, columns = SMOOTH.copy(), SMOOTH.copy()
    rows[::2] *= 1.1
    columns[:, ::2] *= 1.1
    for image in (rows, columns):
        assert _check(_raw(image[None], caustic_psf(SMOOTH.shape)), settings) == []


@pytest.mark.parametrize("options", [{"target": "hand"}, {"target": "ball"}, {"target": "text", "shutter": "single"}])
def test_simulated_images_with_noise_are_taken_for_no_mosaic(options):
    made = DiffuserCam().simulate(SimulationRequest("translation", 3.0, 96, 0.05, 1, options))
    warnings = DiffuserCam().check(RawData(made.raw, made.extras), made.settings)
    assert [warning for warning in warnings if "of the readout" not in warning] == []


def test_the_measured_hand_is_taken_as_it_is(settings):
    if not HAND.exists():
        pytest.skip(f"a measured DiffuserCam image is not there ({HAND})")
    raw, psf = (tifffile.imread(HAND / f"{name}.tif") for name in ("raw", "psf"))
    background = {"kind": "corner"}
    assert _check(_raw(raw[None], psf), settings, background=background) == []
    assert _check(_raw(raw[None], psf), settings, background=background, shutter="global") == []
    for gains in GAINS:
        for image, point, field in (
            (_mosaic(raw.astype(float), *gains), psf, "raw"),
            (raw, _mosaic(psf.astype(float), *gains), "acquisition.psf"),
        ):
            with pytest.raises(InputError, match="Bayer") as caught:
                _check(_raw(image[None], point), settings)
            assert caught.value.field == field
