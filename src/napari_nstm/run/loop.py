"""The loop of a fit: advance, say how far it is, show it, checkpoint, and end for one of four reasons."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import jax
import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import DeviceError
from napari_nstm.core.events import Checkpointed, Event, Paused, Preview, Progress, Status, Working
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.fit.solver import Solver
from napari_nstm.fit.state import FitReport, FitState
from napari_nstm.run.patience import Controls, Patience, StopAskedError
from napari_nstm.run.plan import Plan
from napari_nstm.run.preview import make_preview

_T = TypeVar("_T")

# Progress is told at least this often (seconds), and a stop answered where steps are short.
_CHUNK_S = 0.1
# After a stop was asked for, what is under way may end within this time (seconds).
_LINGER_S = 0.15
# While a fit waits, it looks this often whether it may go on (seconds).
_WAIT_S = 0.05
# Previews take at most a fifth of the time, checkpoints a tenth.
_PREVIEW_PAUSE, _CHECKPOINT_PAUSE = 4.0, 9.0
# A process that is killed loses no more than this (seconds), though slow checkpoints take more than their share then.
_MOST_LOST_S = 10.0


@dataclass
class Course:
    """What a fit has been through; it grows while the fit goes on and survives in checkpoints.

    Parameters
    ----------
    losses
        Loss of every step.
    elapsed_s
        Seconds of fitting, over all sessions.
    """

    losses: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """All of a state that a store needs, brought from the device.

    Parameters
    ----------
    step
        The state's.
    canvas, motion
        The scene on its lattice, and the motion.
    arrays
        Weights and optimiser by name.
    """

    step: int
    canvas: Canvas
    motion: MotionLattice
    arrays: dict[str, NDArray[np.generic]]


def take_snapshot(solver: Solver, state: FitState) -> Snapshot:
    """Bring a state from the device."""
    return Snapshot(int(state.step), solver.canvas(state), solver.motion_lattice(state), solver.save(state))


@dataclass(frozen=True)
class Outcome:
    """How the loop ended.

    Parameters
    ----------
    state
        The last good state.
    status, message
        Why it ended, and a sentence.
    has_residual
        Whether the residual can be had without compiling first.
    """

    state: FitState
    status: Status
    message: str
    has_residual: bool


def fit_loop(
    solver: Solver,
    state: FitState,
    plan: Plan,
    course: Course,
    *,
    controls: Controls,
    patience: Patience,
    checkpoint: Callable[[Snapshot], None],
) -> Generator[Event, None, Outcome]:
    """Run a fit to its end, yielding events.

    Closing this generator, and a device that fails, leave a checkpoint of the last good state. So does a level of
    the pyramid that is done, before the next one compiles: that may take long, and nothing can interrupt it.
    """
    fit = _Fit(solver, state, plan, course, controls, patience, checkpoint)
    try:
        broken = yield from fit.steps()
    except StopAskedError:
        return Outcome(fit.state, "stopped", f"Stopped at step {fit.step} of {solver.n_steps}.", fit.has_residual)
    except (GeneratorExit, KeyboardInterrupt):
        fit.keep_at_once()
        raise
    except DeviceError as error:
        # A device that is gone cannot be read: then the checkpoint before this one stands.
        with suppress(jax.errors.JaxRuntimeError, MemoryError):
            fit.keep_at_once()
        kept = f" What was reached by step {fit.kept} is kept." if fit.kept else ""
        raise DeviceError(f"{error}{kept}") from error
    if broken is not None:
        return Outcome(fit.state, "diverged", broken, fit.has_residual)
    return Outcome(fit.state, "finished", f"{solver.n_steps} steps in {course.elapsed_s:.1f} s.", has_residual=True)


class _Fit:
    """A fit that goes on: its state, and what the store has of it."""

    def __init__(
        self,
        solver: Solver,
        state: FitState,
        plan: Plan,
        course: Course,
        controls: Controls,
        patience: Patience,
        checkpoint: Callable[[Snapshot], None],
    ) -> None:
        self.state, self.has_residual = state, False
        self._solver, self._plan, self._course = solver, plan, course
        self._controls, self._patience, self._checkpoint = controls, patience, checkpoint
        self.kept = self.step
        self._checkpoints = _Pace(plan.job.output.checkpoint_every_s, _CHECKPOINT_PAUSE, _MOST_LOST_S - 2 * _CHUNK_S)
        self._previews = _Pace(plan.job.output.preview_every_s, _PREVIEW_PAUSE)
        self._shown_ms = controls.preview_time()

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.state.step)

    def steps(self) -> Generator[Event, None, str | None]:
        """Do all steps; return what went wrong if the fit diverged."""
        run_id, clock, course = self._controls.run_id, _Remaining(self._solver), self._course
        chunk_s = min(_CHUNK_S, self._plan.job.output.preview_every_s)
        before, began = course.elapsed_s, time.monotonic()
        level: int | None = None
        while self.step < self._solver.n_steps:
            if self._controls.should_stop():
                raise StopAskedError
            if level is not None and self._controls.should_pause():
                paused = time.monotonic()
                yield from self._wait(level)
                began += time.monotonic() - paused
            next_level, _ = self._solver.schedule.stage_at(self.step)
            entering = next_level != level
            if entering:
                yield from self._keep()
                size = " x ".join(map(str, self._solver.problem(0).grid.at_level(next_level).field_shape))
                yield Working(run_id, f"Compiling for {size} pixels", compiling=True)
                level = next_level
            chunk_began = time.monotonic()
            # A compile is left to itself when a stop comes; steps end within their chunk.
            linger_s = 0.0 if entering else _LINGER_S
            self.state, report, shown = self._do(self._advance, chunk_s, entering, linger_s=linger_s)
            self.has_residual = self.has_residual or (entering and level == 0)
            clock.add(report.level, len(report.losses), time.monotonic() - chunk_began)
            course.elapsed_s = before + time.monotonic() - began
            if report.diverged:
                return report.message or "The fit diverged."
            course.losses.extend(report.losses)
            yield Progress(
                run_id,
                report.step,
                report.n_steps,
                report.level,
                report.granularity,
                report.loss,
                course.elapsed_s,
                clock.remaining_s(report.step),
            )
            if shown is not None:
                yield shown
            elif not entering:
                yield from self._show(report.level)
            if self._checkpoints.due() and self.step < self._solver.n_steps:
                yield from self._keep()
        return None

    def _advance(self, seconds: float, entering: bool) -> tuple[FitState, FitReport, Preview | None]:
        """Do some steps; on entering a level, compile what else is wanted there, so that a stop is quick from then on.

        Changes nothing here: it may be abandoned.
        """
        if not entering:
            return *self._solver.advance(self.state, seconds), None
        before = self.state
        level, _ = self._solver.schedule.stage_at(int(before.step))
        with ThreadPoolExecutor(1, thread_name_prefix="compile") as threads:
            rest = threads.submit(self._compile_rest, before, level)
            state, report = self._solver.advance(before, seconds)
            rest.result()
        # The first call of a fit does a step or two: there is nothing to see yet.
        shown = self._preview(state, level, self._shown_ms) if int(before.step) else None
        return state, report, shown

    def _compile_rest(self, state: FitState, level: int) -> None:
        self._preview(state, level, self._shown_ms)
        take_snapshot(self._solver, state)
        if level == 0:
            self._solver.residual(state)

    def _preview(self, state: FitState, level: int, time_ms: float | None) -> Preview:
        return make_preview(self._solver, state, self._plan, self._controls.run_id, level, time_ms)

    def keep_at_once(self) -> None:
        """Leave a checkpoint, while the fit is being ended."""
        if self.kept < self.step:
            self._checkpoint(take_snapshot(self._solver, self.state))
            self.kept = self.step

    def _keep(self) -> Iterator[Event]:
        if self.kept < self.step:
            with self._checkpoints.timed():
                self._checkpoint(self._do(take_snapshot, self._solver, self.state))
            self.kept = self.step
            yield Checkpointed(self._controls.run_id, self.kept)

    def _wait(self, level: int) -> Iterator[Event]:
        """Keep and show what was reached, and wait until the fit may go on; moments that are wished for are shown."""
        yield from self._keep()
        yield self._show_now(level)
        yield Paused(self._controls.run_id, self.step, self._solver.n_steps)
        while self._controls.should_pause():
            if self._controls.should_stop():
                raise StopAskedError
            if self._controls.preview_time() != self._shown_ms:
                yield self._show_now(level)
            time.sleep(_WAIT_S)

    def _show(self, level: int) -> Iterator[Event]:
        if self._previews.due() or self._controls.preview_time() != self._shown_ms:
            yield self._show_now(level)

    def _show_now(self, level: int) -> Preview:
        self._shown_ms = self._controls.preview_time()
        with self._previews.timed():
            return self._do(self._preview, self.state, level, self._shown_ms)

    def _do(self, work: Callable[..., _T], *values: Any, linger_s: float = _LINGER_S) -> _T:
        with device_errors():
            return self._patience.do(partial(work, *values), linger_s)


@contextmanager
def device_errors() -> Iterator[None]:
    """Turn what jax raises when a device fails into one sentence.

    jax's own error is a `RuntimeError`, which Qt workers take for an abort and lose.
    """
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in first or "out of memory" in first.lower():
            raise DeviceError(
                "The device ran out of memory; a smaller field or fewer frames need less, or another device has more."
            ) from error
        raise DeviceError(f"The device failed: {' '.join(first.split())[:200]}.") from error


class _Pace:
    """When something is due that must come every so often, but not take more than its share of the time.

    Parameters
    ----------
    every_s
        Seconds from one to the next where it takes no time.
    pause
        So many times what it took goes by before the next one.
    most_s
        But not more than this, from the end of one to the end of the next; where it takes nearly that long itself, half
        of what it took, or there would be nothing else.
    """

    def __init__(self, every_s: float, pause: float, most_s: float = math.inf) -> None:
        self._every_s, self._pause, self._most_s = every_s, pause, most_s
        self._next = time.monotonic() + every_s

    def due(self) -> bool:
        return time.monotonic() >= self._next

    @contextmanager
    def timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        share_s = min(self._pause * took, max(self._most_s - took, took / 2))
        self._next = time.monotonic() + max(self._every_s - took, share_s)


class _Remaining:
    """Time to come: steps of the present level at their measured speed, of others in proportion to their pixels."""

    def __init__(self, solver: Solver) -> None:
        self._stages = solver.schedule.stages
        self._pixels = {level: solver.problem(0).grid.at_level(level).padded_shape for level, _, _ in self._stages}
        self._level: int | None = None
        self._seconds_per_step: float | None = None

    def add(self, level: int, steps: int, seconds: float) -> None:
        if level != self._level:
            # The first call of a level compiles: it says nothing about the speed of a step.
            if self._seconds_per_step is not None and self._level is not None:
                self._seconds_per_step *= self._work(level) / self._work(self._level)
            self._level = level
        elif steps:
            new = seconds / steps
            old = self._seconds_per_step
            self._seconds_per_step = new if old is None else 0.7 * old + 0.3 * new

    def remaining_s(self, step: int) -> float | None:
        if self._seconds_per_step is None or self._level is None:
            return None
        work = sum(max(0, stop - max(start, step)) * self._work(level) for level, start, stop in self._stages)
        return self._seconds_per_step * work / self._work(self._level)

    def _work(self, level: int) -> float:
        return float(np.prod(self._pixels[level]))
