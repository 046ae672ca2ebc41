"""The loop of a fit: advance, say how far it is, show it, checkpoint, and end for one of four reasons."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import jax
import numpy as np

from napari_nstm.core.errors import DeviceError
from napari_nstm.core.events import Checkpointed, Event, Preview, Progress, Status
from napari_nstm.core.warp import positions
from napari_nstm.fit.solver import Solver
from napari_nstm.fit.state import FitState
from napari_nstm.run.plan import Plan

# A stop is answered, and progress told, at least this often (seconds).
_CHUNK_S = 0.25
# Previews take at most a fifth of the time, checkpoints a tenth.
_PREVIEW_PAUSE, _CHECKPOINT_PAUSE = 4.0, 9.0
# Samples of a preview's motion along the longest axis.
_PREVIEW_MOTION_SAMPLES = 32


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
class Outcome:
    """How the loop ended.

    Parameters
    ----------
    state
        The last good state.
    status, message
        Why it ended, and a sentence.
    """

    state: FitState
    status: Status
    message: str


def fit_loop(
    solver: Solver,
    state: FitState,
    plan: Plan,
    course: Course,
    *,
    run_id: str,
    checkpoint: Callable[[FitState], None],
    should_stop: Callable[[], bool],
) -> Generator[Event, None, Outcome]:
    """Run a fit to its end, yielding events.

    Closing this generator, and a device that fails, leave a checkpoint of the last good state.
    """
    output = plan.job.output
    clock = _Remaining(solver)
    previews = _Pace(output.preview_every_s, _PREVIEW_PAUSE)
    checkpoints = _Pace(output.checkpoint_every_s, _CHECKPOINT_PAUSE)
    chunk_s = min(_CHUNK_S, output.preview_every_s)
    before, began = course.elapsed_s, time.monotonic()
    first = True
    try:
        while int(state.step) < solver.n_steps:
            if should_stop():
                return Outcome(state, "stopped", f"Stopped at step {int(state.step)} of {solver.n_steps}.")
            chunk_began = time.monotonic()
            with device_errors():
                state, report = solver.advance(state, chunk_s)
            clock.add(report.level, len(report.losses), time.monotonic() - chunk_began)
            course.elapsed_s = before + time.monotonic() - began
            if report.diverged:
                return Outcome(state, "diverged", report.message or "The fit diverged.")
            course.losses.extend(report.losses)
            remaining = clock.remaining_s(report.step)
            yield Progress(
                run_id,
                report.step,
                report.n_steps,
                report.level,
                report.granularity,
                report.loss,
                course.elapsed_s,
                remaining,
            )
            # The first call does a step or two, to compile: there is nothing to see yet.
            if previews.due() and not first:
                with previews.timed(), device_errors():
                    preview = make_preview(solver, state, plan, run_id, report.level)
                yield preview
            if checkpoints.due() and report.step < report.n_steps:
                with checkpoints.timed(), device_errors():
                    checkpoint(state)
                yield Checkpointed(run_id, report.step)
            first = False
    except (GeneratorExit, KeyboardInterrupt):
        checkpoint(state)
        raise
    except DeviceError as error:
        # A device that is gone cannot be read: then the checkpoint before this one stands.
        with suppress(jax.errors.JaxRuntimeError, MemoryError):
            checkpoint(state)
        raise DeviceError(f"{error} The last checkpoint is kept.") from error
    return Outcome(state, "finished", f"{solver.n_steps} steps in {course.elapsed_s:.1f} s.")


def make_preview(solver: Solver, state: FitState, plan: Plan, run_id: str, level: int) -> Preview:
    """Render the middle frame's moment at a pyramid level, and the motion since the first frame."""
    times = plan.frame_times_ms
    time_ms = times[len(times) // 2]
    grid = solver.problem(level).grid
    t, t_first = plan.normalised_time(time_ms), plan.normalised_time(times[0])
    scene = solver.problem(level).present(solver.render(state, t, level))
    stride = max(1, -(-max(grid.shape) // _PREVIEW_MOTION_SAMPLES))
    spacing = tuple(1 if grid.ndim == 3 and axis == 0 else stride for axis in range(grid.ndim))
    where = positions(
        tuple(-(-n // s) for n, s in zip(grid.shape, spacing, strict=True)), tuple(float(s) for s in spacing)
    )
    motion_px = solver.motion_lattice(state).displacement(where, t, t_first)
    size = np.asarray(grid.pixel_size_um, np.float32).reshape(-1, *(1,) * grid.ndim)
    return Preview(
        run_id, int(state.step), level, time_ms, np.asarray(scene, np.float32), motion_px * size, grid.step, spacing
    )


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
                "The device ran out of memory; a smaller field needs less, or `device: cpu` may have more."
            ) from error
        raise DeviceError(f"The device failed: {' '.join(first.split())[:200]}.") from error


class _Pace:
    """When something is due that must come every so often, but not take more than its share of the time."""

    def __init__(self, every_s: float, pause: float) -> None:
        self._every_s, self._pause = every_s, pause
        self._next = time.monotonic() + every_s

    def due(self) -> bool:
        return time.monotonic() >= self._next

    @contextmanager
    def timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        self._next = time.monotonic() + max(self._every_s - took, self._pause * took)


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
