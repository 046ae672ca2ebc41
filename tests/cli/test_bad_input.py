"""What cannot be used: one line on standard error, status 2, nothing made."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from napari_nstm.cli import main


@pytest.fixture
def refused(capsys, tmp_path):
    """Run a command that must fail; returns its one line."""

    def run(*arguments):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        assert main([str(argument) for argument in arguments]) == 2
        _, err = capsys.readouterr()
        assert err.count("\n") == 1
        assert err.startswith("napari-nstm: ")
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
        return err.removeprefix("napari-nstm: ").strip()

    return run


@pytest.mark.parametrize(
    ("acquisition", "line"),
    [
        ({"source_angles_deg": [90, 270, 0]}, "acquisition.source_angles_deg: got 3 angles for 4 frames; takes one"),
        ({"source_angles_deg": [90]}, "acquisition.source_angles_deg: got 1 angle; takes at least 3"),
        ({"timestamps_ms": [0, 50, 25, 75]}, "acquisition.timestamps_ms: got 25 ms after 50 ms; takes times in asc"),
        ({"timestamps_ms": [0, 50]}, "acquisition.timestamps_ms: got 2 times for 4 frames; takes one per frame"),
        ({"na_objective": -0.25}, "acquisition.na_objective: got -0.25; takes "),
        ({"na_objektive": 0.25}, "acquisition.na_objektive: got an unknown key"),
        ({"wavelength_um": "green"}, "acquisition.wavelength_um: got 'green'; takes a number"),
        ({"pixel_size_um": float("nan")}, "acquisition.pixel_size_um: got nan; takes a finite number"),
        ({"background": {"kind": "image", "path": "no.tif"}}, "acquisition.background.path: got "),
    ],
)
def test_acquisitions(dpc, refused, acquisition, line):
    assert refused("reconstruct", dpc(acquisition=acquisition)).startswith(line)


def test_raw_frames(dpc, refused):
    frames = dpc.frames
    with_nan = frames.astype(np.float32)
    with_nan[2, 5, 5] = np.nan
    constant = frames.copy()
    constant[1] = 100
    cases = {
        "raw: got 2 frames; takes at least 3": frames[:2],
        "raw: got 1 pixels in frame 2 that are NaN": with_nan,
        "raw: got frame 1 with 100 in every pixel": constant,
        "raw: got complex pixels; takes real": frames.astype(complex),
        "raw: got an array of 4 x 10 x 64 x 64; takes axes tyx": np.repeat(frames[:, None], 10, axis=1),
    }
    for line, raw in cases.items():
        assert refused("reconstruct", dpc(raw)).startswith(line)


def test_files(dpc, refused, tmp_path):
    (tmp_path / "notes.tif").write_text("no image at all")
    (tmp_path / "objects.npy").write_bytes(b"\x93NUMPY\x01\x00broken")
    for name, says in {"none.tif": "does not exist", "notes.tif": "no image", "objects.npy": "no image"}.items():
        line = refused("reconstruct", dpc(raw=None) if name is None else _with_raw(dpc, name))
        assert line.startswith("raw: got ")
        assert says in line


def _with_raw(dpc, name):
    path = dpc()
    text = path.read_text().splitlines()
    path.write_text("\n".join(f"raw: {name}" if row.startswith("raw:") else row for row in text))
    return path


def test_jobs(dpc, refused, tmp_path):
    assert refused("reconstruct", tmp_path / "none.yml").startswith("job: got ")
    assert refused("reconstruct", dpc(modality="dcp")).startswith("modality: got 'dcp'; takes ")
    assert refused("reconstruct", dpc(colour="red")).startswith("colour: got an unknown key")
    assert refused("reconstruct", dpc(), "--preset", "slow").startswith("fit.preset: got 'slow'; takes ")
    assert refused("reconstruct", dpc(), "--device", "tpu").startswith("fit.device: got 'tpu'")


def test_a_gpu_where_there_is_none(dpc, refused):
    import jax

    n_gpus = sum(device.platform == "gpu" for device in jax.devices())
    assert refused("reconstruct", dpc(), "--device", f"gpu:{n_gpus}").startswith("fit.device: got gpu:")


def test_outputs(dpc, refused, finished, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    assert "which exists already" in refused("reconstruct", dpc(), "--out", finished)
    for arguments in (["--out", tmp_path / "mine"], ["--out", tmp_path / "mine", "--overwrite"]):
        line = refused("reconstruct", dpc(), *arguments)
        assert line.startswith(f"output.path: got {tmp_path / 'mine'}, which exists")
    assert "folder does not exist" in refused("reconstruct", dpc(), "--out", tmp_path / "no" / "r.zarr")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that not even root can write")
def test_a_folder_that_cannot_be_written(dpc, refused):
    assert refused("reconstruct", dpc(), "--out", "/proc/r.zarr").startswith("output.path: got /proc/r.zarr")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(dpc, refused, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    assert "output.path" in refused("reconstruct", dpc(), "--out", tmp_path / "locked" / "r.zarr")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--motion", "jump"],
            "--motion: got 'jump'; takes none, translation, rotation, shear, swirl, bend, vibration, bounce or wave",
        ),
        (["--displacement", "-1"], "--displacement: got -1; takes"),
        (["--noise", "nan"], "--noise: got nan; takes"),
        (["--size", "10"], "size: got 10; takes 64 pixels or more"),
        (["--target", "moon"], "--target: got 'moon'; takes usaf or cells"),
        (["--option", "moon"], "--option: got 'moon'; takes NAME=VALUE"),
        (["--option", "phase=full"], "--option: got phase=full; takes target or forward"),
        (["--seed", "-3"], "--seed: got -3; takes"),
        (["--size", "big"], "Invalid value for '--size'"),
    ],
)
def test_simulations(refused, tmp_path, arguments, line):
    assert refused("simulate", "dpc", "--out", tmp_path / "new", *arguments).startswith(line)


def test_command_lines(refused, tmp_path):
    assert refused("reconstrict").startswith("No such command 'reconstrict'")
    assert refused("reconstruct").startswith("Missing argument")
    assert refused("reconstruct", "a.yml", "--fast").startswith("No such option: --fast")
    for command in (["resume"], ["info"], ["export"], ["movie"]):
        more = [tmp_path / "m.mp4"] if command == ["movie"] else []
        assert refused(*command, tmp_path / "none.zarr", *more).startswith("store: got ")


def test_stores_and_targets(refused, finished, tmp_path):
    assert refused("resume", finished).startswith("store: got ")
    assert refused("resume", finished, "--steps", "0").startswith("steps: got 0; takes a number from 1 to ")
    assert refused("resume", finished, "--finer-motion").startswith("--out: got nothing; takes the store of the new")
    assert refused("resume", finished, "--finer-motion", "--out", finished).startswith("--out: got ")
    assert refused("resume", finished, "--out", tmp_path / "new.zarr").startswith("--out: got ")
    none = ("--finer-motion", "--out", tmp_path / "new.zarr")
    assert refused("resume", tmp_path / "none.zarr", *none).startswith("fit.start_from: got ")
    assert refused("export", finished, "--to", "png").startswith("--to: got 'png'; takes ome-tiff")
    assert refused("movie", finished, tmp_path / "m.avi").startswith("out: got m.avi")
    movie = ("movie", finished, tmp_path / "m.mp4")
    assert refused(*movie, "--width", "3").startswith("width: got 3; takes a width of at least ")
    assert refused(*movie, "--width", "-8").startswith("width: got -8; takes a width of at most ")
    line = refused(*movie, "--compare", "fista_tv")
    assert line.startswith("compare: got ")
    assert line.endswith("; takes one of conventional")
    assert refused(*movie, "--frames", "0").startswith("frames: got 0")


def test_points_to_follow(refused, finished, tmp_path):
    points, out = tmp_path / "points.csv", tmp_path / "tracks.csv"
    for text, line in {
        "y_um,x_um\n1,1\n1,1000\n": "points: got point 1 (y = 1, x = 1000 um), which lies outside the field; takes",
        "time_ms,y_um,x_um\n99,1,1\n": "at_ms: got 99 ms; takes times of the acquisition, 0 to 30 ms",
        "a,b\n1,1\n": f"points: got {points}, which has the columns a, b; takes a table with the columns y_um, x_um",
    }.items():
        points.write_text(text)
        assert refused("trajectories", finished, points, out).startswith(line)
    points.write_text("y_um,x_um\n1,1\n")
    assert refused("trajectories", finished, tmp_path / "no.csv", out).startswith("points: got ")
    assert refused("trajectories", finished, points, tmp_path / "t.xls").startswith("out: got t.xls")
    assert refused("trajectories", finished, points, out, "--moments", "0").startswith("--moments: got 0")
    assert refused("trajectories", tmp_path / "no.zarr", points, out).startswith("store: got ")


def test_a_real_process_says_it_the_same_way(dpc, tmp_path):
    job = dpc(acquisition={"na_objective": -1})
    command = [sys.executable, "-c", "import sys; from napari_nstm.cli import main; sys.exit(main())"]
    done = subprocess.run([*command, "reconstruct", str(job)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("napari-nstm: acquisition.na_objective: got -1")
    assert done.stderr.count("\n") == 1


def test_what_is_doubtful_is_said_and_the_run_goes_on(dpc, capsys, tmp_path):
    frames = dpc.frames.copy()
    frames[1, 10:12, 10:13] = np.iinfo(frames.dtype).max
    fit = {"epochs": 3, "advanced": {"pyramid": [[0, 1.0]]}}
    job = dpc(frames, acquisition={"pixel_size_um": 0.8}, fit=fit)
    assert main(["reconstruct", str(job)]) == 0
    out = capsys.readouterr().out
    assert "Note: 6 saturated pixels" in out
    assert "is lost" in out
    notices = json.loads((tmp_path / "result.zarr" / "zarr.json").read_text())["attributes"]["nstm"]["notices"]
    assert len(notices) == 2
