"""Points are followed along the path that they take, both ways, to where they leave the field."""

from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.core.following import follow
from napari_nstm.core.warp import MotionLattice, positions
from napari_nstm.phantoms.motions import KnownMotion

SIZE = 64
TIMES = np.linspace(-1, 1, 9)
POINTS = np.array([[31.0, 20.0, 12.5, 50.0, 30.0], [33.0, 40.0, 30.0, 20.25, 12.0]])


def lattice(pull_back, shape=(SIZE, SIZE), n_times=33, spacing=1.0, margin=8):
    """Sample dx(where, t) on a lattice that is larger than the field."""
    steps = (spacing,) * len(shape)
    where = positions(tuple(int((n + 2 * margin) / spacing) for n in shape), steps) - margin
    values = np.stack([pull_back(where, t) for t in np.linspace(-1, 1, n_times)])
    return MotionLattice(values.astype(np.float32), (-float(margin),) * len(shape), steps)


def true_paths(known, starts):
    """(point, time, component) of points that are at `starts` at the first time."""
    return np.stack([(starts + known.displacement(starts, t)).T for t in TIMES], axis=1)


@pytest.mark.parametrize("kind", ["rotation", "swirl", "vibration", "translation", "shear"])
@pytest.mark.parametrize("marked_at", [0, 3, 8])
def test_tracks_are_the_paths_of_the_points_forward_and_backward(kind, marked_at):
    known = KnownMotion(kind, (SIZE, SIZE), {"translation": 6.0, "shear": 0.3}.get(kind, 0.6))
    truth = true_paths(known, POINTS)
    assert np.linalg.norm(truth[:, 8] - truth[:, 0], axis=-1).max() > 4
    paths = follow(lattice(known.pull_back), truth[:, marked_at].T, np.full(5, TIMES[marked_at]), TIMES, (SIZE, SIZE))
    assert np.abs(paths.positions_px - truth).max() < 0.1
    np.testing.assert_allclose(paths.positions_px[:, marked_at], truth[:, marked_at], atol=1e-3)
    assert not paths.left_the_field.any()
    assert not paths.lost.any()


def test_a_turn_of_more_than_a_quarter_is_followed():
    # Its gradient is 1.7: the fixed-point iteration for u moves away from the solution.
    angle = 2.0
    known = KnownMotion("rotation", (SIZE, SIZE), angle)
    starts = np.array([[31.5, 20.0, 31.5], [50.0, 31.5, 10.0]])
    motion = lattice(known.pull_back, margin=30)
    paths = follow(motion, starts, np.full(3, -1.0), TIMES, (SIZE, SIZE))
    # Between two of its 33 times the lattice is a chord of the turn.
    assert np.abs(paths.positions_px - true_paths(known, starts)).max() < 0.1
    u = motion.displacement(starts.astype(np.float32), 1.0, -1.0)
    assert np.abs(u - known.displacement(starts, 1.0)).max() > 5


def test_there_and_back_again():
    known = KnownMotion("swirl", (SIZE, SIZE), 0.8)
    motion = lattice(known.pull_back, spacing=4.0)  # coarse, as of a fit: exact paths of an inexact motion
    there = follow(motion, POINTS, np.full(5, -1.0), TIMES, (SIZE, SIZE)).positions_px
    back = follow(motion, there[:, -1].T, np.full(5, 1.0), TIMES, (SIZE, SIZE)).positions_px
    np.testing.assert_allclose(back, there, atol=0.02)


def test_every_point_has_a_time_of_its_own():
    known = KnownMotion("rotation", (SIZE, SIZE), 0.5)
    truth = true_paths(known, POINTS)
    marked_at = np.array([0, 2, 4, 6, 8])
    points = truth[np.arange(5), marked_at].T
    paths = follow(lattice(known.pull_back), points, TIMES[marked_at], TIMES, (SIZE, SIZE))
    assert np.abs(paths.positions_px - truth).max() < 0.1
    # Also one between the moments that are wanted.
    t = 0.3
    points = POINTS + known.displacement(POINTS, t)
    paths = follow(lattice(known.pull_back), points, np.full(5, t), TIMES[2:5], (SIZE, SIZE))
    assert np.abs(paths.positions_px - truth[:, 2:5]).max() < 0.1


def test_a_point_that_leaves_the_field_ends_there_and_is_not_taken_up_again():
    # To and fro along x: 20 px to the right and back, then 20 px to the left.
    def there_and_back(where, t):
        step = np.zeros(where.shape, np.float32)
        step[1] = -20 * np.sin(np.pi * (t + 1))
        return step

    points = np.array([[30.0, 30.0, 30.0], [55.0, 30.0, 8.0]])
    paths = follow(lattice(there_and_back, margin=40), points, np.full(3, -1.0), TIMES, (SIZE, SIZE))
    x = paths.positions_px[..., 1]
    ends = 20 * np.sin(np.pi * (TIMES + 1))
    np.testing.assert_allclose(x[1], 30 + ends, atol=0.05)
    assert np.isfinite(x[0]).tolist() == [True] + [False] * 8  # at 69 px at the second moment
    assert np.isfinite(x[2]).tolist() == [True] * 5 + [False] * 4  # out at the left after the middle
    assert paths.left_the_field.tolist() == [True, False, True]
    assert not paths.lost.any()
    # Marked on its way: what it left in the past ends the track there.
    paths = follow(lattice(there_and_back, margin=40), points[:, :1], np.array([0.0]), TIMES, (SIZE, SIZE))
    assert np.isfinite(paths.positions_px[0, :, 1]).tolist() == [False] * 4 + [True] * 5
    # What happens after the last moment that is wanted is of no concern.
    paths = follow(lattice(there_and_back, margin=40), points, np.full(3, -1.0), TIMES[:1], (SIZE, SIZE))
    assert not paths.left_the_field.any()


def test_the_field_ends_at_the_edge_of_its_last_pixel():
    still = lattice(lambda where, _: np.zeros(where.shape))
    points = np.array([[0.0, -0.5, 63.5], [0.0, -0.5, 63.5]])
    paths = follow(still, points, np.zeros(3), TIMES, (SIZE, SIZE))
    assert np.isfinite(paths.positions_px).all()


def test_where_the_motion_folds_a_point_is_lost_and_does_not_jump():
    # More and more of the sample lies upon the middle: label = x - grow * tanh(x).
    def fold(where, t):
        step = np.zeros(where.shape, np.float32)
        step[1] = -5 * (t + 1) * np.tanh((where[1] - 32) / 3)
        return step

    # Some of the points whose place vanishes, seen backward; one outside the fold; and its middle, which stays.
    x = np.concatenate([np.linspace(28.2, 31.8, 19), np.linspace(32.2, 35.8, 19), [50, 32]])
    points = np.stack([np.full(40, 30.0), x])
    paths = follow(lattice(fold, spacing=0.5), points, np.ones(40), TIMES, (SIZE, SIZE))
    assert paths.lost.tolist() == [True] * 38 + [False] * 2
    found = paths.positions_px[..., 1]
    np.testing.assert_array_equal(found[:, -1], x)
    assert np.isnan(found[:38, 0]).all()
    assert np.nanmax(np.abs(np.diff(found[:38], axis=1))) < 1
    np.testing.assert_allclose(found[38:, 0], [40, 32], atol=0.1)


def test_volumes_move_along_z_too():
    shape = (12, 40, 48)

    def pull_back(where, t):
        u = np.reshape([2.0, -3.0, 4.0], (3, 1, 1, 1)) * (t + 1) / 2
        return np.broadcast_to(-u, where.shape)

    start = np.array([[2.0, 10.0], [20.0, 20.0], [20.0, 20.0]])
    paths = follow(lattice(pull_back, shape, n_times=5, spacing=4.0), start, np.full(2, -1.0), TIMES, shape)
    share = (TIMES[:, None] + 1) / 2
    np.testing.assert_allclose(paths.positions_px[0], start[:, 0] + share * [2, -3, 4], atol=1e-3)
    assert paths.left_the_field.tolist() == [False, True]  # from plane 10 to 12 of 0 to 11
    assert np.isfinite(paths.positions_px[1, :, 0]).tolist() == [True] * 7 + [False] * 2
