"""The commands that fit: reconstruct and resume."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

from rich.console import Console

from napari_nstm.cli.interrupt import Interrupt
from napari_nstm.cli.progress import Reporter
from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Event, Finished
from napari_nstm.core.settings import Job

INTERRUPTED = 130


def reconstruct_job(
    job_file: Path,
    *,
    out: Path | None,
    preset: str | None,
    device: str | None,
    overwrite: bool,
    region: str | None = None,
    tile_px: int | None = None,
    tile_memory_gb: float | None = None,
    scheduler: str | None = None,
) -> int:
    """Run a job file and return the exit status."""
    from napari_nstm.cli.tiles import with_compute
    from napari_nstm.run.job import load_job, store_path

    job, base_dir = load_job(job_file)
    job = with_changes(job, out=out, preset=preset, device=device, region=region)
    job = with_compute(job, tile_px=tile_px, tile_memory_gb=tile_memory_gb, scheduler=scheduler)

    def events(should_stop: Callable[[], bool]) -> Generator[Event, None, None]:
        from napari_nstm.run.reconstruct import iter_reconstruct

        return iter_reconstruct(job, base_dir=base_dir, overwrite=overwrite, should_stop=should_stop)

    return follow(events, store_path(job, base_dir))


def resume_store(store: Path, *, device: str | None, steps: int | None = None) -> int:
    """Go on with the run of a store and return the exit status."""

    def events(should_stop: Callable[[], bool]) -> Generator[Event, None, None]:
        from napari_nstm.run.reconstruct import iter_resume

        return iter_resume(store, device=device, steps=steps, should_stop=should_stop)

    return follow(events, store.absolute())


def with_changes(
    job: Job,
    *,
    out: Path | None,
    preset: str | None = None,
    device: str | None = None,
    region: str | None = None,
) -> Job:
    """Apply what the command line says to a job."""
    from napari_nstm.run.job import job_from_mapping, with_fit

    if region is not None:
        job = job_from_mapping({**job.model_dump(exclude_unset=True), "region": _numbers(region)})
    said = {name: value for name, value in (("preset", preset), ("device", device)) if value is not None}
    job = with_fit(job, **said)
    if out is None:
        return job
    return job.model_copy(update={"output": job.output.model_copy(update={"path": str(out.absolute())})})


def _numbers(region: str) -> list[int]:
    try:
        numbers = [int(part) for part in region.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        takes = "four whole numbers: first row, first column, rows and columns (100,80,256,256)"
        raise InputError("--region", repr(region), takes)
    return numbers


def follow(
    events: Callable[[Callable[[], bool]], Generator[Event, None, None]], store: Path, again: str | None = None
) -> int:
    """Show a run until its end.

    Parameters
    ----------
    events
        Starts the run; takes the function that says whether to stop.
    store
        Where the run writes.
    again
        The command that goes on with it; None: `resume`.

    Returns
    -------
    The exit status.
    """
    console = Console(highlight=False)
    finished: Finished | None = None
    with Reporter(console) as reporter, Interrupt(reporter.say) as interrupt:
        try:
            with closing(events(interrupt)) as stream:
                for event in stream:
                    reporter.show(event)
                    if isinstance(event, Finished):
                        finished = event
        except KeyboardInterrupt:
            reporter.end_bar()
            reporter.say("Ended at once." + _how_to_resume(store, again))
            return INTERRUPTED
        reporter.end_bar()
        return _report_end(reporter, finished, store, again)


def _report_end(reporter: Reporter, finished: Finished | None, store: Path, again: str | None) -> int:
    if finished is None or finished.path is None:
        reporter.say("Stopped; nothing was written.")
        return INTERRUPTED
    if finished.status == "stopped":
        reporter.say(f"{finished.message} The result so far is in {finished.path}." + _how_to_resume(store, again))
        return INTERRUPTED
    if finished.status == "diverged":
        print(f"napari-nstm: {finished.message} It is in {finished.path}.", file=sys.stderr)
        return 2
    reporter.say(f"{finished.message} The result is in {finished.path}.")
    return 0


def _how_to_resume(store: Path, again: str | None) -> str:
    if not (store / "zarr.json").exists():
        return " Nothing was written."
    return f"\nTo go on:  {again or f'napari-nstm resume {shlex.quote(str(store))}'}"
