"""A field in tiles, from its plan to one result: with the toy camera, whose optics reach nowhere."""

import numpy as np
import pytest
from tests.toy import moving_blobs

from napari_nstm.core.errors import InputError, NstmError, StoreError
from napari_nstm.core.events import Finished, PartDone, Prepared, Preview, Progress
from napari_nstm.core.tiles import tile_path
from napari_nstm.io.store import open_result
from napari_nstm.run.patience import Controls
from napari_nstm.run.reconstruct import iter_estimate, iter_reconstruct, reconstruct, resume
from napari_nstm.run.tiled.run import blend, run_tile

pytestmark = pytest.mark.usefixtures("toy")

SIZE = 112


@pytest.fixture(scope="module")
def field():
    return moving_blobs(SIZE, 3.0)[0]


@pytest.fixture
def job(tmp_path, field):
    np.save(tmp_path / "raw.npy", field)
    return {
        "modality": "toy",
        "raw": str(tmp_path / "raw.npy"),
        "acquisition": {"pixel_size_um": 1.0},
        "fit": {"epochs": 40, "advanced": {"pyramid": [[0, 1.0]]}},
        "output": {"path": str(tmp_path / "result.zarr"), "checkpoint_every_s": 0.2},
        "compute": {"tile_px": 56},
    }


def controls(**asked):
    return Controls("test", **asked)


def planned(job):
    """Plan a job and stop before its first tile."""
    stops = iter([False])
    for event in iter_reconstruct(job, should_stop=lambda: next(stops, True)):
        last = event
    assert isinstance(last, Finished)
    return open_result(job["output"]["path"]).path


def test_tiles_make_one_result_as_if_the_field_were_fitted_at_once(job, field):
    events = []
    result = reconstruct(job, on_event=events.append)
    assert (result.status, result.message) == ("finished", "4 tiles.")
    truth = field[:, None]
    whole = reconstruct({**job, "compute": {}, "output": {**job["output"], "path": job["output"]["path"] + "2"}})
    error = np.sqrt(np.mean((result.reconstruction - truth) ** 2))
    assert error < 1.2 * np.sqrt(np.mean((whole.reconstruction - truth) ** 2))
    np.testing.assert_allclose(result.conventional[0], field.mean(axis=0), atol=1e-6)
    stored = result.open()
    assert stored.reconstruction.shape == (4, 1, SIZE, SIZE)
    assert stored.residual.shape == (4, SIZE, SIZE)
    assert stored.seams.shape == (1, SIZE, SIZE)
    assert stored.record.seam_rms["value"] < 0.05 * truth.max()
    np.testing.assert_allclose(stored.scene_at(1.0), result.reconstruction[1], atol=1e-5)
    # Whoever watches sees each tile end, steps of all together, and pictures of the whole field.
    done = [event for event in events if isinstance(event, PartDone)]
    assert [(e.name, e.done, e.total) for e in done] == [(f"tile {k} of 4", k, 4) for k in (1, 2, 3, 4)]
    steps = [event.step for event in events if isinstance(event, Progress)]
    assert steps == sorted(steps)
    assert steps[-1] == 4 * 40 == next(e.n_steps for e in events if isinstance(e, Prepared))
    pictures = [event.scene for event in events if isinstance(event, Preview)]
    assert {picture.shape for picture in pictures} == {(1, SIZE, SIZE)}
    np.testing.assert_allclose(pictures[-1], stored.scene_at(2.0), atol=0.2 * truth.max())


def test_any_order_and_many_sessions_give_the_same_bits(job):
    at_once = reconstruct(job)
    job["output"]["path"] += "2"
    store = planned(job)
    for index in (3, 1, 0, 2):
        assert list(run_tile(store, index, controls()))[-1].status == "finished"
    for _ in blend(store, controls()):
        pass
    np.testing.assert_array_equal(open_result(store).reconstruction, at_once.reconstruction)
    np.testing.assert_array_equal(open_result(store).motion_um, at_once.motion_um)


def test_a_tile_that_is_done_is_left_alone(job):
    store = planned(job)
    list(run_tile(store, 1, controls()))
    path = tile_path(store, 1) / "zarr.json"
    before = path.read_bytes(), path.stat().st_mtime_ns
    last = list(run_tile(store, 1, controls()))[-1]
    assert last.message == "It was done before."
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_what_is_missing_is_named_and_a_resume_makes_it(job):
    store = planned(job)
    list(run_tile(store, 2, controls()))
    with pytest.raises(StoreError, match="not done: 0, 1, 3"):
        list(blend(store, controls()))
    assert open_result(store).status == "running"
    kept = (tile_path(store, 2) / "zarr.json").stat().st_mtime_ns
    result = resume(store)
    assert result.status == "finished"
    assert (tile_path(store, 2) / "zarr.json").stat().st_mtime_ns == kept


def test_a_stop_keeps_the_tiles_that_were_reached(job):
    seen = []
    stream = iter_reconstruct(job, should_stop=lambda: any(isinstance(e, PartDone) for e in seen))
    for event in stream:
        seen.append(event)  # noqa: PERF402 -- the stop looks at it
    assert seen[-1].status == "stopped"
    stored = open_result(job["output"]["path"])
    assert stored.status == "stopped"
    scene = np.asarray(stored.reconstruction[0, 0])
    assert np.isfinite(scene[:40, :40]).all()
    assert np.isnan(scene[-40:, -40:]).all()
    assert resume(stored.path).status == "finished"
    assert np.isfinite(np.asarray(open_result(stored.path).reconstruction)).all()


def test_a_tile_that_fails_does_not_end_the_others(job, toy, monkeypatch):
    prepare = toy.prepare
    broken = []

    def failing(raw, settings, level):
        if broken and np.array_equal(raw.frames[0], broken[0]):
            raise InputError("raw", "a tile that cannot be used", "another")
        return prepare(raw, settings, level)

    store = planned(job)
    region = open_result(store).record.tiles.tiles[1].fitted
    frames = np.load(job["raw"])
    broken.append(frames[0, region[0] : region[0] + region[2], region[1] : region[1] + region[3]])
    monkeypatch.setattr(toy, "prepare", failing)
    with pytest.raises(NstmError, match=r"these failed: 2 \(tile 2: raw: got a tile that cannot"):
        resume(store)
    broken.clear()
    assert resume(store).status == "finished"


def test_an_estimate_counts_the_tiles_and_writes_nothing(job, tmp_path):
    prepared = list(iter_estimate(job))[-1]
    assert isinstance(prepared, Prepared)
    assert (prepared.n_tiles, prepared.n_steps, prepared.shape) == (4, 160, (SIZE, SIZE))
    assert "in 4 tiles of 56 x 56 pixels" in prepared.summary
    assert not (tmp_path / "result.zarr").exists()


def test_memory_decides_how_large_tiles_are(job):
    whole = list(iter_estimate({**job, "compute": {}}))[-1]
    # 0.3 GB for the process, and twice what the arrays of a step need.
    job["compute"] = {"tile_memory_gb": 0.3 + 1.4e-9 * whole.memory_bytes}
    few = list(iter_estimate(job))[-1]
    assert few.n_tiles > 1
    assert few.memory_bytes <= 0.7 * whole.memory_bytes
    job["compute"] = {"tile_memory_gb": 1e-6}
    with pytest.raises(InputError, match=r"compute.tile_memory_gb: got 1e-06 GB; takes .* GB or more"):
        list(iter_estimate(job))


def test_an_overlap_that_is_too_small_is_refused_before_anything_is_written(job, tmp_path):
    job["compute"]["tile_overlap_px"] = 2
    with pytest.raises(InputError, match=r"compute.tile_overlap_px: got 2 pixels; takes \d+ pixels or more"):
        reconstruct(job)
    assert not (tmp_path / "result.zarr").exists()


def test_frames_that_changed_are_noticed(job, field):
    store = planned(job)
    np.save(job["raw"], field + 1)
    with pytest.raises(InputError, match="data that have changed"):
        resume(store)


def test_frames_in_memory_are_kept_with_the_plan(job, field):
    job["raw"] = "raw"
    result = reconstruct(job, field)
    assert result.status == "finished"


@pytest.mark.parametrize("index", [-1, 4])
def test_a_tile_that_there_is_not(job, index):
    with pytest.raises(InputError, match=rf"tile: got {index}; takes a number from 0 to 3"):
        list(run_tile(planned(job), index, controls()))
