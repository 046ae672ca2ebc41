from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.toy import ToyProblem, toy_problem, toy_settings

from napari_nstm.core.settings import EncodingSettings
from napari_nstm.fit.schedule import build_rates
from napari_nstm.fit.step import MAX_STEPS_PER_CALL, init_state, loss_of, run_steps, unsteadiness
from napari_nstm.model.architecture import build_architecture
from napari_nstm.model.spacetime import SpaceTimeModel

FRAMES = np.random.default_rng(0).normal(size=(3, 20, 24)).astype(np.float32)
SMALL = {
    "scene_encoding": EncodingSettings(n_levels=3, n_features=1, base_cells=(3.0, 3.0), fine_cells=(9.0, 9.0)),
    "motion_encoding": EncodingSettings(
        n_levels=2, n_features=2, base_cells=(1.0, 1.0, 1.0), fine_cells=(2.0, 3.0, 3.0)
    ),
}


def random_weights(architecture, seed):
    rng = np.random.default_rng(seed)
    params = init_state(architecture, 0).params
    return jax.tree.map(lambda leaf: rng.uniform(-0.5, 0.5, leaf.shape), params)


@pytest.mark.parametrize("rendering", ["canvas", "exact"])
def test_the_gradient_of_the_loss_against_finite_differences(rendering):
    with jax.enable_x64(True):
        problem = toy_problem(FRAMES)
        problem = replace(
            problem,
            frames=jnp.asarray(np.asarray(problem.frames, np.float64)),
            frame_times=jnp.asarray([-0.9, 0.2, 0.7]),
            weight=jnp.asarray(np.asarray(problem.weight, np.float64)),
        )
        architecture = build_architecture(problem.grid, toy_settings(rendering=rendering, **SMALL))
        model = SpaceTimeModel(architecture)
        weights = random_weights(architecture, 1)

        @jax.jit
        def loss(w):
            return loss_of(w, problem, model, problem.frame_times, problem.frames, 0.8)

        gradient = jax.jit(jax.grad(loss))(weights)
        rng = np.random.default_rng(2)
        for part in ("scene", "motion"):
            direction = jax.tree.map(lambda w: rng.normal(size=w.shape), weights[part])
            slope = sum(np.vdot(g, d) for g, d in zip(*map(jax.tree.leaves, (gradient[part], direction)), strict=True))
            # So small a step that hardly a pixel crosses into another cell, where the slope jumps.
            step = 1e-7
            there, back = (
                float(loss({**weights, part: jax.tree.map(lambda w, d, s=s: w + s * d, weights[part], direction)}))
                for s in (step, -step)
            )
            assert slope == pytest.approx((there - back) / (2 * step), rel=1e-4)


def test_the_loss_is_the_weighted_mean_square_and_the_penalty():
    class Penalised(ToyProblem):
        def penalty(self, scene):
            return 3.0 + 0.0 * scene.sum()

    problem = Penalised(**vars(toy_problem(FRAMES)))
    architecture = build_architecture(problem.grid, toy_settings(**SMALL))
    weights = jax.tree.map(np.zeros_like, init_state(architecture, 0).params)
    model = SpaceTimeModel(architecture)
    loss = jax.jit(lambda w: loss_of(w, problem, model, problem.frame_times, problem.frames, 1.0))(weights)
    # A scene of zeros misses the frames by the frames themselves; the padding does not count.
    assert float(loss) == pytest.approx(np.mean(FRAMES**2) + 3, rel=1e-5)


def test_a_call_does_the_steps_it_is_told_and_no_more():
    problem = toy_problem(FRAMES)
    settings = toy_settings(**SMALL)
    architecture = build_architecture(problem.grid, settings)
    state = init_state(architecture, 0)
    rates = build_rates(settings, 100)
    for n in (1, 5):
        new, losses = run_steps(problem, state, rates, jnp.asarray(n), architecture=architecture)
        assert int(new.step) == n
        assert losses.shape == (MAX_STEPS_PER_CALL,)
        assert np.all(losses[:n] > 0)
        assert np.all(losses[n:] == 0)
    # The state it came with is as it was.
    assert int(state.step) == 0
    # One step of Adam from its start moves every weight that has a slope by the learning rate, motion and scene apart.
    one, _ = run_steps(
        problem,
        state,
        build_rates(toy_settings(coarse_to_fine=0.0, **SMALL), 100),
        jnp.asarray(1),
        architecture=architecture,
    )
    for part, rate in (("scene", 3e-2), ("motion", 0.1)):
        moved = jax.tree.map(lambda a, b: np.abs(np.asarray(a - b)), one.params[part], state.params[part])
        lengths = np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(moved)])
        assert np.median(lengths[lengths > 0]) == pytest.approx(rate, rel=1e-3)


# One level of the motion: values at its nodes, 5 in time, are the motion there.
NODES = EncodingSettings(n_levels=1, n_features=2, base_cells=(4.0, 2.0, 2.0), fine_cells=(4.0, 2.0, 2.0))


def _moving(architecture, of_time):
    """Weights of a motion that is everywhere the same: (component, node in time) pixels."""
    params = init_state(architecture, 0).params
    nodes = np.broadcast_to(np.asarray(of_time, np.float32)[:, :, None, None], (2, 5, 3, 3))
    return {**params, "motion": {"params": {"features": {"level_0": jnp.asarray(nodes)}}}}


@pytest.mark.parametrize(
    ("of_time", "expected"),
    [
        # Evenly onwards, each way, or at rest.
        ([[0, 3, 6, 9, 12], [5, 4, 3, 2, 1]], 0),
        ([[7, 7, 7, 7, 7], [0, 0, 0, 0, 0]], 0),
        # From rest to 3 pixels a cell: one of three changes of step, in one of two components.
        ([[0, 0, 0, 3, 6], [0, 0, 0, 0, 0]], 3**2 / 6),
        # To and fro: every step is turned round.
        ([[0, 0, 0, 0, 0], [0, 2, 0, 2, 0]], 3 * 4**2 / 6),
    ],
)
def test_a_motion_is_unsteady_where_its_step_changes(of_time, expected):
    problem = toy_problem(FRAMES)
    architecture = build_architecture(problem.grid, toy_settings(**{**SMALL, "motion_encoding": NODES}))
    found = jax.jit(lambda p: unsteadiness(p, problem, SpaceTimeModel(architecture), 1.0))(
        _moving(architecture, of_time)
    )
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_an_unsteady_motion_costs_its_weight():
    problem = toy_problem(FRAMES)
    losses, after = [], []
    for weight in (0.0, 0.5):
        settings = toy_settings(motion_steadiness=weight, coarse_to_fine=0.0, **{**SMALL, "motion_encoding": NODES})
        architecture = build_architecture(problem.grid, settings)
        assert architecture.is_steady == (weight > 0)
        state = replace(init_state(architecture, 0), params=_moving(architecture, [[0, 0, 0, 3, 6], [0, 0, 0, 0, 0]]))
        rates = build_rates(settings, 100)
        new, found = run_steps(problem, state, rates, jnp.asarray(8), architecture=architecture)
        losses.append(float(found[0]))
        after.append(float(unsteadiness(new.params, problem, SpaceTimeModel(architecture), 1.0)))
    assert losses[1] - losses[0] == pytest.approx(0.5 * 3**2 / 6, rel=1e-4)
    assert after[1] < 0.7 * 3**2 / 6
    assert after[1] < after[0]
    # A motion that is given is as it is.
    given = build_architecture(problem.grid, toy_settings(motion_steadiness=0.5, **SMALL), given_times=3)
    assert not given.is_steady
