"""Whether runs that are killed at random moments survive: stores open, little is lost, the resumed are as good.

    python benchmarks/survival.py [--child 20] [--late 5] [--parent 5] [--worker 5] [--epochs 1000]

DPC, 4 frames of a swirl, preset fast. Four kinds of kill, all by SIGKILL: of the process that fits at a moment
between the beginning and the end of a run; of that process while it writes the result, after its last step (`--late`
of `--child`); of the process that started it, after which the one that fits has to end by itself; and of one of two
workers of a Dask LocalCluster, each with a job, which have to end anyway. Every store but those of Dask is opened as
it was left and resumed by another process. PSNR as in dpc_quality.py. Lost are the steps and the seconds between what
the store has and the last step that was heard of. The exit status is 1 if a store does not open, a process is left,
or a resumed run is more than 0.3 dB below the one that was left alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
import psutil

from napari_nstm.analysis.metrics import psnr
from napari_nstm.cli.simulate import write_simulation
from napari_nstm.core.errors import ChildError, NstmError
from napari_nstm.core.events import Event, Failed, Finished, Progress, Working
from napari_nstm.core.settings import FitRequest, Job, OutputSettings
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.io.result import CHECKPOINT, open_result
from napari_nstm.run.client import Child
from napari_nstm.run.job import dump_job, load_job
from napari_nstm.run.parts import Part, run_parts
from napari_nstm.run.patience import Controls

PHASE = 1
GRACE_S = 5.0
ALLOWED_DB = 0.3
TIMEOUT_S = 120


@dataclass
class Heard:
    """What a run has said so far, with the seconds since it began."""

    began: float = field(default_factory=time.monotonic)
    steps: list[tuple[float, int]] = field(default_factory=list)
    wrote_at: float | None = None
    ended_at: float | None = None
    message: str = ""

    def add(self, event: Event) -> None:
        """Take an event."""
        now = time.monotonic() - self.began
        if isinstance(event, Progress):
            self.steps.append((now, event.step))
        elif isinstance(event, Working) and event.what.startswith("Writing"):
            self.wrote_at = now
        elif isinstance(event, Finished | Failed):
            self.ended_at, self.message = now, event.message

    @property
    def step(self) -> int:
        """Last step that was heard of."""
        return self.steps[-1][1] if self.steps else 0

    def seconds_since(self, step: int) -> float:
        """Seconds of fitting from this step to the last that was heard of."""
        passed = [at for at, reached in self.steps if reached >= step]
        return passed[-1] - passed[0] if passed else 0.0


@dataclass(frozen=True)
class Killed:
    """A run that was killed, and what became of it."""

    kind: str
    at_s: float
    heard: int
    kept: int
    lost_s: float
    opened: str
    ended_s: float | None = None
    left: int = 0


def listen(child: Child, heard: Heard, until_s: float = np.inf, after_writing_s: float | None = None) -> bool:
    """Hear a run until a moment, or its end; returns whether it goes on."""
    while heard.ended_at is None:
        for event in child.poll():
            heard.add(event)
        now = time.monotonic() - heard.began
        if after_writing_s is None:
            due = now >= until_s
        else:
            due = heard.wrote_at is not None and now >= heard.wrote_at + after_writing_s
        if due:
            return heard.ended_at is None
        if now > TIMEOUT_S:
            raise SystemExit(f"nothing was heard of a run for {TIMEOUT_S} s")
        time.sleep(0.001)
    return False


def run_to_end(child: Child, job: Path, out: Path) -> Heard:
    heard = Heard()
    child.run(job_to(job, out), job.parent)
    listen(child, heard)
    return heard


def job_to(job: Path, out: Path) -> Job:
    read, _ = load_job(job)
    return read.model_copy(update={"output": read.output.model_copy(update={"path": str(out)})})


def resume_to_end(child: Child, job: Path, out: Path) -> str:
    """Resume a run; one that had left nothing is begun anew. Returns what went wrong, or nothing."""
    heard = Heard()
    if not out.exists():
        child.run(job_to(job, out), job.parent)
    elif open_result(out).status == "finished":
        return ""
    else:
        child.resume(out)
    listen(child, heard)
    return "" if open_result(out).status == "finished" else heard.message


def opened(out: Path) -> tuple[str, int]:
    """Open what a killed run has left: in a word, and the step it holds."""
    if not out.exists():
        return "nothing", 0
    try:
        stored = open_result(out)
        step = stored.record.step
        if stored.status == "finished" or (out / CHECKPOINT).exists():
            np.asarray(stored.reconstruction[0])  # a result that cannot be shown is none
            return stored.status, step
    except NstmError as error:
        return f"FAILS: {error}", 0
    return "no step", step


def quality(out: Path, simulation: Simulation) -> float:
    found = np.asarray(open_result(out).reconstruction)
    return float(np.mean([psnr(one[PHASE], true[PHASE]) for one, true in zip(found, simulation.truth, strict=True)]))


def kill_child(
    child: Child, job: Path, out: Path, kind: str, until_s: float = np.inf, after_writing_s: float | None = None
) -> Killed:
    heard = Heard()
    child.run(job_to(job, out), job.parent)
    listen(child, heard, until_s, after_writing_s)
    at = time.monotonic() - heard.began
    os.kill(child.pid, signal.SIGKILL)
    try:
        while True:  # what was said before, and not read yet
            for event in child.poll():
                heard.add(event)
            time.sleep(0.001)
    except ChildError:
        child.close()
    word, kept = opened(out)
    return Killed(kind, at, heard.step, kept, heard.seconds_since(kept), word)


def kill_parent(job: Path, out: Path, until_s: float) -> Killed:
    command = [sys.executable, __file__, "--be-parent", str(job), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as parent:
        assert parent.stdout is not None
        for line in parent.stdout:
            if line.startswith("begun"):
                break
        began = time.monotonic()
        processes = psutil.Process(parent.pid).children(recursive=True)
        time.sleep(until_s)
        at = time.monotonic() - began
        parent.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        said = [line.split() for line in parent.stdout]
    steps = [(float(at), int(step)) for word, at, step in said if word == "step"]
    gone, left = psutil.wait_procs(processes, timeout=GRACE_S + 10)
    ended = time.monotonic() - killed
    assert len(gone) + len(left) > 0
    word, kept = opened(out)
    heard = Heard(steps=steps)
    return Killed("parent", at, heard.step, kept, heard.seconds_since(kept), word, ended, len(left))


def kill_workers(
    job: Path, folder: Path, times: int, until_s: float, random: np.random.Generator
) -> Iterator[tuple[str, float, Path]]:
    """Run two jobs on two workers and kill one at a random moment; yield name, moment and store of each job."""
    dask = import_module("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with dask.LocalCluster(**options) as cluster, dask.Client(cluster) as client:
        for number in range(times):
            outs = [folder / f"worker-{number}-{which}.zarr" for which in "ab"]
            commands = [job_to(job, out).model_dump(mode="json", exclude_unset=True) for out in outs]
            base = {"do": "job", "base_dir": str(folder), "overwrite": False}
            parts = [Part(out.stem, {**base, "job": content}) for out, content in zip(outs, commands, strict=True)]
            client.wait_for_workers(2)
            at, pid = random.uniform(0, until_s), random.choice(list(client.run(os.getpid).values()))
            killer = threading.Timer(at, os.kill, (int(pid), signal.SIGKILL))
            killer.start()
            for _ in run_parts(parts, Controls("worker"), cluster.scheduler_address):
                pass
            came = "" if killer.finished.is_set() else ", ended before"
            killer.cancel()
            yield from ((out.stem + came, at, out) for out in outs)


def survived(rows: list[tuple[Killed, float]], troubles: list[str]) -> bool:
    """Print the worst of all, and return whether it will do."""
    worst = max(below for _, below in rows)
    lost_s = max(killed.lost_s for killed, _ in rows)
    ended = [killed.ended_s for killed, _ in rows if killed.ended_s is not None]
    fine = len(rows) - len(troubles)
    print(f"worst: {worst:+.4f} dB below, {lost_s:.2f} s lost; {fine} of {len(rows)} without trouble")
    if ended:
        print(f"without its parent a process ended within {max(ended):.2f} s (it has {GRACE_S:g} s for a checkpoint)")
    for trouble in troubles:
        print(f"TROUBLE {trouble}")
    return not troubles and worst <= ALLOWED_DB


def be_parent(job: Path, out: Path) -> None:
    """Drive a run until this process is killed."""
    with Child(grace_s=GRACE_S) as child:
        child.wait_ready()
        child.run(job_to(job, out), job.parent)
        began = time.monotonic()
        print("begun", flush=True)
        while True:
            for event in child.poll():
                if isinstance(event, Progress):
                    print("step", f"{time.monotonic() - began:.3f}", event.step, flush=True)
                elif isinstance(event, Finished | Failed):
                    time.sleep(TIMEOUT_S)
            time.sleep(0.001)


def simulated(folder: Path, options: argparse.Namespace) -> tuple[Simulation, Path]:
    simulation = Dpc().simulate(SimulationRequest("swirl", options.displacement, options.size, 0.005, options.seed))
    write_simulation(simulation, "dpc", folder)
    job = folder / "job.yml"
    read, _ = load_job(job)
    fit = FitRequest(epochs=options.epochs, device="cpu")
    output = OutputSettings(checkpoint_every_s=options.checkpoint_s)
    changed = read.model_copy(update={"fit": fit, "output": output})
    job.write_text(dump_job(changed), encoding="utf-8")
    return simulation, job


def measure(folder: Path, options: argparse.Namespace) -> bool:
    """Do all runs and print them; returns whether all of them survived."""
    random = np.random.default_rng(options.seed)
    simulation, job = simulated(folder, options)
    with Child() as child:
        child.wait_ready()
        run_to_end(child, job, folder / "compiles.zarr")
    child = Child().start()
    child.wait_ready()
    first = run_to_end(child, job, folder / "first.zarr")
    alone = run_to_end(child, job, folder / "alone.zarr")
    if alone.ended_at is None or alone.wrote_at is None or first.ended_at is None:
        raise SystemExit(f"the run that is left alone did not end: {alone.message}")
    wanted, writing_s = quality(folder / "alone.zarr", simulation), alone.ended_at - alone.wrote_at
    print(
        f"left alone: {alone.step} steps, {alone.ended_at:.2f} s (first of a process {first.ended_at:.2f} s), of which "
        f"{writing_s:.2f} s to write the result; {wanted:.3f} dB; a checkpoint every {options.checkpoint_s:g} s"
    )
    print("  no  killed    at s  heard of  stored  lost steps  lost s  it is     PSNR     below", flush=True)
    rows: list[tuple[Killed, float]] = []
    troubles: list[str] = []

    def keep(killed: Killed, out: Path) -> None:
        trouble = killed.opened if killed.opened.startswith("FAILS") else resume_to_end(child, job, out)
        found = -np.inf if trouble else quality(out, simulation)
        rows.append((killed, wanted - found))
        lost = killed.heard - killed.kept
        ends = "" if killed.ended_s is None else f"  ended after {killed.ended_s:.2f} s, {killed.left} left"
        print(
            f"{len(rows):4}  {killed.kind:8}{killed.at_s:6.2f}  {killed.heard:8}  {killed.kept:6}  {max(lost, 0):10}  "
            f"{killed.lost_s:6.2f}  {killed.opened:8}  {found:6.3f}  {wanted - found:+.4f}{ends}",
            flush=True,
        )
        troubles.extend([f"{len(rows)}: {trouble}"] if trouble else [])
        troubles.extend([f"{len(rows)}: a process is left"] if killed.left else [])

    late = min(options.late, options.child)
    for number in range(options.child):
        out = folder / f"child-{number}.zarr"
        if number < options.child - late:
            killed = kill_child(child, job, out, "fitting", until_s=random.uniform(0, alone.ended_at))
        else:
            killed = kill_child(child, job, out, "writing", after_writing_s=random.uniform(0, writing_s))
        child = Child().start()
        child.wait_ready()
        keep(killed, out)
    for number in range(options.parent):
        out = folder / f"parent-{number}.zarr"
        keep(kill_parent(job, out, random.uniform(0, first.ended_at)), out)
    child.close()
    if options.worker:
        for name, seconds, out in kill_workers(job, folder, options.worker, first.ended_at, random):
            done = open_result(out).status == "finished"
            below = wanted - quality(out, simulation) if done else np.inf
            print(
                f"      worker {seconds:6.2f}  {name:14} {'finished' if done else 'NOT FINISHED'}  {below:+.4f}",
                flush=True,
            )
            rows.append((Killed("worker", seconds, 0, 0, 0.0, "finished" if done else "running"), below))
            troubles.extend([] if done else [f"{out.name}: not finished"])
    return survived(rows, troubles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", type=int, default=20, help="kills of the process that fits")
    parser.add_argument("--late", type=int, default=5, help="so many of them while it writes the result")
    parser.add_argument("--parent", type=int, default=5, help="kills of the process that started it")
    parser.add_argument("--worker", type=int, default=5, help="kills of a Dask worker; 0: without Dask")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--displacement", type=float, default=4.0)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--checkpoint-s", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--be-parent", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be_parent is not None:
        be_parent(options.be_parent, options.out)
        return
    with tempfile.TemporaryDirectory(prefix="survival-") as folder:
        fine = measure(Path(folder), options)
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
