"""Raw positions against distances within the sample: planes lie further apart than pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.phantoms._lattice import Float

PLANE_PX = 2.0
"""Distance between planes in raw pixels unless told otherwise: 0.125 um at raw pixels of 0.065 um, nearly."""
BORDER = 0.1
"""Fraction of the field that stays free on each side."""

_SMALLEST_FIELD = 32
_SMALLEST_STACK = 2


def check_shape(shape: tuple[int, ...], plane_px: float = PLANE_PX) -> None:
    """Refuse a field that is neither (y, x) nor (z, y, x), or too small to hold a sample."""
    if len(shape) not in (2, 3):
        raise InputError("shape", f"{len(shape)} axes", "2 (y, x) or 3 (z, y, x)")
    if min(shape[-2:]) < _SMALLEST_FIELD:
        raise InputError("size", f"{min(shape[-2:])} pixels", f"{_SMALLEST_FIELD} pixels or more")
    if len(shape) == 3 and shape[0] < _SMALLEST_STACK:
        raise InputError("planes", f"{shape[0]}", f"{_SMALLEST_STACK} planes or more")
    if not 0 < plane_px < np.inf:
        raise InputError("plane_px", f"{plane_px:g} pixels", "a distance over 0 pixels")


def scale(n_axes: int, plane_px: float) -> NDArray[np.float64]:
    """Return the raw pixels in one unit of position: (plane distance,) 1, 1."""
    return np.asarray((plane_px, 1.0, 1.0)[-n_axes:])


def to_pixels(positions_px: Float, plane_px: float) -> NDArray[np.float64]:
    """Return positions (component, ...) as (position, component), all components in raw pixels."""
    flat = np.asarray(positions_px, np.float64).reshape(len(positions_px), -1)
    return np.ascontiguousarray(flat.T * scale(len(flat), plane_px))


def free_box(
    shape: tuple[int, ...], plane_px: float, margin_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners between which centres of things that reach `margin_px` far leave the border free.

    Pixel i covers [i - 1/2, i + 1/2]; along z a tenth stays free too. Where a stack is thinner than the
    things, both corners lie in its middle: they stick out of it.

    Returns
    -------
    low, high
        (component,) in raw pixels, along z too.
    """
    extent = np.asarray(shape, np.float64)
    unit = scale(len(shape), plane_px)
    low = (BORDER * extent - 0.5) * unit + margin_px
    high = ((1 - BORDER) * extent - 0.5) * unit - margin_px
    middle = (low + high) / 2
    return np.minimum(low, middle), np.maximum(high, middle)
