"""Do raw image, PSF and settings fit together? Errors and warnings, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.diffusercam.prepare import psf_of
from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings
from napari_nstm.imaging.diffusercam.shutter import rolling_shutter
from napari_nstm.imaging.frame_checks import LEAST_PX, check_frames, other_pixel_size, saturation

# A wave of period 2 that is a mosaic's: so many times as strong as those of nearly its period, and as the mean.
_BAYER_OVER_NEAR = 10
_BAYER_OVER_MEAN = 0.02


def check(raw: RawData, settings: DiffuserCamSettings) -> list[str]:
    """Raise where image and PSF cannot be used with these settings; return warnings, a sentence each.

    Raises
    ------
    InputError
        Naming the field at fault.
    """
    _check_image(raw.frames)
    psf = psf_of(raw.extras)
    _check_psf(psf, raw.frames)
    _check_bayer(raw.frames[0] if len(raw.frames) == 1 else None, "raw", "the raw image")
    _check_bayer(psf[0] if len(psf) == 1 else None, "acquisition.psf", "the PSF")
    smallest = min(raw.frames.shape[1:]) // settings.binning
    if smallest < LEAST_PX:
        raise InputError(
            "acquisition.binning", f"{settings.binning}: {smallest} pixels are left", f"at least {LEAST_PX} pixels"
        )
    _check_times(raw.frames.shape[1], settings)
    warnings = [
        saturation(raw.frames, "the light there is underestimated", noun="image"),
        _grey_psf(raw.frames, psf),
        _cut_off(raw.frames.shape[1:], settings),
        _long_exposure(raw.frames.shape[1], settings),
        other_pixel_size(raw, settings.pixel_size_um),
    ]
    return [warning for warning in warnings if warning]


def _check_image(frames: NDArray[np.generic]) -> None:
    size = " x ".join(map(str, frames.shape))
    takes = "one image: grey (y, x), or of three colours (y, x, c or c, y, x)"
    if frames.ndim == 3 and len(frames) not in (1, 3):
        if frames.shape[-1] in (1, 3, 4):
            raise InputError("raw", f"an array of {size} taken as (c, y, x)", "`axes: yxc` for colours that come last")
        raise InputError("raw", f"{len(frames)} images ({size})", takes)
    check_frames(frames, least=1, noun="colour")


def _check_psf(psf: NDArray[np.float32], frames: NDArray[np.generic]) -> None:
    field, size = "acquisition.psf", psf.shape[1:]
    got, takes = (" x ".join(map(str, shape)) for shape in (size, frames.shape[1:]))
    if size != frames.shape[1:]:
        swapped = "; were rows and columns swapped?" if size == frames.shape[:0:-1] else ""
        how = "larger" if size[0] > frames.shape[1] or size[1] > frames.shape[2] else "smaller"
        words = f"{got} pixels" if swapped else f"{got} pixels, {how} than the raw image"
        raise InputError(field, words, f"{takes} pixels, as the raw image{swapped}")
    if not np.isfinite(psf).all():
        raise InputError(field, "pixels that are NaN or infinite", "finite counts")
    if psf.min() == psf.max():
        raise InputError(field, f"an image with {float(psf.flat[0]):g} in every pixel", "the image of a point")
    if len(psf) == 3 and len(frames) == 1:
        raise InputError(field, "three colours for a grey raw image", "a grey PSF, or a raw image of three colours")


def _check_times(n_rows: int, settings: DiffuserCamSettings) -> None:
    if settings.shutter == "global":
        return
    shutter = rolling_shutter(n_rows, settings)
    readout = float(shutter.starts.max())
    if shutter.exposure > readout:
        exposure_us, readout_us = (1e3 * shutter.row_time_ms * rows for rows in (shutter.exposure, readout))
        raise InputError(
            "acquisition.exposure_us",
            f"{exposure_us:g} us, longer than the readout of all rows ({readout_us:g} us)",
            "a shorter exposure: all rows would see the same (shutter: global takes it as static)",
        )
    # The step that is taken where none is named may be longer than a short exposure.
    if settings.time_step_rows is not None and shutter.step > shutter.exposure:
        raise InputError(
            "acquisition.time_step_rows",
            f"{shutter.step:g} row times, longer than an exposure ({shutter.exposure:.3g})",
            "a part of an exposure",
        )


def _check_bayer(image: NDArray[Any] | None, field: str, what: str) -> None:
    """Refuse a mosaic of colour filters: it repeats every two pixels, as no image does.

    Green filters stand like one colour of a chessboard, which no other two colours do: where green is as bright as the
    mean of red and blue, these make rows and columns uneven instead. Uneven rows or columns alone are a detector's.
    """
    if image is None:
        return
    height, width = (n // 2 * 2 for n in image.shape)
    # Faded out towards the edges, where an image that is brighter on one side breaks off.
    fade = np.outer(np.hanning(height), np.hanning(width))
    values = image[:height, :width].astype(np.float64)
    spectrum = np.abs(np.fft.rfft2((values - values.mean()) * fade))
    near = float(np.median(spectrum[height // 2 - 8 : height // 2 + 9, -9:]))
    least = max(_BAYER_OVER_NEAR * near, _BAYER_OVER_MEAN * float(np.sum(np.abs(values) * fade)))
    rows, columns, both = spectrum[height // 2, 0], spectrum[0, -1], spectrum[height // 2, -1]
    if both > least or min(rows, columns) > least:
        raise InputError(
            field,
            f"{what} as a mosaic of colour filters (Bayer)",
            "colours that were separated before, e.g. by OpenCV's cvtColor, or the mean of each 2 x 2 pixels as grey",
        )


def _grey_psf(frames: NDArray[np.generic], psf: NDArray[np.float32]) -> str | None:
    if len(frames) == 3 and len(psf) == 1:
        return "The PSF is grey: it is used for all three colours."
    return None


def _cut_off(shape: tuple[int, ...], settings: DiffuserCamSettings) -> str | None:
    left = [(n % settings.binning, noun) for n, noun in zip(shape, ("row", "column"), strict=True)]
    named = " and ".join(f"{n} {noun}{'s' * (n > 1)}" for n, noun in left if n)
    if not named:
        return None
    does, are = ("does", "is") if sum(n for n, _ in left) == 1 else ("do", "are")
    return f"{named} at the end {does} not fill a binned pixel and {are} left out."


def _long_exposure(n_rows: int, settings: DiffuserCamSettings) -> str | None:
    if settings.shutter == "global":
        return None
    shutter = rolling_shutter(n_rows, settings)
    readout = float(shutter.starts.max())
    if shutter.exposure < 0.5 * readout:
        return None
    return (
        f"The exposure is {100 * shutter.exposure / readout:.0f} % of the readout: rows differ little in time, "
        "and fast motion cannot be told apart."
    )
