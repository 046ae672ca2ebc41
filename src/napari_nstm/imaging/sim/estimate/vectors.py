"""The vector of the stripes of one orientation, from the products of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from napari_nstm.imaging.sim.estimate.phases import fit_phases, peaks_at
from napari_nstm.imaging.sim.estimate.sampling import Complex, Sampling, whole
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.settings import SimSettings

Float = NDArray[np.floating[Any]]

_SLACK = 1.05  # of the finest stripes that the objective makes
_NEAR = 0.1  # of a spacing that is given
_FEWEST_LINES, _SHORTEST = 6, 0.5  # across the field; of the finest, where the field is small
_FINER = 2  # search steps per pixel of frequency
_RING_PX = 2.0
_RING_SAMPLES = 512  # along an axis, from which medians of rings are taken
# Order 1 decides between two vectors of which the one is twice the other, where order 2 does not.
_ORDER_2 = 0.9
_AROUND_PX, _GRID_PX = 0.75, 0.125
_START_PX = 3.0
_ROUNDS = 2
_NEWTON_STEPS = 12


@dataclass(frozen=True)
class Search:
    """Summed power of an orientation's products at every frequency, relative to rings of equal frequency.

    Parameters
    ----------
    relative
        (ky, kx), zero frequency first: power over the ring's median.
    steps_per_um
        Distance (y, x) of its samples.
    """

    relative: Float
    steps_per_um: Float

    def around(self, vectors_per_um: Float) -> Float:
        """Return the highest value at, or one sample around, vectors (..., 2)."""
        index = np.rint(vectors_per_um / self.steps_per_um).astype(np.int64)
        highest = ndimage.maximum_filter(self.relative, 3, mode="wrap")
        rows, columns = self.relative.shape
        return np.asarray(highest[index[..., 0] % rows, index[..., 1] % columns])

    def without(self, vector_per_um: Float) -> Search:
        """Return the search without the peaks of stripes that were found, their harmonics and what is half of them."""
        rows, columns = self.relative.shape
        ky, kx = (n * step * fft.fftfreq(n) for n, step in zip((rows, columns), self.steps_per_um, strict=True))
        relative = self.relative.copy()
        for multiple in (0.5, 1.0, 2.0):
            for signed in (multiple, -multiple):
                y, x = (
                    (k - signed * p) / step
                    for k, p, step in zip((ky, kx), vector_per_um, self.steps_per_um, strict=True)
                )
                relative[np.hypot(y[:, None], x) <= _FINER * _START_PX] = 1.0
        return Search(relative, self.steps_per_um)


def searchable(groups: Sequence[Float], sampling: Sampling) -> Search:
    """Sum the power of products over frames, without what the frames of a group have in common.

    Parameters
    ----------
    groups
        Products (frame, y, x) of one orientation, of one acquisition each.
    sampling
        The field.
    """
    shape = tuple(fft.next_fast_len(_FINER * n, real=True) for n in sampling.shape)
    power = np.zeros((shape[0], shape[1] // 2 + 1))
    for products in groups:
        # The sample's own share is much the same in all of them, the stripes' turns around once.
        varying = products - products.mean(axis=0)
        for image in varying:
            power += np.abs(fft.rfft2(image, shape)) ** 2
    total = whole(power, shape[1])
    steps = 1 / (np.asarray(shape) * sampling.pixel_size_um)
    ky, kx = (fft.fftfreq(n, sampling.pixel_size_um) for n in shape)
    ring = np.hypot(ky[:, None], kx) / (_RING_PX * sampling.step_per_um.max())
    ring = np.minimum(ring.astype(np.int64), min(sampling.shape) // 4)
    some = tuple(slice(None, None, max(1, n // _RING_SAMPLES)) for n in shape)
    middle = np.maximum(ndimage.median(total[some], ring[some], np.arange(ring.max() + 1)), 1e-300)
    return Search(total / middle[ring], steps)


def find_vector(search: Search, settings: SimSettings, sampling: Sampling, near: Float | None = None) -> Float:
    """Return the vector of order 1 at which orders 1 and 2 together stand out most: (2,), kx > 0, to half a step.

    Parameters
    ----------
    search
        Of the orientation.
    settings
        Optics, beams, and the spacing of lines if it is known.
    sampling
        The field.
    near
        (2,) Look only within some pixels of frequency of it.
    """
    longest, shortest = _range(settings, sampling)
    if near is not None:
        longest = float(np.hypot(*near)) + 2 * _START_PX * float(sampling.step_per_um.max())
    reach = np.ceil(longest / search.steps_per_um).astype(np.int64)
    iy, ix = np.meshgrid(np.arange(-reach[0], reach[0] + 1), np.arange(reach[1] + 1), indexing="ij")
    candidates = np.stack([iy, ix], axis=-1) * search.steps_per_um
    if near is None:
        length = np.hypot(candidates[..., 0], candidates[..., 1])
        allowed = (length >= shortest) & (length <= longest) & ((ix > 0) | (iy > 0))
    else:
        sign = 1 if (near[1], near[0]) > (0, 0) else -1
        away = (candidates - sign * near) / sampling.step_per_um
        allowed = np.hypot(away[..., 0], away[..., 1]) <= _START_PX
    chosen = candidates[allowed]
    rows, columns = search.relative.shape
    first = search.relative[iy[allowed] % rows, ix[allowed] % columns]
    score = np.log1p(first)
    if settings.n_orders > 2:
        score += _ORDER_2 * np.log1p(search.around(2 * chosen))
    best = chosen[int(np.argmax(score))]
    return np.asarray(best if near is None else sign * best)


def _range(settings: SimSettings, sampling: Sampling) -> tuple[float, float]:
    """Return the longest and the shortest vector of order 1 to look at."""
    spacing = getattr(settings.pattern, "line_spacing_um", None)
    if isinstance(spacing, float):
        return (1 + _NEAR) / spacing, (1 - _NEAR) / spacing
    finest = SimOptics.from_settings(settings).finest_order_1
    # Two beams at the pupil's rim make as order 1 what three make as order 2.
    longest = _SLACK * (finest if settings.n_orders > 2 else 2 * finest)
    return longest, min(_FEWEST_LINES * float(sampling.step_per_um.max()), _SHORTEST * longest)


def refine_vector(groups: Sequence[Float], vector_per_um: Float, n_orders: int, sampling: Sampling) -> Float:
    """Return the vector at which the frames, added up at their phases, show orders 1 and 2 best.

    Parameters
    ----------
    groups
        Products (frame, y, x), of one acquisition each.
    vector_per_um
        (2,) within a pixel of frequency of it.
    n_orders
        Orders, the even light counted.
    sampling
        The field.

    Returns
    -------
    Float
        (2,): the maximum over p of the sum over orders of |Z_m(m p)|^2 / N_m, where Z_m = sum w^H a_m with
        w = C^-1 exp(i m phi), and N_m = sum exp(-i m phi) w: the likelihood of the stripes, see `phases`.
    """
    vector: Float = np.asarray(vector_per_um, np.float64)
    for round_ in range(_ROUNDS):
        images, scales = _added_up(groups, vector, n_orders, sampling)
        if round_ == 0:
            vector = _best_on_grid(images, scales, vector, sampling)
        vector = _climbed(images, scales, vector, sampling)
    return vector


def _added_up(groups: Sequence[Float], vector: Float, n_orders: int, sampling: Sampling) -> tuple[Complex, Float]:
    total = np.zeros((n_orders - 1, *sampling.shape), np.complex64)
    scales = np.zeros(n_orders - 1)
    for products in groups:
        peaks = peaks_at(products, vector, n_orders, sampling)
        found = fit_phases(peaks)
        for m in range(n_orders - 1):
            wave = np.exp(1j * (m + 1) * found.phases_rad)
            w = peaks.weights[m] @ wave
            total[m] += np.tensordot(w.conj().astype(np.complex64), products, 1)
            scales[m] += (wave.conj() @ w).real
    return total, scales


def _best_on_grid(images: Complex, scales: Float, vector: Float, sampling: Sampling) -> Float:
    offsets = np.arange(-_AROUND_PX, _AROUND_PX + 1e-9, _GRID_PX)
    score: Any = 0.0
    for order, (image, scale) in enumerate(zip(images, scales, strict=True), start=1):
        parts = [
            sampling.transform(part[None], order * vector, order * offsets)[0] for part in (image.real, image.imag)
        ]
        score = score + np.abs(parts[0] + 1j * parts[1]) ** 2 / scale
    y, x = np.unravel_index(int(np.argmax(score)), score.shape)
    return np.asarray(vector + np.array([offsets[y], offsets[x]]) * sampling.step_per_um)


def _climbed(images: Complex, scales: Float, vector: Float, sampling: Sampling) -> Float:
    """Follow Newton's steps to the maximum, none longer than a quarter of a pixel of frequency."""
    start, step_px = vector, sampling.step_per_um
    for _ in range(_NEWTON_STEPS):
        slope: Any = 0.0
        curvature: Any = 0.0
        for order, (image, scale) in enumerate(zip(images, scales, strict=True), start=1):
            Z, first, second = _derivatives(image, order, vector, sampling)
            slope = slope + 2 * (Z.conjugate() * first).real / scale
            curvature = curvature + 2 * (np.outer(first.conj(), first) + Z.conjugate() * second).real / scale
        scaled = curvature * np.outer(step_px, step_px)
        if np.linalg.eigvalsh(scaled).max() >= 0:
            return start
        step = np.linalg.solve(scaled, -slope * step_px)
        step *= min(1.0, 0.25 / max(float(np.abs(step).max()), 1e-300))
        vector = vector + step * step_px
        if np.abs(step).max() < 1e-5:
            break
    far = np.abs((vector - start) / step_px).max() > 1
    return start if far else vector


def _derivatives(image: Complex, order: int, vector: Float, sampling: Sampling) -> tuple[complex, Complex, Complex]:
    """Return the transform of an image at order x vector, and its first and second derivatives by the vector."""
    y, x = sampling.positions_um
    powers_y, powers_x = (np.stack([np.ones_like(at), at, at**2]) for at in (y, x))
    left = powers_y * np.exp(-2j * np.pi * order * vector[0] * y)
    right = powers_x * np.exp(-2j * np.pi * order * vector[1] * x)
    moments = left @ image @ right.T
    turn = -2j * np.pi * order
    first = turn * np.array([moments[1, 0], moments[0, 1]])
    second = turn**2 * np.array([[moments[2, 0], moments[1, 1]], [moments[1, 1], moments[0, 2]]])
    return complex(moments[0, 0]), first, second
