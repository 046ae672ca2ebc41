"""What is due at which step: level of the pyramid, granularity, learning rates."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from napari_nstm.core.settings import FitSettings

SYSTEM_STARTS = 0.5
"""Part of the run after which what a problem lets be refined begins to change."""


@dataclass(frozen=True)
class Schedule:
    """The course of a fit.

    Parameters
    ----------
    stages
        (level, first step, one past the last step), in order and without gaps.
    """

    stages: tuple[tuple[int, int, int], ...]

    @property
    def n_steps(self) -> int:
        """Steps in all."""
        return self.stages[-1][2]

    def stage_at(self, step: int) -> tuple[int, int]:
        """Return (level, one past the stage's last step) for a step; the last stage goes on for ever."""
        for level, _, stop in self.stages:
            if step < stop:
                return level, stop
        return self.stages[-1][0], self.n_steps


def build_schedule(settings: FitSettings, n_batches: int, n_steps_in_all: int | None = None) -> Schedule:
    """Cut a fit of `epochs * n_batches` steps into the stages of its pyramid.

    A fit that goes on beyond them, to `n_steps_in_all`, does so at full size.
    """
    n_steps = settings.epochs * n_batches
    stages, start, share_done = [], 0, 0.0
    for level, share in settings.pyramid:
        share_done += share
        stop = min(round(share_done * n_steps), n_steps)
        if stop > start:
            stages.append((level, start, stop))
            start = stop
    if not stages or stages[-1][0] != 0:
        # A fit of very few steps still ends at full size.
        last_start = stages[-1][1] if stages else 0
        stages = [*stages[:-1], (0, last_start, n_steps)]
    if n_steps_in_all is not None and n_steps_in_all > n_steps:
        stages[-1] = (0, stages[-1][1], n_steps_in_all)
    return Schedule(tuple(stages))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rates:
    """Numbers of a fit that are data to the compiled step, so that changing them compiles nothing.

    Parameters
    ----------
    n_steps, coarse_steps
        Steps of the whole fit, and of those in which granularity grows (0: it is 1 throughout).
    scene, motion
        Initial learning rates.
    end
        Last over first learning rate.
    time_scale
        1, or 0 for a static fit: all times are taken as zero.
    scene_begins
        Step from which the scene is updated.
    system
        Learning rate of what a problem lets be refined.
    steadiness
        Weight of the motion's squared change of velocity.
    """

    n_steps: Float[Array, ""]
    coarse_steps: Float[Array, ""]
    scene: Float[Array, ""]
    motion: Float[Array, ""]
    end: Float[Array, ""]
    time_scale: Float[Array, ""]
    scene_begins: Float[Array, ""]
    system: Float[Array, ""]
    steadiness: Float[Array, ""]

    def granularity(self, step: Array) -> Float[Array, ""]:
        """Return alpha: it grows linearly to 1 over the coarse-to-fine part."""
        return jnp.where(self.coarse_steps > 0, jnp.clip(step / jnp.maximum(self.coarse_steps, 1.0), 0.0, 1.0), 1.0)

    def scene_now(self, step: Array) -> Float[Array, ""]:
        """Return the learning rate of the scene before it decays: none while it rests."""
        return jnp.where(step >= self.scene_begins, self.scene, 0.0)

    def system_now(self, step: Array) -> Float[Array, ""]:
        """Return the learning rate of what is refined before it decays: none until the scene has taken shape."""
        return jnp.where(step >= SYSTEM_STARTS * self.n_steps, self.system, 0.0)

    def decay(self, step: Array) -> Float[Array, ""]:
        """Return the factor on both learning rates: exponential, from 1 to `end`."""
        return self.end ** jnp.clip(step / self.n_steps, 0.0, 1.0)


def build_rates(settings: FitSettings, n_steps: int, *, given_motion: bool = False) -> Rates:
    """Collect a fit's numbers; a static fit, and one whose motion is given, never updates its motion."""
    moves = not (settings.static or given_motion)
    numbers = {
        "n_steps": n_steps,
        "coarse_steps": settings.coarse_to_fine * n_steps,
        "scene": settings.scene_learning_rate,
        "motion": settings.motion_learning_rate if moves else 0.0,
        "end": settings.learning_rate_end,
        "time_scale": 0.0 if settings.static else 1.0,
        # Where no motion is fitted, a scene that rests would leave nothing to do.
        "scene_begins": settings.scene_rests * n_steps if moves else 0.0,
        "system": settings.system_learning_rate,
        "steadiness": settings.motion_steadiness,
    }
    return Rates(**{name: jnp.asarray(value, jnp.float32) for name, value in numbers.items()})
