"""What is asked of a method for tiles, and what holds where it has nothing to say."""

import numpy as np
import pytest
from tests.toy import ToyModality, ToySettings

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.diffusercam import DiffuserCam
from napari_nstm.imaging.tiles import block_px, for_tiles, reach_px


def test_a_method_that_knows_of_no_tiles_has_defaults():
    raw, settings = RawData(np.zeros((4, 40, 40))), ToySettings(pixel_size_um=1)
    assert for_tiles(ToyModality(), raw, settings) == (settings, {})
    assert reach_px(ToyModality(), raw, settings) is None
    assert block_px(ToyModality(), settings) == 8


def test_diffusercam_refuses_tiles_in_one_sentence():
    with pytest.raises(InputError, match=r"^compute.tile_px: got tiles with .*; takes nothing: every pixel") as caught:
        for_tiles(DiffuserCam(), RawData(np.zeros((1, 64, 64))), None)
    assert caught.value.field == "compute.tile_px"
    assert "\n" not in str(caught.value)
