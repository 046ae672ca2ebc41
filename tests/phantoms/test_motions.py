from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.phantoms.motions import (
    BOUNCE_FALL,
    VIBRATION_CYCLES,
    WAVE_PIVOT,
    KnownMotion,
    MotionKind,
    known_motion,
)

KINDS = get_args(MotionKind)
MOVING = [kind for kind in KINDS if kind != "none"]
TIMES = np.linspace(-1, 1, 4)


def point(y: float, x: float) -> np.ndarray:
    return np.array([[y], [x]], np.float32)


def test_rotation_has_its_sign_and_size_far_from_the_axis():
    middle = (200 - 1) / 2
    motion = KnownMotion("rotation", (200, 200), math.radians(10))
    for radius in (1.0, 99.0, 1000.0):
        # A point on the +x side goes towards +y: down on the screen.
        u = motion.displacement(point(middle, middle + radius), 1.0)[:, 0]
        expected = radius * math.sin(math.radians(10)), radius * (math.cos(math.radians(10)) - 1)
        np.testing.assert_allclose(u, expected, atol=1e-4 * radius)
        # A point on the +y side goes towards -x.
        u = motion.displacement(point(middle + radius, middle), 1.0)[:, 0]
        np.testing.assert_allclose(u, (expected[1], -expected[0]), atol=1e-4 * radius)


def test_rotation_turns_evenly_in_time():
    motion = KnownMotion("rotation", (101, 101), math.radians(20))
    for t, degrees in ((-1.0, 0.0), (-0.5, 5.0), (0.0, 10.0), (1.0, 20.0)):
        u = motion.displacement(point(50, 90), t)[:, 0]
        assert math.degrees(math.atan2(u[0], 40 + u[1])) == pytest.approx(degrees, abs=1e-3)


def test_shear_moves_what_is_below_towards_plus_x():
    motion = KnownMotion("shear", (101, 101), 0.1)
    np.testing.assert_allclose(motion.displacement(point(90, 7), 1.0)[:, 0], (0, 4), atol=1e-5)
    np.testing.assert_allclose(motion.displacement(point(10, 7), 1.0)[:, 0], (0, -4), atol=1e-5)


def test_swirl_is_local_and_keeps_distances_from_the_middle():
    motion = KnownMotion("swirl", (201, 201), math.radians(30))
    angles = []
    for radius in (1.0, 20.0, 40.0, 80.0, 140.0):
        u = motion.displacement(point(100, 100 + radius), 1.0)[:, 0]
        assert math.hypot(u[0], radius + u[1]) == pytest.approx(radius, abs=1e-3)
        angles.append(math.degrees(math.atan2(u[0], radius + u[1])))
    assert angles[0] == pytest.approx(30, abs=0.1)
    assert np.all(np.diff(angles) < 0)
    assert 0 < angles[-1] < 0.1


def test_bend_is_that_of_a_beam_held_in_the_middle_and_pushed_at_its_right_end():
    motion = KnownMotion("bend", (61, 101), 4.0)
    u = np.stack([motion.displacement(point(11, x), 1.0)[:, 0] for x in np.arange(0, 161)])
    assert not np.any(u[:51])
    assert not np.any(u[:, 1])
    deflection = u[50:101, 0].astype(np.float64)
    assert deflection[-1] == pytest.approx(4.0)
    assert np.all(np.diff(u[50:, 0]) > 0)
    # Its curvature falls evenly from the middle to the pushed end, and is 0 beyond.
    s = np.arange(1, 50) / 50
    np.testing.assert_allclose(np.diff(deflection, 2), 4.0 * 3 * (1 - s) / 50**2, atol=2e-6)
    np.testing.assert_allclose(np.diff(u[100:, 0], 2), 0, atol=5e-6)


def test_bend_in_a_volume_goes_along_z_too():
    u = KnownMotion("bend", (5, 61, 101), 4.0).displacement(np.array([[1.0], [9.0], [90.0]], np.float32), 1.0)[:, 0]
    assert u[0] == pytest.approx(0.1 * u[1])
    assert u[1] > 2
    assert u[2] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(64, 90), (4, 64, 90)])
def test_pull_back_undoes_displacement(kind, shape):
    motion = known_motion(kind, shape, 6.0, TIMES, seed=3)
    x = positions(shape)
    for t in (-0.7, 0.2, 1.0):
        y = x + motion.displacement(x, t)
        np.testing.assert_allclose(y + motion.pull_back(y, t), x, atol=1e-4)
        np.testing.assert_allclose(x + motion.pull_back(x, t) + motion.displacement(x + motion.pull_back(x, t), t), x,
                                   atol=1e-4)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_has_moved_in_the_first_frame(kind):
    motion = known_motion(kind, (50, 60), 6.0, TIMES)
    assert not np.any(motion.displacement(positions((50, 60)), -1.0))
    assert not np.any(motion.pull_back(positions((50, 60)), -1.0))


@pytest.mark.parametrize("kind", MOVING)
@pytest.mark.parametrize("n_frames", [2, 4, 15])
@pytest.mark.parametrize("shape", [(96, 96), (257, 140)])
def test_99th_percentile_is_what_was_asked_for(kind, n_frames, shape):
    # A wave is back where it began in the last of two frames.
    times = np.linspace(-1, 0.5 if kind == "wave" else 1, n_frames)
    for wanted in (0.5, 6.0):
        motion = known_motion(kind, shape, wanted, times)
        u = np.stack([motion.displacement(positions(shape), t) for t in times])
        assert np.percentile(np.linalg.norm(u, axis=1), 99) == pytest.approx(wanted, rel=0.01)


def test_99th_percentile_in_three_dimensions_counts_z():
    shape = (6, 40, 48)
    motion = known_motion("translation", shape, 6.0, TIMES)
    u = motion.displacement(positions(shape), 1.0)
    assert np.linalg.norm(u[:, 0, 0, 0]) == pytest.approx(6.0, rel=0.01)
    assert 0.3 < u[0, 0, 0, 0] < 1.0
    assert np.ptp(u.reshape(3, -1), axis=1).max() == 0
    for kind in ("rotation", "shear", "swirl", "bend", "vibration", "bounce", "wave"):
        u = known_motion(kind, shape, 6.0, TIMES).displacement(positions(shape), 1.0)
        assert np.any(u[0]) == (kind == "bend")
        np.testing.assert_array_equal(u[:, 0], u[:, -1])
        lengths = np.linalg.norm([known_motion(kind, shape, 6.0, TIMES).displacement(positions(shape), t)
                                  for t in TIMES], axis=1)  # fmt: skip
        assert np.percentile(lengths, 99) == pytest.approx(6.0, rel=0.01)


@pytest.mark.parametrize("kind", ["translation", "shear", "bend"])
def test_displacement_is_linear_in_time(kind):
    motion = known_motion(kind, (50, 60), 6.0, TIMES)
    x = positions((50, 60))
    last = motion.displacement(x, 1.0)
    for t in (-0.4, 0.0, 0.6):
        np.testing.assert_allclose(motion.displacement(x, t), last * (t + 1) / 2, atol=1e-5)


def test_vibration_goes_to_and_fro_at_least_once():
    motion = known_motion("vibration", (65, 65), 6.0, np.linspace(-1, 1, 15))
    factors = np.array([motion.progress(t) for t in np.linspace(-1, 1, 401)])
    assert factors.max() == pytest.approx(1, abs=1e-3)
    assert factors.min() == pytest.approx(-1, abs=1e-3)
    assert VIBRATION_CYCLES >= 1
    u = [motion.displacement(point(32, 45), t)[0, 0] for t in (-0.6, 0.2, 1.0)]
    assert u[0] > 1  # a quarter of a cycle on, it is turned one way,
    assert u[1] == pytest.approx(-u[0], abs=1e-4)  # then as far the other way,
    assert u[2] == pytest.approx(u[0], abs=1e-4)  # and back.


def test_a_bounce_goes_evenly_along_x_and_falls_freely_along_y():
    motion = KnownMotion("bounce", (75, 100), 12.0)
    times = np.linspace(-1, 1, 401)
    u = np.stack([motion.displacement(point(20, 30), t)[:, 0] for t in times]).astype(np.float64)
    np.testing.assert_allclose(u[:, 1], 6 * (times + 1), atol=1e-5)
    y = u[:, 0]
    assert y.min() == 0
    assert y.max() == pytest.approx(12 * BOUNCE_FALL)
    # It is let go from rest, comes down twice, and is at the top at the end.
    np.testing.assert_array_equal(np.flatnonzero(y > y.max() - 1e-4), [100, 300])
    np.testing.assert_allclose(y[[0, 200, 400]], 0, atol=1e-9)
    assert y[1] < 1e-3 * y.max()
    # But for the two impacts it falls with one and the same acceleration.
    speed = np.diff(y)
    free = np.delete(np.diff(speed), [99, 299])
    np.testing.assert_allclose(free, free[0], atol=3e-6)
    assert free[0] > 0
    np.testing.assert_allclose(speed[[100, 300]], -speed[[99, 299]], atol=1e-5)
    # Every point of the sample takes the same way.
    np.testing.assert_array_equal(motion.displacement(point(-5, 90), 0.3), motion.displacement(point(20, 30), 0.3))


def test_a_bounce_to_the_left_falls_too():
    right, left = (KnownMotion("bounce", (75, 100), a).displacement(point(1, 2), -0.2)[:, 0] for a in (12.0, -12.0))
    assert right[0] > 1
    np.testing.assert_array_equal(left, right * (1, -1))


def test_a_wave_swings_to_and_fro_about_the_lower_middle():
    shape, amplitude = (75, 100), math.radians(9)
    motion = KnownMotion("wave", shape, amplitude)
    pivot = [part * n - 0.5 for part, n in zip(WAVE_PIVOT, shape, strict=True)]
    assert pivot[0] > 0.75 * shape[0]
    assert pivot[1] == (shape[1] - 1) / 2
    above = point(pivot[0] - 50, pivot[1])
    for t in np.linspace(-1, 1, 13):
        np.testing.assert_allclose(motion.displacement(point(*pivot), t), 0, atol=1e-6)
        # A fingertip above the pivot goes right first: clockwise.
        angle = amplitude * math.sin(math.pi * (t + 1))
        expected = 50 * (1 - math.cos(angle)), 50 * math.sin(angle)
        np.testing.assert_allclose(motion.displacement(above, t)[:, 0], expected, atol=1e-4)
    assert motion.displacement(above, -0.5)[1, 0] > 7
    # It is rigid: distances stay.
    a, b = point(3, 8), point(60, 95)
    moved = a + motion.displacement(a, -0.4) - b - motion.displacement(b, -0.4)
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(a - b), rel=1e-5)


def test_a_wave_has_one_cycle_unless_told_otherwise():
    shape, times = (75, 100), np.linspace(-1, 1, 24)
    u = [known_motion("wave", shape, 6.0, times).displacement(point(5, 50), t)[1, 0] for t in np.linspace(-1, 1, 1001)]
    assert np.sum(np.sign(u[1:-2]) * np.sign(u[2:-1]) < 0) == 1
    assert known_motion("wave", shape, 6.0, times, cycles=2.3).progress(1.0) == pytest.approx(
        math.sin(2 * math.pi * 2.3)
    )
    assert known_motion("vibration", shape, 3.0, times).progress(1.0) == pytest.approx(1.0)
    with pytest.raises(InputError, match="not all at zeros of the wave"):
        known_motion("wave", shape, 6.0, [-1.0, 1.0])


@pytest.mark.parametrize("cycles", [0.75, 2.3])
def test_a_vibration_has_as_many_cycles_as_asked(cycles):
    times = np.linspace(-1, 1, 15)
    motion = known_motion("vibration", (65, 65), 3.0, times, cycles=cycles)
    y = np.array([motion.displacement(point(32, 45), t)[0, 0] for t in np.linspace(-1, 1, 1001)])
    assert np.sum(np.sign(y[1:-1]) * np.sign(y[2:]) < 0) == math.floor(2 * cycles - 1e-9)  # one every half cycle
    u = np.stack([motion.displacement(positions((65, 65)), t) for t in times])
    assert np.percentile(np.linalg.norm(u, axis=1), 99) == pytest.approx(3.0, rel=0.01)


def test_cycles_that_cannot_be_are_refused():
    for cycles in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="cycles"):
            known_motion("vibration", (64, 64), 3.0, TIMES, cycles=cycles)
    with pytest.raises(InputError, match=r"times: .* not all at zeros of the vibration"):
        known_motion("vibration", (64, 64), 3.0, np.linspace(-1, 1, 4), cycles=1.5)


def test_default_is_fixed_and_seeds_choose_direction_and_sign():
    default = known_motion("translation", (64, 64), 6.0, TIMES)
    assert default == known_motion("translation", (64, 64), 6.0, TIMES)
    np.testing.assert_allclose(
        default.displacement(point(0, 0), 1.0)[:, 0], (3.0, 6 * math.cos(math.pi / 6)), atol=1e-5
    )
    assert len({known_motion("translation", (64, 64), 6.0, TIMES, seed=s).direction_rad for s in range(5)}) == 5
    assert {np.sign(known_motion("swirl", (64, 64), 6.0, TIMES, seed=s).amplitude) for s in range(8)} == {-1, 1}


def test_zero_displacement_does_not_move():
    motion = known_motion("rotation", (64, 64), 0.0, TIMES)
    assert not np.any(motion.displacement(positions((64, 64)), 1.0))


@pytest.mark.parametrize(
    ("kind", "displacement", "times", "field"),
    [
        ("wobble", 6.0, TIMES, "motion"),
        ("swirl", -1.0, TIMES, "displacement"),
        ("swirl", math.nan, TIMES, "displacement"),
        ("swirl", 60.0, TIMES, "displacement"),
        ("rotation", 6.0, [-1.0], "times"),
    ],
)
def test_what_cannot_be_is_refused(kind, displacement, times, field):
    with pytest.raises(InputError) as caught:
        known_motion(kind, (64, 64), displacement, times)
    assert caught.value.field == field
