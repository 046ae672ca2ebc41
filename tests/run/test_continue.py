"""A run that is finished says so, and goes on when it is asked for more steps."""

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Progress
from napari_nstm.io.store import open_result
from napari_nstm.run.reconstruct import iter_resume, reconstruct, resume


@pytest.fixture
def short_job(job):
    return {**job, "fit": {**job["fit"], "epochs": 30}}


@pytest.fixture
def finished(toy, short_job, frames):
    return reconstruct(short_job, frames)


def test_a_finished_run_says_so_and_how_to_go_on(finished):
    with pytest.raises(InputError, match=r"whose run is finished.*--steps N") as caught:
        resume(finished.path)
    assert caught.value.field == "store"
    assert open_result(finished.path).status == "finished"


def test_further_steps_go_on_where_the_run_ended_and_lower_the_loss(finished):
    events = []
    more = resume(finished.path, on_event=events.append, steps=25)
    assert [e.granularity for e in events if isinstance(e, Progress)] == pytest.approx(
        [1.0] * sum(isinstance(e, Progress) for e in events)
    )
    record = open_result(finished.path).record
    assert (record.status, record.step, record.n_steps) == ("finished", 55, 55)
    assert len(more.loss) == 55
    np.testing.assert_allclose(more.loss[:30], finished.loss, rtol=1e-6)
    assert more.loss[-5:].mean() < finished.loss[-5:].mean()


def test_what_was_asked_beyond_the_end_survives_an_interruption(finished):
    seen = []
    for event in iter_resume(finished.path, steps=400, should_stop=lambda: any(isinstance(e, Progress) for e in seen)):
        seen.append(event)  # noqa: PERF402 -- the stop looks at it
    stopped = open_result(finished.path).record
    assert stopped.status == "stopped"
    assert stopped.n_steps == 430
    again = resume(finished.path, should_stop=None)
    assert (again.status, len(again.loss)) == ("finished", 430)


@pytest.mark.parametrize("steps", [0, -3, 10**9])
def test_a_number_of_steps_that_means_nothing_changes_nothing(finished, steps):
    with pytest.raises(InputError, match="steps: got"):
        resume(finished.path, steps=steps)
    assert open_result(finished.path).record.n_steps == 30
