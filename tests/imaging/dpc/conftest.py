import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nstm.imaging.dpc import DpcSettings

PAPER = {
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "pixel_size_um": 0.454,
    "source_angles_deg": (90, 270, 0, 180),
}


@pytest.fixture
def settings():
    """Build settings: the published optics, with changes."""

    def make(**changes):
        return DpcSettings(**{**PAPER, **changes})

    return make


@pytest.fixture
def smooth():
    """Draw a smooth periodic random field of the given rms."""

    def make(shape, sigma=3.0, rms=1.0, seed=0):
        drawn = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma, mode="wrap")
        drawn -= drawn.mean()
        return drawn * (rms / drawn.std())

    return make
