from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import spline_filter

from napari_nstm.core.warp import Canvas, MotionLattice, positions, render

SIZE = 64
MIDDLE = (SIZE - 1) / 2


def lattice(pull_back_at, times=3, spacing=1.0, origin=-8.0, n=80):
    """Sample dx(where, t) on a lattice that is larger than the field."""
    where = positions((n, n), (spacing, spacing)) + origin
    values = np.stack([pull_back_at(where, t) for t in np.linspace(-1, 1, times)])
    return MotionLattice(values.astype(np.float32), (origin, origin), (spacing, spacing))


def shift(dy, dx):
    """Points move by (dy, dx) from t = -1 to t = 1: they come from x - u."""
    return lambda where, t: -np.stack([np.full(where.shape[1:], d * (t + 1) / 2) for d in (dy, dx)])


def turn(where, angle):
    """u of a rotation by `angle` from +x towards +y (y downwards), about the middle of the field."""
    y, x = where - MIDDLE
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * y + s * x - y, c * x - s * y - x])


def test_the_picture_moves_where_the_points_go():
    picture = np.random.default_rng(0).normal(size=(2, SIZE, SIZE)).astype(np.float32)
    canvas = Canvas(picture, (0.0, 0.0), (1.0, 1.0), order=1)
    where = positions((SIZE, SIZE))
    motion = lattice(shift(3, -5))
    np.testing.assert_allclose(render(canvas, motion, -1.0, where), picture, atol=1e-5)
    shown = render(canvas, motion, 1.0, where)
    np.testing.assert_allclose(shown[:, 3:, :-5], picture[:, :-3, 5:], atol=1e-5)
    u = motion.displacement(where, 1.0, -1.0)
    np.testing.assert_allclose(u[0], 3, atol=1e-5)
    np.testing.assert_allclose(u[1], -5, atol=1e-5)


def test_a_canvas_knows_where_its_samples_lie():
    # Samples of y + 10 x at -4, -3.5, -3, ...
    where = positions((40, 40), (0.5, 0.5)) - 4
    plane = (where[0] + 10 * where[1])[None]
    canvas = Canvas(plane, (-4.0, -4.0), (0.5, 0.5), order=1)
    points = np.array([[0.0, 1.25, -4.0], [0.0, 2.5, 3.75]], np.float32)
    np.testing.assert_allclose(canvas.at(points)[0], points[0] + 10 * points[1], atol=1e-4)


def test_beyond_its_edge_a_canvas_goes_on():
    canvas = Canvas(np.arange(16, dtype=np.float32).reshape(1, 4, 4), (0.0, 0.0), (1.0, 1.0), order=1)
    np.testing.assert_allclose(canvas.at(np.array([[-3.0, 9.0], [0.0, 9.0]], np.float32))[0], [0, 15])


def test_cubic_coefficients_give_the_samples_back_and_a_fine_wave_between_them():
    wave = np.cos(2 * np.pi * 0.3 * np.arange(SIZE))[None, :] * np.ones((SIZE, 1))
    coefficients = spline_filter(wave, order=3, mode="nearest", output=np.float32)[None]
    canvas = Canvas(coefficients, (0.0, 0.0), (1.0, 1.0), order=3)
    where = positions((8, 40)) + np.array([28, 12])[:, None, None]
    np.testing.assert_allclose(canvas.at(where)[0], wave[28:36, 12:52], atol=1e-4)
    between = canvas.at(where + 0.5)[0]
    amplitude = np.sqrt(2 * np.mean(between**2))
    assert amplitude == pytest.approx(1, abs=0.08)  # linear interpolation would leave cos(0.3 pi) = 0.59


def test_time_is_interpolated_linearly_and_held_at_the_ends():
    motion = lattice(shift(8, 0), times=2)
    where = np.zeros((2, 1), np.float32)
    for t, moved in [(-1, 0), (-0.5, 2), (0, 4), (1, 8), (3, 8), (-2, 0)]:
        assert motion.displacement(where, t, -1.0)[0, 0] == pytest.approx(moved, abs=1e-5)
    still = MotionLattice(motion.values_px[-1:], motion.origin_px, motion.spacing_px)
    for t in (-1, 0.3, 1):
        assert still.pull_back(where, t)[0, 0] == pytest.approx(-8)


def test_a_rotation_by_10_degrees_has_its_sign_and_size_far_from_the_axis():
    angle = np.deg2rad(10)
    # What is at x at time t came from there by the opposite turn.
    motion = lattice(lambda where, t: turn(where, -angle * (t + 1) / 2), times=33)
    where = positions((SIZE, SIZE))
    u = motion.displacement(where, 1.0, -1.0)
    inside = np.hypot(*(where - MIDDLE)) < MIDDLE + 4  # what leaves the lattice has no known motion
    np.testing.assert_allclose(u[:, inside], turn(where, angle)[:, inside], atol=2e-3)
    # +x turns towards +y: the point right of the middle goes down, by r sin(10 degrees).
    right = np.array([[MIDDLE], [MIDDLE + 30]], np.float32)
    assert motion.displacement(right, 1.0, -1.0)[0, 0] == pytest.approx(30 * np.sin(angle), abs=2e-3)


def test_the_reference_time_is_where_nothing_has_moved():
    angle = np.deg2rad(10)
    motion = lattice(lambda where, t: turn(where, -angle * (t + 1) / 2), times=33)
    where = positions((9, 9), (4.0, 4.0)) + 16
    for reference in (-1.0, 0.25, 1.0):
        np.testing.assert_allclose(motion.displacement(where, reference, reference), 0, atol=1e-4)
    # Seen from the last moment, the first is a turn the other way, and half way half of it.
    np.testing.assert_allclose(motion.displacement(where, -1.0, 1.0), turn(where, -angle), atol=2e-3)
    np.testing.assert_allclose(motion.displacement(where, 0.0, 1.0), turn(where, -angle / 2), atol=2e-3)


def test_displacement_solves_the_equation_that_defines_it():
    def wavy(where, t):
        return 3 * np.sin(where[::-1] / 6 + t)

    motion = lattice(wavy, times=9)
    where = positions((12, 12), (4.0, 4.0)) + 6
    y = where + motion.displacement(where, 0.6, -0.4)
    np.testing.assert_allclose(y + motion.pull_back(y, 0.6), where + motion.pull_back(where, -0.4), atol=0.02)


def test_a_coarse_lattice_gives_an_affine_motion_exactly():
    def stretch(where, t):
        return 0.1 * t * where

    fine, coarse = lattice(stretch, spacing=1.0, n=80), lattice(stretch, spacing=8.0, n=11)
    where = positions((SIZE, SIZE))
    np.testing.assert_allclose(coarse.pull_back(where, 0.7), 0.07 * where, atol=1e-4)
    np.testing.assert_allclose(coarse.pull_back(where, 0.7), fine.pull_back(where, 0.7), atol=1e-4)


def test_three_dimensions():
    rng = np.random.default_rng(1)
    picture = rng.normal(size=(1, 6, 20, 20)).astype(np.float32)
    canvas = Canvas(picture, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), order=1)
    values = np.zeros((2, 3, 6, 20, 20), np.float32)
    values[1] = -np.array([1, 2, -3], np.float32).reshape(3, 1, 1, 1)
    motion = MotionLattice(values, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    where = positions((6, 20, 20))
    shown = render(canvas, motion, 1.0, where)
    np.testing.assert_allclose(shown[0, 1:, 2:, :-3], picture[0, :-1, :-2, 3:], atol=1e-5)
    np.testing.assert_allclose(
        motion.displacement(where, 1.0, -1.0), np.broadcast_to([[[[1]]], [[[2]]], [[[-3]]]], where.shape), atol=1e-5
    )
