"""Points to follow and their tracks as layers: where a result's layers lie, and back again from the user's own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pint
from napari.layers import Points, Tracks
from napari.types import LayerDataTuple
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_nstm._qt.layers.result import first_frame, on_slider
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.core.errors import InputError
from napari_nstm.core.trajectories import Trajectories
from napari_nstm.io.colors import direction_colors
from napari_nstm.io.result import StoredResult

Float = NDArray[np.float64]

_HUE = "hue"
_GOLDEN = (np.sqrt(5) - 1) / 2  # turns of the colour wheel from one track to the next: any few of them lie far apart
_FADED = 2  # the oldest part of a track keeps half of its opacity
_SIZE_PX = 1 / 100  # of the longer side
_WIDTH = 3
_YELLOW = "#ffd24a"
_WHEEL = Colormap(
    np.concatenate([direction_colors(np.linspace(0, 2 * np.pi, 65)) / 255, np.ones((65, 1))], axis=1), name="wheel"
)


def points_layer(stored: StoredResult, name: str) -> LayerDataTuple:
    """Make an empty layer for points of a result, over its layers.

    Parameters
    ----------
    stored
        The result.
    name
        What the user knows it as.
    """
    n_axes = len(stored.shape)
    attributes = {
        **_placed(stored),
        "name": f"points to follow — {name}",
        "ndim": n_axes + 1,
        "size": max(2.0, max(stored.shape[-2:]) * _SIZE_PX),
        "face_color": _YELLOW,
        "border_color": "black",
        "metadata": {KEY: {"kind": "points", **_of(stored)}},
    }
    return np.empty((0, n_axes + 1)), attributes, "points"


def marked_points(layer: Points, stored: StoredResult) -> tuple[Float, Float | None]:
    """Tell where in a result the points of any Points layer lie.

    Parameters
    ----------
    layer
        Its scale, units and further transforms count; a time that it has counts frames, as the result's layers do.
    stored
        The result.

    Returns
    -------
    points_um, at_ms
        (point, component), ([z,] y, x) from the middle of the result's pixel 0, and (point,), or None for a layer
        without time.

    Raises
    ------
    InputError
        If the layer lacks an axis, or a point has a time at which there is no result; field `points`.
    """
    n_axes = len(stored.shape)
    if layer.ndim < n_axes:
        got = f"{layer.name}, which has no plane"
        raise InputError("points", got, "points with z, y and x in a volume")
    world = _world(layer)
    places = world[:, -n_axes:] * [_in_um(unit) for unit in layer.units[-n_axes:]] - stored.origin_um
    if layer.ndim == n_axes:
        return places, None
    first, step = on_slider(stored.times_ms, stored.frame_times_ms, first_frame(stored.record.job))
    moments, last = (world[:, -n_axes - 1] - first) / step, len(stored.times_ms) - 1
    # A moment is shown from half a step before it to half a step after.
    outside = np.flatnonzero((moments < -0.5) | (moments > last + 0.5))
    if len(outside):
        got = f"point {outside[0]}, which lies at a place of the slider where the result has no moment"
        raise InputError("points", got, "points at its moments")
    return places, np.interp(moments, np.arange(last + 1), stored.times_ms)


def tracks_layer(found: Trajectories, stored: StoredResult, name: str) -> LayerDataTuple:
    """Make the Tracks layer of a result; its t axis counts moments, as the result's layers do.

    Parameters
    ----------
    found
        Tracks at moments of the result.
    stored, name
        As in `points_layer`.
    """
    table = found.table()
    moment = {time: index for index, time in enumerate(stored.times_ms)}
    axes = "zyx"[-len(stored.shape) :]
    places = [table[f"{axis}_um"] / size for axis, size in zip(axes, stored.pixel_size_um, strict=True)]
    data = np.stack([table["track"], [moment[time] for time in table["time_ms"].tolist()], *places], axis=1)
    features = {
        _HUE: (table["track"] * _GOLDEN) % 1,
        "speed_um_per_s": table["speed_um_per_s"],
        "displacement_um": table["displacement_um"],
    }
    attributes = {
        **_placed(stored),
        "name": f"tracks — {name}",
        "features": features,
        "color_by": _HUE,
        "colormaps_dict": {_HUE: _WHEEL},
        "blending": "translucent",
        "tail_width": _WIDTH,
        "tail_length": _FADED * len(stored.times_ms),  # all of the past
        "metadata": {KEY: {"kind": "view", "view": "tracks", **_of(stored), "times_ms": list(stored.times_ms)}},
    }
    return data, attributes, "tracks"


def show_again(layer: Tracks, made: LayerDataTuple) -> None:
    """Show other tracks of the same result in a layer that the user may have changed in other ways."""
    data, attributes, _ = made
    colored_by = layer.color_by
    layer.color_by = "track_id"  # all that is left of the features when napari takes other data
    layer.data = data
    layer.features = attributes["features"]
    layer.color_by = colored_by
    layer.name, layer.metadata = attributes["name"], attributes["metadata"]


def _placed(stored: StoredResult) -> dict[str, Any]:
    axes = "t" + "zyx"[-len(stored.shape) :]
    first, step = on_slider(stored.times_ms, stored.frame_times_ms, first_frame(stored.record.job))
    return {
        "scale": (step, *stored.pixel_size_um),
        "translate": (first, *stored.origin_um),
        "units": units_of(axes),
        "axis_labels": tuple(axes),
    }


def _of(stored: StoredResult) -> dict[str, str]:
    return {"store": str(stored.path), "run_id": stored.record.run_id}


def _world(layer: Points) -> Float:
    """Return all points as the viewer places them: (point, axis), in the layer's units."""
    origin = np.asarray(layer.data_to_world((0.0,) * layer.ndim))
    steps: Sequence[Float] = [np.asarray(layer.data_to_world(e)) - origin for e in np.eye(layer.ndim)]
    return np.asarray(np.asarray(layer.data, np.float64) @ np.stack(steps) + origin)


def _in_um(unit: Any) -> float:
    """Return how many um a unit is; one that is no length is taken as it stands, as napari does."""
    try:
        return float((1.0 * unit).to("micrometer").magnitude)
    except pint.DimensionalityError:
        return 1.0
