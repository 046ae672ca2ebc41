"""Beads: spheres of equal size, some of them touching, none inside another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import erf

from napari_nstm.core.errors import InputError
from napari_nstm.phantoms._boxes import free_box, to_pixels
from napari_nstm.phantoms._lattice import Float

LARGEST_DENSITY = {2: 0.45, 3: 0.25}
"""Up to where beads that fall at random, and stay where they fall, still find room; by number of axes."""

_EDGE_SIGMA_PX = 0.2  # leaves nothing that four samples per pixel would alias
_REACH_SIGMAS = 4.0
_DIMMEST = 0.6
_TABLE_STEP_PX = 0.005
# How many beads count at one position: edges of 3 in a plane, 4 in a volume, meet in the gap between beads;
# with small ones the soft edges reach over to the next.
_SMALL_PX, _AT_ONE_POSITION, _SMALL_AT_ONE_POSITION = 2.0, 4, 8
_ROUNDS = 400


@dataclass(frozen=True, eq=False)
class Beads:
    """Spheres with edges softened by a Gaussian of 0.2 px, which leaves their volume as it is.

    In a volume the density is that of the spheres; in a plane, which is a single layer of beads, it is
    their thickness.

    Parameters
    ----------
    centres_px
        (bead, component), raw pixels along every axis.
    brightness
        (bead,) density in a bead's middle.
    diameter_px
        Of each bead, raw pixels.
    plane_px
        Distance between planes, raw pixels.
    """

    centres_px: NDArray[np.float64]
    brightness: NDArray[np.float64]
    diameter_px: float
    plane_px: float

    def density(self, positions_px: Float) -> Float:
        """Return the density at positions ([z,] y, x) of shape (component, ...): raw planes and pixels."""
        most = _AT_ONE_POSITION if self.diameter_px >= _SMALL_PX else _SMALL_AT_ONE_POSITION
        distance, bead = self._tree.query(
            to_pixels(positions_px, self.plane_px),
            k=np.arange(1, 1 + most),
            distance_upper_bound=self._reach_px,
            workers=-1,
        )
        brightness = np.append(self.brightness, 0.0)[bead]  # one past the last: no bead as near
        values = np.sum(brightness * np.interp(distance, *self._profile, right=0.0), axis=1)
        return np.asarray(values, np.float32).reshape(positions_px.shape[1:])

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.centres_px)

    @property
    def _reach_px(self) -> float:
        return self.diameter_px / 2 + _REACH_SIGMAS * _EDGE_SIGMA_PX

    @cached_property
    def _profile(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return radii and the density there, relative to that in the middle."""
        radius = np.arange(0.0, self._reach_px + _TABLE_STEP_PX, _TABLE_STEP_PX)
        if self.centres_px.shape[1] == 3:
            values = _soft_sphere(radius, self.diameter_px / 2)
        else:
            depth = np.arange(-self._reach_px, self._reach_px, 4 * _TABLE_STEP_PX)
            values = _soft_sphere(np.hypot(radius[:, None], depth), self.diameter_px / 2).sum(axis=1)
        return radius, values / values[0]


def _soft_sphere(distance: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return a sphere of density 1 convolved with a Gaussian, at distances from its centre.

    The convolution has a closed form: integrated over shells of the Gaussian's argument it is a difference
    of two error functions less a term that bends with the sphere's surface.
    """
    width = math.sqrt(2) * _EDGE_SIGMA_PX
    r = np.maximum(distance, 1e-6)  # the limit at 0 is finite
    inner, outer = (radius - r) / width, (radius + r) / width
    surface = width / (2 * math.sqrt(math.pi) * r) * (np.exp(-(inner**2)) - np.exp(-(outer**2)))
    return np.asarray(0.5 * (erf(inner) + erf(outer)) - surface)


def scatter(
    shape: tuple[int, ...], rng: np.random.Generator, diameter_px: float, density: float, plane_px: float
) -> Beads:
    """Drop beads at random until they fill a fraction of the free area or volume; half are dropped onto another's side.

    Parameters
    ----------
    shape
        Field ([z,] y, x), raw planes and pixels.
    rng
        Source of everything that is random.
    diameter_px
        Of each bead.
    density
        Fraction of the area (volume) in which beads lie that is inside them.
    plane_px
        Distance between planes.
    """
    n_axes, radius = len(shape), diameter_px / 2
    low, high = free_box(shape, plane_px, radius + _REACH_SIGMAS * _EDGE_SIGMA_PX)
    bead = math.pi * radius**2 if n_axes == 2 else 4 / 3 * math.pi * radius**3
    wanted = max(1, round(density * float(np.prod(high - low + diameter_px)) / bead))
    batch = max(8, wanted // 16)
    centres = rng.uniform(low, high, (1, n_axes))
    for _ in range(_ROUNDS):
        if len(centres) >= wanted:
            break
        direction = rng.normal(size=(batch, n_axes))
        touching = diameter_px * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        touching += centres[rng.integers(len(centres), size=batch)]
        fallen = np.concatenate([touching, rng.uniform(low, high, (batch, n_axes))])[rng.permutation(2 * batch)]
        fallen = fallen[np.all((fallen >= low) & (fallen <= high), axis=1)]
        centres = np.concatenate([centres, _kept_apart(fallen, centres, diameter_px)])[:wanted]
    else:
        raise InputError("density", f"{density:g}", "a fraction at which beads that fall at random find room")
    brightness = rng.uniform(_DIMMEST, 1.0, wanted)
    return Beads(centres, brightness / brightness.max(), diameter_px, plane_px)


def _kept_apart(fallen: NDArray[np.float64], centres: NDArray[np.float64], diameter_px: float) -> NDArray[np.float64]:
    """Return those of `fallen` that overlap neither a bead that lies already nor an earlier one of their own."""
    if len(fallen) == 0:
        return fallen
    least = diameter_px * (1 - 1e-6)  # beads that touch are kept
    fallen = fallen[cKDTree(centres).query(fallen)[0] >= least]
    if len(fallen) < 2:
        return fallen
    later = cKDTree(fallen).query_pairs(least, output_type="ndarray").max(axis=1, initial=-1)
    return np.delete(fallen, np.unique(later[later >= 0]), axis=0)
