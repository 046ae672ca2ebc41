"""Motion as tables and arrays, read back by programs that know nothing of us."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import yaml

from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.io.store import open_result
from napari_nstm.io.tables import export_job, export_provenance, export_vectors_csv, export_vectors_npz


@pytest.fixture
def result(finished):
    return open_result(finished.path)


def test_pandas_reads_the_vectors_and_they_are_those_of_the_result(result, tmp_path):
    path = export_vectors_csv(result, tmp_path / "motion.csv", every_px=5)
    table = pd.read_csv(path)
    assert list(table.columns) == ["time_ms", "y_um", "x_um", "u_y_um", "u_x_um"]
    rows, columns = (-(-n // 5) for n in result.shape)
    assert len(table) == len(result.times_ms) * rows * columns
    last = table[np.isclose(table.time_ms, result.times_ms[-1])].sample(20, random_state=0)
    origin, size = np.asarray(result.origin_um), np.asarray(result.pixel_size_um)
    where = ((last[["y_um", "x_um"]].to_numpy() - origin) / size).T.astype(np.float32)
    expected = result.displacement_at(result.times_ms[-1], where_px=where)
    np.testing.assert_allclose(last[["u_y_um", "u_x_um"]].to_numpy().T, expected, rtol=1e-5, atol=1e-6)


def test_numpy_reads_the_arrays_with_their_units_in_their_names(result, tmp_path):
    with np.load(export_vectors_npz(result, tmp_path / "motion.npz", every_px=4), allow_pickle=False) as found:
        arrays = dict(found)
    assert set(arrays) == {"times_ms", "reference_ms", "pixel_size_um", "y_um", "x_um", "u_um"}
    assert arrays["u_um"].shape == (len(result.times_ms), 2, len(arrays["y_um"]), len(arrays["x_um"]))
    np.testing.assert_allclose(np.diff(arrays["y_um"]), 4 * result.pixel_size_um[0], rtol=1e-6)
    whole = np.asarray(result.motion_um)
    np.testing.assert_allclose(arrays["u_um"], whole[:, :, ::4, ::4], atol=1e-5)


def test_the_job_and_the_provenance_say_what_the_store_says(result, tmp_path):
    job = yaml.safe_load(export_job(result, tmp_path / "job.yml").read_text())
    assert job["modality"] == result.record.job["modality"]
    assert job["output"]["path"] != result.path.name
    said = json.loads(export_provenance(result, tmp_path / "how.json").read_text())
    assert said["input_hashes"] == result.record.input_hashes
    assert said["versions"] == result.record.versions


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


def test_cancelling_leaves_nothing(result, tmp_path):
    with pytest.raises(CancelledError):
        export_vectors_csv(result, tmp_path / "a.csv", should_stop=lambda: True)
    assert not list(tmp_path.glob("a.csv*"))


@pytest.mark.parametrize("every_px", [0, 10_000])
def test_a_distance_that_leaves_no_points(result, tmp_path, every_px):
    with pytest.raises(InputError, match="every_px"):
        export_vectors_csv(result, tmp_path / "a.csv", every_px=every_px)


def test_rows_need_no_quotes(result, tmp_path):
    path = export_vectors_csv(result, tmp_path / "a.csv", every_px=8)
    with path.open(newline="") as stream:
        widths = {len(row) for row in csv.reader(stream)}
    assert widths == {5}
