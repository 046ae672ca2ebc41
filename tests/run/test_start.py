"""A job that starts from another run."""

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Notice
from napari_nstm.run.reconstruct import reconstruct


@pytest.fixture
def first(toy, job, frames):
    return reconstruct(job, frames)


def again(job, first, **fit):
    return {
        **job,
        "fit": {**job["fit"], "epochs": 20, "start_from": str(first.path), **fit},
        "output": {**job["output"], "path": job["output"]["path"] + "2"},
    }


def test_it_begins_where_the_other_ended_and_says_so(job, first, frames):
    events = []
    warm = reconstruct(again(job, first), frames, on_event=events.append)
    cold = reconstruct({**job, "output": {**job["output"], "path": job["output"]["path"] + "3"}}, frames)
    assert warm.loss[0] < 0.2 * cold.loss[0]
    assert len(warm.loss) == 20
    run_id = first.open().record.run_id
    assert any(isinstance(e, Notice) and run_id in e.message for e in events)
    assert warm.open().record.job["fit"]["start_from"] == str(first.path)


def test_what_there_is_not_is_refused(toy, job, frames, tmp_path):
    job["fit"]["start_from"] = str(tmp_path / "none.zarr")
    with pytest.raises(InputError, match="which does not exist") as caught:
        reconstruct(job, frames)
    assert caught.value.field == "fit.start_from"


def test_another_field_is_refused(job, first, frames):
    with pytest.raises(InputError, match="a result of 48 x 48 pixels") as caught:
        reconstruct(again(job, first), np.ascontiguousarray(frames[:, :40, :40]))
    assert caught.value.field == "fit.start_from"
