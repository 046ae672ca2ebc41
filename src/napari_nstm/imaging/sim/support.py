"""What stripes and objective together tell of a sample: the union of the OTF's supports, shifted by every order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.imaging.sim.optics import SimOptics

Float = NDArray[np.floating[Any]]

# Beyond the support the filter falls to 0 over this part of the cutoff: a sharp edge would ring.
_FALL = 0.1
_OF_STRIPES, _MOST_SMOOTHED = 1.6, 0.99


def limit_to_support(
    images: NDArray[np.float32],
    spacing_um: tuple[float, ...],
    optics: SimOptics,
    vectors_per_um: Float,
    n_orders: int,
    *,
    sharpened: bool = False,
) -> NDArray[np.float32]:
    """Take away the frequencies that no frame carries.

    Parameters
    ----------
    images
        (..., [z,] y, x).
    spacing_um
        Distance of samples, ([z,] y, x).
    optics, vectors_per_um, n_orders
        Objective, stripes (orientation, 2) and orders.
    sharpened
        Multiply by `sharpening` as well.
    """
    ndim = len(spacing_um)
    shape = images.shape[-ndim:]
    # Room for what the filter rings, so that it does not come back on the other side; mirrored, so that no edge rings.
    sizes = [fft.next_fast_len(n + max(8, n // 4), real=axis == ndim - 1) for axis, n in enumerate(shape)]
    room = [((m - n) // 2, m - n - (m - n) // 2) for m, n in zip(sizes, shape, strict=True)]
    padded = np.pad(images, [(0, 0)] * (images.ndim - ndim) + room, mode="symmetric")
    frequencies = half_plane(sizes, spacing_um)
    kept = support_weight(frequencies, optics, vectors_per_um, n_orders)
    if sharpened:
        kept = kept * sharpening(frequencies, optics, vectors_per_um)
    over = tuple(range(-ndim, 0))
    limited = fft.irfftn(fft.rfftn(padded, axes=over, workers=-1) * kept, s=sizes, axes=over, workers=-1)
    inside = (slice(before, before + n) for (before, _), n in zip(room, shape, strict=True))
    return np.asarray(limited[(..., *inside)], np.float32)


def half_plane(shape: Sequence[int], spacing_um: Sequence[float]) -> list[Float]:
    """Return the frequencies of `rfftn`, ([kz,] ky, kx >= 0) in cycles per um, broadcast against each other."""
    axes = [fft.fftfreq(n, d) for n, d in zip(shape[:-1], spacing_um[:-1], strict=True)]
    axes.append(fft.rfftfreq(shape[-1], spacing_um[-1]))
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def sharpening(frequencies: list[Float], optics: SimOptics, vectors_per_um: Float) -> Float:
    """Return the filter through which a smooth scene is learned: fine detail then comes as fast as coarse.

    1 / (1 - 0.99 min(rho, 1)), with rho the distance from frequency 0 over that of the finest detail: laterally
    the objective's cutoff and 1.6 times the stripes' vector (Cao et al. 2024, as implemented), axially the support's
    height.

    Parameters
    ----------
    frequencies
        ([kz,] ky, kx) in cycles per um, broadcast against each other.
    optics, vectors_per_um
        Objective and stripes.
    """
    *axial, ky, kx = frequencies
    length = float(np.hypot(*vectors_per_um.T).mean())
    squared = (ky**2 + kx**2) / (optics.cutoff + _OF_STRIPES * length) ** 2
    if axial:
        rim = np.asarray(optics.na_objective / optics.wavelength_um)
        height = float(_half_height(rim, optics)) + optics.axial_frequency(length)
        squared = squared + (axial[0] / height) ** 2
    return np.asarray(1 / (1 - _MOST_SMOOTHED * np.minimum(np.sqrt(squared), 1)), np.float32)


def support_weight(frequencies: list[Float], optics: SimOptics, vectors_per_um: Float, n_orders: int) -> Float:
    """Return 1 within the support, 0 far outside, with a narrow fall between.

    Parameters
    ----------
    frequencies
        ([kz,] ky, kx) in cycles per um, broadcast against each other.
    optics, vectors_per_um, n_orders
        As for `limit_to_support`.
    """
    *axial, ky, kx = frequencies
    best: Any = 0.0
    orders = [(vectors_per_um[0], 0)]
    orders += [(v, sign * m) for v in vectors_per_um for m in range(1, n_orders) for sign in (-1, 1)]
    for vector, order in orders:
        lateral = np.hypot(ky - order * vector[0], kx - order * vector[1])
        if not axial:
            inside = _falling(lateral, optics.cutoff, _FALL * optics.cutoff)
        else:
            # Order 1 of three beams stands at two heights.
            heights: tuple[float, ...] = (0.0,)
            if abs(order) == 1 and n_orders == 3:
                kz = optics.axial_frequency(float(np.hypot(*vector)))
                heights = (-kz, kz)
            half = _half_height(lateral, optics)
            width = _FALL * optics.cutoff
            inside = _falling(lateral, optics.cutoff, width) * np.max(
                [_falling(np.abs(axial[0] - height) - half, 0.0, width) for height in heights], axis=0
            )
        best = np.maximum(best, inside)
    return np.asarray(best, np.float32)


def _half_height(lateral: Float, optics: SimOptics) -> Float:
    """Return how far the widefield OTF reaches along kz at a lateral frequency: the missing cone's torus."""
    sphere, rim = optics.refractive_index / optics.wavelength_um, optics.na_objective / optics.wavelength_um
    off = np.clip(lateral - rim, -rim, rim)
    return np.asarray(np.sqrt(sphere**2 - off**2) - np.sqrt(sphere**2 - rim**2))


def _falling(distance: Float, edge: float, width: float) -> Float:
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip((distance - edge) / width, 0, 1)), np.float32)
