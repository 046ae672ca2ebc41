"""How strong the peaks of the stripes are expected to be, for the power that the sample has; see `depths`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from napari_nstm.imaging.sim.estimate.correlate import LEAST_H, Correlator, filter_pair, in_focus_index
from napari_nstm.imaging.sim.estimate.sampling import whole
from napari_nstm.imaging.sim.otf import OtfTable

Float = NDArray[np.floating[Any]]

_NOTCH_PX, _NOTCH = 3.0, 0.12  # pixels of frequency, and of the cutoff


@dataclass(frozen=True)
class Counted:
    """Frequencies that depths are taken from.

    Left out are zero frequency and its images in the orders: there lie the camera's offset, even background and most of
    the light out of focus, which stripes do not modulate.

    Parameters
    ----------
    vector_per_um, n_orders
        The stripes.
    notch_per_um
        Radius around zero frequency and its images.
    least_power
        Of frames, in units of the noise.
    """

    vector_per_um: Float
    n_orders: int
    notch_per_um: float
    least_power: float = 0.0

    @classmethod
    def of(cls, correlator: Correlator, vector_per_um: Float, n_orders: int, least_power: float = 0.0) -> Counted:
        """Choose the radius for some frames."""
        pixels = _NOTCH_PX * float(correlator.sampling.step_per_um.max())
        return cls(vector_per_um, n_orders, max(pixels, _NOTCH * correlator.cutoff_per_um), least_power)

    def mask(self, ky: Float, kx: Float, power: Float, noise: float) -> Float:
        """Return what filters are multiplied by, 0 to 1, where the frames' power is as given."""
        mask: Any = np.asarray(power >= self.least_power * noise, np.float64)
        for a in range(-self.n_orders + 1, self.n_orders):
            y, x = ((k - a * p) / self.notch_per_um for k, p in zip((ky, kx), self.vector_per_um, strict=True))
            mask = mask * (1 - np.exp(-0.5 * (y**2 + x**2) ** 2))
        return np.asarray(mask)


@dataclass(frozen=True)
class Grid:
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
    def around(cls, correlator: Correlator, table: OtfTable) -> Grid:
        """Return the grid for some frames and an OTF; that of a volume where the OTF has its depths."""
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
class Expected:
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
        counted: Counted,
        grid: Grid,
    ) -> Expected:
        """Prepare the sums for an orientation's stripes."""
        highest = counted.n_orders - 1
        at = [_Shifted.by(a, correlator, table, orientation, counted, grid) for a in range(-highest, highest + 1)]
        weights: dict[tuple[int, int], Float] = {}
        for m in range(1, counted.n_orders):
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
        counted: Counted,
        grid: Grid,
    ) -> _Shifted:
        sampling, filters, vector = correlator.sampling, correlator.filters, counted.vector_per_um
        y, x = np.broadcast_arrays(grid.ky + a * vector[0], grid.kx + a * vector[1])
        kr = np.hypot(y, x)
        index = [k / step + n // 2 for k, step, n in zip((y, x), sampling.step_per_um, sampling.shape, strict=True)]
        smooth = fft.fftshift(whole(filters.power, sampling.shape[1]))
        V = ndimage.map_coordinates(smooth, index, order=1, mode="grid-wrap")
        focus = table.lateral(0, 0, kr)[..., in_focus_index(table)]
        mask = counted.mask(y, x, V, filters.noise)
        F, G = (part * mask for part in filter_pair(np.where(focus > LEAST_H, focus, 0), V, filters.noise))
        if grid.n_kz == 1:
            transfer = [
                table.lateral(m, orientation, kr)[None, ..., in_focus_index(table)] for m in range(counted.n_orders)
            ]
        else:
            transfer = [table.transfer(m, orientation, kr).real for m in range(counted.n_orders)]
        return cls(F, G, transfer)
