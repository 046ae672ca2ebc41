"""A mitochondrion-like tubule whose end is free to swing, among others that rest.

Everything but the free half of the tubule lies in the left half of the field, where the motion `bend` is at rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from napari_nstm.phantoms._boxes import free_box
from napari_nstm.phantoms._curves import STEP_PX, Points, at_equal_steps
from napari_nstm.phantoms._tubes import HollowTube, Tubes

_PROFILE = HollowTube(wall_radius_px=1.6, wall_width_px=1.1, inside=0.35)

# Where the curves pass through the free field: (z, y, x) as fractions of it, y and x from the upper left corner.
_MAIN = ((0.4, 0.56, 0.0), (0.5, 0.44, 0.2), (0.55, 0.5, 0.4), (0.5, 0.55, 0.6), (0.5, 0.53, 0.8), (0.5, 0.5, 1.0))
_RESTING = ((0.7, 0.3, 0.02), (0.6, 0.2, 0.1), (0.4, 0.2, 0.2), (0.35, 0.1, 0.32), (0.4, 0.06, 0.44))
_FRAGMENTS = (  # middle, and half the way from end to end
    ((0.6, 0.8, 0.07), (0.0, 0.05, -0.03)),
    ((0.3, 0.74, 0.28), (0.05, -0.03, 0.05)),
    ((0.5, 0.93, 0.24), (0.0, 0.01, 0.04)),
    ((0.7, 0.86, 0.42), (0.0, 0.0, 0.01)),
)
_SWAY = 0.02  # of the points a curve passes through, from seed to seed
_UNEVEN_PX = 1.0  # standard deviation of what smooths the brightness along a tubule
_DIMMEST = 0.3


def draw(shape: tuple[int, ...], rng: np.random.Generator, plane_px: float) -> Tubes:
    """Draw the tubules.

    Parameters
    ----------
    shape
        Field ([z,] y, x), raw planes and pixels.
    rng
        Sways the curves and varies the brightness along them.
    plane_px
        Distance between planes.
    """
    low, high = free_box(shape, plane_px, _PROFILE.reach_px)
    through = [np.asarray(_MAIN), np.asarray(_RESTING)]
    through += [np.asarray(middle) + np.outer([-1, 0, 1], half) for middle, half in map(np.asarray, _FRAGMENTS)]
    curves = []
    for fractions in through:
        swayed = np.clip(fractions + rng.normal(0, _SWAY, fractions.shape), 0, 1)
        swayed[:, 2] = fractions[:, 2]  # what rests keeps to its half
        curves.append(_smooth(low + (high - low) * swayed[:, -len(shape) :]))
    levels = [_uneven(rng, len(curve)) for curve in curves]
    brightest = max(level.max() for level in levels)
    return Tubes(tuple(curves), tuple(level / brightest for level in levels), _PROFILE, plane_px)


def _smooth(through: Points) -> Points:
    """Return the smooth curve through a few points."""
    knots = np.arange(len(through))
    fine = np.linspace(0, knots[-1], 400 * len(knots))
    return at_equal_steps(CubicSpline(knots, through)(fine))


def _uneven(rng: np.random.Generator, n_points: int) -> NDArray[np.float64]:
    """Return a brightness that varies along a curve, by which its parts can be told apart."""
    noise = gaussian_filter1d(rng.normal(size=n_points), _UNEVEN_PX / STEP_PX, mode="reflect")
    noise -= noise.min()
    return np.asarray(_DIMMEST + (1 - _DIMMEST) * noise / max(float(noise.max()), 1e-12))
