"""The commands that run many jobs: batch, and series."""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from napari_nstm.cli.fitting import INTERRUPTED
from napari_nstm.cli.interrupt import Interrupt
from napari_nstm.cli.progress import Reporter, duration
from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Event, Failed, Finished
from napari_nstm.run.batch import Outcome, check_batch, run_batch
from napari_nstm.run.job import load_job
from napari_nstm.run.patience import Controls
from napari_nstm.run.series import run_series, series_folder
from napari_nstm.run.table import read_batch

SOME_FAILED = 1

Outcomes = Generator[Event, None, list[Outcome]]


def run_batch_of(files: Sequence[Path], *, scheduler: str | None, overwrite: bool, summary: Path | None) -> int:
    """Check all jobs, run them, say how each ended, and return the exit status."""
    jobs = read_batch(files)
    if summary is not None and summary.suffix.lower() != ".csv":
        raise InputError("--summary", summary.name, "a file ending in .csv")
    for one, problem in zip(jobs, check_batch(jobs, overwrite=overwrite), strict=True):
        if problem is not None:
            raise InputError(f"{one.name}, {problem.field}", problem.got, problem.takes)
    words = f"{len(jobs)} job{'s' * (len(jobs) != 1)}; all of them can be read."
    return _follow(lambda controls: run_batch(jobs, controls, scheduler=scheduler, overwrite=overwrite), summary, words)


def run_series_of(
    job_file: Path,
    *,
    frames_each: int | None,
    out: Path | None,
    warm_start: bool,
    scheduler: str | None,
    overwrite: bool,
) -> int:
    """Reconstruct every acquisition of a series, say how each ended, and return the exit status."""
    job, base_dir = load_job(job_file)
    folder = series_folder(job, base_dir) if out is None else out.absolute()

    def events(controls: Controls) -> Outcomes:
        return run_series(
            job,
            controls,
            base_dir=base_dir,
            frames_each=frames_each,
            out=folder,
            warm_start=warm_start,
            scheduler=scheduler,
            overwrite=overwrite,
        )

    try:
        return _follow(events, folder / "summary.csv")
    except InputError as error:
        # As it is called on the command line.
        said = {"frames_each": "--frames-each", "out": "--out"}.get(error.field, error.field)
        raise InputError(said, error.got, error.takes) from error


def _follow(events: Callable[[Controls], Outcomes], summary: Path | None, words: str = "") -> int:
    console = Console(highlight=False)
    with Reporter(console) as reporter, Interrupt(reporter.say) as interrupt:
        if words:
            reporter.say(words)
        stream, outcomes = events(Controls(uuid4().hex[:12], interrupt)), []
        last: Event | None = None
        while True:
            try:
                last = next(stream)
                reporter.show(last)
            except StopIteration as end:
                outcomes = end.value
                break
        reporter.end_bar()
        _show(console, outcomes)
        if isinstance(last, Finished | Failed):
            reporter.say(last.message)
        if summary is not None:
            write_summary(summary, outcomes)
            reporter.say(f"{summary}: the same as a table.")
        if interrupt.asked:
            reporter.say("To go on, give the same command again: what is done is left alone.")
            return INTERRUPTED
    return SOME_FAILED if any(one.status != "finished" for one in outcomes) else 0


def write_summary(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write how jobs ended as CSV: job, status, seconds, result, message."""
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("job", "status", "seconds", "result", "message"))
            for one in outcomes:
                writer.writerow((one.name, one.status, f"{one.seconds:.1f}", one.path or "", one.message))
    except OSError as error:
        raise InputError(
            "--summary", f"{path}, which cannot be written ({error.strerror})", "a writable path"
        ) from error


def _show(console: Console, outcomes: Sequence[Outcome]) -> None:
    if not console.is_terminal:  # a log has no width: a line each
        for one in outcomes:
            console.print(_line(one), markup=False, highlight=False, soft_wrap=True)
        return
    table = Table("job", "status", "time", "result, or what went wrong")
    for one in outcomes:
        table.add_row(one.name, one.status, duration(one.seconds), _left(one))
    console.print(table)


def _line(one: Outcome) -> str:
    return f"{one.name}: {one.status}, {duration(one.seconds)}, {_left(one)}"


def _left(one: Outcome) -> str:
    """Say where the result is, or what went wrong."""
    return one.message if one.status == "failed" or one.path is None else one.path
