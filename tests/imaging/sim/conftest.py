import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.imaging.sim import Sim3dSettings, SimSettings

GIVEN = {
    "pixel_size_um": 0.065,
    "wavelength_um": 0.515,
    "excitation_wavelength_um": 0.488,
    "na_objective": 1.28,
    "refractive_index": 1.33,
    "pattern": {"kind": "vectors", "ky_per_um": (2.3, 0.6, -1.65), "kx_per_um": (-0.55, -2.3, -1.71)},
    "phases_rad": tuple(start + 2 * np.pi * p / 5 for start in (0.4, -1.9, 2.6) for p in range(5)),
    "modulation_1": 0.8,
    "modulation_2": (0.5, 0.4, 0.6),
    "smoothness": 0.0,
}


@pytest.fixture
def settings():
    """Build settings of one plane in which nothing is left open, with changes."""

    def make(**changes):
        return SimSettings(**{**GIVEN, **changes})

    return make


@pytest.fixture
def volume():
    """Build settings of a volume in which nothing is left open, with changes."""

    def make(**changes):
        return Sim3dSettings(**{**GIVEN, "plane_spacing_um": 0.15, **changes})

    return make


@pytest.fixture
def stack():
    """Draw images that differ in every pixel."""

    def make(n_images=15, shape=(33, 40), seed=0):
        return RawData(np.random.default_rng(seed).uniform(50, 150, (n_images, *shape)).astype(np.float32))

    return make
