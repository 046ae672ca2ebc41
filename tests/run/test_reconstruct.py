"""A job from its frames to its store, in this process."""

import json
import platform
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
import yaml
from tests.toy import moving_blobs

from napari_nstm.core.errors import DeviceError, InputError, NstmError, StoreError
from napari_nstm.core.events import Checkpointed, Finished, Notice, Prepared, Preview, Progress, Working
from napari_nstm.io.store import open_result
from napari_nstm.run.claims import new_note, write_note
from napari_nstm.run.reconstruct import iter_estimate, iter_reconstruct, iter_resume, reconstruct, resume


@pytest.fixture
def job_file(toy, job, frames, tmp_path):
    np.save(tmp_path / "raw.npy", frames)
    (tmp_path / "job.yml").write_text(yaml.safe_dump(job))
    return tmp_path / "job.yml"


def has_begun(seen):
    return any(isinstance(event, Progress) for event in seen)


def test_a_job_file_becomes_a_store_with_everything_in_it(job_file, tmp_path):
    events = []
    result = reconstruct(job_file, on_event=events.append)
    kinds = [type(event) for event in events]
    assert kinds.index(Prepared) < kinds.index(Progress)
    assert kinds[-1] is Finished
    assert len({event.run_id for event in events}) == 1
    assert (result.status, result.path) == ("finished", tmp_path / "result.zarr")

    stored = result.open()
    truth, motion_px = moving_blobs(48, 3.0)
    assert result.reconstruction.shape == (4, 1, 48, 48)
    assert np.abs(result.reconstruction[:, 0] - truth).max() < 0.25 * truth.max()
    # u belongs to the places of the first frame, and is known where there is something to see.
    bright = truth[0] > 0.5 * truth.max()
    assert np.median(result.motion_um[..., bright], axis=-1) == pytest.approx(motion_px[..., 0, 0], abs=0.25)
    np.testing.assert_allclose(result.conventional[0], truth.mean(axis=0), atol=1e-6)
    assert stored.residual.shape == (4, 48, 48)
    assert result.loss.shape == (60,)
    assert result.loss[-1] < 0.1 * result.loss[0]

    record = stored.record
    assert record.seed == 0
    assert {"napari-nstm", "jax", "flax", "numpy", "python"} <= set(record.versions)
    assert record.device.startswith("CPU")
    assert len(record.loss_history) == record.step == record.n_steps == 60
    assert len(record.input_hashes["raw"]) == 64
    assert set(record.timings_s) == {"prepare", "fit"}
    assert record.normalization == {"multiplied_by": 1.0}
    assert record.job["raw"] == str(tmp_path / "raw.npy")


def test_moments_between_the_frames(job_file, job):
    job["output"]["times"] = [0.5, 2.25]
    result = reconstruct(job, base_dir=job_file.parent)
    assert result.times_ms == (0.5, 2.25)
    assert len(result.reconstruction) == len(result.motion_um) == 2


def test_exact_rendering_reaches_the_store(job_file, job):
    job["fit"]["advanced"]["rendering"] = "exact"
    job["fit"]["epochs"] = 20
    result = reconstruct(job, base_dir=job_file.parent)
    from_canvas = np.stack([result.open().scene_at(t) for t in result.times_ms])
    np.testing.assert_allclose(result.reconstruction, from_canvas, atol=0.05 * from_canvas.max())


def test_nothing_is_made_where_something_cannot_be_used(job_file, job, tmp_path):
    before = sorted(tmp_path.iterdir())
    for changes in ({"raw": "none.tif"}, {"acquisition": {"pixel_size_um": -1}}, {"fit": {"device": "gpu:9"}}):
        with pytest.raises(InputError):
            reconstruct({**job, **changes}, base_dir=tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_a_result_is_not_overwritten_unasked(job_file):
    reconstruct(job_file)
    with pytest.raises(InputError, match="exists already"):
        reconstruct(job_file)
    assert reconstruct(job_file, overwrite=True).status == "finished"


def test_notices_of_the_modality_are_told_and_recorded(job_file, toy, monkeypatch):
    monkeypatch.setattr(toy, "check", lambda raw, settings: ["3 pixels are saturated."], raising=False)
    events = []
    result = reconstruct(job_file, on_event=events.append)
    assert [event.message for event in events if isinstance(event, Notice)] == ["3 pixels are saturated."]
    assert result.open().record.notices == ("3 pixels are saturated.",)


def test_a_stop_keeps_what_was_reached_and_resume_finishes_it(job_file, job):
    whole = reconstruct(job, base_dir=job_file.parent).reconstruction
    seen = []
    stopped = reconstruct(
        job,
        on_event=seen.append,
        base_dir=job_file.parent,
        overwrite=True,
        should_stop=lambda: has_begun(seen),
    )
    assert stopped.status == "stopped"
    record = stopped.open().record
    assert 0 < record.step < 60
    assert "Stopped at step" in record.message
    assert stopped.reconstruction.shape == whole.shape

    finished = resume(stopped.path, on_event=seen.append)
    assert finished.status == "finished"
    assert any(isinstance(e, Notice) and f"Going on from step {record.step}" in e.message for e in seen)
    assert finished.open().record.step == len(finished.open().record.loss_history) == 60
    assert finished.open().record.timings_s["fit"] > record.timings_s["fit"]
    np.testing.assert_allclose(finished.reconstruction, whole, atol=1e-3 * whole.max())


def test_a_stop_before_the_first_step_writes_nothing(job_file, tmp_path):
    events = list(iter_reconstruct(job_file, should_stop=lambda: True))
    assert events[-1].status == "stopped"
    assert events[-1].path is None
    assert not (tmp_path / "result.zarr").exists()
    with pytest.raises(NstmError, match="nothing was written"):
        reconstruct(job_file, should_stop=lambda: True)


def test_a_run_that_is_dropped_can_be_looked_at_and_resumed(job_file, slow_job, tmp_path):
    slow_job["fit"]["epochs"] = 1500
    events = iter_reconstruct(slow_job, base_dir=tmp_path)
    for event in events:
        if isinstance(event, Checkpointed):
            break
    events.close()
    stored = open_result(tmp_path / "result.zarr")
    assert stored.status == "running"
    assert stored.record.step >= event.step
    assert np.isfinite(stored.scene_at(1.2)).all()
    assert resume(stored.path).open().record.step == 1500


def test_a_run_that_ended_before_its_first_checkpoint_begins_anew(job_file, tmp_path, monkeypatch):
    from napari_nstm.run import loop

    def end(*args, **kwargs):
        raise KeyboardInterrupt
        yield

    with monkeypatch.context() as patch:
        patch.setattr(loop, "fit_loop", end)
        with pytest.raises(KeyboardInterrupt):
            reconstruct(job_file)
    assert open_result(tmp_path / "result.zarr").status == "running"
    assert resume(tmp_path / "result.zarr").open().record.step == 60


def test_resume_refuses_what_cannot_go_on(job_file, job, frames, tmp_path):
    seen = []
    result = reconstruct(job_file, on_event=seen.append, should_stop=lambda: has_begun(seen))
    np.save(tmp_path / "raw.npy", frames + 1)
    with pytest.raises(InputError, match="have changed") as caught:
        resume(result.path)
    assert caught.value.field == "raw"
    (tmp_path / "raw.npy").unlink()
    with pytest.raises(InputError, match="does not exist"):
        resume(result.path)
    np.save(tmp_path / "raw.npy", frames)
    with pytest.raises(InputError, match="jax sees"):
        resume(result.path, device="gpu:99")
    assert resume(result.path, device="cpu").status == "finished"
    with pytest.raises(InputError, match="is finished") as caught:
        resume(result.path)
    assert caught.value.field == "store"
    with pytest.raises(InputError):
        resume(tmp_path / "nothing.zarr")


def test_a_resumed_run_keeps_the_values_it_began_with(job_file, toy, monkeypatch):
    seen = []
    result = reconstruct(job_file, on_event=seen.append, should_stop=lambda: has_begun(seen))
    original = type(toy).defaults

    def changed(self, preset, raw, settings):  # as a newer version may
        return original(self, preset, raw, settings).model_copy(update={"learning_rate_end": 0.9})

    monkeypatch.setattr(type(toy), "defaults", changed)
    assert resume(result.path).open().record.fit["learning_rate_end"] == 0.1


def test_frames_in_memory_stay_in_the_store(toy, job, frames, tmp_path):
    seen = []
    result = reconstruct(job, frames, seen.append, should_stop=lambda: has_begun(seen))
    moved = tmp_path / "elsewhere.zarr"
    result.path.rename(moved)
    assert yaml.safe_load((moved / "job.yml").read_text())["raw"] == "raw.npy"
    assert resume(moved).status == "finished"


def test_a_diverged_run_keeps_a_result_and_is_not_resumed(job_file, job):
    job["fit"]["advanced"]["scene_learning_rate"] = 1e30
    result = reconstruct(job, base_dir=job_file.parent)
    assert result.status == "diverged"
    assert np.isfinite(result.reconstruction).all()
    with pytest.raises(InputError, match="diverged"):
        next(iter_resume(result.path))


def test_the_record_is_plain_json_also_where_a_loss_is_no_number(job_file, job):
    job["fit"]["advanced"]["scene_learning_rate"] = 1e30
    path = reconstruct(job, base_dir=job_file.parent).path

    def refuse(text):
        raise AssertionError(text)

    json.loads((path / "zarr.json").read_text(), parse_constant=refuse)


def test_a_device_that_cannot_prepare_makes_nothing(job_file, toy, monkeypatch, tmp_path):
    import jax

    def fail(self, raw, settings, level):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(type(toy), "prepare", fail)
    with pytest.raises(DeviceError, match="out of memory"):
        reconstruct(job_file)
    assert not (tmp_path / "result.zarr").exists()


def test_the_first_picture_is_the_conventional_one(job_file, job, toy, frames, monkeypatch):
    calls = []
    comparisons = type(toy).comparisons
    monkeypatch.setattr(type(toy), "comparisons", lambda *args: calls.append(1) or comparisons(*args))
    events = list(iter_reconstruct(job, base_dir=job_file.parent))
    kinds = [type(e) for e in events]
    assert events[0] == Working(events[0].run_id, "Preparing")
    first = kinds.index(Preview)
    # Nothing is compiled before it is there.
    assert kinds[first - 1] is Prepared
    assert not any(isinstance(e, Working) and e.compiling for e in events[:first])
    shown = events[first]
    assert (shown.step, shown.level, shown.time_ms) == (0, 0, 2.0)
    np.testing.assert_allclose(shown.scene[0], frames.mean(axis=0), atol=1e-6)
    assert shown.scene.dtype == shown.motion_um.dtype == np.float32
    assert not shown.motion_um.any()
    assert (shown.pixel_size_um, shown.channels, shown.units) == ((1.0, 1.0), ("value",), ("a.u.",))
    later = [e for e in events if isinstance(e, Preview)][-1]
    assert later.motion_um.shape == shown.motion_um.shape
    assert later.motion_spacing_px == shown.motion_spacing_px
    assert calls == [1]
    np.testing.assert_array_equal(events[-1].result.conventional, shown.scene)
    assert events[-2] == Working(events[0].run_id, "Writing the result")


def test_a_resumed_run_shows_what_it_goes_on_from(job_file):
    seen = []
    stopped = reconstruct(job_file, on_event=seen.append, should_stop=lambda: has_begun(seen))
    before = stopped.open()
    scene, step = before.scene_at(1.5), before.record.step
    events = list(iter_resume(stopped.path, preview_time=lambda: 1.5))
    first = next(k for k, e in enumerate(events) if isinstance(e, Progress))
    conventional, reached = [e for e in events[:first] if isinstance(e, Preview)]
    assert conventional.step == 0
    assert reached.step == step > 0
    assert reached.time_ms == 1.5
    np.testing.assert_allclose(reached.scene, scene, atol=1e-6)


def test_previews_show_the_moment_that_is_wished(job_file, slow_job, tmp_path):
    events = iter_reconstruct(slow_job, base_dir=tmp_path, preview_time=lambda: 0.75)
    shown = [next(e for e in events if isinstance(e, Preview)) for _ in range(3)]
    events.close()
    assert [e.time_ms for e in shown] == [0.75] * 3
    assert shown[-1].step > 0


def test_what_a_job_would_need_is_told_without_running_it(job_file, toy, monkeypatch, tmp_path):
    monkeypatch.setattr(toy, "check", lambda raw, settings: ["3 pixels are saturated."], raising=False)
    before = sorted(tmp_path.iterdir())
    events = list(iter_estimate(job_file, run_id="e"))
    assert [type(e) for e in events] == [Notice, Prepared]
    assert {e.run_id for e in events} == {"e"}
    assert events[-1].n_steps == 60
    assert events[-1].memory_bytes > 0
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(InputError, match="does not exist"):
        list(iter_estimate(job_file, base_dir=tmp_path / "elsewhere"))


def stopped_in_the_first_compile(patch):
    """Let the first steps last, and stop in them."""
    from napari_nstm.fit.solver import Solver

    begun, advance = threading.Event(), Solver.advance

    def slow(self, state, seconds):
        begun.set()
        time.sleep(1)
        return advance(self, state, seconds)

    patch.setattr(Solver, "advance", slow)
    return begun.is_set


def test_a_stop_in_the_first_compile_leaves_nothing(job_file, tmp_path, monkeypatch):
    events = list(iter_reconstruct(job_file, should_stop=stopped_in_the_first_compile(monkeypatch)))
    assert (events[-1].status, events[-1].path) == ("stopped", None)
    assert events[-1].message == "Stopped before the first step; nothing was kept."
    assert not (tmp_path / "result.zarr").exists()


def test_a_store_that_was_there_before_stays(job_file, tmp_path, monkeypatch):
    events = iter_reconstruct(job_file)
    next(e for e in events if isinstance(e, Working) and "pixels" in e.what)
    events.close()
    assert open_result(tmp_path / "result.zarr").status == "running"
    with monkeypatch.context() as patch:
        events = list(iter_resume(tmp_path / "result.zarr", should_stop=stopped_in_the_first_compile(patch)))
    assert (events[-1].status, events[-1].path) == ("stopped", None)
    assert resume(tmp_path / "result.zarr").status == "finished"


def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(job_file, tmp_path, monkeypatch):
    from napari_nstm.fit.solver import Solver

    def fail(self, state, seconds):
        raise MemoryError

    monkeypatch.setattr(Solver, "advance", fail)
    with pytest.raises(DeviceError, match=r"ran out of memory; a smaller field or fewer frames need less"):
        reconstruct(job_file)
    assert not (tmp_path / "result.zarr").exists()


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (MemoryError("9 GB"), DeviceError, r"^The computer ran out of memory; a smaller field"),
        (RuntimeError("can't start new thread"), DeviceError, r"^The computer ran out of memory"),
        (
            OSError(28, "No space left on device", "/a/b"),
            StoreError,
            r"^The run failed: /a/b: No space left on device\.$",
        ),
    ],
)
def test_failures_anywhere_are_one_sentence(job_file, toy, monkeypatch, error, kind, says):
    def fail(self, raw, settings):
        raise error

    monkeypatch.setattr(type(toy), "comparisons", fail)
    with pytest.raises(kind, match=says):
        reconstruct(job_file)


def test_a_run_that_another_process_has_is_not_resumed(job_file, tmp_path):
    seen = []
    path = reconstruct(job_file, on_event=seen.append, should_stop=lambda: has_begun(seen)).path
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        owner = {"host": platform.node(), "pid": other.pid, "started": psutil.Process(other.pid).create_time()}
        write_note(path, {"title": "a layer", "owner": owner, "running": True})
        with pytest.raises(StoreError, match=r"^.*result\.zarr is being written by a run that goes on\.$"):
            resume(path)
        other.communicate(b"\n")
    # The window that started this process may have it written.
    write_note(path, new_note("a layer"))
    assert resume(path).status == "finished"


def test_a_region_says_where_it_lies_and_is_resumed_as_it_was(toy, job, frames, tmp_path):
    seen = []
    long = {**job, "region": [4, 10, 40, 32], "fit": {**job["fit"], "epochs": 300}}
    stopped = reconstruct(long, frames, on_event=seen.append, should_stop=lambda: has_begun(seen))
    stored = stopped.open()
    assert (stored.shape, stored.origin_um) == ((40, 32), (2.0, 5.0))
    previews = [event for event in seen if isinstance(event, Preview)]
    assert {event.origin_um for event in previews} == {(2.0, 5.0)}
    assert previews[-1].scene.shape == (1, 40, 32)
    # What is kept is whole: another region, or all of it, can be made from the store's job.
    np.testing.assert_array_equal(np.load(stopped.path / "raw.npy"), frames)
    assert stored.job.region == (4, 10, 40, 32)

    result = list(iter_resume(stopped.path))[-1].result
    assert result.reconstruction.shape == (4, 1, 40, 32)
    np.testing.assert_allclose(result.conventional[0], frames.mean(axis=0)[4:44, 10:42], atol=1e-6)
    whole = reconstruct({**job, "output": {**job["output"], "path": str(tmp_path / "whole.zarr")}}, frames)
    assert whole.open().origin_um == (0.0, 0.0)
    bright = frames[:, 4:44, 10:42] > 0.5 * frames.max()
    there = whole.reconstruction[:, 0, 4:44, 10:42]
    np.testing.assert_allclose(result.reconstruction[:, 0][bright], there[bright], atol=0.15 * frames.max())
