"""Fits of SIM: what moves stays sharp, and comes back with its displacement."""

import numpy as np
import pytest

from napari_nstm.analysis.metrics import psnr_scaled
from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FitRequest, resolve_fit
from napari_nstm.core.warp import positions, render
from napari_nstm.fit.solver import Solver
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.sim import Sim, Sim3d


def fitted(modality, simulation, epochs=None, **settings_changes):
    settings = simulation.settings.model_copy(update=settings_changes)
    raw = RawData(simulation.raw)
    solver = Solver(
        lambda level: modality.prepare(raw, settings, level),
        resolve_fit(modality.defaults("fast", raw, settings), FitRequest(epochs=epochs)),
    )
    state = solver.init()
    while int(state.step) < solver.n_steps:
        state, report = solver.advance(state, 2.0)
        assert not report.diverged
    return solver, state


def shown(solver, state, shape, t):
    return render(solver.canvas(state), solver.motion_lattice(state), t, positions(shape))[0]


@pytest.fixture(scope="module")
def plane():
    request = SimulationRequest("shear", 4.0, 64, 0.01, 0, {"target": "beads"})
    simulation = Sim().simulate(request)
    return simulation, *fitted(Sim(), simulation)


def test_a_moving_plane_is_sharper_than_the_conventional_one(plane):
    simulation, solver, state = plane
    truth = simulation.truth[:, 0]
    ours = [psnr_scaled(shown(solver, state, a.shape, t), a) for a, t in zip(truth, solver.times, strict=True)]
    conventional, widefield = Sim().comparisons(RawData(simulation.raw), simulation.settings)
    still = np.mean([psnr_scaled(conventional.images[0, 0], a) for a in truth])
    wide = np.mean([psnr_scaled(widefield.images[0, 0], a) for a in truth])
    assert np.mean(ours) > max(still, wide) + 6
    assert np.ptp(ours) < 2  # at every moment alike


def test_the_displacement_of_a_plane_comes_back(plane):
    simulation, solver, state = plane
    truth = simulation.truth[0, 0]
    u = solver.motion_lattice(state).displacement(positions(truth.shape), 1.0, -1.0)
    bright = truth > 0.3 * truth.max()
    error = np.linalg.norm((u - simulation.motion_px[-1])[:, bright], axis=0)
    assert np.median(np.linalg.norm(simulation.motion_px[-1][:, bright], axis=0)) > 1.5  # result pixels
    assert np.median(error) < 0.3


def test_counts_come_back(plane):
    simulation, solver, state = plane
    scene = shown(solver, state, simulation.truth.shape[-2:], 0.0) * solver.problem(0).presentation[0].scale
    assert scene.sum() == pytest.approx(simulation.truth[7, 0].sum(), rel=0.05)


def test_depths_that_were_told_wrongly_are_refined():
    simulation = Sim().simulate(SimulationRequest("none", 0.0, 64, 0.005, 0, {"target": "beads"}))
    solver, state = fitted(Sim(), simulation, modulation_1=0.6, modulation_2=0.7, refine="modulation", smoothness=0.0)
    refined = solver.refined(state)
    assert np.abs(np.mean(refined["modulation_1"]) - 0.8) < 0.1  # told as 0.6
    assert np.abs(np.mean(refined["modulation_2"]) - 0.5) < 0.1  # told as 0.7


@pytest.mark.slow
def test_a_bending_tubule_has_no_branch():
    request = SimulationRequest("bend", 9.0, 64, 0.01, 0, {"target": "tubule", "planes": "6"})
    simulation = Sim3d().simulate(request)
    solver, state = fitted(Sim3d(), simulation, epochs=80)
    truth = simulation.truth[:, 0]
    conventional = Sim3d().comparisons(RawData(simulation.raw), simulation.settings)[0].images[0, 0]
    moving = (Ellipsis, slice(truth.shape[-1] // 2, None))  # the right half
    for k in (0, 7, 14):
        ours = shown(solver, state, truth.shape[1:], solver.times[k])
        found, still = (psnr_scaled(image[moving], truth[k][moving], ndim=3) for image in (ours, conventional))
        assert found > still + 2
        # Where conventional SIM has the other arms of the branch, the sample is dark.
        arm = (truth.max(axis=0) > 0.4 * truth.max()) & (truth[k] < 0.02 * truth.max())
        assert arm.sum() > 50
        bright = truth[k] > 0.4 * truth.max()
        ours_there, still_there = (image[arm].mean() / image[bright].mean() for image in (ours, conventional))
        assert ours_there < 0.25
        if k != 7:
            assert ours_there < 0.6 * still_there
