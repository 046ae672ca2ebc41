from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_nstm.core.errors import InputError
from napari_nstm.io._footer import Key
from napari_nstm.io._sheet import Sheet
from napari_nstm.io.colors import direction_colors
from napari_nstm.io.draw import comparison_picture, contrast_limits, motion_arrows


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("shape", [(40, 50), (41, 33), (200, 17), (17, 300), (900, 1100)])
def test_pictures_of_any_size_are_even_and_hold_their_panels(tmp_path, shape):
    rng = np.random.default_rng(0)
    path = comparison_picture(
        [("one", rng.random(shape)), ("two\nbelow", rng.random(shape))], tmp_path / "p.png", pixel_size_um=0.1
    )
    picture = pixels(path)
    assert (picture.shape[0] % 2, picture.shape[1] % 2) == (0, 0)
    assert picture.shape[0] >= shape[0]
    assert picture.shape[1] >= 2 * shape[1]
    assert max(picture.shape) < 2400


def test_grey_levels_are_what_the_key_says(tmp_path):
    ramp = np.linspace(0, 1, 256)[None].repeat(64, axis=0)
    sheet = Sheet(ramp.shape, [""], Key((0.25, 0.75), "phase (rad)", 0.1), "nearest")
    row = sheet.panel(ramp)[10, :: sheet.factor, 0]
    np.testing.assert_allclose(row, np.clip((ramp[0] - 0.25) * 510, 0, 255), atol=1)
    both = sheet.panel(np.array([[np.nan, 1.0]]))
    assert (both.min(), both.max()) == (0, 255)


def test_colours_share_the_limits_that_the_key_says(tmp_path):
    ramp = np.linspace(0, 1, 64)[None].repeat(48, axis=0)
    image = np.stack([ramp, 0.5 * ramp, np.zeros_like(ramp)], axis=-1)
    sheet = Sheet(ramp.shape, [""], Key((0.0, 1.0), "counts", 0.1, in_colors=True), "nearest")
    row = sheet.panel(image)[10, :: sheet.factor].astype(int)
    np.testing.assert_allclose(row, 255 * image[0], atol=1)
    # The ramp of the key has a stripe for each colour.
    below = pixels(comparison_picture([("", image)], tmp_path / "p.png", pixel_size_um=0.1, limits=(0, 1)))[-90:]
    for color in range(3):
        others = [k for k in range(3) if k != color]
        assert ((below[..., color] > 250) & (below[..., others] < 5).all(axis=-1)).any()
    with pytest.raises(InputError, match="of one shape"):
        comparison_picture([("", image), ("", ramp)], tmp_path / "q.png", pixel_size_um=0.1)


def test_enlarging_keeps_pixels_centred_on_their_squares():
    image = np.zeros((9, 9))
    image[2, 6] = 1.0
    sheet = Sheet(image.shape, [""], Key((0.0, 1.0), "", 1.0))
    shown = sheet.panel(image)[..., 0].astype(float)
    centre = [np.average(np.arange(n), weights=shown.sum(axis=1 - axis)) for axis, n in enumerate(shown.shape)]
    np.testing.assert_allclose(centre, [(2.5 * sheet.factor) - 0.5, (6.5 * sheet.factor) - 0.5], atol=0.6)


def test_the_scale_bar_is_as_long_as_it_says(tmp_path):
    picture = pixels(
        comparison_picture([("", np.zeros((256, 256)))], tmp_path / "p.png", pixel_size_um=0.454, limits=(0, 1))
    )
    # The longest white run below the panel is the bar: 20 um at 3 picture pixels per 0.454 um.
    below = (picture[-90:] > 220).all(axis=-1)
    runs = [len(run) for row in below for run in "".join("#" if on else " " for on in row).split()]
    assert max(runs) == round(20 / 0.454 * 3)


def test_limits_leave_out_the_extremes_and_never_collapse():
    low, high = contrast_limits([np.linspace(0, 1, 1001), np.linspace(1, 2, 1001)])
    assert (low, high) == pytest.approx((0.01, 1.99), abs=2e-3)
    assert contrast_limits([np.full((3, 3), 2.0)]) == (1.5, 2.5)
    assert contrast_limits([np.array([np.nan, 0.0, 1.0])])[1] <= 1.0
    assert contrast_limits([np.full(3, np.nan)]) == (0.0, 1.0)


def test_a_limit_of_next_to_nothing_is_nothing():
    assert contrast_limits([np.linspace(4e-8, 1e5, 1001)[5:]])[0] > 0
    assert contrast_limits([np.concatenate([np.full(50, 4e-8), np.linspace(0, 1e5, 1001)])])[0] == 0


def test_motion_over_an_image_is_coloured_by_direction():
    image = np.zeros((64, 64))
    image[16:48, 16:48] = 1.0
    motion = np.stack([np.full((64, 64), 3.0), np.zeros((64, 64))])
    arrows, stretch = motion_arrows(image, motion, 10)
    assert stretch == 1.0
    np.testing.assert_allclose(
        arrows.displacement, np.stack([np.full(arrows.tails.shape[1], 3.0), np.zeros(arrows.tails.shape[1])])
    )
    np.testing.assert_array_equal(arrows.colors[0], direction_colors(np.array(np.pi / 2)))  # downwards


def test_arrows_appear_on_their_panel_only(tmp_path):
    image = np.zeros((64, 64))
    image[16:48, 16:48] = 1.0
    motion = np.stack([np.full((64, 64), 3.0), np.full((64, 64), 3.0)])
    picture = pixels(
        comparison_picture([("a", image), ("b", image)], tmp_path / "p.png", pixel_size_um=1.0, motion=(1, motion))
    )
    colorful = np.ptp(picture, axis=-1) > 60
    half, above_key = picture.shape[1] // 2, picture.shape[0] - 120
    assert colorful[:above_key, :half].sum() == 0
    assert colorful[:above_key, half:].sum() > 100


def test_pictures_that_cannot_be_made_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="images of 4 x 4, 4 x 5"):
        comparison_picture([("a", np.zeros((4, 4))), ("b", np.zeros((4, 5)))], tmp_path / "p.png", pixel_size_um=1.0)
    with pytest.raises(InputError, match="cannot be written"):
        comparison_picture([("a", np.zeros((4, 4)))], tmp_path / "none" / "p.png", pixel_size_um=1.0)
