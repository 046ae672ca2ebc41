"""The arrows of a result as the user wants them: read in any thread, shown in the layer that is there already."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from napari.layers import Vectors
from numpy.typing import NDArray

from napari_nstm._qt.layers.arrows import (
    ACROSS,
    ArrowColor,
    ArrowPoints,
    arrow_colors,
    arrow_points,
    arrow_style,
    fastest_of,
    points_for,
    speeds,
    vectors_in_time,
)
from napari_nstm._qt.raw_layer import KEY, known_of
from napari_nstm.io.channels import brightness
from napari_nstm.io.result import StoredResult

CHOICES = "arrows"
"""Where the layer's metadata hold what was chosen."""

_SAMPLES_PER_SPACING = 8  # of a scene that only tells where something is


@dataclass(frozen=True)
class ArrowChoices:
    """How arrows are to be drawn.

    Parameters
    ----------
    across
        Arrows along the longest side.
    reference
        Where motion is counted from: the first frame, the last, or a time in ms.
    successive
        Whether arrows go from each moment to the next instead.
    stretch
        By how much they are lengthened; None: so that they can be seen.
    color
        What their colour tells.
    hidden_share
        They are hidden where the signal is under this share of the strongest; None: as `visible_points` has it.
    """

    across: int = ACROSS
    reference: Literal["first", "last"] | float = "first"
    successive: bool = False
    stretch: float | None = None
    color: ArrowColor = "direction"
    hidden_share: float | None = None

    def reference_ms(self, frame_times_ms: Sequence[float]) -> float:
        """Return the time that motion is counted from, within the acquisition."""
        first, last = frame_times_ms[0], frame_times_ms[-1]
        if isinstance(self.reference, str):
            return last if self.reference == "last" else first
        return min(max(self.reference, first), last)


@dataclass(frozen=True)
class Arrows:
    """Arrows of a result at some moments.

    Parameters
    ----------
    choices
        How they are drawn.
    times_ms
        Moments.
    since_ms
        Where motion is counted from; None: from each moment to the next.
    points
        Where they start.
    u_px
        (t, axis, point) in pixels.
    visible
        (point,) or (t, point): where there is something to see moving.
    thinned
        Whether there are fewer than were asked for.
    """

    choices: ArrowChoices
    times_ms: tuple[float, ...]
    since_ms: float | None
    points: ArrowPoints
    u_px: NDArray[np.float32]
    visible: NDArray[np.bool_]
    thinned: bool = False

    @property
    def data(self) -> NDArray[np.float32]:
        """Vectors as napari takes them."""
        return vectors_in_time(self.points, self.u_px)

    @property
    def about(self) -> dict[str, Any]:
        """What the layer's metadata say of them."""
        return {
            "unit": "pixel",
            "since_ms": self.since_ms,
            "successive": self.choices.successive,
            CHOICES: asdict(self.choices),
            "fastest": self._colors[1],
        }

    @property
    def style(self) -> dict[str, Any]:
        """How the layer draws them."""
        return {**arrow_style(self.points, self.stretch), "edge_color": self._colors[0]}

    @property
    def stretch(self) -> float:
        """By how much they are lengthened."""
        if self.choices.stretch is not None:
            return self.choices.stretch
        shown = np.broadcast_to(self.visible, (len(self.u_px), self.points.n))
        moments = [u[:, seen] for u, seen in zip(self.u_px, shown, strict=True)]
        return self.points.stretch_of(moments)

    def colored(self) -> "Arrows":
        """Compute the colours here and now, not in the thread that shows them."""
        _ = self._colors
        return self

    @cached_property
    def _colors(self) -> tuple[NDArray[np.float32], float]:
        """A colour for every arrow, and the speed that gets the last one, in um/s (of one moment: um)."""
        shortest = self.points.shortest_px(self.stretch)
        speed = speeds(self.u_px, self.points.pixel_size_um, self.times_ms, successive=self.choices.successive)
        fastest = fastest_of(speed, self.visible & (np.linalg.norm(self.u_px, axis=1) >= shortest))
        colors = arrow_colors(
            self.u_px, self.visible, self.choices.color, speed=speed, shortest_px=shortest, fastest=fastest
        )
        return colors.reshape(-1, 4), fastest


def read_arrows(stored: StoredResult, times_ms: Sequence[float], choices: ArrowChoices) -> Arrows:
    """Compute the arrows of a result; may run in any thread.

    Parameters
    ----------
    stored
        The result.
    times_ms
        Moments, ascending.
    choices
        How they are to be drawn. Arrows since a reference start where the sample was then; those from each moment to
        the next where it is at that moment.
    """
    shape, size = stored.shape, stored.pixel_size_um
    points = points_for(shape, size, len(times_ms), choices.across)
    wanted = arrow_points(shape, size, across=choices.across, at_most=sys.maxsize)
    since = choices.reference_ms(stored.frame_times_ms)

    def u_px(time: float, reference: float) -> NDArray[np.float32]:
        return stored.displacement_at(time, reference, points.points_px) / np.reshape(size, (-1, 1))

    def visible(time: float) -> NDArray[np.bool_]:
        image, step = coarse_scene(stored, time, points.spacing_px)
        return points.visible(image, step, share=choices.hidden_share)

    if choices.successive:
        moments = [u_px(after, time) for time, after in pairwise(times_ms)] + [np.zeros_like(points.points_px)]
        seen = np.stack([visible(time) for time in times_ms])
    else:
        moments, seen = [u_px(time, since) for time in times_ms], visible(since)
    return Arrows(
        choices=choices,
        times_ms=tuple(times_ms),
        since_ms=None if choices.successive else since,
        points=points,
        u_px=np.asarray(moments, np.float32),
        visible=seen,
        thinned=points.n < wanted.n,
    ).colored()


def coarse_scene(
    stored: StoredResult, time_ms: float, spacing_px: Sequence[float]
) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Render what is looked at only as finely as points `spacing_px` apart need it.

    Returns
    -------
    image, step_px
        ([z,] y, x), and the distance between its samples in pixels.
    """
    step = tuple(float(max(1, s // _SAMPLES_PER_SPACING)) for s in spacing_px)
    shown = np.nan_to_num(stored.coarse_scene_at(time_ms, step))  # of tiles that have not begun nothing is known
    return brightness(shown, [channel.name for channel in stored.channels]), step


def show_arrows(layer: Vectors, made: Arrows, placed: Mapping[str, Any]) -> None:
    """Show other arrows in a motion layer, all in one turn.

    Parameters
    ----------
    layer
        Its name, visibility and opacity are the user's.
    made
        What to show.
    placed
        `scale` and `translate` where the moments are others than before.
    """
    style = made.style
    layer.data = made.data
    # In this order: napari gives arrows that come anew, or are left, the colours of others.
    layer.edge_color = style["edge_color"]
    for name, value in placed.items():
        setattr(layer, name, value)
    if layer.edge_width != style["edge_width"]:
        layer.edge_width = style["edge_width"]
    # The canvas's words read both: the last one to change has them written.
    about = {**known_of(layer), **made.about, "times_ms": list(made.times_ms)}
    layer.metadata = {**layer.metadata, KEY: about}
    if layer.length != style["length"]:
        layer.length = style["length"]


def choices_of(layer: Vectors) -> ArrowChoices:
    """Return what was chosen for a motion layer."""
    return ArrowChoices(**known_of(layer).get(CHOICES, {}))
