"""From raw frames to contrast: background, padding, and the levels of a pyramid."""

from __future__ import annotations

from collections.abc import Iterator
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
    NoBackground,
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


def _wide_blur(frame: Float32, sigma_px: float) -> Float32:
    # A Gaussian with mirrored edges is a product in the domain of the cosine transform, at any width.
    spectrum = fft.dctn(frame, norm="ortho")
    for axis in (0, 1):
        n = frame.shape[axis]
        frequency = np.arange(n) / (2 * n)
        gain = np.exp(-2 * (np.pi * sigma_px * frequency) ** 2).astype(np.float32)
        spectrum *= gain.reshape(-1, 1) if axis == 0 else gain
    return np.asarray(fft.idctn(spectrum, norm="ortho"), np.float32)


def _of_frames(n_values: int, n_frames: int, n_conditions: int, field: str) -> NDArray[np.int64]:
    """Say which of the values (images) is whose: one for all frames, one per frame, or one per source angle."""
    if n_values == 1:
        return np.zeros(n_frames, np.int64)
    if n_values == n_frames or (n_values == n_conditions and n_frames % n_conditions == 0):
        return np.arange(n_frames) % n_values
    raise InputError(field, f"{n_values} for {n_frames} frames", "one, or one per frame or source angle")


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
    result = np.empty(frames.shape, np.float32)
    divisor = np.empty(0, np.float32)
    subtracted = 1.0
    for k, one in enumerate(contrasts(frames, background, n_conditions, background_image)):
        if k == 0:
            divisor = np.empty((len(frames), *one.divisor.shape[1:]), np.float32)
        result[k], divisor[k], subtracted = one.frames[0], one.divisor[0], one.subtracted
    return Contrast(result, divisor, subtracted)


def contrasts(
    frames: NDArray[np.generic],
    background: Background,
    n_conditions: int,
    background_image: NDArray[np.generic] | None = None,
) -> Iterator[Contrast]:
    """Yield the contrast of one frame after another, for frames that take more memory than there is.

    Parameters and errors as `contrast`.
    """
    n_frames, subtracted = len(frames), 1.0
    where = "acquisition.background"
    values = np.ones(1, np.float32)
    images: NDArray[Any] | None = None
    if isinstance(background, NormalizedBackground):
        subtracted = background.level
    elif isinstance(background, ConstantBackground):
        values = np.atleast_1d(np.asarray(background.value, np.float32))
    elif isinstance(background, ImageBackground):
        images = _images(background_image, frames.shape)
    field = f"{where}.value" if images is None else f"{where}.path"
    which = _of_frames(len(values if images is None else images), n_frames, n_conditions, field)
    for k, frame in enumerate(frames):
        raw = np.asarray(frame, np.float32)
        if images is not None:
            divisor = np.asarray(images[which[k]], np.float32)
            _check_real(divisor, field)
        elif isinstance(background, BlurBackground):
            divisor = _wide_blur(raw, background.sigma_px)
        elif isinstance(background, NoBackground):
            divisor = raw.mean(keepdims=True, dtype=np.float64).astype(np.float32)
        else:
            divisor = values[which[k]].reshape(1, 1)
        if not float(divisor.min()) > 0:
            got = f"a background of {float(divisor.min()):g} counts"
            raise InputError(where, got, "a positive intensity everywhere")
        result = raw / divisor
        result -= np.float32(subtracted)
        yield Contrast(result[None], divisor[None], subtracted)


def _images(image: NDArray[np.generic] | None, shape: tuple[int, ...]) -> NDArray[Any]:
    field = "acquisition.background.path"
    if image is None:
        raise InputError(field, "nothing", "a measured image without sample")
    measured = np.asarray(image)
    if measured.ndim == 2:
        measured = measured[None]
    if measured.ndim != 3 or measured.shape[1:] != shape[1:]:
        got = " x ".join(map(str, np.shape(image)))
        raise InputError(field, f"an image of {got}", f"{shape[1]} x {shape[2]} pixels (y, x), or a stack of such")
    if np.iscomplexobj(measured):
        raise InputError(field, "complex pixels", "real, finite counts")
    return measured


def _check_real(image: Float32, field: str) -> None:
    if not np.isfinite(image).all():
        raise InputError(field, "pixels that are infinite or not a number", "real, finite counts")


def frames_at_level(padded: Float32, grid: Grid, level: int) -> Float32:
    """Sample padded frames at a level of the pyramid: (frame, y, x) to (frame, *padded_shape of the level)."""
    rows, columns = grid.at_level(level).padded_shape
    return np.asarray(fourier_resample(padded, (rows, columns)), np.float32)
