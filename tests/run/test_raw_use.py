"""Raw data are found, and known by hashes of their values alone."""

import numpy as np
import pytest
from tests.toy import ToyModality, ToySettings

from napari_nstm.core.data import RawData
from napari_nstm.core.settings import Job
from napari_nstm.io import _raw_formats
from napari_nstm.run.raw_use import for_use, hashes_of_use, open_frames, read_frames, sha256_of

FRAMES = np.random.default_rng(0).integers(0, 1000, (4, 40, 48)).astype(np.uint16)
SETTINGS = ToySettings(pixel_size_um=1)


def job_of(path, **changes):
    return Job(modality="toy", raw=str(path), acquisition={"pixel_size_um": 1}, **changes)


def test_hashes_do_not_depend_on_how_bytes_are_stored():
    stored = FRAMES.astype(">f4")
    assert sha256_of(stored) == sha256_of(stored.astype("<f4"))
    assert sha256_of(stored.transpose(1, 2, 0).copy().transpose(2, 0, 1)) == sha256_of(stored)


def test_of_a_mapped_file_a_part_is_copied_and_the_whole_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(_raw_formats, "LARGE_BYTES", 0)
    np.save(tmp_path / "raw.npy", FRAMES)
    whole = open_frames(job_of("raw.npy"), ToyModality(), SETTINGS, None, tmp_path)
    part = RawData(whole.frames[1:])
    assert np.shares_memory(for_use(whole, whole, keep_mapped=False).frames, whole.frames)
    assert not np.shares_memory(for_use(part, whole, keep_mapped=False).frames, whole.frames)
    assert np.shares_memory(for_use(part, whole, keep_mapped=True).frames, whole.frames)
    np.testing.assert_array_equal(
        read_frames(job_of("raw.npy"), ToyModality(), SETTINGS, None, tmp_path).frames, FRAMES
    )


def test_arrays_in_memory_are_not_copied():
    whole = RawData(FRAMES, {"dark": FRAMES[0]})
    part = RawData(FRAMES[2:], whole.extras)
    used = for_use(part, whole, keep_mapped=False)
    assert np.shares_memory(used.frames, FRAMES)
    assert np.shares_memory(used.extras["dark"], FRAMES)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["raw", "dark", "psf"]),
        ({"region": (0, 0, 32, 32)}, ["raw", "raw.region", "dark", "dark.region", "psf"]),
        ({"frames": (0, 4), "region": (0, 0, 32, 32)}, ["raw", "raw.region", "dark", "dark.region", "psf"]),
        ({"region": (0, 0, 32, 32), "compute": {"tile_px": 32}}, ["raw", "dark", "psf"]),
    ],
)
def test_every_array_has_a_hash_and_what_is_cut_one_of_its_part(changes, names):
    whole = RawData(FRAMES, {"dark": FRAMES[0], "psf": np.eye(5)})
    used = RawData(FRAMES[:, :32, :32], {"dark": FRAMES[0, :32, :32], "psf": whole.extras["psf"]})
    hashes = hashes_of_use(job_of("raw", **changes), whole, used if "region" in changes else whole)
    assert list(hashes) == names
    assert len(set(hashes.values())) == len(names)
