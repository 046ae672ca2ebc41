"""Do raw frames and settings fit together? Errors and warnings, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.dpc.optics import Optics
from napari_nstm.imaging.dpc.settings import DpcSettings

LEAST_PX = 32
# A histogram that ends in a spike: this many pixels at the maximum, and this many times more than at any of the
# values just below it. Detectors of 10 to 14 bits saturate below the maximum of their 16-bit files.
_SPIKE_PIXELS = 10
_SPIKE_RATIO = 5


def check(raw: RawData, settings: DpcSettings) -> list[str]:
    """Raise where raw frames cannot be used with these settings; return warnings, a sentence each.

    Raises
    ------
    InputError
        Naming the field at fault.
    """
    frames = raw.frames
    _check_frames(frames)
    patterns = source_patterns(raw, settings)
    optics = Optics.from_settings(settings, patterns)
    n_frames = len(frames)
    if n_frames % optics.n_conditions:
        field, noun = ("source_patterns", "patterns") if patterns is not None else ("source_angles_deg", "angles")
        raise InputError(
            f"acquisition.{field}",
            f"{optics.n_conditions} {noun} for {n_frames} frames",
            f"one for each frame of an acquisition: the {n_frames} frames must be whole acquisitions",
        )
    times = settings.timestamps_ms
    if times is not None and len(times) != n_frames:
        raise InputError("acquisition.timestamps_ms", f"{len(times)} times for {n_frames} frames", "one per frame")

    warnings = [_saturation(frames), _lost_band(optics, settings), _pixel_size(raw, settings)]
    if times is None:
        warnings.append("No timestamps_ms: frames count as evenly spaced, 1 ms apart.")
    return [warning for warning in warnings if warning]


def _check_frames(frames: NDArray[np.generic]) -> None:
    size = " x ".join(map(str, frames.shape))
    if frames.ndim != 3:
        raise InputError("raw", f"{frames.ndim} axes ({size})", "a stack of 2D frames: (frame, y, x)")
    if len(frames) < 3:
        raise InputError("raw", f"{len(frames)} frame{'s' * (len(frames) != 1)}", "at least 3 frames")
    if min(frames.shape[1:]) < LEAST_PX:
        raise InputError("raw", f"frames of {' x '.join(map(str, frames.shape[1:]))} pixels", f"at least {LEAST_PX}")
    if frames.dtype.kind == "c":
        raise InputError("raw", "complex pixels", "real counts")
    if frames.dtype.kind not in "iuf":
        raise InputError("raw", f"pixels of type {frames.dtype}", "numbers: integer or floating-point counts")
    for k, frame in enumerate(frames):
        bad = 0 if frames.dtype.kind in "iu" else int(np.count_nonzero(~np.isfinite(frame.astype(np.float64))))
        if bad:
            raise InputError("raw", f"{bad} pixels in frame {k} that are NaN or infinite", "finite counts")
        if frame.min() == frame.max():
            value = float(np.asarray(frame.flat[0], np.float64))
            raise InputError("raw", f"frame {k} with {value:g} in every pixel", "frames that show something")


def source_patterns(raw: RawData, settings: DpcSettings) -> NDArray[Any] | None:
    """Return the measured source patterns (frame, fy, fx), checked; None for half sources."""
    if settings.source != "measured":
        return None
    field = "acquisition.source_patterns"
    if "source_patterns" not in raw.extras:
        raise InputError(field, "no array", "a stack of source intensities (frame, fy, fx)")
    patterns = np.asarray(raw.extras["source_patterns"])
    size = " x ".join(map(str, patterns.shape))
    if patterns.ndim != 3 or len(patterns) < 3 or min(patterns.shape[1:]) < 3:
        raise InputError(field, f"an array of {size}", "at least 3 patterns of 3 x 3 or more: (frame, fy, fx)")
    if patterns.dtype.kind not in "iuf":
        raise InputError(field, f"pixels of type {patterns.dtype}", "real intensities")
    patterns = patterns.astype(np.float64)
    if not np.isfinite(patterns).all() or patterns.min() < 0:
        raise InputError(field, "values that are negative, infinite or not a number", "intensities from 0")
    na = [np.linspace(-1, 1, n) * (settings.source_patterns_na_extent or 0.0) for n in patterns.shape[1:]]
    direct = np.hypot(na[0][:, None], na[1]) <= settings.na_objective
    for k, pattern in enumerate(patterns):
        if not pattern[direct].sum() > 0:
            raise InputError(
                field, f"pattern {k} dark within na_objective", "patterns whose light reaches the detector"
            )
    return patterns


def _saturation(frames: NDArray[Any]) -> str | None:
    if frames.dtype.kind not in "iu":
        return None
    highest = int(frames.max())
    n_at = int(np.count_nonzero(frames == highest))
    if highest < np.iinfo(frames.dtype).max:
        near = frames[frames >= highest - max(8, highest // 50)]
        counts = np.unique(near, return_counts=True)[1][-5:-1]
        below = int(counts.max()) if len(counts) else 0
        if below == 0 or n_at < _SPIKE_PIXELS or n_at < _SPIKE_RATIO * below:
            return None
    where = [str(k) for k, frame in enumerate(frames) if np.any(frame == highest)]
    share = 100 * n_at / frames.size
    plural = "s" if n_at > 1 else ""
    amount = f"{n_at} saturated pixel{plural} ({share:.2g} %, at {highest})"
    frames_hit = f"{len(where)} frames" if len(where) > 8 else f"frame{'s' * (len(where) > 1)} {', '.join(where)}"
    return f"{amount} in {frames_hit}: the phase there is wrong."


def _lost_band(optics: Optics, settings: DpcSettings) -> str | None:
    sampled = 0.5 / settings.pixel_size_um
    if optics.cutoff <= sampled:
        return None
    return (
        f"The optics pass frequencies up to {optics.cutoff:.3g} cycles/um, a pixel of {settings.pixel_size_um:g} um "
        f"samples up to {sampled:.3g}: detail from {sampled:.3g} to {optics.cutoff:.3g} cycles/um is lost, "
        "and may appear as false coarser detail."
    )


def _pixel_size(raw: RawData, settings: DpcSettings) -> str | None:
    if raw.pixel_size_um is None or np.allclose(raw.pixel_size_um[-2:], settings.pixel_size_um, rtol=0.01):
        return None
    stated = " x ".join(f"{size:g}" for size in raw.pixel_size_um[-2:])
    return f"{raw.name} states pixels of {stated} um; the settings' {settings.pixel_size_um:g} um is used."
