"""A stack of images that stays in its file: only those, and that part of them, are read that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Window = tuple[slice, slice]

LARGE_BYTES = 64 * 2**20
"""Larger arrays are not read with their file; smaller ones are, since a file may be replaced while it is used."""


@dataclass(frozen=True)
class ImagesOnDisk:
    """Looks like an array ([...,] y, x) of which slices are slices in the file; `numpy.asarray` reads it.

    Parameters
    ----------
    read
        Reads some images of the file, by their numbers, and a window (rows, columns) of them: (image, y, x).
    dtype
        Type of pixels.
    index
        Which image of the file each is: all axes but the last two.
    window
        The part of each.
    """

    read: Callable[[Index, Window], NDArray[Any]]
    dtype: np.dtype[Any]
    index: Index
    window: Window

    @classmethod
    def of(
        cls, read: Callable[[Index, Window], NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> ImagesOnDisk:
        """Return all images of a file whose array has a shape."""
        outer = shape[:-2]
        index = np.arange(int(np.prod(outer, dtype=np.int64))).reshape(outer)
        return cls(read, np.dtype(dtype), index, (slice(0, shape[-2]), slice(0, shape[-1])))

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes, y and x the last."""
        rows, columns = self.window
        return (*self.index.shape, rows.stop - rows.start, columns.stop - columns.start)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of all of it in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Return a part: slices of images, rows and columns stay in the file, all else is read."""
        parts = key if isinstance(key, tuple) else (key,)
        if parts and parts[0] is Ellipsis and len(parts) == 3 and all(_is_plain(part) for part in parts[1:]):
            window = tuple(_within(old, part) for old, part in zip(self.window, parts[1:], strict=True))
            return replace(self, window=(window[0], window[1]))
        if self.index.ndim and len(parts) == 1 and (_is_plain(parts[0]) or isinstance(parts[0], int | np.integer)):
            part = replace(self, index=self.index[parts[0]])
            return part if part.index.ndim else np.asarray(part)
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read it."""
        images = self.read(self.index.ravel(), self.window)
        found = np.asarray(images, dtype).reshape(self.shape)
        return found


def _is_plain(part: Any) -> bool:
    return isinstance(part, slice) and part.step in (None, 1)


def _within(window: slice, part: slice) -> slice:
    start, stop, _ = part.indices(window.stop - window.start)
    return slice(window.start + start, window.start + max(start, stop))
