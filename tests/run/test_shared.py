"""Raw data on their way into another process."""

import json

import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import ChildError
from napari_nstm.run.shared import read_raw, remove_raw, write_raw


def test_raw_data_come_back_as_they_were(tmp_path):
    raw = RawData(np.arange(24, dtype="u2").reshape(2, 3, 4), {"background.path": np.eye(3)}, (0.5, 0.25), "a / layer")
    shared = write_raw(tmp_path, raw)
    back = read_raw(json.loads(json.dumps(dict(shared.content))))
    np.testing.assert_array_equal(back.frames, raw.frames)
    assert back.frames.dtype == raw.frames.dtype
    np.testing.assert_array_equal(back.extras["background.path"], np.eye(3))
    assert (back.pixel_size_um, back.name) == ((0.5, 0.25), "a / layer")
    assert set(tmp_path.iterdir()) == set(shared.paths)


def test_what_is_released_is_gone_and_said_to_be(tmp_path):
    shared = write_raw(tmp_path, RawData(np.zeros((2, 3, 4))))
    remove_raw(shared)
    remove_raw(shared)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ChildError, match="released before their run began"):
        read_raw(shared.content)


def test_a_full_disk_leaves_nothing(small_disk):
    disk = small_disk(64)
    with pytest.raises(ChildError, match=r"^The raw data could not be handed .*: No space left on device\.$"):
        write_raw(disk, RawData(np.zeros((4, 64, 64))))
    assert list(disk.iterdir()) == []
