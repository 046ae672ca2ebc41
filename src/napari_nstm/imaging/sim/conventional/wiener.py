"""The conventional reconstruction: a generalised Wiener filter over all bands, as if nothing moved.

    o(q) = A(q) sum_b w_b conj(H_b(q + m k_d)) C_b(q + m k_d) / (sum_b w_b |H_b(q + m k_d)|^2 + w)

with the bands C_b of all orientations and orders, their weights w_b (the inverse of their noise), the apodisation A and
the Wiener parameter w (Gustafsson et al., Biophys. J. 94, 4957 (2008)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.imaging.fourier import fourier_resample, resize_spectrum
from napari_nstm.imaging.sim.conventional.bands import Band, padded, separated, uniform_density, wave_on
from napari_nstm.imaging.sim.conventional.noise import noise_of_sum, noise_over_signal, noise_variance
from napari_nstm.imaging.sim.conventional.padding import pad_periodic, samples_kept
from napari_nstm.imaging.sim.conventional.shifted import (
    Transfer,
    add_shifted,
    apodisation,
    cutoff_of,
    half_plane,
    half_shape,
    support,
    transfer_of,
)
from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.layout import SimLayout
from napari_nstm.imaging.sim.optics import Illumination
from napari_nstm.imaging.sim.otf import OtfTable
from napari_nstm.imaging.sim.settings import SimSettings

Float = NDArray[np.floating[Any]]

# Up to a third less ringing, at the same PSNR (to 0.1 dB); frequencies of the inner half keep their amplitude.
_FINE = 0.5  # fine detail: from this part of the highest frequency on
_APODISATION = 0.2
_APODISATION_WIDTH = 0.6

# Of the frames' standard deviation. What is cut by the edges of the field is not described better than this, and
# without noise would be blown up.
_MODEL_ERROR = 8e-3
# Of the mean noise over signal: structure does not fill the field, and where it is there is more signal. The best in
# simulations (64 to 192 pixels, noise 0.1 % to 10 %) is 0.5 to 1.
_OF_THE_MEAN = 0.7

# Light from out of focus lies at the middle of every band, where one plane cannot tell it from the sample: there
# bands count less, by a Gaussian with this sigma, in cutoffs. Other bands show the same frequencies off their middle.
_ATTENUATION = 0.99
_ATTENUATION_SIGMA = 0.1


@dataclass(frozen=True)
class _Sum:
    """The sum of all bands, each filtered and moved to where it was in the object.

    Parameters
    ----------
    spectrum
        On the scene's half plane, less a uniform object.
    weighted, transfer
        What it transfers, and what it would without attenuation.
    density
        Of the uniform object.
    frames
        How many frames a band of order 0 over all orientations is worth.
    """

    spectrum: NDArray[np.complex64]
    weighted: NDArray[np.float32]
    transfer: NDArray[np.float32]
    density: float
    frames: float


def wiener(
    frames: SimFrames, light: Illumination, table: OtfTable, layout: SimLayout, settings: SimSettings
) -> NDArray[np.float32]:
    """Reconstruct one acquisition as if nothing moved.

    Of one plane, light from out of focus counts little.

    Parameters
    ----------
    frames
        Every orientation and phase, of one acquisition or one window of a series.
    light
        The stripes of these frames.
    table
        OTF, in 3D at the depths of the padded field.
    layout
        Grids at full size.
    settings
        `wiener`; None: from the noise and signal that the frames show.

    Returns
    -------
    NDArray
        ([z,] y, x) counts on the scene's field of view: what an even light of the stripes' mean would give.

    Raises
    ------
    InputError
        If the phases of an orientation do not tell its bands apart.
    """
    bands = _summed(frames, light, table, layout)
    supported = support(table, light, layout)
    ratio = _parameter(bands, frames, table, layout, supported) if settings.wiener is None else settings.wiener
    supported &= bands.weighted > 0
    gain = np.zeros_like(bands.weighted)
    # The attenuation chooses between bands; how much of their sum is noise it does not change.
    np.divide(bands.transfer, bands.weighted * (bands.transfer + ratio), out=gain, where=supported)
    gain *= apodisation(supported, layout, _APODISATION, _APODISATION_WIDTH)
    image = fft.irfftn(bands.spectrum * gain, s=layout.scene.padded_shape)
    return np.asarray(image[layout.scene.field_slices] + np.float32(bands.density), np.float32)


def widefield(frames: SimFrames, layout: SimLayout) -> NDArray[np.float32]:
    """Average the frames of one acquisition, and sample the mean on the scene's field: ([z,] y, x) counts."""
    mean = frames.images.mean(axis=0, dtype=np.float64)
    level = mean.mean()
    image = pad_periodic((mean - level).astype(np.float32)[None], layout.raw)
    enlarged = fourier_resample(image, layout.scene.padded_shape)[0][layout.scene.field_slices]
    return np.asarray(enlarged + level, np.float32)


def fine_noise_ratio(frames: SimFrames, light: Illumination, table: OtfTable, layout: SimLayout) -> float:
    """Return noise over signal, squared, of the fine half of what the frames carry: the median over frequencies.

    Parameters as for `wiener`.
    """
    bands = _summed(frames, light, table, layout)
    supported = support(table, light, layout)
    ratio = _parameter(bands, frames, table, layout, supported)
    ky, kx = half_plane(layout.scene)
    lateral = np.broadcast_to(np.hypot(ky[:, None], kx), supported.shape)
    fine = supported & (lateral > _FINE * lateral[supported].max())
    return float(np.median(np.broadcast_to(ratio, supported.shape)[fine]))


def _summed(frames: SimFrames, light: Illumination, table: OtfTable, layout: SimLayout) -> _Sum:
    bands = separated(frames, light)
    density = uniform_density(bands, table)
    worth = sum(1 / band.noise for band in bands if band.order == 0)
    image = np.zeros(layout.scene.padded_shape, np.float32)
    weighted, transfer = (np.zeros(half_shape(layout.scene), np.float32) for _ in range(2))
    for band in bands:
        otf = transfer_of(table, band.order, band.orientation, layout)
        share = np.full(otf.values.shape[-1], 1 / (band.noise * worth), np.float32)
        favoured = share * _attenuation(otf.kr, table) if len(layout.scene.shape) == 2 else share
        image += _moved(band, otf.times(favoured), density, light, table, layout)
        squared = replace(otf, values=np.abs(otf.values) ** 2)
        vector = light.vectors_per_um[band.orientation]
        add_shifted(weighted, squared.times(favoured), band.order, vector, layout)
        add_shifted(transfer, squared.times(share), band.order, vector, layout)
    return _Sum(fft.rfftn(image), weighted, transfer, density, worth)


def _attenuation(kr: Float, table: OtfTable) -> NDArray[np.float32]:
    sigma = _ATTENUATION_SIGMA * cutoff_of(table)
    return np.asarray(1 - _ATTENUATION * np.exp(-0.5 * (kr / sigma) ** 2), np.float32)


def _moved(
    band: Band, otf: Transfer, density: float, light: Illumination, table: OtfTable, layout: SimLayout
) -> NDArray[np.float32]:
    # Bands m and -m, filtered, on the scene's padded field. A product with the stripes moves them by any distance.
    raw, scene = layout.raw, layout.scene
    ky, kx = (fft.fftfreq(n, p) for n, p in zip(raw.padded_extent[-2:], raw.pixel_size_um[-2:], strict=True))
    spectrum = fft.fftn(padded(band, density, light, table, layout))
    spectrum *= np.conj(otf.at(ky, kx))
    image = fft.ifftn(resize_spectrum(spectrum, scene.padded_shape))
    image *= np.float32(math.prod(scene.padded_shape) / math.prod(raw.padded_extent))
    if band.order == 0:
        return np.asarray(image.real)
    wave = wave_on(light.vectors_per_um[band.orientation], band.order, layout, of_scene=True)
    return np.asarray(2 * (image.real * wave.real + image.imag * wave.imag))


def _parameter(
    bands: _Sum, frames: SimFrames, table: OtfTable, layout: SimLayout, supported: NDArray[np.bool_]
) -> Float:
    enlarged = math.prod(layout.scene.padded_shape) / math.prod(layout.raw.padded_extent)
    of_pixels = samples_kept(layout.raw) * enlarged**2 / bands.frames
    expected = noise_variance(frames.images, layout.raw.pixel_size_um, cutoff_of(table)) * of_pixels
    noise = noise_of_sum(bands.spectrum, bands.weighted, supported, expected)
    noise = max(noise, float(frames.images.var()) * _MODEL_ERROR**2 * of_pixels)
    found = noise_over_signal(bands.spectrum, bands.weighted, supported, noise, layout.scene)
    return np.asarray(_OF_THE_MEAN * found)
