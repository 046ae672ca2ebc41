"""A part of the field of SIM: its stripes are those of the whole, counted from another middle."""

from __future__ import annotations

import math

import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import Region
from napari_nstm.imaging.region import crop
from napari_nstm.imaging.sim.optics import given_vectors, middle_px
from napari_nstm.imaging.sim.settings import SimSettings


def cropped(raw: RawData, settings: SimSettings, region: Region) -> tuple[RawData, SimSettings]:
    """Cut images to a region, and count given phases from its middle; an OTF stays as it is.

    Raises
    ------
    InputError
        If the region reaches beyond the images, or phases are given for stripes that are not.
    """
    return crop(raw, region, images=()), _moved(settings, raw.frames.shape[-2:], region, 1)


def uncropped(settings: SimSettings, size: tuple[int, int], region: Region) -> SimSettings:
    """Count phases, given from a region's middle, from that of the whole images of a size (y, x)."""
    return _moved(settings, size, region, -1)


def _moved(settings: SimSettings, size: tuple[int, ...], region: Region, sign: int) -> SimSettings:
    """Add 2 pi k . d to every phase, d being the way from the middle of the whole to that of the region."""
    given = settings.phases_rad
    if given is None:
        return settings
    vectors = given_vectors(settings)
    if vectors is None:
        raise InputError(
            "region",
            "a part of images whose phases are given, but not their stripes",
            "one where both are given, or found",
        )
    top, left, rows, columns = region
    whole, part = middle_px(size), middle_px((rows, columns))
    way_um = settings.pixel_size_um * np.asarray([top + part[0] - whole[0], left + part[1] - whole[1]])
    turns = vectors @ way_um
    of = [turns[index // settings.n_phases % settings.n_orientations] for index in range(len(given))]
    moved = (math.remainder(phase + sign * math.tau * turn, math.tau) for phase, turn in zip(given, of, strict=True))
    return settings.model_copy(update={"phases_rad": tuple(map(float, moved))})
