from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import yaml
import yaozarrs
import zarr
from tests.io.guillotine import GUILLOTINE

from napari_nstm.core.data import Comparison
from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.store import StoreWriter, check_output, is_store, load_checkpoint, open_result


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_store_stands_at_its_final_path_with_its_record_and_job(tmp_path, record):
    writer = StoreWriter.create(tmp_path / "result.zarr", record)
    assert names(tmp_path) == ["result.zarr"]
    assert names(writer.path) == ["job.yml", "zarr.json"]
    assert yaml.safe_load((writer.path / "job.yml").read_text()) == record.job
    opened = open_result(writer.path)
    assert opened.record == record
    assert opened.status == "running"
    assert zarr.open_group(writer.path, mode="r").attrs["nstm"]["format"] == 2


@pytest.mark.parametrize("content", ["file", "folder", "foreign zarr"])
def test_what_is_no_result_is_never_replaced(tmp_path, record, content):
    path = tmp_path / "result.zarr"
    if content == "file":
        path.write_text("precious")
    else:
        path.mkdir()
        (path / "precious").write_text("")
    if content == "foreign zarr":
        zarr.create_group(path, overwrite=False)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="exists") as caught:
        StoreWriter.create(path, record, overwrite=True)
    assert caught.value.field == "output.path"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_result_is_replaced_only_when_asked(tmp_path, record, finished):
    with pytest.raises(InputError, match="--overwrite"):
        StoreWriter.create(finished.path, record)
    assert open_result(finished.path).status == "finished"
    StoreWriter.create(finished.path, record.changed({"run_id": "new"}), overwrite=True)
    assert open_result(finished.path).record.run_id == "new"
    assert names(finished.path) == ["job.yml", "zarr.json"]
    assert names(tmp_path) == ["result.zarr"]


@pytest.mark.parametrize("where", ["missing/result.zarr", "file/result.zarr"])
def test_a_folder_that_is_none_is_named(tmp_path, record, where):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder that exists") as caught:
        StoreWriter.create(tmp_path / where, record)
    assert caught.value.field == "output.path"
    assert names(tmp_path) == ["file"]


def test_a_read_only_folder_is_named_and_left_as_it_is(tmp_path, record, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="read-only"):
        StoreWriter.create(tmp_path / "result.zarr", record)
    monkeypatch.undo()

    def refuse(*_args, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("napari_nstm.io.store.tempfile.TemporaryDirectory", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        check_output(tmp_path / "result.zarr")
    assert names(tmp_path) == []


def test_a_full_disk_at_the_start_is_one_sentence_and_leaves_the_old_result(tmp_path, record, finished, full_disk):
    full_disk()
    with pytest.raises(InputError, match="No space left on device"):
        StoreWriter.create(finished.path, record, overwrite=True)
    assert open_result(finished.path).record == finished.record
    assert names(tmp_path) == ["result.zarr"]


@pytest.fixture
def full_disk(monkeypatch):
    """Let the nth file from now on fail to reach the disk."""
    fsync = os.fsync

    def fill(after: int = 0):
        left = [after]

        def fail(descriptor):
            if left[0] <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            left[0] -= 1
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", fail)

    return fill


def test_a_checkpoint_comes_back_bit_by_bit(running, canvas, motion, state):
    checkpoint = load_checkpoint(running.path)
    np.testing.assert_array_equal(checkpoint.canvas.coefficients, canvas.coefficients)
    assert (checkpoint.canvas.origin_px, checkpoint.canvas.spacing_px, checkpoint.canvas.order) == (
        canvas.origin_px,
        canvas.spacing_px,
        1,
    )
    np.testing.assert_array_equal(checkpoint.motion.values_px, motion.values_px)
    assert checkpoint.motion.spacing_px == motion.spacing_px
    assert set(checkpoint.state) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(checkpoint.state[name], value)
        assert checkpoint.state[name].dtype == value.dtype
    assert (checkpoint.record.step, checkpoint.record.loss_history) == (40, (3.0, 1.0))


def test_a_series_of_comparisons_is_stored_with_its_times(running, canvas, motion, state):
    rng = np.random.default_rng(3)
    series, wide = (rng.normal(size=(n, 2, 24, 31)).astype(np.float32) for n in (3, 1))
    given = [Comparison("conventional", (5.0, 20.0, 44.0), series), Comparison("widefield", (22.5,), wide)]
    result = running.finish("finished", canvas, motion, state, comparisons=given)
    assert result.comparison_names == ("conventional", "widefield")
    for one in given:
        found = result.comparison(one.name)
        assert found.times_ms == one.times_ms
        np.testing.assert_array_equal(found.images, one.images)
    np.testing.assert_array_equal(result.conventional, series[1])  # the nearest to the middle, 22.5 ms
    with pytest.raises(StoreError, match="holds no deconvolved images"):
        result.comparison("deconvolved")


def test_a_running_store_is_shown_from_its_checkpoint(running):
    result = open_result(running.path)
    assert (result.status, result.record.step) == ("running", 40)
    assert result.reconstruction.shape == (3, 2, 24, 31)
    np.testing.assert_array_equal(result.reconstruction[1].compute(), result.scene_at(20.0))
    np.testing.assert_array_equal(result.motion_um[2].compute(), result.displacement_at(45.0))
    assert result.conventional is None
    assert result.residual is None
    assert set(result.weights()) == {"params/scene/levels/0", "step"}


def test_a_loss_that_is_no_number_can_be_stored(running, canvas, motion, state):
    running.checkpoint(canvas, motion, state, loss_history=(1.0, float("nan")))
    assert open_result(running.path).record.loss_history == (1.0, None)


def test_a_full_disk_keeps_the_checkpoint_before(running, canvas, motion, state, full_disk):
    full_disk()
    with pytest.raises(StoreError, match=r"No space left on device\. The one before it is kept\."):
        running.checkpoint(canvas, motion, state, step=80)
    assert open_result(running.path).record.step == 40
    assert names(running.path) == ["checkpoint.npz", "job.yml", "zarr.json"]


def test_an_object_is_never_pickled(running, canvas, motion):
    with pytest.raises(ValueError, match="allow_pickle"):
        running.checkpoint(canvas, motion, {"bad": np.array([{}], dtype=object)})
    assert open_result(running.path).record.step == 40


def test_an_entry_that_no_record_has_is_a_defect(running, canvas, motion, state):
    with pytest.raises(TypeError, match="no stepp"):
        running.checkpoint(canvas, motion, state, stepp=3)


def test_a_finished_store_holds_everything_and_no_checkpoint(finished, conventional):
    assert names(finished.path) == [
        "canvas",
        "conventional",
        "job.yml",
        "motion",
        "motion_lattice",
        "reconstruction",
        "residual",
        "weights.npz",
        "zarr.json",
    ]
    result = open_result(finished.path)
    assert (result.status, result.record.message) == ("finished", "100 steps in 4.2 s.")
    for index, time_ms in enumerate(result.times_ms):
        np.testing.assert_allclose(result.reconstruction[index].compute(), result.scene_at(time_ms), atol=1e-6)
        np.testing.assert_allclose(result.motion_um[index].compute(), result.displacement_at(time_ms), atol=1e-6)
    np.testing.assert_array_equal(result.conventional, conventional)
    assert result.residual.shape == (3, 24, 31)
    with np.load(result.path / "weights.npz", allow_pickle=False) as weights:
        assert "params/scene/levels/0" in weights.files


def test_frames_that_were_rendered_elsewhere_are_stored_as_they_are(running, canvas, motion, state):
    frames = np.random.default_rng(0).normal(size=(3, 2, 24, 31)).astype(np.float32)
    result = running.finish("stopped", canvas, motion, state, reconstruction=iter(frames))
    np.testing.assert_array_equal(result.reconstruction.compute(), frames)
    assert result.status == "stopped"


@pytest.mark.parametrize("n", [2, 4])
def test_too_few_or_too_many_frames_are_a_defect(running, canvas, motion, state, n):
    with pytest.raises(ValueError, match="frames for reconstruction"):
        running.finish("finished", canvas, motion, state, reconstruction=np.zeros((n, 2, 24, 31)))
    assert open_result(running.path).status == "running"


def test_images_are_valid_ome_zarr(finished):
    for name, n_times in (("reconstruction", 3), ("conventional", 1)):
        group = yaozarrs.validate_zarr_store(finished.path / name)
        image = group.ome_metadata()
        (scale,) = image.multiscales
        assert [axis.name for axis in scale.axes] == ["t", "c", "y", "x"]
        assert [axis.unit for axis in scale.axes[2:]] == ["micrometer"] * 2
        # The t axis counts frames.
        assert scale.datasets[0].scale_transform.scale == [1.0, 1.0, 0.25, 0.25]
        assert [channel.label for channel in image.omero.channels] == ["absorption", "phase"]
        for channel in image.omero.channels:
            window = channel.window
            assert window.min <= window.start < window.end <= window.max
        assert zarr.open_array(finished.path / name / "0", mode="r").shape == (n_times, 2, 24, 31)
    assert zarr.open_group(finished.path / "reconstruction").attrs["nstm"]["times_ms"] == [10.0, 20.0, 45.0]


def test_arrays_name_their_dimensions_and_have_a_chunk_per_image(finished):
    expected = {
        "reconstruction/0": (("t", "c", "y", "x"), (1, 1, 24, 31)),
        "motion": (("t", "component", "y", "x"), (1, 1, 24, 31)),
        "residual": (("frame", "y", "x"), (1, 24, 31)),
        "canvas": (("c", "y", "x"), (2, 80, 96)),
        "motion_lattice": (("t", "component", "y", "x"), (5, 2, 6, 7)),
    }
    for name, (dimensions, chunks) in expected.items():
        array = zarr.open_array(finished.path / name, mode="r")
        assert array.metadata.dimension_names == dimensions
        assert (array.chunks, array.dtype) == (chunks, np.float32)
    lattice = zarr.open_array(finished.path / "canvas", mode="r")
    assert dict(lattice.attrs) == {"origin_px": [-8.0, -8.0], "spacing_px": [0.5, 0.5], "order": 1}


def test_a_volume_is_stored_with_its_planes(tmp_path, record):
    shape = (3, 10, 12)
    canvas = Canvas(np.random.default_rng(0).normal(size=(2, 5, 14, 16)).astype(np.float32), (-1.0,) * 3, (1.0,) * 3, 3)
    motion = MotionLattice(np.zeros((3, 3, 2, 3, 4), np.float32), (-1.0,) * 3, (4.0,) * 3)
    record = record.changed({"shape": shape, "pixel_size_um": (0.5, 0.25, 0.25)})
    result = StoreWriter.create(tmp_path / "volume.zarr", record).finish("finished", canvas, motion, {})
    assert result.reconstruction.shape == (3, 2, 3, 10, 12)
    assert result.motion_um.shape == (3, 3, 3, 10, 12)
    image = yaozarrs.validate_zarr_store(result.path / "reconstruction").ome_metadata()
    assert image.multiscales[0].datasets[0].scale_transform.scale == [1.0, 1.0, 0.5, 0.25, 0.25]


def test_a_disk_that_is_full_at_the_end_leaves_a_store_to_resume(running, canvas, motion, state, full_disk):
    for after in (3, 6, 12, 20):
        full_disk(after)
        with pytest.raises(StoreError, match=r"No space left on device\. Its checkpoint is kept\."):
            running.finish("finished", canvas, motion, state, step=100)
        result = open_result(running.path)
        assert (result.status, result.record.step) == ("running", 100)


def test_a_finished_store_can_be_gone_on_with(finished, canvas, motion, state):
    before = finished.scene_at(20.0)
    writer = StoreWriter.reopen(finished.path)
    reopened = open_result(finished.path)
    assert (reopened.status, reopened.record.step) == ("running", 100)
    np.testing.assert_array_equal(reopened.scene_at(20.0), before)
    np.testing.assert_array_equal(load_checkpoint(finished.path).state["step"], state["step"])
    brighter = Canvas(canvas.coefficients * 2, canvas.origin_px, canvas.spacing_px, 1)
    writer.checkpoint(brighter, motion, state, step=150)
    result = writer.finish("finished", brighter, motion, state)
    assert result.record.step == 150
    np.testing.assert_allclose(result.reconstruction[1, 1].compute(), before[1] * 2, atol=1e-5)
    assert result.conventional is None  # the old one is gone with the old result
    assert "checkpoint.npz" not in names(result.path)


def test_nothing_to_go_on_from_is_said(tmp_path, record):
    with pytest.raises(InputError, match="does not exist"):
        StoreWriter.reopen(tmp_path / "none.zarr")
    writer = StoreWriter.create(tmp_path / "early.zarr", record)
    with pytest.raises(StoreError, match="has not reached a checkpoint"):
        StoreWriter.reopen(writer.path)


# -- whatever ends the process ------------------------------------------------


def of_step(step, record):
    """Scene, motion and weights that all say of which step they are."""
    canvas = Canvas(np.full((2, 30, 36), step, np.float32), (-2.0, -2.0), (1.0, 1.0), 1)
    motion = MotionLattice(np.full((2, 2, 4, 5), step / 1000, np.float32), (0.0, 0.0), (8.0, 8.0))
    return canvas, motion, {"step": np.asarray(step)}


def consistent_step(path):
    """Open a store with everything in it, and return the step that all its parts agree on."""
    result = open_result(path)
    checkpoint = load_checkpoint(path)
    steps = {
        result.record.step,
        checkpoint.record.step,
        int(checkpoint.state["step"]),
        int(result.canvas().coefficients[0, 0, 0]),
        round(float(result.motion().values_px[0, 0, 0, 0]) * 1000),
        round(float(result.reconstruction[-1, 0, 0, 0].compute() - 1) // 2),
    }
    assert np.all(np.isfinite(result.motion_um.compute()))
    assert len(steps) == 1, f"a mixture of steps {steps}"
    return steps.pop()


@pytest.mark.parametrize("start", ["running", "finished"])
def test_a_kill_at_any_moment_leaves_a_consistent_store(tmp_path, record, start):
    """Every single change to the file system is once the last one."""
    record = record.changed({"times_ms": (45.0,)})

    def go_on(path):
        writer = StoreWriter.reopen(path) if start == "finished" else StoreWriter(path, open_result(path).record)
        writer.checkpoint(*of_step(40, record), step=40)
        writer.finish("finished", *of_step(60, record), step=60)

    original = tmp_path / "original.zarr"
    writer = StoreWriter.create(original, record)
    writer.checkpoint(*of_step(20, record), step=20)
    if start == "finished":
        writer.finish("finished", *of_step(20, record), step=20)
    reached = []
    for after in range(1000):
        path = tmp_path / f"{after}.zarr"
        shutil.copytree(original, path)
        complete = GUILLOTINE.run(lambda path=path: go_on(path), path, after)
        reached.append(consistent_step(path))
        if complete:
            break
        if after % 16 == 0:  # and the run can be brought to its end
            StoreWriter.reopen(path).finish("finished", *of_step(80, record), step=80)
            assert consistent_step(path) == 80
            assert open_result(path).status == "finished"
    assert reached == sorted(reached)
    assert {20, 40, 60} == set(reached)
    assert len(reached) > 30


def test_a_kill_while_a_comparison_is_added_leaves_a_store_with_or_without_it(tmp_path, record):
    original = tmp_path / "original.zarr"
    writer = StoreWriter.create(original, record.changed({"times_ms": (45.0,)}))
    writer.finish("finished", *of_step(60, record), step=60, awaits_comparisons=True)
    slow = Comparison("slow", (10.0, 45.0), np.arange(2 * 2 * 24 * 31, dtype=np.float32).reshape(2, 2, 24, 31))
    reached = []
    for after in range(1000):
        path = tmp_path / f"{after}.zarr"
        shutil.copytree(original, path)
        before = open_result(path).record

        def add(path=path, before=before):
            StoreWriter(path, before).extend([slow], awaits_comparisons=False, message="Added.")

        complete = GUILLOTINE.run(add, path, after)
        result = open_result(path)
        assert consistent_step(path) == 60
        reached.append("slow" in result.comparison_names)
        assert result.record.awaits_comparisons == (not reached[-1])
        if complete:
            break
        add()  # and it can be added once more
        result = open_result(path)
        assert (result.comparison_names, result.record.message) == (("slow",), "Added.")
        np.testing.assert_array_equal(result.comparison("slow").images, slow.images)
        assert not (path / ".new").exists()
    # Not in order to the last one: zarr's threads race for a folder, so the same change is not always the nth.
    assert not any(reached[:10])
    assert reached[-1]


def test_a_full_disk_leaves_a_complete_store_as_it_was(finished, full_disk):
    before = names(finished.path)
    one = Comparison("slow", (22.5,), np.zeros((1, 2, 24, 31), np.float32))
    for after in (0, 2):
        full_disk(after)
        with pytest.raises(StoreError, match=r"could not be added to: No space left on device\. What is in it is kept"):
            StoreWriter(finished.path, finished.record).extend([one])
        assert names(finished.path) == before
        assert open_result(finished.path).record == finished.record


def test_a_kill_while_a_store_is_made_leaves_the_old_one_or_the_new_one(tmp_path, record):
    for after in range(1000):
        folder = tmp_path / str(after)
        folder.mkdir()
        path = folder / "result.zarr"
        StoreWriter.create(path, record).checkpoint(*of_step(20, record), step=20)
        new = record.changed({"run_id": "new"})
        complete = GUILLOTINE.run(lambda p=path, n=new: StoreWriter.create(p, n, overwrite=True), folder, after)
        if path.exists():
            result = open_result(path)
            assert (result.record.run_id == "new") == (result.record.step == 0)
        else:  # between two renames: the old one lies beside
            (old,) = folder.glob(".result.zarr.*.old")
            assert open_result(old).record.step == 20
        if complete:
            break
    assert after > 5
    assert is_store(path)


def test_kill_9_while_checkpoints_are_written(tmp_path, record):
    path = tmp_path / "result.zarr"
    StoreWriter.create(path, record).checkpoint(*of_step(0, record), step=0)
    script = textwrap.dedent(
        """
        import itertools, sys
        import numpy as np
        from napari_nstm.core.warp import Canvas, MotionLattice
        from napari_nstm.io.store import StoreWriter, open_result
        writer = StoreWriter(open_result(sys.argv[1]).path, open_result(sys.argv[1]).record)
        print("go", flush=True)
        for step in itertools.count(1):
            canvas = Canvas(np.full((2, 300, 360), step % 400, np.float32), (-2.0, -2.0), (1.0, 1.0), 1)
            motion = MotionLattice(np.full((2, 2, 4, 5), step % 400 / 1000, np.float32), (0.0, 0.0), (8.0, 8.0))
            writer.checkpoint(canvas, motion, {"step": np.asarray(step % 400)}, step=step % 400)
        """
    )
    steps = []
    for wait_s in (0.05, 0.19):
        with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(wait_s)
            process.kill()
        steps.append(consistent_step(path))
    assert max(steps) > 0


def test_arrays_of_a_region_say_where_they_lie(finished, region):
    for name in ("reconstruction", "conventional"):
        image = yaozarrs.validate_zarr_store(region.path / name).ome_metadata()
        steps = image.multiscales[0].datasets[0].coordinateTransformations
        assert [step.type for step in steps] == ["scale", "translation"]
        assert steps[1].translation == [0.0, 0.0, 2.0, 5.0]
        whole = yaozarrs.validate_zarr_store(finished.path / name).ome_metadata()
        assert len(whole.multiscales[0].datasets[0].coordinateTransformations) == 1
    for name in ("motion", "residual"):
        assert zarr.open_array(region.path / name, mode="r").attrs["origin_um"] == [2.0, 5.0]
        assert zarr.open_array(finished.path / name, mode="r").attrs["origin_um"] == [0.0, 0.0]
    assert (region.origin_um, finished.origin_um) == ((2.0, 5.0), (0.0, 0.0))
