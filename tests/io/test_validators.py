"""The images of a result, opened by programs that others wrote: napari-ome-zarr, bioio's reader, yaozarrs."""

from __future__ import annotations

import numpy as np
import pytest
import yaozarrs

from napari_nstm.core.data import Comparison
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io import _arrays, _image
from napari_nstm.io.store import StoreWriter


@pytest.fixture
def volume(tmp_path, record, conventional):
    """A result of 4 planes."""
    shape = (4, 10, 12)
    scene = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    motion = MotionLattice(np.full((3, 3, 2, 3, 4), 0.25, np.float32), (-1.0,) * 3, (4.0,) * 3)
    record = record.changed({"shape": shape, "pixel_size_um": (0.5, 0.25, 0.2)})
    still = Comparison("conventional", (22.5,), scene[None])
    writer = StoreWriter.create(tmp_path / "volume.zarr", record)
    return writer.finish("finished", Canvas(scene, (0.0,) * 3, (1.0,) * 3, 1), motion, {}, comparisons=[still])


@pytest.fixture
def large(tmp_path, record, canvas, motion, conventional, monkeypatch):
    """A result with coarser levels: 24 x 31 pixels count as large."""
    for module in (_arrays, _image):
        monkeypatch.setattr(module, "LARGEST_CHUNK_PX", 16)
    still = Comparison("conventional", (22.5,), conventional[None])
    return StoreWriter.create(tmp_path / "large.zarr", record).finish(
        "finished", canvas, motion, {}, comparisons=[still]
    )


@pytest.fixture(params=["finished", "region", "volume", "large"])
def result(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["reconstruction", "conventional"])
def image(request, result):
    """Folder of an image, what it holds (t, c, [z,] y, x), and how many levels it has."""
    name = request.param
    values = result.reconstruction.compute() if name == "reconstruction" else result.comparison(name).images
    return result.path / name, np.asarray(values), 2 if result.path.stem == "large" else 1


def test_the_image_is_what_the_specification_says(result, image):
    path, values, n_levels = image
    (multiscale,) = yaozarrs.validate_zarr_store(path).ome_metadata().multiscales
    space = [(axis, "space", "micrometer") for axis in "zyx"[-len(result.shape) :]]
    axes = [(axis.name, axis.type, axis.unit) for axis in multiscale.axes]
    assert axes == [("t", "time", None), ("c", "channel", None), *space][: values.ndim]
    first, *coarser = multiscale.datasets
    assert len(coarser) == n_levels - 1
    assert first.scale_transform.scale == [1, 1, *result.pixel_size_um]
    moved = first.translation_transform
    assert (moved.translation if moved else [0] * values.ndim) == [0, 0, *result.origin_um]


def test_bioio_reads_shape_scale_names_and_values(result, image):
    from bioio_ome_zarr import Reader

    path, values, n_levels = image
    reader = Reader(str(path))
    assert reader.dims.order == ("TCZYX" if values.ndim == 5 else "TCYX")
    assert reader.shape == values.shape
    sizes = dict(zip("ZYX"[-len(result.shape) :], result.pixel_size_um, strict=True))
    found = reader.physical_pixel_sizes
    assert {axis: getattr(found, axis) for axis in sizes} == pytest.approx(sizes)
    assert found.Z is None or values.ndim == 5
    assert str(reader.dimension_properties.X.unit) == "micrometer"
    assert reader.channel_names == ["absorption", "phase"]
    np.testing.assert_array_equal(reader.data, values)
    assert len(reader.resolution_levels) == n_levels


def test_napari_ome_zarr_shows_every_channel_where_and_as_large_as_it_is(result, image):
    from napari_ome_zarr import napari_get_reader

    path, values, n_levels = image
    ((levels, options, kind),) = napari_get_reader(str(path))(str(path))
    assert kind == "image"
    assert options["channel_axis"] == 1
    assert options["name"] == [f"{path.name}: absorption", f"{path.name}: phase"]
    assert options["axis_labels"] == ("t", *"zyx"[-len(result.shape) :])
    assert options["units"][1:] == ("micrometer",) * len(result.shape)
    np.testing.assert_allclose(options["scale"], (1, *result.pixel_size_um))
    for limits, channel in zip(options["contrast_limits"], np.moveaxis(values, 1, 0), strict=True):
        assert channel.min() <= limits[0] < limits[1] <= channel.max()
    assert len(levels) == n_levels
    np.testing.assert_array_equal(np.asarray(levels[0]), values)
