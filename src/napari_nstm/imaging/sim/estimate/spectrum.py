"""Pictures of what stripes are found in: the spectra of frames, and of their products."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.imaging import spectrum
from napari_nstm.imaging.sim.estimate.correlate import Correlator, ideal_correlator
from napari_nstm.imaging.sim.estimate.sampling import Sampling
from napari_nstm.imaging.sim.estimate.vectors import searchable
from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.settings import SimSettings

Picture = tuple[NDArray[np.float32], float, float]

_DARKEST = 1e-12


def power_spectrum(frames: SimFrames, orientation: int, settings: SimSettings) -> Picture:
    """Return the mean log power spectrum of an orientation's frames.

    Returns
    -------
    spectrum
        (fy, fx): log10 of the power over the largest; zero frequency at sample n // 2.
    step_y, step_x
        Distance of its samples, cycles per um.
    """
    images = frames.images[frames.orientation == orientation]
    steps = Sampling((images.shape[-2], images.shape[-1]), settings.pixel_size_um).step_per_um
    power = spectrum.power_spectrum(images, at_most_px=max(images.shape[-2:]))
    return _picture(power / max(float(power.max()), 1e-300), steps)


def autocorrelation_spectrum(frames: SimFrames, orientation: int, settings: SimSettings) -> Picture:
    """Return the spectrum that vectors are found in: the sample is gone, order 1 is at +-k and order 2 at +-2k.

    Returns
    -------
    spectrum
        (fy, fx): log10 of the power over the median of a ring of equal frequency, on at least twice as many samples as
        the frames have; zero frequency at sample n // 2.
    step_y, step_x
        Distance of its samples, cycles per um.
    """
    correlator: Correlator = ideal_correlator(frames, settings)
    products = [correlator.products(correlator.group(a, orientation)) for a in correlator.some_acquisitions]
    search = searchable(products, correlator.sampling)
    return _picture(fft.fftshift(search.relative), search.steps_per_um)


def _picture(power: NDArray[np.floating[Any]], steps_per_um: NDArray[np.floating[Any]]) -> Picture:
    log = np.log10(np.maximum(power, _DARKEST))
    return np.asarray(log, np.float32), float(steps_per_um[0]), float(steps_per_um[1])
