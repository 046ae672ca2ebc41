"""A plan carried out: device and solver, the loop, and what goes into the store in the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import Comparison, SlowComparison
from napari_nstm.core.errors import InputError, NstmError, StoreError
from napari_nstm.core.events import Event, Finished, Notice, Prepared, Working
from napari_nstm.imaging.region import uncropped
from napari_nstm.io.store import StoredResult, StoreRecord, StoreWriter, load_checkpoint
from napari_nstm.run.comparing import asked_for, compare, left_out
from napari_nstm.run.environment import versions
from napari_nstm.run.patience import Controls, Patience, StopAskedError
from napari_nstm.run.plan import Plan
from napari_nstm.run.preflight import prepared_event
from napari_nstm.run.preview import conventional_preview, stored_preview
from napari_nstm.run.result import Result
from napari_nstm.run.start import Start, read_start

if TYPE_CHECKING:
    from napari_nstm.fit.solver import Solver
    from napari_nstm.fit.state import FitState
    from napari_nstm.imaging.base import Problem
    from napari_nstm.run.loop import Course, Outcome, Snapshot

# Acquisitions of a series end at much the same loss; where the sample was not found again it was 7 to 11 times that.
_WORSE_THAN_START, _LAST_LOSSES = 3.0, 10


@dataclass(frozen=True)
class Opened:
    """The store that a run writes.

    Parameters
    ----------
    writer
        Writes it.
    stored
        What was in it, where the run goes on; None: it begins.
    is_new
        Whether it was made for this run: if nothing comes of the run, it goes.
    """

    writer: StoreWriter
    stored: StoredResult | None
    is_new: bool


OpenStore = Callable[[StoreRecord], Opened]


def execute(plan: Plan, open_store: OpenStore, controls: Controls, began: float) -> Generator[Event, None, None]:
    """Carry out a plan, yielding its events; the last is `Finished`.

    Parameters
    ----------
    plan
        What to do.
    open_store
        Makes the store, or opens the one that the run began in.
    controls
        What can be asked of the run.
    began
        When it began (`time.monotonic`).
    """
    with Patience(controls.should_stop) as patience:
        yield from _execute(plan, open_store, controls, patience, began)


def estimate(plan: Plan, run_id: str) -> Iterator[Event]:
    """Say what a plan would need: notices, and `Prepared` as the last."""
    from napari_nstm.run.loop import device_errors

    yield from _notices(plan, run_id)
    with device_errors():
        _, prepared = _prepare(plan, run_id)
    yield from _announced(plan, prepared)


def _execute(
    plan: Plan, open_store: OpenStore, controls: Controls, patience: Patience, began: float
) -> Generator[Event, None, None]:
    from napari_nstm.run.loop import Course, device_errors, fit_loop

    run_id = controls.run_id
    yield from _notices(plan, run_id)
    try:
        with device_errors():
            solver, prepared = patience.do(lambda: _prepare(plan, run_id))
        yield from _announced(plan, prepared)
        comparisons = patience.do(lambda: plan.modality.comparisons(plan.raw, plan.settings))
        slow = asked_for(plan)
        grid = solver.problem(0).grid
        yield conventional_preview(comparisons[0], plan, grid, run_id, controls.preview_time())
        yield Working(run_id, "Compiling", compiling=True)
        state = patience.do(lambda: _first_state(plan, solver, plan.start))
        if controls.should_stop():
            raise StopAskedError
    except StopAskedError:
        yield Finished(run_id, "stopped", None, "Stopped before the first step; nothing was written.")
        return
    opened = open_store(record_of(plan, solver.problem(0), run_id, solver.n_steps))
    writer, stored, course = opened.writer, opened.stored, Course(*_course_so_far(opened.stored))
    if stored is not None:
        state = _load(solver, writer.path)
        yield Notice(run_id, f"Going on from step {int(state.step)} of {solver.n_steps}.")
        yield stored_preview(stored, plan, grid, run_id, controls.preview_time())
    elif plan.start is None and plan.job.fit.start_from is not None:
        # It ended before its first checkpoint, and begins once more where it began.
        state = _first_state(plan, solver, read_start(Path(plan.job.fit.start_from)))
    comparisons, slow = _with_kept(comparisons, slow, stored)
    writer.record = writer.record.with_session(_session(plan, stored), plan.device_words, versions())
    prepare_s = time.monotonic() - began

    def changes(step: int) -> dict[str, Any]:
        timings = {"prepare": prepare_s, "fit": course.elapsed_s}
        losses = tuple(course.losses[:step])
        return {"step": step, "n_steps": solver.n_steps, "loss_history": losses, "timings_s": timings}

    def checkpoint(snapshot: Snapshot) -> None:
        writer.checkpoint(snapshot.canvas, snapshot.motion, snapshot.arrays, **changes(snapshot.step))

    try:
        outcome = yield from fit_loop(
            solver, state, plan, course, controls=controls, patience=patience, checkpoint=checkpoint
        )
        if outcome.status == "stopped" and int(outcome.state.step) == 0:
            if opened.is_new:
                writer.discard()
            yield Finished(run_id, "stopped", None, "Stopped before the first step; nothing was kept.")
            return
        yield Working(run_id, "Writing the result")
        with device_errors():
            outcome = _beside_its_start(outcome, plan.start, course)
            _finish(plan, solver, outcome, writer, comparisons, slow, changes(int(outcome.state.step)))
    except (NstmError, OSError, MemoryError):
        if opened.is_new and not writer.has_checkpoint:
            writer.discard()
        raise
    # The store is complete: whatever happens from here on, nothing of the fit is lost.
    message = yield from compare(slow if outcome.status == "finished" else (), writer, controls, patience)
    result = Result(writer.path, outcome.status, message, plan.output_times_ms, np.asarray(course.losses))
    yield Finished(run_id, outcome.status, str(writer.path), message, result)


def _notices(plan: Plan, run_id: str) -> Iterator[Event]:
    for message in plan.notices:
        yield Notice(run_id, message)
    yield from _keep_compiled(run_id)


def _announced(plan: Plan, prepared: Prepared) -> Iterator[Event]:
    if prepared.memory_free_bytes is not None and prepared.memory_bytes > prepared.memory_free_bytes:
        words = f"The fit may not fit into the free memory of the device ({plan.device_words})."
        yield Notice(prepared.run_id, words)
    yield prepared


def _keep_compiled(run_id: str) -> Iterator[Event]:
    from napari_nstm.fit.device import use_compile_cache

    # Where the user says where, jax has heard it already.
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        try:
            use_compile_cache()
        except OSError as error:
            yield Notice(run_id, f"Compiled programs cannot be kept for the next run ({error.strerror}).")


def _prepare(plan: Plan, run_id: str) -> tuple[Solver, Prepared]:
    from napari_nstm.fit.solver import Solver

    def problem_at(level: int) -> Problem:
        return _in_steps(plan, plan.modality.prepare(plan.raw, plan.settings, level))

    given = None
    if plan.given_motion is not None:
        is_part = plan.job.region is not None
        given = plan.given_motion.on(problem_at(0).grid, plan.frame_times_ms, plan.origin_um, is_part=is_part)
    solver = Solver(problem_at, plan.fit, plan.device, given, plan.n_steps)
    return solver, prepared_event(plan, solver, run_id)


def _in_steps(plan: Plan, problem: Problem) -> Problem:
    images = plan.job.fit.images_per_step
    if images is None:
        return problem
    regroup: Callable[[int], Problem] | None = getattr(problem, "in_steps_of", None)
    if regroup is None:
        raise InputError(
            "fit.images_per_step", str(images), f"nothing with {plan.modality.title}: it has its own steps"
        )
    return regroup(images)


def record_of(plan: Plan, problem: Problem, run_id: str, n_steps: int) -> StoreRecord:
    """Return what a store says of a run that begins.

    Parameters
    ----------
    plan, problem
        What is fitted, and as the fit sees it at full size.
    run_id, n_steps
        Of the run.
    """
    grid = problem.grid
    return StoreRecord(
        run_id=run_id,
        job={"nstm": plan.job.nstm, **plan.job.model_dump(mode="json", exclude_unset=True)},
        fit=plan.fit.model_dump(mode="json"),
        shape=grid.shape,
        pixel_size_um=grid.pixel_size_um,
        origin_um=plan.origin_um if plan.job.region is not None else (),
        channels=grid.channels,
        presentation=problem.presentation,
        frame_times_ms=plan.frame_times_ms,
        times_ms=plan.output_times_ms,
        seed=plan.fit.seed,
        device=plan.device_words,
        versions=versions(),
        input_hashes=dict(plan.input_hashes),
        normalization=plan.modality.normalization(plan.raw, plan.settings),
        notices=plan.notices,
        n_steps=n_steps,
    )


def _first_state(plan: Plan, solver: Solver, start: Start | None) -> FitState:
    from napari_nstm.run.loop import device_errors

    with device_errors():
        state = solver.init()
        return state if start is None else start.state(solver, state, plan.origin_um)


def _beside_its_start(outcome: Outcome, start: Start | None, course: Course) -> Outcome:
    """Say so where a fit that has ended explains its frames far worse than the one it started from did its own."""
    if start is None or outcome.status != "finished":
        return outcome
    before = [loss for loss in start.stored.record.loss_history[-_LAST_LOSSES:] if loss is not None]
    if not before or np.mean(course.losses[-_LAST_LOSSES:]) < _WORSE_THAN_START * np.mean(before):
        return outcome
    said = " It explains its frames far worse than the result it started from did: the sample may be too far from where"
    return replace(outcome, message=f"{outcome.message}{said} it was, and a run that begins anew may be better.")


def _with_kept(
    comparisons: tuple[Comparison, ...], slow: tuple[SlowComparison, ...], stored: StoredResult | None
) -> tuple[tuple[Comparison, ...], tuple[SlowComparison, ...]]:
    """Take slow comparisons that the store holds from it: they are of the frames, whatever the fit does."""
    if stored is None or not slow:
        return comparisons, slow
    # While a run goes on its store shows none of them; and what a message names was not made to its end.
    before = replace(stored, record=stored.record.changed({"status": "finished"}))
    there = {one.name for one in slow if one.title not in stored.record.message} & set(before.comparison_names)
    kept = tuple(before.comparison(one.name) for one in slow if one.name in there)
    return (*comparisons, *kept), tuple(one for one in slow if one.name not in there)


def _course_so_far(stored: StoredResult | None) -> tuple[list[float], float]:
    """Return the loss of every step that was done, and the seconds of fitting."""
    if stored is None:
        return [], 0.0
    record = stored.record
    return record.losses, record.timings_s.get("fit", 0.0)


def _session(plan: Plan, stored: StoredResult | None) -> str:
    """Say in a word what a run is to its store."""
    if stored is None:
        return "began"
    goes_beyond = plan.n_steps is not None and plan.n_steps > stored.record.n_steps
    return "continued" if goes_beyond else "resumed"


def _load(solver: Solver, store: Path) -> FitState:
    try:
        return solver.load(load_checkpoint(store).state)
    except ValueError as error:
        raise StoreError(f"{store} cannot be resumed with this version of napari-nstm: {error}.") from error


def _finish(
    plan: Plan,
    solver: Solver,
    outcome: Outcome,
    writer: StoreWriter,
    comparisons: tuple[Comparison, ...],
    slow: tuple[SlowComparison, ...],
    changes: dict[str, Any],
) -> None:
    state, is_whole = outcome.state, outcome.status == "finished"
    frames: Iterator[NDArray[np.float32]] | None = None
    if plan.fit.rendering == "exact":
        problem = solver.problem(0)
        times = (plan.normalised_time(time_ms) for time_ms in plan.output_times_ms)
        frames = (problem.present(solver.render(state, t)) for t in times)
    writer.finish(
        outcome.status,
        solver.canvas(state),
        solver.motion_lattice(state),
        solver.save(state),
        reconstruction=frames,
        comparisons=comparisons,
        residual=solver.residual(state) if outcome.has_residual else None,
        message=outcome.message if is_whole else outcome.message + left_out(slow),
        awaits_comparisons=is_whole and bool(slow),
        refined=_refined(plan, solver.refined(state)),
        **changes,
    )


def _refined(plan: Plan, found: dict[str, Any]) -> dict[str, Any]:
    """Say what was refined as the job's settings do, those of the whole field."""
    if plan.job.region is None or not set(found) <= set(type(plan.settings).model_fields):
        return found
    height, width = plan.whole_raw.frames.shape[-2:]
    whole = uncropped(plan.modality, plan.settings.model_copy(update=found), (height, width), plan.job.region)
    return {name: getattr(whole, name) for name in found}
