"""A tennis ball: two panels of felt with a bright seam between them, lit from the upper left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from napari_nstm.phantoms._lattice import Float
from napari_nstm.phantoms._shapes import EDGE_PX, Array, coverage, mottle

FILL = 0.16  # of the field
_LARGEST_RADIUS = 0.3  # of the field's shorter side

_LIGHT = np.array([-0.45, -0.5, 0.74]) / np.linalg.norm([-0.45, -0.5, 0.74])  # x, y, towards the camera
_DARK_SIDE = 0.45
_SEAM_CURVE = 3.4  # the seam is where z = 3.4 x y on the unit sphere: it comes as near as 40 degrees to both poles
_SEAM_HALF = 0.075  # half its width, radii
_PANELS = (0.54, 0.72)  # brightness of the felt on either side of the seam
_FELT, _FELT_WAVELENGTH = 0.1, 0.4  # its unevenness, radii
_LEAST_SLANT = 0.25  # towards the rim what is on the ball is seen at a slant, its edges blurred as widely
_FELT_COLOUR, _SEAM_COLOUR = (0.82, 1.0, 0.22), (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Ball:
    """A ball in the middle of the field, turned at random.

    Parameters
    ----------
    centre_px
        (y, x), raw pixels.
    radius_px
        Raw pixels.
    turn
        (3, 3) from the camera's axes (x, y, towards it) to the ball's own.
    felt_seed
        Of the felt's unevenness.
    """

    centre_px: tuple[float, float]
    radius_px: float
    turn: NDArray[np.float64]
    felt_seed: int

    def density(self, positions_px: Float) -> Float:
        """Return the brightness at positions (2, ...), raw pixels."""
        seen, distance_px = self._seen(positions_px)
        seam, side = self._seam(seen)
        own = np.tensordot(self.turn, seen, 1)
        felt = _PANELS[0] + (_PANELS[1] - _PANELS[0]) * side
        felt = felt + _FELT * mottle(np.random.default_rng(self.felt_seed), own, _FELT_WAVELENGTH)
        light = _DARK_SIDE + (1 - _DARK_SIDE) * np.maximum(np.tensordot(_LIGHT, seen, 1), 0.0)
        return np.asarray(coverage(distance_px, EDGE_PX) * light * (felt + (1 - felt) * seam), np.float32)

    def colour(self, positions_px: Float) -> Float:
        """Return red, green and blue (3, ...) at positions (2, ...), raw pixels."""
        seam = self._seam(self._seen(positions_px)[0])[0]
        return np.asarray([f + (s - f) * seam for f, s in zip(_FELT_COLOUR, _SEAM_COLOUR, strict=True)], np.float32)

    def _seen(self, positions_px: Float) -> tuple[Array, Array]:
        """Return the point of the unit sphere that is seen (x, y, towards the camera), and pixels outside the rim."""
        y, x = (
            (np.asarray(p, np.float64) - c) / self.radius_px for p, c in zip(positions_px, self.centre_px, strict=True)
        )
        distance = np.hypot(y, x)
        rim = np.maximum(distance, 1.0)
        front = np.sqrt(np.maximum(1 - distance**2, 0.0))
        return np.stack([x / rim, y / rim, front]), (distance - 1) * self.radius_px

    def _seam(self, seen: Array) -> tuple[Array, Array]:
        """Return how far points of the sphere are covered by the seam, and by the panel on its positive side."""
        x, y, z = own = np.tensordot(self.turn, seen, 1)
        level = z - _SEAM_CURVE * x * y
        slope = np.stack([-_SEAM_CURVE * y, -_SEAM_CURVE * x, np.ones_like(z)])
        slope -= np.sum(slope * own, axis=0) * own  # along the sphere
        angle = level / np.maximum(np.linalg.norm(slope, axis=0), 0.5)
        edge = EDGE_PX / (self.radius_px * np.maximum(seen[2], _LEAST_SLANT))
        return coverage(np.abs(angle) - _SEAM_HALF, edge), coverage(-angle, edge)


def draw(shape: tuple[int, ...], rng: np.random.Generator) -> Ball:
    """Draw the ball into a field (y, x) of raw pixels."""
    radius_px = min((FILL * shape[0] * shape[1] / np.pi) ** 0.5, _LARGEST_RADIUS * min(shape))
    turn = Rotation.random(rng=rng).as_matrix()
    return Ball(((shape[0] - 1) / 2, (shape[1] - 1) / 2), float(radius_px), turn, int(rng.integers(2**31)))
