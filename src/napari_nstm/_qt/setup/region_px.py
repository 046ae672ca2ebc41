"""Regions of the frames: whole rows and columns within a rectangle, and the rectangle around them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.settings import LEAST_REGION_PX, Region


def in_words(region: Region | None) -> str:
    """Say which rows and columns a region holds, and how many."""
    if region is None:
        return "whole field"
    row, column, rows, columns = region
    return f"rows {row}–{row + rows}, columns {column}–{column + columns} ({rows} × {columns} px)"


def region_of(corners: NDArray[Any], field: tuple[int, int]) -> Region | None:
    """Return the region around a shape, in even numbers of raw pixels.

    Parameters
    ----------
    corners
        (corner, 2): y and x in raw pixels, whose middles are whole numbers.
    field
        Rows and columns of the frames.

    Returns
    -------
    What lies within the frames, at least 32 px along both axes; None where the frames are smaller than that.
    """
    edges = np.asarray(corners, float) + 0.5
    spans = [_span(low, high, n) for low, high, n in zip(edges.min(0), edges.max(0), field, strict=True)]
    if spans[0] is None or spans[1] is None:
        return None
    (row, rows), (column, columns) = spans
    return row, column, rows, columns


def fits(region: Region, field: tuple[int, int]) -> bool:
    """Whether a region lies within frames of so many rows and columns."""
    return all(region[k] >= 0 and region[k] + region[k + 2] <= field[k] for k in (0, 1))


def corners_of(region: Region) -> NDArray[np.float64]:
    """Return the corners (4, 2) of the rectangle around the pixels of a region, as `region_of` takes them."""
    row, column, rows, columns = region
    low, high = (row - 0.5, column - 0.5), (row + rows - 0.5, column + columns - 0.5)
    return np.array([low, (low[0], high[1]), high, (high[0], low[1])])


def is_upright(corners: NDArray[Any]) -> bool:
    """Whether corners (4, 2) are those of a rectangle along the axes."""
    sides = np.diff(np.asarray(corners), axis=0)
    return len(corners) == 4 and bool((np.abs(sides).min(axis=1) < 1e-3).all())


def _span(low: float, high: float, whole: int) -> tuple[int, int] | None:
    last = whole - whole % 2
    if last < LEAST_REGION_PX:
        return None
    first = min(max(2 * round(low / 2), 0), last - LEAST_REGION_PX)
    return first, min(max(2 * round(high / 2), first + LEAST_REGION_PX), last) - first
