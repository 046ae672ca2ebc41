"""The motion of another run, for a second channel of the same sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.grids import Grid
from napari_nstm.core.warp import MotionLattice
from napari_nstm.io.result import StoredResult, open_result

_FIELD = "fit.motion_from"
_SLACK = 0.02  # of a field's size: a channel may be cropped by a pixel


@dataclass(frozen=True)
class GivenMotion:
    """A motion that was fitted before.

    Parameters
    ----------
    stored
        The result it comes from.
    """

    stored: StoredResult

    def on(self, grid: Grid, frame_times_ms: tuple[float, ...]) -> MotionLattice:
        """Express it in the pixels of a grid and in times in [-1, 1] from the first frame to the last.

        Fields coincide at sample 0. Where frames were taken before or after those of the other run, the
        motion stays as it was at that end.

        Raises
        ------
        InputError
            If the other result is of another number of axes, or of a field of another size.
        """
        record, lattice = self.stored.record, self.stored.motion()
        mine = [n * p for n, p in zip(grid.shape, grid.pixel_size_um, strict=True)]
        theirs = [n * p for n, p in zip(record.shape, record.pixel_size_um, strict=True)]
        if len(mine) != len(theirs) or any(abs(a - b) > _SLACK * a for a, b in zip(mine, theirs, strict=True)):
            got, takes = (" x ".join(f"{n:.4g}" for n in size) for size in (theirs, mine))
            raise InputError(_FIELD, f"a result of a field of {got} um", f"one of the same field, {takes} um")
        ratio = np.asarray(record.pixel_size_um) / np.asarray(grid.pixel_size_um)
        times_ms = np.linspace(frame_times_ms[0], frame_times_ms[-1], len(lattice.values_px))
        moments = [lattice.at_time(record.normalized_time(float(t))) for t in times_ms]
        values = np.stack(moments) * ratio.reshape(-1, *(1,) * grid.ndim)
        return MotionLattice(
            values.astype(np.float32),
            tuple(float(x) for x in np.asarray(lattice.origin_px) * ratio),
            tuple(float(x) for x in np.asarray(lattice.spacing_px) * ratio),
        )


def read_motion(path: Path) -> GivenMotion:
    """Open the result whose motion is taken.

    Raises
    ------
    InputError
        If there is none, or nothing in it yet; field `fit.motion_from`.
    """
    try:
        stored = open_result(path)
        stored.motion()
    except InputError as error:
        raise InputError(_FIELD, error.got, error.takes) from error
    except StoreError as error:
        raise InputError(_FIELD, f"{path} ({error})", "a result whose run has come to its end") from error
    return GivenMotion(stored)
