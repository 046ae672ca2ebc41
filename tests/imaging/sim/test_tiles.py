"""What a tile of SIM is fitted to is what the whole is fitted to there."""

import numpy as np
import pytest
from tests.imaging.sim.test_region import light

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim import Sim, Sim3d
from napari_nstm.imaging.sim.tiles import block_px
from napari_nstm.imaging.tiles import DEFAULT_BLOCK_PX, for_tiles, reach_px
from napari_nstm.imaging.tiles import block_px as block_of

REGION = (16, 32, 48, 40)
SIZE = (80, 96)


@pytest.fixture(params=[False, True], ids=["2D", "3D"])
def whole(request, settings, volume, stack):
    """A field whose parts differ in brightness and noise, with all that is left to be found in it."""
    modality, make = (Sim3d(), volume) if request.param else (Sim(), settings)
    raw = stack(60 if request.param else 30, SIZE)
    raw.frames[:, :, : SIZE[1] // 3] *= 0.3
    raw.frames[15:] *= 1.2
    return modality, raw, make(enlarge=1.5, smoothness=None, offset=5.0, **({"n_planes": 4} if request.param else {}))


def test_a_tile_is_fitted_to_the_frames_of_the_whole(whole):
    modality, raw, settings = whole
    frozen, arrays = for_tiles(modality, raw, settings)
    assert arrays == {}
    of_all = modality.prepare(raw, settings, 0)
    tile = modality.prepare(*modality.cropped(raw, frozen, REGION), 0)
    inside = (..., slice(REGION[0], REGION[0] + REGION[2]), slice(REGION[1], REGION[1] + REGION[3]))
    field = np.asarray(of_all.frames)[(slice(None), *of_all.frame_field)][inside]
    np.testing.assert_allclose(np.asarray(tile.frames)[(slice(None), *tile.frame_field)], field, atol=1e-6)
    for name in ("intensities", "depths", "vectors", "smoothness", "scale", "frame_times"):
        np.testing.assert_allclose(getattr(tile, name), getattr(of_all, name), rtol=1e-6, err_msg=name)
    # Without what was frozen each tile would have its own.
    own = modality.prepare(*modality.cropped(raw, settings, REGION), 0)
    assert abs(float(own.scale / of_all.scale) - 1) > 1e-3
    assert abs(float(own.smoothness / of_all.smoothness) - 1) > 1e-3


def test_stripes_and_optics_of_a_tile_are_those_of_the_whole(whole):
    modality, raw, settings = whole
    frozen, _ = for_tiles(modality, raw, settings)
    of_all = modality.prepare(raw, settings, 0)
    tile = modality.prepare(*modality.cropped(raw, frozen, REGION), 0)
    top, left, rows, columns = (n * 3 // 2 for n in REGION)
    np.testing.assert_allclose(light(tile), light(of_all)[..., top : top + rows, left : left + columns], atol=2e-4)
    # Both transfer the same at frequency 0, whatever their size.
    np.testing.assert_allclose(tile.transfer[..., 0, 0], of_all.transfer[..., 0, 0], rtol=1e-5)


def test_what_is_given_stays_given(whole):
    modality, raw, settings = whole
    n = 2 if len(raw.frames) == 30 else 1
    given = settings.model_copy(update={"scale_counts": 77.0, "smoothness": 0.1, "brightness": (1.0, 2.0, 3.0) * n})
    frozen, _ = for_tiles(modality, raw, given)
    assert (frozen.scale_counts, frozen.smoothness, frozen.brightness) == (77.0, 0.1, (1.0, 2.0, 3.0) * n)
    assert frozen.phases_rad == settings.phases_rad


@pytest.mark.parametrize("enlarge", [None, 1.0, 1.5, 2.0, 2.5, 3.5, 4.0])
def test_a_block_of_raw_pixels_is_a_whole_number_of_samples(settings, enlarge):
    given = settings(enlarge=enlarge)
    assert block_of(Sim(), given) == 8 == DEFAULT_BLOCK_PX


@pytest.mark.parametrize(("enlarge", "block"), [(4 / 3, 24), (1.3, 40), (1.0625, 16), (1.015625, 64)])
def test_other_enlargements_need_other_blocks(settings, enlarge, block):
    assert block_px(settings().model_copy(update={"enlarge": enlarge})) == block


def test_where_no_samples_meet_tiles_are_refused(settings):
    with pytest.raises(InputError, match=r"^acquisition.enlarge: got 1.31; takes samples of the result that meet"):
        block_px(settings().model_copy(update={"enlarge": 1.31}))


def test_the_reach_is_the_padding(settings, stack):
    assert reach_px(Sim(), stack(15, SIZE), settings(padding_px=21, max_displacement_px=9)) == (21, 9)
