import numpy as np
import pytest
from tests.imaging.sim.conventional.acquired import photographed, taken

from napari_nstm.imaging.sim.simulate import PLANE_SPACING_UM, TARGETS, simulated_settings
from napari_nstm.phantoms.fluorescence import render

PEAK_COUNTS = 10_000


@pytest.fixture(scope="session")
def at_rest():
    """Photograph a phantom at rest: (acquisition, truth), each made once."""
    made = {}

    def make(target="beads", noise=0.01, size=96, n_planes=None):
        key = (target, noise, size, n_planes)
        if key not in made:
            settings = simulated_settings(n_planes)
            planes = () if n_planes is None else (n_planes,)
            spacing = {} if n_planes is None else {"plane_px": PLANE_SPACING_UM / settings.pixel_size_um}
            thing = TARGETS[target]((*planes, size, size), seed=1, **spacing)

            def density(y, x):
                at = np.stack(np.broadcast_arrays(y, x)).astype(np.float32)
                if not planes:
                    return thing.density(at)
                z = np.ones_like(at[:1])
                return np.stack([thing.density(np.concatenate([plane * z, at])) for plane in range(n_planes)])

            images = photographed(density, settings, size, noise)
            scale = PEAK_COUNTS / images.max()
            acquired = taken(images * scale, settings)
            fine = (*(1.0 for _ in planes), *(1 / acquired.layout.enlarge,) * 2)
            made[key] = acquired, scale * render(thing, acquired.layout.scene.field_shape, fine)
        return made[key]

    return make
