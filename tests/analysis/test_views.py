"""Time and depth as colour: what stands still is white, what moves or lies deep is not."""

import numpy as np
import pytest

from napari_nstm.analysis.views import colored_by_depth, colored_by_time, depth_colors, moments_of, time_colors

LIMITS = (0.0, 1.0)


# -- moments ------------------------------------------------------------------


def test_moments_are_the_mean_times_of_the_orientations():
    frames = [25.0 * k for k in range(15)]
    assert moments_of(frames, 3) == (50.0, 175.0, 300.0)
    # Orientations that are far apart in time, phases that are not.
    frames = [1000.0 * d + 10 * p for d in range(3) for p in range(5)]
    assert moments_of(frames, 3) == (20.0, 1020.0, 2020.0)


def test_other_numbers_of_moments_are_spread_evenly():
    moments = moments_of([0.0, 25.0, 50.0, 75.0], 3)
    assert len(moments) == 3
    assert moments[1] == pytest.approx(37.5)
    np.testing.assert_allclose(np.diff(moments), np.diff(moments)[0])
    assert moments_of([0.0, 25.0, 50.0, 75.0], 2) == (12.5, 62.5)
    more = moments_of([0.0, 10.0], 8)
    assert len(set(more)) > 2
    assert 0 <= min(more) <= max(more) <= 10


# -- time ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8])
def test_what_stands_still_comes_out_grey_and_white(n):
    still = np.stack([np.linspace(0, 1, 11)[None]] * n)
    picture = colored_by_time(still, LIMITS)
    assert picture.shape == (1, 11, 3)
    expected = np.rint(255 * still[0])
    np.testing.assert_allclose(picture, expected[..., None].repeat(3, axis=-1), atol=1)


def test_what_moves_has_the_colour_of_its_moment():
    moments = np.zeros((3, 4, 6))
    for k in range(3):
        moments[k, 1, k] = 1  # a point that goes to the right
        moments[k, 3, 5] = 1  # another that stays
    picture = colored_by_time(moments, LIMITS).astype(int)
    np.testing.assert_array_equal(picture[1, :3], [[255, 0, 0], [0, 255, 0], [0, 0, 255]])
    np.testing.assert_array_equal(picture[3, 5], [255, 255, 255])
    assert picture[0].max() == 0


def test_limits_are_black_and_full_and_volumes_stay_volumes():
    moments = np.full((2, 3, 4, 5), 7.0)
    assert colored_by_time(moments, (7.0, 9.0)).max() == 0
    assert colored_by_time(moments, (5.0, 7.0)).min() == 255
    assert colored_by_time(moments, (5.0, 9.0)).shape == (3, 4, 5, 3)
    np.testing.assert_allclose(colored_by_time(moments, (5.0, 9.0)), 128, atol=1)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_colours_of_time_add_up_to_white_and_differ(n):
    colors = time_colors(n)
    np.testing.assert_allclose(colors.sum(axis=0), 1)
    assert len({tuple(color) for color in np.round(colors, 6)}) == n


# -- depth --------------------------------------------------------------------


def test_each_pixel_has_the_colour_of_the_plane_in_which_it_is_brightest():
    volumes = np.zeros((2, 5, 3, 5))
    for plane in range(5):
        volumes[0, plane, 1, plane] = 1
        volumes[1, plane, 1, 4 - plane] = 1
    first, second = colored_by_depth(volumes, LIMITS)
    np.testing.assert_allclose(first[1] / 255, depth_colors(5), atol=0.01)
    np.testing.assert_array_equal(second[1], first[1][::-1])
    assert first[0].max() == 0


def test_depth_runs_from_blue_to_red_and_brightness_stays():
    colors = depth_colors(9)
    assert colors[0].argmax() == 2
    np.testing.assert_array_equal(colors[-1], [1, 0, 0])
    assert len({tuple(color) for color in np.round(colors, 6)}) == 9
    volume = np.zeros((1, 2, 1, 5))
    volume[0, 1, 0, :2] = (0.5, 1.0)
    picture = colored_by_depth(volume, LIMITS)[0, 0].astype(int)
    assert picture[0].max() == pytest.approx(128, abs=1)
    assert picture[1].max() == 255
    assert depth_colors(1).shape == (1, 3)


def test_where_nothing_is_there_is_no_colour_but_what_fills_the_field_is_seen():
    rng = np.random.default_rng(0)
    volume = 0.1 + 0.02 * rng.normal(size=(1, 8, 40, 40))
    volume[0, 2, :5, :5] = 1.0
    picture = colored_by_depth(volume, LIMITS)[0].astype(int)
    assert np.median(picture[10:].max(axis=-1)) <= 1
    assert picture[2, 2].max() > 250
    full = colored_by_depth(np.full((1, 4, 40, 40), 0.5), LIMITS)[0].astype(int)
    assert full.max() == pytest.approx(255 / 3, abs=1)  # half of what is over a quarter
