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
    start_from: Path | None = None,
) -> int:
    """Run a job file and return the exit status."""
    from napari_nstm.cli.tiles import with_compute
    from napari_nstm.run.job import load_job, store_path

    job, base_dir = load_job(job_file)
    job = with_changes(job, out=out, preset=preset, device=device, region=region, start_from=start_from)
    job = with_compute(job, tile_px=tile_px, tile_memory_gb=tile_memory_gb, scheduler=scheduler)

    def events(should_stop: Callable[[], bool]) -> Generator[Event, None, None]:
        from napari_nstm.run.reconstruct import iter_reconstruct

        return iter_reconstruct(job, base_dir=base_dir, overwrite=overwrite, should_stop=should_stop)

    return follow(events, store_path(job, base_dir))


def resume_store(store: Path, *, device: str | None, steps: int | None = None, out: Path | None = None) -> int:
    """Go on with the run of a store and return the exit status."""
    if out is not None:
        raise InputError("--out", str(out), "nothing without --finer-motion: a run goes on in its own store")

    def events(should_stop: Callable[[], bool]) -> Generator[Event, None, None]:
        from napari_nstm.run.reconstruct import iter_resume

        return iter_resume(store, device=device, steps=steps, should_stop=should_stop)

    return follow(events, store.absolute())


def refine_motion(
    store: Path, *, out: Path | None, device: str | None, steps: int | None = None, overwrite: bool = False
) -> int:
    """Fit the frames of a finished run once more, with finer motion, from where it ended; return the exit status."""
    from napari_nstm.run.job import with_fit
    from napari_nstm.run.start import with_finer_motion

    if out is None:
        raise InputError("--out", "nothing", "the store of the new result, which --finer-motion makes")
    if steps is not None:
        raise InputError("--steps", str(steps), "nothing with --finer-motion, which is a run of its own")
    if out.absolute() == store.absolute():
        raise InputError("--out", str(out), "another store than the one that the new run starts from")
    job = with_finer_motion(store, out)
    if device is not None:
        job = with_fit(job, device=device)

    def events(should_stop: Callable[[], bool]) -> Generator[Event, None, None]:
        from napari_nstm.run.reconstruct import iter_reconstruct

        return iter_reconstruct(job, base_dir=store.absolute(), overwrite=overwrite, should_stop=should_stop)

    return follow(events, out.absolute())


def with_changes(
    job: Job,
    *,
    out: Path | None,
    preset: str | None = None,
    device: str | None = None,
    region: str | None = None,
    start_from: Path | None = None,
) -> Job:
    """Apply what the command line says to a job."""
    from napari_nstm.run.job import job_from_mapping, with_fit

    if region is not None:
        job = job_from_mapping({**job.model_dump(exclude_unset=True), "region": _numbers(region)})
    # As everywhere on the command line, a path is from here, not from the job file.
    start = None if start_from is None else str(start_from.absolute())
    changes = (("preset", preset), ("device", device), ("start_from", start))
    said = {name: value for name, value in changes if value is not None}
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
