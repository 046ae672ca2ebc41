"""Frames written to a file are read back as they were, with their axes, by us and by others."""

import numpy as np
import pytest
import tifffile

from napari_nstm.core.errors import StoreError
from napari_nstm.io.frames import shape_in, write_frames
from napari_nstm.io.raw import read_raw, to_axes

CASES = [
    ((4, 6, 8), "tyx", "uint16"),
    ((4, 6, 3), "tyx", "uint8"),  # no colours
    ((5, 3, 6, 8), "zcyx", "float32"),
    ((2, 4, 6, 8), "tzyx", "int64"),
    ((4, 6, 8), "tyx", "float16"),
    ((6, 8), "yx", "bool"),
]


def made(shape, dtype):
    return (np.random.default_rng(0).random(shape) * 200).astype(dtype)


@pytest.mark.parametrize(("shape", "axes", "dtype"), CASES)
def test_numbers_and_axes_come_back(tmp_path, shape, axes, dtype):
    array, path = made(shape, dtype), tmp_path / "frames.tif"
    write_frames(path, array, axes, 0.5)
    stored, found, size = read_raw(path)
    np.testing.assert_array_equal(stored, array)
    assert (stored.dtype, found) == (array.dtype, axes)
    assert size == (None if dtype in ("int64", "float16", "bool") else (0.5, 0.5))
    assert shape_in(path, array) == shape
    assert list(tmp_path.iterdir()) == [path]


def test_axes_that_nobody_knows_stay_unknown(tmp_path):
    array = made((4, 6, 8), "uint16")
    write_frames(tmp_path / "frames.tif", array)
    stored, axes, _ = read_raw(tmp_path / "frames.tif")
    np.testing.assert_array_equal(to_axes(stored, axes, "tyx"), array)


def test_colours_are_colours_for_other_programs(tmp_path):
    array = made((6, 8, 3), "uint8")
    write_frames(tmp_path / "frames.tif", array, "yxc")
    with tifffile.TiffFile(tmp_path / "frames.tif") as tiff:
        assert tiff.pages[0].photometric == tifffile.PHOTOMETRIC.RGB
    np.testing.assert_array_equal(read_raw(tmp_path / "frames.tif")[0], array)


def test_a_file_is_known_by_its_numbers(tmp_path):
    path, array = tmp_path / "frames.tif", made((1, 6, 8), "float32")
    array[0, 0, 0] = np.nan
    write_frames(path, array, "tyx")
    assert shape_in(path, array) == (6, 8)
    assert shape_in(path, array.astype("float64")) is None
    assert shape_in(path, array[:, :5]) is None
    assert shape_in(path, array + 1) is None
    assert shape_in(tmp_path / "none.tif", array) is None


def test_where_it_cannot_be_written_nothing_is_left(tmp_path):
    with pytest.raises(StoreError, match="cannot be written"):
        write_frames(tmp_path / "none" / "frames.tif", made((4, 6, 8), "uint8"))
    assert list(tmp_path.iterdir()) == []
