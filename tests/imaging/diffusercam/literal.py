"""What a rolling shutter does, written down as it happens: a mask for each moment, and every moment convolved whole."""

import numpy as np
from scipy.signal import fftconvolve


def mask_of(shutter, n_rows, n):
    """Return which rows are open at c = 1, 2, ...: (row, moment), exposures of n moments (Cao et al. 2024).

    A dual shutter opens rows [max(0, c - n), min(c, H/2)) and their mirror image.
    """
    dual = shutter.startswith("dual")
    last = (n_rows + 1) // 2 if dual else n_rows
    mask = np.zeros((n_rows, last + n - 1))
    for c in range(1, last + n):
        for row in range(max(0, c - n), min(c, last)):
            open_row = last - 1 - row if shutter in ("dual_outward", "single_reversed") else row
            mask[open_row, c - 1] = 1
            if dual:
                mask[n_rows - 1 - open_row, c - 1] = 1
    return mask


def literal_image(movie, psf, shares):
    """Return the sum over moments of scene * PSF, cut to the sensor, times the share that each row takes of it.

    Parameters
    ----------
    movie
        (moment, colour, y, x); its pixel (h // 2, w // 2) is the point that the PSF is the image of.
    psf
        (1 or colour, y, x) of the sensor.
    shares
        (row, moment).
    """
    (height, width), (h, w) = psf.shape[1:], movie.shape[2:]
    image = np.zeros((movie.shape[1], height, width))
    for scene, share in zip(np.asarray(movie, np.float64), shares.T, strict=True):
        for colour, one in enumerate(scene):
            whole = fftconvolve(one, np.asarray(psf[colour % len(psf)], np.float64))
            seen = whole[h // 2 : h // 2 + height, w // 2 : w // 2 + width]
            image[colour] += share[:, None] * seen
    return image
