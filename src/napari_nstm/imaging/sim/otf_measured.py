"""The OTF from the image of a point (a bead), of one plane or as a stack."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.interpolate import CubicSpline
from scipy.special import j0

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.otf import OtfTable, with_axial_stripes

Float = NDArray[np.float64]

LEAST_PX = 16
_FIELD = "acquisition.otf.path"
# In units of wavelength / NA: the image of a point is about a Gaussian of this sigma; its first dark ring.
_SIGMA, _DARK_RING = 0.21, 0.61
# A second point is what is this bright beyond the second dark ring; noise stays below this share of the peak.
_SECOND = 0.3
_NOISE_SIGMAS = 6
# Bins of the distance from the centre per pixel; samples of kr per 1 / (pixels x pixel size), the field's own step.
_BINS, _FINER = 50, 8
_SAMPLES = 512
# Below this share of the cutoff the OTF in focus falls in a straight line (by theory to 0.006).
_STRAIGHT = 0.3


@dataclass(frozen=True)
class _Point:
    """A stack without its background, and where its point lies: plane and pixels (z, y, x)."""

    light: Float
    z: float
    y: float
    x: float


def psf_table(
    psf: NDArray[Any],
    pixel_size_um: float,
    plane_spacing_um: float | None,
    offset: float | None,
    optics: SimOptics,
    vectors_per_um: NDArray[np.floating[Any]],
    n_orders: int,
    depths_um: tuple[float, ...],
) -> OtfTable:
    """Tabulate the OTF of a measured point spread function, taken under even light.

    The radial mean of the lateral transform of every plane, about the point's centre, is sum(psf J0(2 pi kr r)). It
    is interpolated between planes by splines; 0 beyond the stack, and beyond the cutoff 2 NA / wavelength or the
    frequencies that its pixels hold. Order 1 of three beams gets its axial stripes from theory.

    Parameters
    ----------
    psf
        (y, x) or (z, y, x) counts.
    pixel_size_um, plane_spacing_um
        Of the PSF.
    offset
        Counts to subtract. None: the median of the rim of the planes in focus, and then what would still make a
        step at kr = 0, where the OTF in focus goes on in a straight line; that line's value at 0 becomes 1.
    optics, vectors_per_um, n_orders, depths_um
        As for `theory_3d`; with one depth, 0, the plane in focus.

    Raises
    ------
    InputError
        If this is no image of one point, or no stack where several depths are wanted.
    """
    spacing = _spacing(psf, plane_spacing_um, depths_um)
    point = _located(_stack(psf), pixel_size_um, spacing, offset, optics)
    light = point.light
    extent = max(light.shape[1:]) * pixel_size_um
    kr = np.linspace(0, optics.cutoff, max(_SAMPLES, math.ceil(_FINER * extent * optics.cutoff)))
    profiles, even = _radial_transforms(point, kr * pixel_size_um)
    wanted = point.z + np.asarray(depths_um) / spacing
    found = _between_planes(profiles, wanted)
    focus = _between_planes(profiles, np.asarray([point.z]))[:, 0]
    whole = float(focus[0])
    if offset is None:
        low = kr <= _STRAIGHT * min(optics.cutoff, 0.5 / pixel_size_um)
        terms = np.stack([np.ones_like(kr), kr, even], axis=-1)[low]
        whole = float(np.linalg.lstsq(terms, focus[low], rcond=None)[0][0])
        inside = (wanted >= 0) & (wanted <= len(light) - 1)
        found = found - (focus[0] - whole) / even[0] * even[:, None] * inside
    if not whole > 0:
        raise InputError("acquisition.otf.offset", "counts that leave no light", "the counts of the PSF's dark parts")
    found[kr > 0.5 / pixel_size_um] = 0
    # The last sample is the cutoff itself, which nothing passes.
    found[-1] = 0
    values = np.repeat(found[None, None] / whole, n_orders, axis=1)
    return with_axial_stripes(OtfTable(values, float(kr[1]), tuple(depths_um)), optics, vectors_per_um)


def _stack(psf: NDArray[Any]) -> Float:
    array = np.asarray(psf)
    size = " x ".join(map(str, array.shape))
    takes = f"an image of a point (y, x) or a stack (z, y, x), at least {LEAST_PX} x {LEAST_PX} pixels"
    if array.dtype.kind not in "iuf":
        raise InputError(_FIELD, f"pixels of type {array.dtype}", takes)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in {2, 3} or min(array.shape[-2:]) < LEAST_PX:
        raise InputError(_FIELD, f"an array of {size}", takes)
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(_FIELD, "pixels that are NaN or infinite", "finite counts")
    if array.min() == array.max():
        raise InputError(_FIELD, f"{array.flat[0]:g} in every pixel", "the image of a point")
    return array if array.ndim == 3 else array[None]


def _spacing(psf: NDArray[Any], plane_spacing_um: float | None, depths_um: tuple[float, ...]) -> float:
    """Return the distance of the PSF's planes; 1 where it does not matter."""
    if len(depths_um) == 1:
        return plane_spacing_um or 1.0
    n_planes = psf.shape[-3] if psf.ndim > 2 else 1
    if n_planes < 4:
        got = f"a PSF of {n_planes} plane{'s' * (n_planes != 1)} for a volume"
        raise InputError(_FIELD, got, "a stack (z, y, x) of 4 planes or more")
    if plane_spacing_um is None:
        raise InputError("acquisition.otf.plane_spacing_um", "nothing", "the distance of the PSF's planes in um")
    return plane_spacing_um


def _located(stack: Float, pixel: float, spacing: float, offset: float | None, optics: SimOptics) -> _Point:
    airy = optics.wavelength_um / optics.na_objective / pixel
    smooth = ndimage.gaussian_filter(stack, (0, _SIGMA * airy, _SIGMA * airy))
    plane = int(np.unravel_index(smooth.argmax(), smooth.shape)[0])
    if offset is None:
        # Light out of focus reaches the rim of planes far from it.
        n, n_a = optics.refractive_index, optics.na_objective
        reach = optics.wavelength_um / (n - math.sqrt(n**2 - n_a**2)) / 2 / spacing
        near = stack[max(0, plane - int(reach)) : plane + int(reach) + 1]
        offset = float(np.median(near[:, _rim(near.shape[1:])]))
    light = stack - offset
    _check_single(smooth, airy)
    if smooth.max() <= offset:
        raise InputError(
            "acquisition.otf.offset", f"{offset:g} counts, above the image of the point", "the counts of its dark parts"
        )
    y, x = _centroid(light[plane], 2 * _SIGMA * airy)
    if min(y, x, light.shape[1] - 1 - y, light.shape[2] - 1 - x) < 2 * _DARK_RING * airy:
        got = f"a point at row {y:.0f}, column {x:.0f} of {light.shape[1]} x {light.shape[2]} pixels"
        raise InputError(_FIELD, got, f"one with at least {math.ceil(2 * _DARK_RING * airy)} pixels around it")
    rows, columns = (np.arange(n) - at for n, at in zip(light.shape[1:], (y, x), strict=True))
    weight = np.exp(-(rows[:, None] ** 2 + columns**2) / (2 * (_SIGMA * airy) ** 2))
    return _Point(light, _brightest(np.einsum("zyx,yx->z", light, weight)), y, x)


def _rim(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    rim = np.ones(shape, bool)
    inner = tuple(slice(max(1, n // 16), n - max(1, n // 16)) for n in shape)
    rim[inner] = False
    return rim


def _check_single(smooth: Float, airy: float) -> None:
    """Raise unless one point, and nothing else, stands out of a smoothed stack."""
    highest = smooth.max(axis=0)
    row, column = np.unravel_index(highest.argmax(), highest.shape)
    level = float(np.median(highest))
    peak = float(highest[row, column]) - level
    away = np.hypot(*np.ogrid[-row : len(highest) - row, -column : highest.shape[1] - column])
    others = highest[away > 4 * _DARK_RING * airy] - level
    spread = 1.48 * float(np.median(np.abs(others))) if others.size else 0.0
    if not peak > _NOISE_SIGMAS * spread:
        raise InputError(_FIELD, "an image in which no point stands out", "the image of a point, a bead")
    if others.size and others.max() > _SECOND * peak:
        raise InputError(_FIELD, "an image with several bright points", "the image of one point alone, cut out")


def _centroid(image: Float, sigma: float) -> tuple[float, float]:
    """Return the centre of a spot: the centroid under a Gaussian that is centred on it."""
    smooth = ndimage.gaussian_filter(image, sigma / 2)
    y, x = (float(i) for i in np.unravel_index(smooth.argmax(), image.shape))
    rows, columns = np.arange(image.shape[0])[:, None], np.arange(image.shape[1])[None]
    for _ in range(30):
        weighted = image * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))
        total = weighted.sum()
        y, x = float((weighted * rows).sum() / total), float((weighted * columns).sum() / total)
    return y, x


def _brightest(along_z: Float) -> float:
    """Return where a profile along the planes is highest, to a fraction of a plane."""
    at = int(along_z.argmax())
    if not 0 < at < len(along_z) - 1:
        return float(at)
    fine = np.linspace(at - 1, at + 1, 401)
    return float(fine[CubicSpline(np.arange(len(along_z)), along_z)(fine).argmax()])


def _radial_transforms(point: _Point, kr_per_px: Float) -> tuple[Float, Float]:
    """Return the radial mean of each plane's lateral transform, (kr, plane), and that of an even plane of 1, (kr,)."""
    shape = point.light.shape[1:]
    y, x = (np.arange(n) - at for n, at in zip(shape, (point.y, point.x), strict=True))
    position = np.hypot(y[:, None], x).ravel() * _BINS
    lower = position.astype(np.int64)
    upper_share = position - lower
    n_bins, pixels = int(lower.max()) + 2, np.arange(position.size)
    shares = np.concatenate([1 - upper_share, upper_share])
    where = (np.concatenate([lower, lower + 1]), np.concatenate([pixels, pixels]))
    into_rings = sparse.csr_matrix((shares, where), shape=(n_bins, position.size))
    planes = np.concatenate([point.light.reshape(len(point.light), -1), np.ones((1, position.size))])
    rings = into_rings @ planes.T
    waves = j0(2 * np.pi * kr_per_px[:, None] * (np.arange(n_bins) / _BINS))
    transforms = waves @ rings
    return transforms[:, :-1], transforms[:, -1]


def _between_planes(profiles: Float, at: Float) -> Float:
    """Return profiles (kr, plane) at fractional planes, 0 beyond the first and the last."""
    n_planes = profiles.shape[1]
    if n_planes == 1:
        return np.asarray(np.where(np.abs(at) < 0.5, profiles, 0.0))
    spline = CubicSpline(np.arange(n_planes), profiles, axis=1)
    inside = (at >= 0) & (at <= n_planes - 1)
    return np.asarray(np.where(inside, spline(np.clip(at, 0, n_planes - 1)), 0.0))
