"""A job from its frames to its store, in this process."""

import json

import numpy as np
import pytest
import yaml
from tests.toy import moving_blobs

from napari_nstm.core.errors import DeviceError, InputError, NstmError
from napari_nstm.core.events import Checkpointed, Finished, Notice, Prepared, Preview, Progress
from napari_nstm.io.store import open_result
from napari_nstm.run.reconstruct import iter_reconstruct, iter_resume, reconstruct, resume


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


def test_previews_show_the_present_picture(job_file, slow_job, tmp_path):
    events = iter_reconstruct(slow_job, base_dir=tmp_path)
    shown = next(event for event in events if isinstance(event, Preview))
    events.close()
    assert shown.scene.dtype == shown.motion_um.dtype == np.float32
    assert shown.time_ms == 2.0
