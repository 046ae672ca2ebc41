"""A job from its first check to its store: one stream of events for form, command line and cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from napari_nstm.core.errors import InputError, NstmError
from napari_nstm.core.events import Event, Finished, Working
from napari_nstm.core.settings import FitSettings
from napari_nstm.io.result import CHECKPOINT
from napari_nstm.io.store import StoredResult, StoreRecord, StoreWriter, open_result
from napari_nstm.run.claims import family, refuse_if_running
from napari_nstm.run.comparing import finish_comparing
from napari_nstm.run.execute import Opened, estimate, execute
from napari_nstm.run.failures import in_plain_words
from napari_nstm.run.job import JobSource, load_job, with_fit
from napari_nstm.run.patience import Controls
from napari_nstm.run.plan import RawInput, make_plan
from napari_nstm.run.raw_copy import keep_raw
from napari_nstm.run.raw_use import check_unchanged
from napari_nstm.run.result import Result
from napari_nstm.run.tiled.whole import iter_tiled, iter_tiled_estimate, resume_tiled

__all__ = ["Result", "iter_estimate", "iter_reconstruct", "iter_resume", "reconstruct", "resume"]

_MOST_STEPS = 10_000_000

Stop = Callable[[], bool]
Pause = Callable[[], bool]
PreviewTime = Callable[[], float | None]


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
    steps: int | None = None,
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
    steps
        So many steps beyond the end of the run, at full size and with the learning rates of its end; a run that is
        finished goes on with them.

    Raises
    ------
    InputError
        If the store's run is complete and no further steps are asked for, or its raw data are gone or have changed.
    """
    return _last_result(iter_resume(store, raw, device=device, steps=steps, should_stop=should_stop), on_event)


@in_plain_words
def iter_reconstruct(
    job: JobSource,
    raw: RawInput = None,
    *,
    base_dir: str | Path | None = None,
    overwrite: bool = False,
    should_stop: Stop | None = None,
    should_pause: Pause | None = None,
    preview_time: PreviewTime | None = None,
    run_id: str | None = None,
) -> Generator[Event, None, None]:
    """Run a job, yielding its events; the last is `Finished` with the `Result`.

    Everything is checked before anything is written. Closing the generator leaves a store to resume from.
    Parameters and errors as `reconstruct`, and these:

    Parameters
    ----------
    should_pause
        Asked several times a second; while it is true no step is made.
    preview_time
        Asked several times a second: the moment in ms that previews show; None: the middle frame's.
    run_id
        Id that the events carry; default: a random one.
    """
    began = time.monotonic()
    controls = _controls(run_id, should_stop, should_pause, preview_time)
    yield Working(controls.run_id, "Preparing")
    checked, folder = load_job(job, base_dir)
    if checked.compute.in_tiles:
        yield from iter_tiled(checked, raw, folder, controls, overwrite=overwrite)
        return
    plan = make_plan(checked, raw, base_dir=folder, overwrite=overwrite)

    def create(record: StoreRecord) -> Opened:
        return Opened(keep_raw(plan, record, overwrite=overwrite), None, is_new=True)

    yield from execute(plan, create, controls, began)


@in_plain_words
def iter_resume(
    store: str | Path,
    raw: RawInput = None,
    *,
    device: str | None = None,
    steps: int | None = None,
    should_stop: Stop | None = None,
    should_pause: Pause | None = None,
    preview_time: PreviewTime | None = None,
    run_id: str | None = None,
) -> Generator[Event, None, None]:
    """Go on with the run of a store, yielding events as `iter_reconstruct`; parameters and errors as `resume`."""
    began = time.monotonic()
    path = Path(store).absolute()
    stored = open_result(path)
    _check_steps(stored, steps)
    rest = stored.status == "finished" and stored.record.awaits_comparisons and steps is None
    if stored.status == "diverged":
        got = f"{store}, whose run diverged, and would again"
        raise InputError("store", got, "a store whose run was stopped or interrupted")
    if stored.status == "finished" and not rest and steps is None:
        takes = "a store whose run was stopped or interrupted; --steps N goes on with a finished one"
        raise InputError("store", f"{store}, whose run is finished", takes)
    refuse_if_running(path, but_of=family())
    controls = _controls(run_id, should_stop, should_pause, preview_time)
    yield Working(controls.run_id, "Preparing")
    if stored.is_tiled:
        yield from resume_tiled(path, raw, controls, device=device)
        return
    job = stored.job
    if device is not None:
        job = with_fit(job, device=device)
    plan = make_plan(job, raw, base_dir=path, resumed_store=path)
    check_unchanged(stored.record.input_hashes, plan.input_hashes)
    # The stored values, not the preset's: a newer version may have another preset.
    n_steps = stored.record.n_steps + (steps or 0)
    fit = FitSettings.model_validate(stored.record.fit)
    plan = replace(plan, fit=fit, output_times_ms=stored.times_ms, n_steps=n_steps)
    if rest:
        yield from finish_comparing(plan, StoreWriter(path, stored.record), controls)
        return

    def reopen(_: StoreRecord) -> Opened:
        if stored.status == "running" and not (path / CHECKPOINT).exists():
            # It ended before its first checkpoint: begin anew, in the same store.
            return Opened(StoreWriter(path, stored.record), None, is_new=False)
        return Opened(StoreWriter.reopen(path), stored, is_new=False)

    yield from execute(plan, reopen, controls, began)


@in_plain_words
def iter_estimate(
    job: JobSource,
    raw: RawInput = None,
    *,
    base_dir: str | Path | None = None,
    overwrite: bool = False,
    run_id: str | None = None,
) -> Generator[Event, None, None]:
    """Say what a job would need, without running it: notices, and `Prepared` as the last.

    Nothing is written. Parameters and errors as `iter_reconstruct`.
    """
    checked, folder = load_job(job, base_dir)
    run_id = run_id or uuid4().hex[:12]
    if checked.compute.in_tiles:
        yield from iter_tiled_estimate(checked, raw, folder, run_id, overwrite=overwrite)
        return
    plan = make_plan(checked, raw, base_dir=folder, overwrite=overwrite)
    yield from estimate(plan, run_id)


def _check_steps(stored: StoredResult, steps: int | None) -> None:
    if steps is None:
        return
    if not 1 <= steps <= _MOST_STEPS:
        raise InputError("steps", str(steps), f"a number from 1 to {_MOST_STEPS}")
    if stored.is_tiled:
        raise InputError("steps", f"{steps} for a result in tiles", "nothing: more epochs, and a new run, refine tiles")


def _controls(
    run_id: str | None, should_stop: Stop | None, should_pause: Pause | None, preview_time: PreviewTime | None
) -> Controls:
    return Controls(
        run_id or uuid4().hex[:12],
        should_stop or (lambda: False),
        preview_time or (lambda: None),
        should_pause or (lambda: False),
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
