"""The image of a point, from the amplitude behind a defocused pupil: another way than that of the package."""

import numpy as np
from scipy.special import j0

from napari_nstm.imaging.sim.optics import SimOptics

OPTICS = SimOptics(wavelength_um=0.515, excitation_wavelength_um=0.488, na_objective=1.28, refractive_index=1.33)
VECTORS = np.array([[2.38, 0.0], [-1.2, 2.05], [-1.19, -2.06]])


def radial_psf(radius_um, depth_um, optics=OPTICS):
    """Intensity per um^2 at distances from the axis; 1 in all."""
    edge, n_over_wavelength = optics.na_objective / optics.wavelength_um, optics.refractive_index / optics.wavelength_um
    nodes, weights = np.polynomial.legendre.leggauss(300)
    k = edge * (nodes + 1) / 2
    pupil = np.exp(2j * np.pi * depth_um * np.sqrt(n_over_wavelength**2 - k**2)) * k * weights * edge / 2
    amplitude = 2 * np.pi * j0(2 * np.pi * np.outer(radius_um, k)) @ pupil
    return np.abs(amplitude) ** 2 / (np.pi * edge**2)


def point_stack(size, pixel_um, planes_um, centre, optics=OPTICS):
    """Light per pixel (z, y, x) of a point of light 1 at `centre` (row, column), at depths `planes_um`."""
    rows, columns = np.arange(size)[:, None] - centre[0], np.arange(size) - centre[1]
    distance = pixel_um * np.hypot(rows, columns)
    radius = np.arange(0, distance.max() + 0.01, 0.002)
    profiles = (radial_psf(radius, depth, optics) for depth in planes_um)
    return pixel_um**2 * np.stack([np.interp(distance, radius, profile) for profile in profiles])
