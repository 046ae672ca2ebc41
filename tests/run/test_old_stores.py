"""Runs that an older version began go on with this one."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_nstm.core.events import Progress
from napari_nstm.io.record import FORMAT
from napari_nstm.io.store import open_result
from napari_nstm.run.reconstruct import iter_resume, resume

DATA = Path(__file__).parents[1] / "io" / "data"


@pytest.fixture
def old(tmp_path):
    """Unpack a store of format 1."""

    def unpack(name):
        path = tmp_path / f"{name}.zarr"
        with zipfile.ZipFile(DATA / f"format1-{name}.zip") as archive:
            archive.extractall(path)
        return path

    return unpack


def test_an_interrupted_run_goes_on_from_its_checkpoint(old):
    path = old("interrupted")
    before = open_result(path).record
    events = []

    def enough():
        return any(isinstance(event, Progress) and event.step >= before.step + 20 for event in events)

    for event in iter_resume(path, should_stop=enough):
        events.append(event)  # noqa: PERF402 -- the stop looks at it
    result = open_result(path)
    assert (result.status, result.record.format, result.record.n_steps) == ("stopped", FORMAT, before.n_steps)
    assert result.record.step >= before.step + 20
    losses = np.asarray(result.record.loss_history, float)
    np.testing.assert_array_equal(losses[: before.step], np.asarray(before.loss_history, float))
    # It goes on where it was, and not anew: the first step after it is no worse than those before.
    assert losses[before.step] < np.median(losses[: before.step])
    assert [(one.what, one.step) for one in result.record.history] == [("began", 0), ("resumed", before.step)]
    assert result.record.history[1].versions


def test_a_finished_run_goes_on_for_further_steps(old):
    path = old("finished")
    with np.load(DATA / "format1-finished-expected.npz") as expected:
        scene = expected["scene"]
    more = resume(path, steps=20)
    result = open_result(path)
    assert (more.status, result.record.step, result.record.format) == ("finished", 50, FORMAT)
    losses = np.asarray(result.record.loss_history, float)
    assert losses[30:].mean() < losses[:30].mean()
    assert np.sqrt(np.mean((result.scene_at(20.0) - scene) ** 2)) < 0.5 * scene.std()
    assert [one.what for one in result.record.history] == ["began", "continued"]
