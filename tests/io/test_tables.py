"""Motion as tables and arrays, read back by programs that know nothing of us."""

import csv
import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.io.conftest import DRIFT_PX

from napari_nstm.core.errors import CancelledError, InputError, StoreError
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.export import export_job, export_provenance, export_vectors_csv, export_vectors_npz
from napari_nstm.io.store import StoredResult, StoreWriter, open_result


@pytest.fixture
def result(finished):
    return open_result(finished.path)


def test_pandas_reads_the_vectors_and_they_are_those_of_the_result(result, tmp_path):
    path = export_vectors_csv(result, tmp_path / "motion.csv", every_px=5)
    table = pd.read_csv(path)
    assert list(table.columns) == ["time_ms", "y_um", "x_um", "u_y_um", "u_x_um", "speed_um_per_s"]
    rows, columns = (-(-n // 5) for n in result.shape)
    assert len(table) == len(result.times_ms) * rows * columns
    last = table[np.isclose(table.time_ms, result.times_ms[-1])].sample(20, random_state=0)
    origin, size = np.asarray(result.origin_um), np.asarray(result.pixel_size_um)
    where = ((last[["y_um", "x_um"]].to_numpy() - origin) / size).T.astype(np.float32)
    expected = result.displacement_at(result.times_ms[-1], where_px=where)
    np.testing.assert_allclose(last[["u_y_um", "u_x_um"]].to_numpy().T, expected, rtol=1e-5, atol=1e-6)


def test_the_speed_is_that_of_the_points_followed(result, tmp_path):
    """The drift takes 10 ms, then 25 ms, for shares of the way that differ: central differences tell."""
    table = pd.read_csv(export_vectors_csv(result, tmp_path / "motion.csv", every_px=6))
    for y, x in ((6, 12), (12, 18)):
        point = np.asarray([y, x]) * result.pixel_size_um
        rows = table[np.isclose(table.y_um, point[0]) & np.isclose(table.x_um, point[1])]
        followed = result.trajectories([point])
        np.testing.assert_allclose(rows.time_ms, followed.times_ms)
        np.testing.assert_allclose(rows.speed_um_per_s, followed.speed_um_per_s[0], rtol=1e-3)
    assert table.speed_um_per_s.min() > 10


def test_times_in_any_order_keep_their_order_and_have_the_same_speeds(result, tmp_path):
    ordered = pd.read_csv(export_vectors_csv(result, tmp_path / "a.csv", every_px=8))
    shuffled = StoredResult(result.path, result.record.changed({"times_ms": (45.0, 10.0, 20.0, 10.0)}))
    table = pd.read_csv(export_vectors_csv(shuffled, tmp_path / "b.csv", every_px=8))
    assert list(dict.fromkeys(table.time_ms)) == [45, 10, 20]
    for time_ms in (10, 20, 45):
        expected = ordered[ordered.time_ms == time_ms].reset_index(drop=True)
        found = table[table.time_ms == time_ms].iloc[: len(expected)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected)


def test_a_single_moment_has_no_speed(result, tmp_path):
    one = StoredResult(result.path, result.record.changed({"times_ms": (45.0,)}))
    table = pd.read_csv(export_vectors_csv(one, tmp_path / "a.csv", every_px=8))
    assert table.speed_um_per_s.isna().all()
    np.testing.assert_allclose(table.u_x_um, DRIFT_PX[1] * 0.25, rtol=1e-5)


def test_points_of_a_region_lie_in_the_whole_field(region, tmp_path):
    table = pd.read_csv(export_vectors_csv(region, tmp_path / "a.csv", every_px=8))
    assert (table.y_um.min(), table.x_um.min()) == region.origin_um
    with np.load(export_vectors_npz(region, tmp_path / "a.npz", every_px=8)) as arrays:
        np.testing.assert_allclose(arrays["y_um"], sorted(set(table.y_um)), rtol=1e-6)
        np.testing.assert_allclose(arrays["x_um"], sorted(set(table.x_um)), rtol=1e-6)


def test_volumes_have_a_third_component(tmp_path, record, state):
    rng = np.random.default_rng(0)
    canvas = Canvas(rng.normal(size=(2, 4, 10, 12)).astype(np.float32), (0.0,) * 3, (1.0,) * 3, 1)
    motion = MotionLattice(rng.uniform(-0.2, 0.2, (3, 3, 2, 3, 4)).astype(np.float32), (-1.0,) * 3, (4.0,) * 3)
    record = record.changed({"shape": (4, 10, 12), "pixel_size_um": (0.5, 0.25, 0.2)})
    volume = StoreWriter.create(tmp_path / "volume.zarr", record).finish("finished", canvas, motion, state)
    with np.load(export_vectors_npz(volume, tmp_path / "a.npz", every_px=3)) as arrays:
        u, z, y, x = (arrays[name] for name in ("u_um", "z_um", "y_um", "x_um"))
    np.testing.assert_allclose(u, np.asarray(volume.motion_um)[:, :, :, ::3, ::3], atol=1e-6)
    np.testing.assert_allclose(z, [0, 0.5, 1, 1.5])
    table = pd.read_csv(export_vectors_csv(volume, tmp_path / "a.csv", every_px=3))
    columns = ["time_ms", "z_um", "y_um", "x_um", "u_z_um", "u_y_um", "u_x_um", "speed_um_per_s"]
    assert list(table.columns) == columns
    np.testing.assert_allclose(table[["z_um", "y_um", "x_um"]].iloc[1], (z[0], y[0], x[1]))
    found = table[["u_z_um", "u_y_um", "u_x_um"]].to_numpy().reshape(3, *u.shape[2:], 3)
    np.testing.assert_allclose(np.moveaxis(found, -1, 1), u, rtol=1e-6, atol=1e-9)


def test_about_32_points_lie_along_the_longer_side(tmp_path, record, canvas, motion, state):
    writer = StoreWriter.create(tmp_path / "wide.zarr", record.changed({"shape": (40, 260)}))
    writer.checkpoint(canvas, motion, state)
    with np.load(export_vectors_npz(open_result(writer.path), tmp_path / "a.npz")) as arrays:
        assert arrays["u_um"].shape == (3, 2, 5, 29)


def test_a_moment_at_a_time_is_in_memory(tmp_path, record, canvas, motion, state):
    moments = tuple(np.linspace(10, 45, 100).tolist())
    writer = StoreWriter.create(tmp_path / "long.zarr", record.changed({"shape": (96, 96), "times_ms": moments}))
    writer.checkpoint(canvas, motion, state)
    result = open_result(writer.path)
    whole = 100 * 2 * 96 * 96 * 4
    tracemalloc.start()
    try:
        path = export_vectors_npz(result, tmp_path / "a.npz", every_px=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < whole / 3
    with np.load(path) as arrays:
        assert arrays["u_um"].nbytes == whole
        np.testing.assert_array_equal(arrays["u_um"][70], result.displacement_at(moments[70]))


def test_numpy_reads_the_arrays_with_their_units_in_their_names(result, tmp_path):
    with np.load(export_vectors_npz(result, tmp_path / "motion.npz", every_px=4), allow_pickle=False) as found:
        arrays = dict(found)
    assert set(arrays) == {"times_ms", "reference_ms", "pixel_size_um", "y_um", "x_um", "u_um"}
    assert arrays["u_um"].shape == (len(result.times_ms), 2, len(arrays["y_um"]), len(arrays["x_um"]))
    np.testing.assert_allclose(np.diff(arrays["y_um"]), 4 * result.pixel_size_um[0], rtol=1e-6)
    whole = np.asarray(result.motion_um)
    np.testing.assert_allclose(arrays["u_um"], whole[:, :, ::4, ::4], atol=1e-5)


def test_the_provenance_says_what_the_store_says(result, tmp_path):
    said = json.loads(export_provenance(result, tmp_path / "how.json").read_text())
    assert said == {"store": str(result.path), **result.attributes}
    wanted = {"job", "fit", "input_hashes", "device", "versions", "seed", "history", "timings_s", "normalization"}
    assert wanted <= set(said)


def test_the_job_has_absolute_paths_and_every_value_of_the_fit(tmp_path, finished):
    (finished.path / "raw.npy").touch()
    (finished.path / "background.path.npy").touch()
    background = {"kind": "image", "path": "background.path.npy"}
    job = {**finished.record.job, "raw": "raw.npy", "acquisition": {"pixel_size_um": 0.25, "background": background}}
    fit = {"epochs": 7, "seed": 3, "static": False, "rendering": "canvas"}
    record = finished.record.changed({"job": job, "fit": fit})
    told = yaml.safe_load(export_job(StoredResult(finished.path, record), tmp_path / "job.yml").read_text())
    assert told["raw"] == str(finished.path / "raw.npy")
    assert told["acquisition"]["background"] == {"kind": "image", "path": str(finished.path / "background.path.npy")}
    assert told["fit"] == {"epochs": 7, "advanced": {"rendering": "canvas"}}
    assert told["output"]["path"] == str(tmp_path / "result-again.zarr")


def test_paths_outside_the_store_stay_as_they_are(tmp_path, finished):
    raw = str(tmp_path / "raw.tif")
    record = finished.record.changed({"job": {**finished.record.job, "raw": raw}})
    told = yaml.safe_load(export_job(StoredResult(finished.path, record), tmp_path / "job.yml").read_text())
    assert told["raw"] == raw
    assert told["acquisition"] == finished.record.job["acquisition"]


def test_a_job_says_that_its_run_went_on(result, tmp_path):
    assert "went on" not in export_job(result, tmp_path / "a.yml").read_text()
    record = result.record.with_session("continued", "CPU")
    text = export_job(StoredResult(result.path, record), tmp_path / "b.yml").read_text()
    assert "# After that it went on once (resume --steps), to 100 steps in all.\n" in text


def test_a_store_without_a_job_is_one_sentence(result, tmp_path):
    broken = StoredResult(result.path, result.record.changed({"job": {"nstm": 1}}))
    with pytest.raises(StoreError, match="its job cannot be read"):
        export_job(broken, tmp_path / "a.yml")
    assert not (tmp_path / "a.yml").exists()


@pytest.mark.parametrize(
    ("export", "name"),
    [
        (export_vectors_csv, "a.csv"),
        (export_vectors_npz, "a.npz"),
        (export_job, "a.yml"),
        (export_provenance, "a.json"),
    ],
)
class TestEveryFormat:
    def test_a_file_that_is_there_is_left_alone_unless_asked(self, result, tmp_path, export, name):
        (tmp_path / name).write_text("mine")
        with pytest.raises(InputError, match="exists already"):
            export(result, tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"
        export(result, tmp_path / name, overwrite=True)
        assert (tmp_path / name).stat().st_size > 10

    def test_another_ending_is_refused(self, result, tmp_path, export, name):
        with pytest.raises(InputError, match="a file ending in"):
            export(result, tmp_path / "a.txt")

    def test_a_full_disk_leaves_nothing(self, result, small_disk, export, name):
        disk = small_disk(64)
        (disk / "others").write_bytes(bytes(64 * 1024))
        with pytest.raises(InputError, match="cannot be written"):
            export(result, disk / name)
        assert [path.name for path in disk.iterdir()] == ["others"]


@pytest.mark.parametrize(("export", "name"), [(export_vectors_csv, "a.csv"), (export_vectors_npz, "a.npz")])
def test_progress_is_told_and_cancelling_leaves_nothing(result, tmp_path, export, name):
    seen = []
    export(result, tmp_path / name, on_progress=lambda done, n: seen.append((done, n)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    calls = iter([False, True])
    with pytest.raises(CancelledError):
        export(result, tmp_path / f"b{name}", should_stop=lambda: next(calls))
    assert sorted(p.name for p in tmp_path.iterdir()) == [name, "result.zarr"]


def test_a_result_without_a_checkpoint_has_no_motion_yet(tmp_path, record):
    early = open_result(StoreWriter.create(tmp_path / "early.zarr", record).path)
    with pytest.raises(StoreError, match="has not reached a checkpoint"):
        export_vectors_npz(early, tmp_path / "a.npz")
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize("every_px", [0, 10_000])
def test_a_distance_that_leaves_no_points(result, tmp_path, every_px):
    with pytest.raises(InputError, match="every_px"):
        export_vectors_csv(result, tmp_path / "a.csv", every_px=every_px)


def test_rows_need_no_quotes(result, tmp_path):
    path = export_vectors_csv(result, tmp_path / "a.csv", every_px=8)
    with path.open(newline="") as stream:
        widths = {len(row) for row in csv.reader(stream)}
    assert widths == {6}
