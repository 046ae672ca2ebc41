"""Arrays of a result store: plain zarr 3 arrays, in chunks that suit whoever scrubs through time and planes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_nstm.core.errors import StoreError
from napari_nstm.io._atomic import write_bytes

if TYPE_CHECKING:
    import dask.array as da

SPACE = {2: ("y", "x"), 3: ("z", "y", "x")}

LARGEST_CHUNK_PX = 1024
"""Largest side of a chunk along y and x; images that are larger get coarser levels too."""

_CHUNK_BYTES = 4 * 2**20  # of a chunk with several planes


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
    """Write frames one by one.

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
    n_single = sum(name not in SPACE[3] for name in dimension_names)
    fill_frames(create_array(path, shape, dimension_names, attributes, n_single=n_single), frames, path.name)


def create_array(
    path: Path,
    shape: tuple[int, ...],
    dimension_names: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
    *,
    n_single: int,
    tile: tuple[int, int] | None = None,
) -> zarr.Array[Any]:
    """Make an empty array.

    Parameters
    ----------
    path, shape, dimension_names, attributes
        Of the array.
    n_single
        How many of the first axes (moments, channels) have one sample in a chunk: they are looked at one by one.
    tile
        Size of a chunk along y and x; None: up to `LARGEST_CHUNK_PX`.
    """
    *planes, rows, columns = shape[n_single:]
    sides = tile or (LARGEST_CHUNK_PX, LARGEST_CHUNK_PX)
    lateral = (min(rows, sides[0]), min(columns, sides[1]))
    deep = tuple(max(1, min(n, _CHUNK_BYTES // (4 * lateral[0] * lateral[1]))) for n in planes)
    return _create(path, shape, ((1,) * n_single + deep + lateral), dimension_names, attributes)


def fill_frames(target: zarr.Array[Any], frames: Iterable[NDArray[Any]], name: str) -> None:
    """Fill an array frame by frame; errors as `write_frames`."""
    shape, last = target.shape, -1
    for index, frame in zip(range(shape[0] + 1), frames, strict=False):
        if index == shape[0]:
            raise ValueError(f"more than {shape[0]} frames for {name}")
        if np.shape(frame) != shape[1:]:
            raise ValueError(f"a frame of shape {np.shape(frame)} for {name}, which needs {shape[1:]}")
        target[index] = np.asarray(frame, np.float32)
        last = index
    if last != shape[0] - 1:
        raise ValueError(f"{last + 1} frames for {name}, which needs {shape[0]}")


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Make a folder a zarr 3 group; its attributes are replaced atomically."""
    content = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    write_bytes(path / "zarr.json", json.dumps(content, indent=1, allow_nan=False).encode())


class StoredArray:
    """An array of a store, which is read part by part; what fails is one sentence.

    Parameters
    ----------
    path
        Its folder.
    array
        As zarr opened it.
    """

    def __init__(self, path: Path, array: zarr.Array[Any]) -> None:
        self._path, self._array = path, array
        self.shape, self.dtype, self.ndim, self.chunks = array.shape, array.dtype, array.ndim, array.chunks
        self.attrs: Mapping[str, Any] = dict(array.attrs)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        try:
            return np.asarray(self._array[index])
        except (*_DAMAGED, MemoryError) as error:
            raise _damage(self._path) from error


# What zarr and its codecs raise of files that were cut or overwritten.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ArithmeticError)


def lazy_array(path: Path) -> da.Array:
    """Open an array for dask, which reads it chunk by chunk; raises as `open_array`."""
    # dask takes half a second to import, and is not needed to scrub through time or to write.
    import dask.array as da

    array = open_array(path)
    lazy: da.Array = da.from_array(array, chunks=array.chunks, name=False)  # type: ignore[no-untyped-call]
    return lazy


def open_array(path: Path) -> StoredArray:
    """Open an array of a store for reading.

    Raises
    ------
    StoreError
        If it is missing or cannot be read, now or later.
    """
    try:
        return StoredArray(path, zarr.open_array(path, mode="r"))
    except _DAMAGED as error:
        raise _damage(path) from error


def _damage(path: Path) -> StoreError:
    return StoreError(f"{path.parent} is damaged: its array {path.name} is missing or cannot be read.")


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
