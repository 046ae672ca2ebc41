"""What attempts at the same frames differ in, in words with units, and how each turned out."""

import pytest
from tests._qt.residual_store import SIGMA, write_residual
from tests._qt.small_store import write_store

from napari_nstm.core.settings import Job
from napari_nstm.io.result import StoredResult
from napari_nstm.run.attempts import attempt_of, differences
from napari_nstm.run.claims import new_note, write_note

ACQUISITION = {
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "pixel_size_um": 0.454,
    "source_angles_deg": [90, 270, 0, 180],
}


def job(fit=None, acquisition=None, **more):
    content = {"modality": "dpc", "raw": "raw.tif", "acquisition": {**ACQUISITION, **(acquisition or {})}}
    return Job.model_validate({**content, "fit": fit or {}, **more})


def test_nothing_differs_where_everything_is_the_same():
    assert differences([job(), job()]) == [(), ()]
    assert differences([job()]) == [()]


def test_each_says_its_own_value_with_its_unit():
    first, second = differences([job(), job({"epochs": 300}, {"wavelength_um": 0.532})])
    assert first == ("Epochs as the preset", "Wavelength 0.525 µm")
    assert second == ("Epochs 300", "Wavelength 0.532 µm")


def test_what_is_left_out_counts_as_its_default():
    assert differences([job(), job({"preset": "fast", "seed": 0, "static": False})]) == [(), ()]
    assert differences([job(), job({"static": True})]) == [("Nothing moves: no",), ("Nothing moves",)]


def test_only_what_differs_among_some_of_them_is_said():
    found = differences([job({"seed": 1}), job({"seed": 1, "epochs": 10}), job({"seed": 1})])
    assert found == [("Epochs as the preset",), ("Epochs 10",), ("Epochs as the preset",)]


def test_a_region_is_said_in_pixels():
    whole, part = differences([job(), job(region=(10, 20, 64, 48))])
    assert whole == ("Whole field",)
    assert part == ("Region 64 × 48 at (10, 20)",)


def test_tiles_and_a_part_of_the_frames_are_said():
    one = {"compute": {"tile_px": 256, "scheduler": "tcp://10.0.0.1:8786"}, "frames": [4, 8]}
    other = {"compute": {"tile_memory_gb": 2.5, "tile_overlap_px": 64}}
    assert differences([job(), job(**one), job(**other)]) == [
        ("All frames", "In one piece"),
        ("Frames 4 to 11", "Tiles of 256 px"),
        ("All frames", "Tiles of 2.5 GB at most, overlap 64 px"),
    ]
    # Who computes makes no difference.
    assert differences([job(compute={"tile_px": 256}), job(compute={"tile_px": 256, "scheduler": "a"})]) == [(), ()]


def test_where_results_go_makes_no_difference():
    assert differences([job(output={"path": "a.zarr"}), job(output={"path": "b.zarr"})]) == [(), ()]


def test_another_kind_of_a_setting_is_said_with_what_belongs_to_it():
    known = {"background": {"kind": "constant", "value": 10000}}
    one, other = differences([job(acquisition={"background": {"kind": "none"}}), job(acquisition=known)])
    assert any(words.startswith("Background") for words in one)
    assert any("10000" in words or "1e+04" in words for words in other)


def test_mappings_of_another_version_are_taken_literally():
    strange = {"modality": "dpc", "raw": "raw.tif", "acquisition": {"speed_um": 3}, "later": {"power": 2}}
    assert differences([strange, {**strange, "later": {"power": 5}}]) == [("Later Power 2",), ("Later Power 5",)]


@pytest.mark.parametrize("name", ["no such method", "dpc"])
def test_settings_that_no_model_describes_are_compared_all_the_same(name):
    jobs = [{"modality": name, "raw": "r.tif", "acquisition": {"tilt_deg": tilt}} for tilt in (1.5, 2.0)]
    assert differences(jobs) == [("Tilt 1.5 °",), ("Tilt 2 °",)]


def test_an_attempt_says_how_it_turned_out(tmp_path):
    stored = write_residual(tmp_path / "run.zarr")
    attempt = attempt_of(StoredResult(stored.path, stored.record.changed({"timings_s": {"fit": 12.5}})))
    assert (attempt.title, attempt.path, attempt.status) == ("run", stored.path, "finished")
    assert (attempt.step, attempt.n_steps, attempt.fit_s) == (stored.record.step, 100, 12.5)
    assert attempt.job.modality == "dpc"
    assert attempt.residual == pytest.approx(SIGMA, rel=0.03)
    assert attempt.in_noise_units == pytest.approx(1, rel=0.05)


def test_of_a_smooth_residual_no_noise_is_known(tmp_path):
    attempt = attempt_of(write_residual(tmp_path / "run.zarr", smooth=True))
    assert attempt.residual is not None
    assert attempt.in_noise_units is None


def test_an_attempt_is_called_as_the_user_knows_it_and_may_lack_a_residual(tmp_path):
    stored = write_store(tmp_path / "run.zarr")
    write_note(stored.path, new_note("cells (2)"))
    attempt = attempt_of(stored)
    assert attempt.title == "cells (2)"
    assert (attempt.residual, attempt.in_noise_units, attempt.fit_s) == (None, None, None)
