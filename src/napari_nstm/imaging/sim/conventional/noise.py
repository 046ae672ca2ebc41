"""How strong the noise is, in frames and in the sum of their bands, and how strong the signal beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.optimize import isotonic_regression

from napari_nstm.core.grids import Grid
from napari_nstm.imaging.sim.conventional.shifted import half_plane

Float = NDArray[np.floating[Any]]

# Noise is measured up to here, in cutoffs: where a resampling has coloured it, it is there still much as below them.
_RING = 1.2
_LEAKAGE_BINS = 3  # by which the window smears a spectrum
_FEWEST = 64
_HIGHEST = 0.99

_RIM = 0.15  # of the supported frequencies: those that the frames show most weakly
_MOST_COLOURED = 1.25
_BINS = 64
_LEAST_SIGNAL = 1e-6  # over noise, at frequency 0
_LEAST_RATIO = 1e-7
_STEEPEST = 0.7  # fall of the signal from one ring to the next


def noise_variance(images: NDArray[np.float32], pixel_size_um: tuple[float, ...], cutoff_per_um: float) -> float:
    """Return the variance of the noise of a pixel, from just beyond the highest frequency that the objective passes.

    Parameters
    ----------
    images
        (..., y, x) counts.
    pixel_size_um
        Of the pixels, ([z,] y, x).
    cutoff_per_um
        Lateral cutoff, cycles per um. Where the pixels hold nothing beyond, the highest 1 % of the frequencies serve,
        which the OTF leaves little of.

    Returns
    -------
    float
        Median over frequencies of the mean over images, so that single lines of interference do not count.
    """
    rows, columns = images.shape[-2:]
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in (rows, columns))).astype(np.float32)
    k = np.hypot(fft.fftfreq(rows, pixel_size_um[-2])[:, None], fft.rfftfreq(columns, pixel_size_um[-1]))
    leakage = _LEAKAGE_BINS / min(rows * pixel_size_um[-2], columns * pixel_size_um[-1])
    chosen = (k > cutoff_per_um + leakage) & (k < _RING * cutoff_per_um + leakage)
    if np.count_nonzero(chosen) < _FEWEST:
        chosen = k >= np.quantile(k, _HIGHEST)
    stack = images.reshape(-1, rows, columns)
    power = np.zeros(np.count_nonzero(chosen))
    for image in stack:
        power += np.abs(fft.rfft2((image - image.mean()) * window)[chosen]) ** 2
    # A sum of n exponentially distributed powers has its median at about n - 1/3 times their mean.
    return float(np.median(power) / (len(stack) - 1 / 3) / np.sum(window**2))


def noise_of_sum(total: NDArray[Any], transfer: Float, supported: NDArray[np.bool_], expected: float) -> float:
    """Return the noise power N of the filtered bands' sum, where its expected square is transfer^2 signal + transfer N.

    Parameters
    ----------
    total
        Spectrum of the sum of all bands, each filtered with its OTF.
    transfer
        What the sum transfers: the sum of the squared OTFs.
    supported
        Frequencies that the frames hold.
    expected
        N after the noise beyond the cutoff.

    Returns
    -------
    float
        As found where the frames show least and noise outweighs signal, but not over 1.25 times what was expected:
        there may be more signal there than noise.
    """
    rim = supported & (transfer > 0)
    rim &= transfer <= np.quantile(transfer[rim], _RIM)
    found = float(np.sum(np.abs(total[rim]) ** 2, dtype=np.float64) / np.sum(transfer[rim], dtype=np.float64))
    return min(found, _MOST_COLOURED * expected)


def noise_over_signal(
    total: NDArray[Any], transfer: Float, supported: NDArray[np.bool_], noise: float, grid: Grid
) -> Float:
    """Return the Wiener parameter N / S with the power S of the object, which falls with the lateral frequency.

    The least-squares estimate of S in a ring of frequencies is sum(|total|^2 - transfer N) / sum(transfer^2) where
    noise dominates; over the rings it is made to fall by isotonic regression. Where nothing is left of it, S goes on
    falling by 30 % a ring, so that the filter has no edge.

    Parameters
    ----------
    total, transfer, supported
        As for `noise_of_sum`.
    noise
        N.
    grid
        The scene's.

    Returns
    -------
    NDArray
        (ky, kx >= 0), positive.
    """
    ky, kx = half_plane(grid)
    radius = np.hypot(ky[:, None], kx).astype(np.float32)
    width = float(radius[supported.reshape(-1, *radius.shape).any(axis=0)].max()) / _BINS
    rings = np.minimum((radius / width).astype(np.int64), _BINS - 1)
    ring, seen = np.broadcast_to(rings, supported.shape)[supported], transfer[supported]
    excess = np.bincount(ring, np.abs(total[supported]) ** 2 - noise * seen, _BINS)
    weight = np.bincount(ring, seen.astype(np.float64) ** 2, _BINS)
    used = weight > 0
    signal = isotonic_regression(excess[used] / weight[used], weights=weight[used], increasing=False).x
    signal[0] = max(signal[0], _LEAST_SIGNAL * noise, np.finfo(np.float64).tiny)
    for outer in range(1, len(signal)):
        signal[outer] = max(signal[outer], _STEEPEST * signal[outer - 1])
    at = (np.flatnonzero(used) + 0.5) * width
    return np.asarray(np.maximum(noise / np.interp(radius, at, signal), _LEAST_RATIO), np.float32)
