"""Whether a field in tiles survives the loss of workers on a Dask cluster.

    python benchmarks/cluster_kills.py [--kills 5] [--size 192] [--tile-px 96] [--epochs 400]

DPC, 4 frames of a swirl, preset fast, in tiles on a LocalCluster of two workers: once in peace, once while workers are
killed by SIGKILL at random moments of it (Dask starts others in their places). After each kill every store that is
there is opened. Told are PSNR of the phase against the truth, of both, how often tiles were begun again, and the time.
The exit status is 1 if a store does not open, a tile is missing, or the result is more than 0.3 dB below the other.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from napari_nstm.analysis.metrics import psnr
from napari_nstm.cli.simulate import write_simulation
from napari_nstm.core.errors import NstmError
from napari_nstm.core.events import Event, Finished, Notice, PartDone, Prepared, Progress
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.io.result import open_result
from napari_nstm.run.job import job_from_mapping, load_job
from napari_nstm.run.reconstruct import iter_reconstruct

PHASE, ALLOWED_DB = 1, 0.3


def quality(out: Path, simulation: Simulation) -> float:
    found = np.asarray(open_result(out).reconstruction)
    return float(np.mean([psnr(one[PHASE], true[PHASE]) for one, true in zip(found, simulation.truth, strict=True)]))


def opened(out: Path) -> list[str]:
    """Open the store of the whole and those of its tiles; return what is wrong."""
    wrong = []
    for path in (out, *sorted((out / "tiles").glob("*.zarr"))):
        try:
            stored = open_result(path)
            if stored.record.step and path != out:
                np.asarray(stored.reconstruction[0])
        except NstmError as error:
            wrong.append(str(error))
    return wrong


class Killer:
    """Kills a worker whenever the fit has come so far: at random, evenly spread shares of all steps."""

    def __init__(self, cluster: Any, out: Path, kills: int, random: np.random.Generator) -> None:
        self._cluster, self._out, self._random = cluster, out, random
        self._at = [(k + random.uniform()) / kills for k in range(kills)]
        self.troubles: list[str] = []
        self.killed = 0

    def __call__(self, event: Event) -> None:
        """Kill a worker, if it is time."""
        if not isinstance(event, Progress) or not self._at or event.step < self._at[0] * event.n_steps:
            return
        at_work = [nanny for nanny in self._cluster.workers.values() if nanny.pid is not None]
        if not at_work:
            return  # Dask has not yet started others
        self._at.pop(0)
        os.kill(int(self._random.choice([nanny.pid for nanny in at_work])), signal.SIGKILL)
        self.killed += 1
        self.troubles += opened(self._out)
        print(f"  killed at step {event.step} of {event.n_steps}, after {event.elapsed_s:.1f} s", flush=True)


def run(job: Path, out: Path, options: argparse.Namespace, cluster: Any, watch: Callable[[Event], None]) -> list[Event]:
    """Run the job in tiles on the cluster; return what is worth keeping of its events."""
    content = load_job(job)[0].model_dump(mode="json", exclude_unset=True)
    content["fit"] = {"epochs": options.epochs, "device": "cpu"}
    content["output"] = {"path": str(out), "checkpoint_every_s": options.checkpoint_s}
    content["compute"] = {"tile_px": options.tile_px, "scheduler": cluster.scheduler_address}
    content["acquisition"]["max_displacement_px"] = options.displacement * 2
    kept = []
    for event in iter_reconstruct(job_from_mapping(content), base_dir=job.parent):
        watch(event)
        if isinstance(event, Notice | PartDone | Finished | Prepared):
            kept.append(event)
    return kept


def measure(folder: Path, options: argparse.Namespace) -> bool:
    random = np.random.default_rng(options.seed)
    request = SimulationRequest("swirl", options.displacement, options.size, 0.005, options.seed)
    simulation = Dpc().simulate(request)
    write_simulation(simulation, "dpc", folder)
    dask = import_module("distributed")
    found = {}
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": "CRITICAL"}
    with dask.LocalCluster(**local) as cluster:
        cluster.scheduler.allowed_failures = options.kills  # chance may have it that all of them hit one tile
        for name in ("peace", "kills"):
            out = folder / f"{name}.zarr"
            killer = Killer(cluster, out, options.kills if name == "kills" else 0, random)
            began = time.monotonic()
            events = run(folder / "job.yml", out, options, cluster, killer)
            seconds = time.monotonic() - began
            done = {event.name for event in events if isinstance(event, PartDone) and event.status == "finished"}
            total = next(event.total for event in events if isinstance(event, PartDone))
            again = sum(isinstance(event, Notice) and "begun again" in event.message for event in events)
            troubles = killer.troubles + opened(out)
            found[name] = quality(out, simulation)
            print(
                f"{name}: {found[name]:.3f} dB, {len(done)} of {total} tiles, {killer.killed} workers killed, "
                f"{again} tiles begun again, {seconds:.1f} s, {len(troubles)} stores that do not open",
                flush=True,
            )
            for trouble in troubles:
                print(f"TROUBLE {trouble}")
            if troubles or len(done) < total:
                return False
    below = found["peace"] - found["kills"]
    print(f"below: {below:+.4f} dB")
    return below <= ALLOWED_DB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--tile-px", type=int, default=96)
    parser.add_argument("--displacement", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--checkpoint-s", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cluster-kills-") as folder:
        fine = measure(Path(folder), options)
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
