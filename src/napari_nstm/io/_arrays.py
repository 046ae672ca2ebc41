"""Arrays of a result store: plain zarr 3 arrays, and OME-Zarr 0.5 image groups."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_nstm.core.grids import Channel
from napari_nstm.io._atomic import write_bytes

SPACE = {2: ("y", "x"), 3: ("z", "y", "x")}

_WINDOW_PERCENTILES = (0.5, 99.5)


def write_array(
    path: Path, array: NDArray[Any], dimension_names: Sequence[str], attributes: Mapping[str, Any] | None = None
) -> None:
    """Write an array in one chunk."""
    target = _create(path, array.shape, array.shape, dimension_names, attributes)
    target[...] = np.asarray(array, np.float32)


def write_frames(
    path: Path,
    frames: Iterable[NDArray[Any]],
    shape: tuple[int, ...],
    dimension_names: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write frames one by one, a chunk each.

    Parameters
    ----------
    path
        Folder of the new array.
    frames
        As many as `shape` says; each has the shape `shape[1:]`.
    shape, dimension_names, attributes
        Of the whole array.

    Raises
    ------
    ValueError
        If frames are too few, too many or of another shape.
    """
    target = _create(path, shape, (1, *shape[1:]), dimension_names, attributes)
    for index, frame in zip(range(shape[0] + 1), frames, strict=False):
        if index == shape[0]:
            raise ValueError(f"more than {shape[0]} frames for {path.name}")
        if np.shape(frame) != shape[1:]:
            raise ValueError(f"a frame of shape {np.shape(frame)} for {path.name}, which needs {shape[1:]}")
        target[index] = np.asarray(frame, np.float32)
        last = index
    if shape[0] and last != shape[0] - 1:
        raise ValueError(f"{last + 1} frames for {path.name}, which needs {shape[0]}")


def write_image(
    path: Path,
    frames: Iterable[NDArray[Any]],
    channels: Sequence[Channel],
    shape: tuple[int, ...],
    pixel_size_um: tuple[float, ...],
    times_ms: Sequence[float],
    origin_um: tuple[float, ...] = (),
) -> None:
    """Write an OME-Zarr 0.5 image: frames (c, [z,] y, x) become the array `0`, axes (t, c, [z,] y, x).

    The t axis counts frames, because moments need not be evenly spaced; their times stand in the
    attribute `nstm` beside the OME metadata. Where sample 0 does not lie at 0, a translation says where.
    """
    space = SPACE[len(shape)]
    full_shape = (len(times_ms), len(channels), *shape)
    path.mkdir()
    windows = _Windows(frames, len(channels))
    write_frames(path / "0", windows, full_shape, ("t", "c", *space))
    attributes = {
        "ome": _image_metadata(path.name, channels, space, pixel_size_um, origin_um, windows.of_channels()),
        "nstm": {"times_ms": list(times_ms), "channel_units": [channel.unit for channel in channels]},
    }
    write_group(path, attributes)


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Make a folder a zarr 3 group; its attributes are replaced atomically."""
    content = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    write_bytes(path / "zarr.json", json.dumps(content, indent=1, allow_nan=False).encode())


def open_array(path: Path) -> zarr.Array[Any]:
    """Open an array for reading."""
    return zarr.open_array(path, mode="r")


def _create(
    path: Path,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dimension_names: Sequence[str],
    attributes: Mapping[str, Any] | None,
) -> zarr.Array[Any]:
    return zarr.create_array(
        path,
        shape=shape,
        chunks=chunks,
        dtype="float32",
        zarr_format=3,
        dimension_names=list(dimension_names),
        attributes=dict(attributes or {}),
        # A missing chunk must not pass for a dark image.
        fill_value=np.nan,
    )


class _Windows:
    """Frames on their way to the disk, and the range of each channel: all of it, and what is worth seeing."""

    def __init__(self, frames: Iterable[NDArray[Any]], n_channels: int) -> None:
        self._frames = frames
        self._ranges: list[list[NDArray[Any]]] = [[] for _ in range(n_channels)]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for frame in self._frames:
            for ranges, channel in zip(self._ranges, frame, strict=True):
                ranges.append(np.percentile(channel, (0, *_WINDOW_PERCENTILES, 100)))
            yield frame

    def of_channels(self) -> list[dict[str, float]]:
        """Return start, end, min and max of each channel."""
        found = []
        for ranges in self._ranges:
            lowest, start, end, highest = np.asarray(ranges).T
            values = (start.min(), end.max(), lowest.min(), highest.max())
            if not np.all(np.isfinite(values)) or values[0] == values[1]:
                values = (0.0, 1.0, 0.0, 1.0)
            found.append(dict(zip(("start", "end", "min", "max"), map(float, values), strict=True)))
        return found


def _image_metadata(
    name: str,
    channels: Sequence[Channel],
    space: Sequence[str],
    pixel_size_um: tuple[float, ...],
    origin_um: tuple[float, ...],
    windows: Sequence[Mapping[str, float]],
) -> dict[str, Any]:
    from yaozarrs import v05

    axes = [
        v05.TimeAxis(name="t"),
        v05.ChannelAxis(name="c"),
        *(v05.SpaceAxis(name=axis, unit="micrometer") for axis in space),
    ]
    where: list[Any] = [v05.ScaleTransformation(scale=[1.0, 1.0, *pixel_size_um])]
    if any(origin_um):
        where.append(v05.TranslationTransformation(translation=[0.0, 0.0, *origin_um]))
    shown = [
        v05.OmeroChannel(label=channel.name, color="FFFFFF", active=True, window=v05.OmeroWindow(**window))
        for channel, window in zip(channels, windows, strict=True)
    ]
    image = v05.Image(
        multiscales=[
            v05.Multiscale(name=name, axes=axes, datasets=[v05.Dataset(path="0", coordinateTransformations=where)])
        ],
        omero=v05.Omero(channels=shown),
    )
    content: dict[str, Any] = image.model_dump(mode="json", exclude_none=True)
    return content
