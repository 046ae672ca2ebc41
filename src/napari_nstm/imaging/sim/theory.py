"""The OTF of an ideal objective: a pupil that passes alike whatever it passes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.otf import OtfTable, with_axial_stripes

Float = NDArray[np.floating[Any]]

# Samples of a table along kr: in focus, and for every ring that the outermost ray adds; linear between them.
_SAMPLES = 1024
_SAMPLES_PER_RING = 48
# Gauss-Legendre nodes: some for the lens of overlap, and some for every turn of the phase across it.
_NODES = 20
_NODES_PER_CYCLE = 3.5
# Those at which H is integrated; splines between them.
_KNOTS = 64
_KNOTS_PER_RING = 2


def in_focus(kr: Float, cutoff: float) -> Float:
    """Return the OTF of a thin sample in focus at radial frequencies kr, cycles per um.

    (2 / pi) (acos(s) - s sqrt(1 - s^2)) with s = kr / cutoff: the autocorrelation of a disc (Goodman, Introduction to
    Fourier Optics, section 6.3).
    """
    s = np.clip(np.asarray(kr, np.float64) / cutoff, 0, 1)
    return np.asarray(2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s**2)))


def theory_2d(optics: SimOptics, n_orders: int) -> OtfTable:
    """Tabulate the OTF for a thin sample in focus, where all orders share it."""
    step = optics.cutoff / (_SAMPLES - 1)
    values = in_focus(step * np.arange(_SAMPLES), optics.cutoff)
    return OtfTable(np.repeat(values[None, None, :, None], n_orders, axis=1), step, (0.0,))


def theory_3d(optics: SimOptics, vectors_per_um: Float, n_orders: int, depths_um: tuple[float, ...]) -> OtfTable:
    """Tabulate the OTF at several depths: that of the defocused pupil, order 1 of three beams with its axial stripes.

    Parameters
    ----------
    optics
        Objective and wavelengths.
    vectors_per_um
        (orientation, 2): ky and kx of order 1, cycles per um; their lengths give kz of the axial stripes.
    n_orders
        3 of three beams, 2 of two: sheets of two beams that come in at equal angles have no axial stripes.
    depths_um
        Depths, in um; `depths_of` for a volume.

    Returns
    -------
    OtfTable
        One orientation where all vectors are equally long to 1 %.
    """
    furthest = max(abs(depth) for depth in depths_um)
    kr = np.linspace(0, optics.cutoff, max(_SAMPLES, math.ceil(_SAMPLES_PER_RING * _rings(optics, furthest))))
    # H is even in depth.
    distances, places = np.unique(np.round(np.abs(depths_um), 9), return_inverse=True)
    found = np.stack([_interpolated(kr, optics, float(distance)) for distance in distances], axis=-1)
    values = np.repeat(found[None, None][..., places.reshape(-1)], n_orders, axis=1)
    return with_axial_stripes(OtfTable(values, float(kr[1]), tuple(depths_um)), optics, vectors_per_um)


def out_of_focus(kr: Float, optics: SimOptics, depth_um: float) -> Float:
    """Return H(kr; depth): the autocorrelation of the defocused pupil, 1 at kr = 0.

    With q = kr along x, the pupil's radius K = NA / wavelength and w(k) = sqrt((n / wavelength)^2 - k^2), H is the
    mean over the pupil's area of exp(2 pi i depth (w(m + q/2) - w(m - q/2))) where both m + q/2 and m - q/2 are in
    the pupil. Its imaginary part is odd in m and vanishes; a quarter of the lens is integrated, m = (v, u) with
    v = K sin(a).

    Parameters
    ----------
    kr
        (n,) radial frequencies, cycles per um.
    optics
        Emission wavelength, NA and index.
    depth_um
        Defocus, in um.
    """
    q = np.minimum(np.asarray(kr, np.float64), optics.cutoff)[:, None]
    K, n_over_wavelength = optics.cutoff / 2, optics.refractive_index / optics.wavelength_um
    cycles = _cycles(optics, depth_um)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES + math.ceil(_NODES_PER_CYCLE * cycles))
    nodes, weights = (nodes + 1) / 2, weights / 2
    widest = np.arccos(q / (2 * K))
    total = np.zeros(len(q))
    for node, weight in zip(nodes, weights, strict=True):
        a = node * widest
        v, u_end = K * np.sin(a), K * np.cos(a) - q / 2
        u = nodes * u_end
        level = n_over_wavelength**2 - v**2
        turns = np.sqrt(level - (u - q / 2) ** 2) - np.sqrt(level - (u + q / 2) ** 2)
        rows = np.cos(2 * np.pi * depth_um * turns) @ weights
        total += weight * rows * (widest * K * np.cos(a) * u_end)[:, 0]
    return np.asarray(total * 4 / (np.pi * K**2))


def _cycles(optics: SimOptics, depth_um: float) -> float:
    """Return by how many cycles defocus bends the wavefront, from the middle of the pupil to its rim."""
    n, n_a = optics.refractive_index, optics.na_objective
    return abs(depth_um) * (n - math.sqrt(n**2 - n_a**2)) / optics.wavelength_um


def _rings(optics: SimOptics, depth_um: float) -> float:
    """Return how often H swings from 0 to the cutoff for the outermost ray's distance from the axis."""
    n, n_a = optics.refractive_index, optics.na_objective
    return optics.cutoff * abs(depth_um) * n_a / math.sqrt(n**2 - n_a**2)


def _interpolated(kr: Float, optics: SimOptics, depth_um: float) -> Float:
    # kr = cutoff sin(pi / 2 x^2): in x, H is smooth up to the cutoff, where it falls as the 3/2th power; and the
    # knots lie densest near 0, where H falls from 1 the faster the larger the defocus.
    x = np.linspace(0, 1, _KNOTS + math.ceil(_KNOTS_PER_RING * _rings(optics, depth_um)))
    knots = out_of_focus(optics.cutoff * np.sin(np.pi / 2 * x**2), optics, depth_um)
    at = np.sqrt(np.arcsin(np.clip(kr / optics.cutoff, 0, 1)) * 2 / np.pi)
    return np.asarray(CubicSpline(x, knots)(at))
