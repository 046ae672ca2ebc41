"""The solver: init, advance, and what can be read from a state.

It knows a modality only as a `Problem` at each level of the pyramid.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.grids import Grid
from napari_nstm.core.settings import FitSettings
from napari_nstm.core.warp import Canvas, MotionLattice, positions
from napari_nstm.fit.schedule import Schedule, build_rates, build_schedule
from napari_nstm.fit.state import FitReport, FitState, flatten_state, unflatten_state
from napari_nstm.fit.step import MAX_STEPS_PER_CALL, init_state, predict, run_steps
from napari_nstm.imaging.base import Problem
from napari_nstm.model.architecture import build_architecture
from napari_nstm.model.encoding import level_cells
from napari_nstm.model.spacetime import SpaceTimeModel, motion_spacing_px

Frames = NDArray[np.float32]
_Tree = TypeVar("_Tree")

# A loss this many times above the best one so far will not come back.
_DIVERGED_FACTOR = 1e4
# Times at which the motion is stored, per cell of its finest time level.
_TIMES_PER_CELL = 8


class Solver:
    """A fit of one problem; all state is in the `FitState` that its methods take and return.

    Parameters
    ----------
    problem_at
        Gives the problem at a pyramid level (0 is full size); called once a level.
    settings
        How to fit.
    device
        jax device; None: jax's default.
    motion
        A motion that is given, in raw pixels and times of this problem; None: it is fitted.
    n_steps
        Steps in all, where a fit goes on beyond its epochs: at full size, with the learning rates of its end.
    """

    def __init__(
        self,
        problem_at: Callable[[int], Problem],
        settings: FitSettings,
        device: jax.Device | None = None,
        motion: MotionLattice | None = None,
        n_steps: int | None = None,
    ) -> None:
        self._problem_at = problem_at
        self._problems: dict[int, Problem] = {}
        self._device = device
        self._seconds_per_step: dict[int, float] = {}
        self._first_loss: float | None = None
        self._best_loss = math.inf
        self._proven: FitState | None = None
        self.settings = settings
        self._motion = motion
        n_given = 0 if motion is None else len(motion.values_px)
        self.model = SpaceTimeModel(build_architecture(self.problem(0).grid, settings, n_given))
        n_batches = self.problem(0).n_batches
        self.schedule: Schedule = build_schedule(settings, n_batches, n_steps)
        self.rates = self._put(build_rates(settings, settings.epochs * n_batches, given_motion=motion is not None))

    @property
    def n_steps(self) -> int:
        """Steps of the whole fit."""
        return self.schedule.n_steps

    @cached_property
    def times(self) -> tuple[float, ...]:
        """Times of the frames in [-1, 1]; all zero in a static fit."""
        times = np.asarray(self.problem(0).frame_times) * (0.0 if self.settings.static else 1.0)
        return tuple(float(t) for t in times)

    def problem(self, level: int) -> Problem:
        """Return the problem at a level, on the device."""
        if level not in self._problems:
            self._problems[level] = self._put(self._problem_at(level))
        return self._problems[level]

    def init(self) -> FitState:
        """Return the state before the first step."""
        state: FitState = init_state(self.model.architecture, self.settings.seed, self.problem(0).tunable)
        if self._motion is not None:
            given = {"given": jnp.asarray(self._on_own_lattice(self._motion))}
            state = replace(state, params={**state.params, "motion": given})
        return self._put(state)

    def refined(self, state: FitState) -> dict[str, Any]:
        """Return what of the problem was refined, as plain JSON; empty where nothing is."""
        return self._tuned(state, 0).refined()

    def _tuned(self, state: FitState, level: int) -> Problem:
        return self.problem(level).tuned(state.params["system"])

    def _on_own_lattice(self, motion: MotionLattice) -> Frames:
        grid = self.problem(0).grid
        spacing = np.reshape(motion_spacing_px(self.model, grid), (-1, *(1,) * grid.ndim))
        origin = np.reshape(grid.padded_origin, spacing.shape)
        where = np.asarray(positions(self.model.motion_lattice_shape()) * spacing + origin, np.float32)
        times = np.linspace(-1, 1, len(motion.values_px))
        return np.stack([motion.pull_back(where, float(t)) for t in times])

    def advance(self, state: FitState, seconds: float = 0.3) -> tuple[FitState, FitReport]:
        """Do as many steps as fit into about `seconds`, at least one, within one stage of the pyramid.

        A step that breaks down is undone: the state that comes back is the last good one.
        """
        step = int(state.step)
        level, stop = self.schedule.stage_at(step)
        guess = self._seconds_per_step.get(level)
        n = 2 if guess is None else max(1, int(seconds / max(guess, 1e-6)))
        n = max(1, min(n, stop - step, MAX_STEPS_PER_CALL))
        began = time.perf_counter()
        new, losses = run_steps(
            self.problem(level), state, self.rates, jnp.asarray(n), architecture=self.model.architecture
        )
        done = int(new.step) - step
        values = tuple(float(x) for x in np.asarray(losses)[:done])
        if guess is not None:
            self._seconds_per_step[level] = (time.perf_counter() - began) / done
        else:
            # The first call of a level compiles: it says nothing about the speed of a step.
            self._seconds_per_step[level] = seconds
        return self._judge(state, new, values, level)

    def _judge(self, old: FitState, new: FitState, losses: tuple[float, ...], level: int) -> tuple[FitState, FitReport]:
        finite = [x for x in losses if math.isfinite(x)]
        self._first_loss = next(iter(finite), None) if self._first_loss is None else self._first_loss
        best = min([self._best_loss, *finite])
        broken = len(finite) < len(losses)
        message = None
        if broken:
            message = f"The loss was no longer a number at step {int(new.step)}; the last good state is kept."
        elif self._ran_away(finite[-1], best):
            message = (
                f"The loss grew to {finite[-1]:.3g} at step {int(new.step)}, over {_DIVERGED_FACTOR:.0e} times its best"
                f" value; the last good state is kept. A lower learning rate may help."
            )
        if message is None:
            # The first of these losses proved the state they began with; none has proved the new one yet.
            state, self._proven, self._best_loss = new, old, best
        else:
            old_is_good = math.isfinite(losses[0]) and not self._ran_away(losses[0], self._best_loss)
            state = old if old_is_good or self._proven is None else self._proven
        alpha = float(self.rates.granularity(state.step))
        mean = float(np.mean(finite)) if finite else math.nan
        report = FitReport(int(state.step), self.n_steps, level, alpha, mean, losses, message is not None, message)
        return state, report

    def _ran_away(self, loss: float, best: float) -> bool:
        # A loss under that of the first step is no divergence, however good the best one was.
        return loss > max(_DIVERGED_FACTOR * best, self._first_loss or 0.0)

    def alpha(self, state: FitState) -> jax.Array:
        """Return the granularity a state was fitted at."""
        return self.rates.granularity(state.step)

    def canvas(self, state: FitState) -> Canvas:
        """Return the scene on its full-size lattice, in normalised units, as the problem finishes it."""
        problem = self.problem(0)
        grid = problem.grid
        values = _canvas(self.model, state, self.alpha(state), level_grid=grid)
        return problem.finish(Canvas(np.asarray(values), grid.canvas_origin, self.model.canvas_spacing(grid), order=1))

    def motion_lattice(self, state: FitState) -> MotionLattice:
        """Return the motion, coarse in space and dense in time."""
        grid = self.problem(0).grid
        cells = max(level_cells(self.settings.motion_encoding)[-1][0], 1)
        times = jnp.linspace(-1.0, 1.0, min(_TIMES_PER_CELL * cells, 128) + 1)
        values = _lattice(self.model, state, times * self.rates.time_scale, self.alpha(state), level_grid=grid)
        return MotionLattice(np.asarray(values), grid.padded_origin, motion_spacing_px(self.model, grid))

    def render(self, state: FitState, t: float, level: int = 0) -> Frames:
        """Render the scene at time t in [-1, 1]: (c, *field of view), normalised, the way the fit did."""
        grid = self.problem(level).grid
        time_ = jnp.asarray([t]) * self.rates.time_scale
        field = _render(self.model, state, time_, self.alpha(state), level_grid=grid)
        return np.asarray(field[0])[(slice(None), *grid.field_slices)]

    def residual(self, state: FitState) -> Frames:
        """Measured minus rendered, (frame, *field of view), in units of the normalised measurement.

        Frames come in the order of their times; images that are no frames as the problem puts them together.
        """
        problem = self._tuned(state, 0)
        gathered = getattr(problem, "gathered", None)
        times_of: list[NDArray[Any]] = []
        parts: list[tuple[Any, Frames]] = []
        for times, data, (prediction, target, _) in self._predicted(problem, state, self.alpha(state)):
            times_of.append(np.asarray(times))
            difference = np.asarray(target - prediction)
            # Frames need no data to be put in order: those of a volume are large.
            parts.append((data, difference) if gathered else (None, difference[(slice(None), *problem.frame_field)]))
        if gathered is not None:
            return np.asarray(gathered(parts), np.float32)
        return np.concatenate([frames for _, frames in parts])[np.argsort(np.concatenate(times_of), kind="stable")]

    def misfit(self, state: FitState) -> float:
        """Return the weighted mean squared error of all measurements, at full size and granularity 1."""
        errors = []
        for _, _, (prediction, target, weights) in self._predicted(self._tuned(state, 0), state, jnp.ones(())):
            weight = jnp.broadcast_to(weights, prediction.shape)
            errors.append(float(jnp.sum(weight * (prediction - target) ** 2) / jnp.maximum(jnp.sum(weight), 1e-12)))
        return float(np.mean(errors))

    def _predicted(
        self, problem: Problem, state: FitState, alpha: jax.Array
    ) -> Iterator[tuple[jax.Array, Any, tuple[jax.Array, jax.Array, jax.Array]]]:
        """Render every batch of an epoch: its times, its data, and what `forward` gives."""
        for index in range(problem.n_batches):
            times, data = problem.batch(state.key, jnp.asarray(index))
            moved = times * self.rates.time_scale
            made = predict(problem, state.params, data, moved, alpha, architecture=self.model.architecture)
            yield times, data, made

    def save(self, state: FitState) -> dict[str, NDArray[np.generic]]:
        """Return the state as named arrays."""
        return flatten_state(state)

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> FitState:
        """Return a state that was saved; raises ValueError if it belongs to another model."""
        return self._put(unflatten_state(arrays, like=self.init()))

    def _put(self, tree: _Tree) -> _Tree:
        return cast(_Tree, jax.device_put(tree, self._device))


_jit_on_grid = partial(jax.jit, static_argnames=("model", "level_grid"))


@_jit_on_grid
def _canvas(model: SpaceTimeModel, state: FitState, alpha: jax.Array, *, level_grid: Grid) -> jax.Array:
    return model.canvas(state.params, level_grid, alpha)


@_jit_on_grid
def _lattice(
    model: SpaceTimeModel, state: FitState, times: jax.Array, alpha: jax.Array, *, level_grid: Grid
) -> jax.Array:
    return model.motion_lattice(state.params, times, level_grid, alpha)


@_jit_on_grid
def _render(
    model: SpaceTimeModel, state: FitState, times: jax.Array, alpha: jax.Array, *, level_grid: Grid
) -> jax.Array:
    return model.render(state.params, times, level_grid, alpha)
