"""What a tile of DPC is fitted to is what the whole is fitted to there."""

import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.imaging.dpc.layout import TILE_REACH, dpc_grid
from napari_nstm.imaging.frame_range import cut_frames
from napari_nstm.imaging.tiles import for_tiles, reach_px

REGION = (24, 40, 64, 48)
INSIDE = np.s_[:, 24:88, 40:88]
SIZE = (96, 104)
DPC = Dpc()
BACKGROUNDS = {
    "mean": {"kind": "none"},
    "blur": {"kind": "blur", "sigma_px": 20.0},
    "constant": {"kind": "constant", "value": (900.0, 1000.0, 1100.0, 1200.0)},
    "image": {"kind": "image", "path": "empty.tif"},
}


@pytest.fixture(params=BACKGROUNDS)
def whole(request, settings, smooth):
    """Frames in uneven light, whose parts have other means than the whole."""
    rng = np.random.default_rng(0)
    lamp = 1000 + 300 * np.linspace(-1, 1, SIZE[1]) + smooth(SIZE, 12, 50)
    frames = lamp * (1 + 0.05 * smooth((4, *SIZE), (0, 3, 3))) + rng.normal(0, 5, (4, *SIZE))
    extras = {"background.path": lamp.astype(np.float32)} if request.param == "image" else {}
    return RawData(np.rint(frames).astype(np.uint16), extras), settings(background=BACKGROUNDS[request.param])


def test_a_tile_is_fitted_to_the_contrast_of_the_whole(whole):
    raw, settings = whole
    before = raw.frames.copy()
    frozen, arrays = for_tiles(DPC, raw, settings)
    assert set(arrays) <= set(DPC.array_paths(frozen))
    part, of_part = DPC.cropped(RawData(raw.frames, {**raw.extras, **arrays}), frozen, REGION)
    tile, of_all = DPC.prepare(part, of_part, 0), DPC.prepare(raw, settings, 0)
    field = np.asarray(of_all.frames)[(slice(None), *of_all.grid.field_slices)][INSIDE]
    np.testing.assert_allclose(np.asarray(tile.frames)[(slice(None), *tile.grid.field_slices)], field, atol=1e-6)
    np.testing.assert_array_equal(raw.frames, before)
    # The forward model is the same one: at frequency 0 its transfer functions agree, whatever the size.
    np.testing.assert_allclose(tile.absorption_transfer[..., 0, 0], of_all.absorption_transfer[..., 0, 0], atol=2e-3)


def test_what_a_tile_finds_by_itself_is_something_else(whole):
    raw, settings = whole
    if settings.background.kind not in ("none", "blur"):
        assert for_tiles(DPC, raw, settings) == (settings, {})
        return
    own = DPC.contrast(DPC.cropped(raw, settings, REGION)[0], settings).frames
    assert np.abs(own - DPC.contrast(raw, settings).frames[INSIDE]).max() > 0.01


def test_tiles_reach_further_than_a_point_spreads(settings):
    raw, given = RawData(np.zeros((4, *SIZE))), settings(max_displacement_px=10)
    pad = max(before for before, _ in dpc_grid(SIZE, given).padding)
    assert reach_px(DPC, raw, given) == (TILE_REACH * pad, 10)


def test_a_tile_of_a_part_of_the_frames_reads_them_out_of_all(whole):
    raw, settings = whole
    series = RawData(np.concatenate([raw.frames + 200, raw.frames]), raw.extras)
    part, of_part = cut_frames(DPC, series, settings, (4, 4))
    frozen, arrays = for_tiles(DPC, part, of_part)
    # As the job of a tile is read: all frames, with settings that were frozen for the part.
    again = cut_frames(DPC, RawData(series.frames, {**raw.extras, **arrays}), frozen, (4, 4))
    tile = DPC.contrast(*DPC.cropped(*again, REGION))
    np.testing.assert_allclose(tile.frames, DPC.contrast(raw, settings).frames[INSIDE], atol=1e-6)
    assert DPC.frame_times_ms(*again) == (4.0, 5.0, 6.0, 7.0)
