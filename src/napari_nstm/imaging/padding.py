"""Frames on a padded field, and the weight of their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.grids import Grid

Float32 = NDArray[np.float32]


def pad_fading(frames: Float32, grid: Grid) -> Float32:
    """Put frames on the padded field: mirrored at the edges and fading to 0 at the outer rim.

    Parameters
    ----------
    frames
        (frame, [z,] y, x) on the field of view.
    grid
        The field at level 0.

    Returns
    -------
    NDArray
        (frame, *grid.padded_extent): periodic without a jump, so that a Fourier crop does not ring.
    """
    padded = np.pad(frames, ((0, 0), *grid.padding), mode="symmetric")
    for axis, (before, after) in enumerate(grid.padding):
        fade = np.ones(grid.padded_extent[axis], np.float32)
        fade[:before] = _fall(before)[::-1]
        fade[len(fade) - after :] = _fall(after)
        padded *= fade.reshape(-1, *(1,) * (grid.ndim - axis - 1))
    return padded


def _fall(n: int) -> Float32:
    return (0.5 + 0.5 * np.cos(np.pi * (np.arange(n) + 1) / (n + 1))).astype(np.float32)


def weight_of(field: tuple[slice, ...], shape: tuple[int, ...], margin: tuple[int, ...]) -> Float32:
    """Return 1 inside a field of view without its margin, 0 elsewhere.

    Parameters
    ----------
    field
        Where the field of view lies in the padded field.
    shape
        Samples of the padded field.
    margin
        Samples along each edge that do not count.
    """
    weight = np.zeros(shape, np.float32)
    weight[tuple(slice(part.start + m, part.stop - m) for part, m in zip(field, margin, strict=True))] = 1
    return weight
