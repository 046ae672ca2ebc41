"""What the command line's tests share: a small simulated acquisition, and the toy camera."""

import numpy as np
import pytest
import yaml
from tests.run.conftest import environment, frames, toy  # noqa: F401

from napari_nstm.cli import main


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Folder with a small simulated DPC acquisition."""
    folder = tmp_path_factory.mktemp("simulated")
    assert main(["simulate", "dpc", "--size", "64", "--displacement", "3", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def dpc(simulated, tmp_path):
    """Write a DPC job with changes, and frames if they are given; returns the job's path."""
    import tifffile

    def write(raw=None, **changes):
        content = yaml.safe_load((simulated / "job.yml").read_text())
        content["raw"] = str(simulated / "raw.tif")
        if raw is not None:
            np.save(tmp_path / "raw.npy", raw)
            content["raw"] = "raw.npy"
        for name, value in changes.items():
            content[name] = {**content[name], **value} if isinstance(value, dict) else value
        (tmp_path / "job.yml").write_text(yaml.safe_dump(content))
        return tmp_path / "job.yml"

    write.frames = tifffile.imread(simulated / "raw.tif")
    return write


@pytest.fixture(scope="session")
def finished(tmp_path_factory, frames):  # noqa: F811
    """A finished result of the toy camera."""
    from tests.toy import ToyModality

    from napari_nstm.imaging import registry
    from napari_nstm.run.reconstruct import reconstruct

    folder = tmp_path_factory.mktemp("finished")
    np.save(folder / "raw.npy", frames)
    job = {
        "modality": "toy",
        "raw": "raw.npy",
        "acquisition": {"pixel_size_um": 0.5, "timestamps_ms": [0, 10, 20, 30]},
        "fit": {"epochs": 60, "advanced": {"pyramid": [[0, 1.0]]}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "modality", lambda name: ToyModality())
        return reconstruct(job, base_dir=folder).path
