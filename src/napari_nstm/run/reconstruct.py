"""A job from its first check to its store: one stream of events for form, command line and cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError, NstmError, StoreError
from napari_nstm.core.events import Event, Finished, Notice, Prepared, Status
from napari_nstm.core.settings import FitSettings
from napari_nstm.io.result import CHECKPOINT
from napari_nstm.io.store import StoredResult, StoreRecord, StoreWriter, load_checkpoint, open_result
from napari_nstm.run.environment import versions
from napari_nstm.run.job import JobSource, load_job, with_fit
from napari_nstm.run.plan import Plan, RawInput, make_plan
from napari_nstm.run.raw_copy import keep_raw

if TYPE_CHECKING:
    from napari_nstm.fit.solver import Solver
    from napari_nstm.fit.state import FitState
    from napari_nstm.run.loop import Outcome

Stop = Callable[[], bool]


@dataclass(frozen=True)
class Result:
    """What a run gave; arrays are read from its store when they are asked for.

    Parameters
    ----------
    path
        The store.
    status, message
        How the run ended.
    times_ms
        Moments of `reconstruction` and `motion_um`.
    loss
        Loss of every step, in units of the normalised measurement, squared.
    """

    path: Path
    status: Status
    message: str
    times_ms: tuple[float, ...]
    loss: NDArray[np.float64]

    @cached_property
    def reconstruction(self) -> NDArray[np.float32]:
        """(t, c, [z,] y, x) in physical units."""
        return np.asarray(self.open().reconstruction)

    @cached_property
    def motion_um(self) -> NDArray[np.float32]:
        """U since the first frame, (t, component, [z,] y, x), in um."""
        return np.asarray(self.open().motion_um)

    @cached_property
    def conventional(self) -> NDArray[np.float32]:
        """What the frames give if nothing moved: (c, [z,] y, x) in physical units."""
        stored = self.open().conventional
        if stored is None:
            raise StoreError(f"{self.path} holds no conventional reconstruction.")
        return stored

    def open(self) -> StoredResult:
        """Open the store, which renders scene and motion at any time."""
        return open_result(self.path)


def reconstruct(
    job: JobSource,
    raw: RawInput = None,
    on_event: Callable[[Event], None] | None = None,
    *,
    base_dir: str | Path | None = None,
    overwrite: bool = False,
    should_stop: Stop | None = None,
) -> Result:
    """Run a job to its end.

    Parameters
    ----------
    job
        A `Job`, a mapping of its keys, or the path of a job file.
    raw
        Raw frames in memory (or `RawData` with everything that belongs to them), in place of the job's file.
    on_event
        Called with every event.
    base_dir
        Folder that paths in the job are relative to; default: the job file's, or the working folder.
    overwrite
        Replace an existing result store.
    should_stop
        Asked several times a second; True ends the run and keeps what was reached.

    Raises
    ------
    InputError
        If something in the job or the raw data cannot be used; nothing was written then.
    NstmError
        If the device or the disk failed; the last checkpoint is kept.
    """
    events = iter_reconstruct(job, raw, base_dir=base_dir, overwrite=overwrite, should_stop=should_stop)
    return _last_result(events, on_event)


def resume(
    store: str | Path,
    raw: RawInput = None,
    on_event: Callable[[Event], None] | None = None,
    *,
    device: str | None = None,
    should_stop: Stop | None = None,
) -> Result:
    """Go on with the run of a store, from its last checkpoint to its end.

    Parameters
    ----------
    store
        The store.
    raw
        Raw data in place of those the store's job names; they must be the same.
    on_event, should_stop
        As `reconstruct`.
    device
        Another device than the run began on.

    Raises
    ------
    InputError
        If the store's run is complete, or its raw data are gone or have changed.
    """
    return _last_result(iter_resume(store, raw, device=device, should_stop=should_stop), on_event)


def iter_reconstruct(
    job: JobSource,
    raw: RawInput = None,
    *,
    base_dir: str | Path | None = None,
    overwrite: bool = False,
    should_stop: Stop | None = None,
    run_id: str | None = None,
) -> Generator[Event, None, None]:
    """Run a job, yielding its events; the last is `Finished` with the `Result`.

    Everything is checked before anything is written. Closing the generator leaves a store to resume from.
    Parameters and errors as `reconstruct`.
    """
    began = time.monotonic()
    checked, folder = load_job(job, base_dir)
    plan = make_plan(checked, raw, base_dir=folder, overwrite=overwrite)

    def create(record: StoreRecord) -> tuple[StoreWriter, StoreRecord | None]:
        return keep_raw(plan, record, overwrite=overwrite), None

    yield from _run(plan, create, run_id or uuid4().hex[:12], should_stop or (lambda: False), began)


def iter_resume(
    store: str | Path,
    raw: RawInput = None,
    *,
    device: str | None = None,
    should_stop: Stop | None = None,
    run_id: str | None = None,
) -> Generator[Event, None, None]:
    """Go on with the run of a store, yielding events as `iter_reconstruct`."""
    began = time.monotonic()
    path = Path(store).absolute()
    stored = open_result(path)
    if stored.status in ("finished", "diverged"):
        how = "is finished" if stored.status == "finished" else "diverged, and would again"
        raise InputError("store", f"{store}, whose run {how}", "a store whose run was stopped or interrupted")
    job = stored.job
    if device is not None:
        job = with_fit(job, device=device)
    plan = make_plan(job, raw, base_dir=path, resumed_store=path)
    for name, digest in stored.record.input_hashes.items():
        if plan.input_hashes.get(name) != digest:
            field = name if name == "raw" else f"acquisition.{name}"
            raise InputError(field, "data that have changed since the run began", "the data it began with")
    # The stored values, not the preset's: a newer version may have another preset.
    plan = replace(plan, fit=FitSettings.model_validate(stored.record.fit), output_times_ms=stored.times_ms)

    def reopen(_: StoreRecord) -> tuple[StoreWriter, StoreRecord | None]:
        if stored.status == "running" and not (path / CHECKPOINT).exists():
            # It ended before its first checkpoint: begin anew, in the same store.
            return StoreWriter(path, stored.record), None
        return StoreWriter.reopen(path), stored.record

    yield from _run(plan, reopen, run_id or uuid4().hex[:12], should_stop or (lambda: False), began)


def _run(
    plan: Plan,
    open_writer: Callable[[StoreRecord], tuple[StoreWriter, StoreRecord | None]],
    run_id: str,
    should_stop: Stop,
    began: float,
) -> Generator[Event, None, None]:
    from napari_nstm.run.loop import Course, device_errors, fit_loop

    for message in plan.notices:
        yield Notice(run_id, message)
    yield from _keep_compiled(run_id)
    with device_errors():
        solver, prepared = _prepare(plan, run_id)
    if prepared.memory_free_bytes is not None and prepared.memory_bytes > prepared.memory_free_bytes:
        yield Notice(run_id, f"The fit may not fit into the free memory of the device ({plan.device_words}).")
    yield prepared
    if should_stop():
        yield Finished(run_id, "stopped", None, "Stopped before the first step; nothing was written.")
        return
    writer, earlier = open_writer(_record(plan, solver, run_id))
    course = Course()
    with device_errors():
        state = solver.init()
    if earlier is not None:
        state = _load(solver, writer.path)
        losses = [np.nan if loss is None else loss for loss in earlier.loss_history]
        course = Course(losses, earlier.timings_s.get("fit", 0.0))
        yield Notice(run_id, f"Going on from step {int(state.step)} of {solver.n_steps}.")
    prepare_s = time.monotonic() - began

    def changes(state: FitState) -> dict[str, Any]:
        return {
            "step": int(state.step),
            "loss_history": tuple(course.losses[: int(state.step)]),
            "timings_s": {"prepare": prepare_s, "fit": course.elapsed_s},
        }

    def checkpoint(state: FitState) -> None:
        writer.checkpoint(solver.canvas(state), solver.motion_lattice(state), solver.save(state), **changes(state))

    outcome = yield from fit_loop(
        solver, state, plan, course, run_id=run_id, checkpoint=checkpoint, should_stop=should_stop
    )
    with device_errors():
        _finish(plan, solver, outcome, writer, changes(outcome.state))
    result = Result(writer.path, outcome.status, outcome.message, plan.output_times_ms, np.asarray(course.losses))
    yield Finished(run_id, outcome.status, str(writer.path), outcome.message, result)


def _keep_compiled(run_id: str) -> Iterator[Event]:
    from napari_nstm.fit.device import use_compile_cache

    # Where the user says where, jax has heard it already.
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        try:
            use_compile_cache()
        except OSError as error:
            yield Notice(run_id, f"Compiled programs cannot be kept for the next run ({error.strerror}).")


def _prepare(plan: Plan, run_id: str) -> tuple[Solver, Prepared]:
    from napari_nstm.fit.cost import estimate_cost
    from napari_nstm.fit.solver import Solver

    solver = Solver(lambda level: plan.modality.prepare(plan.raw, plan.settings, level), plan.fit, plan.device)
    problem = solver.problem(0)
    frames = plan.raw.frames
    cost = estimate_cost(problem.grid, len(frames), problem.n_batches, plan.fit, plan.device)
    size = " x ".join(map(str, problem.grid.shape))
    first, last = plan.frame_times_ms[0], plan.frame_times_ms[-1]
    summary = f"{plan.modality.title}: {len(frames)} frames of {size} pixels, {first:g} to {last:g} ms."
    return solver, Prepared(
        run_id,
        summary,
        plan.device_words,
        cost.memory_bytes,
        cost.memory_free_bytes,
        cost.seconds,
        solver.n_steps,
    )


def _record(plan: Plan, solver: Solver, run_id: str) -> StoreRecord:
    problem = solver.problem(0)
    grid = problem.grid
    return StoreRecord(
        run_id=run_id,
        job={"nstm": plan.job.nstm, **plan.job.model_dump(mode="json", exclude_unset=True)},
        fit=plan.fit.model_dump(mode="json"),
        shape=grid.shape,
        pixel_size_um=grid.pixel_size_um,
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
        n_steps=solver.n_steps,
    )


def _load(solver: Solver, store: Path) -> FitState:
    try:
        return solver.load(load_checkpoint(store).state)
    except ValueError as error:
        raise StoreError(f"{store} cannot be resumed with this version of napari-nstm: {error}.") from error


def _finish(plan: Plan, solver: Solver, outcome: Outcome, writer: StoreWriter, changes: dict[str, Any]) -> None:
    state = outcome.state
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
        conventional=plan.modality.conventional(plan.raw, plan.settings),
        residual=solver.residual(state),
        message=outcome.message,
        **changes,
    )


def _last_result(events: Iterator[Event], on_event: Callable[[Event], None] | None) -> Result:
    for event in events:
        if on_event is not None:
            on_event(event)
        if isinstance(event, Finished):
            if isinstance(event.result, Result):
                return event.result
            raise NstmError(event.message)
    raise NstmError("The run ended without a result.")
