"""From raw frames to contrast: background, padding, and the levels of a pyramid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.core.errors import InputError
from napari_nstm.core.grids import Grid
from napari_nstm.imaging.dpc.settings import (
    Background,
    BlurBackground,
    ConstantBackground,
    ImageBackground,
    NormalizedBackground,
)
from napari_nstm.imaging.fourier import fourier_resample

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Contrast:
    """Frames as the forward model describes them: raw / divisor - subtracted.

    Parameters
    ----------
    frames
        (frame, y, x); 0 without sample.
    divisor
        What each frame was divided by, in counts: (frame, 1, 1) or (frame, y, x).
    subtracted
        What was subtracted after the division.
    """

    frames: Float32
    divisor: Float32
    subtracted: float


def _wide_blur(frames: Float32, sigma_px: float) -> Float32:
    # A Gaussian with mirrored edges is a product in the domain of the cosine transform, at any width.
    spectrum = fft.dctn(frames, axes=(1, 2), norm="ortho")
    for axis in (1, 2):
        n = frames.shape[axis]
        frequency = np.arange(n) / (2 * n)
        gain = np.exp(-2 * (np.pi * sigma_px * frequency) ** 2).astype(np.float32)
        spectrum *= gain.reshape(-1, 1) if axis == 1 else gain
    return np.asarray(fft.idctn(spectrum, axes=(1, 2), norm="ortho"), np.float32)


def _per_frame(values: NDArray[Any], n_frames: int, n_conditions: int, field: str) -> NDArray[Any]:
    # One value (image) for all frames, one per frame, or one per source angle that acquisitions repeat.
    if len(values) == 1:
        return np.repeat(values, n_frames, axis=0)
    if len(values) == n_frames:
        return values
    if len(values) == n_conditions and n_frames % n_conditions == 0:
        return np.tile(values, (n_frames // n_conditions,) + (1,) * (values.ndim - 1))
    raise InputError(field, f"{len(values)} for {n_frames} frames", "one, or one per frame or source angle")


def contrast(
    frames: NDArray[np.generic],
    background: Background,
    n_conditions: int,
    background_image: NDArray[np.generic] | None = None,
) -> Contrast:
    """Divide raw frames by their background and subtract 1.

    Parameters
    ----------
    frames
        (frame, y, x), counts of any real type.
    background
        What the background is.
    n_conditions
        Frames of one acquisition.
    background_image
        (y, x) or (image, y, x), for `ImageBackground`.

    Raises
    ------
    InputError
        If a background is not positive, or does not fit the frames.
    """
    raw = np.asarray(frames, np.float32)
    n_frames, subtracted = len(raw), 1.0
    where = "acquisition.background"
    if isinstance(background, NormalizedBackground):
        divisor = np.ones((n_frames, 1, 1), np.float32)
        subtracted = background.level
    elif isinstance(background, ConstantBackground):
        values = background.value if isinstance(background.value, tuple) else (background.value,)
        given = np.asarray(values, np.float32).reshape(-1, 1, 1)
        divisor = _per_frame(given, n_frames, n_conditions, f"{where}.value")
    elif isinstance(background, ImageBackground):
        divisor = _image(background_image, raw.shape, n_conditions)
    elif isinstance(background, BlurBackground):
        divisor = _wide_blur(raw, background.sigma_px)
    else:
        divisor = raw.mean(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    if not float(divisor.min()) > 0:
        raise InputError(where, f"a background of {float(divisor.min()):g} counts", "a positive intensity everywhere")
    result = raw / divisor
    result -= np.float32(subtracted)
    return Contrast(result, divisor, subtracted)


def _image(image: NDArray[np.generic] | None, shape: tuple[int, ...], n_conditions: int) -> Float32:
    field = "acquisition.background.path"
    if image is None:
        raise InputError(field, "nothing", "a measured image without sample")
    measured = np.asarray(image)
    if measured.ndim == 2:
        measured = measured[None]
    if measured.ndim != 3 or measured.shape[1:] != shape[1:]:
        got = " x ".join(map(str, np.shape(image)))
        raise InputError(field, f"an image of {got}", f"{shape[1]} x {shape[2]} pixels (y, x), or a stack of such")
    if np.iscomplexobj(measured) or not np.isfinite(measured).all():
        raise InputError(field, "pixels that are complex, infinite or not a number", "real, finite counts")
    return np.asarray(_per_frame(measured.astype(np.float32), shape[0], n_conditions, field), np.float32)


def frames_at_level(padded: Float32, grid: Grid, level: int) -> Float32:
    """Sample padded frames at a level of the pyramid: (frame, y, x) to (frame, *padded_shape of the level)."""
    rows, columns = grid.at_level(level).padded_shape
    return np.asarray(fourier_resample(padded, (rows, columns)), np.float32)
