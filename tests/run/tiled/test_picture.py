"""The picture of a whole field while its tiles are fitted: everything appears where it belongs."""

import numpy as np
import pytest

from napari_nstm.core.events import Preview
from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.tiles import plan_tiles
from napari_nstm.io.record import StoreRecord
from napari_nstm.run.tiled.picture import WholePicture


def record(shape, field_px, tile_px=64):
    plan = plan_tiles(field_px, tile_px, reach_px=4, motion_px=4, blend_px=8)
    return StoreRecord(
        run_id="r",
        job={},
        shape=shape,
        pixel_size_um=(1.0,) * len(shape),
        origin_um=(3.0,) * len(shape),
        channels=(Channel("value", "a.u."),),
        presentation=(ChannelPresentation(),),
        frame_times_ms=(0.0, 1.0),
        times_ms=(0.0, 1.0),
        tiles=plan,
    )


def slope(shape, spacing, start=(0, 0)):
    """Row + 10000 columns of the whole, at the samples of a part that starts somewhere."""
    y, x = ((start[axis] + np.arange(0, n, spacing)) for axis, n in enumerate(shape))
    return (y[:, None] + 10_000.0 * x).astype(np.float32)


def furthest(shown, spacing):
    """By how many pixels what is shown is out of place, at most."""
    y, x = np.meshgrid(*(np.arange(n) * spacing for n in shown.shape), indexing="ij")
    return max(np.abs(shown % 10_000 - y).max(), np.abs(shown // 10_000 - x).max())


def preview_of(tile, factor, spacing=1, motion_spacing=4):
    start = [factor * n for n in tile.fitted[:2]]
    shape = [factor * n for n in tile.fitted[2:]]
    motion = slope(shape, motion_spacing, start)
    return Preview(
        run_id="r",
        step=5,
        level=0,
        time_ms=0.5,
        scene=slope(shape, spacing, start)[None],
        motion_um=np.stack([motion, -motion]),
        spacing_px=(spacing, spacing),
        motion_spacing_px=(motion_spacing, motion_spacing),
        pixel_size_um=(1.0, 1.0),
        channels=("value",),
        units=("a.u.",),
    )


@pytest.mark.parametrize("factor", [1, 2])
def test_each_tile_appears_in_its_place(factor):
    shape = (128 * factor, 192 * factor)
    whole = record(shape, (128, 192))
    picture = WholePicture(whole, whole.tiles)
    first = picture.preview("r", 0, 0.5)
    assert first.scene.shape == (1, *shape)
    assert not first.scene.any()
    for tile in whole.tiles.tiles:
        picture.put(tile, preview_of(tile, factor))
    shown = picture.preview("r", 5, 0.5)
    np.testing.assert_array_equal(shown.scene[0], slope(shape, 1))
    assert furthest(shown.motion_um[0], shown.motion_spacing_px[0]) <= 2  # the nearest of every 4th sample
    np.testing.assert_array_equal(shown.motion_um[1], -shown.motion_um[0])
    assert (shown.origin_um, shown.channels, shown.units) == ((3.0, 3.0), ("value",), ("a.u.",))


def test_a_tile_leaves_the_others_as_they_were():
    whole = record((128, 128), (128, 128))
    picture = WholePicture(whole, whole.tiles)
    picture.begin(np.full((1, 128, 128), 7.0, np.float32))
    before = picture.preview("r", 0, 0.5)
    picture.put(whole.tiles.tiles[3], preview_of(whole.tiles.tiles[3], 1))
    shown = picture.preview("r", 5, 0.5)
    np.testing.assert_array_equal(shown.scene[0, 64:, 64:], slope((128, 128), 1)[64:, 64:])
    assert (shown.scene[0, :64] == 7).all()
    assert (shown.scene[0, :, :64] == 7).all()
    assert (before.scene == 7).all()  # what was shown does not change any more


def test_a_large_field_is_shown_coarsely():
    whole = record((4096, 1500), (4096, 1500), tile_px=2048)
    picture = WholePicture(whole, whole.tiles)
    for tile in whole.tiles.tiles:
        picture.put(tile, preview_of(tile, 1, spacing=8, motion_spacing=256))
    shown = picture.preview("r", 5, 0.5)
    assert (shown.level, shown.spacing_px, shown.scene.shape) == (2, (4, 4), (1, 1024, 375))
    assert furthest(shown.scene[0], 4) <= 4  # the nearest of every 8th sample
    assert max(shown.motion_um.shape[1:]) <= 32
    assert furthest(shown.motion_um[0], shown.motion_spacing_px[0]) <= 128
