"""The fine lattice on which targets are drawn.

A raw pixel i covers [i - 1/2, i + 1/2] along each axis and is divided into `SUPERSAMPLING` equal cells. The
cells lie symmetrically around the pixel's centre, so that no average of them is shifted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

SUPERSAMPLING = 4
CELL_PX = 1.0 / SUPERSAMPLING
ORIGIN_PX = -0.5 + CELL_PX / 2
"""Position of the centre of the lattice's first cell, raw pixels, on both axes."""


def lattice_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the cells (y, x) of a field of `shape` raw pixels."""
    return shape[0] * SUPERSAMPLING, shape[1] * SUPERSAMPLING


def cell_centres_px(n_cells: int, first: int = 0) -> NDArray[np.float64]:
    """Return the positions of cells `first` ... along one axis, raw pixels."""
    return np.asarray(ORIGIN_PX + CELL_PX * np.arange(first, first + n_cells), np.float64)


def sub_samples(spacing_px: float = 1.0) -> NDArray[np.float64]:
    """Return the offsets from a pixel's centre at which a pixel `spacing_px` wide is sampled, raw pixels."""
    cells = (np.arange(SUPERSAMPLING) + 0.5) / SUPERSAMPLING - 0.5
    return np.asarray(spacing_px * cells, np.float64)
