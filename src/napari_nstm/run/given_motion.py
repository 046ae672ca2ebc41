"""The motion of another run, for a second channel of the same sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

    def on(
        self,
        grid: Grid,
        frame_times_ms: tuple[float, ...],
        origin_um: tuple[float, ...] = (),
        *,
        is_part: bool = False,
    ) -> MotionLattice:
        """Express it in the pixels of a grid and in times in [-1, 1] from the first frame to the last.

        Whole fields coincide at sample 0. Where frames were taken before or after those of the other run, the
        motion stays as it was at that end.

        Parameters
        ----------
        grid, frame_times_ms
            Of the run that takes the motion.
        origin_um
            Where the grid's sample 0 lies in the whole field, ([z,] y, x); empty: at 0.
        is_part
            Whether the grid is of a region: then the other result may be of more than this.

        Raises
        ------
        InputError
            If the other result is of another number of axes, or of another field.
        """
        record, lattice = self.stored.record, self.stored.motion()
        mine = [n * p for n, p in zip(grid.shape, grid.pixel_size_um, strict=True)]
        theirs = [n * p for n, p in zip(record.shape, record.pixel_size_um, strict=True)]
        start = np.asarray(origin_um or (0.0,) * len(mine))
        if len(mine) != len(theirs) or not _covers(start - self.stored.origin_um, mine, theirs, is_part):
            got = _extent(theirs, self.stored.origin_um)
            raise InputError(_FIELD, f"a result of a field of {got}", f"one of the same field, {_extent(mine, start)}")
        way_px = (start - self.stored.origin_um) / np.asarray(grid.pixel_size_um)
        ratio = np.asarray(record.pixel_size_um) / np.asarray(grid.pixel_size_um)
        times_ms = np.linspace(frame_times_ms[0], frame_times_ms[-1], len(lattice.values_px))
        moments = [lattice.at_time(record.normalized_time(float(t))) for t in times_ms]
        values = np.stack(moments) * ratio.reshape(-1, *(1,) * grid.ndim)
        return MotionLattice(
            values.astype(np.float32),
            tuple(float(x) for x in np.asarray(lattice.origin_px) * ratio - way_px),
            tuple(float(x) for x in np.asarray(lattice.spacing_px) * ratio),
        )


def _covers(way_um: NDArray[Any], mine: list[float], theirs: list[float], is_part: bool) -> bool:
    """Whether a field of size `theirs`, in which mine begins after a way, is the same, or of a part holds all of it."""
    for way, a, b in zip(way_um.tolist(), mine, theirs, strict=True):
        slack = _SLACK * a
        if is_part and not -slack <= way <= b - a + slack:
            return False
        if not is_part and (abs(way) > slack or abs(a - b) > slack):
            return False
    return True


def _extent(size_um: list[float], origin_um: Any) -> str:
    words = " x ".join(f"{n:.4g}" for n in size_um) + " um"
    return words + (f" from {', '.join(f'{n:.4g}' for n in origin_um)} um" if np.any(origin_um) else "")


def read_motion(path: Path) -> GivenMotion:
    """Open the result whose motion is taken.

    Raises
    ------
    InputError
        If there is none, or nothing in it yet; field `fit.motion_from`.
    """
    return GivenMotion(open_other(path, _FIELD, StoredResult.motion))


def open_other(path: Path, field: str, check: Callable[[StoredResult], object]) -> StoredResult:
    """Open the result of another run that a job names.

    Parameters
    ----------
    path, field
        The result, and the setting that names it.
    check
        Raises where it is of no use.

    Raises
    ------
    InputError
        If there is none, or the check raises; the field is that of the setting.
    """
    try:
        stored = open_result(path)
        check(stored)
    except InputError as error:
        raise InputError(field, error.got, error.takes) from error
    except StoreError as error:
        raise InputError(field, f"{path} ({error})", "a result whose run has come to its end") from error
    return stored
