"""Tracks in physical units: positions, speeds, tables, and what cannot be followed in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.core.trajectories import Trajectories, trace
from napari_nstm.core.warp import MotionLattice

SIZE = 64


def in_um(points_um, marked_ms=10.0, times_ms=(10.0, 20.0, 30.0, 50.0), velocity_px=(0.0, 8.0)):
    """Follow points that drift evenly, in a field of 64 x 64 pixels of 0.5 x 0.25 um, from 10 to 50 ms."""

    share = np.reshape([0, 0.5, 1], (3, 1, 1, 1))
    drift = np.broadcast_to(-share * np.reshape(velocity_px, (2, 1, 1)), (3, 2, 20, 20))
    return trace(
        MotionLattice(drift.astype(np.float32), (-8.0, -8.0), (4.0, 4.0)),
        points_um,
        marked_ms,
        times_ms,
        shape=(SIZE, SIZE),
        pixel_size_um=(0.5, 0.25),
        span_ms=(10.0, 50.0),
        normalized_time=lambda time: (time - 30) / 20,
    )


def test_positions_displacement_and_speed_have_units():
    found = in_um([[5.0, 4.0]], velocity_px=(3.0, 8.0))
    elapsed = (np.array([10.0, 20.0, 30.0, 50.0]) - 10) / 40
    where = np.array([5.0, 4.0]) + elapsed[:, None] * [1.5, 2.0]
    np.testing.assert_allclose(found.positions_um[0], where, atol=1e-4)
    np.testing.assert_allclose(found.displacement_um[0], elapsed * 2.5, atol=1e-4)
    np.testing.assert_allclose(found.speed_um_per_s, 2.5 / 0.04, rtol=1e-3)
    assert found.notices == ()
    later = in_um([[5.0, 4.0]], marked_ms=30.0)
    np.testing.assert_allclose(later.displacement_um[0], [1, 0.5, 0, 1], atol=1e-4)


def test_the_table_holds_what_was_followed():
    found = in_um([[5.0, 4.0], [5.0, 14.7]])  # the second is at 15.87 um, the edge, a little after 30 ms
    table = found.table()
    assert list(table) == ["track", "time_ms", "y_um", "x_um", "displacement_um", "speed_um_per_s"]
    assert table["track"].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert table["time_ms"].tolist() == [10, 20, 30, 50, 10, 20, 30]
    np.testing.assert_allclose(table["x_um"], [4, 4.5, 5, 6, 14.7, 15.2, 15.7], atol=1e-4)
    assert np.isfinite(table["speed_um_per_s"]).all()
    assert found.left_the_field.tolist() == [False, True]
    assert found.notices == ("Point 1 leaves the field, beyond which it cannot be followed: its track ends.",)
    several = in_um(np.tile([[5.0, 14.7]], (7, 1)))
    assert several.notices[0].startswith("Points 0, 1, 2, 3, 4 and 2 more leave the field")


def test_of_one_moment_there_is_no_speed():
    found = in_um([[5.0, 4.0]], times_ms=[20.0])
    assert np.isnan(found.speed_um_per_s).all()
    assert found.table()["x_um"] == pytest.approx(4.5, abs=1e-4)


def test_what_was_lost_is_said():
    flags = np.array([True, False, True])
    lost = Trajectories(
        np.zeros((3, 1, 2)), np.zeros(1), np.zeros((3, 2)), np.zeros(3), (1.0, 1.0), np.zeros(3, bool), flags
    )
    assert lost.notices == (
        "Points 0 and 2 come where the motion folds, from where on they cannot be followed: their tracks end.",
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"points_um": [[5, 4], [5, 16.1]]},
            "points: got point 1 (y = 5, x = 16.1 um), which lies outside the field; "
            "takes points in the field, from 0 um: y to 31.5, x to 15.75 um",
        ),
        (
            {"points_um": [[-1, 4], [5, 4], [5, np.nan]]},
            "points: got points 0 and 2 (the first at y = -1, x = 4 um), which lie outside the field",
        ),
        ({"points_um": [[1, 5, 4]]}, "points: got an array of 1 x 3; takes one or more rows of y, x in um"),
        ({"points_um": np.zeros((0, 2))}, "points: got no points; takes one or more rows of y, x in um"),
        ({"points_um": [["a", "b"]]}, "points: got something that is no table of numbers"),
        ({"marked_ms": 60}, "at_ms: got 60 ms; takes times of the acquisition, 10 to 50 ms"),
        ({"marked_ms": [10, 20]}, "at_ms: got 2 times for 1 points; takes one time, or one for each point"),
        ({"times_ms": [0, 10]}, "times_ms: got 0 ms; takes times of the acquisition, 10 to 50 ms"),
        ({"times_ms": [20, 10]}, "times_ms: got 2 times in no such order; takes one or more times in ascending order"),
        ({"times_ms": []}, "times_ms: got 0 times in no such order"),
    ],
)
def test_what_cannot_be_followed_is_one_sentence(given, sentence):
    with pytest.raises(InputError) as error:
        in_um(**{"points_um": [[5.0, 4.0]], **given})
    assert str(error.value).startswith(sentence)
