"""A part of the field is what a smaller detector would have seen."""

import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.diffusercam import DiffuserCam
from napari_nstm.imaging.dpc import Dpc, DpcSettings
from napari_nstm.imaging.region import crop, cropped, uncropped

REGION = (10, 20, 40, 33)


@pytest.fixture
def raw():
    rng = np.random.default_rng(0)
    extras = {"dark": rng.normal(size=(64, 80)), "flat": rng.normal(size=(4, 64, 80)), "psf": rng.normal(size=(31, 31))}
    return RawData(rng.normal(size=(4, 64, 80)), extras, (0.5, 0.5), "a layer")


def test_frames_and_what_has_their_size_are_cut_and_nothing_else(raw):
    part = crop(raw, REGION)
    np.testing.assert_array_equal(part.frames, raw.frames[:, 10:50, 20:53])
    np.testing.assert_array_equal(part.extras["dark"], raw.extras["dark"][10:50, 20:53])
    np.testing.assert_array_equal(part.extras["flat"], raw.extras["flat"][:, 10:50, 20:53])
    assert part.extras["psf"] is raw.extras["psf"]
    assert np.shares_memory(part.frames, raw.frames)
    assert (part.pixel_size_um, part.name) == ((0.5, 0.5), "a layer")
    volumes = crop(RawData(np.zeros((2, 5, 64, 80))), REGION)
    assert volumes.frames.shape == (2, 5, 40, 33)


def test_only_named_images_are_cut_and_must_have_the_frames_size(raw):
    assert crop(raw, REGION, images=("dark", "absent")).extras["flat"].shape == (4, 64, 80)
    with pytest.raises(InputError, match=r"^acquisition.psf: got an image of 31 x 31; takes 64 x 80 pixels"):
        crop(raw, REGION, images=("psf",))


@pytest.mark.parametrize("region", [(25, 0, 40, 40), (0, 41, 40, 40), (-1, 0, 40, 40), (0, 0, 65, 80)])
def test_a_region_beyond_the_frames_is_refused(raw, region):
    with pytest.raises(InputError, match=r"^region: got rows .* whose last row is 63 and last column 79$"):
        crop(raw, region)


def test_the_region_of_dpc_has_its_background_and_all_of_its_source():
    settings = DpcSettings(
        wavelength_um=0.525,
        na_objective=0.25,
        na_illumination=0.25,
        pixel_size_um=0.454,
        source="measured",
        source_patterns="patterns.npy",
        source_patterns_na_extent=0.6,
        background={"kind": "image", "path": "empty.npy"},
    )
    rng = np.random.default_rng(1)
    extras = {"background.path": rng.uniform(900, 1100, (64, 80)), "source_patterns": rng.uniform(size=(4, 64, 80))}
    whole = RawData(rng.uniform(900, 1100, (4, 64, 80)), extras)
    part, same = cropped(Dpc(), whole, settings, REGION)
    assert same is settings
    # Patterns that happen to have the frames' size are no images of the field.
    assert part.extras["source_patterns"] is extras["source_patterns"]
    of_part, of_whole = Dpc().contrast(part, settings), Dpc().contrast(whole, settings)
    np.testing.assert_array_equal(of_part.frames, of_whole.frames[:, 10:50, 20:53])
    assert uncropped(Dpc(), settings, (64, 80), REGION) is settings


def test_diffusercam_says_what_helps_in_place_of_a_region():
    with pytest.raises(InputError, match=r"^region: got .* sees the whole scene; takes .*binning.*field_fraction"):
        cropped(DiffuserCam(), RawData(np.zeros((1, 64, 80))), None, REGION)
