import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.diffusercam import DiffuserCam
from napari_nstm.imaging.diffusercam.inspect import psf_drawing, shutter_drawing
from napari_nstm.imaging.diffusercam.settings import ROLLING
from napari_nstm.imaging.diffusercam.shutter import rolling_shutter


def _open_from(picture):
    """First column in which each row is open."""
    return np.argmax(picture > 0, axis=1)


@pytest.mark.parametrize("shutter", ROLLING)
@pytest.mark.parametrize("n_rows", [40, 41])
def test_the_picture_shows_in_which_order_rows_are_exposed(settings, raw, shutter, n_rows):
    made = settings(shutter=shutter)
    drawing = shutter_drawing(raw((n_rows, 48)), made)
    (picture,) = drawing.images
    assert len(picture) == n_rows
    starts = rolling_shutter(n_rows, made).starts[:, 0]
    duration = starts.max() + 6
    per_column = duration / picture.shape[1]
    # To a column each row is open from its start for 6 row times.
    np.testing.assert_allclose(_open_from(picture) * per_column, starts, atol=per_column)
    np.testing.assert_allclose(picture.sum(axis=1) * per_column, 6, rtol=1e-5)
    assert picture.max() == 1
    # Over its whole width the picture is as wide as it is high.
    assert drawing.step[1] * picture.shape[1] == drawing.step[0] * n_rows


@pytest.mark.parametrize(
    ("changes", "first", "last"),
    [
        ({"shutter": "dual"}, {0, 39}, {19, 20}),
        ({"shutter": "dual_outward"}, {19, 20}, {0, 39}),
        ({"shutter": "single"}, {0}, {39}),
        ({"shutter": "single_reversed"}, {39}, {0}),
        ({"shutter": "dual", "shutter_shift_rows": 5}, {0}, {24, 25}),
        ({"shutter": "dual_outward", "shutter_shift_rows": -5}, {14, 15}, {39}),
    ],
)
def test_the_picture_spans_the_acquisition_and_says_how_long_it_is(settings, raw, changes, first, last):
    made = settings(**changes)
    drawing = shutter_drawing(raw(), made)
    (picture,) = drawing.images
    assert set(np.flatnonzero(picture[:, 0])) == first
    assert set(np.flatnonzero(picture[:, -1])) == last
    duration_ms = rolling_shutter(40, made).duration_ms
    assert drawing.panels == (f"rows down, 0 to {duration_ms:.3g} ms across",)
    assert f"the last ends at {duration_ms:.3g} ms" in drawing.note
    assert "open for 0.06 ms" in drawing.note


def test_rows_are_those_of_the_binned_image(settings, raw):
    drawing = shutter_drawing(raw((80, 96)), settings(binning=2, exposure_us=120))
    assert drawing.images.shape[1] == 40


def test_with_a_global_shutter_there_is_nothing_to_draw(settings, raw):
    with pytest.raises(InputError, match="all rows are exposed at once") as caught:
        shutter_drawing(raw(), settings(shutter="global"))
    assert caught.value.field == "acquisition.shutter"


def test_psf_and_image_are_drawn_as_they_are_used(settings):
    image, psf = np.full((1, 70, 84), 20.0), np.full((70, 84), 20.0)
    image[0, 30:40, 30:44] = 500
    psf[34:38, 40:44] = 80
    raw = RawData(image, {"psf": psf})
    drawing = psf_drawing(raw, settings(binning=2, exposure_us=120, roll_px=6, background={"kind": "corner"}))
    of_psf, of_image = drawing.images
    assert drawing.panels == ("PSF", "raw image")
    assert of_psf.shape == of_image.shape == (35, 42)
    expected = np.zeros((35, 42))
    expected[15:20, 18:25] = 1
    np.testing.assert_allclose(of_image, expected, atol=1e-6)
    expected = np.zeros((35, 42))
    expected[17:19, 20:22] = 1
    np.testing.assert_allclose(of_psf, expected, atol=1e-6)


@pytest.mark.parametrize(("fraction", "field"), [(0.5, (20, 24)), (1.0, (40, 48))])
def test_marks_are_the_corners_of_the_scene(settings, raw, fraction, field):
    drawing = psf_drawing(raw(), settings(field_fraction=fraction))
    y, x = np.array([mark.position for mark in drawing.marks]).T
    assert (np.ptp(y) + 1, np.ptp(x) + 1) == field
    # Around the middle of the sensor.
    assert (y.min(), x.min()) == (20 - field[0] // 2, 24 - field[1] // 2)
    assert {mark.panel for mark in drawing.marks} == {0}
    assert f"{field[0]} x {field[1]} pixels" in drawing.note


def test_a_single_bright_pixel_can_be_drawn(settings):
    psf = np.zeros((40, 48))
    psf[20, 24] = 900
    image = np.random.default_rng(0).random((1, 40, 48))
    drawing = psf_drawing(RawData(image, {"psf": psf}), settings())
    np.testing.assert_array_equal(drawing.images[0], psf / 900)


def test_what_does_not_fit_together_is_named_and_not_drawn(settings, raw):
    with pytest.raises(InputError, match="smaller than the raw image"):
        psf_drawing(RawData(raw().frames, {"psf": np.random.default_rng(0).random((36, 48))}), settings())


def test_drawings_have_their_names(settings, raw):
    for name, title in DiffuserCam().inspections.items():
        assert DiffuserCam().inspect(name, raw(), settings()).name == title
    with pytest.raises(InputError, match=r"^inspection: got 'face'; takes shutter or psf"):
        DiffuserCam().inspect("face", raw(), settings())
