from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.io.arrows import Arrows, arrow_grid, background_of, draw_arrows, nice_stretch, visible_points


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


def test_a_sample_that_covers_most_of_the_field_is_not_taken_for_its_background():
    random = np.random.default_rng(0)
    image = random.normal(0, 0.02, (60, 60))
    image[:, :40] += 0.5 + 0.5 * random.random((60, 40))
    assert abs(background_of(image, (2.0, 2.0))) < 0.05
    points = np.array([[20.0, 30.0, 20.0, 40.0], [10.0, 30.0, 55.0, 52.0]])
    np.testing.assert_array_equal(visible_points(image, points, 5.0), [True, True, False, False])


def test_how_much_signal_is_enough_can_be_chosen():
    image = np.zeros((60, 60))
    image[10:30, 10:30], image[35:55, 35:55] = 1.0, 0.5
    points = np.array([[20.0, 45.0, 45.0], [20.0, 45.0, 10.0]])
    for share, expected in ((0.0, [True] * 3), (None, [True, True, False]), (0.7, [True, False, False])):
        np.testing.assert_array_equal(visible_points(image, points, 5.0, share), expected)


@pytest.mark.parametrize(
    ("longest", "expected"), [(0.0, 1.0), (0.01, 1.0), (10.0, 1.0), (30.0, 1.0), (2.0, 5.0), (0.1, 100.0), (70.0, 0.1)]
)
def test_arrows_have_their_true_length_where_it_can_be_read(longest, expected):
    assert nice_stretch(longest, 12.0) == expected


def test_points_in_a_volume_have_their_own_distance_along_each_axis():
    points = arrow_grid((9, 40, 60), (3, 10, 10))
    assert points.shape == (3, 3 * 4 * 6)
    np.testing.assert_allclose(np.unique(points[0]), [1, 4, 7])
    np.testing.assert_allclose(np.unique(points[1]), [4.5, 14.5, 24.5, 34.5])
