import jax
import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.imaging.diffusercam import DiffuserCamSettings

GIVEN = {
    "pixel_size_um": 6.5,
    "psf": "psf.tif",
    "row_time_us": 10.0,
    "exposure_us": 60.0,
    "background": {"kind": "constant"},
    "time_step_rows": 1.0,
    "max_displacement_px": 4,
}


@pytest.fixture(scope="package", autouse=True)
def _compile_quickly():
    """Nothing here runs long: most of the time goes into compiling."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def settings():
    """Build settings: exposures of 6 rows, a moment of the lattice for each row time, no background; with changes."""

    def make(**changes):
        return DiffuserCamSettings(**{**GIVEN, **changes})

    return make


@pytest.fixture
def raw():
    """Draw an image and a PSF that are random in every pixel."""

    def make(shape=(40, 48), n_colours=1, n_psf_colours=1, seed=0):
        rng = np.random.default_rng(seed)
        psf = rng.random((n_psf_colours, *shape)).astype(np.float32)
        image = rng.uniform(50, 150, (n_colours, *shape)).astype(np.float32)
        return RawData(image, {"psf": psf})

    return make
