"""Frames that came as a layer each are found and stacked, in the order of their names."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_nstm._qt.raw_layer import KEY
from napari_nstm._qt.setup.single_images import single_images, stacked


def image(name, value=0, shape=(6, 8), dtype=np.uint16, **more):
    return Image(np.full(shape, value, dtype), name=name, **more)


def named(layers):
    return [layer.name for layer in layers]


def test_numbers_in_names_count_as_numbers():
    found = single_images([image(name) for name in ("dpc 10", "dpc 2", "DPC 1", "dpc 9")])
    assert named(found) == ["DPC 1", "dpc 2", "dpc 9", "dpc 10"]
    found = single_images([image(name) for name in ("top", "left", "7", "bottom", "right")])
    assert named(found) == ["7", "bottom", "left", "right", "top"]


def test_only_those_of_one_size_and_type_belong_together():
    frames = [image("a"), image("b"), image("c")]
    others = [image("wide", shape=(6, 9)), image("float", dtype=np.float32), image("float 2", dtype=np.float32)]
    assert single_images([*frames, *others]) == frames


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [image("one")],
        [image("a"), image("b", shape=(6, 9))],
        [image("a"), image("b"), image("stack", shape=(3, 6, 8))],
        [image("a", shape=(6, 8, 3), dtype=np.uint8, rgb=True), image("b", shape=(6, 8, 3), dtype=np.uint8, rgb=True)],
        [image("sample", metadata={KEY: {"kind": "raw", "acquisition": {}}}), image("other")],
    ],
)
def test_otherwise_there_is_nothing_to_stack(layers):
    assert single_images(layers) == []


def test_a_stack_holds_the_frames_as_they_are_and_where_they_lie():
    frames = [image(f"cells_{k}.ome.tif", k, scale=(0.5, 0.4), translate=(3, 4), units="um") for k in (1, 2, 3)]
    array, about = stacked(frames)
    assert array.dtype == np.uint16
    np.testing.assert_array_equal(array[:, 0, 0], (1, 2, 3))
    layer = Image(array, **about)
    assert layer.name == "cells"
    assert layer.axis_labels == ("t", "y", "x")
    np.testing.assert_allclose(layer.scale, (1, 0.5, 0.4))
    np.testing.assert_allclose(layer.translate, (0, 3, 4))
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]


def test_lazy_frames_stay_lazy():
    frames = [Image(da.full((6, 8), k, dtype=np.uint8), name=str(k)) for k in (1, 2)]
    array, _ = stacked(frames)
    assert isinstance(array, da.Array)
    np.testing.assert_array_equal(array.compute()[:, 0, 0], (1, 2))


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (("dpc_10", "dpc_11"), "dpc"),
        (("cells (top)", "cells (left)"), "cells"),
        (("top", "left"), "2 images"),
        (("dpc", "dpc [1]"), "dpc"),  # as napari names a second one
    ],
)
def test_the_name_says_what_all_of_them_are(names, common):
    assert stacked([image(name) for name in names])[1]["name"] == common
