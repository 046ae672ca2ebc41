"""Whether a result is that of a job: what was found was added to it, and its paths are absolute."""

import pytest

from napari_nstm.core.settings import Job
from napari_nstm.run.same_job import made_by

DPC = {
    "pixel_size_um": 0.5,
    "wavelength_um": 0.5,
    "na_objective": 0.3,
    "na_illumination": 0.3,
    "source_angles_deg": [0, 90, 180, 270],
}


@pytest.fixture
def same(tmp_path):
    """Compare a DPC job with what was recorded of it, each with changes."""
    (tmp_path / "raw.npy").touch()

    def compare(said=(), kept=(), settings=(), kept_settings=(), **changes):
        base = {"modality": "dpc", "raw": "raw.npy", "acquisition": {**DPC, **dict(settings)}, **dict(said)}
        record = {
            **Job.model_validate(base).model_dump(mode="json", exclude_unset=True),
            "raw": str(tmp_path / "raw.npy"),
            **dict(kept),
        }
        record["acquisition"] = {**record["acquisition"], **dict(kept_settings)}
        return made_by(Job.model_validate({**base, **changes}), tmp_path, record)

    return compare


def test_the_same_job_wherever_it_goes_and_whoever_computes(same):
    assert same()
    assert same(output={"path": "elsewhere.zarr"}, compute={"scheduler": "tcp://host:1"}, fit={"device": "cpu"})


@pytest.mark.parametrize(
    "changes",
    [
        {"fit": {"epochs": 7}},
        {"fit": {"advanced": {"motion_learning_rate": 0.3}}},
        {"region": [0, 0, 64, 64]},
        {"frames": [4, 4]},
        {"modality": "sim"},
        {"acquisition": {**DPC, "wavelength_um": 0.6}},
        {"acquisition": {**DPC, "background": {"kind": "blur"}}},
        {"raw": "other/raw.npy"},
        {"raw": "other.npy"},
    ],
)
def test_another_job(same, changes):
    assert not same(**changes)


def test_kinds_that_differ_in_a_value_are_told_apart(same):
    given = {"background": {"kind": "constant", "value": 100}}
    assert same(settings=given)
    assert not same(settings=given, kept_settings={"background": {"kind": "constant", "value": 200}})


def test_data_that_moved_are_the_same_but_not_others_of_that_name(same, tmp_path):
    assert same(kept={"raw": str(tmp_path / "gone" / "raw.npy")})
    (tmp_path / "day2").mkdir()
    (tmp_path / "day2" / "raw.npy").touch()
    assert not same(kept={"raw": str(tmp_path / "day2" / "raw.npy")})


def test_a_file_that_settings_name_counts(same, tmp_path):
    said = {"background": {"kind": "image", "path": "flat.npy"}}
    kept = {"background": {"kind": "image", "path": str(tmp_path / "flat.npy")}}
    assert same(settings=said, kept_settings=kept)
    (tmp_path / "other.npy").touch()
    kept = {"background": {"kind": "image", "path": str(tmp_path / "other.npy")}}
    assert not same(settings=said, kept_settings=kept)


def test_times_of_a_part_are_found_in_those_of_all(same):
    times = [float(10 * k) for k in range(8)]
    of_part = {"timestamps_ms": times[4:]}
    frames = {"frames": [4, 4]}
    assert same(said=frames, settings={"timestamps_ms": times}, kept_settings=of_part)
    assert not same(said=frames, settings={"timestamps_ms": times}, kept_settings={"timestamps_ms": [1, 2, 3, 4]})
    assert not same(settings={"timestamps_ms": times}, kept_settings=of_part)


def test_stripes_that_were_found_are_those_that_were_looked_for(tmp_path):
    (tmp_path / "raw.npy").touch()
    acquisition = {
        "pixel_size_um": 0.08,
        "wavelength_um": 0.525,
        "na_objective": 1.4,
        "n_orientations": 3,
        "n_phases": 5,
        "pattern": {"kind": "estimate"},
    }
    job = Job.model_validate({"modality": "sim", "raw": "raw.npy", "acquisition": acquisition})
    found = {"kind": "vectors", "ky_per_um": [2.1, -1.9, 0.2], "kx_per_um": [1.1, 1.4, 2.4]}
    record = {**job.model_dump(mode="json", exclude_unset=True), "raw": str(tmp_path / "raw.npy")}
    assert made_by(job, tmp_path, {**record, "acquisition": {**acquisition, "pattern": found}})
    given = {**acquisition, "pattern": {**found, "ky_per_um": [2.0, -1.9, 0.2]}}
    other = job.model_copy(update={"acquisition": given})
    assert not made_by(other, tmp_path, {**record, "acquisition": {**acquisition, "pattern": found}})
