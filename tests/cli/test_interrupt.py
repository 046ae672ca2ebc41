"""Ctrl-C, SIGTERM and kill -9 in the middle of a run: what was reached is kept, and resume goes on."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import yaml

from napari_nstm.io.store import open_result
from napari_nstm.run.reconstruct import reconstruct

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

COMMAND = [sys.executable, "-c", "import sys; from napari_nstm.cli import main; sys.exit(main())"]


@pytest.fixture
def start(environment, frames, tmp_path):
    """Start the command line in a process of its own; it is killed at the end of the test."""
    np.save(tmp_path / "raw.npy", frames)
    started = []

    def run(epochs, *arguments):
        job = {"modality": "toy", "raw": "raw.npy", "acquisition": {"pixel_size_um": 1.0}}
        job["fit"] = {"epochs": epochs, "advanced": {"pyramid": [[0, 1.0]]}}
        job["output"] = {"checkpoint_every_s": 0.2, "preview_every_s": 0.1}
        (tmp_path / "job.yml").write_text(yaml.safe_dump(job))
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def wait_for_steps(process):
    for line in process.stdout:
        if line.startswith("step "):
            return
    raise AssertionError(process.stderr.read())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_result_and_says_how_to_go_on(start, tmp_path, number):
    process = start(500_000, "reconstruct", "job.yml")
    wait_for_steps(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    lines = out.splitlines()
    assert lines[-1] == f"To go on:  napari-nstm resume {tmp_path / 'result.zarr'}"
    assert "Stopped at step" in lines[-2]
    stored = open_result(tmp_path / "result.zarr")
    assert stored.status == "stopped"
    assert stored.reconstruction.shape == (4, 1, 48, 48)


def test_a_killed_run_is_resumed_to_the_quality_of_an_uninterrupted_one(start, toy, frames, tmp_path):
    process = start(600, "reconstruct", "job.yml")
    store = tmp_path / "result.zarr"
    kill = threading.Timer(120, process.kill)
    kill.start()
    while not (store / "checkpoint.npz").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    kill.cancel()
    killed = open_result(store)
    assert killed.status == "running"
    assert 0 < killed.record.step < 600

    resumed = start(600, "resume", "result.zarr")
    out, err = resumed.communicate(timeout=120)
    assert (resumed.returncode, err) == (0, "")
    assert f"Going on from step {killed.record.step} of 600." in out
    resumed_scene = np.asarray(open_result(store).reconstruction)
    whole = reconstruct(tmp_path / "job.yml", overwrite=True)
    errors = [np.mean((found[:, 0] - frames) ** 2) for found in (resumed_scene, whole.reconstruction)]
    assert abs(10 * np.log10(errors[0] / errors[1])) < 0.3
