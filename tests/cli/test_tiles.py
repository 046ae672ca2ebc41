"""A field in tiles from the command line: as a batch system does it, one command a tile."""

import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from tests.toy import moving_blobs

from napari_nstm.cli import main
from napari_nstm.core.tiles import tile_path
from napari_nstm.io.store import open_result

COMMAND = [sys.executable, "-c", "import sys; from napari_nstm.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def field():
    """A wide field, (t, 48, 96): two tiles side by side."""
    return moving_blobs(96, 3.0)[0][:, 24:72]


@pytest.fixture
def job_file(tmp_path, field):
    def write(epochs=40, **compute):
        np.save(tmp_path / "raw.npy", field)
        job = {
            "nstm": 1,
            "modality": "toy",
            "raw": "raw.npy",
            "acquisition": {"pixel_size_um": 1.0},
            "fit": {"epochs": epochs, "advanced": {"pyramid": [[0, 1.0]]}},
            "output": {"path": "result.zarr", "checkpoint_every_s": 0.1},
            "compute": {"tile_overlap_px": 12, **compute},
        }
        (tmp_path / "job.yml").write_text(yaml.safe_dump(job))
        return str(tmp_path / "job.yml")

    return write


def test_a_batch_system_needs_three_commands(toy, job_file, tmp_path, capsys):
    assert main(["tiles", "plan", job_file(), "--out", str(tmp_path / "by hand.zarr"), "--tile-px", "48"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "2 tiles of 48 x 48 pixels, each fitted from 48 x 80."
    run, blend = (shlex.split(line)[1:] for line in out if line.startswith("  napari-nstm"))
    assert run == ["tiles", "run", str(tmp_path / "by hand.zarr"), "--tile", "I"]
    assert blend == ["tiles", "blend", str(tmp_path / "by hand.zarr")]

    assert main([*run[:-1], "1"]) == 0
    assert "40 steps in" in capsys.readouterr().out
    assert main(blend) == 2
    assert "of its 2 tiles these are not done: 0." in capsys.readouterr().err
    done = tile_path(tmp_path / "by hand.zarr", 1) / "zarr.json"
    before = done.stat().st_mtime_ns
    for index in ("0", "1"):
        assert main([*run[:-1], index]) == 0
    assert "It was done before." in capsys.readouterr().out
    assert done.stat().st_mtime_ns == before
    assert main(blend) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-3] == f"2 tiles. The result is in {tmp_path / 'by hand.zarr'}."
    assert out[-2].startswith("Where tiles overlap, value differs by ")
    assert out[-1].startswith("Where tiles overlap, motion differs by ")
    assert out[-1].endswith(" um (rms).")

    # One command gives the same bits.
    assert main(["reconstruct", job_file(), "--tile-px", "48"]) == 0
    one, three = (open_result(tmp_path / name) for name in ("result.zarr", "by hand.zarr"))
    np.testing.assert_array_equal(one.reconstruction, three.reconstruction)
    np.testing.assert_array_equal(one.motion_um, three.motion_um)
    assert one.record.job["compute"] == {"tile_overlap_px": 12, "tile_px": 48}
    assert one.record.input_hashes == three.record.input_hashes


def test_a_plan_without_a_size_is_refused(toy, job_file, capsys):
    assert main(["tiles", "plan", job_file()]) == 2
    assert "compute.tile_px: got nothing; takes a size of tiles (--tile-px), or" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tiles", "run", "STORE", "--tile", "2"], "tile: got 2; takes a number from 0 to 1"),
        (["tiles", "run", "nothing.zarr", "--tile", "0"], "which does not exist; takes the folder of a result"),
        (["tiles", "blend", "nothing.zarr"], "which does not exist; takes the folder of a result"),
        (["tiles", "plan", "JOB", "--tile-px", "48"], "which exists already"),
        (["reconstruct", "JOB", "--tile-px", "7"], "tile_px: got 7"),
    ],
)
def test_what_cannot_be_is_one_line(toy, job_file, tmp_path, capsys, arguments, says):
    job = job_file()
    assert main(["tiles", "plan", job, "--tile-px", "48"]) == 0
    capsys.readouterr()
    places = {"STORE": str(tmp_path / "result.zarr"), "JOB": job}
    assert main([places.get(argument, argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("napari-nstm: ")
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_memory_of_a_tile_and_scheduler_reach_the_job(toy, job_file, tmp_path, capsys):
    assert main(["tiles", "plan", job_file(), "--tile-memory-gb", "100"]) == 0
    assert capsys.readouterr().out.startswith("1 tile of 48 x 96 pixels")
    assert open_result(tmp_path / "result.zarr").record.job["compute"]["tile_memory_gb"] == 100
    arguments = [
        "reconstruct",
        job_file(),
        "--tile-px",
        "48",
        "--overwrite",
        "--scheduler",
        str(tmp_path / "none.json"),
    ]
    assert main(arguments) == 2
    assert "compute.scheduler: got" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_blending_that_is_interrupted_says_how_to_do_it_again(toy, job_file, tmp_path, capsys, monkeypatch):
    store = str(tmp_path / "result.zarr")
    assert main(["tiles", "plan", job_file(), "--tile-px", "48"]) == 0
    for index in ("0", "1"):
        assert main(["tiles", "run", store, "--tile", index]) == 0
    from napari_nstm.run.tiled import run

    blend = run.blend_tiles

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return blend(*arguments, **options)

    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(run, "blend_tiles", interrupted)
        assert main(["tiles", "blend", store]) == 130
    assert capsys.readouterr().out.splitlines()[-1] == f"To go on:  napari-nstm tiles blend {store}"
    assert main(["tiles", "blend", store]) == 0
    assert open_result(store).status == "finished"


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_tile_that_is_killed_goes_on_and_one_that_is_interrupted_says_how(
    toy, environment, job_file, tmp_path, capsys
):
    assert main(["tiles", "plan", job_file(500_000), "--tile-px", "48"]) == 0
    arguments = ["tiles", "run", "result.zarr", "--tile", "1"]
    checkpoint = tile_path(tmp_path / "result.zarr", 1) / "checkpoint.npz"

    def start():
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **environment},
        )

    killed = start()
    end_s = time.monotonic() + 120
    while not checkpoint.exists():
        assert killed.poll() is None
        assert time.monotonic() < end_s
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    step = open_result(checkpoint.parent).record.step
    assert step > 0
    again = start()
    lines = []
    for line in again.stdout:
        lines.append(line)
        if line.startswith("step "):
            break
    assert f"Note: Going on from step {step} of 500000.\n" in lines
    again.send_signal(signal.SIGINT)
    out, err = again.communicate(timeout=120)
    assert (again.returncode, err) == (130, "")
    assert out.splitlines()[-1] == "To go on:  napari-nstm tiles run result.zarr --tile 1"
    assert open_result(checkpoint.parent).status == "stopped"
