"""Each command once: what it writes, what it prints."""

import shutil
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from napari_nstm import __version__
from napari_nstm.cli import demo, main
from napari_nstm.core.settings import Job
from napari_nstm.io.raw import read_raw
from napari_nstm.io.store import open_result


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"napari-nstm {__version__}\n"
    assert main([]) == 0
    out = capsys.readouterr().out
    for command in (
        "demo",
        "simulate",
        "reconstruct",
        "resume",
        "movie",
        "export",
        "trajectories",
        "residuals",
        "info",
    ):
        assert f"\n  {command} " in out


def test_simulate_writes_raw_truth_motion_and_job(simulated, tmp_path):
    raw, axes, size = read_raw(simulated / "raw.tif")
    assert (raw.shape, raw.dtype, axes) == ((4, 64, 64), np.uint16, "tyx")
    assert size == pytest.approx((0.454, 0.454))
    truth, axes, _ = read_raw(simulated / "truth.tif")
    assert (truth.shape, truth.dtype, axes) == ((4, 2, 64, 64), np.float32, "tcyx")
    motion = np.load(simulated / "truth_motion.npy")
    assert motion.shape == (4, 2, 64, 64)
    assert np.all(motion[0] == 0)
    assert np.percentile(np.hypot(*np.moveaxis(motion, 1, 0)), 99) == pytest.approx(3, rel=0.02)
    job = Job.model_validate(yaml.safe_load((simulated / "job.yml").read_text()))
    assert (job.modality, job.raw, job.output.path, job.fit.preset) == ("dpc", "raw.tif", "result.zarr", "fast")


def test_simulate_again_gives_the_same_and_replaces_only_when_asked(simulated, tmp_path, capsys):
    arguments = ["simulate", "dpc", "--size", "64", "--displacement", "3", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert (tmp_path / "truth_motion.npy").read_bytes() == (simulated / "truth_motion.npy").read_bytes()
    np.testing.assert_array_equal(read_raw(tmp_path / "raw.tif")[0], read_raw(simulated / "raw.tif")[0])
    assert main(arguments) == 2
    assert main([*arguments, "--overwrite", "--motion", "none", "--forward", "abbe", "--option", "target=cells"]) == 0
    assert not np.load(tmp_path / "truth_motion.npy").any()


def test_reconstruct_reports_in_plain_lines_where_there_is_no_terminal(toy, frames, tmp_path, capsys):
    np.save(tmp_path / "raw.npy", frames)
    job = {"modality": "toy", "raw": "raw.npy", "acquisition": {"pixel_size_um": 1.0}}
    job["fit"] = {"epochs": 60, "advanced": {"pyramid": [[0, 1.0]]}}
    (tmp_path / "job.yml").write_text(yaml.safe_dump(job))
    assert main(["reconstruct", str(tmp_path / "job.yml"), "--out", str(tmp_path / "mine.zarr")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Toy camera: 4 frames of 48 x 48 pixels, 0 to 3 ms."
    assert "60 steps, needs about" in lines[1]
    assert lines[2:4] == ["Compiling ...", "Compiling for 48 x 48 pixels ..."]
    assert lines[4].startswith("step ")
    assert lines[-2].startswith("step 60 of 60, full size, detail 100 %, loss ")
    assert lines[-1].endswith(f"The result is in {tmp_path / 'mine.zarr'}.")
    assert not any("\x1b" in line for line in lines)
    assert not (tmp_path / "result.zarr").exists()
    assert open_result(tmp_path / "mine.zarr").status == "finished"


def test_options_win_over_the_job():
    from napari_nstm.cli.fitting import with_changes

    job = Job(modality="toy", raw="a", acquisition={}, fit={"seed": 4}, output={"times": 7})
    changed = with_changes(job, out=None, preset="paper", device="cpu")
    assert (changed.fit.preset, changed.fit.device, changed.fit.seed, changed.output.times) == ("paper", "cpu", 4, 7)
    assert with_changes(job, out=None, preset=None, device=None) == job
    changed = with_changes(job, out=None, preset=None, device=None, region="4, 10,40,32")
    assert (changed.region, job.region) == ((4, 10, 40, 32), None)


def test_a_region_of_the_frames(toy, frames, tmp_path, capsys):
    np.save(tmp_path / "raw.npy", frames)
    job = {"modality": "toy", "raw": "raw.npy", "acquisition": {"pixel_size_um": 1.0}}
    job["fit"] = {"epochs": 20, "advanced": {"pyramid": [[0, 1.0]]}}
    (tmp_path / "job.yml").write_text(yaml.safe_dump(job))
    assert main(["reconstruct", str(tmp_path / "job.yml"), "--region", "4,10,40,32"]) == 0
    assert "4 frames of 40 x 32 pixels (of 48 x 48)" in capsys.readouterr().out
    assert open_result(tmp_path / "result.zarr").origin_um == (4.0, 10.0)
    assert main(["info", str(tmp_path / "result.zarr")]) == 0
    assert "rows 4 to 43, columns 10 to 41 of the raw frames; from y = 4, x = 10 um" in capsys.readouterr().out
    for wrong in ("4,10,40", "a,b,c,d", "4,10,40,16.5"):
        assert main(["reconstruct", str(tmp_path / "job.yml"), "--overwrite", "--region", wrong]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"napari-nstm: --region: got '{wrong}'; takes four whole numbers: first row")


def test_a_diverged_run_is_status_2_and_keeps_what_was_good(toy, frames, tmp_path, capsys):
    np.save(tmp_path / "raw.npy", frames)
    advanced = {"pyramid": [[0, 1.0]], "scene_learning_rate": 1e30}
    job = {"modality": "toy", "raw": "raw.npy", "acquisition": {"pixel_size_um": 1}, "fit": {"advanced": advanced}}
    (tmp_path / "job.yml").write_text(yaml.safe_dump(job))
    assert main(["reconstruct", str(tmp_path / "job.yml")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(tmp_path / "result.zarr") in err
    assert open_result(tmp_path / "result.zarr").status == "diverged"


def test_info_says_how_a_result_was_made_and_what_is_installed(finished, capsys):
    assert main(["info", str(finished)]) == 0
    out = capsys.readouterr().out
    assert "finished" in out
    assert "step 60 of 60" in out
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "modalities" in out
    assert "dpc" in out
    assert f"napari-nstm {__version__}" in out


def test_export_writes_what_the_store_holds(finished, capsys, tmp_path):
    assert main(["export", str(finished), "--out", str(tmp_path / "r.ome.tif")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'r.ome.tif'}\n"
    array, *_ = read_raw(tmp_path / "r.ome.tif")
    expected = np.asarray(open_result(finished).reconstruction)
    np.testing.assert_array_equal(array.reshape(expected.shape), expected)
    assert main(["export", str(finished)]) == 0
    assert finished.with_name("result.ome.tif").exists()


def test_movie_writes_a_movie(finished, tmp_path, capsys):
    out = tmp_path / "m.mp4"
    assert main(["movie", str(finished), str(out), "--frames", "5", "--fps", "5", "--side-by-side"]) == 0
    assert "5 frames" in capsys.readouterr().out
    assert out.read_bytes()[4:8] == b"ftyp"
    assert main(["movie", str(finished), str(out), "--frames", "5"]) == 2


def pictures(finished, tmp_path, capsys, *options):
    """Write two moments as numbered pictures and return them, with the last line that was said."""
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    assert main(["movie", str(finished), str(folder / "m.png"), "--frames", "2", "--width", "400", *options]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["m-0001.png", "m-0002.png"]
    assert said.startswith(f"{files[0]}: the first of 2 frames of 400 x ")
    return [np.asarray(Image.open(file)) for file in files]


def test_movie_writes_numbered_pictures_of_a_width(finished, tmp_path, capsys):
    first, last = pictures(finished, tmp_path, capsys)
    assert first.shape[1] == 400
    assert np.any(first != last)


def test_movie_leaves_out_what_is_not_wanted_below_it(finished, tmp_path, capsys):
    full, _ = pictures(finished, tmp_path, capsys)
    options = ("--no-scale-bar", "--no-time", "--no-key")
    for option in options:
        some, _ = pictures(finished, tmp_path, capsys, option)
        assert some.shape != full.shape or np.any(some != full), option
    bare, _ = pictures(finished, tmp_path, capsys, *options)
    assert len(bare) < len(full)


def test_movie_puts_a_comparison_on_the_left(finished, tmp_path, capsys):
    compared = pictures(finished, tmp_path, capsys, "--compare", "conventional", "--no-arrows")
    same = pictures(finished, tmp_path, capsys, "--side-by-side", "--no-arrows")
    np.testing.assert_array_equal(compared, same)
    alone = pictures(finished, tmp_path, capsys, "--no-arrows")
    assert alone[0].shape != same[0].shape


def test_trajectories_writes_where_points_go(finished, tmp_path, capsys):
    stored, points, out = open_result(finished), tmp_path / "points.csv", tmp_path / "tracks.csv"
    points.write_text("time_ms,y_um,x_um\n0,12,10\n20,8,14.5\n")
    assert main(["trajectories", str(finished), str(points), str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{out}: 2 tracks of 4 moments."
    rows = np.loadtxt(out, delimiter=",", skiprows=1)
    assert rows.shape == (8, 6)
    where = np.array([[12.0], [10.0]], np.float32) / stored.pixel_size_um[0]
    for row, time in zip(rows[:4], (0.0, 10.0, 20.0, 30.0), strict=True):
        moved = stored.displacement_at(time, 0.0, where)[:, 0]
        np.testing.assert_allclose(row[:4], [0, time, 12 + moved[0], 10 + moved[1]], atol=2e-3)
        assert row[4] == pytest.approx(np.hypot(*moved), abs=2e-3)
    np.testing.assert_allclose(rows[6, :5], [1, 20, 8, 14.5, 0], atol=1e-4)
    assert main(["trajectories", str(finished), str(points), str(out)]) == 2
    assert main(["trajectories", str(finished), str(points), str(out), "--overwrite", "--moments", "7"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{out}: 2 tracks of 7 moments."
    np.testing.assert_allclose(np.loadtxt(out, delimiter=",", skiprows=1)[:7, 1], np.linspace(0, 30, 7))


def test_demo_makes_everything_and_says_how_good_it_is(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "nstm-demo"
    write = demo.write_simulation

    def write_quick(*arguments):
        write(*arguments)
        job = yaml.safe_load((folder / "job.yml").read_text())
        job["fit"] = {"epochs": 150, "advanced": {"pyramid": [[0, 1.0]]}}  # one program to compile, not three
        (folder / "job.yml").write_text(yaml.safe_dump(job))

    monkeypatch.setattr(demo, "write_simulation", write_quick)
    assert main(["demo", "--out", str(folder), "--size", "64", "--no-show"]) == 0
    out = capsys.readouterr().out
    for name in ("raw.tif", "truth.tif", "job.yml", "result.zarr", "comparison.png", "movie.mp4"):
        assert (folder / name).exists()
        assert f"  {name} " in out
    score = next(line for line in out.splitlines() if line.startswith("PSNR"))
    ours, conventional, constant = (float(part.split()[-1]) for part in score.split(" dB")[:3])
    assert ours > conventional + 3 > constant
    assert (folder / "comparison.png").stat().st_size > 10_000


def test_demo_leaves_other_folders_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").touch()
    assert main(["demo", "--out", str(tmp_path), "--size", "64", "--no-show"]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_napari_is_opened_only_where_it_can_be(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(demo, "find_spec", lambda name: name == "PySide6" or None)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":1")
    assert demo.can_show()
    monkeypatch.delenv("DISPLAY")
    assert not demo.can_show()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert not demo.can_show()


def test_a_finished_result_is_fitted_on_and_once_more_with_finer_motion(toy, finished, tmp_path, capsys):
    store, finer = tmp_path / "toy.zarr", tmp_path / "finer.zarr"
    shutil.copytree(finished, store)
    assert main(["resume", str(store), "--steps", "5"]) == 0
    assert open_result(store).record.n_steps == 65
    assert main(["resume", str(store), "--finer-motion", "--out", str(finer)]) == 0
    assert str(finer) in capsys.readouterr().out
    was, now = open_result(store).record, open_result(finer).record
    assert now.job["fit"]["start_from"] == str(store)
    assert now.fit["motion_encoding"]["n_levels"] == was.fit["motion_encoding"]["n_levels"] + 1
    # A path on the command line is from here, not from the job file.
    (tmp_path / "jobs").mkdir()
    content = {**was.job, "output": {"path": "again.zarr"}}
    (tmp_path / "jobs" / "job.yml").write_text(yaml.safe_dump(content))
    assert main(["reconstruct", str(tmp_path / "jobs" / "job.yml"), "--start-from", str(store)]) == 0
    assert open_result(tmp_path / "jobs" / "again.zarr").record.job["fit"]["start_from"] == str(store)
