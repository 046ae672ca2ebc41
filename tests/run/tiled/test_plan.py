"""The plan of a field in tiles: how large tiles are, what they share, and what is written. Nothing is fitted."""

import shutil

import numpy as np
import pytest
import yaml
from tests.toy import ToyModality, ToySettings

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.imaging import registry
from napari_nstm.io.result import read_record
from napari_nstm.run.job import load_job
from napari_nstm.run.plan import input_hashes_of
from napari_nstm.run.tiled import plan as planning
from napari_nstm.run.tiled.plan import create_store, lay_out, tile_job


class ShadedSettings(ToySettings):
    shade: str | None = None


class ShadedToy(ToyModality):
    """A camera with a shade that is found in the mean of all frames, and must be the same in all tiles."""

    Settings = ShadedSettings

    def array_paths(self, settings):
        return {} if settings.shade is None else {"shade": settings.shade}

    def for_tiles(self, raw, settings):
        shade = np.asarray(raw.frames, np.float32).mean(axis=0)
        return settings.model_copy(update={"shade": "shade.npy"}), {"shade": shade}

    def tile_reach_px(self, raw, settings):
        return 10, 30

    def tile_block_px(self, settings):
        return 16


@pytest.fixture
def toy(monkeypatch):
    def register(modality):
        monkeypatch.setattr(registry, "modality", lambda name: modality)

    register(ToyModality())
    return register


@pytest.fixture
def job(tmp_path):
    np.save(tmp_path / "raw.npy", np.random.default_rng(0).uniform(1, 2, (3, 200, 160)).astype(np.float32))
    return {
        "modality": "toy",
        "raw": "raw.npy",
        "acquisition": {"pixel_size_um": 1.0},
        "output": {"path": "result.zarr"},
        "compute": {"tile_px": 64},
    }


def laid_out(job, tmp_path, raw=None, **compute):
    checked, folder = load_job({**job, "compute": compute or job["compute"]}, tmp_path)
    return lay_out(checked, raw, folder, overwrite=False)


def made(job, tmp_path, raw=None):
    return create_store(laid_out(job, tmp_path, raw), "r", overwrite=False)


def test_without_more_knowledge_the_borders_of_the_grids_count(toy, job, tmp_path):
    tiles = laid_out(job, tmp_path).tiles
    # The toy's grids are padded by 4 pixels and their scene reaches 8 beyond the field.
    assert (tiles.reach_px, tiles.motion_px, tiles.blend_px) == (4, 8, 8)
    assert (tiles.field_px, tiles.size_px, len(tiles.tiles)) == ((200, 160), (56, 56), 12)


def test_a_method_may_say_how_far_its_optics_reach_and_where_its_blocks_begin(toy, job, tmp_path):
    toy(ShadedToy())
    tiles = laid_out(job, tmp_path).tiles
    assert (tiles.reach_px, tiles.motion_px, tiles.blend_px) == (10, 30, 10)
    assert all(start % 16 == 0 for tile in tiles.tiles for start in (*tile.output[:2], *tile.fitted[:2]))


@pytest.mark.parametrize("overlap", [12, 20, 60])
def test_an_overlap_that_is_wished_is_divided(toy, job, tmp_path, overlap):
    tiles = laid_out(job, tmp_path, tile_px=64, tile_overlap_px=overlap).tiles
    assert tiles.reach_px == 4
    assert tiles.blend_px >= 8
    assert tiles.reach_px + tiles.motion_px + tiles.blend_px == overlap


@pytest.mark.parametrize("overlap", [0, 11])
def test_an_overlap_within_the_reach_of_the_optics_is_refused(toy, job, tmp_path, overlap):
    with pytest.raises(InputError, match=rf"got {overlap} pixels; takes 12 pixels or more") as caught:
        laid_out(job, tmp_path, tile_px=64, tile_overlap_px=overlap)
    assert caught.value.field == "compute.tile_overlap_px"


def test_the_smaller_of_size_and_memory_counts(toy, job, tmp_path):
    def size(**compute):
        return laid_out(job, tmp_path, **compute).tiles.size_px

    assert size(tile_px=50, tile_memory_gb=1000) == size(tile_px=50) == (40, 40)
    assert size(tile_memory_gb=1000) == (200, 160)
    small = size(tile_memory_gb=0.313)
    assert max(small) < 100
    assert size(tile_px=192, tile_memory_gb=0.313) == small


def test_a_method_that_sees_the_whole_scene_in_every_pixel_is_refused(toy, job, tmp_path):
    class Lensless(ToyModality):
        takes_regions = False

    toy(Lensless())
    with pytest.raises(InputError, match="every pixel of it sees the whole scene") as caught:
        made(job, tmp_path)
    assert caught.value.field == "compute.tile_px"
    assert not (tmp_path / "result.zarr").exists()


def test_the_job_of_tiles_says_all_that_a_batch_system_does_not_know(toy, job, tmp_path):
    store = made(job, tmp_path)
    content = yaml.safe_load((store / "tiles" / "job.yml").read_text())
    assert content["raw"] == str(tmp_path / "raw.npy")
    assert content["output"]["times"] == [0.0, 1.0, 2.0]
    assert not {"compute", "region"} & set(content)
    record = read_record(store)
    assert (record.status, record.shape, record.times_ms) == ("running", (200, 160), (0.0, 1.0, 2.0))
    assert record.job["compute"] == {"tile_px": 64}
    for tile in record.tiles.tiles:
        own = tile_job(store, record, tile)
        assert own.region == tile.fitted
        assert own.output.path == str(store / "tiles" / f"{tile.index:04d}.zarr")
        assert not own.compute.in_tiles


def test_tiles_of_a_region_lie_in_it(toy, job, tmp_path):
    job["region"] = [40, 32, 128, 120]
    store = made(job, tmp_path)
    record = read_record(store)
    assert (record.tiles.field_px, record.shape, record.origin_um) == ((128, 120), (128, 120), (40.0, 32.0))
    covered = np.zeros((200, 160), int)
    for tile in record.tiles.tiles:
        top, left, height, width = tile_job(store, record, tile).region
        assert (top, left) == (tile.fitted[0] + 40, tile.fitted[1] + 32)
        assert (height, width) == tile.fitted[2:]
        covered[top : top + height, left : left + width] += 1
    assert (covered[40:168, 32:152] > 0).all()
    assert covered.sum() == covered[40:168, 32:152].sum()


@pytest.mark.parametrize("region", [None, [40, 32, 128, 120]])
def test_what_is_global_is_found_once_and_frozen(toy, job, tmp_path, region):
    toy(ShadedToy())
    job["region"] = region
    store = made(job, tmp_path)
    record = read_record(store)
    top, left, height, width = region or (0, 0, 200, 160)
    of_all = np.load(tmp_path / "raw.npy")[:, top : top + height, left : left + width].mean(axis=0)
    kept = np.load(store / "tiles" / "shade.npy")
    assert kept.shape == (200, 160)  # of whole frames: a tile cuts its part out of it
    np.testing.assert_allclose(kept[top : top + height, left : left + width], of_all, rtol=1e-6)
    own = tile_job(store, record, record.tiles.tiles[-1])
    assert own.acquisition["shade"] == "shade.npy"
    assert set(input_hashes_of(own, store / "tiles")) == {"raw", "shade"}
    assert "shade" not in record.job["acquisition"]  # the job is the user's


def test_frames_in_memory_move_with_the_store(toy, job, tmp_path):
    frames = np.load(tmp_path / "raw.npy")
    (tmp_path / "raw.npy").unlink()
    store = made(job, tmp_path, frames)
    moved = tmp_path / "elsewhere.zarr"
    shutil.move(store, moved)
    record = read_record(moved)
    own = tile_job(moved, record, record.tiles.tiles[0])
    assert input_hashes_of(own, moved / "tiles") == record.input_hashes


def test_a_plan_is_not_overwritten_unasked(toy, job, tmp_path):
    plan = laid_out(job, tmp_path)
    create_store(plan, "first", overwrite=False)
    with pytest.raises(InputError, match="exists already"):
        laid_out(job, tmp_path)
    store = create_store(plan, "second", overwrite=True)
    assert read_record(store).run_id == "second"


def test_a_plan_that_cannot_be_written_leaves_nothing(toy, job, tmp_path, monkeypatch):
    toy(ShadedToy())

    def full(path, array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(planning, "write_array", full)
    with pytest.raises(StoreError, match=r"The plan could not be written to .*result.zarr: No space left on device\."):
        made(job, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["raw.npy"]


def test_a_damaged_plan_is_one_sentence(toy, job, tmp_path):
    store = made(job, tmp_path)
    record = read_record(store)
    (store / "tiles" / "job.yml").unlink()
    with pytest.raises(StoreError, match=r"is damaged: its tiles/job.yml cannot be read"):
        tile_job(store, record, record.tiles.tiles[0])
