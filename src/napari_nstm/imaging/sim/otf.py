"""Optical transfer functions as radially symmetric tables.

A point that lies `depth` out of focus is imaged as h(x, y; depth). Its lateral transform H(kr; depth), with kr the
radial frequency, is what a table holds, for each order of the stripes: order 1 of three beams carries the axial
stripes too, which stay with the focus while the sample moves through it (Gustafsson et al. 2008). H is real for
a point spread function that is symmetric in its plane. H(0; 0) of order 0 is 1: a thin sample in focus keeps
its brightness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.imaging.sim.optics import SimOptics

Float = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class OtfTable:
    """Transfer of every order, sampled in radial frequency and depth.

    Parameters
    ----------
    values
        (orientation, order, kr, depth); one orientation: alike for all.
    kr_step_per_um
        Distance of the samples along kr, which begin at 0, in cycles per um.
    depths_um
        Depths, in um: plane minus point.
    """

    values: Float
    kr_step_per_um: float
    depths_um: tuple[float, ...]

    @property
    def n_orders(self) -> int:
        """Orders in the table."""
        return int(self.values.shape[1])

    def lateral(self, order: int, orientation: int, kr: Float) -> Float:
        """Return H at radial frequencies kr (cycles per um): (*kr.shape, depth); 0 beyond the table."""
        table = self.values[orientation if len(self.values) > 1 else 0, order]
        position = np.asarray(kr, np.float64) / self.kr_step_per_um
        lower = np.minimum(position.astype(np.int64), len(table) - 1)
        fraction = (position - lower)[..., None]
        padded = np.concatenate([table, np.zeros_like(table[:2])])
        inside = (position < len(table))[..., None]
        return np.asarray(np.where(inside, (1 - fraction) * padded[lower] + fraction * padded[lower + 1], 0.0))

    def transfer(self, order: int, orientation: int, kr: Float) -> NDArray[Any]:
        """Return the transfer function at lateral frequencies kr, [kz first,] for samples at the table's depths.

        With one depth it is H itself, (*kr.shape). With several, which must be the offsets
        0, 1, ..., -2, -1 planes in the order of `fftfreq`, the transform along them: (kz, *kr.shape).
        """
        found = self.lateral(order, orientation, kr)
        if len(self.depths_um) == 1:
            return np.asarray(found[..., 0])
        spectrum = np.moveaxis(fft.fft(found, axis=-1), -1, 0)
        return np.asarray(spectrum.real if np.allclose(spectrum.imag, 0, atol=1e-9) else spectrum)


def depths_of(n_planes: int, plane_spacing_um: float) -> tuple[float, ...]:
    """Return the depths a field of `n_planes` needs, padding counted, in the order that `OtfTable.transfer` takes."""
    if n_planes == 1:
        return (0.0,)
    return tuple(float(d) for d in fft.fftfreq(n_planes, 1 / n_planes) * plane_spacing_um)


# Lengths of the pattern vectors that count as one: their kz then differ by little over 2 %.
_EQUAL = 0.01


def with_axial_stripes(table: OtfTable, optics: SimOptics, vectors_per_um: Float) -> OtfTable:
    """Return a table of even light with the axial stripes of three beams in its order 1: times cos(2 pi kz depth).

    Parameters
    ----------
    table
        One orientation, all orders as that of even light; with two orders (two beams) it comes back as it is.
    optics
        For kz of each vector's length.
    vectors_per_um
        (orientation, 2): ky and kx of order 1, cycles per um.

    Returns
    -------
    OtfTable
        One orientation where all vectors are equally long to 1 %, else as many as there are vectors.
    """
    if table.n_orders < 3:
        return table
    lengths = np.hypot(*np.asarray(vectors_per_um, np.float64).T)
    if lengths.max() - lengths.min() <= _EQUAL * lengths.mean():
        lengths = lengths.mean(keepdims=True)
    values = np.repeat(table.values, len(lengths), axis=0)
    depths = np.asarray(table.depths_um)
    for orientation, length in enumerate(lengths):
        values[orientation, 1] *= np.cos(2 * np.pi * optics.axial_frequency(float(length)) * depths)
    return replace(table, values=values)
