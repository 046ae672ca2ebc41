"""Arrows of motion for a Vectors layer: where they stand, which way they point, how they are coloured.

Colours are given to the layer as one RGBA row per arrow, never by features, and the number of arrows stays the same
while a layer is updated: napari loses the colours otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_nstm.io.arrows import arrow_grid, nice_stretch, sample_at, visible_points
from napari_nstm.io.colors import direction_colors, speed_colors
from napari_nstm.io.draw import typical_length

Float = NDArray[np.floating]
ArrowColor = Literal["direction", "speed"]

ACROSS = 20
"""Arrows along the longest side, where nobody chose."""
AT_MOST = 2_500
"""Arrows of one moment."""
AT_MOST_IN_ALL = 65_536
"""Arrows of a layer: napari needs about a second for as many."""

_CLOSEST_PX = 2.0
_SAMPLES_PER_SPACING = 8
_WIDTH = 0.11  # of the distance between arrows; napari draws heads twice as wide
_SHORTEST = 1.4  # of the width


@dataclass(frozen=True)
class ArrowPoints:
    """Points of the sample at the first frame's time, at which arrows start; they never change in a run.

    Parameters
    ----------
    points_px
        (axis, point), ([z,] y, x) in pixels of the field.
    spacing_px
        Distance between points along each axis.
    pixel_size_um
        Of the field, along each axis.
    """

    points_px: Float
    spacing_px: tuple[float, ...]
    pixel_size_um: tuple[float, ...]

    @property
    def n(self) -> int:
        """Number of points."""
        return int(self.points_px.shape[1])

    @property
    def width_px(self) -> float:
        """Width of arrows (`edge_width` of the layer)."""
        return _WIDTH * self.spacing_px[-1]

    def shortest_px(self, stretch: float) -> float:
        """Return the least length of an arrow whose direction can be seen."""
        return _SHORTEST * self.width_px / stretch

    def stretch(self, u_px: Float) -> float:
        """Return by how much arrows are to be lengthened to be seen (`length` of the layer).

        Parameters
        ----------
        u_px
            (axis, point) in pixels, or a stack of them; of points that are shown: others may go anywhere.
        """
        return self.stretch_of(np.reshape(u_px, (-1, *np.shape(u_px)[-2:])))

    def stretch_of(self, moments: Iterable[Float]) -> float:
        """Return what `stretch` does, of moments (axis, point) that show different points."""
        longest = max(typical_length(moment) for moment in moments)
        return nice_stretch(longest, self.spacing_px[-1])

    def visible(
        self,
        image: Float,
        step_px: Sequence[float] | None = None,
        u_px: Float | None = None,
        share: float | None = None,
    ) -> NDArray[Any]:
        """Tell which points lie on something that can be seen moving: (point,).

        Parameters
        ----------
        image
            One channel of the scene at any moment, ([z,] y, x).
        step_px
            Distance between its samples, in pixels of the field; None: 1.
        u_px
            How far the points have gone at that moment, (axis, point); None: not yet.
        share
            How strong the signal must be, as in `visible_points`.
        """
        step = np.asarray(step_px or (1.0,) * image.ndim, float)
        spacing = np.asarray(self.spacing_px) / step
        # What is averaged over the distance between arrows needs only some samples of it.
        skip = np.maximum(1, spacing // _SAMPLES_PER_SPACING).astype(int)
        where = self.points_px if u_px is None else self.points_px + u_px
        coarse = image[tuple(slice(None, None, int(k)) for k in skip)]
        return visible_points(coarse, where / (step * skip)[:, None], tuple(spacing / skip), share)


def arrow_points(
    shape: tuple[int, ...],
    pixel_size_um: Sequence[float] | None = None,
    *,
    across: int = ACROSS,
    at_most: int = AT_MOST,
) -> ArrowPoints:
    """Choose where arrows start: evenly over the field, equally far apart in um along all axes.

    Parameters
    ----------
    shape
        Pixels of the field, ([z,] y, x).
    pixel_size_um
        Along each axis; None: equal.
    across
        Arrows along the longest side of a plane.
    at_most
        Number of arrows; they are farther apart where there would be more.
    """
    size = np.asarray(pixel_size_um or (1.0,) * len(shape), float)
    extent = size * shape
    distance = max(extent[-2:].max() / across, _CLOSEST_PX * size[-1])
    points = arrow_grid(shape, distance / size)
    while points.shape[1] > max(at_most, 1):
        distance *= max(1.02, (points.shape[1] / at_most) ** (1 / len(shape)))
        points = arrow_grid(shape, distance / size)
    if len(shape) == 3:
        points[0] = np.rint(points[0])  # napari shows the arrows of whole planes
    return ArrowPoints(points, tuple(float(d) for d in distance / size), tuple(float(s) for s in size))


def points_for(
    shape: tuple[int, ...], pixel_size_um: Sequence[float], n_times: int, across: int = ACROSS
) -> ArrowPoints:
    """Choose points for a layer that shows `n_times` moments, so that it stays fast."""
    at_most = min(max(AT_MOST, across**2), max(1, AT_MOST_IN_ALL // n_times))
    return arrow_points(shape, pixel_size_um, across=across, at_most=at_most)


def motion_at(points: ArrowPoints, motion_um: Float, step_px: Sequence[float]) -> NDArray[np.float32]:
    """Read coarsely sampled motion at the points.

    Parameters
    ----------
    points
        Where.
    motion_um
        (axis, [z,] y, x): u in um, sample 0 at the field's.
    step_px
        Distance between its samples, in pixels of the field.

    Returns
    -------
    NDArray
        (axis, point) in pixels.
    """
    where = points.points_px / np.reshape(step_px, (-1, 1))
    u_um = np.stack([sample_at(component, where) for component in motion_um])
    return np.asarray(u_um / np.reshape(points.pixel_size_um, (-1, 1)), np.float32)


def vectors(points: ArrowPoints, u_px: Float) -> NDArray[np.float32]:
    """Put the arrows of one moment together, as napari takes them: (point, 2, axis).

    Parameters
    ----------
    points
        Where they start.
    u_px
        (axis, point) in pixels.
    """
    return np.stack([points.points_px.T, np.asarray(u_px).T], axis=1).astype(np.float32)


def vectors_in_time(points: ArrowPoints, u_px: Float) -> NDArray[np.float32]:
    """Put the arrows of all moments together: (time * point, 2, 1 + axis), the first axis counts moments.

    Parameters
    ----------
    points
        Where they start.
    u_px
        (time, axis, point) in pixels.
    """
    made = np.zeros((len(u_px), points.n, 2, 1 + len(points.points_px)), np.float32)
    made[:, :, 0, 0] = np.arange(len(u_px))[:, None]
    made[..., 1:] = np.stack([vectors(points, moment) for moment in u_px])
    return made.reshape(-1, *made.shape[2:])


def speeds(
    u_px: Float, pixel_size_um: Sequence[float], times_ms: Sequence[float], *, successive: bool = False
) -> NDArray[np.float32]:
    """Return speeds, (time, point), in um/s; where there is only one moment: distances in um.

    Parameters
    ----------
    u_px
        (time, axis, point) in pixels.
    pixel_size_um
        Along each axis.
    times_ms
        Of the moments.
    successive
        Whether u goes from each moment to the next (of the last: nowhere), not from one reference to each.
    """
    u_um = np.asarray(u_px) * np.reshape(pixel_size_um, (-1, 1))
    seconds = np.asarray(times_ms) / 1000
    if len(u_um) == 1:
        rate = u_um
    elif successive:
        rate = u_um / np.append(np.diff(seconds), np.inf)[:, None, None]
    else:
        rate = np.gradient(u_um, seconds, axis=0)
    return np.linalg.norm(rate, axis=1).astype(np.float32)


def arrow_colors(
    u_px: Float,
    visible: NDArray[Any],
    by: ArrowColor = "direction",
    *,
    speed: Float | None = None,
    shortest_px: float = 0.0,
    fastest: float | None = None,
) -> NDArray[np.float32]:
    """Colour arrows: (..., point, 4) sRGB and opacity in [0, 1].

    Parameters
    ----------
    u_px
        (..., axis, point) in pixels; the colour of a direction is that within the plane.
    visible
        (point,) or (..., point); the others become transparent.
    by
        What the colour tells.
    speed
        (..., point), in any unit; None: the length.
    shortest_px
        Shorter ones become transparent: they would look like a line across their direction.
    fastest
        Speed that gets the last colour; None: that of `fastest_of`.
    """
    u = np.moveaxis(np.asarray(u_px), -2, 0)
    length = np.linalg.norm(u, axis=0)
    shown = visible & (length >= shortest_px)
    if by == "direction":
        rgb = direction_colors(np.arctan2(u[-2], u[-1]))
    else:
        value = length if speed is None else np.asarray(speed)
        top = fastest_of(value, shown) if fastest is None else fastest
        rgb = speed_colors(value / top if top > 0 else np.zeros_like(value))
    return np.concatenate([rgb / 255, shown[..., None]], axis=-1).astype(np.float32)


def fastest_of(speed: Float, shown: NDArray[Any]) -> float:
    """Return the speed that gets the last colour: the 99th percentile of arrows that are shown; 0 without any."""
    return float(np.percentile(np.asarray(speed)[shown], 99)) if shown.any() else 0.0


def arrow_style(points: ArrowPoints, stretch: float) -> dict[str, Any]:
    """Return how a Vectors layer draws arrows, lengthened by `stretch`."""
    return {
        "vector_style": "arrow",
        "edge_width": points.width_px,
        "length": stretch,
        "opacity": 1.0,
        "blending": "translucent_no_depth",
    }
