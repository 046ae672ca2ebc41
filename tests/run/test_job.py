"""The job file: what is accepted, what is refused and how."""

import json
from pathlib import Path

import pytest
import yaml

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import Job
from napari_nstm.run.job import (
    acquisition_settings,
    dump_job,
    fit_settings,
    job_from_text,
    load_job,
    replace_dotted,
    with_absolute_paths,
)

ACQUISITION = {"pixel_size_um": 0.5}
MINIMAL = {"modality": "toy", "raw": "raw.tif", "acquisition": ACQUISITION}


@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps], ids=["yaml", "json"])
def test_a_file_gives_the_job_and_the_folder_its_paths_are_relative_to(tmp_path, write):
    path = tmp_path / "job.yml"
    path.write_text(write({**MINIMAL, "fit": {"seed": 7}}))
    job, base = load_job(path)
    assert (job.modality, job.raw, job.fit.seed) == ("toy", "raw.tif", 7)
    assert base == tmp_path


def test_a_mapping_and_a_job_are_relative_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job, base = load_job(MINIMAL)
    assert base == tmp_path
    assert load_job(job, "elsewhere") == (job, tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("", "job", "holds nothing"),
        ("- a\n- b", "job", "a mapping"),
        ("raw: [1, 2", "job", "not YAML (line 1)"),
        ("raw: !!python/object/apply:os.system [exit]", "job", "not YAML"),
        ("5: 6", "job", "the key 5"),
        ("raw: a.tif\nacquisition: {}", "modality", "required"),
        ("{modality: toy, raw: a.tif, acquisition: {}, colour: red}", "colour", "an unknown key"),
        ("{modality: toy, raw: a.tif, acquisition: 3}", "acquisition", "a mapping of keys"),
        ("{modality: toy, raw: a.tif, acquisition: {}, nstm: 2}", "nstm", "got 2; takes 1"),
        ("{modality: toy, raw: a.tif, acquisition: {}, fit: {preset: slow}}", "fit.preset", "'fast' or 'paper'"),
        ("{modality: toy, raw: a.tif, acquisition: {}, fit: {seed: -1}}", "fit.seed", "greater than or equal to 0"),
        ("{modality: toy, raw: a.tif, acquisition: {}, fit: {epochs: 0}}", "fit.epochs", "greater than or equal to 1"),
        ("{modality: toy, raw: a.tif, acquisition: {}, output: {path: ''}}", "output.path", "at least 1 character"),
        ("{modality: toy, raw: a.tif, acquisition: {}, fit: {device: tpu}}", "fit.device", "'tpu'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_field(text, field, says):
    with pytest.raises(InputError) as caught:
        job_from_text(text, "job.yml")
    assert caught.value.field == field
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_job_files(tmp_path):
    (tmp_path / "image.tif").write_bytes(b"II*\0\xff\xfe")
    (tmp_path / "stack.npy").write_bytes(bytes(5_000_000))
    for name, says in [
        ("none.yml", "does not exist"),
        ("", "a folder"),
        ("image.tif", "not text"),
        ("stack.npy", "too large"),
    ]:
        with pytest.raises(InputError, match=says):
            load_job(tmp_path / name)


@pytest.mark.parametrize(
    ("acquisition", "field"),
    [
        ({"pixel_size_um": -1}, "acquisition.pixel_size_um"),
        ({**ACQUISITION, "gane": 2}, "acquisition.gane"),
        ({}, "acquisition.pixel_size_um"),
        ({**ACQUISITION, "timestamps_ms": [0, 2, 1]}, "acquisition.timestamps_ms"),
        ({**ACQUISITION, "gain": float("nan")}, "acquisition.gain"),
    ],
)
def test_the_modality_checks_the_acquisition(toy, acquisition, field):
    with pytest.raises(InputError) as caught:
        acquisition_settings(Job(modality="toy", raw="a", acquisition=acquisition), toy)
    assert caught.value.field == field


def test_advanced_values_change_the_preset_and_are_checked(toy, frames):
    def resolved(**fit):
        job = Job(modality="toy", raw="a", acquisition=ACQUISITION, fit=fit)
        return fit_settings(job, toy, RawData(frames), acquisition_settings(job, toy))

    assert resolved(advanced={"learning_rate_end": 0.5}, seed=3).learning_rate_end == 0.5
    assert resolved(coarse_to_fine=False).coarse_to_fine == 0
    with pytest.raises(InputError) as caught:
        resolved(advanced={"learning_rat": 0.5})
    assert caught.value.field == "fit.advanced.learning_rat"


def test_a_dumped_job_is_what_was_said_and_reads_back(tmp_path):
    job, _ = load_job({**MINIMAL, "fit": {"seed": 3}, "output": {"times": [0.0, 1.5]}})
    text = dump_job(job)
    assert "checkpoint_every_s" not in text
    assert job_from_text(text) == job
    assert text.startswith("nstm: 1\n")


def test_paths_become_absolute_also_inside_the_acquisition(tmp_path):
    content = {**MINIMAL, "acquisition": {**ACQUISITION, "background": {"kind": "image", "path": "dark.tif"}}}
    job = with_absolute_paths(load_job(content)[0], tmp_path, {"background.path": "dark.tif"})
    assert Path(job.raw) == tmp_path / "raw.tif"
    assert job.acquisition["background"] == {"kind": "image", "path": str(tmp_path / "dark.tif")}
    assert content["acquisition"]["background"]["path"] == "dark.tif"


def test_replacing_a_nested_value_leaves_its_neighbours():
    content = {"a": {"b": 1, "c": 2}, "d": 3}
    assert replace_dotted(content, "a.b", 9) == {"a": {"b": 9, "c": 2}, "d": 3}
    assert replace_dotted(content, "e.f", 9) == {**content, "e": {"f": 9}}
