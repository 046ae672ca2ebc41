"""The commands of a field in tiles: plan, run, blend; each can be a job of a batch system."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

import typer
from rich.console import Console

from napari_nstm.cli.fitting import INTERRUPTED, follow
from napari_nstm.cli.interrupt import Interrupt
from napari_nstm.cli.progress import Reporter
from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Event
from napari_nstm.core.settings import Job


def plan_job(
    job_file: Path, *, out: Path | None, tile_px: int | None, tile_memory_gb: float | None, overwrite: bool
) -> list[str]:
    """Plan the tiles of a job, write the plan, and return what is to be said."""
    from napari_nstm.cli.fitting import with_changes
    from napari_nstm.run.job import load_job
    from napari_nstm.run.tiled.plan import create_store, lay_out

    job, base_dir = load_job(job_file)
    job = with_changes(with_compute(job, tile_px=tile_px, tile_memory_gb=tile_memory_gb), out=out)
    if not job.compute.in_tiles:
        raise InputError("compute.tile_px", "nothing", "a size of tiles (--tile-px), or the memory of one")
    plan = lay_out(job, None, base_dir, overwrite=overwrite)
    store = create_store(plan, uuid4().hex[:12], overwrite=overwrite)
    tiles = plan.tiles
    n, (height, width) = len(tiles.tiles), tiles.size_px
    fitted = tiles.tiles[0].fitted
    place = shlex.quote(str(store))
    return [
        *(f"Note: {notice}" for notice in plan.whole.notices),
        f"{n} tile{'s' * (n != 1)} of {height} x {width} pixels, each fitted from {fitted[2]} x {fitted[3]}.",
        f"For each, in any order and on any machine that sees it (I from 0 to {n - 1}):",
        f"  napari-nstm tiles run {place} --tile I",
        "Then:",
        f"  napari-nstm tiles blend {place}",
    ]


def run_one_tile(store: Path, index: int) -> int:
    """Reconstruct a tile and return the exit status."""

    def events(should_stop: Callable[[], bool]) -> Generator[Event, None, None]:
        from napari_nstm.run.patience import Controls
        from napari_nstm.run.tiled.run import run_tile

        return run_tile(store, index, Controls(uuid4().hex[:12], should_stop))

    return follow(events, store.absolute(), f"napari-nstm tiles run {shlex.quote(str(store))} --tile {index}")


def blend_store(store: Path) -> int:
    """Make one result of all tiles and return the exit status."""
    from napari_nstm.run.patience import Controls
    from napari_nstm.run.tiled.run import blend

    console, result = Console(highlight=False), None

    def told(interrupt: Interrupt) -> Generator[Event, None, None]:
        nonlocal result
        result = yield from blend(store, Controls(uuid4().hex[:12], interrupt))

    with Reporter(console) as reporter, Interrupt(reporter.say, "Stopping; the tiles are kept.") as interrupt:
        with suppress(KeyboardInterrupt), closing(told(interrupt)) as events:
            for event in events:
                reporter.show(event)
        reporter.end_bar()
        if result is None:
            reporter.say(f"Stopped; the tiles are kept.\nTo go on:  napari-nstm tiles blend {shlex.quote(str(store))}")
            return INTERRUPTED
        typer.echo(f"{result.record.message} The result is in {result.path}.")
        for name, value in result.record.seam_rms.items():
            what = "motion" if name == "motion_um" else name
            unit = "um" if name == "motion_um" else next((c.unit for c in result.channels if c.name == name), "")
            typer.echo(f"Where tiles overlap, {what} differs by {value:.3g} {unit}".rstrip() + " (rms).")
        return 0


def with_compute(
    job: Job, *, tile_px: int | None = None, tile_memory_gb: float | None = None, scheduler: str | None = None
) -> Job:
    """Apply what the command line says of tiles and cluster to a job."""
    from napari_nstm.run.job import job_from_mapping

    said = {"tile_px": tile_px, "tile_memory_gb": tile_memory_gb, "scheduler": scheduler}
    given = {name: value for name, value in said.items() if value is not None}
    if not given:
        return job
    content = job.model_dump(exclude_unset=True)
    return job_from_mapping({**content, "compute": {**content.get("compute", {}), **given}})
