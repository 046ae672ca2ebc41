"""Many jobs: in a process of their own, each as far as it comes."""

import os
import signal

import numpy as np
import pytest
import yaml

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Checkpointed, Failed, Finished, PartDone
from napari_nstm.core.settings import Job
from napari_nstm.io.store import open_result
from napari_nstm.run import batch
from napari_nstm.run.batch import BatchJob, check_batch, run_batch
from napari_nstm.run.parts import Part, PartEvent, run_parts
from napari_nstm.run.patience import Controls
from napari_nstm.run.table import read_batch


@pytest.fixture
def jobs(toy, job, frames, tmp_path):
    np.save(tmp_path / "raw.npy", frames)

    def make(name, **fit):
        content = {**job, "fit": {**job["fit"], "epochs": 8, **fit}, "output": {"path": f"{name}.zarr"}}
        return BatchJob(name, Job.model_validate(content), tmp_path)

    return make


IN_A_CHILD = batch._here


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Run jobs in this process: the toy camera is registered in it alone."""
    monkeypatch.setattr(batch, "_here", lambda jobs, parts, controls: run_parts(parts, controls))


def ended(stream):
    """Return all events of a batch, and how its jobs ended."""
    events = []
    while True:
        try:
            events.append(next(stream))
        except StopIteration as end:
            return events, end.value


def test_every_job_runs_and_is_told(jobs):
    events, outcomes = ended(run_batch([jobs("a"), jobs("b")], Controls("batch")))
    assert [(one.name, one.status) for one in outcomes] == [("a", "finished"), ("b", "finished")]
    assert [(e.name, e.done, e.total) for e in events if isinstance(e, PartDone)] == [("a", 1, 2), ("b", 2, 2)]
    assert all(open_result(one.path).status == "finished" for one in outcomes)


def test_one_that_fails_does_not_end_the_others(jobs, tmp_path):
    broken = jobs("broken")
    broken = BatchJob("broken", broken.job.model_copy(update={"raw": "none.npy"}), tmp_path)
    _, outcomes = ended(run_batch([broken, jobs("b")], Controls("batch")))
    assert [one.status for one in outcomes] == ["failed", "finished"]
    assert "none.npy" in outcomes[0].message


def test_what_is_done_is_left_alone_and_what_was_stopped_goes_on(jobs):
    first, second = jobs("a"), jobs("b", epochs=4000)
    seen = []
    stream = run_batch([first, second], Controls("batch", should_stop=lambda: len(seen) > 40))
    while True:
        try:
            seen.append(next(stream))
        except StopIteration as end:
            outcomes = end.value
            break
    assert [one.status for one in outcomes] == ["finished", "stopped"]
    when = (first.base_dir / "a.zarr" / "zarr.json").stat().st_mtime_ns
    shorter = BatchJob("b", second.job, second.base_dir)
    step = open_result(outcomes[1].path).record.step
    calls = iter([False] * 400)
    _, again = ended(run_batch([first, shorter], Controls("batch", should_stop=lambda: next(calls, True))))
    assert again[0].message == "It was done before."
    assert (first.base_dir / "a.zarr" / "zarr.json").stat().st_mtime_ns == when
    assert open_result(outcomes[1].path).record.step > step


def test_a_process_that_is_killed_takes_only_its_job_with_it(jobs, environment, monkeypatch):
    started, killed = [], []

    class Watched(batch.Child):
        def start(self):
            started.append(self)
            return super().start()

    monkeypatch.setattr(batch, "_here", IN_A_CHILD)
    monkeypatch.setattr(batch, "Child", lambda: Watched(environment))
    stream = run_batch([jobs("a", epochs=500_000), jobs("b")], Controls("batch"))
    while True:
        try:
            event = next(stream)
        except StopIteration as end:
            outcomes = end.value
            break
        if isinstance(event, Checkpointed) and not killed:
            killed.append(started[0].pid)
            os.kill(started[0].pid, signal.SIGKILL)
    assert [one.status for one in outcomes] == ["failed", "finished"]
    assert "\n" not in outcomes[0].message
    assert len(started) == 2
    assert not any(child.alive for child in started)
    assert open_result(jobs("a").base_dir / "a.zarr").status == "running"  # and goes on when it is asked for again


def test_two_jobs_that_write_to_one_place_are_refused(jobs):
    with pytest.raises(InputError, match="a path for each job"):
        check_batch([jobs("a"), jobs("a")])


def test_problems_are_found_before_anything_runs(jobs, tmp_path):
    bad = BatchJob("bad", jobs("bad").job.model_copy(update={"raw": "none.npy"}), tmp_path)
    problems = check_batch([jobs("a"), bad])
    assert problems[0] is None
    assert problems[1].field == "raw"
    assert not list(tmp_path.glob("*.zarr"))


def test_a_result_of_another_job_is_in_the_way(jobs):
    ended(run_batch([jobs("a")], Controls("batch")))
    other = BatchJob("a", jobs("a", epochs=9).job, jobs("a").base_dir)
    assert check_batch([other])[0].field == "output.path"


def test_a_job_waits_for_the_one_it_starts_from(jobs, tmp_path):
    first, second = jobs("a"), jobs("b", start_from="a.zarr")
    (tmp_path / "a.yml").write_text(yaml.safe_dump(first.job.model_dump(mode="json", exclude_unset=True)))
    (tmp_path / "b.yml").write_text(yaml.safe_dump(second.job.model_dump(mode="json", exclude_unset=True)))
    read = read_batch([tmp_path / "a.yml", tmp_path / "b.yml"])
    assert [one.after for one in read] == [None, 0]
    assert check_batch(read) == [None, None]
    _, outcomes = ended(run_batch(read, Controls("batch")))
    assert [one.status for one in outcomes] == ["finished", "finished"]


def test_what_needs_a_part_that_failed_does_not_begin(monkeypatch):
    def events_of(command, controls):
        yield Failed("x", None, "No.") if command["n"] == 0 else Finished("x", "finished", None, "Yes.")

    monkeypatch.setattr("napari_nstm.run.parts.events_of", events_of)
    parts = [Part("one", {"n": 0}), Part("two", {"n": 1}, after=0), Part("three", {"n": 2})]
    found = list(run_parts(parts, Controls("x")))
    assert found[1] == PartEvent(1, Failed("x", None, "Not begun, because one failed."))
    assert isinstance(found[2].event, Finished)


class TestTable:
    @pytest.fixture
    def template(self, tmp_path):
        content = {"modality": "dpc", "raw": "raw.npy", "acquisition": {"pixel_size_um": 0.5, "wavelength_um": 0.5}}
        (tmp_path / "base.yml").write_text(yaml.safe_dump(content))
        return tmp_path

    def test_a_row_is_a_job_and_an_empty_cell_the_template(self, template):
        (template / "t.csv").write_text(
            "job,output.path,acquisition.wavelength_um\nbase.yml,a.zarr,\nbase.yml,b.zarr,0.6\n"
        )
        a, b = read_batch([template / "t.csv"])
        assert (a.name, b.name) == ("t.csv row 2", "t.csv row 3")
        assert (a.job.acquisition["wavelength_um"], b.job.acquisition["wavelength_um"]) == (0.5, 0.6)
        assert a.job.raw == str(template / "raw.npy")
        assert b.job.output.path == str(template / "b.zarr")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("job,fit.epochs\nbase.yml,-1\n", r"t.csv row 2, fit.epochs: got -1"),
            ("job,fit.epochs\nbase.yml,[\n", r"t.csv row 2, column fit.epochs: got '\['"),
            ("job,raw,raw\nbase.yml,a,b\n", "a column twice"),
            ("job\nbase.yml,7\n", "more cells than there are columns"),
            ("", "names nothing"),
        ],
    )
    def test_what_is_wrong_names_row_and_column(self, template, text, message):
        (template / "t.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            read_batch([template / "t.csv"])

    def test_files_of_a_template_in_another_folder_are_found_there(self, template):
        (template / "there").mkdir()
        content = {
            "modality": "dpc",
            "raw": "raw.npy",
            "acquisition": {
                "pixel_size_um": 0.5,
                "wavelength_um": 0.5,
                "na_objective": 0.3,
                "na_illumination": 0.3,
                "source_angles_deg": [0, 90, 180, 270],
                "background": {"kind": "image", "path": "flat.npy"},
            },
        }
        (template / "there" / "base.yml").write_text(yaml.safe_dump(content))
        (template / "t.csv").write_text("job,output.path\nthere/base.yml,a.zarr\n")
        (one,) = read_batch([template / "t.csv"])
        assert one.job.acquisition["background"]["path"] == str(template / "there" / "flat.npy")
        assert one.job.raw == str(template / "there" / "raw.npy")
        assert one.job.output.path == str(template / "a.zarr")

    def test_no_jobs(self, template):
        (template / "t.csv").write_text("job,raw\n")
        with pytest.raises(InputError, match="no jobs"):
            read_batch([template / "t.csv"])
        with pytest.raises(InputError, match="does not exist"):
            read_batch([template / "none.csv"])
