import pytest

from napari_nstm.core.data import RawData
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.sim.prepare import prepared
from napari_nstm.imaging.sim.simulate import simulate, simulated_settings
from tests.imaging.sim.conventional.acquired import Acquired


@pytest.fixture(scope="session")
def simulated():
    """Simulate a sample at rest: (acquisition, truth), each made once."""
    made = {}

    def make(target="usaf", noise=0.01, size=128, n_planes=None, acquisitions=1):
        key = (target, noise, size, n_planes, acquisitions)
        if key not in made:
            settings = simulated_settings(n_planes)
            options = {"target": target, "acquisitions": str(acquisitions)}
            simulation = simulate(SimulationRequest("none", 0, size, noise, 1, options), settings)
            data = prepared(RawData(simulation.raw), settings)
            acquired = Acquired(data.frames, data.light, data.table, data.layout, settings)
            made[key] = acquired, simulation.truth[0, 0]
        return made[key]

    return make
