"""A job taken elsewhere: file, terminal and script say the same, and no more than was said."""

import os
import runpy
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
import yaml

from napari_nstm.core.settings import Job
from napari_nstm.io.store import open_result
from napari_nstm.run.job import job_from_text, load_job
from napari_nstm.run.scripts import as_command_line, as_commands, as_job_file, as_python, shortened, with_paths

DPC = {
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "pixel_size_um": 0.454,
    "source_angles_deg": [90, 270, 0, 180],
}
STRANGE = 'it\'s 5 % "of" $HOME; µm'  # a folder's name that no shell may take apart


def dpc_job(**changes):
    content = {"modality": "dpc", "raw": "raw.tif", "acquisition": DPC, **changes}
    return Job.model_validate(content)


def test_a_job_file_says_what_was_said_and_nothing_else():
    full = dpc_job(
        acquisition={**DPC, "na_illumination_inner": 0.0, "background": {"kind": "blur"}},
        fit={"preset": "fast", "seed": 0, "static": False, "device": "auto", "epochs": 50, "advanced": {}},
        output={"path": "result.zarr", "times": 7, "checkpoint_every_s": 5.0},
    )
    text = as_job_file(full)
    assert text.startswith("nstm: 1\n")
    content = yaml.safe_load(text)
    assert content["fit"] == {"preset": "fast", "epochs": 50}
    assert content["output"] == {"path": "result.zarr", "times": 7}
    assert content["acquisition"] == {**DPC, "background": {"kind": "blur"}}
    assert job_from_text(text) == shortened(full)
    # What it says is what the whole said, with all defaults.
    again = job_from_text(text)
    assert (again.fit, again.output) == (full.fit, full.output)


def test_tiles_and_a_part_of_the_frames_are_written_and_their_defaults_are_not():
    known = dpc_job(compute={"tile_px": 256, "tile_overlap_px": None}, frames=(2, 10))
    content = yaml.safe_load(as_job_file(known))
    assert (content["compute"], content["frames"]) == ({"tile_px": 256}, [2, 10])
    assert '"tile_px": 256' in as_python(known, Path())
    assert "compute" not in yaml.safe_load(as_job_file(dpc_job(compute={"tile_px": None})))


def test_what_is_not_valid_is_kept_as_it_is():
    wrong = dpc_job(acquisition={"wavelength_um": "green", "na_illumination_inner": 0.0})
    assert yaml.safe_load(as_job_file(wrong))["acquisition"] == wrong.acquisition


def test_paths_below_the_job_file_are_relative_and_others_whole(tmp_path):
    background = {"kind": "image", "path": str(tmp_path / "more" / "empty.tif")}
    job = dpc_job(
        raw=str(tmp_path / "raw.tif"),
        acquisition={**DPC, "background": background},
        fit={"motion_from": str(tmp_path.parent / "other.zarr"), "start_from": str(tmp_path / "before.zarr")},
        output={"path": str(tmp_path / "result.zarr")},
    )
    short = with_paths(job, tmp_path, relative=True)
    assert (short.raw, short.output.path) == ("raw.tif", "result.zarr")
    assert short.acquisition["background"]["path"] == "more/empty.tif"
    assert short.fit.motion_from == str(tmp_path.parent / "other.zarr")
    assert short.fit.start_from == "before.zarr"
    assert with_paths(short, tmp_path, relative=False) == job


def run_script(text, environment, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(text, encoding="utf-8")
    variables = {**os.environ, **environment, "PYTHONWARNINGS": "ignore", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, script], capture_output=True, text=True, encoding="utf-8", env=variables, check=False
    )


@pytest.mark.usefixtures("toy")
def test_the_script_gives_what_the_command_line_gives(job, frames, environment, tmp_path):
    from napari_nstm.cli.fitting import reconstruct_job

    folder = tmp_path / STRANGE
    folder.mkdir()
    np.save(folder / "raw.npy", frames)
    settings = {**job, "output": {"path": "a.zarr"}}
    (folder / "job.yml").write_text(as_job_file(Job.model_validate(settings)), encoding="utf-8")
    assert reconstruct_job(folder / "job.yml", out=None, preset=None, device=None, overwrite=False) == 0

    other = Job.model_validate({**settings, "output": {"path": "b.zarr"}})
    text = as_python(other, folder)
    done = run_script(text, environment, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == str(folder / "b.zarr")
    assert any(line.startswith("step 60 of 60, loss ") for line in lines)
    first, second = (open_result(folder / name) for name in ("a.zarr", "b.zarr"))
    np.testing.assert_array_equal(first.scene_at(1.5), second.scene_at(1.5))
    np.testing.assert_array_equal(first.residual, second.residual)

    with pytest.raises(SystemExit, match=r"^output.path: .*b\.zarr"):  # one sentence, no traceback
        runpy.run_path(str(tmp_path / "run.py"), run_name="__main__")


@pytest.mark.skipif(sys.platform == "win32", reason="lines for a POSIX shell")
def test_the_lines_for_a_terminal_write_the_job_and_name_it(tmp_path):
    folder = tmp_path / STRANGE
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "napari-nstm"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    job = dpc_job(raw=str(folder / "raw.tif"), output={"path": str(folder / "result.zarr")})
    lines = as_commands(job, folder / "job.yml")
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-c", lines], capture_output=True, text=True, env={"PATH": path}, check=True)
    assert done.stdout.splitlines() == ["reconstruct", str(folder / "job.yml")]
    assert load_job(folder / "job.yml") == (shortened(job), folder)
    assert lines.splitlines()[-1] == as_command_line(folder / "job.yml")


def test_powershell_gets_its_own_quotes():
    path = PureWindowsPath(r"C:\it's\job.yml")
    lines = as_commands(dpc_job(), path, "powershell")
    assert lines.startswith("@'\nnstm: 1\n")
    assert "\n'@ | Set-Content -Encoding utf8 -LiteralPath 'C:\\it''s\\job.yml'\n" in lines
    assert lines.endswith("\nnapari-nstm reconstruct 'C:\\it''s\\job.yml'\n")


def test_a_relative_path_is_made_whole(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert as_command_line("job.yml") == f"napari-nstm reconstruct {Path(tmp_path) / 'job.yml'}"
