"""What is told of a field in tiles while it is reconstructed: one picture, one count of steps, one end."""

import threading
import time

import numpy as np
import pytest

from napari_nstm.core.errors import NstmError
from napari_nstm.core.events import Notice, PartDone, Paused, Prepared, Preview, Progress
from napari_nstm.core.tiles import tile_path
from napari_nstm.io.store import open_result
from napari_nstm.run import parts
from napari_nstm.run.reconstruct import iter_reconstruct, iter_resume, reconstruct, resume

pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture
def job(tmp_path, field):
    np.save(tmp_path / "raw.npy", field)
    return {
        "modality": "toy",
        "raw": str(tmp_path / "raw.npy"),
        "acquisition": {"pixel_size_um": 1.0},
        "fit": {"epochs": 40, "advanced": {"pyramid": [[0, 1.0]]}},
        "output": {"path": str(tmp_path / "result.zarr"), "checkpoint_every_s": 0.1, "preview_every_s": 0.05},
        "compute": {"tile_px": 48, "tile_overlap_px": 12},
    }


def stopped_at(kind, job):
    """Stop a run at its first event of a kind; return its last."""
    asked = threading.Event()
    for event in iter_reconstruct(job, should_stop=asked.is_set):
        if isinstance(event, kind):
            asked.set()
    assert event.status == "stopped"
    return event


def test_the_whole_field_is_seen_from_the_first_picture_on(job, field):
    events = list(iter_reconstruct(job))
    kinds = [type(event) for event in events]
    prepared = events[kinds.index(Prepared)]
    assert (prepared.n_tiles, prepared.tile_px, prepared.n_steps, prepared.fits_px) == (2, (48, 48), 80, None)
    assert kinds.index(Prepared) < kinds.index(Preview) < kinds.index(Progress) < kinds.index(PartDone)
    still = field.mean(axis=0)
    np.testing.assert_allclose(events[kinds.index(Preview)].scene[0], still, atol=1e-6)
    # When the first tile is done the second has not begun: it shows what the frames give if nothing moved.
    first = next(k for k, event in enumerate(events) if isinstance(event, PartDone))
    shown = next(event for event in reversed(events[:first]) if isinstance(event, Preview))
    result = open_result(job["output"]["path"])
    own = open_result(tile_path(result.path, 0)).scene_at(shown.time_ms)
    np.testing.assert_allclose(shown.scene[:, :, :48], own[:, :, :48], atol=1e-5)
    np.testing.assert_allclose(shown.scene[0, :, 48:], still[:, 48:], atol=1e-6)
    assert np.abs(shown.motion_um[..., :12]).max() > 0.1
    assert not shown.motion_um[..., -12:].any()
    assert {event.run_id for event in events} == {events[0].run_id}
    assert (events[-1].result.status, events[-1].result.path) == ("finished", result.path)
    assert len(events[-1].result.loss) > 1


def test_a_large_field_has_no_picture_before_its_tiles_begin(job, monkeypatch, toy):
    monkeypatch.setattr("napari_nstm.run.tiled.whole._LARGEST_SHOWN_PX", 48 * 95)
    shapes, comparisons = [], type(toy).comparisons

    def counted(self, raw, settings):
        shapes.append(raw.frames.shape[1:])
        return comparisons(self, raw, settings)

    monkeypatch.setattr(type(toy), "comparisons", counted)
    events = iter_reconstruct(job)
    shown = next(event for event in events if isinstance(event, Preview))
    events.close()
    assert shown.scene.shape == (1, 48, 96)
    assert not shown.scene[..., 48:].any()
    assert shapes == [(48, 80)]  # of what is fitted for a tile, never of the whole


def test_a_moment_that_is_wished_is_shown(job):
    events = iter_reconstruct(job, preview_time=lambda: 0.75)
    shown = [next(event for event in events if isinstance(event, Preview)) for _ in range(3)]
    events.close()
    assert {event.time_ms for event in shown} == {0.75}


def test_a_pause_holds_the_tile_at_work(job):
    paused, asked = threading.Event(), [False]
    events = iter_reconstruct(job, should_pause=lambda: asked[0])
    for event in events:
        if isinstance(event, Progress) and not paused.is_set():
            asked[0] = True
        if isinstance(event, Paused):
            assert 0 < event.step < event.n_steps == 80
            paused.set()
            asked[0] = False
    assert paused.is_set()
    assert event.status == "finished"


def test_a_stop_in_the_first_compile_leaves_a_plan_to_go_on_with(job, monkeypatch):
    from napari_nstm.fit.solver import Solver

    begun, advance = threading.Event(), Solver.advance

    def slow(self, state, seconds):
        begun.set()
        time.sleep(1)
        return advance(self, state, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(Solver, "advance", slow)
        last = list(iter_reconstruct(job, should_stop=begun.is_set))[-1]
    assert (last.status, last.message) == ("stopped", "Stopped before the first tile reached anything.")
    assert resume(last.path).status == "finished"


def test_a_stop_shows_the_tile_at_work_as_far_as_it_came(job):
    event = stopped_at(Progress, job)
    assert "0 of 2 tiles are done, 1 are empty" in event.message
    scene = np.asarray(open_result(event.path).reconstruction)
    assert np.isfinite(scene[..., :40]).all()
    assert np.isnan(scene[..., -36:]).all()


def test_a_resumed_run_counts_the_steps_that_were_done(job):
    stopped_at(PartDone, job)
    events = list(iter_resume(job["output"]["path"]))
    assert events[1].message == "Of 2 tiles, 1 done already."
    assert (events[2].step, type(events[2])) == (40, Preview)
    steps = [(event.step, event.n_steps) for event in events if isinstance(event, Progress)]
    assert 40 < steps[0][0] <= steps[-1][0] == 80
    assert {n for _, n in steps} == {80}
    assert [event.name for event in events if isinstance(event, PartDone)] == ["tile 2 of 2"]


def test_a_tile_that_diverged_is_named(job):
    job["fit"]["advanced"]["scene_learning_rate"] = 1e30
    events = []
    result = reconstruct(job, on_event=events.append)
    assert {event.status for event in events if isinstance(event, PartDone)} == {"diverged"}
    assert any(isinstance(e, Notice) and e.message.endswith("what they had reached is shown: 1, 2.") for e in events)
    assert np.isfinite(np.asarray(result.open().reconstruction)).all()


def test_a_device_that_is_not_there_fails_every_tile_and_the_run_can_be_resumed(job):
    first = iter_reconstruct(job)
    for event in first:
        if isinstance(event, Progress):
            break
    first.close()
    with pytest.raises(NstmError, match=r"these failed: 1, 2 \(tile 1: .*gpu:99"):
        resume(job["output"]["path"], device="gpu:99")
    assert resume(job["output"]["path"]).status == "finished"


def test_the_scheduler_of_the_job_gets_the_tiles(job, monkeypatch):
    given = []

    def elsewhere(asked, controls, scheduler):
        given.append((scheduler, [part.name for part in asked]))
        for index, part in enumerate(asked):  # previews do not come back from a cluster
            for event in parts.events_of(part.command, controls):
                if not isinstance(event, Preview):
                    yield parts.PartEvent(index, event)

    monkeypatch.setattr("napari_nstm.run.cluster.run_on_cluster", elsewhere)
    job["compute"]["scheduler"] = "tcp://host:8786"
    events = list(iter_reconstruct(job))
    assert given == [("tcp://host:8786", ["tile 1 of 2", "tile 2 of 2"])]
    assert events[-1].status == "finished"
    # A tile appears when it is done, read from its store.
    shown = [event.scene for event in events if isinstance(event, Preview)]
    assert len(shown) == 3
    assert (shown[0] != shown[1])[..., :48].mean() > 0.5
    np.testing.assert_array_equal(shown[0][..., 48:], shown[1][..., 48:])
    assert (shown[1] != shown[2])[..., 48:].mean() > 0.5
