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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.estimate.correlate import Correlator
from napari_nstm.imaging.sim.estimate.expected import Counted, Expected, Grid
from napari_nstm.imaging.sim.estimate.power import Shift, sample_power
from napari_nstm.imaging.sim.otf import OtfTable

Float = NDArray[np.floating[Any]]

_START = (0.25, 0.15)
_ROUNDS = 4


def fit_depths(correlator: Correlator, table: OtfTable, orientation: int, counted: Counted, amplitudes: Float) -> Float:
    """Return 1, m1[, m2] of an orientation: (order,).

    Parameters
    ----------
    correlator
        The frames.
    table
        The OTF. One that has the depths of a volume must have been made for this vector: order 1 depends on it.
    orientation
        Which.
    counted
        The stripes, and what to count.
    amplitudes
        (order - 1,) A_1[, A_2] that products show whose filters are multiplied by the mask of `counted`.
    """
    n_orders = counted.n_orders
    grid = Grid.around(correlator, table)
    found = Expected.of(correlator, table, orientation, counted, grid)
    shift = Shift(counted.vector_per_um / correlator.sampling.step_per_um)
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
