import numpy as np
import pytest
from napari.layers import Vectors

from napari_nstm._qt.layers.arrows import (
    AT_MOST,
    AT_MOST_IN_ALL,
    arrow_colors,
    arrow_points,
    arrow_style,
    motion_at,
    points_for,
    speeds,
    vectors,
    vectors_in_time,
)
from napari_nstm.io.colors import direction_colors, speed_colors


@pytest.mark.parametrize(
    ("shape", "size_um"),
    [((256, 256), (0.4, 0.4)), ((37, 300), (0.1, 0.1)), ((40, 200, 200), (0.3, 0.1, 0.1)), ((5, 5), (1, 1))],
)
def test_points_lie_evenly_in_the_field_and_are_not_too_many(shape, size_um):
    points = arrow_points(shape, size_um)
    assert 1 <= points.n <= AT_MOST
    assert np.all(points.points_px >= 0)
    assert np.all(points.points_px <= np.reshape(shape, (-1, 1)) - 1)
    # As far apart in um along all axes.
    np.testing.assert_allclose(np.multiply(points.spacing_px, size_um), points.spacing_px[-1] * size_um[-1])
    for axis in range(len(shape)):
        along = np.unique(points.points_px[axis])
        if len(along) > 2:
            assert np.ptp(np.diff(along)) <= 1 + 1e-3


def test_arrows_of_a_volume_lie_in_its_planes():
    points = arrow_points((30, 100, 100), (0.3, 0.1, 0.1))
    np.testing.assert_array_equal(points.points_px[0], np.rint(points.points_px[0]))
    assert len(np.unique(points.points_px[0])) > 5


def test_a_layer_of_many_moments_has_fewer_arrows_at_each():
    assert points_for((256, 256), (1, 1), 4).n == arrow_points((256, 256)).n
    assert points_for((256, 256), (1, 1), 4, across=60).n == 60**2
    many = points_for((256, 256), (1, 1), 500)
    assert 0.5 * AT_MOST_IN_ALL < 500 * many.n <= AT_MOST_IN_ALL


def test_coarsely_sampled_motion_is_read_in_pixels():
    points = arrow_points((64, 96), (0.5, 0.5))
    y, x = np.meshgrid(np.arange(0, 72, 8), np.arange(0, 104, 8), indexing="ij")
    motion_um = np.stack([0.01 * x, -0.02 * y])
    u_px = motion_at(points, motion_um, (8, 8))
    np.testing.assert_allclose(u_px, [0.02 * points.points_px[1], -0.04 * points.points_px[0]], atol=1e-5)


def test_vectors_start_at_the_points_and_count_moments():
    points = arrow_points((20, 30))
    u_px = np.random.default_rng(0).normal(size=(3, 2, points.n)).astype(np.float32)
    one, all_of_them = vectors(points, u_px[1]), vectors_in_time(points, u_px)
    assert one.shape == (points.n, 2, 2)
    np.testing.assert_array_equal(one[:, 0], points.points_px.T)
    np.testing.assert_array_equal(one[:, 1], u_px[1].T)
    assert all_of_them.shape == (3 * points.n, 2, 3)
    second = all_of_them[points.n : 2 * points.n]
    np.testing.assert_array_equal(second[:, :, 1:], one)
    assert set(second[:, 0, 0]) == {1.0}
    assert not np.any(all_of_them[:, 1, 0])  # no arrow leaves its moment


def test_directions_have_their_colours_and_hidden_arrows_none():
    u_px = np.array([[0, 2, 0, 0.1], [2, 0, -2, 0]], float)  # right, down, left, hardly
    colors = arrow_colors(u_px, np.array([True, True, False, True]), shortest_px=0.5)
    assert colors.shape == (4, 4)
    expected = direction_colors(np.array([0, np.pi / 2, np.pi])) / 255
    np.testing.assert_allclose(colors[:3, :3], expected, atol=1e-6)
    np.testing.assert_array_equal(colors[:, 3], [1, 1, 0, 0])


def test_the_fastest_visible_arrow_has_the_last_colour():
    u_px = np.zeros((2, 2, 3)) + np.array([0.0, 1.0, 50.0])  # (time, axis, point); the longest is hidden
    visible = np.array([True, True, False])
    colors = arrow_colors(u_px, visible, "speed")
    assert colors.shape == (2, 3, 4)
    np.testing.assert_allclose(colors[0, :2, :3], speed_colors(np.array([0, 1])) / 255, atol=1e-6)
    still = arrow_colors(np.zeros((2, 3)), visible, "speed")
    np.testing.assert_allclose(still[:, :3], np.broadcast_to(speed_colors(np.array(0.0)) / 255, (3, 3)), atol=1e-6)


def test_speed_is_in_um_a_second_also_between_uneven_times():
    times_ms = (0.0, 10.0, 40.0)
    u_px = np.array(times_ms)[:, None, None] * np.array([[0.3], [0.4]])  # 0.5 px per ms
    np.testing.assert_allclose(speeds(u_px, (0.2, 0.2), times_ms), 100, rtol=1e-6)
    np.testing.assert_allclose(speeds(u_px[1:2], (0.2, 0.2), times_ms[:1]), 1.0, rtol=1e-6)  # a distance


def test_between_moments_the_speed_is_that_of_each_step():
    times_ms = (0.0, 10.0, 40.0)
    u_px = np.array([10.0, 60.0, 0.0])[:, None, None] * np.array([[0.3], [0.4]])
    np.testing.assert_allclose(speeds(u_px, (0.2, 0.2), times_ms, successive=True)[:, 0], [100, 200, 0], rtol=1e-6)


def test_colours_of_speed_can_be_those_of_a_given_scale():
    u_px = np.array([[0.0, 0.0], [1.0, 2.0]])
    colors = arrow_colors(u_px, np.array([True, True]), "speed", fastest=4.0)
    np.testing.assert_allclose(colors[:, :3], speed_colors(np.array([0.25, 0.5])) / 255, atol=1e-6)


def test_arrows_show_where_something_is_wherever_it_has_gone():
    y, x = np.mgrid[:128, :128]

    def blob(at):
        return np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 300).astype(np.float32)

    points = arrow_points((128, 128))
    visible = points.visible(blob((40, 40)))
    near = np.hypot(*(points.points_px - 40)) < 15
    far = np.hypot(*(points.points_px - 40)) > 50
    assert visible[near].all()
    assert not visible[far].any()
    # A coarse level tells the same, and so does a later moment.
    coarse = points.visible(blob((40, 40))[::4, ::4], (4, 4))
    assert np.mean(coarse != visible) < 0.02
    moved = points.visible(blob((40, 70)), None, np.array([[0.0], [30.0]]))
    assert np.mean(moved != visible) < 0.02


@pytest.mark.parametrize("u", [0.0, 0.01, 0.1, 1.0, 12.0, 300.0])
def test_arrows_are_long_enough_to_be_seen_and_not_too_long(u):
    points = arrow_points((256, 256))
    moments = np.stack([np.zeros((2, points.n)), np.full((2, points.n), u / np.sqrt(2))])
    stretch = points.stretch(moments)
    if u < 0.02:
        assert stretch == 1  # nothing moves, as far as anybody can tell
    elif u == 12.0:
        assert stretch == 1  # its true length can be read
    else:
        assert 0.3 * points.spacing_px[0] < u * stretch < 2.5 * points.spacing_px[0]


def test_a_layer_keeps_the_colours_it_is_given_while_its_arrows_change():
    points = arrow_points((64, 64))
    rng = np.random.default_rng(0)
    visible = rng.random(points.n) > 0.5
    layer = Vectors(vectors(points, np.zeros((2, points.n))), edge_color="red", **arrow_style(points, 1.0))
    for _ in range(3):
        u_px = rng.normal(size=(2, points.n))
        colors = arrow_colors(u_px, visible)
        layer.data = vectors(points, u_px)
        layer.edge_color = colors
        np.testing.assert_allclose(layer.edge_color, colors, atol=1e-6)
    assert layer.vector_style == "arrow"
