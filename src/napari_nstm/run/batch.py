"""Many jobs, one after another or on a cluster: what is done is left alone, what fails does not end the others."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_nstm.core.errors import InputError, NstmError
from napari_nstm.core.events import Event, Failed, Finished, Notice, PartDone
from napari_nstm.core.settings import Job
from napari_nstm.io.result import is_store, open_result
from napari_nstm.io.store import StoredResult
from napari_nstm.run.client import Child
from napari_nstm.run.failures import in_plain_words
from napari_nstm.run.job import job_from_mapping, replace_dotted, store_path, with_fit
from napari_nstm.run.parts import Part, PartEvent, in_turn, run_parts
from napari_nstm.run.patience import Controls
from napari_nstm.run.plan import check_job
from napari_nstm.run.result import done_before
from napari_nstm.run.same_job import made_by

# How often a stop is looked for while a process fits (seconds).
_LOOK_S = 0.1
_ANEW = "The fit begins anew, because the result that it was to start from did not come to be."


@dataclass(frozen=True)
class BatchJob:
    """A job of a batch.

    Parameters
    ----------
    name
        What the user knows it as: a file, or a row of a table.
    job, base_dir
        The job, and the folder that its paths are relative to.
    after
        Index of the job that must be done before; None: none.
    or_anew
        Whether it begins anew where the result that it starts from did not come to be.
    """

    name: str
    job: Job
    base_dir: Path
    after: int | None = None
    or_anew: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a job of a batch ended.

    Parameters
    ----------
    name
        The job.
    status
        `finished`, `stopped`, `diverged`, `failed`, or `not begun`.
    seconds
        How long it took.
    path
        Its store; None where it left none.
    message
        One sentence.
    """

    name: str
    status: str
    seconds: float
    path: str | None
    message: str


def check_batch(jobs: Sequence[BatchJob], *, overwrite: bool = False) -> list[InputError | None]:
    """Check every job before the first one runs; nothing is written.

    Returns
    -------
    list
        What is wrong with each job; None where nothing is.

    Raises
    ------
    InputError
        If two jobs write to one place.
    """
    places: dict[Path, str] = {}
    for one in jobs:
        place = store_path(one.job, one.base_dir)
        if place in places:
            raise InputError("output.path", f"{place} in {places[place]} and in {one.name}", "a path for each job")
        places[place] = one.name
    return [_problem_of(one, overwrite=overwrite) for one in jobs]


def run_batch(
    jobs: Sequence[BatchJob], controls: Controls, *, scheduler: str | None = None, overwrite: bool = False
) -> Generator[Event, None, list[Outcome]]:
    """Run jobs, yielding the events of each and a `PartDone` as it ends; returns how each ended.

    Here each runs in a process of its own: one that is killed for its memory takes nothing with it.

    Parameters
    ----------
    jobs
        They are checked once more as they begin.
    controls
        Stop ends the one at work, which keeps what it reached, and begins no other.
    scheduler
        Dask scheduler whose workers take the jobs; None: this computer.
    overwrite
        Replace results that are there and belong to other jobs.
    """
    run_id, began = controls.run_id, dict.fromkeys(range(len(jobs)), time.monotonic())
    outcomes = [Outcome(one.name, "not begun", 0.0, None, "Not begun.") for one in jobs]
    parts = [_part(one, overwrite=overwrite, is_sent=scheduler is not None) for one in jobs]
    stream = _here(jobs, parts, controls) if scheduler is None else run_parts(parts, controls, scheduler)
    started: set[int] = set()
    for part_event in stream:
        index, event = part_event.index, part_event.event
        if index not in started:
            started.add(index)
            began[index] = time.monotonic()
        if isinstance(event, Finished | Failed):
            path, message = getattr(event, "path", None), event.message
            status = event.status if isinstance(event, Finished) else "failed"
            outcomes[index] = Outcome(jobs[index].name, status, time.monotonic() - began[index], path, message)
            done = sum(one.status != "not begun" for one in outcomes)
            yield PartDone(run_id, jobs[index].name, done, len(jobs), path, message, status)
        else:
            yield event
    return outcomes


@in_plain_words
def run_job(
    job: Mapping[str, Any], base_dir: str | Path, controls: Controls, *, overwrite: bool, or_anew: bool = False
) -> Generator[Event, None, None]:
    """Run a job in this process, yielding its events: one that is done says so, one that was interrupted goes on.

    Parameters
    ----------
    job, base_dir
        The job as plain JSON, and the folder that its paths are relative to.
    controls
        What can be asked of the run.
    overwrite
        Replace a result that is there and belongs to another job.
    or_anew
        Begin anew where the result that it starts from did not come to be.
    """
    from napari_nstm.run.reconstruct import iter_reconstruct, iter_resume

    checked, folder = job_from_mapping(job), Path(base_dir)
    there = _result_of(checked, folder)
    if there is not None and there.status in ("finished", "diverged"):
        yield done_before(there, controls.run_id)
    elif there is not None:
        yield from iter_resume(there.path, **controls.as_options())
    else:
        if or_anew and not _has_start(checked, folder):
            yield Notice(controls.run_id, _ANEW)
            checked = _anew(checked)
        yield from iter_reconstruct(checked, base_dir=folder, overwrite=overwrite, **controls.as_options())


def _part(one: BatchJob, *, overwrite: bool, is_sent: bool) -> Part:
    job = one.job.model_dump(mode="json", exclude_unset=True)
    if is_sent and one.job.compute.scheduler is not None:
        # A worker that waited for other workers to do the tiles would hold one of them.
        job = replace_dotted(job, "compute.scheduler", None)
    command = {"do": "job", "job": job, "base_dir": str(one.base_dir), "overwrite": overwrite, "or_anew": one.or_anew}
    return Part(one.name, command, one.after)


def _problem_of(one: BatchJob, *, overwrite: bool) -> InputError | None:
    there = _result_of(one.job, one.base_dir)
    try:
        # What it starts from is made by one before it.
        job = one.job if one.after is None else _anew(one.job)
        check_job(job, None, one.base_dir, overwrite=overwrite, resumed_store=None if there is None else there.path)
    except InputError as error:
        return error
    return None


def _anew(job: Job) -> Job:
    return with_fit(job, start_from=None)


def _has_start(job: Job, base_dir: Path) -> bool:
    """Whether there is what a job starts from; True of a job that starts from nothing."""
    if job.fit.start_from is None:
        return True
    path = base_dir / Path(job.fit.start_from).expanduser()
    return is_store(path) and open_result(path).status == "finished"


def _result_of(job: Job, base_dir: Path) -> StoredResult | None:
    """Return what a job has left where its result goes; None where that is nothing, or of another job."""
    path = store_path(job, base_dir)
    if not is_store(path):
        return None
    stored = open_result(path)
    return stored if made_by(job, base_dir, stored.record.job) else None


def _here(jobs: Sequence[BatchJob], parts: Sequence[Part], controls: Controls) -> Generator[PartEvent, None, None]:
    """Run jobs one after another in a process of their own, which is started again where it ended."""
    child: Child | None = None

    def carry_out(index: int) -> Generator[Event, None, None]:
        nonlocal child
        one = jobs[index]
        try:
            there = _result_of(one.job, one.base_dir)
            if there is not None and there.status in ("finished", "diverged"):
                yield done_before(there, controls.run_id)
                return
            child = _alive(child)
            yield from _run_in(child, one, there, controls, overwrite=bool(parts[index].command["overwrite"]))
        except NstmError as error:
            yield Failed(controls.run_id, None, str(error))

    try:
        yield from in_turn(parts, controls, carry_out)
    finally:
        if child is not None:
            child.close()


def _alive(child: Child | None) -> Child:
    """Return a process that runs: this one, or another in its place."""
    if child is not None and child.alive:
        return child
    if child is not None:
        child.close()
    return Child().start()


def _run_in(
    child: Child, one: BatchJob, there: StoredResult | None, controls: Controls, *, overwrite: bool
) -> Generator[Event, None, None]:
    if there is not None:
        yield Notice(controls.run_id, f"{one.name} goes on from its checkpoint.")
        yield from _followed(child, child.resume(there.path), controls)
        return
    job = one.job
    if one.or_anew and not _has_start(job, one.base_dir):
        yield Notice(controls.run_id, _ANEW)
        job = _anew(job)
    yield from _followed(child, child.run(job, one.base_dir, overwrite=overwrite), controls)


def _followed(child: Child, run_id: str, controls: Controls) -> Generator[Event, None, None]:
    stopped = False
    while True:
        if controls.should_stop() and not stopped:
            stopped = True
            child.stop(run_id)
        for event in child.poll():
            if event.run_id == run_id:
                yield event
                if isinstance(event, Finished | Failed):
                    return
        time.sleep(_LOOK_S)
