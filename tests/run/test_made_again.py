"""The job that a store exports makes the same result again: also with raw data that were kept in the store."""

import numpy as np
import yaml
from tests.run.jobs import DPC_JOB

from napari_nstm.cli import main
from napari_nstm.core.settings import Job
from napari_nstm.io.store import open_result
from napari_nstm.run.reconstruct import reconstruct


def test_the_same_bits(tmp_path):
    rng = np.random.default_rng(0)
    frames = (1000 * (1 + 0.1 * rng.normal(size=(4, 40, 40)))).astype(np.float32)
    output = {"path": str(tmp_path / "first.zarr"), "times": 3}
    first = open_result(reconstruct({**DPC_JOB, "output": output, "compute": {}}, frames).path)
    path = tmp_path / "elsewhere.yml"
    assert main(["export", str(first.path), "--to", "job", "--out", str(path)]) == 0
    content = yaml.safe_load(path.read_text())
    assert content["raw"] == str(first.path / "raw.npy")
    job = Job.model_validate(content)
    assert job.fit.advanced["scene_learning_rate"] == first.record.fit["scene_learning_rate"]
    assert main(["reconstruct", str(path)]) == 0
    again = open_result(tmp_path / "first-again.zarr")
    assert again.record.fit == first.record.fit
    assert again.record.input_hashes == first.record.input_hashes
    assert again.record.loss_history == first.record.loss_history
    np.testing.assert_array_equal(np.asarray(again.reconstruction), np.asarray(first.reconstruction))
    np.testing.assert_array_equal(np.asarray(again.motion_um), np.asarray(first.motion_um))
    assert np.asarray(first.reconstruction).std() > 0
