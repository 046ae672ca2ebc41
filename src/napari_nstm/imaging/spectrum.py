"""Power spectra of images, as they are looked at: centred, without the cross that the edges of a field make."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import windows

Float = NDArray[np.floating[Any]]


def power_spectrum(images: Float, at_most_px: int = 1024) -> NDArray[np.float64]:
    """Return the mean power spectrum of images under a Hann window, their means subtracted.

    Parameters
    ----------
    images
        (..., y, x); the mean is over all leading axes.
    at_most_px
        Of larger images the middle is taken.

    Returns
    -------
    NDArray
        (ky, kx), zero frequency at sample n // 2 of each axis, at steps of 1 / (samples x pixel size).
    """
    rows, columns = (min(n, at_most_px) for n in images.shape[-2:])
    top, left = (images.shape[-2] - rows) // 2, (images.shape[-1] - columns) // 2
    stack = images[..., top : top + rows, left : left + columns].reshape(-1, rows, columns)
    window = windows.hann(rows)[:, None] * windows.hann(columns)
    power = np.zeros((rows, columns))
    for image in stack:
        values = np.asarray(image, np.float64)
        # The mean under the window: otherwise it leaks into the frequencies next to zero.
        centred = values - np.sum(window * values) / window.sum()
        power += np.abs(fft.fft2(window * centred)) ** 2
    return np.asarray(fft.fftshift(power / len(stack)))


def frequency_step(n_samples: int, pixel_size_um: float) -> float:
    """Return the distance of a spectrum's samples in cycles per um."""
    return 1 / (n_samples * pixel_size_um)
