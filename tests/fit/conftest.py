from __future__ import annotations

import numpy as np
import pytest
from tests.fit.samples import SIZE, moving_frames, run, solver_of

from napari_nstm.phantoms.motions import KnownMotion

ROTATION = KnownMotion("rotation", (SIZE, SIZE), np.deg2rad(10))


@pytest.fixture(scope="package")
def rotating():
    """Frames that rotate by 10 degrees, about the middle."""
    return moving_frames(ROTATION)


@pytest.fixture(scope="package")
def fitted(rotating):
    """Solver, state and reports of a fit of them from start to end."""
    solver = solver_of(rotating)
    return solver, *run(solver)
