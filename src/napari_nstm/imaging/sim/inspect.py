"""What was understood of a SIM stack, as drawings: which image is which, and where its stripes are."""

from __future__ import annotations

from collections.abc import Sequence
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
_THUMBNAIL_PX, _GAP_PX = 96, 6
_ROWS = 12
# Planes whose spectra are averaged: those in the middle hold most of the sample.
_PLANES = 5
_DARKEST = 1e-12
_DIGITS = 4  # of vectors that are moved by hand, in cycles per um


def contact_sheet(raw: RawData, settings: SimSettings) -> Drawing:
    """Draw the images of a stack as they are understood: a row for each orientation, a column for each phase.

    Of a series the first acquisitions are shown, of a volume the middle plane, of large images the part in which
    the stripes are seen best.

    Raises
    ------
    InputError
        If the images are no whole acquisitions.
    """
    plan = arrangement(len(raw.frames), settings)
    n_times = max(1, min(plan.n_acquisitions, _ROWS // settings.n_orientations))
    which = plan.images[:n_times, plan.n_planes // 2]  # (time, orientation, phase)
    times_ms = plan.times_ms[:n_times, plan.n_planes // 2]
    images = _best_part(np.asarray(raw.frames[which.reshape(-1)], np.float32)).reshape(*which.shape, -1, *(1,) * 0)
    raise NotImplementedError


def _best_part(images: Float) -> Float:
    return images
