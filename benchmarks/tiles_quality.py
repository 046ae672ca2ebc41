"""Quality, seams, memory and time of a large DPC field in tiles, beside the same field as a whole.

    python benchmarks/tiles_quality.py [--size 1024] [--tiles 512 256] [--memory-gb 0.5] [--motion swirl]
                                       [--displacement 7] [--cluster] [--out tiles-quality]

PSNR is that of the phase, as in dpc_quality.py; "in bands" counts only samples where neighbours are mixed. Every piece
of work has a process of its own: its peak memory is that of the process less what it had once libraries were loaded and
the device had begun, beside the estimate that is told before a run. Steps are differences of two neighbouring samples
of (tiles less whole): across a seam, and anywhere else. Jumps are means over 32 px along a seam of what lies within
a band's half width on one side, less the other side: at seams, and in the middle of tiles. With `--cluster` the
smallest tiles are fitted once more on a Dask LocalCluster of two workers, of which one is killed by SIGKILL halfway.

Pictures in the folder `--out`: tiles, whole, their difference in the same grey scale, and the difference ten times
stronger; ticks in the margin say where seams are.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_nstm.analysis.metrics import psnr
from napari_nstm.cli.simulate import write_simulation
from napari_nstm.core.events import Event, Failed, Finished, Notice, PartDone, Prepared
from napari_nstm.core.settings import ComputeSettings, FitRequest, Job, OutputSettings
from napari_nstm.core.tiles import TilePlan
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.io.result import StoredResult, open_result
from napari_nstm.run.job import dump_job, load_job
from napari_nstm.run.patience import Controls
from napari_nstm.run.reconstruct import iter_reconstruct
from napari_nstm.run.tiled import plan as planning
from napari_nstm.run.tiled import run as running

PHASE = 1
MARGIN_PX = 20
ALONG_PX = 32
_BUSY_S = 10.0
Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds, peak bytes beyond those of its libraries, and the estimate in bytes."""

    seconds: float
    peak: int
    estimate: int = 0

    def __str__(self) -> str:
        told = f" (estimate {self.estimate / 1e9:.2f} GB)" if self.estimate else ""
        return f"{self.seconds:6.1f} s, peak {self.peak / 1e9:.2f} GB{told}"


# -- in processes of their own -------------------------------------------------


def work(content: dict[str, Any]) -> None:
    """Do a piece of work and print what it took, as JSON."""
    import_module("napari_nstm.run.loop")  # what every run loads
    jax.numpy.fft.rfft2(jax.numpy.ones((64, 64))).block_until_ready()
    before, began, estimate = _peak(), time.monotonic(), 0
    controls = Controls("tiles", lambda: False, lambda: None, lambda: False)
    if content["do"] == "plan":
        job, folder = load_job(content["job"])
        planning.create_store(planning.lay_out(job, None, folder, overwrite=True), "tiles", overwrite=True)
    else:
        events: Iterable[Event]
        if content["do"] == "reconstruct":
            events = iter_reconstruct(content["job"], overwrite=True)
        elif content["do"] == "tile":
            events = running.run_tile(content["store"], content["index"], controls)
        else:
            events = running.blend(content["store"], controls)
        for event in events:
            if isinstance(event, Prepared):
                estimate = event.memory_bytes
            elif isinstance(event, Failed):
                raise SystemExit(event.message)
    print(json.dumps({"seconds": time.monotonic() - began, "peak": _peak() - before, "estimate": estimate}))


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def in_process(**content: Any) -> Cost:
    done = subprocess.run(
        [sys.executable, __file__, "--work", json.dumps(content)], stdout=subprocess.PIPE, text=True, check=True
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


# -- what is compared ----------------------------------------------------------


def bands(plan: TilePlan) -> NDArray[np.bool_]:
    """Return where neighbours are mixed: (row, column)."""
    largest = np.zeros(plan.field_px, np.float32)
    rows, columns = (np.arange(n) for n in plan.field_px)
    for tile in plan.tiles:
        np.maximum(largest, plan.weight(tile, rows, columns), out=largest)
    return largest < 0.999


def seams(plan: TilePlan, axis: int) -> list[int]:
    """Return the first samples after the seams along an axis."""
    return sorted({tile.output[axis] for tile in plan.tiles} - {0})


def phases(result: StoredResult) -> Picture:
    return np.asarray(result.reconstruction[:, PHASE])


def psnr_of(found: Picture, simulation: Simulation) -> float:
    return float(np.mean([psnr(one, true[PHASE]) for one, true in zip(found, simulation.truth, strict=True)]))


def psnr_where(found: Picture, simulation: Simulation, where: NDArray[np.bool_]) -> float:
    """Return the PSNR of the samples in a mask, with the means that whole frames are compared with."""
    inner = slice(MARGIN_PX, -MARGIN_PX)
    values = []
    for one, true in zip(found, simulation.truth[:, PHASE], strict=True):
        a, b, mask = one[inner, inner].astype(float), true[inner, inner].astype(float), where[inner, inner]
        error = a - a.mean() - b + b.mean()
        values.append(10 * np.log10(np.ptp(b) ** 2 / np.mean(error[mask] ** 2)))
    return float(np.mean(values))


def steps(difference: Picture, plan: TilePlan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sizes of steps across seams, and of all others."""
    at, elsewhere = [], []
    for axis in (0, 1):
        step = np.abs(np.diff(difference.astype(float), axis=axis + 1))
        where = [seam - 1 for seam in seams(plan, axis)]
        at.append(np.take(step, where, axis=axis + 1).ravel())
        elsewhere.append(np.delete(step, where, axis=axis + 1).ravel())
    return np.concatenate(at), np.concatenate(elsewhere)


def jumps(difference: Picture, plan: TilePlan, shift: int) -> NDArray[np.float64]:
    """Return the jumps across lines that lie so far from the seams, as means over pieces of a line."""
    found, width = [], max(plan.blend_px, 1)
    for axis in (0, 1):
        across = np.moveaxis(difference.astype(float), axis + 1, 1)
        n = across.shape[2] // ALONG_PX * ALONG_PX
        for seam in seams(plan, axis):
            line = seam + shift
            sides = across[:, line : line + width].mean(1) - across[:, line - width : line].mean(1)
            found.append(sides[:, :n].reshape(len(sides), -1, ALONG_PX).mean(-1).ravel())
    return np.concatenate(found)


def rms(values: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=float))))


def report(
    name: str, result: StoredResult, whole: Picture, whole_motion_um: Picture, simulation: Simulation, out: Path
) -> float:
    """Print what a result in tiles is worth beside the whole; returns how far it is below, in dB."""
    plan, record = result.record.tiles, result.record
    if plan is None:
        raise SystemExit(f"{result.path} is not in tiles")
    found, mixed, std = phases(result), bands(plan), float(whole.std())
    difference = found - whole
    below = psnr_of(whole, simulation) - psnr_of(found, simulation)
    at, elsewhere = steps(difference, plan)
    here, there = jumps(difference, plan, 0), jumps(difference, plan, -(plan.size_px[0] // 2))
    in_bands, off_bands = ([psnr_where(one, simulation, m) for one in (found, whole)] for m in (mixed, ~mixed))
    size = " x ".join(map(str, plan.size_px))
    print(f"{name}: {len(plan.tiles)} tiles of {size} px, each fitted on {plan.tiles[0].fitted[2:]} px")
    print(f"  reach {plan.reach_px} px, motion {plan.motion_px} px, half band {plan.blend_px} px")
    print(f"  PSNR {psnr_of(found, simulation):.3f} dB, {below:+.3f} dB below the whole")
    print(f"  in bands {in_bands[0]:.3f} dB (whole {in_bands[1]:.3f})")
    print(f"  elsewhere {off_bands[0]:.3f} dB (whole {off_bands[1]:.3f})")
    for channel, value in record.seam_rms.items():
        relative = f", {100 * value / std:.2f} % of the image's std {std:.4g}" if channel == "phase" else ""
        print(f"  seam rms, {channel}: {value:.4g}{relative}")
    print(f"  tiles less whole: rms {rms(difference):.4g}; in bands {rms(difference[:, mixed]):.4g}")
    print(f"  steps across seams: largest {at.max():.4g}, rms {rms(at):.4g}")
    print(f"  steps elsewhere:    largest {elsewhere.max():.4g}, rms {rms(elsewhere):.4g}")
    print(f"  jumps at seams: largest {np.abs(here).max():.4g}, rms {rms(here):.4g}")
    print(f"  jumps mid-tile: largest {np.abs(there).max():.4g}, rms {rms(there):.4g}")
    apart = float(np.abs(np.asarray(result.motion_um) - whole_motion_um).mean())
    print(f"  motion: mean difference from the whole {apart / result.pixel_size_um[-1]:.3f} px", flush=True)
    moment = len(found) // 2
    draw(out / f"{name}.png", plan, found[moment], whole[moment])
    return below


# -- pictures ------------------------------------------------------------------


def draw(path: Path, plan: TilePlan, tiles: Picture, whole: Picture) -> None:
    """Save tiles, whole, difference, and ten times the difference, with ticks at the seams."""
    low, high = np.percentile(whole, [0.5, 99.5])
    middle = (low + high) / 2
    difference = tiles - whole
    panels = [tiles, whole, difference + middle, 10 * difference + middle]
    edge, (height, width) = 14, tiles.shape
    sheet = Image.new("L", (2 * (width + 2 * edge), 2 * (height + 2 * edge)), 255)
    pen = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        grey = np.clip(255 * (panel - low) / (high - low), 0, 255).astype(np.uint8)
        left = edge + (number % 2) * (width + 2 * edge)
        top = edge + (number // 2) * (height + 2 * edge)
        sheet.paste(Image.fromarray(grey), (left, top))
        for seam in seams(plan, 1):
            for y in (top - edge + 2, top + height + 2):
                pen.line((left + seam, y, left + seam, y + edge - 5), fill=0)
        for seam in seams(plan, 0):
            for x in (left - edge + 2, left + width + 2):
                pen.line((x, top + seam, x + edge - 5, top + seam), fill=0)
    sheet.save(path)


# -- all of it -----------------------------------------------------------------


def job_file(folder: Path, name: str, epochs: int | None, **compute: Any) -> tuple[Path, Path]:
    """Write the job of one way to divide the field; returns it, and the store it leads to."""
    job, _ = load_job(folder / "job.yml")
    changed: Job = job.model_copy(
        update={
            "fit": FitRequest(device="cpu", epochs=epochs),
            "output": OutputSettings(path=f"{name}.zarr", preview_every_s=10.0),
            "compute": ComputeSettings(**compute),
        }
    )
    path = folder / f"{name}.yml"
    path.write_text(dump_job(changed), encoding="utf-8")
    return path, folder / f"{name}.zarr"


def in_tiles(job: Path, store: Path) -> None:
    """Plan, fit every tile in a process of its own, blend; print what each took."""
    print(f"{store.stem}: plan  {in_process(do='plan', job=str(job))}")
    plan = open_result(store).record.tiles
    if plan is None:
        raise SystemExit(f"{store} is not in tiles")
    costs = [in_process(do="tile", store=str(store), index=tile.index) for tile in plan.tiles]
    print(f"{store.stem}: tiles {sum(cost.seconds for cost in costs):6.1f} s in all; the first {costs[0]}")
    if later := costs[1:]:  # whose program was compiled before
        print(f"{store.stem}: of the others the one that needs most {max(later, key=lambda cost: cost.peak)}")
    print(f"{store.stem}: blend {in_process(do='blend', store=str(store))}", flush=True)


def on_cluster(job: Path) -> None:
    """Fit tiles on two workers and kill one of them in the middle."""
    dask = import_module("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with dask.LocalCluster(**options) as cluster, dask.Client(cluster) as client:
        loaded, folder = load_job(job)
        compute = loaded.compute.model_copy(update={"scheduler": cluster.scheduler_address})
        began, half_at, killed = time.monotonic(), np.inf, False
        for event in iter_reconstruct(loaded.model_copy(update={"compute": compute}), base_dir=folder, overwrite=True):
            now = time.monotonic() - began
            if not killed and now > half_at + _BUSY_S:  # both are in the middle of a tile
                killed = True
                address, pid = next(iter(client.run(os.getpid).items()))
                os.kill(pid, signal.SIGKILL)
                print(f"  {now:6.1f} s  killed the worker {address}", flush=True)
            if isinstance(event, PartDone):
                print(f"  {now:6.1f} s  {event.name} ({event.done} of {event.total}): {event.message}", flush=True)
                half_at = min(half_at, now if event.done >= event.total // 2 else np.inf)
            elif isinstance(event, Notice):
                print(f"  {now:6.1f} s  {event.message}", flush=True)
            elif isinstance(event, Finished):
                print(f"  {now:6.1f} s  {event.status}: {event.message}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--tiles", type=int, nargs="*", default=None, help="sides of tiles; default: size / 2 and / 4")
    parser.add_argument("--memory-gb", type=float, nargs="*", default=[], help="memory that a tile may need")
    parser.add_argument("--motion", default="swirl")
    parser.add_argument("--displacement", type=float, default=7.0)
    parser.add_argument("--target", default="usaf")
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument(
        "--again", action="store_true", help="keep the whole that an earlier call has left in the folder"
    )
    parser.add_argument("--out", type=Path, default=Path("tiles-quality"))
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        work(json.loads(options.work))
        return
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    choices = {"target": options.target}
    request = SimulationRequest(options.motion, options.displacement, options.size, 0.005, options.seed, choices)
    simulation = Dpc().simulate(request)
    write_simulation(simulation, "dpc", out)
    print(f"DPC {' x '.join(map(str, simulation.raw.shape))}, {options.motion} of {options.displacement:g} px")
    job, store = job_file(out, "whole", options.epochs)
    if not (options.again and store.exists()):
        print(f"whole: {in_process(do='reconstruct', job=str(job))}")
    result = open_result(store)
    whole, motion_um = phases(result), np.asarray(result.motion_um)
    print(f"whole: PSNR {psnr_of(whole, simulation):.3f} dB", flush=True)
    sides = options.tiles if options.tiles is not None else [options.size // 2, options.size // 4]
    ways: list[tuple[str, dict[str, Any]]] = [(f"tiles-{side}", {"tile_px": side}) for side in sides]
    ways += [(f"memory-{gb:g}", {"tile_memory_gb": gb}) for gb in options.memory_gb]
    worst = -np.inf
    for name, compute in ways:
        job, store = job_file(out, name, options.epochs, **compute)
        in_tiles(job, store)
        worst = max(worst, report(name, open_result(store), whole, motion_um, simulation, out))
    if options.cluster:
        job, store = job_file(out, "cluster", options.epochs, tile_px=min(sides, default=options.size // 4))
        on_cluster(job)
        worst = max(worst, report("cluster", open_result(store), whole, motion_um, simulation, out))
    print(f"worst: {worst:+.3f} dB below the whole")
    raise SystemExit(0 if worst <= 0.3 else 1)


if __name__ == "__main__":
    main()
