import pytest
from tests.imaging.sim.estimate.moving import moving


@pytest.fixture(scope="session")
def taken():
    """Take frames of a moving sample, each kind once."""
    made = {}

    def make(**options):
        key = tuple(sorted(options.items()))
        if key not in made:
            made[key] = moving(**options)
        return made[key]

    return make
