from __future__ import annotations

import shutil

import numpy as np
import pytest
import zarr

from napari_nstm.core.errors import StoreError
from napari_nstm.io._arrays import create_array, open_array, write_frames
from napari_nstm.io.store import open_result

NAMES = ("t", "c", "z", "y", "x")


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((5, 2, 300, 400), (1, 1, 300, 400)),
        ((5, 2, 3000, 1500), (1, 1, 1024, 1024)),
        ((5, 2, 40, 100, 200), (1, 1, 40, 100, 200)),  # 3.2 MB
        ((5, 2, 40, 512, 512), (1, 1, 4, 512, 512)),  # 4 MiB
        ((5, 2, 40, 4000, 4000), (1, 1, 1, 1024, 1024)),
    ],
)
def test_a_chunk_is_what_is_looked_at_at_once(tmp_path, shape, chunks):
    names = NAMES[:2] + NAMES[-(len(shape) - 2) :]
    array = create_array(tmp_path / "array", shape, names, n_single=2)
    assert array.chunks == chunks
    assert zarr.open_array(tmp_path / "array", mode="r").metadata.dimension_names == names
    assert np.isnan(array[(0, 0, ..., 0)]).all()  # what was never written is no dark image


def test_chunks_can_be_tiles(tmp_path):
    array = create_array(tmp_path / "array", (3, 2, 100, 90), ("t", "c", "y", "x"), n_single=2, tile=(48, 200))
    assert array.chunks == (1, 1, 48, 90)


def test_one_moment_of_one_component_is_a_chunk_of_a_motion_and_a_frame_of_a_residual(tmp_path):
    motion, residual = np.zeros((3, 2, 20, 30)), np.zeros((3, 20, 30))
    write_frames(tmp_path / "motion", motion, motion.shape, ("t", "component", "y", "x"))
    write_frames(tmp_path / "residual", residual, residual.shape, ("frame", "y", "x"))
    assert open_array(tmp_path / "motion").chunks == (1, 1, 20, 30)
    assert open_array(tmp_path / "residual").chunks == (1, 20, 30)


def test_an_array_that_is_missing_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match=r"is damaged: its array motion is missing or cannot be read\.$"):
        open_array(tmp_path / "motion")


def test_a_store_with_all_channels_in_one_chunk_still_opens(finished):
    """As stores were written before chunks fitted scrubbing."""
    expected = {name: getattr(finished, name).compute() for name in ("reconstruction", "motion_um")}
    for name in ("reconstruction/0", "motion"):
        array = zarr.open_array(finished.path / name, mode="r")
        values, names, attributes = array[...], array.metadata.dimension_names, dict(array.attrs)
        shutil.rmtree(finished.path / name)
        zarr.create_array(
            finished.path / name, data=values, chunks=(1, 2, 24, 31), dimension_names=names, attributes=attributes
        )
    opened = open_result(finished.path)
    for name, values in expected.items():
        assert getattr(opened, name).chunksize == (1, 2, 24, 31)
        np.testing.assert_array_equal(getattr(opened, name).compute(), values)
