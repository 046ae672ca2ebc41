"""A result as napari layers: read in any thread, added in the window's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.types import LayerDataTuple
from numpy.typing import NDArray

from napari_nstm._qt.layers.arrows import ArrowColor, ArrowPoints, points_for
from napari_nstm._qt.layers.levels import is_large, stored_levels
from napari_nstm._qt.layers.motion import ArrowChoices, Arrows, coarse_scene
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.core.data import Comparison
from napari_nstm.core.grids import Channel
from napari_nstm.io.channels import is_rgb, looked_at
from napari_nstm.io.draw import contrast_limits
from napari_nstm.io.result import StoredResult, open_result

LARGE_BYTES = 256 * 2**20
"""Above it the reconstruction stays on the disk, and is read a moment at a time."""

_JUDGED = 5  # moments from which the contrast is taken


@dataclass(frozen=True)
class ResultArrays:
    """What the layers of a result show.

    Parameters
    ----------
    record
        What the store says of itself, as plain JSON.
    path
        Folder of the store.
    channels
        What the reconstruction holds.
    times_ms
        Moments.
    reconstruction
        For each channel (t, [z,] y, x), in memory or lazy; of a large one a list of several sizes, the finest first.
    comparisons
        What else the frames gave.
    limits
        Values shown black and white, for each channel.
    points
        Where arrows start.
    u_px
        (t, axis, point): motion since the first frame, in pixels.
    visible
        (point,): where there is something to see moving.
    origin_um
        Where the field begins in that of the raw frames, ([z,] y, x).
    """

    record: Mapping[str, Any]
    path: Path
    channels: tuple[Channel, ...]
    times_ms: tuple[float, ...]
    reconstruction: tuple[Any, ...]
    comparisons: tuple[Comparison, ...]
    limits: tuple[tuple[float, float], ...]
    points: ArrowPoints
    u_px: NDArray[np.float32]
    visible: NDArray[np.bool_]
    origin_um: tuple[float, ...]

    @property
    def in_sizes(self) -> bool:
        """Whether there are several sizes of the reconstruction."""
        return isinstance(self.reconstruction[0], list)


def read_result(source: str | Path | StoredResult) -> ResultArrays:
    """Read what is shown of a result, also of one whose run goes on or was stopped; may run in any thread.

    Parameters
    ----------
    source
        A store, or its folder.

    Raises
    ------
    InputError, StoreError
        If there is no store, or nothing in it yet.
    """
    stored = source if isinstance(source, StoredResult) else open_result(source)
    per_channel = read_images(stored)
    points = points_for(stored.shape, stored.pixel_size_um, len(stored.times_ms))
    size = np.reshape(stored.pixel_size_um, (-1, 1))
    moments = [stored.displacement_at(time, where_px=points.points_px) / size for time in stored.times_ms]
    names = [channel.name for channel in stored.channels]
    first, step = coarse_scene(stored, stored.frame_times_ms[0], points.spacing_px)  # where the arrows start
    limits = tuple(_limits(channel) for channel in per_channel)
    return ResultArrays(
        record=stored.attributes,
        path=stored.path,
        channels=stored.channels,
        times_ms=stored.times_ms,
        reconstruction=per_channel,
        comparisons=tuple(stored.comparison(name) for name in stored.comparison_names),
        limits=shared_limits(limits) if is_rgb(names) else limits,
        points=points,
        u_px=np.asarray(moments, np.float32),
        visible=points.visible(first, step),
        origin_um=stored.origin_um,
    )


def read_images(stored: StoredResult) -> tuple[Any, ...]:
    """Return the reconstruction as it is stored, for each channel (t, [z,] y, x).

    In memory; what is too much for that lazy; large ones as a list of several sizes, the finest first.
    """
    if is_large(stored) and stored.status != "running":
        levels = stored_levels(stored)
        return tuple([level[:, index] for level in levels] for index in range(len(stored.channels)))
    stack = stored.reconstruction
    if stack.nbytes <= LARGE_BYTES:
        stack = stack.compute()
    return tuple(stack[:, index] for index in range(len(stored.channels)))


def result_layers(
    result: ResultArrays | StoredResult, name: str, arrow_color: ArrowColor = "direction"
) -> list[LayerDataTuple]:
    """Make the layers of a result; what is to be looked at is the last but one (or three colours), its arrows the last.

    Parameters
    ----------
    result
        What was read; a store is read here and now.
    name
        What the user knows the result as: it ends each layer's name.
    arrow_color
        What the colour of arrows tells.

    Returns
    -------
    list
        (data, attributes, type), from the lowest to the topmost.
    """
    read = read_result(result) if isinstance(result, StoredResult) else result
    images = _images(read, name)
    return [*images, _motion(read, name, arrow_color)]


def _images(read: ResultArrays, name: str) -> list[LayerDataTuple]:
    still, moving = [], []
    names = [channel.name for channel in read.channels]
    for index, channel in enumerate(read.channels):
        shown = {**channel_style(names, index), "contrast_limits": read.limits[index]}
        about = {"channel": channel.name, "unit": channel.unit}
        # The same grey levels as the reconstruction, so that they can be compared.
        still += [_comparison(read, one, index, {**shown, "visible": False}, name) for one in read.comparisons]
        attributes = {
            **_common(read, "reconstruction", about, read.times_ms),
            **shown,
            "name": f"{channel.name} — {name}",
            "visible": index in looked_at(names),  # as in movies
        }
        data = read.reconstruction[index]
        if isinstance(data, list):
            attributes["multiscale"] = True
        moving.append((data, attributes, "image"))
    return [*still, *moving]


def channel_style(names: Sequence[str], index: int) -> dict[str, Any]:
    """Return how a channel is drawn: grey, or as one of three colours that add up to a picture.

    The lowest of three, red, covers what lies below, as a grey one does.
    """
    if not is_rgb(names):
        return {"colormap": "gray"}
    return {"colormap": names[index], "blending": "additive" if index else "opaque"}


def shared_limits(limits: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return limits that are the same for all colours: white stays white."""
    low, high = min(one[0] for one in limits), max(one[1] for one in limits)
    return ((low, high),) * len(limits)


def _comparison(read: ResultArrays, one: Comparison, index: int, shown: Mapping[str, Any], name: str) -> LayerDataTuple:
    """Return one channel of what the frames gave otherwise: a still, or a series with times of its own."""
    channel = read.channels[index]
    about = {"channel": channel.name, "unit": channel.unit, "comparison": one.name}
    kind = "conventional" if one.name == "conventional" else "comparison"
    is_series = len(one.times_ms) > 1
    attributes = {
        **_common(read, kind, about, one.times_ms if is_series else None),
        **shown,
        "name": f"{one.name} {channel.name} — {name}",
    }
    return one.images[:, index] if is_series else one.images[0, index], attributes, "image"


def _motion(read: ResultArrays, name: str, arrow_color: ArrowColor) -> LayerDataTuple:
    first = read.record["frame_times_ms"][0]
    arrows = Arrows(ArrowChoices(color=arrow_color), read.times_ms, first, read.points, read.u_px, read.visible)
    attributes = {
        **_common(read, "motion", arrows.about, read.times_ms),
        **arrows.style,
        "name": f"motion — {name}",
    }
    return arrows.data, attributes, "vectors"


def _common(
    read: ResultArrays, kind: str, about: Mapping[str, Any], times_ms: Sequence[float] | None
) -> dict[str, Any]:
    """Return what layers of a result share; without times they have no time axis."""
    size, in_time = read.points.pixel_size_um, times_ms is not None
    axes = "t" * in_time + "zyx"[-len(size) :]
    record = read.record
    known = {
        "kind": kind,
        **about,
        "store": str(read.path),
        "run_id": record["run_id"],
        "times_ms": None if times_ms is None else list(times_ms),
        "job": record["job"],
        "record": dict(record),
    }
    first, step = (
        (0.0, 1.0) if times_ms is None else on_slider(times_ms, record["frame_times_ms"], first_frame(record["job"]))
    )
    return {
        "scale": (step,) * in_time + size,
        "translate": (first,) * in_time + read.origin_um,
        "units": units_of(axes),
        "axis_labels": tuple(axes),
        "metadata": {KEY: known},
    }


def first_frame(job: Mapping[str, Any]) -> int:
    """Return the raw frame that a job begins with: the slider counts from the first one that was taken."""
    part = job.get("frames")
    return int(part[0]) if part else 0


def on_slider(times_ms: Sequence[float], frame_times_ms: Sequence[float], first_frame: int = 0) -> tuple[float, float]:
    """Return first position and step of moments on the slider, which counts frames.

    Moments that are not evenly spaced between frames are counted themselves, unless there are fewer than half as
    many as frames: then each stands about where it belongs.
    """
    where = np.interp(times_ms, frame_times_ms, np.arange(len(frame_times_ms)))
    steps = np.diff(where)
    if 1 < len(where) < len(frame_times_ms) / 2 and where[-1] > where[0]:
        return first_frame + float(where[0]), float(np.mean(steps))
    if not len(steps) or steps[0] <= 0 or not np.allclose(steps, steps[0], atol=1e-6):
        return float(first_frame), 1.0
    return first_frame + float(where[0]), float(steps[0])


def _limits(stack: Any) -> tuple[float, float]:
    """Choose the values shown black and white, from moments spread over the whole time."""
    stack = stack[-1] if isinstance(stack, list) else stack
    moments = np.unique(np.linspace(0, len(stack) - 1, _JUDGED).astype(int))
    return contrast_limits([np.asarray(stack[index]) for index in moments])
