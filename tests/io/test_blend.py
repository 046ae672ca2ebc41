from __future__ import annotations

import errno
import os
import shutil
import tracemalloc

import numpy as np
import pytest
import yaozarrs
import zarr
from tests.io.guillotine import GUILLOTINE
from tests.io.tiled_store import (
    TIMES_MS,
    gauges,
    plan,
    record_of,
    scene,
    true_scene,
    true_u_um,
    write_tile,
    write_whole,
)

from napari_nstm.core.errors import CancelledError, StoreError
from napari_nstm.core.tiles import plan_tiles, tile_path
from napari_nstm.core.warp import positions
from napari_nstm.io import _arrays, _image, blend
from napari_nstm.io.blend import blend_tiles
from napari_nstm.io.store import StoreWriter, open_result

# Of a wave of 50 pixels: what interpolating the motion every 4 pixels, and the scene every half, leaves.
SCENE_TOLERANCE = 1e-3
U_TOLERANCE_UM = 6e-3
ARRAYS = ("reconstruction/0", "conventional/0", "motion", "motion_lattice", "residual", "seams")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Six tiles, blended; tests that change it take a copy."""
    return blend_tiles(write_whole(tmp_path_factory.mktemp("whole") / "whole.zarr").path)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two tiles that are not blended yet; tests take a copy."""
    return write_whole(tmp_path_factory.mktemp("pair") / "pair.zarr", plan((40, 96))).path


@pytest.fixture
def tiles(tmp_path, pair):
    return shutil.copytree(pair, tmp_path / "pair.zarr")


def agrees(result, factor=1):
    for index, time in enumerate(TIMES_MS):
        shape = result.shape
        shown = result.reconstruction[index].compute()
        np.testing.assert_allclose(shown, true_scene(shape, time, factor), atol=SCENE_TOLERANCE)
        u = true_u_um(shape[-2:], time, factor)
        for found in (result.motion_um[index].compute(), result.displacement_at(time)):
            planes = found[-2:].reshape(2, -1, *shape[-2:])
            np.testing.assert_allclose(planes, np.broadcast_to(u[:, None], planes.shape), atol=U_TOLERANCE_UM)
        np.testing.assert_allclose(result.scene_at(time), shown, atol=2e-6)


def test_tiles_of_different_gauges_and_constants_give_the_scene_and_motion_of_the_whole(whole):
    assert whole.status == "finished"
    agrees(whole)
    assert whole.seams.compute().max() < SCENE_TOLERANCE
    assert set(whole.record.seam_rms) == {"absorption", "phase", "motion_um"}
    assert whole.record.seam_rms["absorption"] < SCENE_TOLERANCE
    assert whole.record.seam_rms["phase"] < SCENE_TOLERANCE
    assert whole.record.seam_rms["motion_um"] < U_TOLERANCE_UM


def test_a_result_finer_than_its_frames_is_put_together_on_its_own_samples(tmp_path):
    of = plan((64, 96))
    result = blend_tiles(write_whole(tmp_path / "fine.zarr", of, factor=2).path)
    assert result.shape == (128, 192)
    agrees(result, factor=2)
    assert result.residual.shape == (3, 64, 96)
    np.testing.assert_allclose(result.residual[1, :, 3].compute(), np.arange(64) + 1000, atol=1e-3)


def test_a_volume_is_put_together_with_its_planes(tmp_path):
    result = blend_tiles(
        write_whole(tmp_path / "deep.zarr", plan((40, 72), 40), planes=3, tile_0={"frames": False}).path
    )
    agrees(result)
    assert result.seams.shape == (2, 3, 40, 72)
    assert result.residual is None  # not all tiles hold one
    assert result.conventional.shape == (2, 3, 40, 72)


def test_one_constant_a_tile_and_channel_is_recorded(whole):
    offsets = np.asarray(whole.record.tile_offsets)
    planted = np.asarray([0.3 * (-1) ** i * (1 + i) for i in range(6)])
    np.testing.assert_array_equal(offsets[:, 0], 0)  # absolute
    np.testing.assert_allclose(offsets[:, 1], planted.mean() - planted, atol=SCENE_TOLERANCE)
    means = whole.reconstruction[:, 1].compute().mean(axis=(1, 2), dtype=np.float64)
    np.testing.assert_allclose(means, 0, atol=1e-6)


def test_comparisons_and_residuals_are_put_together_too(whole):
    truth = scene(positions(whole.shape))
    truth[1] -= truth[1].mean()
    found = whole.comparison("conventional")
    assert found.times_ms == (12.5,)
    np.testing.assert_allclose(found.images[0], truth, atol=1e-5)
    rows = np.broadcast_to(np.arange(96)[:, None], (96, 128))
    np.testing.assert_allclose(whole.residual[2].compute(), rows + 2000, atol=1e-3)


def test_what_the_whole_says_of_its_tiles(whole):
    record = whole.record
    assert (record.message, record.step, record.n_steps, record.timings_s) == ("6 tiles.", 600, 600, {"fit": 12.0})
    assert record.comparisons == ("conventional",)
    assert whole.motion().values_px.shape[0] == 6
    assert whole.motion().spacing_px == (4.0, 4.0)
    assert whole.motion().origin_px == (-8.0, -8.0)  # what tiles know of the surroundings too
    np.testing.assert_array_equal(whole.motion().values_px[0], 0)


def test_chunks_are_the_output_tiles_and_other_programs_read_the_images(whole):
    for name in ("reconstruction/0", "conventional/0", "motion", "residual", "seams"):
        array = zarr.open_array(whole.path / name, mode="r")
        assert array.chunks == (1,) * (array.ndim - 2) + whole.record.tiles.size_px
    for name in ("reconstruction", "conventional"):
        yaozarrs.validate_zarr_store(whole.path / name)


def test_a_tile_that_disagrees_shows_in_the_map_of_seams(tmp_path):
    result = blend_tiles(write_whole(tmp_path / "seam.zarr", tile_4={"wrong": 0.1}).path)
    seams, of = result.seams.compute(), result.record.tiles
    assert of.tiles[4].output == (48, 48, 48, 48)
    # Half way between the neighbours' weights are equal: each is half the difference off.
    np.testing.assert_allclose(seams[0, 47:49, 72], 0.05, atol=2e-3)
    np.testing.assert_allclose(seams[0, 72, 95:97], 0.05, atol=2e-3)
    assert seams[0, 60:90, 60:90].max() == 0
    assert seams[0, :40].max() < SCENE_TOLERANCE
    assert seams[1].max() < SCENE_TOLERANCE
    assert 0.03 < result.record.seam_rms["absorption"] < 0.1
    shown = result.reconstruction[0, 0].compute() - true_scene(result.shape, 0.0)[0]
    np.testing.assert_allclose(shown[60:90, 60:90], 0.1, atol=SCENE_TOLERANCE)
    assert np.abs(np.diff(shown, axis=0)).max() < 0.02  # a ramp, no edge


def test_blending_again_changes_nothing(tiles, monkeypatch):
    first = blend_tiles(tiles)
    before = {name: zarr.open_array(tiles / name, mode="r")[...] for name in ARRAYS}
    monkeypatch.setattr(blend, "_KEPT_BYTES", 0)  # and bands are the same, read alone or of a tile that is kept
    again = blend_tiles(tiles)
    for name, values in before.items():
        np.testing.assert_array_equal(zarr.open_array(tiles / name, mode="r")[...], values)
    assert again.record.model_copy(update={"updated": first.record.updated}) == first.record


# -- what is not there, and what comes between --------------------------------


def test_tiles_that_are_missing_are_named(tmp_path):
    whole = write_whole(tmp_path / "some.zarr", tile_1={"missing": True}, tile_3={"status": "running"})
    with pytest.raises(StoreError, match=r"of its 6 tiles these are not done: 1, 3\."):
        blend_tiles(whole.path)
    assert open_result(whole.path).status == "running"


def test_what_is_there_can_be_blended_and_the_rest_holds_no_numbers(tmp_path):
    whole = write_whole(
        tmp_path / "some.zarr", tile_0={"missing": True}, tile_3={"status": "running"}, tile_5={"status": "stopped"}
    )
    result = blend_tiles(whole.path, allow_missing=True)
    assert (result.status, result.record.message) == ("stopped", "Stopped: 3 of 6 tiles are done, 2 are empty.")
    for index, time in enumerate(TIMES_MS):
        shown = result.reconstruction[index].compute()
        assert np.isnan(shown[:, 56:90, :40]).all()
        assert np.isnan(shown[:, :90, :40]).all()
        truth = true_scene(result.shape, time)
        here = np.isfinite(shown[1])
        assert here[:, 48:].all()
        np.testing.assert_allclose(shown[0][here], truth[0][here], atol=SCENE_TOLERANCE)
        np.testing.assert_allclose(shown[1][here], (truth[1] - truth[1][here].mean())[here], atol=SCENE_TOLERANCE)
        np.testing.assert_allclose(result.scene_at(time), shown, atol=2e-6)
    assert np.isfinite(result.seams.compute()).all()
    assert result.seams.compute().max() < SCENE_TOLERANCE
    yaozarrs.validate_zarr_store(result.path / "reconstruction")


def test_a_stop_leaves_the_tiles_and_the_status(tiles):
    told = []
    with pytest.raises(CancelledError):
        blend_tiles(tiles, on_progress=lambda *how: told.append(how), should_stop=lambda: len(told) > 4)
    assert len(told) == 5
    assert sorted(path.name for path in tiles.iterdir()) == ["job.yml", "tiles", "zarr.json"]
    told.clear()
    assert blend_tiles(tiles, on_progress=lambda *how: told.append(how)).status == "finished"
    totals = {total for _, total in told}
    assert len(totals) == 1
    assert [done for done, _ in told] == list(range(totals.pop() + 1))


@pytest.mark.parametrize("after", [0, 20, 60])
def test_a_full_disk_is_one_sentence_and_leaves_the_tiles(tiles, monkeypatch, after):
    fsync, left = os.fsync, [after]

    def fail(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match=r"No space left on device\. Its tiles are kept\."):
        blend_tiles(tiles)
    monkeypatch.undo()
    assert sorted(path.name for path in tiles.iterdir()) == ["job.yml", "tiles", "zarr.json"]
    assert open_result(tiles).status == "running"
    assert blend_tiles(tiles).status == "finished"


@pytest.mark.parametrize("start", ["running", "finished"])
def test_a_kill_at_any_moment_leaves_a_store_to_blend(tmp_path, tiles, start):
    complete = blend_tiles(shutil.copytree(tiles, tmp_path / "complete.zarr"))
    expected = complete.reconstruction.compute()
    if start == "finished":
        blend_tiles(tiles)
    path, many = shutil.copytree(tiles, tmp_path / "all.zarr"), 10**6
    assert GUILLOTINE.run(lambda: blend_tiles(path), path, many)
    moments = many - GUILLOTINE.left
    reached = []
    # Half of them fill the folder beside; what counts is at the end.
    for after in [0, moments // 2, moments - 100, *range(moments - 49, moments, 6)]:
        path = shutil.copytree(tiles, tmp_path / f"{after}.zarr")
        GUILLOTINE.run(lambda path=path: blend_tiles(path), path, after)
        result = open_result(path)
        reached.append(result.status)
        # Rendered from the tiles, or as stored: it is there at every moment.
        np.testing.assert_allclose(result.reconstruction.compute(), expected, atol=1e-4)
        np.testing.assert_allclose(result.displacement_at(25.0), complete.displacement_at(25.0), atol=1e-5)
        if after > moments // 2 and result.status == "running":
            np.testing.assert_array_equal(blend_tiles(path).reconstruction.compute(), expected)
        shutil.rmtree(path)
    assert reached[0] == start
    assert "running" in reached


def test_memory_does_not_grow_with_the_field(tmp_path, monkeypatch):
    """Tiles are alike: 16 of them need what 4 need."""
    for module in (_arrays, _image):  # a display window is found on the coarsest level
        monkeypatch.setattr(module, "LARGEST_CHUNK_PX", 128)
    monkeypatch.setattr(blend, "_KEPT_BYTES", 0)
    made, peaks = tmp_path / "made.zarr", {}
    for side in (256, 512):
        of = plan_tiles((side, side), 128, reach_px=0, motion_px=0, blend_px=8)
        path = tmp_path / f"{side}.zarr"
        if not made.exists():
            write_tile(made, of.tiles[0], gauges(1)[0], frames=False, spacing_px=16.0)
        assert {tile.fitted[2:] for tile in of.tiles} == {of.tiles[0].fitted[2:]}
        StoreWriter.create(path, record_of((side, side), tiles=of))
        (path / "tiles").mkdir()
        for tile in of.tiles:
            shutil.copytree(made, tile_path(path, tile.index))
        tracemalloc.start()
        blend_tiles(path)
        peaks[side] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    one_moment = 2 * 4 * (512**2 - 256**2)
    assert peaks[512] - peaks[256] < one_moment / 2
