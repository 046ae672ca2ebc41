"""The fine lattice on which targets are drawn.

A raw pixel i covers [i - 1/2, i + 1/2] along each axis and is divided into `SUPERSAMPLING` equal cells. The
cells lie symmetrically around the pixel's centre, so that no average of them is shifted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
PullBack = Callable[[Float], Float]

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


def sub_samples(spacing_px: float = 1.0, n: int = SUPERSAMPLING) -> NDArray[np.float64]:
    """Return the offsets from a pixel's centre at which a pixel `spacing_px` wide is sampled `n` times, raw pixels."""
    cells = (np.arange(n) + 0.5) / n - 0.5
    return np.asarray(spacing_px * cells, np.float64)


def area_mean(
    value: Callable[[Float], Float],
    shape: Sequence[int],
    spacing_px: Sequence[float],
    pull_back: PullBack | None = None,
    samples: int = SUPERSAMPLING,
    origin_px: Sequence[float] = (0.0, 0.0),
) -> Float:
    """Return value(x + dx(x)) averaged over the area of each pixel of a grid.

    Parameters
    ----------
    value
        What is to be averaged, at positions (2, y, x) in raw pixels.
    shape, spacing_px
        Pixels (y, x), and their width in raw pixels.
    pull_back
        Gives dx (2, y, x) in raw pixels; None for 0.
    samples
        Evaluations within a pixel along each axis.
    origin_px
        Centre of pixel 0, raw pixels.
    """
    y, x = (start + step * np.arange(n) for n, step, start in zip(shape, spacing_px, origin_px, strict=True))
    total = np.zeros(tuple(shape), np.float64)
    for dy in sub_samples(spacing_px[0], samples):
        for dx in sub_samples(spacing_px[1], samples):
            where = np.stack(np.meshgrid(y + dy, x + dx, indexing="ij")).astype(np.float32)
            total += value(where if pull_back is None else where + pull_back(where))
    return (total / samples**2).astype(np.float32)
