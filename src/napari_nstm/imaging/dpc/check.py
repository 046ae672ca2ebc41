"""Do raw frames and settings fit together? Errors and warnings, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.dpc.optics import Optics
from napari_nstm.imaging.dpc.settings import DpcSettings
from napari_nstm.imaging.frame_checks import check_frames, other_pixel_size, saturation


def check(raw: RawData, settings: DpcSettings) -> list[str]:
    """Raise where raw frames cannot be used with these settings; return warnings, a sentence each.

    Raises
    ------
    InputError
        Naming the field at fault.
    """
    frames = raw.frames
    check_frames(frames, least=3)
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

    warnings = [
        saturation(frames, "the phase there is wrong"),
        _lost_band(optics, settings),
        other_pixel_size(raw, settings.pixel_size_um),
    ]
    if times is None:
        warnings.append("No timestamps_ms: frames count as evenly spaced, 1 ms apart.")
    return [warning for warning in warnings if warning]


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


def _lost_band(optics: Optics, settings: DpcSettings) -> str | None:
    sampled = 0.5 / settings.pixel_size_um
    if optics.cutoff <= sampled:
        return None
    return (
        f"The optics pass frequencies up to {optics.cutoff:.3g} cycles/um, a pixel of {settings.pixel_size_um:g} um "
        f"samples up to {sampled:.3g}: detail from {sampled:.3g} to {optics.cutoff:.3g} cycles/um is lost, "
        "and may appear as false coarser detail."
    )
