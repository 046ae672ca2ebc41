"""Where in the object's spectrum the bands of structured illumination lie, and how strongly.

What the stripes' order m brings to frequency k of a frame was at k - m k_d in the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.core.grids import Grid
from napari_nstm.imaging.sim.layout import SimLayout
from napari_nstm.imaging.sim.optics import Illumination
from napari_nstm.imaging.sim.otf import OtfTable

Float = NDArray[np.floating[Any]]

_SAMPLES = 4096  # along kr, between which nothing is interpolated
# Of an order's largest value; an ideal OTF falls to this at 0.9998 of its cutoff.
_SUPPORT = 1e-6


@dataclass(frozen=True)
class Transfer:
    """The OTF of one order, to be looked up at many frequencies.

    Parameters
    ----------
    values
        ([kz,] kr), finely sampled from 0 on; 0 at the end.
    step_per_um
        Distance of the samples along kr.
    limits_per_um
        Highest frequencies (ky, kx) that the frames' pixels hold.
    """

    values: NDArray[Any]
    step_per_um: float
    limits_per_um: tuple[float, float]

    def add_to(self, total: NDArray[Any], ky: Float, kx: Float) -> None:
        """Add the values at ky (y,) and kx (x,), cycles per um, to ([kz,] y, x); beyond its reach there are none."""
        reach = (self.values.shape[-1] - 1) * self.step_per_um
        within = zip((ky, kx), self.limits_per_um, strict=True)
        rows, columns = (np.flatnonzero(np.abs(k) <= min(reach, limit)) for k, limit in within)
        kr = np.hypot(ky[rows, None].astype(np.float32), kx[columns].astype(np.float32))
        index = np.minimum(np.rint(kr / np.float32(self.step_per_um)).astype(np.int32), self.values.shape[-1] - 1)
        total[(..., *np.ix_(rows, columns))] += self.values[..., index]

    def at(self, ky: Float, kx: Float) -> NDArray[Any]:
        """Return the values at ky and kx: ([kz,] y, x)."""
        total = np.zeros((*self.values.shape[:-1], len(ky), len(kx)), self.values.dtype)
        self.add_to(total, ky, kx)
        return total


def transfer_of(table: OtfTable, order: int, orientation: int, layout: SimLayout) -> Transfer:
    """Sample the OTF of an order finely."""
    reach = table.kr_step_per_um * table.values.shape[2]
    step = reach / (_SAMPLES - 1)
    values = table.transfer(order, orientation, step * np.arange(_SAMPLES))
    values[..., -1] = 0
    extent, pixel = layout.raw.padded_extent[-2:], layout.raw.pixel_size_um[-2:]
    # Strictly below Nyquist, as in a Fourier crop; with room for rounding.
    limits = [((n - 1) // 2 + 0.25) / (n * size) for n, size in zip(extent, pixel, strict=True)]
    kind = np.complex64 if np.iscomplexobj(values) else np.float32
    return Transfer(values.astype(kind), step, (limits[0], limits[1]))


def frequencies(shape: tuple[int, ...], pixel_size_um: tuple[float, ...], half: bool) -> tuple[Float, Float]:
    """Return ky (y,) and kx (x,) of a grid in cycles per um; half: kx of the half plane."""
    ky = fft.fftfreq(shape[-2], pixel_size_um[-2])
    kx = (fft.rfftfreq if half else fft.fftfreq)(shape[-1], pixel_size_um[-1])
    return ky, kx


def half_shape(grid: Grid) -> tuple[int, ...]:
    """Return the numbers of frequencies of a padded grid's half plane."""
    return (*grid.padded_shape[:-1], grid.padded_shape[-1] // 2 + 1)


def add_shifted(total: NDArray[Any], values: Transfer, order: int, vector_per_um: Float, layout: SimLayout) -> None:
    """Add what bands +m and -m see of the object to the scene's half plane: values at q + m k_d and at q - m k_d."""
    ky, kx = frequencies(layout.scene.padded_shape, layout.scene.pixel_size_um, half=True)
    for m in {order, -order}:
        values.add_to(total, ky + m * vector_per_um[0], kx + m * vector_per_um[1])


def support(table: OtfTable, light: Illumination, layout: SimLayout) -> NDArray[np.bool_]:
    """Return which frequencies of the scene the frames hold: the union of the shifted supports of all OTFs.

    Parameters
    ----------
    table
        OTF; an order reaches as far as it exceeds 1e-6 of its largest value.
    light
        Pattern vectors.
    layout
        Grids at full size.

    Returns
    -------
    NDArray
        On the half plane of the padded scene's frequencies, ([kz,] ky, kx >= 0), as of `rfftn`.
    """
    total = np.zeros(half_shape(layout.scene), np.float32)
    for orientation, vector in enumerate(light.vectors_per_um):
        for order in range(light.n_orders):
            values = transfer_of(table, order, orientation, layout)
            size = np.abs(values.values)
            reached = (size > _SUPPORT * size.max()).astype(np.float32)
            add_shifted(total, Transfer(reached, values.step_per_um, values.limits_per_um), order, vector, layout)
    return np.asarray(total > 0)
