"""Material around curves: filaments, and tubes with walls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_nstm.phantoms._boxes import to_pixels
from napari_nstm.phantoms._curves import STEP_PX, tangents
from napari_nstm.phantoms._lattice import Float

_FWHM_OF_BUMP = 2 * float(np.sqrt(1 - 0.5 ** (1 / 3)))


class Profile(Protocol):
    """How the density falls off with the distance from a curve; 1 at its largest, 0 from `reach_px` on."""

    @property
    def reach_px(self) -> float: ...

    def at(self, distance_px: NDArray[np.float64]) -> NDArray[np.float64]: ...


def bump(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (1 - u^2)^3, 0 beyond u = 1: much like a Gaussian, but it ends, smoothly."""
    return np.asarray(np.maximum(1 - u * u, 0.0) ** 3)


@dataclass(frozen=True)
class Thread:
    """A filament's profile: a bump of the given full width at half maximum, raw pixels.

    It integrates to 32/35 of its reach across a filament in a plane, and to pi/4 of the reach squared in a volume.
    """

    width_px: float

    @property
    def reach_px(self) -> float:
        return self.width_px / _FWHM_OF_BUMP

    def at(self, distance_px: NDArray[np.float64]) -> NDArray[np.float64]:
        return bump(distance_px / self.reach_px)


@dataclass(frozen=True)
class HollowTube:
    """A bright wall around a dimmer inside.

    Parameters
    ----------
    wall_radius_px
        Where the wall is brightest.
    wall_width_px
        Its full width at half maximum, on its own.
    inside
        Density in the middle, relative to the wall's; over 0.
    """

    wall_radius_px: float
    wall_width_px: float
    inside: float

    @property
    def reach_px(self) -> float:
        return self.wall_radius_px + self.wall_width_px / _FWHM_OF_BUMP

    def at(self, distance_px: NDArray[np.float64]) -> NDArray[np.float64]:
        wall = bump((distance_px - self.wall_radius_px) * (_FWHM_OF_BUMP / self.wall_width_px))
        return np.where(distance_px < self.wall_radius_px, self.inside + (1 - self.inside) * wall, wall)


@dataclass(frozen=True, eq=False)
class Tubes:
    """A density that depends on the distance from the nearest of several curves, and on the place along it.

    Where curves cross, the density is that around the nearest one: it is not added up, and is nowhere over 1.

    Parameters
    ----------
    curves_px
        Each (point, component), points `STEP_PX` apart, raw pixels along every axis.
    brightness
        For each curve, the density along it: (point,).
    profile
        Density around a curve of brightness 1.
    plane_px
        Distance between planes, raw pixels.
    """

    curves_px: tuple[NDArray[np.float64], ...]
    brightness: tuple[NDArray[np.float64], ...]
    profile: Profile
    plane_px: float

    def density(self, positions_px: Float) -> Float:
        """Return the density at positions ([z,] y, x) of shape (component, ...): raw planes and pixels."""
        where = to_pixels(positions_px, self.plane_px)
        _, nearest = self._tree.query(where, distance_upper_bound=self.profile.reach_px + STEP_PX, workers=-1)
        near = np.flatnonzero(nearest < self._tree.n)
        point = nearest[near]
        away = where[near] - self._points[point]
        # The curve goes on straight for half a step to both sides of a point: exact where it is not bent sharply.
        direction = self._directions[point]
        along = np.clip(np.sum(away * direction, axis=1), -STEP_PX / 2, STEP_PX / 2)
        distance = np.linalg.norm(away - along[:, None] * direction, axis=1)
        values = np.zeros(len(where), np.float32)
        slope = np.where(along < 0, self._slopes_before[point], self._slopes_after[point])
        values[near] = self.profile.at(distance) * (self._levels[point] + along * slope)
        return values.reshape(positions_px.shape[1:])

    @cached_property
    def _points(self) -> NDArray[np.float64]:
        return np.concatenate(self.curves_px)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._points)

    @cached_property
    def _directions(self) -> NDArray[np.float64]:
        return np.concatenate([tangents(curve) for curve in self.curves_px])

    @cached_property
    def _levels(self) -> NDArray[np.float64]:
        return np.concatenate(self.brightness)

    @cached_property
    def _slopes_before(self) -> NDArray[np.float64]:
        return np.concatenate([np.diff(level, prepend=level[0]) for level in self.brightness]) / STEP_PX

    @cached_property
    def _slopes_after(self) -> NDArray[np.float64]:
        return np.concatenate([np.diff(level, append=level[-1]) for level in self.brightness]) / STEP_PX
