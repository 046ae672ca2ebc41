from __future__ import annotations

import errno
import shutil

import numpy as np
import pytest
import tifffile

from napari_nstm.core.errors import CancelledError, InputError, StoreError
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.export import export_ome_tiff
from napari_nstm.io.raw import read_raw
from napari_nstm.io.store import StoreWriter, open_result


def test_ome_tiff_reads_back_with_axes_sizes_and_times(tmp_path, finished):
    path = export_ome_tiff(finished, tmp_path / "result.ome.tif")
    array, axes, size = read_raw(path)
    np.testing.assert_array_equal(array, finished.reconstruction.compute())
    assert (axes, size, array.dtype) == ("tcyx", (0.25, 0.25), np.float32)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        page = tiff.pages[0]
        # What programs without OME go by: contiguous planes, and pixels per centimetre.
        assert (page.compression, page.resolution, page.resolutionunit) == (1, (40000.0, 40000.0), 3)
        assert len(tiff.pages) == 6
    assert (pixels["SizeT"], pixels["SizeC"], pixels["SizeZ"]) == (3, 2, 1)
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (0.25, "µm")
    assert (pixels["TimeIncrement"], pixels["TimeIncrementUnit"]) == (17.5, "ms")
    assert [channel["Name"] for channel in pixels["Channel"]] == ["absorption", "phase"]
    assert [plane["DeltaT"] for plane in pixels["Plane"]] == [10.0, 10.0, 20.0, 20.0, 45.0, 45.0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["result.ome.tif", "result.zarr"]


def test_volumes_keep_channels_and_planes_apart(tmp_path, record):
    shape = (4, 10, 12)
    canvas = Canvas(np.random.default_rng(0).normal(size=(2, 4, 10, 12)).astype(np.float32), (0.0,) * 3, (1.0,) * 3, 1)
    motion = MotionLattice(np.zeros((3, 3, 2, 3, 4), np.float32), (-1.0,) * 3, (4.0,) * 3)
    record = record.changed({"shape": shape, "pixel_size_um": (0.5, 0.25, 0.2)})
    result = StoreWriter.create(tmp_path / "volume.zarr", record).finish("finished", canvas, motion, {})
    array, axes, size = read_raw(export_ome_tiff(result, tmp_path / "volume.tif"))
    assert (axes, size) == ("tzcyx", (0.5, 0.25, 0.2))
    np.testing.assert_array_equal(np.moveaxis(array, 2, 1), result.reconstruction.compute())


@pytest.mark.parametrize("planes", [0, 4])
def test_what_programs_without_ome_go_by(tmp_path, record, finished, planes):
    """ImageJ alone: planes in its order, one after the other, and the pixel size of the resolution tags."""
    result = finished
    if planes:
        scene = np.random.default_rng(0).normal(size=(2, planes, 10, 12)).astype(np.float32)
        motion = MotionLattice(np.zeros((3, 3, 2, 3, 4), np.float32), (-1.0,) * 3, (4.0,) * 3)
        record = record.changed({"shape": (planes, 10, 12), "pixel_size_um": (0.5, 0.25, 0.2)})
        writer = StoreWriter.create(tmp_path / "volume.zarr", record)
        result = writer.finish("finished", Canvas(scene, (0.0,) * 3, (1.0,) * 3, 1), motion, {})
    with tifffile.TiffFile(export_ome_tiff(result, tmp_path / "result.ome.tif")) as tiff:
        (series,) = tiff.series
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert not tiff.is_imagej  # one place for a description: it holds OME's
        assert pixels["DimensionOrder"] == "XYCZT"  # that of ImageJ's hyperstacks: channels first, time last
        assert series.axes == ("TZCYX" if planes else "TCYX")
        pages = [page.asarray() for page in tiff.pages]
        offsets = [page.dataoffsets[0] for page in tiff.pages]
        assert set(np.diff(offsets)) == {pages[0].nbytes}
        assert {page.dtype for page in tiff.pages} == {np.dtype(np.float32)}
        across, down = tiff.pages[0].resolution
    stack = result.reconstruction.compute()
    stack = np.moveaxis(stack, 1, 2) if planes else stack  # (t, [z,] c, y, x)
    np.testing.assert_array_equal(np.stack(pages), stack.reshape(-1, *stack.shape[-2:]))
    assert 1e4 / across == pytest.approx(result.pixel_size_um[-1])
    assert 1e4 / down == pytest.approx(result.pixel_size_um[-2])
    assert (pixels["PhysicalSizeY"], pixels.get("PhysicalSizeZ")) == (0.25, 0.5 if planes else None)


def test_a_running_store_can_be_exported_too(tmp_path, running):
    result = open_result(running.path)
    array, _, _ = read_raw(export_ome_tiff(result, tmp_path / "now.tif"))
    np.testing.assert_array_equal(array[0], result.scene_at(10.0))


def test_an_existing_file_is_replaced_only_when_asked(tmp_path, finished):
    path = tmp_path / "result.tif"
    path.write_text("precious")
    with pytest.raises(InputError, match="--overwrite"):
        export_ome_tiff(finished, path)
    assert path.read_text() == "precious"
    export_ome_tiff(finished, path, overwrite=True)
    assert read_raw(path)[0].shape == (3, 2, 24, 31)


def test_what_goes_wrong_is_one_sentence_and_leaves_nothing(tmp_path, finished, running, record, monkeypatch):
    with pytest.raises(InputError, match=r"takes a file ending in \.ome\.tif"):
        export_ome_tiff(finished, tmp_path / "result.png")
    with pytest.raises(InputError, match="cannot be written"):
        export_ome_tiff(finished, tmp_path / "missing" / "result.tif")
    early = open_result(StoreWriter.create(tmp_path / "early.zarr", record).path)
    with pytest.raises(StoreError, match="has not reached a checkpoint"):
        export_ome_tiff(early, tmp_path / "result.tif")

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_nstm.io.export.replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        export_ome_tiff(finished, tmp_path / "result.tif")
    assert not list(tmp_path.glob("*.tif*")) + list(tmp_path.glob(".*"))


def test_export_tells_how_far_it_is_and_can_be_called_off(tmp_path, finished):
    seen = []
    export_ome_tiff(finished, tmp_path / "result.tif", on_progress=lambda done, n: seen.append((done, n)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    calls = iter([False, True])
    with pytest.raises(CancelledError):
        export_ome_tiff(finished, tmp_path / "none.tif", should_stop=lambda: next(calls))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["result.tif", "result.zarr"]


def test_a_store_that_was_removed_is_no_stack_of_zeros(tmp_path, finished):
    _ = finished.reconstruction
    # zarr takes what is missing for zeros: before the export, and in the middle of it.
    with pytest.raises(StoreError, match="moved or removed"):
        export_ome_tiff(finished, tmp_path / "a.tif", on_progress=lambda done, n: shutil.rmtree(finished.path, True))
    with pytest.raises(StoreError, match="moved or removed"):
        export_ome_tiff(finished, tmp_path / "b.tif")
    assert not list(tmp_path.iterdir())


def test_planes_of_a_region_say_where_they_lie(tmp_path, region):
    with tifffile.TiffFile(export_ome_tiff(region, tmp_path / "region.ome.tif")) as tiff:
        planes = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]["Plane"]
    assert [(plane["PositionY"], plane["PositionX"], plane["PositionXUnit"]) for plane in planes] == [
        (2.0, 5.0, "µm")
    ] * 6
    assert [plane["DeltaT"] for plane in planes][::2] == [10.0, 20.0, 45.0]
