from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from yaozarrs import v05

from napari_nstm.core.errors import InputError
from napari_nstm.io.raw import read_raw, to_axes

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
