"""What a movie shows of a result: one channel, or its colours, and arrows of its motion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import Float
from napari_nstm.io._footer import MotionKey
from napari_nstm.io.arrows import Arrows, arrow_grid, arrow_spacing, nice_stretch, visible_points
from napari_nstm.io.channels import is_rgb
from napari_nstm.io.colors import direction_colors, speed_colors
from napari_nstm.io.draw import stretch_note, typical_length
from napari_nstm.io.result import StoredResult
from napari_nstm.io.text import round_length, time_texts
from napari_nstm.io.titles import comparison_title

ArrowColor = Literal["direction", "speed"]
_N_KEY_COLORS = 32


class View:
    """One channel or all colours (None), and of a volume one plane, of a result at any time."""

    def __init__(self, result: StoredResult, channel: int | None, plane: int | None) -> None:
        self.result, self._index = result, channel
        self.in_colors = channel is None
        self.name = "red, green, blue" if channel is None else result.channels[channel].name
        self.unit = result.channels[channel or 0].unit
        volume = len(result.shape) == 3
        self.plane = (result.shape[0] // 2 if plane is None else plane) if volume else None
        if self.plane is not None and not 0 <= self.plane < result.shape[0]:
            raise InputError("plane", str(self.plane), f"0 to {result.shape[0] - 1}")
        self.shape = (result.shape[-2], result.shape[-1])

    @property
    def quantity(self) -> str:
        """Name of what is shown, with its unit."""
        return self.name + (f" ({self.unit})" if self.unit else "")

    def image(self, time_ms: float) -> Float:
        """Render the scene at a time: (y, x), or (y, x, 3) in colours."""
        return self._flat(self.result.scene_at(time_ms))

    def comparison(self, name: str) -> Still:
        """Return what else the frames gave, likewise."""
        held = self.result.comparison_names
        if name not in held:
            article = "a result without a" if name == "conventional" else "a result without"
            raise InputError(
                "comparison",
                f"{article} {comparison_title(name)} reconstruction",
                f"one of {', '.join(held)}" if held else "a result that holds one",
            )
        found = self.result.comparison(name)
        return Still(found.times_ms, [self._flat(image) for image in found.images])

    def motion_px(self, time_ms: float, points: NDArray[np.floating]) -> Float:
        """Return u since the first frame at points (2, point), (y, x) in pixels."""
        where = np.asarray(points, np.float32)
        if self.plane is not None:
            where = np.concatenate([np.full((1, where.shape[1]), self.plane, np.float32), where])
        u_um = self.result.displacement_at(time_ms, where_px=where)[-2:]
        return np.asarray(u_um / np.reshape(self.result.pixel_size_um[-2:], (2, 1)), np.float32)

    def _flat(self, scene: Float) -> Float:
        image = scene if self.plane is None else scene[:, self.plane]
        return np.asarray(np.moveaxis(image, 0, -1) if self._index is None else image[self._index])


@dataclass(frozen=True)
class Still:
    """Images that do not follow the motion.

    Parameters
    ----------
    times_ms
        The moments they stand for.
    images
        (y, x), or (y, x, 3) in colours.
    """

    times_ms: tuple[float, ...]
    images: list[Float]

    def nearest(self, time_ms: float) -> int:
        """Return the index of the image that stands for a moment."""
        return int(np.argmin(np.abs(np.asarray(self.times_ms) - time_ms)))


class Motion:
    """Arrows at every moment of a movie; they start at the same points throughout.

    Parameters
    ----------
    view
        What the movie shows.
    times
        Its moments, in ms.
    color
        What colours mean.
    factor
        By how much the image will be enlarged, about.
    """

    def __init__(self, view: View, times: list[float], color: ArrowColor, factor: float) -> None:
        seen = (round(view.shape[0] * factor), round(view.shape[1] * factor))
        spacing = arrow_spacing(seen, 1) / factor
        points = arrow_grid(view.shape, spacing)
        first = view.image(times[0])
        grey = first.mean(axis=-1) if view.in_colors else first
        self._points = points[:, visible_points(grey, points, spacing)]
        self._vectors = np.stack([view.motion_px(time, self._points) for time in times])
        self._spacing = spacing
        self.stretch = nice_stretch(max(typical_length(vectors) for vectors in self._vectors), spacing)
        since = f"since {time_texts([times[0], times[-1]])[0]}"
        if color == "direction" or len(times) < 2:
            colors = direction_colors(np.arctan2(self._vectors[:, 0], self._vectors[:, 1]))
            self.key = MotionKey((f"motion{stretch_note(self.stretch)}", since))
        else:
            size = np.asarray(view.result.pixel_size_um[-2:]).reshape(2, 1)
            speeds = np.hypot(*np.moveaxis(np.gradient(self._vectors * size, np.asarray(times) / 1000, axis=0), 1, 0))
            top = _round_up(float(np.percentile(speeds, 99))) if speeds.size else 1.0
            colors = speed_colors(speeds / top)
            self.key = MotionKey((f"speed, 0 to {top:g} µm/s", since + stretch_note(self.stretch)), directions=False)
        self.colors = colors

    @property
    def key_colors(self) -> NDArray[np.uint8]:
        """Colours (n, 3) of the wheel or the ramp that explains the arrows."""
        if not self.key.directions:
            return speed_colors(np.linspace(0, 1, _N_KEY_COLORS))
        angles, saturation = np.linspace(-np.pi, np.pi, _N_KEY_COLORS, endpoint=False), np.array([[0.5], [1.0]])
        return direction_colors(angles, np.broadcast_to(saturation, (2, _N_KEY_COLORS))).reshape(-1, 3)

    def at(self, index: int) -> Arrows:
        """Return the arrows of a moment."""
        return Arrows(self._points, self._vectors[index] * self.stretch, self.colors[index], self._spacing)


def channel_index(result: StoredResult, channel: str | int | None) -> int | None:
    """Return the index of a channel; where none is named that of the last one, or None: all colours."""
    names = [c.name for c in result.channels]
    if channel is None:
        return None if is_rgb(names) else len(names) - 1
    if isinstance(channel, str) and channel in names:
        return names.index(channel)
    if isinstance(channel, int) and 0 <= channel < len(names):
        return channel
    raise InputError("channel", repr(channel), f"one of {', '.join(names)}")


def _round_up(value: float) -> float:
    if value <= 0 or not math.isfinite(value):
        return 1.0
    low = round_length(value)
    return next(step * low for step in (1, 2, 2.5, 5) if step * low >= value * 0.999)
