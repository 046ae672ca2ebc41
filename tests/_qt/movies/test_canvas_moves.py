"""Where slider and camera stand in each picture of a movie of the canvas."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nstm._qt.movies.canvas_moves import Timeline, canvas_plan, shows_volume, timeline, turned
from napari_nstm._qt.raw_layer import KEY
from napari_nstm.core.errors import InputError

UNEVEN = Timeline(0, (0.0, 1.0, 2.0), (10.0, 20.0, 45.0))


@pytest.fixture
def viewer():
    return ViewerModel()


def add(viewer, shape, axes, times_ms=None):
    known = {} if times_ms is None else {KEY: {"times_ms": times_ms}}
    return viewer.add_image(np.zeros(shape), axis_labels=tuple(axes), metadata=known)


def test_the_slider_of_time_is_found_with_the_times_that_a_layer_knows(viewer):
    assert timeline(viewer) is None
    add(viewer, (4, 5), "yx")
    assert timeline(viewer) is None
    layer = add(viewer, (3, 6, 4, 5), "tzyx", (10.0, 20.0, 45.0))
    assert timeline(viewer) == UNEVEN
    layer.visible = False
    assert timeline(viewer).times_ms is None
    layer.scale = (2.0, 1, 1, 1)
    assert timeline(viewer).points == (0.0, 2.0, 4.0)


def test_without_a_name_the_first_slider_is_taken(viewer):
    viewer.add_image(np.zeros((7, 4, 5)))
    assert timeline(viewer) == Timeline(0, tuple(float(i) for i in range(7)))
    viewer.dims.ndisplay = 3  # it is shown as depth now
    assert timeline(viewer) is None


def test_depth_is_known_by_its_axis(viewer):
    add(viewer, (9, 4, 5), "tyx")
    assert not shows_volume(viewer)
    layer = add(viewer, (9, 6, 4, 5), "tzyx")
    assert shows_volume(viewer)
    layer.visible = False
    assert not shows_volume(viewer)


def test_moments_between_are_evenly_spaced_in_time_not_along_the_slider():
    np.testing.assert_allclose(UNEVEN.at(3), [0, 1, 2])
    found = UNEVEN.at(8)
    np.testing.assert_allclose(np.diff(np.interp(found, UNEVEN.points, UNEVEN.times_ms)), 5)
    np.testing.assert_allclose(Timeline(0, (0.0, 1.0, 2.0)).at(5), [0, 0.5, 1, 1.5, 2])


def test_time_goes_from_end_to_end_in_real_time_or_slowed_down():
    plan = canvas_plan(UNEVEN, "time", 8, 4.0)
    assert [take.point for take in plan.takes] == UNEVEN.at(8).tolist()
    assert not plan.turns
    assert (plan.axis, plan.n_frames, plan.duration_s, plan.slowdown) == (0, 8, 2.0, pytest.approx(50))
    back = canvas_plan(UNEVEN, "time", 4, 4.0, loop="boomerang")
    points = [take.point for take in back.takes]
    assert points[1:4] == points[:2:-1]
    assert (back.n_frames, back.n_moments) == (6, 4)


def test_a_turn_is_one_round_that_goes_on_without_a_halt():
    plan = canvas_plan(None, "turn", 8)
    angles = np.array([take.turn_rad for take in plan.takes])
    np.testing.assert_allclose(np.diff(angles), 2 * np.pi / 8)
    assert angles[0] == 0
    assert (plan.axis, plan.slowdown, {take.point for take in plan.takes}) == (None, None, {None})
    smooth = canvas_plan(None, "turn")
    assert (smooth.n_frames, smooth.fps) == (120, 25)
    both = canvas_plan(UNEVEN, "both", 8)
    assert [take.point for take in both.takes] == UNEVEN.at(8).tolist()
    np.testing.assert_allclose([take.turn_rad for take in both.takes], angles)


def test_moments_of_nobody_knows_when_are_shown_in_seconds():
    many, few = (canvas_plan(Timeline(0, tuple(range(n))), "time") for n in (200, 8))
    assert (many.fps, few.fps) == (25, 2)
    assert many.slowdown is None


def test_a_gif_gets_a_rate_that_it_can_hold():
    assert canvas_plan(UNEVEN, "time", 8, 30.0, gif=True).fps == pytest.approx(100 / 3)
    assert canvas_plan(None, "turn", 8, 30.0, gif=True).fps == pytest.approx(100 / 3)


def test_what_cannot_be_is_said_at_its_field():
    for moves, n, fps, field in (("time", None, None, "moves"), ("turn", 0, None, "frames"), ("turn", 5, -1, "fps")):
        with pytest.raises(InputError) as caught:
            canvas_plan(None, moves, n, fps)
        assert caught.value.field == field


def test_the_camera_turns_about_what_stands_upright():
    view, up = np.array([-1.0, 0, 0]), np.array([0, -1.0, 0])
    quarter = turned(view, up, np.pi / 2)
    np.testing.assert_allclose(quarter[0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(quarter[1], up, atol=1e-12)
    np.testing.assert_allclose(turned(view, up, 2 * np.pi), [view, up], atol=1e-12)
    # Seen from above: the height stays as it is all around.
    tilted, above = np.array([-0.8, 0.6, 0]), np.array([-0.6, -0.8, 0])
    for angle in np.linspace(0, 6, 7):
        looks, upwards = (np.array(one) for one in turned(tilted, above, angle))
        assert looks[1] == pytest.approx(0.6)
        assert looks @ upwards == pytest.approx(0, abs=1e-12)
        assert np.linalg.norm(looks) == pytest.approx(1)
