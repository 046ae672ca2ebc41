"""What was understood of a SIM stack, as drawings: which image is which, and where its stripes are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.ndimage import uniform_filter

from napari_nstm.core.data import Circle, Drawing, Mark, RawData
from napari_nstm.core.errors import input_error_from
from napari_nstm.imaging.sim.choices import LinePattern, Pattern, VectorPattern
from napari_nstm.imaging.sim.frames import Arrangement, arrangement
from napari_nstm.imaging.sim.optics import SimOptics, given_vectors
from napari_nstm.imaging.sim.settings import SimSettings
from napari_nstm.imaging.spectrum import frequency_step, power_spectrum

Float = NDArray[np.floating[Any]]

# Stripes must be seen: thumbnails are parts of the images, pixel by pixel.
_THUMBNAIL_PX, _GAP_PX = 96, 4
_ROWS = 12
# Planes whose spectra are averaged: those in the middle hold most of the sample.
_PLANES = 5
_DARKEST = 1e-12  # of a spectrum, where an image is all alike
_DIGITS = 4  # of vectors that are moved by hand, in cycles per um


def contact_sheet(raw: RawData, settings: SimSettings) -> Drawing:
    """Draw the images of a stack as they are understood: a row for each orientation, a column for each phase.

    Of a series the first acquisitions are shown, of a volume the middle plane, of large images the part in which
    they differ most.

    Raises
    ------
    InputError
        If the images are no whole acquisitions.
    """
    plan = arrangement(len(raw.frames), settings)
    n_times = max(1, min(plan.n_acquisitions, _ROWS // settings.n_orientations))
    plane = plan.n_planes // 2
    which, times_ms = plan.images[:n_times, plane], plan.times_ms[:n_times, plane]  # (time, orientation, phase)
    images = _part_that_differs(np.asarray(raw.frames[which.ravel()], np.float32))
    rows, columns = images.shape[1] + _GAP_PX, images.shape[2] + _GAP_PX
    sheet = np.full((which.shape[0] * which.shape[1] * rows, which.shape[2] * columns), images.min(), np.float32)
    marks = []
    for index, (time, orientation, phase) in enumerate(np.ndindex(which.shape)):
        top, left = (time * which.shape[1] + orientation) * rows, phase * columns
        sheet[top : top + images.shape[1], left : left + images.shape[2]] = images[index]
        words = [f"time {time + 1}"] * (plan.n_acquisitions > 1)
        words += [f"orientation {orientation + 1}", f"phase {phase + 1}"]
        words += [f"image {which[time, orientation, phase] + 1}", f"{times_ms[time, orientation, phase]:g} ms"]
        marks.append(Mark((float(top), float(left)), ", ".join(words)))
    return Drawing(
        name="Which frame is which",
        images=sheet[None],
        panels=("",),
        origin=(0.0, 0.0),
        step=(1.0, 1.0),
        unit="pixel",
        marks=tuple(marks),
        note=_sheet_note(plan, n_times, plane, images.shape[1:] != raw.frames.shape[1:], images.shape[1:]),
    )


def _sheet_note(plan: Arrangement, n_times: int, plane: int, is_part: bool, part: tuple[int, ...]) -> str:
    counts = dict(zip(("time", "plane", "orientation", "phase"), plan.images.shape, strict=True))
    words = " x ".join(f"{n} {name}{'s' * (n != 1)}" for name, n in counts.items())
    span = f"{plan.times_ms.min():g} to {plan.times_ms.max():g} ms"
    note = [f"{plan.images.size} images: {words}, {span}."]
    shown = [f"the first {n_times} times"] * (n_times < plan.n_acquisitions)
    shown += [f"plane {plane + 1}"] * (plan.n_planes > 1)
    shown += [f"{part[0]} x {part[1]} pixels of each image"] * is_part
    if shown:
        note.append(f"Shown: {', '.join(shown)}.")
    note.append("Along a row the stripes keep their direction and move on; from row to row they turn.")
    return " ".join(note)


def _part_that_differs(images: Float) -> Float:
    """Return the part of images (n, y, x), of a thumbnail's size, in which they differ most."""
    size = tuple(min(n, _THUMBNAIL_PX) for n in images.shape[1:])
    differing = uniform_filter(images.std(axis=0), size, mode="constant")
    # Only where a part fits in.
    first = [n // 2 for n in size]
    inside = tuple(slice(f, f + n - m + 1) for f, n, m in zip(first, images.shape[1:], size, strict=True))
    best = np.unravel_index(int(differing[inside].argmax()), differing[inside].shape)
    return images[:, best[0] : best[0] + size[0], best[1] : best[1] + size[1]]


def spectrum(raw: RawData, settings: SimSettings) -> Drawing:
    """Draw the mean power spectrum of each orientation's images, with its stripes where they are known.

    The images are taken less their mean over the phases, which holds no stripes: what is left are copies of the
    sample's spectrum around the stripes' frequencies, order m around +-m times the orientation's vector. Of a series
    the first acquisition is taken, of a volume the planes in the middle.

    Raises
    ------
    InputError
        If the images are no whole acquisitions.
    """
    plan = arrangement(len(raw.frames), settings)
    middle = plan.n_planes // 2
    planes = slice(max(0, middle - _PLANES // 2), middle + _PLANES // 2 + 1)
    which = plan.images[0, planes].transpose(1, 0, 2)  # (orientation, plane, phase)
    powers = np.stack([_stripe_power(raw.frames, images) for images in which])
    decades = np.log10(np.maximum(powers / powers.max(), _DARKEST)) if powers.max() > 0 else powers
    rows, columns = powers.shape[1:]
    step = frequency_step(rows, settings.pixel_size_um), frequency_step(columns, settings.pixel_size_um)
    origin = -(rows // 2) * step[0], -(columns // 2) * step[1]
    reach = tuple(-start for start in origin)
    return Drawing(
        name="Spectrum and stripes",
        images=decades.astype(np.float32),
        panels=tuple(f"orientation {d + 1}" for d in range(len(which))),
        origin=origin,
        step=step,
        unit="1/um",
        circles=support_circles(settings),
        marks=_stripe_marks(settings, reach),
        note=_spectrum_note(settings),
    )


def _stripe_power(frames: NDArray[np.generic], which: NDArray[np.int64]) -> Float:
    """Return the mean power spectrum of images (plane, phase), each less the mean of its plane."""
    planes = (np.asarray(frames[images], np.float32) for images in which)
    return np.asarray(np.mean([power_spectrum(images - images.mean(axis=0)) for images in planes], axis=0))


def support_circles(settings: SimSettings) -> tuple[Circle, ...]:
    """Return how far frames reach in frequency, and with their stripes the reconstruction, in cycles per um."""
    cutoff = SimOptics.from_settings(settings).cutoff
    circles = [Circle((0.0, 0.0), cutoff, f"objective: {cutoff:.2f} /um")]
    vectors = given_vectors(settings)
    if vectors is not None:
        order = settings.n_orders - 1
        reach = cutoff + order * float(np.hypot(*vectors.T).mean())
        circles.append(Circle((0.0, 0.0), reach, f"with stripes: {reach:.2f} /um"))
    return tuple(circles)


def _stripe_marks(settings: SimSettings, reach: tuple[float, ...]) -> tuple[Mark, ...]:
    vectors = given_vectors(settings)
    marks = []
    for orientation, vector in enumerate(() if vectors is None else vectors):
        for order in range(1, settings.n_orders):
            for signed in (order, -order):
                y, x = signed * vector
                if abs(y) <= reach[0] and abs(x) <= reach[1]:
                    marks.append(Mark((float(y), float(x)), f"{signed:+d}", orientation))
    return tuple(marks)


def _spectrum_note(settings: SimSettings) -> str:
    vectors = given_vectors(settings)
    if vectors is None:
        return "The stripes are not known yet: the bright spots are theirs."
    spacings = ", ".join(f"{1 / float(np.hypot(*vector)):.4f}" for vector in vectors)
    return (
        f"Periods of the stripes: {spacings} um. Every ring should lie upon a bright spot; "
        "drag one to move its orientation's vector."
    )


def moved(settings: SimSettings, mark: Mark, position: tuple[float, float]) -> SimSettings:
    """Return settings whose stripes put a mark of `spectrum` elsewhere; phases and depths are open then.

    Parameters
    ----------
    settings
        With stripes that are given.
    mark
        One of the drawing's.
    position
        (ky, kx) in cycles per um.

    Raises
    ------
    InputError
        If the stripes would have no direction.
    """
    vectors = given_vectors(settings)
    if vectors is None or mark.panel is None:
        return settings
    changed = vectors.copy()
    changed[mark.panel] = np.asarray(position) / int(mark.label)
    # They were found for the stripes as they were.
    opened = {"phases_rad": None, "modulation_1": None, "modulation_2": None}
    try:
        return settings.model_copy(update={"pattern": _pattern(settings.pattern, changed, mark.panel), **opened})
    except ValidationError as error:
        raise input_error_from(error, "acquisition.pattern") from error


def _pattern(pattern: Pattern, vectors: Float, which: int) -> Pattern:
    y, x = (float(part) for part in vectors[which])
    if isinstance(pattern, LinePattern):
        length = float(np.hypot(y, x))
        spacing = round(1 / length, _DIGITS + 1) if length > 0 else 0.0
        return LinePattern(
            line_spacing_um=_replaced(pattern.line_spacing_um, which, spacing),
            angles_deg=_replaced(pattern.angles_deg, which, round(float(np.degrees(np.arctan2(y, x))), 2)),
        )
    if isinstance(pattern, VectorPattern):
        return VectorPattern(
            ky_per_um=_replaced(pattern.ky_per_um, which, round(y, _DIGITS)),
            kx_per_um=_replaced(pattern.kx_per_um, which, round(x, _DIGITS)),
        )
    return pattern


def _replaced(values: tuple[float, ...], which: int, value: float) -> tuple[float, ...]:
    return (*values[:which], value, *values[which + 1 :])
