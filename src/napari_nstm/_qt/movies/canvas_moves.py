"""How slider and camera move in a movie of the canvas."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari_nstm._qt.raw_layer import known_of
from napari_nstm.core.errors import InputError
from napari_nstm.io.pace import Loop, frame_order, movie_plan

Moves = Literal["time", "turn", "both"]

_TURN_FRAMES, _TURN_FPS = 120, 25.0
_WATCHED_S = 4.0  # how long the moments of nobody knows when are shown, at the longest


@dataclass(frozen=True)
class Timeline:
    """The slider of a viewer that goes through time.

    Parameters
    ----------
    axis
        Of the viewer.
    points
        Where it stands at its own moments.
    times_ms
        When that is, where a layer knows.
    """

    axis: int
    points: tuple[float, ...]
    times_ms: tuple[float, ...] | None = None

    def at(self, n_moments: int) -> NDArray[np.float64]:
        """Return positions that are evenly spaced in time; as many as its own moments: those."""
        if n_moments == len(self.points):
            return np.asarray(self.points, float)
        if self.times_ms is None:
            return np.linspace(self.points[0], self.points[-1], n_moments)
        moments = np.linspace(self.times_ms[0], self.times_ms[-1], n_moments)
        return np.interp(moments, self.times_ms, self.points)


@dataclass(frozen=True)
class Take:
    """One picture: where the slider stands (None: where it is), and how far the camera has turned."""

    point: float | None
    turn_rad: float = 0.0


@dataclass(frozen=True)
class CanvasPlan:
    """What a movie of the canvas will be.

    Parameters
    ----------
    takes
        Its pictures, in order.
    fps
        Frames per second.
    n_moments
        Different pictures.
    axis
        Of the slider; None: it stays.
    slowdown
        Seconds on the screen per second of the acquisition; None: nobody knows.
    """

    takes: tuple[Take, ...]
    fps: float
    n_moments: int
    axis: int | None
    slowdown: float | None

    @property
    def n_frames(self) -> int:
        """Frames of the file."""
        return len(self.takes)

    @property
    def duration_s(self) -> float:
        """How long it plays, once through."""
        return self.n_frames / self.fps

    @property
    def turns(self) -> bool:
        """Whether the camera does."""
        return any(take.turn_rad for take in self.takes)


def timeline(viewer: ViewerModel) -> Timeline | None:
    """Return the slider that goes through time: of axis t, or else the first; None where there is none."""
    dims = viewer.dims
    sliders = [axis for axis in range(dims.ndim) if axis not in dims.displayed and dims.nsteps[axis] > 1]
    named = [axis for axis in sliders if dims.axis_labels[axis] == "t"]
    if not sliders:
        return None
    axis = (named or sliders)[0]
    start, _, step = dims.range[axis]
    points = tuple(start + step * index for index in range(dims.nsteps[axis]))
    for layer in reversed(viewer.layers):
        times = known_of(layer).get("times_ms")
        if layer.visible and times and len(times) == len(points) and dims.ndim - layer.ndim == axis:
            return Timeline(axis, points, tuple(float(time) for time in times))
    return Timeline(axis, points)


def shows_volume(viewer: ViewerModel) -> bool:
    """Whether a visible layer has depth, so that a turn shows something new."""
    return any(
        layer.visible and "z" in layer.axis_labels and layer.extent.data[1][layer.axis_labels.index("z")] > 0.5
        for layer in viewer.layers
    )


def canvas_plan(
    line: Timeline | None,
    moves: Moves,
    n_moments: int | None = None,
    fps: float | None = None,
    *,
    loop: Loop = "once",
    gif: bool = False,
) -> CanvasPlan:
    """Choose what was not asked for.

    Parameters
    ----------
    line
        Slider through time, if there is one.
    moves
        What moves: the slider from end to end, the camera once around, or both at a time.
    n_moments
        Different pictures; None: the slider's own moments, or enough for a smooth turn.
    fps
        Frames per second; None: real time where that can be watched.
    loop
        once, or boomerang: and back.
    gif
        Whether it will be a GIF, which cannot hold every rate.

    Raises
    ------
    InputError
        Fields `frames`, `fps`, and `moves` where there is no time to go through.
    """
    turns, moves_on = moves != "time", moves != "turn"
    if moves_on and line is None:
        raise InputError("moves", "a canvas without a time slider", "a visible layer with several moments")
    times = line.times_ms if line is not None and moves_on else None
    duration_s = 0.0 if times is None else (times[-1] - times[0]) / 1000
    wished = n_moments
    if wished is None:
        wished = _TURN_FRAMES if turns or line is None else len(line.points)
    if fps is None and times is None:
        fps = _TURN_FPS if turns else min(max(wished / _WATCHED_S, 1.0), _TURN_FPS)
    plan = movie_plan(duration_s, wished, fps, gif=gif)
    points = line.at(plan.n_moments).tolist() if moves_on and line is not None else [None] * plan.n_moments
    # The last picture of a turn is one step before the first, so that it goes on without a halt.
    turn = 2 * np.pi / plan.n_moments if turns else 0.0
    takes = [Take(point, turn * index) for index, point in enumerate(points)]
    order = frame_order(plan.n_moments, loop)
    axis = line.axis if moves_on and line is not None else None
    return CanvasPlan(tuple(takes[i] for i in order), plan.fps, plan.n_moments, axis, plan.slowdown if times else None)


def turned(view: Any, up: Any, angle_rad: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Turn a camera about the axis of the sample that stands most upright in its picture.

    Parameters
    ----------
    view, up
        Directions (3,) in which it looks, and which is up in its picture.
    angle_rad
        How far.

    Returns
    -------
    view, up
        Of the turned camera (Rodrigues' formula).
    """
    upright = np.zeros(3)
    upright[np.argmax(np.abs(up))] = 1.0

    def rotated(vector: Any) -> tuple[float, ...]:
        v = np.asarray(vector, float)
        along = upright * np.dot(upright, v)
        across = v - along
        found = along + np.cos(angle_rad) * across + np.sin(angle_rad) * np.cross(upright, across)
        return tuple(float(value) for value in found)

    return rotated(view), rotated(up)
