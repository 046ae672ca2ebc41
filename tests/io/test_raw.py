from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from yaozarrs import v05

from napari_nstm.core.errors import InputError
from napari_nstm.io import _raw_formats
from napari_nstm.io.raw import open_raw, read_raw, stored_to_axes, to_axes

FRAMES = np.arange(4 * 6 * 5, dtype=np.uint16).reshape(4, 6, 5)


def as_tiff(path, **options):
    tifffile.imwrite(path, FRAMES, photometric="minisblack", **options)
    return path


def as_ome_zarr(path: Path, array, axes: str, scale, unit="micrometer") -> Path:
    kinds = {"t": v05.TimeAxis, "c": v05.ChannelAxis}
    image = v05.Image(
        multiscales=[
            v05.Multiscale(
                axes=[kinds[a](name=a) if a in kinds else v05.SpaceAxis(name=a, unit=unit) for a in axes],
                datasets=[
                    v05.Dataset(
                        path="0",
                        coordinateTransformations=[v05.ScaleTransformation(scale=scale)],
                    )
                ],
            )
        ]
    )
    group = zarr.create_group(path, attributes={"ome": image.model_dump(mode="json", exclude_none=True)})
    group.create_array("0", data=array)
    return path


def test_a_plain_tiff_comes_back_as_stored_with_frames_of_unknown_kind(tmp_path):
    array, axes, size = read_raw(as_tiff(tmp_path / "raw.tif"))
    np.testing.assert_array_equal(array, FRAMES)
    assert (array.dtype, axes, size) == (np.uint16, "qyx", None)
    np.testing.assert_array_equal(to_axes(array, axes, "tyx"), FRAMES)


def test_a_tiff_of_single_pages_is_a_stack(tmp_path):
    path = tmp_path / "raw.tif"
    for frame in FRAMES:
        tifffile.imwrite(path, frame, append=True, photometric="minisblack")
    array, axes, _ = read_raw(path)
    np.testing.assert_array_equal(to_axes(array, axes, "tyx"), FRAMES)


def test_ome_tiff_gives_axes_and_pixel_size(tmp_path):
    metadata = {
        "axes": "TYX",
        "PhysicalSizeX": 454.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.5,
        "PhysicalSizeYUnit": "µm",
    }
    array, axes, size = read_raw(as_tiff(tmp_path / "raw.ome.tif", metadata=metadata))
    assert (array.shape, axes) == ((4, 6, 5), "tyx")
    assert size == pytest.approx((0.5, 0.454))


def test_imagej_tiff_gives_axes_and_pixel_size(tmp_path):
    path = tmp_path / "raw.tif"
    volume = np.zeros((2, 3, 6, 5), np.uint16)
    tifffile.imwrite(
        path,
        volume,
        imagej=True,
        resolution=(1 / 0.1, 1 / 0.2),
        metadata={"axes": "TZYX", "unit": "um", "spacing": 0.3},
    )
    array, axes, size = read_raw(path)
    assert (array.shape, axes) == ((2, 3, 6, 5), "tzyx")
    assert size == pytest.approx((0.3, 0.2, 0.1))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((2, 3, 4, 6, 5), "tzcyx"),
        ((2, 1, 4, 6, 5), "tcyx"),
        ((1, 3, 1, 6, 5), "zyx"),
        ((7, 1, 1, 6, 5), "tyx"),
        ((1, 1, 7, 6, 5), "cyx"),
    ],
)
def test_frames_slices_and_channels_of_an_imagej_tiff_are_told_apart(tmp_path, shape, axes):
    stack = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    tifffile.imwrite(tmp_path / "raw.tif", stack, imagej=True, metadata={"axes": "TZCYX"})
    array, found, _ = read_raw(tmp_path / "raw.tif")
    np.testing.assert_array_equal(array, stack.squeeze())
    assert found == axes


def test_an_imagej_stack_that_does_not_say_of_what_holds_unknown_images(tmp_path):
    said = "ImageJ=1.53t\nimages=4\n"
    array, axes, _ = read_raw(as_tiff(tmp_path / "raw.tif", description=said, metadata=None))
    np.testing.assert_array_equal(array, FRAMES)
    assert axes == "iyx"


@pytest.mark.parametrize("contiguous", [True, False])
def test_a_plain_tiff_of_many_pages_is_a_stack_of_unknown_images(tmp_path, contiguous):
    with tifffile.TiffWriter(tmp_path / "raw.tif") as tiff:
        for frame in FRAMES:
            tiff.write(frame, contiguous=contiguous, photometric="minisblack", metadata=None)
    array, axes, size = read_raw(tmp_path / "raw.tif")
    np.testing.assert_array_equal(array, FRAMES)
    assert (axes, size) == ("iyx", None)


@pytest.mark.parametrize("separate", [True, False])
def test_a_big_tiff_is_read_once_and_held_once(tmp_path, monkeypatch, separate):
    pages = np.ones((3, 1024, 1024), np.uint16)
    with tifffile.TiffWriter(tmp_path / "raw.tif") as tiff:
        for part in pages if separate else [pages]:
            tiff.write(part, contiguous=False, photometric="minisblack")
    read = []
    whole = tifffile.TiffPageSeries.asarray
    monkeypatch.setattr(
        tifffile.TiffPageSeries, "asarray", lambda self, **options: (read.append(self), whole(self, **options))[1]
    )
    tracemalloc.start()
    array, _, _ = read_raw(tmp_path / "raw.tif")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(array, pages)
    assert len(read) == len({id(part) for part in read}) == (3 if separate else 1)
    assert peak < 1.5 * array.nbytes


def test_dots_per_inch_are_no_pixel_size(tmp_path):
    assert read_raw(as_tiff(tmp_path / "raw.tif", resolution=(72, 72), resolutionunit="INCH"))[2] is None


def test_ome_zarr_gives_axes_and_pixel_size(tmp_path):
    path = as_ome_zarr(tmp_path / "raw.zarr", FRAMES[:, None], "tcyx", [1.0, 1.0, 200.0, 100.0], "nanometer")
    array, axes, size = read_raw(path)
    np.testing.assert_array_equal(array, FRAMES[:, None])
    assert axes == "tcyx"
    assert size == pytest.approx((0.2, 0.1))
    np.testing.assert_array_equal(to_axes(array, axes, "tyx"), FRAMES)


def test_a_zarr_array_is_read_with_its_dimension_names(tmp_path):
    zarr.create_array(tmp_path / "named.zarr", data=FRAMES, dimension_names=["time", "y", "x"])
    zarr.create_array(tmp_path / "plain.zarr", data=FRAMES)
    assert read_raw(tmp_path / "named.zarr")[1] == "tyx"
    assert read_raw(tmp_path / "plain.zarr")[1] is None
    group = as_ome_zarr(tmp_path / "group.zarr", FRAMES, "tyx", [1.0] * 3)
    np.testing.assert_array_equal(read_raw(group / "0")[0], FRAMES)


def test_npy_and_npz_are_read_by_name(tmp_path):
    np.save(tmp_path / "raw.npy", FRAMES)
    np.savez(tmp_path / "raw.npz", frames=FRAMES, dark=FRAMES[0])
    np.testing.assert_array_equal(read_raw(tmp_path / "raw.npy")[0], FRAMES)
    np.testing.assert_array_equal(read_raw(tmp_path / "raw.npz:dark")[0], FRAMES[0])
    np.testing.assert_array_equal(read_raw(str(tmp_path / "raw.npz:frames"))[0], FRAMES)


def test_a_complex_transfer_function_comes_back_as_stored(tmp_path):
    transfer = (np.random.default_rng(0).normal(size=(3, 6, 4, 3, 2)) @ [1, 1j]).astype(np.complex64)
    np.savez(tmp_path / "raw.npz", OTF=transfer, img=np.zeros((3, 5, 1, 6, 5), np.uint16))
    array, axes, size = read_raw(tmp_path / "raw.npz:OTF", field="acquisition.otf")
    np.testing.assert_array_equal(array, transfer)
    assert (array.dtype, axes, size) == (np.complex64, None, None)


@pytest.mark.parametrize("metadata", [{}, None])
def test_a_transfer_function_of_three_pages_comes_back_as_stored(tmp_path, metadata):
    orders = np.random.default_rng(0).normal(size=(3, 9, 14)).astype(np.float32)
    tifffile.imwrite(tmp_path / "otf.tif", orders, photometric="minisblack", metadata=metadata)
    array, _, size = read_raw(tmp_path / "otf.tif")
    np.testing.assert_array_equal(array, orders)
    assert (array.dtype, size) == (np.float32, None)


def test_what_the_user_says_about_axes_overrules_the_file(tmp_path):
    array, axes, _ = read_raw(as_tiff(tmp_path / "raw.tif", metadata={"axes": "ZYX"}), axes="tyx")
    assert axes == "tyx"
    assert to_axes(array, axes, "tyx").shape == (4, 6, 5)


def test_own_reconstructions_are_read_back(finished):
    array, axes, size = read_raw(finished.path / "reconstruction")
    assert (array.shape, axes, size) == ((3, 2, 24, 31), "tcyx", (0.25, 0.25))


def bad_files(folder: Path) -> dict[str, str]:
    """Files that are no images, and what is said of them."""
    (folder / "text.tif").write_text("no image")
    (folder / "empty.tif").write_bytes(b"")
    whole = as_tiff(folder / "whole.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[:150])
    (folder / "half.npy").write_bytes(b"\x93NUMPY\x01\x00v")
    (folder / "noise.npy").write_bytes(b"\x00\x01\x02" * 30)
    np.save(folder / "objects.npy", np.array([[{}], [None]], dtype=object), allow_pickle=True)
    np.savez(folder / "arrays.npz", img=FRAMES, OTF=FRAMES)
    np.savez(folder / "objects.npz", img=np.array([[{}]], dtype=object), allow_pickle=True)
    (folder / "noise.npz").write_bytes(b"PK\x03\x04 and then nothing")
    np.save(folder / "words.npy", np.array([["a", "b"]]))
    np.save(folder / "line.npy", np.arange(5))
    np.save(folder / "none.npy", np.zeros((0, 5, 5)))
    (folder / "folder").mkdir()
    (folder / "folder" / "a.txt").write_text("")
    zarr.create_group(folder / "group.zarr").create_group("labels")
    with tifffile.TiffWriter(folder / "several.tif") as tiff:
        tiff.write(FRAMES, photometric="minisblack", metadata=None)
        tiff.write(FRAMES[:, :3], photometric="minisblack", metadata=None)
    return {
        "missing.tif": "which does not exist",
        "missing.npz:img": "which does not exist",
        "text.tif": "no image that can be read",
        "empty.tif": "no image",
        "cut.tif": "no image that can be read",
        "half.npy": "no image",
        "noise.npy": "holds Python objects",
        "objects.npy": "holds Python objects",
        "arrays.npz": "arrays.npz:key with one of the keys img, OTF",
        "arrays.npz:image": "got the key 'image'; takes arrays.npz:key with one of the keys img, OTF",
        "objects.npz:img": "holds Python objects",
        "noise.npz:img": "no image",
        "words.npy": "which holds <U1 values",
        "line.npy": "an array of shape (5,)",
        "none.npy": "an array of shape (0, 5, 5)",
        "folder": "a folder without a zarr array or image",
        "group.zarr": "it holds labels",
        "several.tif": "2 images of different sizes",
    }


def test_what_cannot_be_read_is_one_sentence_that_names_the_field(tmp_path, capfd):
    for name, said in bad_files(tmp_path).items():
        with pytest.raises(InputError) as caught:
            read_raw(tmp_path / name, field="acquisition.psf")
        assert caught.value.field == "acquisition.psf"
        assert said in str(caught.value), name
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # libraries add nothing to the sentence


def test_axes_of_another_number_are_named(tmp_path):
    np.save(tmp_path / "raw.npy", FRAMES)
    with pytest.raises(InputError, match="axes 'tcyx' for an array of shape") as caught:
        read_raw(tmp_path / "raw.npy", axes="tcyx")
    assert caught.value.field == "raw"


@pytest.mark.parametrize(
    ("shape", "axes", "wanted", "expected"),
    [
        ((4, 6, 5), None, "tyx", (4, 6, 5)),
        ((1, 4, 1, 6, 5), None, "tyx", (4, 6, 5)),
        ((1, 1, 6, 5), None, "tyx", (1, 6, 5)),
        ((6, 5), None, "tyx", (1, 6, 5)),
        ((6, 5), "yx", "tyx", (1, 6, 5)),
        ((4, 1, 1, 6, 5), "tczyx", "tyx", (4, 6, 5)),
        ((4, 6, 5), "syx", "tyx", (4, 6, 5)),
        ((4, 6, 5), "iyx", "tyx", (4, 6, 5)),
        ((6, 5, 4), "yxs", "tyx", (4, 6, 5)),
        ((6, 5, 4), "yxt", "tyx", (4, 6, 5)),
        ((3, 6, 5), "cyx", "cyx", (3, 6, 5)),
        ((6, 5, 3), "yxs", "cyx", (3, 6, 5)),
        ((6, 5, 3), "yxs", "tcyx", (1, 3, 6, 5)),
        ((2, 3, 6, 5), "qzyx", "tzyx", (2, 3, 6, 5)),
        ((2, 3, 6, 5), "tqyx", "tzyx", (2, 3, 6, 5)),
        ((3, 2, 6, 5), "ztyx", "tzyx", (2, 3, 6, 5)),
    ],
)
def test_frames_are_brought_to_the_axes_that_are_wanted(shape, axes, wanted, expected):
    array = np.arange(np.prod(shape)).reshape(shape)
    assert to_axes(array, axes, wanted).shape == expected


def test_transposing_keeps_every_pixel_in_its_place():
    array = np.moveaxis(FRAMES, 0, -1)
    np.testing.assert_array_equal(to_axes(array, "yxt", "tyx"), FRAMES)


@pytest.mark.parametrize(
    ("shape", "axes", "wanted", "said"),
    [
        ((4, 6, 5), "zyx", "tyx", "axes zyx (4x6x5); takes axes tyx (frame, row, column); `axes: tyx` says"),
        ((4, 6, 5), "cyx", "tyx", "`axes: tyx` says that they are frames"),
        ((2, 3, 6, 5), "tzyx", "tyx", "axes tzyx (2x3x6x5)"),
        ((2, 3, 6, 5), None, "tyx", "an array of 2 x 3 x 6 x 5"),
        ((2, 3, 6, 5), "qiyx", "tyx", "axes qiyx"),
        ((4, 6), "tx", "tyx", "axes tx"),
        ((4, 6, 5), "tyx", "tzyx", "axes tyx"),
    ],
)
def test_other_axes_are_refused_in_words(shape, axes, wanted, said):
    with pytest.raises(InputError) as caught:
        to_axes(np.zeros(shape), axes, wanted, "raw")
    assert said in str(caught.value)
    assert caught.value.field == "raw"


def test_complex_pixels_are_no_intensities():
    with pytest.raises(InputError, match="complex pixels"):
        to_axes(np.zeros((4, 6, 5), complex), "tyx", "tyx")


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((3, 5, 2, 6, 4), None, (30, 6, 4)),
        ((3, 5, 2, 6, 4), "tczyx", (30, 6, 4)),
        ((3, 5, 2, 6, 4), "qiqyx", (30, 6, 4)),
        ((3, 5, 2, 1, 7, 6, 4), "qqhtzyx", (210, 6, 4)),
        ((15, 6, 4), None, (15, 6, 4)),
        ((1, 15, 1, 6, 4), None, (15, 6, 4)),
        ((6, 4), None, (1, 6, 4)),
        ((6, 4), "yx", (1, 6, 4)),
        ((4, 6, 5), "syx", (4, 6, 5)),
        ((0, 6, 5), None, (0, 6, 5)),
    ],
)
def test_all_axes_before_rows_and_columns_become_one_in_their_order(shape, axes, expected):
    array = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(to_axes(array, axes, "*yx"), array.reshape(expected))


def test_rows_and_columns_are_moved_behind_all_other_axes():
    array = np.arange(2 * 3 * 4 * 6 * 5).reshape(2, 3, 4, 6, 5)
    moved = array.transpose(4, 0, 1, 3, 2)
    np.testing.assert_array_equal(to_axes(moved, "xtcyz", "*yx"), array.reshape(24, 6, 5))
    images = np.arange(2 * 6 * 5 * 2).reshape(2, 6, 5, 2)
    np.testing.assert_array_equal(to_axes(images, "tyxs", "*yx"), images.transpose(0, 3, 1, 2).reshape(4, 6, 5))


def test_stacks_of_images_are_flattened_from_every_kind_of_file(tmp_path):
    stack = np.arange(2 * 3 * 4 * 6 * 5, dtype=np.uint16).reshape(2, 3, 4, 6, 5)
    tifffile.imwrite(tmp_path / "imagej.tif", stack, imagej=True, metadata={"axes": "TZCYX"})
    tifffile.imwrite(tmp_path / "raw.ome.tif", stack, photometric="minisblack", metadata={"axes": "TCZYX"})
    tifffile.imwrite(tmp_path / "plain.tif", stack.reshape(24, 6, 5), photometric="minisblack", metadata=None)
    np.savez(tmp_path / "raw.npz", img=stack)
    as_ome_zarr(tmp_path / "raw.zarr", stack, "tczyx", [1.0] * 5)
    for name in ("imagej.tif", "raw.ome.tif", "plain.tif", "raw.npz:img", "raw.zarr"):
        array, axes, _ = read_raw(tmp_path / name)
        np.testing.assert_array_equal(to_axes(array, axes, "*yx"), stack.reshape(24, 6, 5), err_msg=name)


@pytest.mark.parametrize(
    ("shape", "axes", "said"),
    [
        ((4, 6), "tx", "an array with axes tx (4x6); takes images (axes y, x and any others)"),
        ((4, 6, 5), "tzy", "an array with axes tzy (4x6x5)"),
        ((2, 4, 6, 5), "ttyx", "an array with axes ttyx (2x4x6x5)"),
        ((2, 6, 5, 3), "tyxs", "a colour image with axes tyxs (2x6x5x3)"),
        ((6, 5, 4), "yxs", "a colour image with axes yxs (6x5x4)"),
        ((5,), None, "an array of 5;"),
    ],
)
def test_what_is_no_stack_of_images_is_refused_in_words(shape, axes, said):
    with pytest.raises(InputError) as caught:
        to_axes(np.zeros(shape), axes, "*yx", "acquisition.raw")
    assert said in str(caught.value)
    assert caught.value.field == "acquisition.raw"


def test_complex_images_are_no_intensities():
    with pytest.raises(InputError, match="complex pixels"):
        to_axes(np.zeros((4, 6, 5), complex), None, "*yx")


@pytest.mark.parametrize("wanted", ["tyx", "*yx"])
def test_a_letter_is_needed_for_each_axis(wanted):
    with pytest.raises(InputError, match="axes 'tyx' for an array of shape"):
        to_axes(np.zeros((2, 4, 6, 5)), "tyx", wanted)


# -- large files ------------------------------------------------------------------

STACK = np.arange(3 * 2 * 4 * 40 * 48, dtype=np.uint16).reshape(3, 2, 4, 40, 48)


def written(folder: Path, kind: str) -> tuple[Path, str]:
    """Write STACK in some way; returns the path, and the axes that the file says."""
    path = folder / f"raw.{kind.partition(' ')[0]}"
    plain = {"photometric": "minisblack", "metadata": {"axes": "TCZYX"}}
    if kind == "npy":
        np.save(path, STACK)
    elif kind == "tif imagej":
        tifffile.imwrite(path, STACK.swapaxes(1, 2), imagej=True, metadata={"axes": "TZCYX"})
    elif kind == "ome.tif compressed":
        tifffile.imwrite(path, STACK, compression="zlib", **plain)
    elif kind == "ome.tif":
        tifffile.imwrite(path, STACK, **plain)
    elif kind in ("tif pages", "tif compressed pages"):
        for frame in STACK.reshape(24, 40, 48):
            tifffile.imwrite(
                path, frame, append=True, photometric="minisblack", compression="zlib" if "com" in kind else None
            )
    else:
        group = as_ome_zarr(path, np.zeros((1, 1, 1, 1, 1), np.uint16), "tczyx", [1.0, 1.0, 2.0, 0.5, 0.5])
        chunks = (1, 1, 1, 16, 16) if kind == "zarr" else (2, 1, 4, 16, 16)
        zarr.open_group(group).create_array("0", data=STACK, chunks=chunks, overwrite=True)
    return path, "tzcyx" if kind == "tif imagej" else "tczyx"


KINDS = [
    "npy",
    "tif imagej",
    "ome.tif",
    "ome.tif compressed",
    "tif pages",
    "tif compressed pages",
    "zarr",
    "zarr several",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_file_gives_what_a_small_one_does(tmp_path, monkeypatch, kind):
    path, _ = written(tmp_path, kind)
    small = read_raw(path)
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    large, opened = read_raw(path), open_raw(path)
    for array, axes, size in (large, opened):
        assert (axes, size, array.shape, array.ndim) == (small[1], small[2], small[0].shape, small[0].ndim)
        np.testing.assert_array_equal(np.asarray(array), small[0])
        assert np.asarray(array).dtype.newbyteorder("=") == small[0].dtype
    expected = to_axes(small[0], small[1], "*yx")
    arranged = stored_to_axes(opened[0], opened[1], "*yx")
    np.testing.assert_array_equal(np.asarray(arranged), expected)
    part = arranged[4:20][..., 3:30, 7:40]
    assert part.shape == (16, 27, 33)
    np.testing.assert_array_equal(np.asarray(part), expected[4:20, 3:30, 7:40])
    np.testing.assert_array_equal(np.asarray(part[..., 5:, :-1]), expected[4:20, 8:30, 7:39])
    np.testing.assert_array_equal(np.asarray(part[5]), expected[9, 3:30, 7:40])
    np.testing.assert_array_equal(np.asarray(part)[[1, 7]], np.asarray(part[[1, 7]]))
    assert (part.size, len(part)) == (16 * 27 * 33, 16)


@pytest.mark.parametrize("kind", ["npy", "tif imagej", "ome.tif"])
def test_what_is_not_compressed_is_mapped_and_stays_so_between_axes(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    path, axes = written(tmp_path, kind)
    array, _, _ = read_raw(path)
    base = to_axes(array, axes, "*yx")
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert base.mode == "r"


def test_a_region_of_a_zarr_array_reads_its_chunks_only(tmp_path, monkeypatch):
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    path, axes = written(tmp_path, "zarr")
    for chunk in (path / "0" / "c").rglob("2/*"):  # the last row of chunks
        if chunk.is_file() and chunk.parts[-2] == "2" and len(chunk.relative_to(path / "0" / "c").parts) == 5:
            chunk.write_bytes(b"broken")
    opened = stored_to_axes(open_raw(path)[0], axes, "*yx")
    np.testing.assert_array_equal(np.asarray(opened[..., :32, :]), STACK.reshape(24, 40, 48)[:, :32])
    with pytest.raises(InputError, match=r"^raw: got .*raw.zarr, which is no image that can be read"):
        np.asarray(opened)


def test_columns_before_rows_are_read_whole_and_transposed(tmp_path, monkeypatch):
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    zarr.create_array(tmp_path / "raw.zarr", data=FRAMES.transpose(2, 0, 1), dimension_names=["x", "t", "y"])
    array, axes, _ = open_raw(tmp_path / "raw.zarr")
    np.testing.assert_array_equal(stored_to_axes(array, axes, "tyx"), FRAMES)
    np.testing.assert_array_equal(stored_to_axes(array, "tyx", "tyx"), FRAMES.transpose(2, 0, 1))
    with pytest.raises(InputError, match="axes zyx"):
        stored_to_axes(array, "zyx", "tyx")


def test_large_files_that_are_cut_short_are_one_sentence(tmp_path, monkeypatch):
    np.save(tmp_path / "raw.npy", STACK)
    tifffile.imwrite(tmp_path / "raw.tif", STACK[0, 0, 0], photometric="minisblack", metadata=None)
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    for path in (tmp_path / "raw.npy", tmp_path / "raw.tif"):
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(InputError, match=r"^raw: got .*, which is no image that can be read") as caught:
            read_raw(path)
        assert "\n" not in str(caught.value)


def test_objects_in_a_large_file_are_not_unpickled(tmp_path, monkeypatch):
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    np.save(tmp_path / "raw.npy", np.array([[{}], [None]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="which holds Python objects"):
        read_raw(tmp_path / "raw.npy")


MEASURE = """
import sys, tracemalloc
import numpy as np
from napari_nstm.io.raw import open_raw, stored_to_axes
import tifffile, zarr  # their own memory is not counted
tracemalloc.start()
array, axes, _ = open_raw(sys.argv[1])
frames = stored_to_axes(array, axes, "tyx")
part = np.array(frames[..., 500:564, 600:664])
assert part.shape == (48, 64, 64) and (part[:, 0, 0] == np.arange(48)).all()
print(tracemalloc.get_traced_memory()[1], frames.nbytes)
"""


@pytest.mark.parametrize("kind", ["npy", "tif", "zarr"])
def test_a_region_of_a_large_file_takes_little_memory(tmp_path, kind):
    shape, path = (48, 1024, 1024), tmp_path / f"raw.{kind}"
    if kind == "npy":
        frames = np.lib.format.open_memmap(path, "w+", np.uint16, shape)
    elif kind == "tif":
        frames = tifffile.memmap(path, shape=shape, dtype=np.uint16, photometric="minisblack")
    else:
        frames = zarr.create_array(
            path, shape=shape, chunks=(1, 256, 256), dtype="uint16", dimension_names=["t", "y", "x"]
        )
    for k in range(shape[0]):
        frames[k, 500:564, 600:664] = k
    del frames
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    peak, whole = map(int, done.stdout.split())
    assert whole == 2 * np.prod(shape)
    assert peak < 0.05 * whole
