"""Bands of structured illumination: what each order of the stripes carries into the frames of an orientation.

With the depths D_m of 1 + D_1 cos(a) + D_2 cos(2 a) and a = 2 pi k . r + phi, a frame of brightness b is

    I = b (C_0 + sum_m D_m / 2 (exp(i m phi) C_m + exp(-i m phi) conj(C_m)))

at every pixel, where C_m = h_m * (o exp(i m 2 pi k . r)) is band m: the object shifted by m k and seen through the
OTF of order m (Gustafsson et al., Biophys. J. 94, 4957 (2008)). Frames of at least 2 M + 1 different phases tell the
bands up to order M apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.padding import pad_fading
from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.layout import SimLayout
from napari_nstm.imaging.sim.optics import Illumination, carrier, middle_px
from napari_nstm.imaging.sim.otf import OtfTable

Complex = NDArray[np.complexfloating[Any]]
Float = NDArray[np.floating[Any]]

# Phases this close to fewer different ones than there are bands amplify the noise of a band beyond any use.
_LARGEST_NOISE = 1e6


@dataclass(frozen=True)
class Band:
    """One band of one orientation.

    Parameters
    ----------
    orientation, order
        Which it is; order 0 or more, as band -m is the conjugate of band m.
    image
        ([z,] y, x) counts, complex.
    noise
        Variance of its noise over that of a frame's pixel.
    """

    orientation: int
    order: int
    image: Complex
    noise: float


def separated(frames: SimFrames, light: Illumination) -> Iterator[Band]:
    """Separate the bands of every orientation by least squares over its frames.

    Parameters
    ----------
    frames
        Of one acquisition or more; all that share an orientation are used together.
    light
        Phases and brightness of these frames, depths of every orientation.

    Raises
    ------
    InputError
        If the phases of an orientation do not tell its bands apart.
    """
    for orientation in np.unique(frames.orientation):
        which = np.flatnonzero(frames.orientation == orientation)
        inverse, noise = _unmixing(light, int(orientation), which)
        stack = frames.images[which]
        for order in range(light.n_orders):
            weights = inverse[order].astype(np.complex64)
            image = np.tensordot(weights.real, stack, 1) + 1j * np.tensordot(weights.imag, stack, 1)
            yield Band(int(orientation), order, image.astype(np.complex64), float(noise[order]))


def _unmixing(light: Illumination, orientation: int, which: NDArray[np.int64]) -> tuple[Complex, Float]:
    # Rows of the pseudo-inverse for orders 0, 1, ..., and the diagonal of (M^H M)^-1.
    highest = light.n_orders - 1
    orders = np.arange(-highest, highest + 1)
    depths = light.depths[orientation, np.abs(orders)] / np.where(orders == 0, 1, 2)
    mixing = light.intensities[which, None] * depths * np.exp(1j * orders * light.phases_rad[which, None])
    inverse = np.linalg.pinv(mixing)
    noise = np.sum(np.abs(inverse) ** 2, axis=1)
    if np.linalg.matrix_rank(mixing) < len(orders) or not noise.max() < _LARGEST_NOISE:
        raise InputError(
            "acquisition.phases_rad",
            f"phases of orientation {orientation + 1} that do not tell its {len(orders)} bands apart",
            f"at least {len(orders)} different phases within a period, and depths that are not 0",
        )
    return inverse[highest:], noise[highest:]


def carrier_on(vector_per_um: Float, order: int, layout: SimLayout, scene: bool) -> Complex:
    """Return exp(i m 2 pi k . r) on the padded field, of the scene's samples or of the frames': (y, x)."""
    shape = layout.scene.padded_shape if scene else layout.raw.padded_extent
    step = 1 / layout.enlarge if scene else 1.0
    waves = []
    for axis, middle in zip((-2, -1), middle_px(layout.raw.shape), strict=True):
        at_px = np.arange(shape[axis]) * step - layout.raw.padding[axis][0] - middle
        zero = np.zeros(1)
        at_um = at_px * layout.raw.pixel_size_um[axis]
        angle = carrier(vector_per_um, at_um, zero) if axis == -2 else carrier(vector_per_um, zero, at_um)
        waves.append(np.exp(1j * order * angle).astype(np.complex64))
    return np.asarray(waves[0][:, None] * waves[1])


def uniform_level(bands: list[Band], table: OtfTable) -> float:
    """Return the density of the uniform object that is as bright as the mean over all orientations."""
    means = [band.image.real.mean(dtype=np.float64) for band in bands if band.order == 0]
    return float(np.mean(means)) / at_zero(table)


def at_zero(table: OtfTable) -> float:
    """Return the transfer of a uniform object under even light."""
    return float(np.sum(table.values[0, 0, 0]).real)


def padded(band: Band, level: float, light: Illumination, table: OtfTable, layout: SimLayout) -> Complex:
    """Put a band on the frames' padded field, less the band of a uniform object.

    Its stripes are taken out first: what is mirrored at the edges is the object, and the stripes go on beyond them.

    Parameters
    ----------
    band
        On the field of view.
    level
        Density of the uniform object.
    light, table, layout
        As for `wiener`.

    Returns
    -------
    NDArray
        (*layout.raw.padded_extent), which fades to 0 at the outer rim.
    """
    vector = light.vectors_per_um[band.orientation]
    kr = np.asarray([band.order * np.hypot(*vector)])
    uniform = level * complex(np.sum(table.lateral(band.order, band.orientation, kr)))
    if band.order == 0:
        return pad_fading((band.image.real - np.float32(uniform.real))[None], layout.raw)[0].astype(np.complex64)
    wave = carrier_on(vector, band.order, layout, scene=False)
    inside = layout.raw.field_slices[-2:]
    still = band.image * np.conj(wave[inside]) - np.complex64(uniform)
    parts = pad_fading(np.stack([still.real, still.imag]), layout.raw)
    return np.asarray((parts[0] + 1j * parts[1]) * wave)
