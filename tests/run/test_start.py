"""A job that starts from another run."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from tests.toy import toy_problem, toy_settings

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Notice, Progress
from napari_nstm.core.grids import Channel
from napari_nstm.fit.solver import Solver
from napari_nstm.io.store import StoreWriter
from napari_nstm.run.reconstruct import reconstruct, resume
from napari_nstm.run.start import Start, read_start, with_finer_motion


def stop_after_progress(seen):
    return lambda: any(isinstance(event, Progress) for event in seen)


@pytest.fixture
def first(toy, job, frames):
    return reconstruct(job, frames)


def again(job, first, **fit):
    return {
        **job,
        "fit": {**job["fit"], "epochs": 20, "start_from": str(first.path), **fit},
        "output": {**job["output"], "path": job["output"]["path"] + "2"},
    }


def test_it_begins_where_the_other_ended_and_says_so(job, first, frames):
    events = []
    warm = reconstruct(again(job, first), frames, on_event=events.append)
    short = {**job, "fit": {**job["fit"], "epochs": 20}}
    cold = reconstruct({**short, "output": {**job["output"], "path": job["output"]["path"] + "3"}}, frames)
    assert warm.loss[-1] < 0.3 * cold.loss[-1]
    assert len(warm.loss) == 20
    run_id = first.open().record.run_id
    assert any(isinstance(e, Notice) and run_id in e.message for e in events)
    assert warm.open().record.job["fit"]["start_from"] == str(first.path)


def test_what_there_is_not_is_refused(toy, job, frames, tmp_path):
    job["fit"]["start_from"] = str(tmp_path / "none.zarr")
    with pytest.raises(InputError, match="which does not exist") as caught:
        reconstruct(job, frames)
    assert caught.value.field == "fit.start_from"


def test_another_field_is_refused(job, first, frames):
    with pytest.raises(InputError, match="a result of 48 x 48 pixels") as caught:
        reconstruct(again(job, first), np.ascontiguousarray(frames[:, :40, :40]))
    assert caught.value.field == "fit.start_from"


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_there_again(job, first, frames):
    warm = reconstruct(again(job, first), frames)
    # What a process leaves that ends at once: a store that runs, and nothing to go on from.
    store = StoreWriter.create(
        warm.path.with_name("killed.zarr"), warm.open().record.changed({"status": "running", "step": 0})
    )
    shutil.copy(warm.path / "raw.npy", store.path)
    resumed = resume(store.path)
    assert resumed.status == "finished"
    np.testing.assert_allclose(resumed.loss, warm.loss, rtol=1e-5)


def test_a_result_is_needed_only_until_the_first_checkpoint(job, first, frames):
    seen = []
    long = again(job, first, epochs=1000)
    stopped = reconstruct(long, frames, on_event=seen.append, should_stop=stop_after_progress(seen))
    assert stopped.status == "stopped"
    shutil.rmtree(first.path)
    assert resume(stopped.path).status == "finished"


def test_a_region_starts_from_the_same_region_only(toy, job, frames):
    part = {**job, "region": [4, 4, 40, 40]}
    first = reconstruct(part, frames)
    assert reconstruct(again(part, first), frames).status == "finished"
    with pytest.raises(InputError, match="a region 2, 2 um away; takes one of the same region") as caught:
        reconstruct({**again(part, first), "region": [0, 0, 40, 40]}, frames, overwrite=True)
    assert caught.value.field == "fit.start_from"


@pytest.mark.parametrize(
    ("entry", "value", "got"),
    [
        ("pixel_size_um", (2.0, 2.0), "a result of 48 x 48 pixels of 2 x 2 um with value"),
        ("channels", (Channel("phase", "rad"),), "a result of 48 x 48 pixels of 1 x 1 um with phase"),
    ],
)
def test_a_result_of_other_pixels_or_channels_is_refused(first, frames, entry, value, got):
    stored = first.open()
    start = Start(replace(stored, record=stored.record.changed({entry: value})))
    solver = Solver(lambda level: toy_problem(frames, level), toy_settings(pyramid=((0, 1.0),)))
    with pytest.raises(InputError, match=f"^fit.start_from: got {got}; takes one of 48 x 48 pixels of 1 x 1 um with"):
        start.state(solver, solver.init())


def test_a_run_that_has_not_finished_is_no_start(job, first, frames):
    seen = []
    long = again(job, first, epochs=5000)
    stopped = reconstruct(long, frames, on_event=seen.append, should_stop=stop_after_progress(seen))
    assert stopped.status == "stopped"
    with pytest.raises(InputError, match=r"fit.start_from: got .*, whose run has not finished"):
        read_start(stopped.path)


def test_finer_motion_starts_where_a_finished_run_ended(toy, job, frames, tmp_path):
    # Rows slide against each other in stripes that the cells of the first run are too large for.
    n = 48
    y, x = np.mgrid[:n, :n].astype(float)
    rng = np.random.default_rng(3)
    blobs = rng.uniform(6, n - 6, (60, 2))
    slide = 1.5 * np.sin(2 * np.pi * y / 16)

    def frame(t):
        moved = x + t * slide
        return sum(np.exp(-((y - cy) ** 2 + (moved - cx) ** 2) / (2 * 1.5**2)) for cy, cx in blobs)

    sliding = np.stack([frame(t) for t in (0.0, 0.5, 1.0)]).astype(np.float32)
    job["fit"] = {"epochs": 200, "advanced": {"pyramid": [[0, 1.0]]}}
    coarse = reconstruct(job, sliding)
    made = with_finer_motion(coarse.path, tmp_path / "finer.zarr")
    cells = made.fit.advanced["motion_encoding"]
    assert (cells["n_levels"], cells["fine_cells"]) == (4, pytest.approx([2.0, 8.0, 8.0], rel=0.15))
    finer = reconstruct(made, base_dir=coarse.path)
    assert finer.loss[0] == pytest.approx(coarse.loss[-1], rel=0.1)
    assert finer.loss[-1] < 0.5 * coarse.loss[-1]
    truth = np.stack([np.zeros_like(slide), -slide])  # what is at x at first is at x - slide at last

    def error_px(result):
        inner = (slice(None), slice(6, -6), slice(6, -6))
        return np.sqrt(np.mean((np.asarray(result.motion_um[-1]) - truth)[inner] ** 2))

    assert error_px(finer) < 0.8 * error_px(coarse)
    assert finer.open().record.job["fit"]["start_from"] == str(coarse.path)


def test_a_fit_that_lost_the_sample_says_so(job, first, frames):
    near = reconstruct(again(job, first), np.roll(frames, 1, axis=2))
    assert "far worse" not in near.message
    far = reconstruct(again(job, first), np.roll(frames, (12, 17), axis=(1, 2)), overwrite=True)
    assert "far worse than the result it started from" in far.message
    assert far.open().record.message == far.message
