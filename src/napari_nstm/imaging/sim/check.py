"""Do raw images and settings fit together? Errors and warnings, before anything is computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.frame_checks import check_frames, other_pixel_size, saturation
from napari_nstm.imaging.sim.frames import arrangement, sim_frames
from napari_nstm.imaging.sim.layout import sim_layout
from napari_nstm.imaging.sim.optics import SimOptics, given_vectors
from napari_nstm.imaging.sim.otf_choice import check_otf
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings

# Stripes a little finer than the pupil's rim can be a rounded NA; more is a wrong number.
_SLACK = 1.05
# Part of the field that may be darker than the offset, by this part of its brightest.
_DARK_PART, _DARKER = 0.1, 0.01


def check(raw: RawData, settings: SimSettings) -> list[str]:
    """Raise where raw images cannot be used with these settings; return warnings, a sentence each.

    Stripes that are still to be found are not looked at.

    Raises
    ------
    InputError
        Naming the field at fault.
    """
    check_frames(raw.frames, least=settings.n_orientations * settings.n_phases, noun="image")
    plan = arrangement(len(raw.frames), settings)
    optics = SimOptics.from_settings(settings)
    sampled = 0.5 / settings.pixel_size_um
    if sampled < 0.5 * optics.cutoff:
        raise InputError(
            "acquisition.pixel_size_um",
            f"{settings.pixel_size_um:g} um, which samples up to {sampled:.3g} cycles/um",
            f"pixels under {1 / optics.cutoff:.3g} um for an objective that passes {optics.cutoff:.3g} cycles/um",
        )
    vectors = given_vectors(settings)
    if vectors is not None:
        _check_vectors(vectors, optics, settings)
    frames = sim_frames(raw, settings)
    dark = float(np.median(frames.images.max(axis=tuple(range(1, frames.images.ndim)))))
    if dark <= 0:
        raise InputError(
            "acquisition.offset", f"{settings.offset:g} counts, above the images", "the counts without light"
        )
    layout = sim_layout(frames.images.shape[1:], settings)
    warnings = [
        saturation(raw.frames, "the reconstruction there is wrong", "image"),
        other_pixel_size(raw, settings.pixel_size_um),
        _offset(frames.images, settings),
        _planes(plan.n_planes, settings),
        *check_otf(settings, raw.extras, layout.padded_planes),
    ]
    if sampled < optics.cutoff:
        warnings.append(
            f"The objective passes {optics.cutoff:.3g} cycles/um, a pixel of {settings.pixel_size_um:g} um samples up "
            f"to {sampled:.3g}: finer detail is lost, and may appear as false coarser detail."
        )
    if settings.timestamps_ms is None and not settings.timing.model_fields_set - {"kind"}:
        warnings.append("No timestamps_ms: images count as taken one after the other, 1 ms apart.")
    return [warning for warning in warnings if warning]


def _check_vectors(vectors: NDArray[np.floating], optics: SimOptics, settings: SimSettings) -> None:
    field = f"acquisition.pattern.{'line_spacing_um' if settings.pattern.kind == 'lines' else 'ky_per_um'}"
    # With two beams order 1 is what order 2 is with three.
    finest = optics.finest_order_1 * (1 if settings.n_beams == 3 else 2)
    for d, vector in enumerate(vectors):
        length = float(np.hypot(*vector))
        if length > _SLACK * finest:
            raise InputError(
                field,
                f"stripes {1 / length:.3g} um apart in orientation {d + 1}, finer than this objective can make",
                f"at least {1 / finest:.3g} um, excitation_wavelength_um / NA (were those of order 2 given?)",
            )
        if length > 2 * optics.cutoff:
            raise InputError(field, f"stripes beyond the OTF's support in orientation {d + 1}", "coarser stripes")


def _offset(images: NDArray[np.float32], settings: SimSettings) -> str | None:
    # The mean of all images has little noise: what lies below 0 there is no noise around a dark field.
    mean = images.mean(axis=0)
    below = float(np.mean(mean < -_DARKER * mean.max()))
    if below <= _DARK_PART:
        return None
    share = f"{100 * below:.0f} % of the field is darker"
    return f"{share} than the camera offset of {settings.offset:g} counts: is it too high?"


def _planes(n_planes: int, settings: SimSettings) -> str | None:
    if isinstance(settings, Sim3dSettings) and n_planes < 3:
        return f"{n_planes} plane{'s' * (n_planes > 1)} only: a volume is not told from light out of focus."
    return None
