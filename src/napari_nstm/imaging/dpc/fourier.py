"""Resizing of sampled fields in Fourier space: sample 0 stays where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[Any]


def _kept(n_from: int, n_to: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    # Frequencies strictly below both Nyquist limits: at the Nyquist sample of an even size +f and -f are
    # one, so that neither an odd transfer function nor a shift is defined there.
    highest = (min(n_from, n_to) - 1) // 2
    k = np.arange(-highest, highest + 1)
    return k % n_from, k % n_to


def resize_spectrum(spectrum: Array, shape: tuple[int, int]) -> Array:
    """Crop or zero-fill spectra to another number of frequencies at the same spacing.

    Parameters
    ----------
    spectrum
        (..., fy, fx), zero frequency first (the order of `fft2`).
    shape
        Numbers of frequencies (fy, fx) wanted.

    Returns
    -------
    Array
        (..., *shape); values are not scaled. The Nyquist row and column of an even size are 0.
    """
    rows_from, rows_to = _kept(spectrum.shape[-2], shape[0])
    columns_from, columns_to = _kept(spectrum.shape[-1], shape[1])
    resized = np.zeros((*spectrum.shape[:-2], *shape), spectrum.dtype)
    resized[..., rows_to[:, None], columns_to] = spectrum[..., rows_from[:, None], columns_from]
    return resized


def fourier_resample(images: NDArray[np.floating[Any]], shape: tuple[int, int]) -> NDArray[np.floating[Any]]:
    """Sample periodic images on another grid over the same extent, by cropping or filling their spectra.

    Parameters
    ----------
    images
        (..., y, x), real.
    shape
        Samples (y, x) wanted.

    Returns
    -------
    NDArray
        (..., *shape), the same dtype and amplitude; sample 0 coincides. Images that already have this shape
        come back unchanged.
    """
    if images.shape[-2:] == tuple(shape):
        return images
    scale = (shape[0] * shape[1]) / (images.shape[-2] * images.shape[-1])
    resized = fft.ifft2(resize_spectrum(fft.fft2(images), shape)).real * scale
    return np.asarray(resized, images.dtype)
