from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_nstm.core.errors import InputError
from napari_nstm.io._sheet import Key, Sheet
from napari_nstm.io.arrows import Arrows, arrow_grid, draw_arrows, nice_stretch, visible_points
from napari_nstm.io.colors import color_wheel, direction_colors, speed_colors
from napari_nstm.io.draw import comparison_picture, contrast_limits, motion_arrows
from napari_nstm.io.text import format_length, format_value, round_length, time_texts


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


def test_an_arrow_lies_between_its_ends_with_its_head_in_front():
    panel = np.full((60, 80, 3), 255, np.uint8)
    color = np.array([[200, 30, 60]], np.uint8)
    arrows = Arrows(np.array([[5.0], [4.0]]), np.array([[0.0], [10.0]]), color, spacing=12.0)
    draw_arrows(panel, 4, arrows)
    drawn = (panel == color[0]).all(axis=-1)
    rows, columns = np.nonzero(drawn)
    # From pixel 4 to pixel 14 in a picture four times as large, whose pixel centres are at 4 n + 1.5.
    assert columns.min() == pytest.approx(17.5, abs=1.5)
    assert columns.max() == pytest.approx(57.5, abs=2.5)
    assert rows.mean() == pytest.approx(21.5, abs=0.6)
    spread = [np.ptp(np.nonzero(drawn[:, c])[0]) for c in (25, 40, 52)]
    assert spread[0] == spread[1] < spread[2]  # a thin shaft, then the head


def test_arrows_are_cut_at_the_edge_and_dots_are_left_out():
    panel = np.zeros((20, 20, 3), np.uint8)
    ends = Arrows(
        np.array([[-3.0, 10.0, 18.0]] * 2), np.array([[2.0, 0.01, 9.0]] * 2), np.full((3, 3), 200, np.uint8), 5
    )
    draw_arrows(panel, 1, ends)
    assert panel[10, 10].max() == 0
    assert panel[19, 19].max() > 0


def test_colours_tell_directions_apart_and_look_equally_light():
    angles = np.linspace(-np.pi, np.pi, 13)[:-1]
    colors = direction_colors(angles).astype(float)
    distances = np.linalg.norm(colors - np.roll(colors, 1, axis=0), axis=1)
    assert distances.min() > 20
    luminance = (colors / 255) ** 2.2 @ [0.2126, 0.7152, 0.0722]
    assert np.ptp(luminance) < 0.16
    opposite = np.linalg.norm(direction_colors(np.array(0.0)).astype(float) - direction_colors(np.array(np.pi)))
    assert opposite > 120
    np.testing.assert_array_equal(direction_colors(angles[:1]), direction_colors(angles[:1] + 2 * np.pi))


def test_the_wheel_is_the_key_to_the_colours():
    wheel = color_wheel(41)
    assert wheel[20, 20, 3] == 255
    assert wheel[0, 0, 3] == 0
    for row, column, angle in ((20, 38, 0.0), (38, 20, np.pi / 2), (20, 2, np.pi), (2, 20, -np.pi / 2)):
        np.testing.assert_allclose(wheel[row, column, :3], direction_colors(np.array(angle)), atol=12)


def test_the_ramp_grows_lighter_then_warmer_without_jumps():
    colors = speed_colors(np.linspace(0, 1, 101)).astype(float)
    assert np.abs(np.diff(colors, axis=0)).max() < 12
    np.testing.assert_array_equal(speed_colors(np.array([-1.0, 2.0])), colors[[0, -1]])


def test_a_grid_of_arrows_is_even_and_inside():
    points = arrow_grid((40, 63), 10.0)
    assert points.shape == (2, 4 * 6)
    np.testing.assert_allclose(points.mean(axis=1), [19.5, 31.0])
    assert points.min() > 0


def test_arrows_are_hidden_where_there_is_nothing_to_move():
    image = np.zeros((60, 60))
    image[10:30, 10:30] = 1.0
    points = np.array([[20.0, 50.0, 22.0], [20.0, 50.0, 30.0]])
    np.testing.assert_array_equal(visible_points(image, points, 5.0), [True, False, True])
    # On a bright background a dark object counts.
    np.testing.assert_array_equal(visible_points(1 - image, points, 5.0), [True, False, True])


@pytest.mark.parametrize(
    ("longest", "expected"), [(0.0, 1.0), (10.0, 1.0), (30.0, 1.0), (2.0, 5.0), (0.1, 100.0), (70.0, 0.1)]
)
def test_arrows_have_their_true_length_where_it_can_be_read(longest, expected):
    assert nice_stretch(longest, 12.0) == expected


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


def test_numbers_in_words():
    assert [round_length(x) for x in (0.07, 1.0, 1.9, 49.9, 50.0)] == pytest.approx([0.05, 1.0, 1.0, 20.0, 50.0])
    assert [format_length(x) for x in (0.05, 0.5, 20.0, 2000.0)] == ["50 nm", "500 nm", "20 µm", "2 mm"]
    assert [format_value(x, 0.45) for x in (-0.0549, 0.4451, -0.001)] == ["-0.05", "0.45", "0.00"]
    assert format_value(1234.0, 1234.0) == "1234"
    assert format_value(2e-6, 2e-6) == "2.00e-06"


def test_time_stamps_have_one_unit_and_tell_moments_apart():
    assert time_texts([0.0, 12.5, 25.0]) == ["0.0 ms", "12.5 ms", "25.0 ms"]
    assert time_texts([0.0, 20.0, 40.0]) == ["0 ms", "20 ms", "40 ms"]
    assert time_texts([0.0, 0.4]) == ["0 µs", "400 µs"]
    assert time_texts([0.0, 1.0, 2.0, 3.0]) == ["0 ms", "1 ms", "2 ms", "3 ms"]
    assert time_texts([0.0, 30_000.0])[1] == "30 s"
    assert time_texts([5.0]) == ["5 ms"]
    stamps = time_texts(list(np.linspace(0, 75, 95)))
    assert len(set(stamps)) == 95
