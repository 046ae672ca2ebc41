"""From raw image and PSF to what a fit works on: background, binning, brightness, levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.diffusercam.layout import N_LEVELS, DiffuserCamLayout, diffusercam_layout
from napari_nstm.imaging.diffusercam.settings import ConstantBackground, CornerBackground, DiffuserCamSettings
from napari_nstm.imaging.diffusercam.shutter import RollingShutter, rolling_shutter
from napari_nstm.imaging.diffusercam.windows import windows
from napari_nstm.imaging.fourier import kept_frequencies

if TYPE_CHECKING:
    from napari_nstm.imaging.diffusercam.problem import DiffuserCamProblem

Float = NDArray[np.float32]

PSF = "psf"
DARK = "background.path"
_BRIGHT_PERCENTILE = 99.9
# Numbers of the scene at all moments of a step: some 20 exposures of 75 x 100 samples, fewer of large fields.
_EXPOSURES_PER_STEP = 20
_LEAST_EXPOSURES = 8
_SAMPLES_PER_STEP = 4e6


@dataclass(frozen=True, eq=False)
class Prepared:
    """A raw image with everything that a reconstruction of it needs.

    Parameters
    ----------
    image
        (colour, y, x), less background, binned, in counts.
    psf
        (1 or colour, y, x), binned; its brightest colour adds up to 1.
    shutter
        Exposures of its rows.
    layout
        Sensor and scene.
    scale
        Counts that stand for 1 in a fit.
    subtracted
        Background of raw image and PSF, counts; of a dark image its mean.
    """

    image: Float
    psf: Float
    shutter: RollingShutter
    layout: DiffuserCamLayout
    scale: float
    subtracted: tuple[float, float]


def prepared(raw: RawData, settings: DiffuserCamSettings) -> Prepared:
    """Bring raw image, PSF and settings together.

    Raises
    ------
    InputError
        If nothing is left of image or PSF above their background.
    """
    psf = psf_of(raw.extras)
    dark_raw, dark_psf = backgrounds(raw, psf, settings)
    image = np.roll(raw.frames.astype(np.float32) - dark_raw, settings.roll_px, axis=-1)
    image, psf = binned(image, settings.binning), binned(psf - dark_psf, settings.binning)
    # What is below the background is noise of the dark: it would count as light that is taken away.
    psf = np.maximum(psf, 0)
    total = float(psf.sum(axis=(1, 2), dtype=np.float64).max())
    if not total > 0:
        raise InputError("acquisition.psf", "a PSF that is nowhere above its background", "the image of a point")
    bright = float(np.percentile(image, _BRIGHT_PERCENTILE))
    if not bright > 0:
        raise InputError(
            "acquisition.background", "more counts than the raw image has", "less than the image's brightest parts"
        )
    return Prepared(
        image=image,
        psf=np.asarray(psf / total, np.float32),
        shutter=rolling_shutter(raw.frames.shape[1], settings),
        layout=diffusercam_layout(raw.frames.shape, settings),
        scale=bright,
        subtracted=(float(np.mean(dark_raw)), float(np.mean(dark_psf))),
    )


def psf_of(extras: Any) -> Float:
    """Return the PSF as (1 or colour, y, x), as it was read.

    Raises
    ------
    InputError
        If there is none, or it is no image.
    """
    if PSF not in extras:
        raise InputError("acquisition.psf", "no image", "the image of a point")
    psf = np.asarray(extras[PSF])
    if psf.dtype.kind not in "iuf":
        raise InputError("acquisition.psf", f"pixels of type {psf.dtype}", "real intensities")
    size = " x ".join(map(str, psf.shape))
    psf = _colours_first(psf)
    if psf.ndim == 2:
        psf = psf[None]
    if psf.ndim != 3 or len(psf) not in (1, 3):
        raise InputError("acquisition.psf", f"an array of {size}", "one image, grey (y, x) or in three colours")
    return psf.astype(np.float32)


def backgrounds(raw: RawData, psf: Float, settings: DiffuserCamSettings) -> tuple[Any, Any]:
    """Return what is subtracted from raw image and PSF, in counts: numbers (per colour), or images.

    Raises
    ------
    InputError
        If a dark image is missing, or is none of the raw image.
    """
    background = settings.background
    if isinstance(background, ConstantBackground):
        of_psf = background.value if background.psf_value is None else background.psf_value
        return np.float32(background.value), np.float32(of_psf)
    if isinstance(background, CornerBackground):
        n = background.size_px
        level = psf[:, :n, :n].mean(axis=(1, 2), keepdims=True)
        return level, level
    if DARK not in raw.extras:
        raise InputError("acquisition.background.path", "no image", "an image taken without light")
    dark = _colours_first(np.asarray(raw.extras[DARK], np.float32))
    if dark.shape not in (raw.frames.shape, raw.frames.shape[1:]):
        got, takes = (" x ".join(map(str, shape)) for shape in (dark.shape, raw.frames.shape))
        raise InputError("acquisition.background.path", f"an image of {got}", f"one of {takes}, as the raw image")
    if not np.isfinite(dark).all():
        raise InputError("acquisition.background.path", "pixels that are NaN or infinite", "finite counts")
    per_psf = dark if dark.ndim == 2 or len(psf) == len(dark) else dark.mean(axis=0)
    return dark, per_psf


def _colours_first(image: NDArray[Any]) -> NDArray[Any]:
    """Drop axes of length 1 before the last two, and bring three colours that come last to the front."""
    image = image.reshape([n for axis, n in enumerate(image.shape) if n > 1 or axis >= image.ndim - 2])
    if image.ndim == 3 and image.shape[-1] == 3 and image.shape[0] != 3:
        return np.moveaxis(image, -1, 0)
    return image


def binned(images: Float, factor: int) -> Float:
    """Average (..., y, x) over squares; rows and columns at the end that do not fill one are left out."""
    height, width = (n // factor for n in images.shape[-2:])
    cut = images[..., : height * factor, : width * factor]
    return np.asarray(cut.reshape(*cut.shape[:-2], height, factor, width, factor).mean(axis=(-3, -1)), np.float32)


def psf_rows(psf: Float, layout: DiffuserCamLayout) -> NDArray[np.complex64]:
    """Transform the rows of the PSF along x: (1 or colour, row, kx >= 0), for a scene at the layout's level.

    A coarse scene has no fine detail: frequencies beyond its own are left out, along y by smoothing across rows.
    Every one of its samples stands for as many of full size as there are to it.
    """
    step = layout.grid.step[0]
    n = layout.transform_length
    spectrum = fft.rfft(psf, n, axis=-1)[..., : n // step // 2 + 1]
    if step > 1:
        length = fft.next_fast_len(2 * psf.shape[-2])
        along_y = fft.fft(spectrum, length, axis=-2)
        along_y[..., np.abs(fft.fftfreq(length)) >= 0.5 / step, :] = 0
        spectrum = fft.ifft(along_y, axis=-2)[..., : psf.shape[-2], :]
        spectrum[..., -1] = 0
    return np.asarray(step**2 * spectrum, np.complex64)


def psf_spectrum(psf: Float, layout: DiffuserCamLayout) -> NDArray[np.complex64]:
    """Transform the whole PSF: (1 or colour, ky, kx >= 0), for a scene at the layout's level; see `psf_rows`."""
    step = layout.grid.step[0]
    height, length = layout.transform_height, layout.transform_length
    spectrum = fft.rfft2(psf, (height, length))
    if step > 1:
        to_rows, from_rows = kept_frequencies(height // step, height)
        coarse = np.zeros((len(psf), height // step, length // step // 2 + 1), spectrum.dtype)
        coarse[:, to_rows] = spectrum[:, from_rows, : coarse.shape[-1]]
        coarse[..., -1] = 0
        spectrum = coarse
    return np.asarray(step**2 * spectrum, np.complex64)


def exposures_per_step(layout: DiffuserCamLayout, shutter: RollingShutter) -> int:
    """Return the different exposures of a step: some 20, fewer where the scene is large."""
    samples = math.prod(layout.grid.shape) * len(layout.grid.channels)
    most = _SAMPLES_PER_STEP / samples - shutter.exposure / shutter.step
    return int(min(_EXPOSURES_PER_STEP, max(_LEAST_EXPOSURES, most)))


def n_batches(data: Prepared) -> int:
    """Return the steps in which every row is seen once."""
    return windows(data.shutter, exposures_per_step(data.layout, data.shutter)).n_windows


def problem_at(data: Prepared, settings: DiffuserCamSettings, level: int) -> DiffuserCamProblem:
    """Normalise an image, at a level of the pyramid.

    Raises
    ------
    InputError
        If there is no such level.
    """
    import jax.numpy as jnp

    from napari_nstm.imaging.diffusercam.problem import DiffuserCamProblem

    if not 0 <= level < N_LEVELS:
        raise InputError("fit.advanced.pyramid", f"level {level}", f"levels from 0 to {N_LEVELS - 1}")
    layout = data.layout.at_level(level)
    parts = windows(data.shutter, exposures_per_step(data.layout, data.shutter))
    at_once = settings.shutter == "global"
    return DiffuserCamProblem(
        image=jnp.asarray(data.image / np.float32(data.scale)),
        moments=jnp.asarray(data.shutter.times, jnp.float32),
        times=jnp.asarray(parts.times),
        weights=jnp.asarray(parts.weights),
        rows=jnp.asarray(parts.rows),
        counted=jnp.asarray(parts.counted),
        transfer=jnp.asarray(psf_spectrum(data.psf, layout) if at_once else psf_rows(data.psf, layout)),
        nonnegativity=jnp.asarray(settings.nonnegativity, jnp.float32),
        smoothness=jnp.asarray(settings.smoothness, jnp.float32),
        scale=jnp.asarray(data.scale, jnp.float32),
        layout=layout,
        at_once=at_once,
    )
