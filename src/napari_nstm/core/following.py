"""Following points of the sample through time, in pixels and the model's times.

A point of the scene has one label X for good: where it was at x at time s and is at y at time t,
y + dx(y, t) = X = x + dx(x, s), with dx the pull-back of the model (paper, equation 1; `core.warp`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.warp import MotionLattice

Float = NDArray[np.float64]
Flags = NDArray[np.bool_]

EDGE_PX = 0.5
"""The field ends where its outermost pixels end."""

_NEWTON_STEPS = 20
_TOLERANCE_PX = 1e-3
_DIFFERENCE_PX = 0.25  # for derivatives of dx, which is linear between lattice points
_STRETCHED = 10.0


@dataclass(frozen=True)
class Paths:
    """Where points went, as `follow` finds it.

    Parameters
    ----------
    positions_px
        (point, time, component); NaN after a point left the field, or was lost, counted from when it was marked.
    left_the_field, lost
        (point,): what ended a path before the last time, or after the first.
    """

    positions_px: Float
    left_the_field: Flags
    lost: Flags


def follow(motion: MotionLattice, points_px: Float, t_points: Float, times: Float, shape: tuple[int, ...]) -> Paths:
    """Follow points of the sample, forward and backward from the times at which they were marked.

    From one time of the motion's lattice to the next y + dx(y, t) = X is solved by Newton's method, which also finds
    motions with gradients over 1 (turns of more than 60 degrees), where the fixed-point iteration does not.

    Parameters
    ----------
    motion
        The pull-back.
    points_px
        (component, point) in the field.
    t_points
        (point,): when they are there, in [-1, 1].
    times
        (time,): when their positions are wanted, in [-1, 1], ascending.
    shape
        Pixels of the field, ([z,] y, x); a path ends where it crosses the edge of the outermost pixels.
    """
    points = np.asarray(points_px, np.float64)
    labels = np.empty_like(points)
    for t in np.unique(t_points):
        then = t_points == t
        labels[:, then] = points[:, then] + _pull_back(motion, points[:, then], float(t))
    end_px = np.reshape(shape, (-1, 1)) - 1 + EDGE_PX
    found = np.full((points.shape[1], len(times), len(points)), np.nan)
    left, lost = np.zeros((2, points.shape[1]), np.bool_)
    wanted = {float(t): index for index, t in enumerate(times)}
    between = np.linspace(-1, 1, len(motion.values_px))
    steps = np.unique(np.concatenate([times, between]))
    forward, backward = steps[steps <= times[-1]], steps[steps >= times[0]][::-1]
    for order, sign in ((forward, 1), (backward, -1)):
        at, going = points.copy(), np.ones(points.shape[1], np.bool_)
        for t in order:
            now = np.flatnonzero(going & (sign * t_points <= sign * t))
            if not len(now):
                continue
            moment = MotionLattice(motion.at_time(float(t))[None], motion.origin_px, motion.spacing_px)
            at[:, now], sound = _solve(moment, labels[:, now], at[:, now])
            inside = ((at[:, now] >= -EDGE_PX) & (at[:, now] <= end_px)).all(axis=0)
            lost[now] |= ~sound
            left[now] |= sound & ~inside
            going[now] = sound & inside
            if float(t) in wanted:
                there = now[sound & inside]
                found[there, wanted[float(t)]] = at[:, there].T
    return Paths(found, left, lost)


def _solve(moment: MotionLattice, labels: Float, start: Float) -> tuple[Float, Flags]:
    """Solve y + dx(y) = X near a start: y, and for each point whether it is to be believed.

    Where the motion folds, the place near the start vanishes and the solution jumps to another, far away.
    """
    n_axes = len(start)
    y = start.copy()
    gap = y + _pull_back(moment, y) - labels
    # What a point may move in this step: the sample is hardly stretched more.
    reach = _STRETCHED * np.linalg.norm(gap, axis=0) + _TOLERANCE_PX
    for _ in range(_NEWTON_STEPS):
        if (np.abs(gap) <= _TOLERANCE_PX).all():
            break
        slope = np.repeat(np.eye(n_axes)[..., None], y.shape[1], axis=2)  # (component, axis, point)
        for axis in range(n_axes):
            shift = np.zeros((n_axes, 1))
            shift[axis] = _DIFFERENCE_PX
            change = _pull_back(moment, y + shift) - _pull_back(moment, y - shift)
            slope[:, axis] += change / (2 * _DIFFERENCE_PX)
        y = y - np.einsum("pca,ap->cp", np.linalg.pinv(np.moveaxis(slope, 2, 0)), gap)
        gap = y + _pull_back(moment, y) - labels
    sound = (np.abs(gap) <= _TOLERANCE_PX).all(axis=0) & (np.linalg.norm(y - start, axis=0) <= reach)
    return y, sound


def _pull_back(motion: MotionLattice, where_px: Float, t: float = 0.0) -> Float:
    return np.asarray(motion.pull_back(where_px.astype(np.float32), t), np.float64)
