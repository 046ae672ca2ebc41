"""Depths of the stripes, from how strong their peaks are for the power that the sample has.

The peak of order m that `correlate` makes of a frame is expected at

    A_m = sum over k of F(k) G(k + m p) sum_a c_a c_(a+m) H_a(k) H_(a+m)(k + m p) P(k - a p) + the same with F, G exchanged

(a counts orders from -2 to 2, c_0 = 1, c_{+-m} = m_m / 2), and the mean power of frames whose phases are spread is

    V(k) = sum_a c_a^2 H_a(k)^2 P(k - a p) + noise.

Both need the sample's power P only, which motion changes little, so that depths are found whether it moves or not. In
a volume squares and products of H are summed over depths: the sample is taken for one that does not repeat itself in z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_nstm.imaging.sim.estimate.correlate import LEAST_H, Correlator, filter_pair, in_focus_index
from napari_nstm.imaging.sim.estimate.sampling import whole
from napari_nstm.imaging.sim.otf import OtfTable

Float = NDArray[np.floating[Any]]

START=(.25,.15)
ROUNDS=40
FIRST=2
_NOTCH_PX = 3.0  # of frequency
_ROUNDS = 10


def notches(ky: Float, kx: Float, vector_per_um: Float, n_orders: int, step_per_um: Float) -> Float:
    """Return a mask that is 0 at zero frequency and its images in the orders, 1 some pixels of frequency away.

    There lie the camera's offset, even background and light out of focus, which stripes do not modulate.
    """
    mask: Any = 1.0
    for a in range(-n_orders + 1, n_orders):
        y, x = ((k - a * p) / step for k, p, step in zip((ky, kx), vector_per_um, step_per_um, strict=True))
        mask = mask * (1 - np.exp(-0.5 * ((y**2 + x**2) / _NOTCH_PX**2) ** 2))
    return np.asarray(mask)


@dataclass(frozen=True)
class _Expected:
    """A_1 and A_2 as functions of c_1 and c_2: sums over the sample's power.

    Parameters
    ----------
    weights
        By (m, a): weight of P(k) in A_m / (c_a c_(a+m)), on the centred grid of the cropped spectrum.
    power_ratio
        By a: H_a(k)^2 over H_0(k)^2, likewise.
    apparent
        (V - noise) / H_0^2.
    shift_px
        (2,) the vector in samples.
    """

    weights: dict[tuple[int, int], Float]
    gains: dict[int, Float]
    measured: Float
    noise: float
    shift_px: Float

    def moved(self, values: Float, a: int) -> Float:
        """Return values at k - a p."""
        return np.asarray(ndimage.shift(values, a * self.shift_px, order=1, prefilter=False)) if a else values

    def sample_power(self, previous: Float, c: Float) -> Float:
        """Return a power that explains the measured one better: a step of expectation maximisation, never negative."""
        share = {a: c[abs(a)] ** 2 for a in self.gains if c[abs(a)] > 0}
        model = self.noise + sum(share[a] * self.gains[a] * self.moved(previous, a) for a in share)
        back = sum(share[a] * self.moved(self.gains[a] * (self.measured / model), -a) for a in share)
        full = sum(share[a] * self.moved(self.gains[a], -a) for a in share)
        return np.asarray(previous * back / np.maximum(full, 1e-12 * np.max(full)))

    def first(self):
        g=self.gains[0]
        return np.clip(self.measured-self.noise,0,None)*g/(g**2+(1e-3*g.max())**2)+1e-6*self.measured.max()/g.max()*0+ self.noise/g.max()

    def terms(self, power: Float, m: int) -> dict[tuple[int, int], float]:
        """Return the factors of c_|a| c_|a + m| in A_m."""
        found: dict[tuple[int, int], float] = {}
        for (order, a), weight in self.weights.items():
            if order == m:
                key = (min(abs(a), abs(a + m)), max(abs(a), abs(a + m)))
                found[key] = found.get(key, 0.0) + float(np.sum(weight * power))
        return found


def fit_depths(
    correlator: Correlator, table: OtfTable, orientation: int, vector_per_um: Float, amplitudes: Float
) -> Float:
    """Return m1[, m2] of an orientation: (order,).

    Parameters
    ----------
    correlator
        The frames.
    table
        The OTF; depths other than the focus count where it has them.
    orientation
        Which.
    vector_per_um
        (2,) of order 1.
    amplitudes
        (order,) A_m that the products under `notches` show.
    """
    n_orders = len(amplitudes) + 1
    expected = _expected(correlator, table, orientation, vector_per_um, n_orders)
    # From below: with shallow stripes all power counts as the sample's, and they grow from round to round.
    c = np.concatenate([[1.0], START[: n_orders - 1]])
    power = expected.first()
    for k in range(ROUNDS):
        power = expected.sample_power(power, c)
        if k>=FIRST:
          for m in range(1, n_orders):
            c[m] = _solved(expected.terms(power, m), float(amplitudes[m - 1]), c, m)
    return 2 * c[1:]


def _solved(terms: dict[tuple[int, int], float], amplitude: float, c: Float, m: int) -> float:
    """Solve amplitude = sum of factors for c_m, with the other one as it is: A_m is linear in c_m except c_1^2 in A_2."""
    slope = sum(factor * c[low + high - m] for (low, high), factor in terms.items() if m in {low, high} and low != high)
    rest = sum(factor * c[low] * c[high] for (low, high), factor in terms.items() if m not in {low, high})
    return float(np.clip((amplitude - rest) / slope, 0, 1)) if slope > 0 else 0.0


def _expected(correlator: Correlator, table: OtfTable, orientation: int, vector: Float, n_orders: int) -> _Expected:
    sampling, filters = correlator.sampling, correlator.filters
    columns = sampling.shape[1]
    n_kz = _axial(correlator, table)
    smooth = np.fft.fftshift(whole(filters.power, columns))
    power = correlator.power(orientation, None if n_kz == 1 else n_kz).reshape(n_kz, smooth.shape[0], -1)
    measured = np.fft.fftshift(whole(power, columns), axes=(-2, -1))
    reach = table.kr_step_per_um * (table.values.shape[2] - 1)
    middle = np.asarray(smooth.shape) // 2
    half = [min(int(m), math.ceil(reach / s)) for m, s in zip(middle, sampling.step_per_um, strict=True)]
    crop = tuple(slice(m - h, min(m + h + 1, n)) for m, h, n in zip(middle, half, smooth.shape, strict=True))
    ky, kx = (
        ((np.arange(s.start, s.stop) - m) * step).reshape(shape)
        for s, m, step, shape in zip(crop, middle, sampling.step_per_um, ((-1, 1), (1, -1)), strict=True)
    )

    def seen_at(a: int) -> tuple[Float, Float, list[Float]]:
        """Return F, G and every order's H (kz, ky, kx) at k + a p."""
        y, x = np.broadcast_arrays(ky + a * vector[0], kx + a * vector[1])
        kr = np.hypot(y, x)
        H = [_transfer(table, m, orientation, kr, n_kz) for m in range(n_orders)]
        index = [k / step + m for k, step, m in zip((y, x), sampling.step_per_um, middle, strict=True)]
        V = ndimage.map_coordinates(smooth, index, order=1, mode="grid-wrap")
        focus = table.lateral(0, 0, kr)[..., in_focus_index(table)]
        mask = notches(y, x, vector, n_orders, sampling.step_per_um)
        F, G = (part * mask for part in filter_pair(np.where(focus > LEAST_H, focus, 0), V, filters.noise))
        return F, G, H

    highest = n_orders - 1
    at = {a: seen_at(a) for a in range(-highest, highest + 1)}
    weights = {}
    for m in range(1, n_orders):
        for a in range(-highest, highest + 1 - m):
            (F, _, H), (_, G, H2) = at[a], at[a + m]
            weights[m, a] = F * G * H[abs(a)] * H2[abs(a + m)] / measured.size
    gains = {a: at[0][2][abs(a)] ** 2 for a in range(-highest, highest + 1)}
    shift_px = np.concatenate([[0.0], vector / sampling.step_per_um])
    return _Expected(weights, gains, measured[:, crop[0], crop[1]], filters.noise, shift_px)


def _axial(correlator: Correlator, table: OtfTable) -> int:
    """Return how many axial frequencies to tell apart: as many as the table has depths, 1 without a volume's table."""
    n = len(table.depths_um)
    return n if correlator.n_planes <= n else 1


def _transfer(table: OtfTable, order: int, orientation: int, kr: Float, n_kz: int) -> Float:
    """Return H (kz, ky, kx)."""
    if n_kz == 1:
        return np.asarray(table.lateral(order, orientation, kr)[..., in_focus_index(table)][None])
    return np.asarray(table.transfer(order, orientation, kr).real)
