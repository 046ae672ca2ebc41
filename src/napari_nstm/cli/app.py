"""The commands, their arguments and help. What they need is imported when they run: `--help` stays fast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="napari-nstm",
    help="A moving sample from several shots: sharp at every moment, and how it moved.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_DEVICE = "auto, cpu, gpu or gpu:1; default: what the job says."
_PRESET = "fast (pictures in seconds) or paper (as published); default: what the job says."
_OVERWRITE = "Replace an existing result."
_TILE_PX = "Largest side of a tile, in raw pixels: a large field is fitted tile by tile."
_TILE_MEMORY = "Memory that the fit of a tile may need: tiles are made as large as that allows."
_SCHEDULER = "Dask scheduler whose workers compute: tcp://host:8786, or its scheduler file."

tiles_app = typer.Typer(help="A large field in tiles: plan once, run each anywhere, blend.", rich_markup_mode=None)
app.add_typer(tiles_app, name="tiles")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Say the version and exit.")] = False,
) -> None:
    if version:
        from napari_nstm import __version__

        typer.echo(f"napari-nstm {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything it makes.")] = Path("nstm-demo"),
    size: Annotated[int, typer.Option(help="Pixels along y and x.")] = 256,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu or gpu:1.")] = "auto",
    show: Annotated[
        bool, typer.Option("--show/--no-show", help="Open napari at the end, where there is a screen.")
    ] = True,
) -> int:
    """Simulate a small moving sample, reconstruct it, make a movie and a comparison picture."""
    from napari_nstm.cli.demo import run_demo

    return run_demo(out, size=size, device=device, show=show)


@app.command()
def simulate(
    modality: Annotated[str, typer.Argument(help="dpc, sim, sim3d, diffusercam, or any registered modality.")],
    out: Annotated[Path, typer.Option(help="Folder for raw.tif, truth.tif, truth_motion.npy and job.yml.")],
    motion: Annotated[
        str, typer.Option(help="none, translation, rotation, shear, swirl, bend, vibration, bounce or wave.")
    ] = "swirl",
    displacement: Annotated[float, typer.Option(help="99th percentile of the displacement, in raw pixels.")] = 6.0,
    size: Annotated[int, typer.Option(help="Raw pixels along y and x (diffusercam: along x).")] = 256,
    noise: Annotated[
        float, typer.Option(help="Gaussian sigma, as a fraction of the background, or of the brightest pixel (SIM).")
    ] = 0.005,
    seed: Annotated[int, typer.Option(help="Seed of noise and target.")] = 0,
    target: Annotated[
        str | None,
        typer.Option(
            help="What is looked at (dpc: usaf, cells; sim: usaf, beads, filaments, tubule;"
            " diffusercam: hand, ball, text)."
        ),
    ] = None,
    forward: Annotated[str | None, typer.Option(help="How frames are made (dpc: linear or abbe).")] = None,
    option: Annotated[list[str] | None, typer.Option(help="A further choice of the modality, NAME=VALUE.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that were made before.")] = False,
) -> None:
    """Make raw frames of a known moving sample, with the truth and a job that reconstructs them."""
    from napari_nstm.cli.simulate import simulate_to, simulation_request

    choices = {"target": target, "forward": forward}
    request = simulation_request(motion, displacement, size, noise, seed, choices, option or [])
    folder = simulate_to(modality, request, out, overwrite=overwrite)
    typer.echo(f"{folder / 'job.yml'}: now run  napari-nstm reconstruct {folder / 'job.yml'}")


@app.command()
def reconstruct(
    job: Annotated[Path, typer.Argument(help="Job file (YAML or JSON).")],
    out: Annotated[Path | None, typer.Option(help="Result store; default: what the job says.")] = None,
    preset: Annotated[str | None, typer.Option(help=_PRESET)] = None,
    device: Annotated[str | None, typer.Option(help=_DEVICE)] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="Part of the frames, in raw pixels: first row, first column, rows, columns (100,80,256,256)."
        ),
    ] = None,
    tile_px: Annotated[int | None, typer.Option(metavar="PIXELS", help=_TILE_PX)] = None,
    tile_memory_gb: Annotated[float | None, typer.Option(metavar="GB", help=_TILE_MEMORY)] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_SCHEDULER)] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(metavar="STORE", help="Begin with scene and motion of this result, of the same field."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=_OVERWRITE)] = False,
) -> int:
    """Reconstruct the frames of a job file."""
    from napari_nstm.cli.fitting import reconstruct_job

    return reconstruct_job(
        job,
        out=out,
        preset=preset,
        device=device,
        region=region,
        tile_px=tile_px,
        tile_memory_gb=tile_memory_gb,
        scheduler=scheduler,
        start_from=start_from,
        overwrite=overwrite,
    )


@app.command()
def resume(
    store: Annotated[Path, typer.Argument(help="Store of a run that was stopped or interrupted, or has finished.")],
    device: Annotated[str | None, typer.Option(help="auto, cpu, gpu or gpu:1; default: as before.")] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Go on for N steps beyond the end; for a finished run too.")
    ] = None,
    finer_motion: Annotated[
        bool, typer.Option("--finer-motion", help="Fit a finished run once more with finer motion; needs --out.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where the result with finer motion goes.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=_OVERWRITE)] = False,
) -> int:
    """Go on with a run from its last checkpoint."""
    from napari_nstm.cli.fitting import refine_motion, resume_store

    if finer_motion:
        return refine_motion(store, out=out, device=device, steps=steps, overwrite=overwrite)
    return resume_store(store, device=device, steps=steps, out=out)


@tiles_app.command("plan")
def plan_tiles(
    job: Annotated[Path, typer.Argument(help="Job file (YAML or JSON).")],
    out: Annotated[Path | None, typer.Option(help="Result store; default: what the job says.")] = None,
    tile_px: Annotated[int | None, typer.Option(metavar="PIXELS", help=_TILE_PX)] = None,
    tile_memory_gb: Annotated[float | None, typer.Option(metavar="GB", help=_TILE_MEMORY)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=_OVERWRITE)] = False,
) -> None:
    """Divide the field of a job, settle what its tiles share, and write the plan into its store."""
    from napari_nstm.cli.tiles import plan_job

    for line in plan_job(job, out=out, tile_px=tile_px, tile_memory_gb=tile_memory_gb, overwrite=overwrite):
        typer.echo(line)


@tiles_app.command("run")
def run_tile(
    store: Annotated[Path, typer.Argument(help="Store that was planned.")],
    tile: Annotated[int, typer.Option(metavar="I", help="Number of the tile, from 0 ($SLURM_ARRAY_TASK_ID).")],
) -> int:
    """Reconstruct one tile; one that is done is left alone, one that was interrupted goes on."""
    from napari_nstm.cli.tiles import run_one_tile

    return run_one_tile(store, tile)


@tiles_app.command("blend")
def blend_tiles(store: Annotated[Path, typer.Argument(help="Store whose tiles are all done.")]) -> int:
    """Make one result of the tiles."""
    from napari_nstm.cli.tiles import blend_store

    return blend_store(store)


@app.command()
def batch(
    files: Annotated[
        list[Path], typer.Argument(help="Job files, and tables (.csv, .tsv) with a row for each job.", metavar="FILES")
    ],
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_SCHEDULER)] = None,
    summary: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write how each ended, as a table.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results of other jobs.")] = False,
) -> int:
    """Run many jobs: what is done is left alone, what was interrupted goes on, what fails does not end the others."""
    from napari_nstm.cli.batch import run_batch_of

    return run_batch_of(files, scheduler=scheduler, overwrite=overwrite, summary=summary)


@app.command()
def series(
    job: Annotated[Path, typer.Argument(help="Job file whose raw data are acquisitions one after the other.")],
    frames_each: Annotated[
        int | None,
        typer.Option(metavar="N", help="Frames of an acquisition; default: as the method's settings say."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for the results; default: beside the job's result.")
    ] = None,
    no_warm_start: Annotated[
        bool, typer.Option("--no-warm-start", help="Begin each anew, not with the result of the one before.")
    ] = False,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_SCHEDULER)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results of other jobs.")] = False,
) -> int:
    """Reconstruct acquisitions that lie one after the other in one file, each from where its neighbour ended."""
    from napari_nstm.cli.batch import run_series_of

    return run_series_of(
        job,
        frames_each=frames_each,
        out=out,
        warm_start=not no_warm_start,
        scheduler=scheduler,
        overwrite=overwrite,
    )


@app.command()
def movie(
    store: Annotated[Path, typer.Argument(help="Result store.")],
    out: Annotated[Path, typer.Argument(help="The movie: .mp4, .gif or .png (numbered pictures).")],
    frames: Annotated[int | None, typer.Option(help="Moments to show; default: as the speed needs.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second; default: real time or a round factor.")] = None,
    channel: Annotated[
        str | None, typer.Option(help="What is shown; default: all colours, or the last channel.")
    ] = None,
    plane: Annotated[int | None, typer.Option(help="Plane of a volume; default: the middle one.")] = None,
    boomerang: Annotated[bool, typer.Option("--boomerang", help="Play forward and back.")] = False,
    side_by_side: Annotated[bool, typer.Option("--side-by-side", help="With the conventional result.")] = False,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What else stands on the left: conventional, widefield, fista_tv, where the result holds it.",
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Width of a picture; default: the result's pixels, small ones enlarged."),
    ] = None,
    no_arrows: Annotated[bool, typer.Option("--no-arrows", help="Without the motion.")] = False,
    no_scale_bar: Annotated[bool, typer.Option("--no-scale-bar", help="Without the scale bar.")] = False,
    no_time: Annotated[bool, typer.Option("--no-time", help="Without time and speed.")] = False,
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Without the key to grey levels and colours of arrows.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing movie.")] = False,
) -> int:
    """Write a movie of a result, with arrows, scale bar and time."""
    from napari_nstm.cli.files import make_movie

    return make_movie(
        store,
        out,
        n_frames=frames,
        fps=fps,
        channel=channel,
        plane=plane,
        loop="boomerang" if boomerang else "once",
        side_by_side=side_by_side,
        comparison=compare,
        size_px=width,
        arrows=not no_arrows,
        scale_bar=not no_scale_bar,
        time_stamp=not no_time,
        color_key=not no_key,
        overwrite=overwrite,
    )


@app.command()
def export(
    store: Annotated[Path, typer.Argument(help="Result store.")],
    to: Annotated[
        str, typer.Option(help="Format: ome-tiff, vectors-csv, vectors-npz, job or provenance.")
    ] = "ome-tiff",
    out: Annotated[Path | None, typer.Option(help="The file; default: beside the store.")] = None,
    every_px: Annotated[
        int | None, typer.Option(metavar="N", help="Distance of vectors, in pixels; default: 32 along the longer side.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> int:
    """Write a result in a format that other programs read."""
    from napari_nstm.cli.files import export_store

    return export_store(store, to, out, overwrite=overwrite, every_px=every_px)


@app.command()
def trajectories(
    store: Annotated[Path, typer.Argument(help="Result store.")],
    points: Annotated[
        Path,
        typer.Argument(
            help="Points to follow: CSV with the columns y_um, x_um (z_um in a volume; time_ms if not at the first "
            "frame), or as napari saves a Points layer."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The tracks: .csv.")],
    moments: Annotated[
        int | None, typer.Option(help="Evenly spaced moments of a track; default: those of the result.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Follow points of the sample through time, and write where they are at every moment."""
    from napari_nstm.cli.files import follow_points

    for line in follow_points(store, points, out, moments=moments, overwrite=overwrite):
        typer.echo(line)


@app.command()
def residuals(store: Annotated[Path, typer.Argument(help="Result store.")]) -> None:
    """Say how far the frames are explained, in units of their noise, and which stand out."""
    from napari_nstm.cli.residuals import describe_residuals

    typer.echo(describe_residuals(store))


@app.command()
def info(
    store: Annotated[Path | None, typer.Argument(help="Result store; without one: this installation.")] = None,
) -> None:
    """Say what a result is and how it was made, or what this installation has."""
    from napari_nstm.cli.files import describe_installation, describe_store

    typer.echo(describe_installation() if store is None else describe_store(store))
