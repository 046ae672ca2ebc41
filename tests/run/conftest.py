"""Runs use the toy camera: in this process by a patched registry, in a child by an entry point."""

import os
from pathlib import Path

import pytest
from tests.toy import ToyModality, moving_blobs

from napari_nstm.imaging import registry

ROOT = Path(__file__).parents[2]


@pytest.fixture
def toy(monkeypatch):
    """The toy modality, as the only one that is registered."""
    modality = ToyModality()
    monkeypatch.setattr(registry, "modality", lambda name: modality)
    return modality


@pytest.fixture(scope="session")
def frames():
    return moving_blobs(48, 3.0)[0]


@pytest.fixture
def job(tmp_path):
    """A quick job of the toy camera, with one level of the pyramid: one program to compile."""
    return {
        "modality": "toy",
        "raw": "raw.npy",
        "acquisition": {"pixel_size_um": 0.5},
        "fit": {"epochs": 60, "advanced": {"pyramid": [[0, 1.0]]}},
        "output": {"path": str(tmp_path / "result.zarr"), "preview_every_s": 0.05, "checkpoint_every_s": 0.2},
    }


@pytest.fixture
def slow_job(job):
    """The same with more steps than anyone waits for."""
    return {**job, "fit": {**job["fit"], "epochs": 500_000}}


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Variables with which another process finds the toy modalities, as a package that others wrote."""
    info = tmp_path_factory.mktemp("site") / "toys-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[napari_nstm.modalities]\n"
        "toy = tests.toy:ToyModality\n"
        "slow = tests.toy:SlowToy\n"
        "noisy = tests.run.strange_toys:NoisyToy\n"
        "sleepy = tests.run.strange_toys:SleepyToy\n"
        "broken = tests.run.strange_toys:BrokenToy\n"
    )
    return {"PYTHONPATH": os.pathsep.join([str(info.parent), str(ROOT)])}
