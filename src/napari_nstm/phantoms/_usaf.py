"""The USAF-1951 resolution target, drawn from its definition (MIL-STD-150A).

Element e (1 to 6) of group g has 2^(g + (e - 1)/6) line pairs per mm: three vertical and three horizontal bars,
each 1 wide and 5 long in units of the bar width 1/(2 * 2^(g + (e - 1)/6)) mm, a bar width apart. Two groups make
a layer: elements 2 to 6 of the even group in a column on the left and its element 1 at the lower right; the odd
group, half as large, in a column on the right. The next layer, four times smaller, lies inside. Labels are left
out, and elements are set closer to each other than on most slides, so that bars fill more of the field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_nstm.phantoms._lattice import CELL_PX, Float, lattice_shape

LAYER_SIDE = 21.7
"""Side of the square that holds a layer; this and all lengths below are in bar widths of its first element."""

_BLOCK_GAP = 1.0  # between the vertical and the horizontal bars of an element, in its own bar widths
_ELEMENT_GAP = 1.25  # between the elements of a column, in bar widths of the upper one
_SQUARE_SIDE, _SQUARE_CORNER = 7.5, (8.4, 9.5)
_INNER_CORNER = (0.0, 10.3)
_COARSEST_OF_A_DRAWN_GROUP_PX = 2.0


@dataclass(frozen=True)
class Bar:
    """A filled rectangle of the target.

    Parameters
    ----------
    y, x
        Upper left corner.
    height, width
        Its sides, in the unit of the corner.
    group
        0 for the largest group that is drawn; the unit of mm is left open.
    element
        1 to 6, or 0 for a layer's square.
    """

    y: float
    x: float
    height: float
    width: float
    group: int
    element: int


def bar_width(group: int, element: int) -> float:
    """Return the bar width relative to that of element 1 of group 0."""
    return float(2.0 ** -(group + (element - 1) / 6))


def _element(y: float, x: float, group: int, element: int) -> Iterator[Bar]:
    """Yield the six bars of an element whose upper left corner is at (y, x)."""
    w = bar_width(group, element)
    across = x + (5 + _BLOCK_GAP) * w
    for k in range(3):
        yield Bar(y, x + 2 * k * w, 5 * w, w, group, element)
        yield Bar(y + 2 * k * w, across, w, 5 * w, group, element)


def bars(n_groups: int, y: float = 0.0, x: float = 0.0, first_group: int = 0) -> Iterator[Bar]:
    """Yield the rectangles of `n_groups` groups, from a layer's upper left corner inwards.

    Parameters
    ----------
    n_groups
        How many groups to draw, from the largest.
    y, x
        Upper left corner of the outermost layer, in bar widths of its first element.
    first_group
        Group of that layer's larger elements; even.
    """
    unit = bar_width(first_group, 1)
    length = 10 + _BLOCK_GAP
    bottom, right = y + LAYER_SIDE * unit, x + LAYER_SIDE * unit

    top = y
    for element in range(2, 7):
        yield from _element(top, x, first_group, element)
        top += (5 + _ELEMENT_GAP) * bar_width(first_group, element)
    yield from _element(bottom - 5 * unit, right - length * unit, first_group, 1)
    square = _SQUARE_SIDE * unit
    yield Bar(y + _SQUARE_CORNER[0] * unit, x + _SQUARE_CORNER[1] * unit, square, square, first_group, 0)

    if n_groups > 1:
        top = y
        for element in range(1, 7):
            w = bar_width(first_group + 1, element)
            yield from _element(top, right - length * w, first_group + 1, element)
            top += (5 + _ELEMENT_GAP) * w
    if n_groups > 2:
        yield from bars(n_groups - 2, y + _INNER_CORNER[0] * unit, x + _INNER_CORNER[1] * unit, first_group + 2)


def n_groups_for(unit_px: float) -> int:
    """Return how many groups to draw where the first element's bars are `unit_px` wide: all that begin at 2 px or more.

    The finest bars are then between 1.1 and 2.2 px wide, and the middle of the last group's range is near 2 px.
    """
    return max(1, 1 + int(np.floor(np.log2(unit_px / _COARSEST_OF_A_DRAWN_GROUP_PX))))


def filled_area(n_groups: int) -> float:
    """Return the area of all rectangles, in squared bar widths of the first element."""
    return sum(bar.height * bar.width for bar in bars(n_groups))


def draw(shape: tuple[int, int], unit_px: float, corner_px: tuple[float, float]) -> Float:
    """Draw the target on the fine lattice, each cell the exact fraction of its area that is filled.

    Parameters
    ----------
    shape
        Raw pixels (y, x).
    unit_px
        Bar width of the first element, raw pixels.
    corner_px
        Position (y, x) of the outermost layer's upper left corner, raw pixels.

    Returns
    -------
    (4 y, 4 x), in [0, 1].
    """
    image = np.zeros(lattice_shape(shape), np.float32)
    for bar in bars(n_groups_for(unit_px)):
        (y, across_y), (x, across_x) = (
            _coverage(corner + unit_px * start, unit_px * length, n)
            for corner, start, length, n in zip(
                corner_px, (bar.y, bar.x), (bar.height, bar.width), image.shape, strict=True
            )
        )
        image[y, x] += np.outer(across_y, across_x)
    return np.clip(image, 0, 1)


def _coverage(start_px: float, length_px: float, n_cells: int) -> tuple[slice, Float]:
    """Return the cells of one axis that an interval touches, and the fraction of each that it covers."""
    low = (start_px + 0.5) / CELL_PX
    high = low + length_px / CELL_PX
    first, last = max(int(np.floor(low)), 0), min(int(np.ceil(high)), n_cells)
    edges = np.arange(first, last)
    covered = np.minimum(edges + 1, high) - np.maximum(edges, low)
    return slice(first, last), covered.astype(np.float32)
