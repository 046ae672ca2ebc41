"""A known drift of measured DPC frames of cells comes back (semi-synthetic: real pixels, displaced)."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy.ndimage import shift
from tests.measured import CELLS, cell_settings

from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FitRequest, resolve_fit
from napari_nstm.core.warp import positions
from napari_nstm.fit.solver import Solver
from napari_nstm.imaging.dpc import Dpc

DRIFT_PX = np.array([12.0, 18.0])
EDGE = 24


@pytest.mark.slow
@pytest.mark.skipif(not CELLS.exists(), reason=f"measured frames are not at {CELLS}")
def test_the_drift_of_measured_cells_comes_back_and_edges_stay_dark():
    measured = tifffile.imread(CELLS).astype(np.float32)[:, 60:380, 120:440]
    offsets = [DRIFT_PX * k / 3 for k in range(4)]
    moved = [shift(frame, offset, order=3, mode="nearest") for frame, offset in zip(measured, offsets, strict=True)]
    inner = (slice(None), slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    raw = RawData(np.stack(moved)[inner])
    settings = cell_settings()
    dpc = Dpc()
    fit = resolve_fit(dpc.defaults("fast", raw, settings), FitRequest())
    solver = Solver(lambda level: dpc.prepare(raw, settings, level), fit)
    state = solver.init()
    while int(state.step) < solver.n_steps:
        state, report = solver.advance(state, 1.0)
        assert not report.diverged
    motion, where = solver.motion_lattice(state), positions(raw.frames.shape[1:])
    for t, offset in zip(solver.times, offsets, strict=True):
        u = motion.displacement(where, t, solver.times[0])
        np.testing.assert_allclose(np.median(u, axis=(1, 2)), offset, atol=0.5)
    undrifted = dpc.conventional(RawData(measured[inner]), settings)[1]
    for t in (solver.times[0], solver.times[-1]):
        phase = solver.problem(0).present(solver.render(state, t))[1]
        border = np.ones(phase.shape, bool)
        border[8:-8, 8:-8] = False
        # No band along the edges: what stands there is no brighter than the brightest of the cells.
        assert np.abs(phase[border]).max() < np.abs(undrifted).max()
    first = solver.problem(0).present(solver.render(state, solver.times[0]))[1]
    # Cells are positive, and where they are in the frames before they were drifted.
    correlation = np.corrcoef(first[30:-30, 30:-30].ravel(), undrifted[30:-30, 30:-30].ravel())[0, 1]
    assert correlation > 0.9
