"""Phases of the frames of one orientation, from what their products show at order 1 and at order 2.

At m times the vector the transform of frame j's product is

    a_mj = A_m exp(i m phi_j) + o_mj

with the real amplitude A_m of the stripes and the sample's own correlation o. The own part is alike in all frames of a
sample at rest, nearly alike between frames that follow each other soon, and independent where the sample
has moved on; and it is as large next to the stripes' peak as below it. So its covariance between frames is measured
around the peak, and phases and amplitudes are fitted to all frames and orders at once under that covariance:
what the frames have in common is taken for the sample as far as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.estimate.sampling import Complex, Sampling

Float = NDArray[np.floating[Any]]

_AROUND_PX = 8  # of frequency
_SIGMA_PX = 5.0
_PEAK_PX = 1.6
_SHRINK = 0.02
_STEPS = 30
_LARGEST_STEP_RAD = 0.3
_UNKNOWN_RAD = math.pi / math.sqrt(3)  # standard deviation of a phase that may be any


@dataclass(frozen=True)
class Peaks:
    """What one orientation of one acquisition shows at its orders.

    Parameters
    ----------
    values
        (order, frame) a.
    covariance
        (order, frame, frame) of o.
    """

    values: Complex
    covariance: Complex

    @property
    def weights(self) -> Complex:
        """The covariance's inverse."""
        return np.asarray(np.linalg.inv(self.covariance))


@dataclass(frozen=True)
class Phases:
    """Phases of one orientation of one acquisition.

    Parameters
    ----------
    phases_rad, errors_rad
        (frame,) of order 1, and their standard errors.
    amplitudes, amplitude_errors
        (order,) A, likewise.
    misfit
        Remaining square of the deviation over its expectation: 1 if order 2 is at twice the phase of order 1.
    """

    phases_rad: Float
    errors_rad: Float
    amplitudes: Float
    amplitude_errors: Float
    misfit: float


def peaks_at(products: Float, vector_per_um: Float, n_orders: int, sampling: Sampling) -> Peaks:
    """Read the stripes' peaks, and what surrounds them.

    Parameters
    ----------
    products
        (frame, y, x).
    vector_per_um
        (2,) of order 1.
    n_orders
        Orders, the even light counted.
    sampling
        The field.
    """
    offsets = np.arange(-_AROUND_PX, _AROUND_PX + 1.0)
    distance = np.hypot(offsets[:, None], offsets)
    beside = distance > _PEAK_PX
    weight = np.exp(-0.5 * (distance[beside] / _SIGMA_PX) ** 2)
    values, covariance = [], []
    for order in range(1, n_orders):
        around = sampling.transform(products, order * vector_per_um, offsets)
        values.append(around[:, _AROUND_PX, _AROUND_PX])
        own = _without_stripes(around[:, beside], values[-1])
        found = (own * weight) @ own.conj().T / weight.sum()
        covariance.append(found)
    return Peaks(np.stack(values), np.stack([_regular(c, v) for c, v in zip(covariance, values, strict=True)]))


def _without_stripes(around: Complex, peak: Complex) -> Complex:
    """Take the stripes' share out of the surroundings of their peak, down to what its mirror image holds.

    The sample's outline spreads the peak: its surroundings hold the stripes' own pattern of phases too. Phases that run
    backwards are as likely in a sample that knows nothing of the stripes.
    """
    u = np.exp(1j * np.angle(peak)) / np.sqrt(len(peak))
    along, against = u.conj() @ around, u @ around
    power = [float(np.mean(np.abs(part) ** 2)) for part in (along, against)]
    if power[0] <= power[1]:
        return around
    return np.asarray(around + np.outer(u, along * (np.sqrt(power[1] / power[0]) - 1)))


def _regular(covariance: Complex, values: Complex) -> Complex:
    n = len(covariance)
    level = _SHRINK * np.trace(covariance).real / n + 1e-12 * float(np.mean(np.abs(values) ** 2)) + 1e-300
    return np.asarray(covariance + level * np.eye(n))


def fit_phases(peaks: Peaks, given_rad: Float | None = None) -> Phases:
    """Fit phases and amplitudes, or with given phases the amplitudes alone.

    Gauss-Newton on the sum over orders of r^H C^-1 r with r = a - A exp(i m phi). Its curvature gives the errors.
    """
    n_orders, n = peaks.values.shape
    weights = peaks.weights
    phases = np.angle(peaks.values[0]) if given_rad is None else np.asarray(given_rad, np.float64).copy()
    orders = np.arange(1, n_orders + 1)
    free = slice(0 if given_rad is None else n, n + n_orders)

    def waves() -> Complex:
        return np.asarray(np.exp(1j * orders[:, None] * phases))

    amplitudes = np.mean(peaks.values * waves().conj(), axis=1).real
    for _ in range(_STEPS):
        wave = waves()
        slopes = np.zeros((n_orders, n, n + n_orders), np.complex128)
        for m in range(n_orders):
            slopes[m, np.arange(n), np.arange(n)] = 1j * orders[m] * amplitudes[m] * wave[m]
            slopes[m, :, n + m] = wave[m]
        weighted = np.einsum("mkj,mkl->mjl", slopes.conj(), weights)
        curvature = 2 * np.einsum("mjl,mli->ji", weighted, slopes).real
        residual = peaks.values - amplitudes[:, None] * wave
        pull = 2 * np.einsum("mjl,ml->j", weighted, residual).real
        step = np.zeros(n + n_orders)
        step[free] = np.linalg.solve(curvature[free, free], pull[free])
        turn = np.clip(step[:n], -_LARGEST_STEP_RAD, _LARGEST_STEP_RAD)
        phases, amplitudes = phases + turn, amplitudes + step[n:]
        if np.abs(turn).max() < 1e-6 and np.abs(step[n:]).max() < 1e-6 * np.abs(amplitudes).max():
            break
    residual = peaks.values - amplitudes[:, None] * waves()
    square = float(np.einsum("mj,mjl,ml->", residual.conj(), weights, residual).real)
    errors = np.zeros(n + n_orders)
    errors[free] = np.sqrt(np.diag(np.linalg.inv(curvature[free, free])))
    left = max(1, 2 * n * n_orders - len(errors[free]))
    misfit = 2 * square / left
    # Where frames contradict each other (one without stripes, order 2 elsewhere) none can be relied upon.
    errors *= math.sqrt(max(1.0, misfit))
    phase_errors = np.minimum(errors[:n], _UNKNOWN_RAD)
    return Phases(np.angle(np.exp(1j * phases)), phase_errors, amplitudes, errors[n:], misfit)
