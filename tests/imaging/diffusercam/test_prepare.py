import numpy as np
import pytest
from tests.imaging.diffusercam.literal import literal_image

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.diffusercam.prepare import binned, exposures_per_step, n_batches, prepared, problem_at, psf_of
from napari_nstm.imaging.diffusercam.windows import windows


def _of(image, psf, dark=None):
    extras = {"psf": np.asarray(psf, np.float32)}
    if dark is not None:
        extras["background.path"] = np.asarray(dark, np.float32)
    return RawData(np.asarray(image, np.float32), extras)


@pytest.fixture
def light():
    """What falls upon the sensor: image and PSF, dark in the corners."""

    def make(n_colours=1, n_psf_colours=1, shape=(40, 48)):
        rng = np.random.default_rng(0)
        image, psf = np.zeros((n_colours, *shape)), np.zeros((n_psf_colours, *shape))
        image[:, 8:-8, 8:-8] = rng.uniform(10, 90, (n_colours, shape[0] - 16, shape[1] - 16))
        psf[:, 8:-8, 8:-8] = rng.uniform(0, 90, (n_psf_colours, shape[0] - 16, shape[1] - 16))
        return image, psf

    return make


@pytest.mark.parametrize(("n_colours", "n_psf_colours"), [(1, 1), (3, 1), (3, 3)])
def test_every_background_leaves_what_the_light_made(settings, light, n_colours, n_psf_colours):
    image, psf = light(n_colours, n_psf_colours)
    levels = np.arange(20, 20 + n_psf_colours)[:, None, None]
    dark = np.random.default_rng(1).uniform(20, 30, image.shape[1:])
    cases = [
        (_of(image + levels, psf + levels), {"kind": "corner"}, levels.mean(), levels.mean()),
        (_of(image + 30, psf + 30), {"kind": "constant", "value": 30}, 30, 30),
        (_of(image + 30, psf + 12), {"kind": "constant", "value": 30, "psf_value": 12}, 30, 12),
        (_of(image + dark, psf + dark, dark), {"kind": "image", "path": "d.tif"}, dark.mean(), dark.mean()),
        (_of(image + dark, psf + dark, dark[None]), {"kind": "image", "path": "d.tif"}, dark.mean(), dark.mean()),
    ]
    for raw, background, of_raw, of_psf in cases:
        data = prepared(raw, settings(background=background))
        np.testing.assert_allclose(data.image, image, atol=1e-4)
        np.testing.assert_allclose(data.psf, psf / psf.sum(axis=(1, 2)).max(), atol=1e-8)
        assert data.subtracted == pytest.approx((of_raw, of_psf))


@pytest.mark.parametrize("n_psf_colours", [1, 3])
@pytest.mark.parametrize("colours_last", [False, True])
def test_a_dark_image_of_three_colours_is_subtracted_from_each(settings, light, n_psf_colours, colours_last):
    image, psf = light(3, n_psf_colours)
    dark = np.random.default_rng(1).uniform(20, 30, image.shape)
    of_psf = dark if n_psf_colours == 3 else dark.mean(axis=0)
    stored = np.moveaxis(dark, 0, -1) if colours_last else dark
    raw = _of(image + dark, psf + of_psf, stored)
    data = prepared(raw, settings(background={"kind": "image", "path": "d.tif"}))
    np.testing.assert_allclose(data.image, image, atol=1e-4)
    np.testing.assert_allclose(data.psf, psf / psf.sum(axis=(1, 2)).max(), atol=1e-8)


@pytest.mark.parametrize(
    ("dark", "says"),
    [
        (None, "got no image; takes an image taken without light"),
        (np.ones((48, 40)), "an image of 48 x 40; takes one of 1 x 40 x 48, as the raw image"),
        (np.ones((3, 40, 48)), "an image of 3 x 40 x 48"),
        (np.full((40, 48), np.nan), "NaN"),
    ],
)
def test_a_dark_image_that_is_none_is_named(settings, light, dark, says):
    with pytest.raises(InputError, match=says) as caught:
        prepared(_of(*light(), dark), settings(background={"kind": "image", "path": "d.tif"}))
    assert caught.value.field == "acquisition.background.path"


def test_the_corner_is_as_large_as_is_said(settings, light):
    image, psf = light()
    psf[:, :2, :2] += 7
    for size, level in ((2, 7), (4, 7 / 4)):
        data = prepared(_of(image, psf), settings(background={"kind": "corner", "size_px": size}))
        assert data.subtracted == pytest.approx((level, level))


def test_a_psf_adds_up_to_1_in_its_brightest_colour(settings, light):
    image, psf = light(3, 3)
    psf *= np.array([1.0, 3.0, 2.0])[:, None, None]
    data = prepared(_of(image, psf - 5), settings())  # what is below the background is none of the light
    sums = data.psf.sum(axis=(1, 2))
    assert sums.max() == sums[1] == pytest.approx(1, rel=1e-5)
    assert data.psf.min() == 0
    np.testing.assert_allclose(data.psf / data.psf.max(), np.maximum(psf - 5, 0) / (psf.max() - 5), atol=1e-6)


def test_a_positive_roll_is_to_the_right(settings, light):
    image, psf = light()
    image[0, 10, 20] = 1000
    for roll, column in ((0, 20), (3, 23), (-4, 16), (30, 2)):
        data = prepared(_of(image, psf), settings(roll_px=roll))
        assert np.unravel_index(np.argmax(data.image[0]), data.image.shape[1:]) == (10, column)
        # The PSF stays: against it the image is rolled.
        np.testing.assert_allclose(data.psf, psf / psf.sum(), atol=1e-8)
    # Raw columns, before binning.
    data = prepared(_of(image, psf), settings(roll_px=4, binning=2))
    assert np.unravel_index(np.argmax(data.image[0]), data.image.shape[1:]) == (5, 12)


def test_a_dark_image_is_as_the_camera_took_it(settings, light):
    image, psf = light()
    dark = np.random.default_rng(1).uniform(20, 30, image.shape[1:])
    made = settings(roll_px=5, background={"kind": "image", "path": "d.tif"})
    data = prepared(_of(image + dark, psf + dark, dark), made)
    np.testing.assert_allclose(data.image, np.roll(image, 5, axis=2), atol=1e-4)


def test_binning_is_the_mean_of_squares(settings, light):
    image, psf = light(3, 3, (43, 50))
    data = prepared(_of(image, psf), settings(binning=3, exposure_us=90))
    assert data.image.shape == data.psf.shape == (3, 14, 16)
    assert data.shutter.n_rows == data.layout.sensor[0] == 14
    for y, x in ((3, 3), (7, 12)):
        square = (slice(None), slice(3 * y, 3 * y + 3), slice(3 * x, 3 * x + 3))
        np.testing.assert_allclose(data.image[:, y, x], image[square].mean(axis=(1, 2)), rtol=1e-5)
        np.testing.assert_allclose(binned(psf, 3)[:, y, x], psf[square].mean(axis=(1, 2)), rtol=1e-5)
    averaged = binned(psf, 3)
    np.testing.assert_allclose(data.psf, averaged / averaged.sum(axis=(1, 2)).max(), rtol=1e-5)


def test_brightness_is_that_of_the_brightest_parts(settings, light):
    image, psf = light()
    data = prepared(_of(image, psf), settings())
    assert data.scale == pytest.approx(np.percentile(image, 99.9), rel=1e-5)
    assert float(np.percentile(problem_at(data, settings(), 0).image, 99.9)) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "psf_value", "field"), [(500, 0, "acquisition.background"), (0, 500, "acquisition.psf")]
)
def test_a_background_that_leaves_nothing_is_named(settings, light, value, psf_value, field):
    with pytest.raises(InputError) as caught:
        prepared(_of(*light()), settings(background={"kind": "constant", "value": value, "psf_value": psf_value}))
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "found"),
    [((40, 48), (1, 40, 48)), ((3, 40, 48), (3, 40, 48)), ((40, 48, 3), (3, 40, 48)), ((1, 40, 48), (1, 40, 48))],
)
def test_a_psf_is_taken_in_any_order_of_its_colours(shape, found):
    values = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    psf = psf_of({"psf": values})
    assert psf.shape == found
    expected = np.moveaxis(values, -1, 0) if shape[-1] == 3 else values.reshape(found)
    np.testing.assert_array_equal(psf, expected)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (None, "got no image"),
        (np.ones(40), "an array of 40"),
        (np.ones((40, 48, 4)), "an array of 40 x 48 x 4"),
        (np.ones((5, 40, 48)), "an array of 5 x 40 x 48"),
        (np.ones((40, 48), complex), "pixels of type complex128"),
    ],
)
def test_a_psf_that_is_no_image_is_named(array, says):
    with pytest.raises(InputError, match=says) as caught:
        psf_of({} if array is None else {"psf": array})
    assert caught.value.field == "acquisition.psf"


@pytest.mark.parametrize("level", [-1, 3])
def test_a_level_that_is_not_there_is_named(settings, raw, level):
    data = prepared(raw(), settings())
    with pytest.raises(InputError, match=f"level {level}; takes levels from 0 to 2"):
        problem_at(data, settings(), level)


def test_the_image_is_whole_at_every_level(settings, raw):
    data = prepared(raw(), settings())
    for level in range(3):
        problem = problem_at(data, settings(), level)
        np.testing.assert_allclose(problem.image, data.image / data.scale, rtol=1e-6)
        assert problem.grid.padded_shape == tuple(n // 2**level for n in (20, 24))


def test_steps_hold_fewer_rows_where_the_scene_is_large(settings, raw):
    data = prepared(raw(), settings())
    assert exposures_per_step(data.layout, data.shutter) == 20
    small = settings(exposure_us=300)
    large = RawData(np.ones((3, 600, 800), np.float32), {"psf": np.eye(600, 800)})
    found = prepared(large, small)
    n = exposures_per_step(found.layout, found.shutter)
    assert 8 <= n < 20
    parts = windows(found.shutter, n)
    assert n_batches(found) == parts.n_windows
    # Numbers of the scene at all moments of a step.
    assert parts.times.shape[1] * 3 * 300 * 400 < 1.1 * 4e6 or n == 8


def test_light_is_neither_made_nor_lost(settings, light):
    """Counts of the scene, summed, are those of the sensor where all of it falls there."""
    image, psf = light()
    data = prepared(_of(image, psf), settings(field_fraction=0.3))
    scene = np.full((1, 1, *data.layout.grid.shape), 10.0)
    seen = literal_image(scene, data.psf, np.ones((40, 1)))
    assert seen.sum() == pytest.approx(scene.sum(), rel=1e-5)
