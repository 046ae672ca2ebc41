"""Everything is checked before anything is made."""

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.region import crop
from napari_nstm.io import _raw_formats
from napari_nstm.run import plan as plan_module
from napari_nstm.run import raw_use
from napari_nstm.run.job import load_job
from napari_nstm.run.plan import check_job, make_plan
from napari_nstm.run.raw_use import sha256_of


@pytest.fixture
def plan_of(toy, job, frames, tmp_path):
    np.save(tmp_path / "raw.npy", frames)

    def make(given=None, **changes):
        return make_plan(load_job({**job, **changes})[0], given, base_dir=tmp_path)

    return make


def output(times):
    return {"path": "r.zarr", "times": times}


def test_a_plan_has_absolute_paths_and_writes_nothing(plan_of, tmp_path):
    before = sorted(tmp_path.iterdir())
    plan = plan_of(output={"path": "sub.zarr"})
    assert Path(plan.job.raw) == tmp_path / "raw.npy"
    assert plan.store_path == tmp_path / "sub.zarr"
    assert plan.raw_is_file
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("times", "expected"), [(None, (0, 1, 2, 3)), (1, (0,)), (4, (0, 1, 2, 3)), (3, (0, 1.5, 3)), ([0.5, 3], (0.5, 3))]
)
def test_moments_of_the_result(plan_of, times, expected):
    assert plan_of(output=output(times)).output_times_ms == pytest.approx(expected)


@pytest.mark.parametrize(
    ("times", "says"), [(0, "at least 1"), (-2, "at least 1"), ([], "an empty list"), ([1, 3.5], "0 to 3 ms")]
)
def test_moments_that_cannot_be_reconstructed(plan_of, times, says):
    with pytest.raises(InputError, match=says) as caught:
        plan_of(output=output(times))
    assert caught.value.field == "output.times"


def test_times_run_from_minus_one_to_one(plan_of):
    plan = plan_of(acquisition={"pixel_size_um": 1, "timestamps_ms": [10, 20, 40, 50]})
    assert [plan.normalised_time(t) for t in (10, 20, 50)] == pytest.approx([-1, -0.5, 1])


def test_raw_data_given_as_an_array_stand_in_for_the_file(plan_of, frames):
    plan = plan_of(2 * frames, raw="a layer")
    np.testing.assert_array_equal(plan.raw.frames, 2 * frames)
    assert not plan.raw_is_file
    assert plan.raw.name == "a layer"


def test_hashes_tell_values_types_and_shapes_apart(plan_of, frames):
    def digest(array):
        return plan_of(RawData(array)).input_hashes["raw"]

    wide = np.concatenate([frames, frames], axis=2)
    assert digest(frames) == digest(np.asfortranarray(frames))
    others = [frames + 1e-3, frames.astype(np.float64), wide, np.concatenate([frames, frames], axis=1)]
    assert len({digest(frames), *map(digest, others)}) == 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"raw": "nothing.tif"}, "raw"),
        ({"axes": "zyx"}, "raw"),
        ({"acquisition": {"pixel_size_um": 0}}, "acquisition.pixel_size_um"),
        ({"fit": {"advanced": {"colour": 1}}}, "fit.advanced.colour"),
        ({"fit": {"device": "gpu:77"}}, "fit.device"),
        ({"output": {"path": "no/such/folder/r.zarr"}}, "output.path"),
        ({"output": {"path": "raw.npy"}}, "output.path"),
    ],
)
def test_the_first_thing_that_cannot_be_used_is_named(plan_of, changes, field, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        plan_of(**changes)
    assert caught.value.field == field
    assert sorted(tmp_path.iterdir()) == before


def test_the_modality_has_its_say(plan_of, toy, frames, monkeypatch):
    with pytest.raises(InputError, match="at least 2 frames"):
        plan_of(frames[:1])
    monkeypatch.setattr(toy, "check", lambda raw, settings: ["Something is odd."], raising=False)
    assert plan_of().notices == ("Something is odd.",)


def test_arrays_that_the_settings_name_are_read_and_hashed(plan_of, toy, tmp_path, monkeypatch, frames):
    monkeypatch.setattr(toy, "array_paths", lambda settings: {"dark": "dark.npy"}, raising=False)
    with pytest.raises(InputError) as caught:
        plan_of()
    assert caught.value.field == "acquisition.dark"
    np.save(tmp_path / "dark.npy", np.ones((4, 4)))
    plan = plan_of()
    assert plan.raw.extras["dark"].shape == (4, 4)
    assert set(plan.input_hashes) == {"raw", "dark"}
    given = plan_of(RawData(frames, {"dark": np.zeros((2, 2))}))
    assert given.raw.extras["dark"].shape == (2, 2)
    assert replace(given, job=plan.job).input_hashes["dark"] != plan.input_hashes["dark"]


def test_what_is_to_be_reconstructed_is_said_in_words(toy, job, frames, tmp_path, monkeypatch):
    checked = check_job(load_job(job)[0], frames, tmp_path)
    assert replace(checked, raw=RawData(frames[:1])).summary == "Toy camera: 1 frame of 48 x 48 pixels, 0 to 3 ms."
    monkeypatch.setattr(type(toy), "raw_axes", "cyx")
    for n, colors in ((1, ""), (3, " in 3 colours")):
        said = replace(checked, raw=RawData(frames[:n])).summary
        assert said == f"Toy camera: 1 image of 48 x 48 pixels{colors}, 0 to 3 ms."


def test_a_job_is_checked_without_a_device(toy, job, frames, tmp_path):
    job["fit"]["device"] = "gpu:77"
    checked = check_job(load_job(job)[0], frames, tmp_path)
    assert checked.frame_times_ms == checked.output_times_ms == (0, 1, 2, 3)
    assert checked.summary == "Toy camera: 4 frames of 48 x 48 pixels, 0 to 3 ms."
    assert checked.fit.epochs == 60
    assert not checked.raw_is_file
    with pytest.raises(InputError, match="jax sees"):
        make_plan(load_job(job)[0], frames, base_dir=tmp_path)


def test_checking_a_dpc_job_loads_no_jax(tmp_path):
    code = textwrap.dedent("""
        import sys
        import numpy as np
        from napari_nstm.run.job import job_from_mapping
        from napari_nstm.run.plan import check_job
        from napari_nstm.run.runs import RunFolder
        from napari_nstm.run.client import Child

        job = job_from_mapping({
            "modality": "dpc",
            "raw": "a layer",
            "acquisition": {
                "wavelength_um": 0.525, "na_objective": 0.25, "na_illumination": 0.25, "pixel_size_um": 0.454,
                "source_angles_deg": [90, 270, 0, 180],
            },
            "output": {"path": sys.argv[1]},
        })
        frames = 1000 + np.random.default_rng(0).normal(0, 5, (4, 48, 48))
        assert len(check_job(job, frames).frame_times_ms) == 4
        print(sorted({"jax", "flax", "optax", "napari", "qtpy"} & set(sys.modules)))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "r.zarr")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# -- regions ------------------------------------------------------------------


def test_a_region_is_cut_out_and_hashed_by_itself_too(plan_of, frames):
    whole, part = plan_of(), plan_of(region=[4, 10, 40, 32])
    np.testing.assert_array_equal(part.raw.frames, frames[:, 4:44, 10:42])
    np.testing.assert_array_equal(part.whole_raw.frames, frames)
    of_part = plan_of(frames[:, 4:44, 10:42]).input_hashes["raw"]
    assert list(part.input_hashes.items()) == [*whole.input_hashes.items(), ("raw.region", of_part)]
    assert (whole.origin_um, part.origin_um) == ((0.0, 0.0), (2.0, 5.0))
    assert part.summary == "Toy camera: 4 frames of 40 x 32 pixels (of 48 x 48), 0 to 3 ms."
    assert part.output_times_ms == whole.output_times_ms


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ([0, 0, 31, 48], "got 0, 0, 31, 48; takes first row, first column, rows and columns, 32 or more of both"),
        ([-1, 0, 40, 40], "got -1, 0, 40, 40; takes first row"),
        ([0, 9, 40, 40], "got rows 0 to 39 and columns 9 to 48; takes a part of the frames"),
    ],
)
def test_a_region_that_is_none_is_one_sentence(plan_of, region, says):
    with pytest.raises(InputError, match=f"^region: {says}"):
        plan_of(region=region)


def test_what_is_found_in_a_region_is_told_for_the_whole(plan_of, toy, monkeypatch):
    def estimate(raw, settings):
        assert raw.frames.shape == (4, 32, 32)
        return settings.model_copy(update={"gain": 5.0}), []

    def uncropped(settings, size, region):
        assert (size, region) == ((48, 48), (8, 8, 32, 32))
        return settings.model_copy(update={"gain": settings.gain - 2})

    def cropped(raw, settings, region):
        return crop(raw, region), settings.model_copy(update={"gain": settings.gain + 2})

    monkeypatch.setattr(toy, "uncropped", uncropped, raising=False)
    monkeypatch.setattr(toy, "cropped", cropped, raising=False)
    plan = plan_of(region=[8, 8, 32, 32])
    assert (plan.settings.gain, "gain" in plan.job.acquisition) == (3.0, False)
    monkeypatch.setattr(toy, "estimate", estimate, raising=False)
    plan = plan_of(region=[8, 8, 32, 32])
    assert (plan.settings.gain, plan.job.acquisition["gain"]) == (5.0, 3.0)


def test_of_large_data_only_the_region_is_hashed_and_an_older_record_by_the_whole(plan_of, monkeypatch, tmp_path):
    both = plan_of(region=[4, 10, 40, 32]).input_hashes
    monkeypatch.setattr(raw_use, "LARGE_BYTES", 0)
    assert plan_of(region=[4, 10, 40, 32]).input_hashes == {"raw.region": both["raw.region"]}
    tiled = {"region": [4, 10, 40, 32], "compute": {"tile_px": 32}}
    assert plan_of(**tiled).input_hashes == {"raw": both["raw"]}

    class Old:
        input_hashes = {"raw": "as it was"}  # noqa: RUF012

    monkeypatch.setattr(plan_module, "read_record", lambda store: Old)
    job = load_job(plan_of(region=[4, 10, 40, 32]).job)[0]
    resumed = make_plan(job, base_dir=tmp_path, resumed_store=tmp_path / "r.zarr")
    assert resumed.input_hashes == both


# -- files that are larger than memory ------------------------------------------


def large_file(folder, kind, frames):
    """Store frames in a way in which they are mapped, or stay in their file; returns the path."""
    counts = (100 * frames).astype(np.uint16)
    path = folder / f"large.{kind}"
    if kind == "npy":
        np.save(path, counts)
    elif kind == "zarr":
        zarr.create_array(path, data=counts, chunks=(1, 16, 16), dimension_names=["t", "y", "x"])
    else:
        tifffile.imwrite(path, counts, imagej=True, metadata={"axes": "TYX"})  # bytes in the other order
    return counts, path


@pytest.mark.parametrize("kind", ["npy", "tif", "zarr"])
def test_a_region_of_a_large_file_is_all_that_is_read(plan_of, frames, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    counts, path = large_file(tmp_path, kind, frames)
    plan = plan_of(raw=str(path), region=[4, 10, 40, 32])
    np.testing.assert_array_equal(plan.raw.frames, counts[:, 4:44, 10:42])
    assert plan.raw.frames.dtype == np.uint16
    assert type(plan.raw.frames) is np.ndarray
    assert plan.whole_raw.frames.shape == counts.shape
    assert plan.input_hashes["raw"] == sha256_of(counts)
    assert plan.input_hashes["raw.region"] == sha256_of(counts[:, 4:44, 10:42])
    whole = plan_of(raw=str(path))
    np.testing.assert_array_equal(whole.raw.frames, counts)
    assert whole.raw.frames.dtype == np.uint16
    part = plan_of(raw=str(path), frames=[1, 3])
    np.testing.assert_array_equal(part.raw.frames, counts[1:])


def test_what_a_region_was_read_from_may_be_replaced(plan_of, frames, tmp_path, monkeypatch):
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    counts, path = large_file(tmp_path, "npy", frames)
    plan = plan_of(raw=str(path), region=[4, 10, 40, 32])
    with path.open("r+b") as stream:
        stream.write(b"\0" * path.stat().st_size)
    np.testing.assert_array_equal(plan.raw.frames, counts[:, 4:44, 10:42])


# -- parts of the frames ----------------------------------------------------------


def test_some_of_the_frames_keep_their_times(plan_of, frames):
    part = plan_of(frames=[1, 3])
    np.testing.assert_array_equal(part.raw.frames, frames[1:])
    assert part.frame_times_ms == part.output_times_ms == (1, 2, 3)
    assert part.summary == "Toy camera: 3 of 4 frames of 48 x 48 pixels, 1 to 3 ms."
    assert part.input_hashes["raw.frames"] == sha256_of(frames[1:])
    both = plan_of(frames=[1, 3], region=[4, 10, 40, 32], acquisition=timed(0, 5, 7, 20))
    np.testing.assert_array_equal(both.raw.frames, frames[1:, 4:44, 10:42])
    assert both.frame_times_ms == (5, 7, 20)


def test_times_that_are_those_of_the_part_already_stay(plan_of):
    assert plan_of(frames=[1, 3], acquisition=timed(5, 7, 20)).frame_times_ms == (5, 7, 20)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ([2, 3], "got frames 2 to 4; takes a part of the 4 frames, counted from 0"),
        ([-1, 2], "got -1, 2; takes the first frame, from 0, and how many, from 1"),
        ([0, 0], "got 0, 0; takes the first frame"),
    ],
)
def test_frames_that_there_are_not_are_one_sentence(plan_of, part, says):
    with pytest.raises(InputError, match=f"^frames: {says}"):
        plan_of(frames=part)


def timed(*times):
    return {"pixel_size_um": 0.5, "timestamps_ms": times}
