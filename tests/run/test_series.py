"""Acquisitions one after the other in one stack: a result for each, and one image of all moments."""

import numpy as np
import pytest
import zarr
from tests.toy import moving_blobs

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Failed, Finished, Notice, PartDone
from napari_nstm.core.settings import Job
from napari_nstm.io.store import open_result
from napari_nstm.run import batch
from napari_nstm.run.parts import run_parts
from napari_nstm.run.patience import Controls
from napari_nstm.run.series import acquisitions, run_series, series_folder

N, EACH = 3, 4


@pytest.fixture
def series(toy, job, tmp_path, monkeypatch):
    """A job whose raw data are three acquisitions; each is brighter than the one before."""
    monkeypatch.setattr(batch, "_here", lambda jobs, parts, controls: run_parts(parts, controls))
    raw = np.concatenate([(1 + k) * moving_blobs(48, 3.0)[0] for k in range(N)])
    np.save(tmp_path / "raw.npy", raw)
    acquisition = {"pixel_size_um": 0.5, "timestamps_ms": [10.0 * k for k in range(N * EACH)]}
    return {**job, "acquisition": acquisition, "fit": {**job["fit"], "epochs": 8}}


def ended(job, folder, controls=None, **options):
    """Return all events of a series, and how its acquisitions ended."""
    events, stream = [], run_series(job, controls, base_dir=folder, frames_each=EACH, **options)
    while True:
        try:
            events.append(next(stream))
        except StopIteration as end:
            return events, end.value


def starts(outcomes):
    """Return, of each result, the run that it started from."""
    found = []
    for one in outcomes:
        told = [text for text in open_result(one.path).record.notices if "starts from" in text]
        found.append(told[0].rstrip(".").split()[-1] if told else None)
    return found


def test_moments_of_all_acquisitions_become_one_image_in_the_order_of_time(series, tmp_path):
    events, outcomes = ended(series, tmp_path)
    folder = tmp_path / "result-series"
    assert [one.path for one in outcomes] == [str(folder / f"000{k + 1}.zarr") for k in range(N)]
    assert [event.done for event in events if isinstance(event, PartDone)] == [1, 2, 3]
    assert isinstance(events[-1], Finished)
    assert events[-1].path == str(folder / "reconstruction.zarr")
    image = zarr.open_group(events[-1].path, mode="r")
    assert image.attrs["nstm"]["times_ms"] == series["acquisition"]["timestamps_ms"]
    of_each = [np.asarray(open_result(one.path).reconstruction) for one in outcomes]
    np.testing.assert_array_equal(image["0"][:], np.concatenate(of_each))
    peaks = [one.max() for one in of_each]
    assert peaks == sorted(peaks)
    assert peaks[2] > 1.5 * peaks[0]  # each was made of its own frames


def test_each_starts_from_its_neighbour_or_anew(series, tmp_path):
    _, outcomes = ended(series, tmp_path, out=tmp_path / "warm")
    ids = [open_result(one.path).record.run_id for one in outcomes]
    assert starts(outcomes) == [None, ids[0], ids[1]]
    _, outcomes = ended(series, tmp_path, out=tmp_path / "cold", warm_start=False)
    assert starts(outcomes) == [None, None, None]


def test_on_a_cluster_all_start_from_the_first(series, tmp_path):
    job = Job.model_validate(series)
    asked = {"frames_each": EACH, "warm_start": True}
    jobs = acquisitions(job, tmp_path, tmp_path / "out", in_turn=False, **asked)
    assert [one.after for one in jobs] == [None, 0, 0]
    assert {one.job.fit.start_from for one in jobs[1:]} == {str(tmp_path / "out" / "0001.zarr")}
    assert [one.job.frames for one in jobs] == [(0, 4), (4, 4), (8, 4)]
    tiled = Job.model_validate({**series, "compute": {"tile_px": 32}})
    jobs = acquisitions(tiled, tmp_path, tmp_path / "out", in_turn=True, **asked)
    assert [one.after for one in jobs] == [None, None, None]


def test_a_part_of_the_frames_can_be_the_series(series, tmp_path):
    job = Job.model_validate({**series, "frames": [4, 8]})
    jobs = acquisitions(job, tmp_path, tmp_path / "out", frames_each=2, warm_start=False, in_turn=True)
    assert [one.job.frames for one in jobs] == [(4, 2), (6, 2), (8, 2), (10, 2)]


def test_what_is_done_is_left_alone_and_a_stop_begins_no_other(series, tmp_path):
    seen = []
    controls = Controls("run", should_stop=lambda: any(isinstance(event, PartDone) for event in seen))
    for event in run_series(series, controls, base_dir=tmp_path, frames_each=EACH):
        seen.append(event)  # noqa: PERF402 -- the stop looks at it
    folder = series_folder(Job.model_validate(series), tmp_path)
    assert seen[-1].status == "stopped"
    assert "1 of 3" in seen[-1].message
    assert not (folder / "reconstruction.zarr").exists()
    when = (folder / "0001.zarr" / "zarr.json").stat().st_mtime_ns
    events, outcomes = ended(series, tmp_path)
    assert [one.message == "It was done before." for one in outcomes] == [True, False, False]
    assert (folder / "0001.zarr" / "zarr.json").stat().st_mtime_ns == when
    assert events[-1].status == "finished"
    assert not list(folder.glob(".*"))


def test_the_neighbour_of_one_that_fails_begins_anew(series, toy, tmp_path, monkeypatch):
    prepare = toy.prepare

    def fails_for_the_first(raw, settings, level):
        if np.max(raw.frames) < 1.9:
            raise InputError("raw", "frames without light", "others")
        return prepare(raw, settings, level)

    monkeypatch.setattr(toy, "prepare", fails_for_the_first)
    events, outcomes = ended(series, tmp_path)
    assert [one.status for one in outcomes] == ["failed", "finished", "finished"]
    told = [event.message for event in events if isinstance(event, Notice)]
    assert any("begins anew" in text for text in told)
    assert any("missing in the image" in text and "acquisition 1 of 3" in text for text in told)
    assert starts(outcomes[1:]) == [None, open_result(outcomes[1].path).record.run_id]
    times = zarr.open_group(events[-1].path, mode="r").attrs["nstm"]["times_ms"]
    assert times == series["acquisition"]["timestamps_ms"][EACH:]


def test_where_all_fail_there_is_no_image(series, toy, tmp_path, monkeypatch):
    def fails(raw, settings, level):
        raise InputError("raw", "frames without light", "others")

    monkeypatch.setattr(toy, "prepare", fails)
    events, _ = ended(series, tmp_path)
    assert isinstance(events[-1], Failed)
    assert "without light" in events[-1].message


@pytest.mark.parametrize(
    ("changes", "options", "field"),
    [
        ({}, {"frames_each": 5}, "frames_each"),
        ({}, {"frames_each": 0}, "frames_each"),
        ({}, {"frames_each": None}, "frames_each"),
        ({"output": {"times": [0.0, 1.0]}}, {"frames_each": 4}, "output.times"),
        ({"raw": "none.npy"}, {"frames_each": 4}, "raw"),
        ({}, {"frames_each": 1}, "raw"),
        ({}, {"frames_each": 4, "out": "raw.npy"}, "out"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(series, tmp_path, changes, options, field):
    before = sorted(tmp_path.iterdir())
    if "out" in options:
        options = {**options, "out": tmp_path / options["out"]}
    with pytest.raises(InputError) as caught:
        next(run_series({**series, **changes}, base_dir=tmp_path, **options))
    assert caught.value.field == field
    assert sorted(tmp_path.iterdir()) == before


def test_a_modality_may_know_how_many_frames_an_acquisition_has(series, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "frames_each", lambda raw, settings: len(raw.frames) // 2, raising=False)
    job = Job.model_validate(series)
    jobs = acquisitions(job, tmp_path, tmp_path / "out", frames_each=None, warm_start=False, in_turn=True)
    assert [one.job.frames for one in jobs] == [(0, 6), (6, 6)]
