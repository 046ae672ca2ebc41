"""A small result with a residual: white noise, and what is added to it."""

import numpy as np
from scipy.ndimage import gaussian_filter
from tests._qt.small_store import SHAPE, TIMES_MS, write_store

from napari_nstm.io._arrays import write_frames
from napari_nstm.io.result import StoredResult

SIGMA = 0.02


def write_residual(
    path,
    *,
    shape=None,
    size=0,
    add=None,
    smooth=False,
    times_ms=TIMES_MS,
    raw_um=None,
    origin_um=(),
    n_planes=0,
    in_colors=False,
) -> StoredResult:
    """Write a result and its residual.

    Parameters
    ----------
    path
        Of the store.
    shape
        Of the residual; None: of the result.
    size
        Pixels along y and x; 0: those of the result.
    add
        {frame: what is added to it}.
    smooth
        Whether the noise is smooth, so that it cannot be estimated.
    times_ms, raw_um, origin_um
        Frame times, pixel size of the frames, and place of the field, as the record says.
    n_planes, in_colors
        As `write_store` takes them.
    """
    stored = write_store(path, n_planes=n_planes, in_colors=in_colors)
    acquisition = {"pixel_size_um": raw_um} if raw_um else {}
    changes = {"frame_times_ms": times_ms, "job": {**stored.record.job, "acquisition": acquisition}}
    if origin_um:
        changes["origin_um"] = origin_um
    if shape is None:
        shape = (len(times_ms), *((size, size) if size else SHAPE))
    residual = np.random.default_rng(0).normal(0, SIGMA, shape)
    if smooth:
        residual = gaussian_filter(residual, (0, 2, 2))
    for frame, what in (add or {}).items():
        residual[frame] += what
    write_frames(path / "residual", residual.astype(np.float32), shape, ("frame", "z", "y", "x")[-len(shape) :])
    return StoredResult(path, stored.record.changed(changes))
