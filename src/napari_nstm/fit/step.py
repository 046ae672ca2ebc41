"""The compiled part of a fit: many steps in one call."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from napari_nstm.fit.schedule import Rates
from napari_nstm.fit.state import FitState
from napari_nstm.imaging.base import Problem
from napari_nstm.model.architecture import Architecture
from napari_nstm.model.encoding import level_cells
from napari_nstm.model.spacetime import Params, SpaceTimeModel

# Losses of one call come back in a buffer of this length: no call does more steps.
MAX_STEPS_PER_CALL = 128

# Cao et al. 2024, Methods: Adam with b1 0.9, b2 0.99.
_ADAM = optax.scale_by_adam(b1=0.9, b2=0.99, eps=1e-15)


@partial(jax.jit, static_argnames=("architecture",))
def init_state(architecture: Architecture, seed: int, system: Params | None = None) -> FitState:
    """Draw the weights a fit starts from; compiled, or the layers would be compiled one by one.

    Parameters
    ----------
    architecture, seed
        What the model is made of, and the seed of its weights.
    system
        What of the problem is refined, as it starts (`Problem.tunable`).
    """
    key = jax.random.key(seed)
    weights_key, run_key = jax.random.split(key)
    params = {**SpaceTimeModel(architecture).init(weights_key), "system": system or {}}
    return FitState(params, _ADAM.init(params), run_key, jnp.zeros((), jnp.int32))


def loss_of(
    params: Params, problem: Problem, model: SpaceTimeModel, times: Array, data: Any, alpha: Array | float
) -> Float[Array, ""]:
    """Weighted mean squared error of the rendered measurements (eq. 3 of Cao et al. 2024), and penalties."""
    scene = model.render(params, times, problem.grid, alpha)
    prediction, target, weight = problem.forward(scene, data)
    weight = jnp.broadcast_to(weight, prediction.shape)
    error = jnp.sum(weight * (prediction - target) ** 2) / jnp.maximum(jnp.sum(weight), 1e-12)
    return error + problem.penalty(scene)


def unsteadiness(params: Params, problem: Problem, model: SpaceTimeModel, alpha: Array | float) -> Float[Array, ""]:
    """Mean squared change of the motion's step from one time cell to the next, in pixels."""
    n_cells = max(2, level_cells(model.architecture.motion_encoding)[-1][0])
    motion = model.motion_lattice(params, jnp.linspace(-1.0, 1.0, n_cells + 1), problem.grid, alpha)
    return jnp.mean(jnp.diff(motion, n=2, axis=0) ** 2)


@partial(jax.jit, static_argnames=("architecture",))
def run_steps(
    problem: Problem, state: FitState, rates: Rates, n_steps: Array, *, architecture: Architecture
) -> tuple[FitState, Float[Array, " step"]]:
    """Do up to `n_steps` steps; end after the first whose loss or gradient is not finite.

    The caller keeps the state it came with, so that a broken step costs nothing that was good.

    Returns
    -------
    state, losses
        `losses` has fixed length; entries beyond the steps done are zero, that of a broken step is NaN.
    """
    model = SpaceTimeModel(architecture)
    # Within the loop weights, gradient and both moments are one vector each: a leaf costs several small kernels
    # otherwise, and those take as long to compile as large ones.
    like = state.params
    sizes = {name: sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(like[name])) for name in like}

    def step(carry: tuple[Array, FitState, Array, Array]) -> tuple[Array, FitState, Array, Array]:
        i, state, losses, _ = carry
        epoch, index = state.step // problem.n_batches, state.step % problem.n_batches
        key = jax.random.fold_in(state.key, epoch)
        alpha = rates.granularity(state.step + 1)

        def loss_at(params: Params) -> Array:
            tuned = problem.tuned(params["system"])
            times, data = tuned.batch(key, index)
            loss = loss_of(params, tuned, model, times * rates.time_scale, data, alpha)
            if architecture.is_steady:
                loss += rates.steadiness * unsteadiness(params, tuned, model, alpha)
            return loss

        loss, gradient = jax.value_and_grad(loss_at)(_unflat(jnp.asarray(state.params), like))
        gradient = _flat(gradient)
        direction, optimizer = _ADAM.update(gradient, state.optimizer)
        decay = rates.decay(state.step)
        rate = {
            "scene": rates.scene_now(state.step) * decay,
            "motion": rates.motion * decay,
            "system": rates.system_now(state.step) * decay,
        }
        params = (
            state.params - jnp.concatenate([jnp.full(sizes[name], rate[name]) for name in sorted(like)]) * direction
        )
        # A finite loss may have a gradient that is not, and that would spoil the weights.
        slope = jnp.sum(jnp.abs(gradient))
        good = jnp.isfinite(loss) & jnp.isfinite(slope)
        new = FitState(params, optimizer, state.key, state.step + 1)
        return i + 1, new, losses.at[i].set(jnp.where(good, loss, jnp.nan)), good

    def more(carry: tuple[Array, FitState, Array, Array]) -> Array:
        return (carry[0] < n_steps) & carry[3]

    flat = _map_trees(_flat, state)
    start = (jnp.zeros((), jnp.int32), flat, jnp.zeros(MAX_STEPS_PER_CALL), jnp.asarray(True))
    _, flat, losses, _ = jax.lax.while_loop(more, step, start)
    return _map_trees(lambda vector: _unflat(vector, like), flat), losses


def _map_trees(change: Callable[[Any], Any], state: FitState) -> FitState:
    moments = state.optimizer._replace(mu=change(state.optimizer.mu), nu=change(state.optimizer.nu))
    return replace(state, params=change(state.params), optimizer=moments)


def _flat(tree: Params) -> Float[Array, " weight"]:
    return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])


def _unflat(vector: Float[Array, " weight"], like: Params) -> Params:
    leaves, tree = jax.tree.flatten(like)
    ends = np.cumsum([math.prod(leaf.shape) for leaf in leaves])
    parts = jnp.split(vector, ends[:-1])
    shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    params: Params = jax.tree.unflatten(tree, shaped)
    return params


@partial(jax.jit, static_argnames=("architecture",))
def predict(
    problem: Problem, params: Params, data: Any, times: Array, alpha: Array, *, architecture: Architecture
) -> tuple[Array, Array, Array]:
    """Render the measurements of one batch at granularity `alpha`: (prediction, target, weight).

    `problem` is refined already (`Problem.tuned`).
    """
    scene = SpaceTimeModel(architecture).render(params, times, problem.grid, alpha)
    return problem.forward(scene, data)
