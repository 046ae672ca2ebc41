"""Resizing of sampled fields in Fourier space: sample 0 stays where it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[Any]


def kept_frequencies(n_from: int, n_to: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the frequencies that two sampled axes share: in the one, and in the other.

    They lie strictly below both Nyquist limits: at the Nyquist sample of an even size +f and -f are one, so that
    neither an odd transfer function nor a shift is defined there.
    """
    highest = (min(n_from, n_to) - 1) // 2
    k = np.arange(-highest, highest + 1)
    return k % n_from, k % n_to


def resize_spectrum(spectrum: Array, shape: tuple[int, ...]) -> Array:
    """Crop or zero-fill spectra to another number of frequencies at the same spacing.

    Parameters
    ----------
    spectrum
        (..., [fz,] fy, fx), zero frequency first (the order of `fftn`).
    shape
        Numbers of frequencies ([fz,] fy, fx) wanted.

    Returns
    -------
    Array
        (..., *shape); values are not scaled. The Nyquist samples of an even size are 0 along every axis that
        changes its size, and along all where any does.
    """
    start = spectrum.ndim - len(shape)
    pairs = [kept_frequencies(n, m) for n, m in zip(spectrum.shape[start:], shape, strict=True)]
    resized = np.zeros((*spectrum.shape[:start], *shape), spectrum.dtype)
    source: Any = (..., *np.ix_(*(pair[0] for pair in pairs)))
    target: Any = (..., *np.ix_(*(pair[1] for pair in pairs)))
    resized[target] = spectrum[source]
    return resized


def fourier_resample(images: NDArray[np.floating[Any]], shape: tuple[int, ...]) -> NDArray[np.floating[Any]]:
    """Sample periodic images on another grid over the same extent, by cropping or filling their spectra.

    Parameters
    ----------
    images
        (..., [z,] y, x), real.
    shape
        Samples ([z,] y, x) wanted.

    Returns
    -------
    NDArray
        (..., *shape), the same dtype and amplitude; sample 0 coincides. Images that already have this shape
        come back unchanged.
    """
    n = len(shape)
    if images.shape[-n:] == tuple(shape):
        return images
    axes = tuple(range(-n, 0))
    scale = math.prod(shape) / math.prod(images.shape[-n:])
    resized = fft.ifftn(resize_spectrum(fft.fftn(images, axes=axes), shape), axes=axes).real * scale
    return np.asarray(resized, images.dtype)
