"""Depths of the stripes, from how strong their peaks are for the power that the sample has.

With a counting orders from -2 to 2, c_0 = 1 and c_{+-m} = m_m / 2, the peak of order m that `correlate` makes of a
frame of N pixels is expected at

    A_m = 1/N sum over k of F(k) G(k + m p) sum_a c_a c_(a+m) H_a(k) H_(a+m)(k + m p) P(k - a p)

and the mean power of frames whose phases are spread is

    V(k) = sum_a c_a^2 H_a(k)^2 P(k - a p) + noise.

Both need the sample's power P only, which motion changes little: depths are found whether it moves or not. In a
volume k has an axial part, along which p is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from napari_nstm.imaging.sim.estimate.correlate import LEAST_H, Correlator, filter_pair, in_focus_index
from napari_nstm.imaging.sim.estimate.power import Shift, sample_power
from napari_nstm.imaging.sim.estimate.sampling import whole
from napari_nstm.imaging.sim.otf import OtfTable

Float = NDArray[np.floating[Any]]

_NOTCH_PX = 3.0  # of frequency
_START = (0.25, 0.15)
_ROUNDS = 4


def notches(ky: Float, kx: Float, vector_per_um: Float, n_orders: int, step_per_um: Float) -> Float:
    """Return a mask that is 0 at zero frequency and its images in the orders, 1 some pixels of frequency away.

    There lie the camera's offset, even background and light out of focus, which stripes do not modulate.
    """
    mask: Any = 1.0
    for a in range(-n_orders + 1, n_orders):
        y, x = ((k - a * p) / step for k, p, step in zip((ky, kx), vector_per_um, step_per_um, strict=True))
        mask = mask * (1 - np.exp(-0.5 * ((y**2 + x**2) / _NOTCH_PX**2) ** 2))
    return np.asarray(mask)


def fit_depths(
    correlator: Correlator, table: OtfTable, orientation: int, vector_per_um: Float, amplitudes: Float
) -> Float:
    """Return 1, m1[, m2] of an orientation: (order,).

    Parameters
    ----------
    correlator
        The frames.
    table
        The OTF. One that has the depths of a volume must have been made for this vector: order 1 depends on it.
    orientation
        Which.
    vector_per_um
        (2,) of order 1.
    amplitudes
        (order - 1,) A_1[, A_2] that the products under `notches` show.
    """
    n_orders = len(amplitudes) + 1
    grid = _Grid.around(correlator, table)
    found = _Expected.of(correlator, table, orientation, vector_per_um, n_orders, grid)
    shift = Shift(vector_per_um / correlator.sampling.step_per_um)
    c = np.concatenate([[1.0], _START[: n_orders - 1]])
    for _ in range(_ROUNDS):
        power = sample_power(found.measured, found.gains, correlator.filters.noise, c, shift)
        for m in range(1, n_orders):
            c[m] = _solved(found.terms(power, m), float(amplitudes[m - 1]), c, m)
    return np.concatenate([c[:1], 2 * c[1:]])


def _solved(terms: dict[tuple[int, int], float], amplitude: float, c: Float, m: int) -> float:
    """Solve amplitude = sum of terms x c c for c_m, the other one as it is: but for c_1^2 in A_2, linear in c_m."""
    slope = sum(factor * c[low + high - m] for (low, high), factor in terms.items() if m in {low, high})
    rest = sum(factor * c[low] * c[high] for (low, high), factor in terms.items() if m not in {low, high})
    return float(np.clip((amplitude - rest) / slope, 0, 1)) if slope > 0 else 0.0


@dataclass(frozen=True)
class _Grid:
    """Frequencies that the objective passes, in the middle of the frames' own.

    Parameters
    ----------
    ky, kx
        (y, 1) and (1, x), cycles per um, symmetric about 0.
    crop
        Where they lie in a centred spectrum.
    n_kz
        Axial frequencies of a volume; 1 for a plane.
    """

    ky: Float
    kx: Float
    crop: tuple[slice, slice]
    n_kz: int

    @classmethod
    def around(cls, correlator: Correlator, table: OtfTable) -> _Grid:
        reach = table.kr_step_per_um * (table.values.shape[2] - 1)
        axes, crop = [], []
        for n, step in zip(correlator.sampling.shape, correlator.sampling.step_per_um, strict=True):
            half = min((n - 1) // 2, math.ceil(reach / step))
            axes.append(step * np.arange(-half, half + 1.0))
            crop.append(slice(n // 2 - half, n // 2 + half + 1))
        depths = len(table.depths_um)
        n_kz = depths if 1 < correlator.n_planes <= depths else 1
        return cls(axes[0][:, None], axes[1][None], (crop[0], crop[1]), n_kz)

    @property
    def kz_counts(self) -> Float:
        """How often each of the axial frequencies 0, 1, ... stands for itself and its negative: (kz, 1, 1)."""
        index = np.arange(self.n_kz // 2 + 1)
        return np.where((index == 0) | (2 * index == self.n_kz), 1.0, 2.0)[:, None, None]

    def folded(self, values: Float) -> Float:
        """Return the mean of axial frequencies and their negatives: (kz, ...) to (kz // 2 + 1, ...)."""
        index = np.arange(self.n_kz // 2 + 1)
        return np.asarray((values[index] + values[-index]) / 2)


@dataclass(frozen=True)
class _Expected:
    """What V and A_m are made of, on a grid (kz, ky, kx).

    Parameters
    ----------
    measured
        V.
    gains
        By |a|: H_a^2.
    weights
        By (m, a): what P(k) is multiplied by in A_m / (c_a c_(a+m)).
    """

    measured: Float
    gains: list[Float]
    weights: dict[tuple[int, int], Float]

    def terms(self, power: Float, m: int) -> dict[tuple[int, int], float]:
        """Return what c_low c_high is multiplied by in A_m."""
        found: dict[tuple[int, int], float] = {}
        for (order, a), weight in self.weights.items():
            if order == m:
                low, high = sorted((abs(a), abs(a + m)))
                found[low, high] = found.get((low, high), 0.0) + float(np.sum(weight * power))
        return found

    @classmethod
    def of(
        cls,
        correlator: Correlator,
        table: OtfTable,
        orientation: int,
        vector: Float,
        n_orders: int,
        grid: _Grid,
    ) -> _Expected:
        highest = n_orders - 1
        at = [_Shifted.by(a, correlator, table, orientation, vector, n_orders, grid) for a in range(-highest, highest + 1)]
        weights = {}
        for m in range(1, n_orders):
            for a in range(-highest, highest + 1 - m):
                one, other = at[a + highest], at[a + m + highest]
                together = grid.folded(one.transfer[abs(a)] * other.transfer[abs(a + m)]) * grid.kz_counts
                weights[m, a] = one.F * other.G * together / (grid.n_kz * math.prod(correlator.sampling.shape))
        gains = [grid.folded(H**2) for H in at[highest].transfer]
        power = correlator.power(orientation, grid.n_kz)
        centred = fft.fftshift(whole(grid.folded(power), correlator.sampling.shape[1]), axes=(-2, -1))
        return cls(centred[:, grid.crop[0], grid.crop[1]], gains, weights)


@dataclass(frozen=True)
class _Shifted:
    """Filters F and G (ky, kx), and H of every order (kz, ky, kx), at k + a p."""

    F: Float
    G: Float
    transfer: list[Float]

    @classmethod
    def by(
        cls,
        a: int,
        correlator: Correlator,
        table: OtfTable,
        orientation: int,
        vector: Float,
        n_orders: int,
        grid: _Grid,
    ) -> _Shifted:
        sampling, filters = correlator.sampling, correlator.filters
        y, x = np.broadcast_arrays(grid.ky + a * vector[0], grid.kx + a * vector[1])
        kr = np.hypot(y, x)
        index = [
            k / step + n // 2 for k, step, n in zip((y, x), sampling.step_per_um, sampling.shape, strict=True)
        ]
        smooth = fft.fftshift(whole(filters.power, sampling.shape[1]))
        V = ndimage.map_coordinates(smooth, index, order=1, mode="grid-wrap")
        focus = table.lateral(0, 0, kr)[..., in_focus_index(table)]
        mask = notches(y, x, vector, n_orders, sampling.step_per_um)
        F, G = (part * mask for part in filter_pair(np.where(focus > LEAST_H, focus, 0), V, filters.noise))
        if grid.n_kz == 1:
            transfer = [table.lateral(m, orientation, kr)[None, ..., in_focus_index(table)] for m in range(n_orders)]
        else:
            transfer = [table.transfer(m, orientation, kr).real for m in range(n_orders)]
        return cls(F, G, transfer)
