"""Bands of structured illumination: what each order of the stripes carries into the frames of an orientation.

With the depths D_m of 1 + D_1 cos(a) + D_2 cos(2 a) and a = 2 pi k . r + phi, a frame of brightness b is

    I = b (C_0 + sum_m D_m / 2 (exp(i m phi) C_m + exp(-i m phi) conj(C_m)))

at every pixel, where C_m = h_m * (o exp(i m 2 pi k . r)) is band m: the object shifted by m k and seen through the
OTF of order m (Gustafsson et al., Biophys. J. 94, 4957 (2008)). Frames of 2 M + 1 or more different phases tell the
bands up to order M apart, whether the phases are evenly spaced or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.conventional.padding import pad_periodic
from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.layout import SimLayout
from napari_nstm.imaging.sim.optics import Illumination, carrier, middle_px
from napari_nstm.imaging.sim.otf import OtfTable

Complex = NDArray[np.complexfloating[Any]]
Float = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Band:
    """One band of one orientation.

    Parameters
    ----------
    orientation, order
        Which it is; orders from 0 on, as band -m is the conjugate of band m.
    image
        ([z,] y, x) counts on the field of view, complex.
    noise
        Variance of its noise over that of a pixel of a frame.
    """

    orientation: int
    order: int
    image: Complex
    noise: float


def separated(frames: SimFrames, light: Illumination) -> list[Band]:
    """Separate the bands of every orientation by least squares over its frames.

    Parameters
    ----------
    frames
        Of one acquisition, or one window of a series.
    light
        Phases and brightness of these frames, depths of every orientation.

    Raises
    ------
    InputError
        If the phases of an orientation do not tell its bands apart.
    """
    bands = []
    for orientation in np.unique(frames.orientation):
        which = np.flatnonzero(frames.orientation == orientation)
        inverse, noise = _unmixing(light, int(orientation), which)
        for order in range(light.n_orders):
            weights = inverse[order].astype(np.complex64)
            image = np.empty(frames.images.shape[1:], np.complex64)
            image.real = np.tensordot(weights.real, frames.images[which], 1)
            image.imag = np.tensordot(weights.imag, frames.images[which], 1)
            bands.append(Band(int(orientation), order, image, float(noise[order])))
    return bands


def _unmixing(light: Illumination, orientation: int, which: NDArray[np.int64]) -> tuple[Complex, Float]:
    # The rows of the pseudo-inverse for orders 0, 1, ..., and the noise that each lets through.
    highest = light.n_orders - 1
    orders = np.arange(-highest, highest + 1)
    depths = light.depths[orientation, np.abs(orders)] / np.where(orders == 0, 1, 2)
    mixing = light.intensities[which, None] * depths * np.exp(1j * orders * light.phases_rad[which, None])
    if np.linalg.matrix_rank(mixing) < len(orders):
        raise InputError(
            "acquisition.phases_rad",
            f"phases of orientation {orientation + 1} that do not tell its {len(orders)} bands apart",
            f"at least {len(orders)} different phases within a period",
        )
    inverse = np.linalg.pinv(mixing)
    return inverse[highest:], np.sum(np.abs(inverse[highest:]) ** 2, axis=1)


def uniform_density(bands: Sequence[Band], table: OtfTable) -> float:
    """Return the density of the uniform object that is as bright as the mean over all orientations, counts."""
    means = [band.image.real.mean(dtype=np.float64) for band in bands if band.order == 0]
    return float(np.mean(means) / np.sum(table.values[0, 0, 0]).real)


def padded(band: Band, density: float, light: Illumination, table: OtfTable, layout: SimLayout) -> Complex:
    """Put a band on the frames' padded field, less the band of a uniform object.

    The stripes are taken out, and put in again: what is mirrored at the edges and fades is the object alone.

    Parameters
    ----------
    band
        On the field of view.
    density
        Of the uniform object, counts.
    light, table, layout
        As for `wiener`.

    Returns
    -------
    NDArray
        (*layout.raw.padded_extent), complex64.
    """
    vector = light.vectors_per_um[band.orientation]
    kr = np.asarray(band.order * np.hypot(*vector))
    uniform = np.complex64(density * np.sum(table.lateral(band.order, band.orientation, kr)))
    if band.order == 0:
        return np.asarray(pad_periodic((band.image.real - uniform.real)[None], layout.raw)[0], np.complex64)
    wave = wave_on(vector, band.order, layout)
    still = band.image * np.conj(wave[layout.raw.field_slices[-2:]]) - uniform
    parts = pad_periodic(np.stack([still.real, still.imag]), layout.raw)
    result = np.empty(parts.shape[1:], np.complex64)
    result.real, result.imag = parts
    return np.asarray(result * wave)


def wave_on(vector_per_um: Float, order: int, layout: SimLayout, of_scene: bool = False) -> Complex:
    """Return exp(i m 2 pi k . r) on the padded field, at the frames' pixels or at the scene's samples: (y, x)."""
    shape = layout.scene.padded_shape if of_scene else layout.raw.padded_extent
    step_px = 1 / layout.enlarge if of_scene else 1.0
    waves = []
    for axis, middle in zip((-2, -1), middle_px(layout.raw.shape), strict=True):
        at_px = step_px * np.arange(shape[axis]) - layout.raw.padding[axis][0] - middle
        along = np.zeros_like(vector_per_um)
        along[axis] = vector_per_um[axis]
        at_um = at_px * layout.raw.pixel_size_um[axis]
        waves.append(np.exp(1j * order * carrier(along, at_um, at_um)).astype(np.complex64))
    return np.asarray(waves[0][:, None] * waves[1])
