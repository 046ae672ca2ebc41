"""The point spread function of a drawn diffuser: what a smooth, bumpy sheet makes of the light of one far point.

Rays go through an aperture and are bent by the sheet's slope (the paraxial law: they land `distance` times the
slope away from where they went through). Where the sheet focuses they pile up in bright lines, the caustics.
Lengths are fractions of the sensor's shorter side, so that a sensor of half the pixels sees the same, binned.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from napari_nstm.core.errors import InputError

Float = NDArray[np.float32]

# So chosen that the autocorrelation is as wide, and stands on a floor as high, as that of the PSF measured by
# Antipa et al. (DiffuserCam, 300 x 400 pixels).
GRAIN = 0.025
"""Standard deviation of the Gaussian that smooths the sheet, of the shorter side."""
FOCUS = 0.5
"""Standard deviation of distance times the sheet's second derivative along one axis; a cylinder of 1 would focus."""
COVER = 0.75
"""Part of the sensor, along each axis, that lies behind the aperture."""

_BLUR = 0.002  # standard deviation of what blurs the lines (the light's source, diffraction), of the shorter side
_PENUMBRA = 0.01  # standard deviation of the blur of the aperture's edge, of the shorter side
_DARK = 5.0  # penumbra's standard deviations outside the aperture beyond which there are no rays
_NODES_PER_GRAIN = 4
_RAYS = 1200  # along the shorter side,
_RAYS_PER_PX = 4  # but never fewer than these
_LEAST_PX = 32


def caustic_psf(
    shape: tuple[int, int], seed: int = 0, grain: float = GRAIN, focus: float = FOCUS, cover: float = COVER
) -> Float:
    """Draw the PSF of a diffuser camera: a net of thin bright lines in the middle of the sensor.

    Parameters
    ----------
    shape
        Sensor (y, x), pixels.
    seed
        Another seed, another diffuser. The same one gives the same diffuser for every sensor of these proportions.
    grain
        Standard deviation of the Gaussian that smooths the diffuser's surface, as a fraction of the shorter side:
        the net's meshes are some six times as wide.
    focus
        Standard deviation of distance times the surface's second derivative along one axis. Little below 1 rays
        begin to cross; more gives lines that are double, less gives blurred ones.
    cover
        Part of the sensor, along each axis, that lies behind the aperture.

    Returns
    -------
    (y, x) float32, not negative, sum 1.

    Raises
    ------
    InputError
        The sensor is smaller than 32 pixels, or a number cannot be.
    """
    if min(shape) < _LEAST_PX:
        raise InputError("size", f"{min(shape)} pixels", f"{_LEAST_PX} pixels or more")
    for name, value, low, high in (
        ("grain", grain, 0.01, 0.2),
        ("focus", focus, 0.1, 2.0),
        ("cover", cover, 0.2, 0.9),
    ):
        if not low <= value <= high:
            raise InputError(name, f"{value:g}", f"{low:g} to {high:g}")
    surface = _surface(shape, np.random.default_rng(seed), grain, focus)
    unit_px = min(shape)
    rays = max(_RAYS_PER_PX, math.ceil(_RAYS / unit_px))
    (y, bright_y), (x, bright_x) = (_aperture(n, unit_px, cover, rays) for n in shape)
    on_sheet = (y + 0.5) / unit_px, (x + 0.5) / unit_px
    land_y = y[:, None] + unit_px * surface(*on_sheet, dx=1)
    land_x = x + unit_px * surface(*on_sheet, dy=1)
    landed = _shared_out(land_y, land_x, np.outer(bright_y, bright_x), shape)
    blurred = gaussian_filter(landed, _BLUR * unit_px, mode="constant")
    return np.asarray(blurred / blurred.sum(), np.float32)


def _surface(shape: tuple[int, int], rng: np.random.Generator, grain: float, focus: float) -> RectBivariateSpline:
    """Return distance times the sheet's height, as a function of position, in units of the shorter side.

    Its nodes lie a fixed part of the grain apart, whatever the pixels.
    """
    step = grain / _NODES_PER_GRAIN
    extents = [n / min(shape) for n in shape]
    axes = [np.arange(math.ceil(extent / step) + 1) * step for extent in extents]
    rough = rng.standard_normal([len(axis) for axis in axes])
    smooth = RectBivariateSpline(*axes, gaussian_filter(rough, _NODES_PER_GRAIN, mode="wrap"))
    curvature = smooth(*axes, dx=2)
    return RectBivariateSpline(*axes, focus / curvature.std() * smooth(*axes))


def _aperture(n: int, unit_px: int, cover: float, rays: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where rays go through along one axis, pixels, and how bright they are."""
    at = (np.arange(n * rays) + 0.5) / rays - 0.5
    inside = (cover * n / 2 - np.abs(at - (n - 1) / 2)) / (_PENUMBRA * unit_px)
    lit = inside > -_DARK
    return at[lit], ndtr(inside[lit])


def _shared_out(
    y: NDArray[np.float64], x: NDArray[np.float64], weights: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return how much lands on each pixel, every ray shared between the four around it; what misses all is lost."""
    low_y, low_x = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    hit = (low_y >= 0) & (low_y < shape[0] - 1) & (low_x >= 0) & (low_x < shape[1] - 1)
    low_y, low_x = low_y[hit], low_x[hit]
    part_y, part_x, weights = y[hit] - low_y, x[hit] - low_x, weights[hit]
    total = np.zeros(shape[0] * shape[1])
    for down, share_y in ((0, 1 - part_y), (1, part_y)):
        for right, share_x in ((0, 1 - part_x), (1, part_x)):
            index = (low_y + down) * shape[1] + low_x + right
            total += np.bincount(index, weights * share_y * share_x, len(total))
    return total.reshape(shape)
