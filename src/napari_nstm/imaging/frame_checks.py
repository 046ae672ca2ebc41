"""Checks of raw frames that modalities share: errors and warnings, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError

LEAST_PX = 32
# A histogram that ends in a spike: this many pixels at the maximum, and this many times more than at any of the
# values just below it. Detectors of 10 to 14 bits saturate below the maximum of their 16-bit files.
_SPIKE_PIXELS = 10
_SPIKE_RATIO = 5


def check_frames(frames: NDArray[np.generic], least: int, noun: str = "frame") -> None:
    """Raise `InputError` for frames (frame, y, x) that nothing can be made of.

    Parameters
    ----------
    frames
        Raw frames.
    least
        How many there must be.
    noun
        What one of them is called.
    """
    size = " x ".join(map(str, frames.shape))
    if frames.ndim != 3:
        raise InputError("raw", f"{frames.ndim} axes ({size})", "a stack of 2D frames: (frame, y, x)")
    if len(frames) < least:
        raise InputError("raw", f"{len(frames)} {noun}{'s' * (len(frames) != 1)}", f"at least {least} {noun}s")
    if min(frames.shape[1:]) < LEAST_PX:
        raise InputError("raw", f"frames of {' x '.join(map(str, frames.shape[1:]))} pixels", f"at least {LEAST_PX}")
    if frames.dtype.kind == "c":
        raise InputError("raw", "complex pixels", "real counts")
    if frames.dtype.kind not in "iuf":
        raise InputError("raw", f"pixels of type {frames.dtype}", "numbers: integer or floating-point counts")
    for k, frame in enumerate(frames):
        bad = 0 if frames.dtype.kind in "iu" else int(np.count_nonzero(~np.isfinite(frame.astype(np.float64))))
        if bad:
            raise InputError("raw", f"{bad} pixels in {noun} {k} that are NaN or infinite", "finite counts")
        if frame.min() == frame.max():
            value = float(np.asarray(frame.flat[0], np.float64))
            raise InputError("raw", f"{noun} {k} with {value:g} in every pixel", f"{noun}s that show something")


def check_images_per_step(images: int, n_frames: int) -> None:
    """Raise `InputError` where so many images in a step do not make whole steps of all frames."""
    if n_frames % images:
        divisors = [str(n) for n in range(1, n_frames + 1) if n_frames % n == 0]
        raise InputError("fit.images_per_step", f"{images} of {n_frames} frames", f"{' or '.join(divisors)}")


def saturation(frames: NDArray[Any], effect: str, noun: str = "frame") -> str | None:
    """Return a sentence about pixels at the detector's end, or None.

    Parameters
    ----------
    frames
        (frame, y, x) counts.
    effect
        What it does to the result, as the end of the sentence.
    noun
        What a frame is called.
    """
    if frames.dtype.kind not in "iu":
        return None
    # Frame by frame: they may be larger than memory.
    highest = max(int(frame.max()) for frame in frames)
    n_at = sum(int(np.count_nonzero(frame == highest)) for frame in frames)
    if highest < np.iinfo(frames.dtype).max:
        near = np.concatenate([frame[frame >= highest - max(8, highest // 50)] for frame in frames])
        counts = np.unique(near, return_counts=True)[1][-5:-1]
        below = int(counts.max()) if len(counts) else 0
        if below == 0 or n_at < _SPIKE_PIXELS or n_at < _SPIKE_RATIO * below:
            return None
    where = [str(k) for k, frame in enumerate(frames) if np.any(frame == highest)]
    share = 100 * n_at / frames.size
    plural = "s" if n_at > 1 else ""
    amount = f"{n_at} saturated pixel{plural} ({share:.2g} %, at {highest})"
    frames_hit = f"{len(where)} {noun}s" if len(where) > 8 else f"{noun}{'s' * (len(where) > 1)} {', '.join(where)}"
    return f"{amount} in {frames_hit}: {effect}."


def other_pixel_size(raw: RawData, pixel_size_um: float) -> str | None:
    """Return a sentence where the file states another pixel size along y and x than the settings, or None."""
    if raw.pixel_size_um is None or np.allclose(raw.pixel_size_um[-2:], pixel_size_um, rtol=0.01):
        return None
    stated = " x ".join(f"{size:g}" for size in raw.pixel_size_um[-2:])
    return f"{raw.name} states pixels of {stated} um; the settings' {pixel_size_um:g} um is used."
