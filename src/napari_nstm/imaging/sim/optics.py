"""The optics of SIM: what the objective passes, and the stripes that fall on the sample.

The stripes of orientation d at phase phi are

    1 + m1 cos(a) + m2 cos(2 a),    a = 2 pi k_d . r + phi

with the pattern vector k_d = (ky, kx) of order 1 in cycles per um and r counted from the middle of the field of view
(Gustafsson et al., Biophys. J. 94, 4957 (2008)). Two beams make order 1 only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.choices import LinePattern, VectorPattern
from napari_nstm.imaging.sim.settings import SimSettings

Float = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class SimOptics:
    """Objective and wavelengths.

    Parameters
    ----------
    wavelength_um, excitation_wavelength_um
        Of the emission and of the light that makes the stripes.
    na_objective, refractive_index
        Numerical aperture, and the immersion's index.
    """

    wavelength_um: float
    excitation_wavelength_um: float
    na_objective: float
    refractive_index: float

    @classmethod
    def from_settings(cls, settings: SimSettings) -> SimOptics:
        """Take the optics from the settings."""
        return cls(
            settings.wavelength_um,
            settings.excitation_wavelength_um,
            settings.na_objective,
            settings.refractive_index,
        )

    @property
    def cutoff(self) -> float:
        """Highest lateral frequency in an image, 2 NA / wavelength, cycles per um."""
        return 2 * self.na_objective / self.wavelength_um

    @property
    def finest_order_1(self) -> float:
        """Longest vector of order 1 that three beams through this objective can make, cycles per um.

        The outer beams interfere to order 2 and pass the pupil's rim at most: 2 k = 2 NA / excitation wavelength.
        """
        return self.na_objective / self.excitation_wavelength_um

    def axial_frequency(self, lateral: float) -> float:
        """Return kz of order 1 in cycles per um: the middle beam against an outer one.

        kz = n / wavelength (1 - cos(beta)), with sin(beta) n / wavelength = |k| of order 1.
        """
        n_over_wavelength = self.refractive_index / self.excitation_wavelength_um
        return n_over_wavelength - math.sqrt(max(n_over_wavelength**2 - lateral**2, 0.0))


@dataclass(frozen=True)
class Illumination:
    """The stripes of every frame.

    Parameters
    ----------
    vectors_per_um
        (orientation, 2): ky and kx of order 1, cycles per um.
    phases_rad
        (frame,) of order 1, at the middle of the field of view.
    depths
        (orientation, order): 1, m1[, m2].
    intensities
        (frame,): brightness of the light relative to the first orientation's.
    """

    vectors_per_um: Float
    phases_rad: Float
    depths: Float
    intensities: Float

    @property
    def n_orders(self) -> int:
        """Orders, the even light counted."""
        return int(self.depths.shape[1])


def given_vectors(settings: SimSettings) -> Float | None:
    """Return the pattern vectors (orientation, 2) that the settings give, cycles per um; None: to be estimated."""
    pattern = settings.pattern
    if isinstance(pattern, VectorPattern):
        return np.stack([pattern.ky_per_um, pattern.kx_per_um], axis=-1)
    if isinstance(pattern, LinePattern):
        angles, length = np.radians(pattern.angles_deg), 1 / np.asarray(pattern.line_spacing_um)
        return np.stack([length * np.sin(angles), length * np.cos(angles)], axis=-1)
    return None


def middle_px(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the raw pixel (y, x) of a field at which phases are counted."""
    return shape[-2] // 2, shape[-1] // 2


def carrier(vector_per_um: Float, y_um: Float, x_um: Float) -> Float:
    """Return 2 pi k . r in rad at positions counted from the middle of the field, broadcast over y and x."""
    return np.asarray(2 * np.pi * (vector_per_um[0] * y_um + vector_per_um[1] * x_um))


def stripes(vector_per_um: Float, phase_rad: float, depths: Float, y_um: Float, x_um: Float) -> Float:
    """Return the light 1 + m1 cos(a) + m2 cos(2 a) at positions counted from the middle of the field.

    Parameters
    ----------
    vector_per_um, phase_rad
        ky and kx of order 1, and its phase.
    depths
        (order,): 1, m1[, m2].
    y_um, x_um
        Positions, broadcast against each other.
    """
    angle = carrier(vector_per_um, y_um, x_um) + phase_rad
    orders = (depth * np.cos(order * angle) for order, depth in enumerate(depths))
    return np.asarray(sum(orders, start=np.zeros(np.shape(angle))))
