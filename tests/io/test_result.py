from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_nstm.core.errors import InputError, NstmError, StoreError
from napari_nstm.core.settings import Job
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.record import FORMAT
from napari_nstm.io.store import StoreWriter, check_output, describe, is_store, open_result


def rewrite(path, change):
    """Change the attribute `nstm` behind the store's back."""
    content = json.loads((path / "zarr.json").read_text())
    change(content["attributes"])
    (path / "zarr.json").write_text(json.dumps(content))


def phase(y, x):
    return 0.5 * np.exp(-((y - 12) ** 2 + (x - 15) ** 2) / 30) + 0.2 * np.exp(-((y - 5) ** 2 + (x - 24) ** 2) / 8)


def test_the_scene_moves_as_the_motion_says_and_comes_in_physical_units(finished):
    y, x = np.mgrid[:24, :31]
    for time_ms, share in ((10.0, 0.0), (27.5, 0.5), (45.0, 1.0)):
        scene = finished.scene_at(time_ms)
        assert (scene.shape, scene.dtype) == ((2, 24, 31), np.float32)
        back_y, back_x = y - 1.5 * share, x + 3.0 * share  # the sample drifted by (1.5, -3) px
        expected = phase(back_y, back_x)
        # Linear interpolation on half a pixel.
        np.testing.assert_allclose(scene[1], expected - expected.mean(), atol=4e-3)
        assert abs(scene[1].mean()) < 1e-6
        np.testing.assert_allclose(scene[0], 1 + 0.2 * np.cos(0.4 * back_x) * np.sin(0.3 * back_y), atol=4e-3)


def test_beyond_the_acquisition_its_ends_go_on(finished):
    np.testing.assert_array_equal(finished.scene_at(-100.0), finished.scene_at(10.0))
    np.testing.assert_array_equal(finished.scene_at(1e6), finished.scene_at(45.0))


def test_displacement_has_the_drifts_sign_and_is_in_um(finished):
    u = finished.displacement_at(45.0)
    assert u.shape == (2, 24, 31)
    np.testing.assert_allclose(u, np.broadcast_to(np.reshape([1.5, -3.0], (2, 1, 1)) * 0.25, u.shape), atol=1e-5)
    np.testing.assert_allclose(finished.displacement_at(10.0), 0, atol=1e-6)
    np.testing.assert_allclose(finished.displacement_at(10.0, reference_ms=45.0), -u, atol=1e-5)
    where = np.array([[3.0, 20.0], [4.5, 7.0]], np.float32)
    np.testing.assert_allclose(finished.displacement_at(45.0, where_px=where)[1], -0.75, atol=1e-5)


def test_a_rotation_comes_back_with_its_sign_and_size_far_from_the_axis(tmp_path, record):
    angle = np.deg2rad(10)
    y, x = np.meshgrid(np.arange(-16, 57, 4.0), np.arange(-16, 57, 4.0), indexing="ij")
    motion = np.zeros((2, 2, *y.shape), np.float32)
    # The sample turns from +x towards +y: looked up turned back.
    motion[1, 0] = np.cos(angle) * (y - 12) - np.sin(angle) * (x - 15) - (y - 12)
    motion[1, 1] = np.sin(angle) * (y - 12) + np.cos(angle) * (x - 15) - (x - 15)
    canvas = Canvas(np.zeros((2, 8, 8), np.float32), (0.0, 0.0), (4.0, 5.0), 1)
    lattice = MotionLattice(motion, (-16.0, -16.0), (4.0, 4.0))
    writer = StoreWriter.create(tmp_path / "rotation.zarr", record)
    result = writer.finish("finished", canvas, lattice, {})
    u_px = result.motion_um[-1].compute() / 0.25
    y, x = np.mgrid[:24, :31].astype(float)
    expected_y = np.sin(angle) * (x - 15) + np.cos(angle) * (y - 12) - (y - 12)
    expected_x = np.cos(angle) * (x - 15) - np.sin(angle) * (y - 12) - (x - 15)
    np.testing.assert_allclose(u_px, np.stack([expected_y, expected_x]), atol=1e-3)


def test_what_a_result_says_about_itself(finished):
    assert finished.status == "finished"
    assert finished.times_ms == finished.frame_times_ms == (10.0, 20.0, 45.0)
    assert [channel.unit for channel in finished.channels] == ["", "rad"]
    assert finished.pixel_size_um == (0.25, 0.25)
    assert finished.attributes["input_hashes"] == {"raw": "ab" * 32}
    assert isinstance(finished.job, Job)
    assert finished.job.acquisition == {"pixel_size_um": 0.25}
    assert set(finished.weights()) == {"params/scene/levels/0", "step"}


def test_arrays_are_read_when_they_are_asked_for(finished):
    # What is not there is missed only when it is wanted.
    for path in (finished.path / "reconstruction" / "0" / "c").rglob("*"):
        if path.is_file():
            path.unlink()
    opened = open_result(finished.path)
    assert np.isfinite(opened.motion_um[0].compute()).all()
    assert np.isnan(opened.reconstruction[0].compute()).all()  # a lost frame does not pass for a dark one


@pytest.mark.parametrize("kind", ["nothing", "file", "folder", "zarr group", "json"])
def test_what_is_no_store_is_said(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "file":
        path.write_text("text")
    elif kind == "zarr group":
        zarr.create_group(path)
    elif kind != "nothing":
        path.mkdir()
        if kind == "json":
            (path / "zarr.json").write_text("{")
    takes = "does not exist" if kind == "nothing" else "is no result of napari-nstm"
    with pytest.raises(InputError, match=takes) as caught:
        open_result(path)
    assert caught.value.field == "store"
    assert not is_store(path)


def test_a_store_of_a_newer_version_is_refused_but_known(finished):
    rewrite(finished.path, lambda attributes: attributes["nstm"].update(format=FORMAT + 1))
    said = rf"store format {FORMAT + 1}, of a newer napari-nstm; this version reads up to {FORMAT}"
    with pytest.raises(StoreError, match=said):
        open_result(finished.path)
    with pytest.raises(InputError, match="--overwrite"):
        check_output(finished.path)
    check_output(finished.path, overwrite=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"times_ms": []}, "times_ms"),
        ({"status": "lost"}, "status"),
        ({"format": "one"}, "format"),
        ({"pixel_size_um": [1.0]}, "contradicts itself"),
        ({"presentation": []}, "contradicts itself"),
        ({"presentation": [{"scale": "x"}, {}]}, r"presentation\.0\.scale"),
    ],
)
def test_a_damaged_record_is_one_sentence(finished, change, said):
    rewrite(finished.path, lambda attributes: attributes["nstm"].update(change))
    with pytest.raises(StoreError, match=said) as caught:
        open_result(finished.path)
    assert "\n" not in str(caught.value)


def test_entries_that_a_later_version_added_are_no_obstacle(finished):
    rewrite(finished.path, lambda attributes: attributes["nstm"].update(mood="good"))
    assert open_result(finished.path).record == finished.record


def test_a_lost_or_broken_array_is_one_sentence(finished):
    (finished.path / "canvas" / "zarr.json").unlink()
    with pytest.raises(StoreError, match="its array canvas is missing"):
        open_result(finished.path).scene_at(10.0)
    (finished.path / "motion" / "zarr.json").write_text("{}")
    with pytest.raises(StoreError, match="its array motion is missing or cannot be read"):
        _ = open_result(finished.path).motion_um
    (finished.path / "weights.npz").write_bytes(b"PK")
    with pytest.raises(StoreError, match=r"weights\.npz is damaged"):
        open_result(finished.path).weights()


def test_a_broken_checkpoint_is_one_sentence(running):
    path = running.path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"checkpoint\.npz is damaged"):
        open_result(running.path)


def test_a_run_without_a_checkpoint_has_nothing_to_show_yet(tmp_path, record):
    result = open_result(StoreWriter.create(tmp_path / "early.zarr", record).path)
    assert result.status == "running"
    for show in (lambda: result.scene_at(10.0), lambda: result.reconstruction, lambda: result.displacement_at(20.0)):
        with pytest.raises(StoreError, match="has not reached a checkpoint"):
            show()
    with pytest.raises(StoreError, match="nothing to go on from"):
        result.weights()


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_attribute_whatever_it_holds_gives_a_traceback(finished, data):
    original = (finished.path / "zarr.json").read_text()
    key = data.draw(st.sampled_from([*finished.attributes, "whole"]))
    value = data.draw(plain)
    try:
        if key == "whole":
            rewrite(finished.path, lambda attributes: attributes.update(nstm=value))
        else:
            rewrite(finished.path, lambda attributes: attributes["nstm"].update({key: value}))
        said = ""
        try:
            result = open_result(finished.path)
            describe(finished.path)
            _ = result.job
        except NstmError as error:
            said = str(error)
        assert "\n" not in said
    finally:
        (finished.path / "zarr.json").write_text(original)


def test_info_says_what_how_and_how_it_went(finished, running):
    text = describe(finished.path)
    for expected in (
        "finished (100 steps in 4.2 s.)",
        "24 x 31 pixels (y, x) of 0.25 x 0.25 um: 6 x 7.75 um",
        "absorption, phase (rad)",
        "acquired from 10 to 45 ms; 3 moments reconstructed",
        "preset fast, seed 3, step 100 of 100",
        "3 at first, 0.5 at last",
        "31% is left at a shift of half a pixel",  # cos(0.4 pi): linear interpolation midway between samples
        "fit 4.2 s",
        "a processor",
        "napari-nstm 0.1.0",
        "raw sha256 abababababababab",
        "3 pixels are saturated.",
    ):
        assert expected in text
    assert "comparisons  conventional" in text
    assert "\nregion" not in text
    assert "can be resumed" in describe(running.path)
    assert "step 40 of 100" in describe(running.path)


def test_info_says_which_region_it_is(region):
    where = "rows 8 to 31, columns 20 to 50 of the raw frames; from y = 2, x = 5 um"
    assert f"region       {where}\n" in describe(region.path)


def test_a_store_from_before_regions_begins_at_0(finished):
    rewrite(finished.path, lambda attributes: attributes["nstm"].pop("origin_um"))
    assert open_result(finished.path).origin_um == (0.0, 0.0)
    rewrite(finished.path, lambda attributes: attributes["nstm"].update(origin_um=[1.0]))
    with pytest.raises(StoreError, match="contradicts itself"):
        open_result(finished.path)


def test_points_of_a_region_are_followed_from_its_own_pixel_0(finished, region):
    of_whole, of_region = (result.trajectories([[2.0, 4.0]]) for result in (finished, region))
    np.testing.assert_array_equal(of_region.positions_um, of_whole.positions_um)
    assert (of_whole.origin_um, of_region.origin_um) == ((0.0, 0.0), (2.0, 5.0))
