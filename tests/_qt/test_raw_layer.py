"""Layers and raw frames: sizes with units come in, scale and labels go out, arrays stay as they are."""

import numpy as np
import pytest
from napari.layers import Image

from napari_nstm._qt.raw_layer import (
    KEY,
    acquisition_of,
    array_axes_of,
    axes_of,
    has_opacity,
    labels_for,
    may_be_raw,
    may_belong_to_raw,
    n_images,
    pixel_size_um,
    place,
    plane_spacing_um,
    read_raw_layer,
    shape_of,
    stretch_over_planes,
)
from napari_nstm.core.errors import InputError


def layer(**more):
    return Image(np.arange(4 * 6 * 8, dtype=np.uint16).reshape(4, 6, 8), name="raw", **more)


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ({}, None),
        ({"scale": (1, 0.5, 0.5)}, 0.5),
        ({"scale": (1, 0.5, 0.5), "units": ("pixel", "um", "um")}, 0.5),
        ({"scale": (1, 500, 500), "units": ("pixel", "nm", "nm")}, 0.5),
        ({"scale": (1, 5e-4, 5e-4), "units": ("s", "mm", "mm")}, 0.5),
        ({"units": ("s", "um", "um")}, 1.0),
        ({"scale": (1, 0.5, 0.5), "units": ("s", "s", "s")}, None),
    ],
)
def test_pixel_size_is_taken_from_scale_and_unit(more, size):
    found = pixel_size_um(layer(**more))
    assert found is None if size is None else found == pytest.approx(size)


def test_pixel_size_is_set_and_comes_back():
    raw = layer()
    said = place(raw, "tyx", 0.454)
    assert "0.454 µm" in said
    assert "t, y, x" in said
    np.testing.assert_allclose(raw.scale, (1, 0.454, 0.454))
    assert (axes_of(raw), pixel_size_um(raw)) == ("tyx", pytest.approx(0.454))


def test_a_layer_that_is_placed_already_is_left_alone():
    raw = layer()
    place(raw, "tyx", 0.454)
    assert place(raw, "tyx", 0.454) is None


def test_scale_along_time_becomes_frames_and_depth_stays():
    volume = Image(np.zeros((2, 3, 6, 8)), scale=(25, 0.3, 1, 1))
    place(volume, "tzyx", 0.1)
    np.testing.assert_allclose(volume.scale, (1, 0.3, 0.1, 0.1))
    assert "planes" in place(volume, "tzyx", 0.1, 0.25)
    np.testing.assert_allclose(volume.scale, (1, 0.25, 0.1, 0.1))
    assert plane_spacing_um(volume) == pytest.approx(0.25)


def test_axes_that_nobody_knows_are_left_as_they_are():
    raw = Image(np.zeros((3, 5, 6, 8)), scale=(7, 2, 1, 1))
    said = place(raw, labels_for(raw, "*yx"), 0.1)
    assert "axes y, x" in said
    np.testing.assert_allclose(raw.scale, (7, 2, 0.1, 0.1))
    assert raw.axis_labels == ("-4", "-3", "y", "x")
    assert [str(unit) for unit in raw.units] == ["pixel", "pixel", "micrometer", "micrometer"]
    assert place(raw, labels_for(raw, "*yx"), 0.1) is None


@pytest.mark.parametrize(
    ("shape", "given", "wanted", "is_volume", "labels"),
    [
        ((4, 6, 8), None, "tyx", False, ("t", "y", "x")),
        ((2, 4, 6, 8), None, "tyx", False, ("",) * 4),
        ((15, 6, 8), None, "*yx", False, ("t", "y", "x")),
        ((15, 6, 8), None, "*yx", True, ("", "y", "x")),
        ((3, 5, 6, 8), None, "*yx", False, ("", "", "y", "x")),
        ((6, 8), None, "*yx", False, ("y", "x")),
        ((15, 4, 6, 8), "tzyx", "*yx", True, ("t", "z", "y", "x")),
        ((6, 8), None, "cyx", False, ("y", "x")),
        ((3, 6, 8), None, "cyx", False, ("c", "y", "x")),
    ],
)
def test_labels_are_given_only_where_they_are_known(shape, given, wanted, is_volume, labels):
    raw = Image(np.zeros(shape), axis_labels=None if given is None else tuple(given))
    assert labels_for(raw, wanted, is_volume=is_volume) == labels
    assert "*" not in labels


@pytest.mark.parametrize(
    ("shape", "given", "wanted", "n"),
    [
        ((4, 6, 8), None, "tyx", 4),
        ((1, 4, 6, 8), None, "tyx", 4),
        ((4, 1, 6, 8), "tzyx", "tyx", 4),
        ((15, 6, 8), None, "*yx", 15),
        ((2, 3, 5, 6, 8), None, "*yx", 30),
        ((6, 8, 15), "yxt", "*yx", 15),
        ((6, 8), None, "*yx", 1),
    ],
)
def test_frames_are_counted_over_all_axes_before_y_and_x(shape, given, wanted, n):
    raw = Image(np.zeros(shape), axis_labels=None if given is None else tuple(given))
    assert n_images(raw, wanted) == n


def test_a_stack_of_a_volume_shares_the_slider_of_its_planes():
    raw = Image(np.zeros((60, 6, 8)), scale=(1, 0.1, 0.1))
    stretch_over_planes(raw, 4, 0.3)
    np.testing.assert_allclose(raw.scale, (0.02, 0.1, 0.1))
    assert str(raw.units[0]) == "micrometer"
    known = Image(np.zeros((60, 6, 8)), axis_labels=("t", "y", "x"))
    stretch_over_planes(known, 4, 0.3)
    assert known.scale[0] == 1


def test_labels_that_are_no_axes_say_nothing():
    assert axes_of(layer()) is None
    assert axes_of(layer(axis_labels=("t", "t", "x"))) is None
    assert axes_of(layer(axis_labels=("x", "y", "t"))) == "xyt"


def test_frames_are_the_layers_own_array():
    raw = layer(scale=(1, 0.5, 0.5))
    read = read_raw_layer(raw, {"background.path": np.ones((6, 8))})
    assert read.frames is raw.data
    assert (read.name, read.pixel_size_um) == ("raw", (0.5, 0.5))
    assert read.extras["background.path"].shape == (6, 8)
    assert plane_spacing_um(raw) is None
    volume = Image(np.zeros((2, 3, 6, 8)), scale=(1, 300, 100, 100), units=("pixel", "nm", "nm", "nm"))
    assert read_raw_layer(volume, {}).pixel_size_um == (0.1, 0.1)
    volume.axis_labels = ("t", "z", "y", "x")
    assert read_raw_layer(volume, {}).pixel_size_um == pytest.approx((0.3, 0.1, 0.1))


def test_a_lazy_multiscale_layer_is_read_at_full_size():
    import dask.array as da

    data = np.arange(4 * 16 * 16, dtype=np.uint16).reshape(4, 16, 16)
    levels = [da.from_array(data), da.from_array(data[:, ::2, ::2])]
    read = read_raw_layer(Image(levels, multiscale=True), {})
    assert isinstance(read.frames, np.ndarray)
    np.testing.assert_array_equal(read.frames, data)


@pytest.mark.parametrize("n", [3, 4])
def test_colours_come_last_where_they_will_do_and_opacity_is_left_out(n):
    pixels = np.arange(6 * 8 * n, dtype=np.uint8).reshape(6, 8, n)
    raw = Image(pixels, rgb=True, scale=(2, 2), name="photo")
    np.testing.assert_array_equal(read_raw_layer(raw, {}, in_colors=True).frames, pixels[..., :3])
    assert (shape_of(raw), n_images(raw, "cyx"), array_axes_of(raw), has_opacity(raw)) == ((6, 8), 1, "yxc", n == 4)
    assert place(raw, labels_for(raw, "cyx"), 0.5) == "photo was given pixels of 0.5 µm and units and axes y, x."
    np.testing.assert_allclose(raw.scale, (0.5, 0.5))
    assert array_axes_of(raw) == "yxc"


def test_what_belongs_to_frames_is_none_itself():
    psf = layer(metadata={KEY: {"kind": "array"}})
    assert may_belong_to_raw(psf)
    assert not may_be_raw(psf)
    assert may_belong_to_raw(layer())
    assert not may_belong_to_raw(layer(metadata={KEY: {"kind": "reconstruction"}}))


def test_colours_are_refused_in_words():
    with pytest.raises(InputError, match="colour image rgb; takes one intensity per pixel"):
        read_raw_layer(Image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="rgb"), {})


def test_what_the_plugin_made_is_no_raw_data():
    assert may_be_raw(layer())
    assert may_be_raw(layer(metadata={KEY: {"kind": "raw"}}))
    assert not may_be_raw(layer(metadata={KEY: {"kind": "reconstruction"}}))


def test_settings_that_came_with_a_layer_are_found():
    known = {"kind": "raw", "modality": "dpc", "acquisition": {"na_objective": 0.25}}
    assert acquisition_of(layer(metadata={KEY: known})) == ("dpc", {"na_objective": 0.25})
    assert acquisition_of(layer()) is None
