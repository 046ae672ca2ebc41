"""Frames of a textured scene whose motion is known, and fits of them."""

from __future__ import annotations

import numpy as np
from tests.toy import toy_problem, toy_settings

from napari_nstm.core.settings import EncodingSettings
from napari_nstm.core.warp import positions
from napari_nstm.fit.solver import Solver
from napari_nstm.phantoms.motions import KnownMotion

SIZE = 64
TIMES = np.linspace(-1, 1, 5)


def texture(where, shape):
    """Blobs of both signs near the middle, (component, ...) -> (...): known at any position."""
    rng = np.random.default_rng(5)
    middle = (np.array(shape) - 1) / 2
    total = np.zeros(where.shape[1:])
    for _ in range(40):
        centre = middle + rng.uniform(-0.3, 0.3, len(shape)) * np.array(shape)
        width, height = rng.uniform(1.5, 3.0), rng.uniform(0.4, 1.0) * rng.choice([-1, 1])
        squares = sum((w - c) ** 2 for w, c in zip(where, centre, strict=True))
        total += height * np.exp(-squares / (2 * width**2))
    return total


def moving_frames(motion: KnownMotion, times=TIMES):
    """The camera's frames (time, [z,] y, x): what is at x at time t is the texture at x + dx(x, t)."""
    where = positions(motion.shape)
    return np.stack([texture(where + motion.pull_back(where, t), motion.shape) for t in times]).astype(np.float32)


def solver_of(frames, n_batches=1, problem=toy_problem, **changes):
    """A solver of the toy problem; `changes` are fit settings."""
    values = {"epochs": 300}
    if frames.ndim == 3:
        values["scene_encoding"] = EncodingSettings(
            n_levels=6, n_features=1, base_cells=(4.0, 4.0), fine_cells=(80.0, 80.0)
        )
        values["motion_encoding"] = EncodingSettings(
            n_levels=4, n_features=2, base_cells=(1.0, 1.0, 1.0), fine_cells=(2.0, 8.0, 8.0)
        )
    settings = toy_settings(frames.ndim - 1, **{**values, **changes})
    return Solver(lambda level: problem(frames, level, n_batches), settings)


def run(solver, state=None, steps=None, chunk=None):
    """Advance to the end, or by `steps`; in chunks of `chunk` steps, or as time allows. Returns state and reports."""
    state = solver.init() if state is None else state
    end = solver.n_steps if steps is None else int(state.step) + steps
    reports = []
    while int(state.step) < end:
        level, _ = solver.schedule.stage_at(int(state.step))
        # The speed that a solver has measured decides how many steps it does at once: here it is told.
        solver._seconds_per_step[level] = 1.0
        state, report = solver.advance(state, seconds=min(chunk or 64, end - int(state.step)))
        reports.append(report)
        if report.diverged:
            break
    return state, reports


def losses_of(reports):
    return np.concatenate([report.losses for report in reports])


def found_motion(solver, state, t=1.0, t_reference=-1.0):
    """u (component, [z,] y, x) on the field of view, in pixels."""
    where = positions(solver.problem(0).grid.shape)
    return solver.motion_lattice(state).displacement(where, t, t_reference)
