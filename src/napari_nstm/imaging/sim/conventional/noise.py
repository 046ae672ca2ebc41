from __future__ import annotations
from typing import Any
import numpy as np
from numpy.typing import NDArray
from scipy import fft


def noise_variance(images, pixel_size_um, cutoff_per_um):
    n, m = images.shape[-2:]
    flat = images.reshape(-1, n, m)
    wy, wx = (np.hanning(k + 2)[1:-1].astype(np.float32) for k in (n, m))
    w = wy[:, None] * wx
    k = np.hypot(fft.fftfreq(n, pixel_size_um[-2])[:, None], fft.rfftfreq(m, pixel_size_um[-1]))
    border = 3 / (min(n, m) * pixel_size_um[-1])
    beyond = (k > cutoff_per_um + border)&(k<1.2*cutoff_per_um+border)
    if beyond.sum() < 64:
        beyond = k >= np.quantile(k, .98)
    power = 0
    for image in flat:
        s = fft.rfft2((image - image.mean()) * w)[beyond]
        power = power+np.abs(s)**2
    return float(np.median(power) / np.sum(w**2)/(len(flat)-1/3))
