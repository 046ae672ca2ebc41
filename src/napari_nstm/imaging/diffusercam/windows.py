"""Rows that are fitted together: a window of exposures that follow each other, and the moments that they see.

Rows with the same exposure (the two halves of a dual shutter) see the same light and are kept together. A step needs
only the moments that its window sees: memory does not grow with the length of the movie.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.diffusercam.shutter import RollingShutter

_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Windows:
    """All windows of an image; together they hold every row once.

    Parameters
    ----------
    times
        (window, moment) in [-1, 1].
    weights
        (window, exposure, moment): share of the exposure that each moment stands for.
    rows
        (window, exposure, row): rows of the sensor with this exposure.
    counted
        Same shape: 1, or 0 where there is no row, or another window has it.
    """

    times: NDArray[np.float32]
    weights: NDArray[np.float32]
    rows: NDArray[np.int32]
    counted: NDArray[np.float32]

    @property
    def n_windows(self) -> int:
        """Steps in which every row is seen once."""
        return len(self.times)


def windows(shutter: RollingShutter, exposures_per_window: int) -> Windows:
    """Cut an image into windows.

    Parameters
    ----------
    shutter
        When each row is exposed.
    exposures_per_window
        Different exposures of a window; the last window goes back over rows of the one before to have as many.
    """
    exposures, rows = _groups(shutter)
    n = min(exposures_per_window, len(exposures))
    firsts = [min(k * n, len(exposures) - n) for k in range(math.ceil(len(exposures) / n))]
    all_weights, times = shutter.weights[exposures], shutter.times
    seen = [np.flatnonzero(all_weights[first : first + n].any(axis=0)) for first in firsts]
    n_moments = max(int(cells[-1] - cells[0]) + 1 for cells in seen)
    begins = [min(int(cells[0]), shutter.n_cells - n_moments) for cells in seen]
    counted = (rows >= 0).astype(np.float32)
    of_windows = []
    for k, first in enumerate(firsts):
        own = counted[first : first + n].copy()
        own[: k * n - first] = 0
        of_windows.append(own)
    return Windows(
        times=np.stack([times[begin : begin + n_moments] for begin in begins]).astype(np.float32),
        weights=np.stack(
            [all_weights[a : a + n, b : b + n_moments] for a, b in zip(firsts, begins, strict=True)]
        ).astype(np.float32),
        rows=np.stack([np.maximum(rows[first : first + n], 0) for first in firsts]).astype(np.int32),
        counted=np.stack(of_windows),
    )


def _groups(shutter: RollingShutter) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a row of each different exposure, in the order of time, and all rows that have it (-1: none)."""
    keys = np.round(shutter.starts / _SAME).astype(np.int64)
    by_time: dict[Any, list[int]] = {}
    for row in np.lexsort((np.arange(len(keys)), shutter.starts.mean(axis=1))):
        # Raw rows of a binned row are exposed one after the other, forwards or backwards: that makes no difference.
        by_time.setdefault(tuple(sorted(keys[row])), []).append(int(row))
    most = max(map(len, by_time.values()))
    rows = np.array([[*of, *[-1] * (most - len(of))] for of in by_time.values()])
    return rows[:, 0], rows
