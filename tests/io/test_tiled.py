from __future__ import annotations

import shutil

import numpy as np
import pytest
from tests.io.tiled_store import PIXEL_UM, TIMES_MS, plan, record_of, true_scene, true_u_um, write_whole

from napari_nstm.core.errors import StoreError
from napari_nstm.core.tiles import tile_path
from napari_nstm.io import tiled
from napari_nstm.io.blend import blend_tiles
from napari_nstm.io.store import StoreWriter, load_checkpoint, open_result

SCENE_TOLERANCE = 1e-3
U_TOLERANCE_UM = 6e-3


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Tile 0 has not begun, 2 goes on, 4 is made but has no checkpoint; the others are done."""
    options = {"tile_0": {"missing": True}, "tile_2": {"status": "running"}, "tile_4": {"missing": True}}
    whole = write_whole(tmp_path_factory.mktemp("running") / "whole.zarr", **options)
    StoreWriter.create(tile_path(whole.path, 4), record_of((64, 64)))
    return open_result(whole.path)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return write_whole(tmp_path_factory.mktemp("done") / "whole.zarr", plan((64, 96)))


def test_what_tiles_have_reached_is_shown_and_the_rest_holds_no_numbers(running):
    assert running.is_shown
    for time in (0.0, 7.0, 25.0):
        scene, truth = running.scene_at(time), true_scene(running.shape, time)
        here = np.isfinite(scene[1])
        # Each of the two that lack still gets its neighbours' half of the band.
        assert not here[:42, :42].any()
        assert not here[54:, 54:90].any()
        assert here[:48, 48:].all()
        assert here[48:, :48].all()
        assert here[:, 96:].all()
        np.testing.assert_allclose(scene[0][here], truth[0][here], atol=SCENE_TOLERANCE)


def test_parts_that_do_not_touch_agree_as_far_as_they_can(running):
    """Only differences are measured: within each part that hangs together the phase is right up to a constant."""
    scene, truth = running.scene_at(10.0)[1], true_scene(running.shape, 10.0)[1]
    assert abs(np.nanmean(scene, dtype=np.float64)) < 1e-6
    for part in ((slice(0, 48), slice(54, 128)), (slice(54, 96), slice(0, 42))):
        difference = scene[part] - truth[part]
        np.testing.assert_allclose(difference, difference.mean(), atol=SCENE_TOLERANCE)


def test_a_field_no_tile_of_which_has_reached_anything_is_said(tmp_path):
    writer = StoreWriter.create(tmp_path / "early.zarr", record_of((96, 128), tiles=plan()))
    result = open_result(writer.path)
    assert not result.is_shown
    for ask in (result.check_shown, result.motion, lambda: result.scene_at(0.0), lambda: result.reconstruction):
        with pytest.raises(StoreError, match=r"nothing to show yet: no tile has reached a checkpoint\.$"):
            ask()


def test_there_is_no_lattice_of_the_whole_nor_weights(done):
    for ask in (done.canvas, done.weights, lambda: load_checkpoint(done.path)):
        with pytest.raises(StoreError, match=r"is in tiles: each of them has .* of its own\.$"):
            ask()


def test_scene_and_motion_are_those_of_the_whole_at_any_time(done):
    done.check_shown()
    for time in (0.0, 3.0, 18.0, 25.0):
        np.testing.assert_allclose(done.scene_at(time), true_scene(done.shape, time), atol=SCENE_TOLERANCE)
        np.testing.assert_allclose(done.displacement_at(time), true_u_um(done.shape, time), atol=U_TOLERANCE_UM)
    u = true_u_um(done.shape, 18.0) - true_u_um(done.shape, 0.0)
    np.testing.assert_allclose(done.motion_um[0].compute(), 0 * u, atol=1e-6)
    np.testing.assert_allclose(done.reconstruction[1].compute(), done.scene_at(TIMES_MS[1]), atol=0)


def test_a_coarse_scene_is_the_scene_at_fewer_samples(done):
    fine, coarse = done.scene_at(18.0), done.coarse_scene_at(18.0, (3.0, 7.0))
    assert coarse.shape == (2, 22, 14)
    np.testing.assert_allclose(coarse[0], fine[0, ::3, ::7], atol=1e-4)
    sampled = fine[1, ::3, ::7] - fine[1, ::3, ::7].mean()  # its own mean is zero
    np.testing.assert_allclose(coarse[1], sampled, atol=1e-3)


def test_points_are_followed_across_seams(done):
    points = np.asarray([[15.0, 23.8], [16.2, 24.2], [10.0, 40.0]])  # um; the seams are at 16 and 24
    found = done.trajectories(points, 0.0)
    for index, time in enumerate(found.times_ms):
        u = true_u_um(done.shape, time)
        rows, columns = np.rint(points / PIXEL_UM).astype(int).T
        np.testing.assert_allclose(
            found.positions_um[:, index] - points, u[:, rows, columns].T, atol=0.05
        )  # the nearest pixel's


def test_the_motion_alone_reads_no_scenes(tmp_path, done):
    path = shutil.copytree(done.path, tmp_path / "whole.zarr")
    for tile in done.record.tiles.tiles:
        shutil.rmtree(tile_path(path, tile.index) / "canvas")
    found = open_result(path)
    np.testing.assert_array_equal(found.motion().values_px, done.motion().values_px)
    with pytest.raises(StoreError, match="array canvas is missing"):
        found.scene_at(0.0)


def test_lattices_that_do_not_fit_are_read_anew_and_give_the_same(done, monkeypatch):
    before = done.scene_at(12.0)
    monkeypatch.setattr(tiled, "_KEPT_BYTES", 0)
    anew = open_result(done.path)
    np.testing.assert_array_equal(anew.scene_at(12.0), before)
    kept = [result.__dict__ for result in anew._tiles.results.values()]
    assert not any("_canvas_read" in names for names in kept)


def test_a_tile_that_goes_on_after_the_whole_was_stopped_is_not_mixed_in(tmp_path):
    whole = write_whole(tmp_path / "whole.zarr", plan((40, 96)), tile_1={"status": "running"})
    assert np.isfinite(whole.scene_at(0.0)).all()
    result = blend_tiles(whole.path, allow_missing=True)
    assert result.status == "stopped"
    assert np.isnan(result.scene_at(0.0)[:, :, 60:]).all()
    np.testing.assert_allclose(result.scene_at(0.0), result.reconstruction[0].compute(), atol=2e-6)


def test_a_damaged_tile_is_named(tmp_path, done):
    path = shutil.copytree(done.path, tmp_path / "whole.zarr")
    (tile_path(path, 1) / "zarr.json").write_text('{"attributes": {"nstm": {}}}')
    with pytest.raises(StoreError, match=r"0001\.zarr is damaged"):
        open_result(path).scene_at(0.0)


def test_of_a_result_whose_tiles_were_removed_the_stored_moments_remain(tmp_path):
    result = blend_tiles(write_whole(tmp_path / "whole.zarr", plan((40, 96))).path)
    shutil.rmtree(result.path / "tiles")
    alone = open_result(result.path)
    np.testing.assert_allclose(alone.reconstruction[1].compute(), true_scene(alone.shape, 10.0), atol=SCENE_TOLERANCE)
    np.testing.assert_allclose(alone.displacement_at(10.0), true_u_um(alone.shape, 10.0), atol=U_TOLERANCE_UM)
    with pytest.raises(
        StoreError, match=r"no longer holds its tiles: only the moments that are stored can be shown\.$"
    ):
        alone.scene_at(10.0)
