"""A small result that turns about its middle, by a known angle a frame."""

from pathlib import Path

import numpy as np
from tests._qt.small_store import PIXEL_UM, write_store

from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.result import StoredResult
from napari_nstm.io.store import StoreWriter

SIZE = 64
MIDDLE = (SIZE - 1) / 2
FRAME_TIMES_MS = (0.0, 10.0, 20.0, 40.0, 60.0)
ANGLE_RAD = 0.3  # at the last time, +x towards +y; in proportion to time before

_MARGIN = 16


def turn(where_px, angle_rad):
    """How far places (2, ...) of (y, x) go when turned about the middle."""
    y, x = where_px[0] - MIDDLE, where_px[1] - MIDDLE
    turned = np.stack([np.sin(angle_rad) * x + np.cos(angle_rad) * y, np.cos(angle_rad) * x - np.sin(angle_rad) * y])
    return turned - np.stack([y, x])


def write_turning(
    path: Path,
    times_ms=FRAME_TIMES_MS,
    *,
    frame_times_ms=FRAME_TIMES_MS,
    origin_um=(),
    channels=2,
    drift_px=None,
) -> StoredResult:
    """Write it: a bright square around the middle, dark at the edge.

    Parameters
    ----------
    path
        Of the store.
    times_ms
        Moments that are stored.
    frame_times_ms
        Of the frames.
    origin_um
        Where the field begins.
    channels
        1 or 2; the second is three times the first.
    drift_px
        Instead of turning it moves so far by the last time, (y, x).
    """
    small = write_store(path.with_name(f"of-{path.name}"))
    n = SIZE + 2 * _MARGIN
    grid = np.stack(np.meshgrid(*[np.arange(n) - _MARGIN] * 2, indexing="ij")).astype(float)
    square = (np.abs(grid - MIDDLE) < 20).all(axis=0) * (0.6 + 0.4 * np.sin(grid[0] / 2) * np.sin(grid[1] / 3))
    scene = np.stack([square, 3 * square])[:channels].astype(np.float32)
    coarse = np.stack(np.meshgrid(*[np.arange(0, n + 2, 2) - _MARGIN] * 2, indexing="ij")).astype(float)
    shares = np.linspace(0, 1, 61)
    if drift_px is None:
        pull_back = np.stack([turn(coarse, -ANGLE_RAD * share) for share in shares])
    else:
        still = np.ones_like(coarse)
        pull_back = np.stack([-share * np.reshape(drift_px, (2, 1, 1)) * still for share in shares])
    record = small.record.changed(
        {
            "status": "running",
            "shape": (SIZE, SIZE),
            "channels": small.record.channels[:channels],
            "presentation": small.record.presentation[:channels],
            "frame_times_ms": tuple(frame_times_ms),
            "times_ms": tuple(times_ms),
            "origin_um": tuple(origin_um),
            "comparisons": (),
        }
    )
    writer = StoreWriter.create(path, record)
    origin = (-float(_MARGIN),) * 2
    motion = MotionLattice(pull_back.astype(np.float32), origin, (2.0, 2.0))
    return writer.finish("finished", Canvas(scene, origin, (1.0, 1.0), 1), motion, {"step": np.asarray(1)}, step=100)


__all__ = ["ANGLE_RAD", "FRAME_TIMES_MS", "MIDDLE", "PIXEL_UM", "SIZE", "turn", "write_turning"]
