"""Where in the object's spectrum the bands of structured illumination lie, and how strongly.

Band m shows at frequency k of a frame what was at k - m k_d in the object.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import distance_transform_edt

from napari_nstm.core.grids import Grid
from napari_nstm.imaging.sim.layout import SimLayout
from napari_nstm.imaging.sim.optics import Illumination
from napari_nstm.imaging.sim.otf import OtfTable

Float = NDArray[np.floating[Any]]

_SAMPLES = 4096  # along kr, between which nothing is interpolated
# A lateral frequency is passed where the OTF exceeds this fraction of its largest value (an ideal one does up to
# 0.9998 of its cutoff), and an axial one where it exceeds this fraction of the largest at its lateral frequency:
# below lies what the finite number of planes spreads along kz.
_PASSED = 1e-6
_PASSED_AXIALLY = 0.01
_CUTOFF = 1e-3


@dataclass(frozen=True)
class Transfer:
    """A function of the radial frequency, as the OTF of an order, to be looked up at many frequencies.

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

    @property
    def kr(self) -> Float:
        """Radial frequencies of the samples, cycles per um."""
        return self.step_per_um * np.arange(self.values.shape[-1])

    def times(self, factor: NDArray[Any]) -> Transfer:
        """Return the product with a factor for each sample."""
        return replace(self, values=self.values * factor)

    def add_to(self, total: NDArray[Any], ky: Float, kx: Float) -> None:
        """Add the values at ky (y,) and kx (x,), cycles per um, to ([kz,] y, x)."""
        reach = self.kr[-1]
        within = zip((ky, kx), self.limits_per_um, strict=True)
        rows, columns = (np.flatnonzero(np.abs(k) <= min(reach, limit)) for k, limit in within)
        kr = np.hypot(ky[rows, None].astype(np.float32), kx[columns].astype(np.float32))
        index = np.minimum(np.rint(kr / np.float32(self.step_per_um)).astype(np.int32), self.values.shape[-1] - 1)
        where: Any = (..., *np.ix_(rows, columns))
        total[where] += self.values[..., index]

    def at(self, ky: Float, kx: Float) -> NDArray[Any]:
        """Return the values at ky (y,) and kx (x,): ([kz,] y, x)."""
        total = np.zeros((*self.values.shape[:-1], len(ky), len(kx)), self.values.dtype)
        self.add_to(total, ky, kx)
        return total


def transfer_of(table: OtfTable, order: int, orientation: int, layout: SimLayout) -> Transfer:
    """Sample the OTF of an order finely."""
    step = table.kr_step_per_um * table.values.shape[2] / (_SAMPLES - 1)
    values = table.transfer(order, orientation, step * np.arange(_SAMPLES))
    values[..., -1] = 0
    extent, pixel = layout.raw.padded_extent[-2:], layout.raw.pixel_size_um[-2:]
    # Strictly below Nyquist, as in a Fourier crop; a quarter of a sample is left for rounding.
    limits = [((n - 1) // 2 + 0.25) / (n * size) for n, size in zip(extent, pixel, strict=True)]
    kind = np.complex64 if np.iscomplexobj(values) else np.float32
    return Transfer(values.astype(kind), step, (limits[0], limits[1]))


def cutoff_of(table: OtfTable) -> float:
    """Return the lateral frequency at which the OTF of order 0 has fallen to a thousandth, cycles per um."""
    size = np.abs(table.values[:, 0]).max(axis=(0, 2))
    return float(table.kr_step_per_um * np.flatnonzero(size > _CUTOFF * size.max())[-1])


def half_plane(grid: Grid) -> tuple[Float, Float]:
    """Return ky (y,) and kx >= 0 (x,) of a padded grid, cycles per um, in the order of `rfftn`."""
    (rows, columns), pixel = grid.padded_shape[-2:], grid.pixel_size_um[-2:]
    return fft.fftfreq(rows, pixel[0]), fft.rfftfreq(columns, pixel[1])


def half_shape(grid: Grid) -> tuple[int, ...]:
    """Return the numbers of frequencies of a padded grid's half plane."""
    return (*grid.padded_shape[:-1], grid.padded_shape[-1] // 2 + 1)


def add_shifted(total: NDArray[Any], values: Transfer, order: int, vector_per_um: Float, layout: SimLayout) -> None:
    """Add, on the scene's half plane, the values at q + m k_d and q - m k_d: where bands m and -m show q."""
    ky, kx = half_plane(layout.scene)
    for m in {order, -order}:
        values.add_to(total, ky + m * vector_per_um[0], kx + m * vector_per_um[1])


def support(table: OtfTable, light: Illumination, layout: SimLayout) -> NDArray[np.bool_]:
    """Return which frequencies of the scene the frames hold: the union of the shifted supports of all OTFs.

    Parameters
    ----------
    table
        OTF of every order.
    light
        Pattern vectors, and the number of orders.
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
            otf = transfer_of(table, order, orientation, layout)
            size = np.abs(otf.values)
            passed = size > _PASSED * size.max()
            if size.ndim == 2:
                passed &= size > _PASSED_AXIALLY * size.max(axis=0)
            add_shifted(total, replace(otf, values=passed.astype(np.float32)), order, vector, layout)
    return np.asarray(total > 0)


def apodisation(
    supported: NDArray[np.bool_], layout: SimLayout, exponent: float, width: float = 1.0
) -> NDArray[np.float32]:
    """Return a triangle that falls from 1 inside to 0 at the edge of the lateral support, to a power.

    Parameters
    ----------
    supported
        What `support` returned.
    layout
        Grids at full size.
    exponent
        1 for the triangle itself; the smaller, the more of the fall is at the very edge.
    width
        Where it begins to fall: distance from the edge over that of frequency 0.

    Returns
    -------
    NDArray
        (ky, kx >= 0).
    """
    half = np.asarray(supported.reshape(-1, *supported.shape[-2:]).any(axis=0))
    columns = layout.scene.padded_shape[-1]
    # Column -kx of a real image is column kx, with ky turned round.
    mirrored = half[:, 1 : (columns + 1) // 2][:, ::-1]
    full = np.concatenate([half, np.roll(mirrored[::-1], 1, axis=0)], axis=1)
    steps = [1 / (n * p) for n, p in zip(full.shape, layout.scene.pixel_size_um[-2:], strict=True)]
    distance = fft.ifftshift(distance_transform_edt(fft.fftshift(full), sampling=steps))
    inwards = distance[:, : half.shape[1]] / (width * distance[0, 0])
    return np.asarray(np.minimum(inwards, 1) ** exponent, np.float32)
