"""Paths of points of the sample in physical units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.core.following import EDGE_PX, Flags, Float, follow
from napari_nstm.core.warp import MotionLattice

_SHOWN = 5  # points that a sentence names


@dataclass(frozen=True)
class Trajectories:
    """Paths of points of the sample in physical units.

    A track ends at the last moment at which its point is in the field: beyond it the motion is a mere continuation of
    what is at the edge. A point that comes back is not taken up again.

    Parameters
    ----------
    positions_um
        (track, time, component): ([z,] y, x) from the middle of pixel 0 of the result; NaN where the track has ended.
    times_ms
        (time,), ascending.
    marked_um, marked_ms
        (track, component) and (track,): where and when each point was marked.
    pixel_size_um
        Of the result, ([z,] y, x).
    left_the_field
        (track,): whether the track ends because its point leaves the field.
    lost
        (track,): whether it ends because the motion folds there: a point of the sample would be at several places.
    origin_um
        Where pixel 0 of the result lies in the field of the whole raw frames, ([z,] y, x); empty: at 0.
    """

    positions_um: Float
    times_ms: Float
    marked_um: Float
    marked_ms: Float
    pixel_size_um: tuple[float, ...]
    left_the_field: Flags
    lost: Flags
    origin_um: tuple[float, ...] = ()

    @property
    def followed(self) -> Flags:
        """(track, time): whether the point is in the field, and its position known."""
        return np.isfinite(self.positions_um[..., 0])

    @property
    def displacement_um(self) -> Float:
        """(track, time): distance from where the point was marked."""
        return np.asarray(np.linalg.norm(self.positions_um - self.marked_um[:, None], axis=-1))

    @property
    def speed_um_per_s(self) -> Float:
        """(track, time): central differences in time, one-sided at the ends; NaN of a track of one moment."""
        speed = np.full(self.positions_um.shape[:2], np.nan)
        for track, there in enumerate(self.followed):
            if there.sum() > 1:  # without a gap: a track ends for good
                velocity = np.gradient(self.positions_um[track, there], self.times_ms[there] / 1000, axis=0)
                speed[track, there] = np.linalg.norm(velocity, axis=-1)
        return speed

    @property
    def notices(self) -> tuple[str, ...]:
        """What is to be known of tracks that end early, a sentence each."""
        said = []
        for ended, one, several in (
            (self.left_the_field, "leaves the field, beyond which", "leave the field, beyond which"),
            (self.lost, "comes where the motion folds, from where on", "come where the motion folds, from where on"),
        ):
            if ended.sum() == 1:
                said.append(f"{_points(np.flatnonzero(ended))} {one} it cannot be followed: its track ends.")
            elif ended.any():
                said.append(f"{_points(np.flatnonzero(ended))} {several} they cannot be followed: their tracks end.")
        return tuple(said)

    def table(self) -> dict[str, NDArray[Any]]:
        """Return a row for each track and moment, without those after a track's end, by name of the column."""
        track, moment = np.nonzero(self.followed)
        axes = "zyx"[-self.positions_um.shape[-1] :]
        where = {f"{axis}_um": self.positions_um[track, moment, k] for k, axis in enumerate(axes)}
        return {
            "track": track,
            "time_ms": self.times_ms[moment],
            **where,
            "displacement_um": self.displacement_um[track, moment],
            "speed_um_per_s": self.speed_um_per_s[track, moment],
        }


def trace(
    motion: MotionLattice,
    points_um: ArrayLike,
    marked_ms: ArrayLike,
    times_ms: Sequence[float],
    *,
    shape: tuple[int, ...],
    pixel_size_um: tuple[float, ...],
    span_ms: tuple[float, float],
    normalized_time: Callable[[float], float],
) -> Trajectories:
    """Check points and times, and follow the points; physical units.

    Parameters
    ----------
    motion
        Of the result.
    points_um
        (point, component), ([z,] y, x).
    marked_ms
        When they are there: a time, or one for each point.
    times_ms
        Moments, ascending.
    shape, pixel_size_um
        Of the field, ([z,] y, x).
    span_ms
        First and last time of the acquisition.
    normalized_time
        Turns a time in ms into the model's, in [-1, 1].

    Raises
    ------
    InputError
        If a point lies outside the field, or a time outside the acquisition; field `points`, `at_ms` or `times_ms`.
    """
    size = np.asarray(pixel_size_um, np.float64)
    points = _checked_points(points_um, shape, size)
    marked = np.asarray(marked_ms, np.float64)
    if marked.ndim and marked.shape != (len(points),):
        raise InputError("at_ms", f"{marked.size} times for {len(points)} points", "one time, or one for each point")
    marked = np.array(np.broadcast_to(marked, (len(points),)))
    times = np.asarray(times_ms, np.float64)
    if times.ndim != 1 or not len(times) or not (np.diff(times) > 0).all():
        raise InputError("times_ms", f"{times.size} times in no such order", "one or more times in ascending order")
    for field, given in (("at_ms", marked), ("times_ms", times)):
        _check_times(field, given, span_ms)
    clock = np.vectorize(normalized_time, otypes=[np.float64])
    paths = follow(motion, (points / size).T, clock(marked), clock(times), shape)
    return Trajectories(
        positions_um=paths.positions_px * size,
        times_ms=times,
        marked_um=points,
        marked_ms=marked,
        pixel_size_um=pixel_size_um,
        left_the_field=paths.left_the_field,
        lost=paths.lost,
    )


def _checked_points(points_um: ArrayLike, shape: tuple[int, ...], size: Float) -> Float:
    axes = "zyx"[-len(shape) :]
    named = ", ".join(axes)
    try:
        points = np.array(points_um, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("points", "something that is no table of numbers", f"rows of {named} in um") from error
    if points.ndim != 2 or points.shape[1] != len(shape) or not len(points):
        got = "no points" if not points.size else f"an array of {' x '.join(map(str, points.shape))}"
        raise InputError("points", got, f"one or more rows of {named} in um")
    px = points / size
    # NaN lies nowhere.
    outside = ~((px >= -EDGE_PX) & (px <= np.asarray(shape) - 1 + EDGE_PX)).all(axis=1)
    if outside.any():
        which = np.flatnonzero(outside)
        first = ", ".join(f"{axis} = {value:.4g}" for axis, value in zip(axes, points[which[0]], strict=True))
        where = f" ({first} um)" if len(which) == 1 else f" (the first at {first} um)"
        field = ", ".join(f"{axis} to {(n - 1) * s:.4g}" for axis, n, s in zip(axes, shape, size, strict=True))
        verb = "lies" if len(which) == 1 else "lie"
        got = f"{_points(which).lower()}{where}, which {verb} outside the field"
        raise InputError("points", got, f"points in the field, from 0 um: {field} um")
    return points


def _check_times(field: str, times: Float, span_ms: tuple[float, float]) -> None:
    first, last = span_ms
    slack = 1e-6 * max(abs(first), abs(last), 1.0)  # as for moments of a job
    outside = times[~((times >= first - slack) & (times <= last + slack))]
    if len(outside):
        raise InputError(field, f"{outside[0]:g} ms", f"times of the acquisition, {first:g} to {last:g} ms")


def _points(which: NDArray[np.intp]) -> str:
    """Name points by their numbers, from 0 as everywhere in napari."""
    shown = [str(int(k)) for k in which[:_SHOWN]]
    if len(which) == 1:
        return f"Point {shown[0]}"
    if len(which) > len(shown):
        return f"Points {', '.join(shown)} and {len(which) - len(shown)} more"
    return f"Points {', '.join(shown[:-1])} and {shown[-1]}"
