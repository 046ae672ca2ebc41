"""Many jobs and series from the command line: what is said, what is written, and the exit status."""

import csv
import signal

import numpy as np
import pytest
import yaml
from tests.toy import moving_blobs

from napari_nstm.cli import main
from napari_nstm.io.store import open_result
from napari_nstm.run import batch
from napari_nstm.run.parts import run_parts


@pytest.fixture
def jobs(toy, tmp_path, monkeypatch):
    """Write job files of the toy camera, each with changes; they run in this process."""
    monkeypatch.setattr(batch, "_here", lambda jobs, parts, controls: run_parts(parts, controls))
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "raw.npy", np.concatenate([moving_blobs(48, 3.0)[0]] * 2))

    def write(name, **changes):
        content = {
            "modality": "toy",
            "raw": "raw.npy",
            "frames": [0, 4],
            "acquisition": {"pixel_size_um": 0.5},
            "fit": {"epochs": 6, "advanced": {"pyramid": [[0, 1.0]]}},
            "output": {"path": f"{name}.zarr"},
            **changes,
        }
        path = tmp_path / f"{name}.yml"
        path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
        return path.name

    return write


@pytest.fixture
def fails_in_fitting(toy, monkeypatch):
    """Let jobs whose gain is 7 run out of memory once they have begun."""
    prepare = toy.prepare

    def fails(raw, settings, level):
        if settings.gain == 7.0:
            raise MemoryError
        return prepare(raw, settings, level)

    monkeypatch.setattr(toy, "prepare", fails)


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_all_run_and_the_summary_says_how_each_ended(jobs, fails_in_fitting, tmp_path, capsys):
    bad = jobs("bad", acquisition={"pixel_size_um": 0.5, "gain": 7.0})
    assert main(["batch", jobs("a"), bad, jobs("b"), "--summary", "ended.csv"]) == 1
    said = capsys.readouterr().out.splitlines()
    found = rows(tmp_path / "ended.csv")
    assert [(one["job"], one["status"]) for one in found] == [
        ("a.yml", "finished"),
        ("bad.yml", "failed"),
        ("b.yml", "finished"),
    ]
    assert found[0]["result"] == str(tmp_path / "a.zarr")
    assert float(found[0]["seconds"]) > 0
    assert "out of memory" in found[1]["message"]
    assert any(line.startswith("bad.yml: failed") and "out of memory" in line for line in said)
    assert open_result(tmp_path / "b.zarr").status == "finished"
    assert not (tmp_path / "bad.zarr").exists()


def test_the_same_command_again_leaves_alone_what_is_done(jobs, tmp_path, capsys):
    names = [jobs("a"), jobs("b")]
    assert main(["batch", *names]) == 0
    when = (tmp_path / "a.zarr" / "zarr.json").stat().st_mtime_ns
    capsys.readouterr()
    assert main(["batch", *names]) == 0
    assert capsys.readouterr().out.count("It was done before.") == 2
    assert (tmp_path / "a.zarr" / "zarr.json").stat().st_mtime_ns == when


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"raw": "none.npy"}, "bad.yml, raw: got "),
        ({"output": {"path": "a.zarr"}}, "output.path: got "),
        ({"acquisition": {"pixel_size_um": -1}}, "bad.yml, acquisition.pixel_size_um: got -1"),
    ],
)
def test_what_is_wrong_with_one_is_said_before_any_begins(jobs, tmp_path, capsys, changes, says):
    assert main(["batch", jobs("a"), jobs("bad", **changes)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"napari-nstm: {says}")
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("*.zarr"))


def test_rows_of_a_table_are_jobs_and_its_errors_name_row_and_column(jobs, tmp_path, capsys):
    jobs("template")
    table = tmp_path / "jobs.csv"
    table.write_text("job,output.path,acquisition.gain,fit.seed\ntemplate.yml,x.zarr,2,\ntemplate.yml,y.zarr,,3\n")
    assert main(["batch", "jobs.csv"]) == 0
    x, y = (open_result(tmp_path / f"{name}.zarr").record for name in "xy")
    assert (x.job["acquisition"]["gain"], x.seed) == (2, 0)
    assert (y.job["acquisition"].get("gain", 1.0), y.seed) == (1.0, 3)
    table.write_text("job,output.path,fit.epochs\ntemplate.yml,z.zarr,none\n")
    capsys.readouterr()
    assert main(["batch", "jobs.csv"]) == 2
    assert "jobs.csv row 2, fit.epochs: got 'none'" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_reached_and_says_how_to_go_on(jobs, tmp_path, monkeypatch, capsys):
    def interrupted(names, parts, controls):
        for count, found in enumerate(run_parts(parts, controls)):
            if count == 12:
                signal.raise_signal(signal.SIGINT)
            yield found

    monkeypatch.setattr(batch, "_here", interrupted)
    long = jobs("long", fit={"epochs": 100_000, "advanced": {"pyramid": [[0, 1.0]]}})
    assert main(["batch", long, jobs("b")]) == 130
    said = capsys.readouterr().out
    assert "the same command again" in said
    assert "b.yml: not begun" in said
    assert open_result(tmp_path / "long.zarr").status == "stopped"
    assert not (tmp_path / "b.zarr").exists()


class TestSeries:
    def test_a_series_becomes_one_image_and_a_table(self, jobs, tmp_path, capsys):
        name = jobs("job", frames=None)
        assert main(["series", name, "--frames-each", "4", "--out", "there"]) == 0
        assert "has the moments of all 2 acquisitions" in capsys.readouterr().out
        assert [one["status"] for one in rows(tmp_path / "there" / "summary.csv")] == ["finished"] * 2
        assert (tmp_path / "there" / "reconstruction.zarr" / "0").is_dir()

    def test_errors_name_what_stands_on_the_command_line(self, jobs, tmp_path, capsys):
        name = jobs("job", frames=None)
        assert main(["series", name]) == 2
        assert capsys.readouterr().err.startswith("napari-nstm: --frames-each: got nothing")
        assert main(["series", name, "--frames-each", "3"]) == 2
        assert "8 frames" in capsys.readouterr().err
        assert main(["series", name, "--frames-each", "4", "--out", "raw.npy"]) == 2
        assert capsys.readouterr().err.startswith("napari-nstm: --out: got ")
        assert not list(tmp_path.glob("*series"))

    def test_one_that_fails_makes_the_exit_status_1(self, jobs, fails_in_fitting, capsys):
        name = jobs("job", frames=None, acquisition={"pixel_size_um": 0.5, "gain": 7.0})
        assert main(["series", name, "--frames-each", "4"]) == 1
        assert "No acquisition left a result" in capsys.readouterr().out
