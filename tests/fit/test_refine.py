"""What a problem lets be refined is refined beside scene and motion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.toy import ToyProblem, moving_blobs, toy_problem, toy_settings

from napari_nstm.fit.schedule import SYSTEM_STARTS, build_rates
from napari_nstm.fit.solver import Solver

GAINS = np.asarray([1.0, 0.7, 1.3, 1.0])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Flickering(ToyProblem):
    """A camera whose frames are unequally bright; the first is 1."""

    gains: jax.Array = None

    @property
    def tunable(self):
        return {"gains": jnp.zeros(3)}

    def tuned(self, changes):
        return replace(self, gains=jnp.concatenate([jnp.ones(1), 1 + changes["gains"]]))

    def refined(self):
        return {"gains": [float(g) for g in self.gains]}

    def batch(self, key, index):
        return self.frame_times, (self.frames, self.gains)

    def forward(self, scene, data):
        frames, gains = data
        return gains[:, None, None] * scene[:, 0], frames, self.weight


@pytest.fixture(scope="module")
def fitted():
    frames = moving_blobs(48, 2.0)[0] * GAINS[:, None, None].astype(np.float32)

    def problem_at(level):
        plain = toy_problem(frames, level)
        fields = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
        return Flickering(**fields, gains=jnp.ones(4))

    solver = Solver(problem_at, toy_settings(epochs=400, system_learning_rate=0.02))
    states = [solver.init()]
    while int(states[-1].step) < solver.n_steps:
        states.append(solver.advance(states[-1], 0.2)[0])
    return solver, states


def test_an_unknown_of_the_instrument_comes_back(fitted):
    solver, states = fitted
    assert solver.refined(states[0]) == {"gains": [1.0] * 4}
    np.testing.assert_allclose(solver.refined(states[-1])["gains"], GAINS, atol=0.05)
    # The residual is that of the refined problem.
    assert np.abs(solver.residual(states[-1])).max() < 0.2 * 0.3


def test_it_rests_until_the_scene_has_taken_shape(fitted):
    solver, states = fitted
    early = [s for s in states if int(s.step) <= SYSTEM_STARTS * solver.n_steps]
    assert len(early) > 1
    for state in early:
        assert solver.refined(state) == {"gains": [1.0] * 4}


def test_it_is_saved_and_loaded_with_the_weights(fitted):
    solver, states = fitted
    saved = solver.save(states[-1])
    assert "params/system/gains" in saved
    assert solver.refined(solver.load(saved)) == solver.refined(states[-1])


def test_a_given_motion_has_no_learning_rate():
    rates = build_rates(toy_settings(), 10, given_motion=True)
    assert float(rates.motion) == 0
    assert float(rates.time_scale) == 1  # the frames keep their times
