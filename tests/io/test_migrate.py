"""Stores that an older version wrote open as ever; the files beside this one were written by it."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from napari_nstm.core.errors import StoreError
from napari_nstm.io.export import (
    export_job,
    export_ome_tiff,
    export_provenance,
    export_vectors_csv,
    export_vectors_npz,
)
from napari_nstm.io.migrate import migrated
from napari_nstm.io.record import FORMAT
from napari_nstm.io.store import StoreWriter, describe, open_result

DATA = Path(__file__).parent / "data"


@pytest.fixture(params=["finished", "interrupted"])
def old(request, tmp_path):
    """A store of format 1, and what the version that wrote it showed of it."""
    path = tmp_path / f"{request.param}.zarr"
    with zipfile.ZipFile(DATA / f"format1-{request.param}.zip") as archive:
        archive.extractall(path)
    with np.load(DATA / f"format1-{request.param}-expected.npz") as expected:
        return path, dict(expected)


def written(path):
    return json.loads((path / "zarr.json").read_bytes())["attributes"]["nstm"]


def test_an_old_store_shows_what_it_always_showed(old):
    path, expected = old
    result = open_result(path)
    assert result.record.format == FORMAT
    assert result.record.step == expected["step"]
    np.testing.assert_allclose(result.scene_at(20.0), expected["scene"], atol=1e-6)
    np.testing.assert_allclose(result.displacement_at(result.frame_times_ms[-1]), expected["u_um"], atol=1e-6)
    assert [session.what for session in result.record.history] == ["began"]
    assert result.record.history[0].at == result.record.created
    assert "began" in describe(path)


def test_reading_changes_nothing_on_the_disk(old):
    path, _ = old
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    np.asarray(open_result(path).reconstruction)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    assert written(path)["format"] == 1


def test_who_goes_on_with_it_writes_the_newest_format(old):
    path, _ = old
    StoreWriter.reopen(path)
    assert written(path)["format"] == FORMAT
    assert open_result(path).status == "running"


def test_an_old_store_is_exported(old, tmp_path):
    path, expected = old
    result = open_result(path)
    planes = tifffile.imread(export_ome_tiff(result, tmp_path / "old.ome.tif"))
    np.testing.assert_array_equal(planes, result.reconstruction.compute())
    with np.load(export_vectors_npz(result, tmp_path / "old.npz", every_px=1)) as arrays:
        np.testing.assert_allclose(arrays["u_um"][-1], expected["u_um"], atol=1e-6)
    assert len(pd.read_csv(export_vectors_csv(result, tmp_path / "old.csv", every_px=8))) == 2 * 5 * 5
    assert yaml.safe_load(export_job(result, tmp_path / "old.yml").read_text())["raw"] == str(path / "raw.npy")
    said = json.loads(export_provenance(result, tmp_path / "old.json").read_text())
    assert (said["format"], said["history"][0]["what"]) == (FORMAT, "began")


def test_a_store_of_the_future_is_refused(old):
    path, _ = old
    content = json.loads((path / "zarr.json").read_bytes())
    content["attributes"]["nstm"]["format"] = FORMAT + 1
    (path / "zarr.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match=f"has store format {FORMAT + 1}, of a newer napari-nstm"):
        open_result(path)


@pytest.mark.parametrize("number", [0, -1])
def test_a_format_that_never_was_is_left_to_the_checks(number):
    assert migrated({"format": number}, FORMAT) == {"format": number}
