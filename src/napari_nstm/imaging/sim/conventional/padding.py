"""Images on a padded field that repeats itself, without a jump."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.grids import Grid
from napari_nstm.imaging.padding import pad_fading

Float32 = NDArray[np.float32]


def pad_periodic(images: Float32, grid: Grid) -> Float32:
    """Put images on the padded field: mirrored at the edges, fading to 0 along y and x, closed to a ring along z.

    Along z the planes above the stack blend into those below it instead: out of focus every plane holds the same
    light, which a fade would turn into a modulation along z that the missing cone cannot tell from structure.

    Parameters
    ----------
    images
        (image, [z,] y, x) on the field of view.
    grid
        The frames' grid.

    Returns
    -------
    NDArray
        (image, *grid.padded_extent).
    """
    if grid.ndim == 2:
        return pad_fading(images, grid)
    n_planes, (before, after) = grid.shape[0], grid.padding[0]
    n_added = before + after
    step = np.arange(n_added)
    share = (0.5 - 0.5 * np.cos(np.pi * (step + 1) / (n_added + 1))).astype(np.float32)[:, None, None]
    last, first = images[:, np.maximum(n_planes - 1 - step, 0)], images[:, np.minimum(step[::-1], n_planes - 1)]
    added = (1 - share) * last + share * first
    closed = np.concatenate([added[:, after:], images, added[:, :after]], axis=1)
    return pad_fading(closed, replace(grid, shape=closed.shape[1:], padding=((0, 0), *grid.padding[1:])))


def samples_kept(grid: Grid) -> float:
    """Return how many samples' worth of noise power `pad_periodic` leaves on the padded field."""
    return float(np.sum(pad_periodic(np.ones((1, *grid.shape), np.float32), grid) ** 2))
