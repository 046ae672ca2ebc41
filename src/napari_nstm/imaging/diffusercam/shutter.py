"""When each row is exposed.

Times are counted in row times (of binned rows) from the start of the first exposure. A row is open from its start
for the length of the exposure; of binned rows each of its raw rows at its own start, with equal weights.

A dual shutter reads both halves at once, `dual` from the edges towards the line where they meet, `dual_outward` from
there (Cao et al. 2024, Methods; Antipa et al. 2019). That line lies in the middle of the image, or
`shutter_shift_rows` below it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings

_SAMPLES_PER_EXPOSURE = 6
_TOLERANCE = 1e-6
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RollingShutter:
    """The exposures of all rows of a (binned) image.

    Parameters
    ----------
    starts
        (row, part): start of each of its raw rows, in row times; the first of all is 0.
    exposure
        Length of an exposure, in row times.
    row_time_ms
        Length of a row time.
    step
        Row times between two moments of the time lattice.
    """

    starts: Float
    exposure: float
    row_time_ms: float
    step: float

    @property
    def n_rows(self) -> int:
        """Rows of the image."""
        return len(self.starts)

    @property
    def duration(self) -> float:
        """From the start of the first exposure to the end of the last, in row times."""
        return float(self.starts.max()) + self.exposure

    @property
    def duration_ms(self) -> float:
        """The same in ms."""
        return self.duration * self.row_time_ms

    @property
    def n_cells(self) -> int:
        """Cells of the time lattice."""
        return max(1, math.ceil(self.duration / self.step - _TOLERANCE))

    @property
    def times(self) -> Float:
        """Middle of each cell in [-1, 1], which spans the whole duration: (cell,)."""
        middles = (np.arange(self.n_cells) + 0.5) * self.step
        return np.asarray(np.minimum(2 * middles / self.duration - 1, 1.0))

    @property
    def weights(self) -> Float:
        """Share of each row's exposure that falls into each cell: (row, cell); every row adds up to 1."""
        edges: Float = np.arange(self.n_cells + 1, dtype=np.float64) * self.step
        edges[-1] = max(edges[-1], self.duration)
        return np.asarray(overlaps(self.starts, self.exposure, edges).mean(axis=1))


def overlaps(starts: Float, exposure: float, edges: Float) -> Float:
    """Return the share of exposures in cells: (..., cell).

    Parameters
    ----------
    starts
        (...): start of each exposure.
    exposure
        Their length.
    edges
        (cell + 1,) ascending.
    """
    reached = np.clip(edges - starts[..., None], 0.0, exposure)
    return np.asarray(np.diff(reached, axis=-1) / exposure)


def rolling_shutter(n_raw_rows: int, settings: DiffuserCamSettings) -> RollingShutter:
    """Return the exposures of an image.

    Parameters
    ----------
    n_raw_rows
        Rows before binning; those that do not fill a binned row are left out.
    settings
        Shutter, times, binning, shift and time step.
    """
    if settings.shutter == "global":
        return RollingShutter(np.zeros((n_raw_rows // settings.binning, 1)), 1.0, settings.exposure_ms, 1.0)
    starts = row_starts(n_raw_rows, settings)
    n_rows, binning = n_raw_rows // settings.binning, settings.binning
    starts = starts[: n_rows * binning].reshape(n_rows, binning) / binning
    exposure = settings.exposure_rows / binning
    step = max(1.0, exposure / _SAMPLES_PER_EXPOSURE) if settings.time_step_rows is None else settings.time_step_rows
    return RollingShutter(starts - starts.min(), exposure, 1e-3 * settings.row_time_of_binned_us, step)


def row_starts(n_rows: int, settings: DiffuserCamSettings) -> Float:
    """Return the start of each raw row's exposure, in raw row times; not all begin at 0."""
    rows = np.arange(n_rows, dtype=np.float64)
    last = n_rows - 1
    if settings.shutter == "single":
        return rows
    if settings.shutter == "single_reversed":
        return last - rows
    # Rows as far from the line where the halves meet are exposed together: the half whose edge is further away begins
    # earlier (inwards) or is done later (outwards).
    inwards = np.minimum(rows, last + 2 * settings.shutter_shift_rows - rows)
    return inwards if settings.shutter == "dual" else -inwards
