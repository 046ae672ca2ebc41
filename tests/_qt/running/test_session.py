"""The session with a fitting process that does as it is told: nothing waits, nothing is lost, nothing comes late."""

import time

import numpy as np
import pytest

from napari_nstm._qt.running import session as session_module
from napari_nstm._qt.running.run_in_hand import RunInHand
from napari_nstm._qt.running.session import FitSession
from napari_nstm.core.data import RawData
from napari_nstm.core.errors import ChildError, StoreError
from napari_nstm.core.events import Failed, Finished, Notice, Paused, Prepared, Progress, Working
from napari_nstm.core.settings import Job
from napari_nstm.run.protocol import Ready

RAW = RawData(np.zeros((4, 8, 8)))
JOB = Job(modality="dpc", raw="raw", acquisition={})


class FakeChild:
    """Answers what a test put in, and keeps what it was told."""

    made: list["FakeChild"] = []  # noqa: RUF012

    def __init__(self, environment, grace_s):
        self.told, self.events, self.error, self.alive = [], [Ready("", {})], None, False
        FakeChild.made.append(self)

    def start(self):
        self.alive = True
        return self

    def share(self, raw):
        self.told.append(("share", raw))
        return "shared"

    def release(self, shared):
        self.told.append(("release", shared))

    def run(self, job, base_dir, raw):
        self.told.append(("run", raw))
        return "run-1"

    def resume(self, store, *, steps):
        self.told.append(("resume", store, steps))
        return "run-1"

    def estimate(self, job, base_dir, raw):
        self.told.append(("estimate", job))
        return f"estimate-{sum(1 for told in self.told if told[0] == 'estimate')}"

    def stop(self, run_id):
        self.told.append(("stop", run_id))

    def pause(self, run_id):
        self.told.append(("pause", run_id))

    def go_on(self, run_id):
        self.told.append(("go_on", run_id))

    def show(self, run_id, time_ms):
        self.told.append(("show", run_id, time_ms))

    def poll(self):
        if self.error is not None:
            raise self.error
        found, self.events = self.events, []
        return found

    def kill(self):
        self.told.append(("kill",))
        self.alive = False

    def close(self):
        self.told.append(("close",))
        self.alive = False


class FakeRuns:
    def __init__(self):
        self.claimed, self.discarded = [], []

    def claim(self, path, title):
        self.claimed.append(path)

    def release(self, path):
        self.claimed.remove(path)

    def discard(self, path):
        self.discarded.append(path)


@pytest.fixture
def session(qapp, monkeypatch):
    FakeChild.made = []
    monkeypatch.setattr(session_module, "Child", FakeChild)
    made = FitSession(FakeRuns())
    made.heard, made.ends, made.answers = [], [], []
    made.happened.connect(made.heard.append)
    made.ended.connect(made.ends.append)
    made.estimated.connect(made.answers.append)
    yield made
    made.shutdown()


def told(child, what):
    return [command for command in child.told if command[0] == what]


def wait(qtbot, holds):
    qtbot.waitUntil(lambda: bool(holds()))


def start(session, qtbot, path):
    session.run(JOB, lambda: RAW, path / "run.zarr", "raw")
    child = FakeChild.made[-1]
    wait(qtbot, lambda: told(child, "run") and session._run.run_id and not child.events)
    return child


def test_events_of_the_run_are_heard_and_its_end(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    progress = Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)
    child.events = [progress, Notice("another", "not ours"), Finished("run-1", "finished", "/r.zarr", "done")]
    wait(qtbot, lambda: session.ends)
    assert session.heard == [progress]
    assert (session.ends[0].status, str(session.ends[0].path)) == ("finished", "/r.zarr")
    assert not session.running
    wait(qtbot, lambda: told(child, "release") and not session._runs.claimed)


def test_the_process_stays_warm_for_the_next_run(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    child.events = [Finished("run-1", "finished", None, "done")]
    wait(qtbot, lambda: session.ends)
    start(session, qtbot, tmp_path)
    assert FakeChild.made == [child]


def test_a_stop_is_answered_by_a_process_that_fits(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    child.events = [Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)]
    wait(qtbot, lambda: session.heard)
    session.stop()
    assert told(child, "stop") == [("stop", "run-1")]
    qtbot.wait(500)
    assert session.running
    assert not told(child, "kill"), "a step may take longer than a compile would be waited for"
    child.events = [Finished("run-1", "stopped", "/r.zarr", "Stopped at step 4.")]
    wait(qtbot, lambda: session.ends)
    assert session.ends[0].status == "stopped"


def test_a_result_that_goes_on_is_kept_when_it_is_to_be_discarded(session, qtbot, tmp_path):
    (tmp_path / "run.zarr").mkdir()
    session.resume(tmp_path / "run.zarr", "raw", 50, keep=True)
    child = FakeChild.made[-1]
    wait(qtbot, lambda: told(child, "resume"))
    assert told(child, "resume") == [("resume", tmp_path / "run.zarr", 50)]
    child.events = [Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)]
    wait(qtbot, lambda: session.heard)
    session.discard()
    assert not session.discarding
    child.events = [Finished("run-1", "stopped", str(tmp_path / "run.zarr"), "Stopped at step 4.")]
    wait(qtbot, lambda: session.ends)
    assert (session.ends[0].status, session.ends[0].path) == ("stopped", tmp_path / "run.zarr")
    qtbot.wait(100)
    assert session._runs.discarded == []


def test_a_process_that_compiles_is_ended_and_what_it_reached_kept(session, qtbot, tmp_path):
    (tmp_path / "run.zarr").mkdir()
    child = start(session, qtbot, tmp_path)
    child.events = [Working("run-1", "Compiling", compiling=True)]
    wait(qtbot, lambda: session.heard)
    asked = time.monotonic()
    session.stop()
    wait(qtbot, lambda: session.ends)
    assert time.monotonic() - asked < 0.5
    assert (session.ends[0].status, session.ends[0].path) == ("stopped", tmp_path / "run.zarr")
    wait(qtbot, lambda: told(child, "kill") and len(FakeChild.made) == 2 and FakeChild.made[1].alive)


def test_a_process_that_still_loads_is_not_waited_for_either(session, qtbot, tmp_path):
    session.warm_up()
    FakeChild.made[0].events = []  # it does not say that it is ready
    start(session, qtbot, tmp_path)
    asked = time.monotonic()
    session.stop()
    wait(qtbot, lambda: session.ends)
    assert time.monotonic() - asked < 0.5
    assert session.ends[0].path is None


def test_nothing_of_a_process_that_was_given_up_comes_late(session, qtbot, tmp_path):
    old = start(session, qtbot, tmp_path)
    old.events = [Working("run-1", "Compiling", compiling=True)]
    wait(qtbot, lambda: session.heard)
    session.stop()
    wait(qtbot, lambda: session.ends)
    start(session, qtbot, tmp_path)
    session.heard.clear()
    old.events = [Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)]
    qtbot.wait(150)
    assert session.heard == []
    assert session.running


def test_a_process_that_is_killed_ends_its_run_with_a_sentence(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    child.events = [Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)]
    wait(qtbot, lambda: session.heard)
    child.error = ChildError("The fitting process was killed (signal 9).")
    wait(qtbot, lambda: session.ends)
    assert session.ends[0].status == "failed"
    assert session.ends[0].message == "The fitting process was killed (signal 9)."
    second = start(session, qtbot, tmp_path)
    assert second is not child


@pytest.mark.parametrize("when", ["as the run is handed over", "before it took it"])
def test_a_run_goes_to_another_process_if_its_own_was_dead_already(session, qtbot, tmp_path, monkeypatch, when):
    session.warm_up()
    first = FakeChild.made[0]
    wait(qtbot, lambda: session._ready)

    def hand_over(job, base_dir, raw):
        first.error = ChildError("The fitting process was killed (signal 9).")
        if when == "as the run is handed over":
            raise first.error
        return "run-0"

    monkeypatch.setattr(first, "run", hand_over)
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    wait(qtbot, lambda: told(FakeChild.made[-1], "run"))
    assert len(FakeChild.made) == 2
    assert session.running
    assert session.ends == []


def test_a_run_that_kills_every_process_is_not_tried_for_ever(session, qtbot, tmp_path, monkeypatch):
    def die(self, job, base_dir, raw):
        raise ChildError("The fitting process ran out of memory.")

    monkeypatch.setattr(FakeChild, "run", die)
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    wait(qtbot, lambda: session.ends)
    assert (session.ends[0].status, session.ends[0].message) == ("failed", "The fitting process ran out of memory.")
    assert len(FakeChild.made) == 2


def test_a_process_that_cannot_be_started_ends_its_run_with_the_reason(session, qtbot, tmp_path, monkeypatch):
    def start(self):
        raise ChildError("The fitting process could not be started: no memory.")

    def not_started(self, *_):
        raise ChildError("The fitting process was not started.")

    monkeypatch.setattr(FakeChild, "start", start)
    monkeypatch.setattr(FakeChild, "share", not_started)
    monkeypatch.setattr(FakeChild, "kill", not_started)
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    wait(qtbot, lambda: session.ends and not session._dying)
    assert len(session.ends) == 1
    assert (session.ends[0].status, session.ends[0].path) == ("failed", None)
    assert session.ends[0].message == "The fitting process could not be started: no memory."
    wait(qtbot, lambda: not session._runs.claimed)


def test_a_run_that_is_given_to_another_process_while_it_is_claimed_is_claimed_once(tmp_path):
    runs, first = FakeRuns(), RunInHand(tmp_path / "run.zarr", None, lambda run: "run-1")
    second = first.anew(None)  # the thread still hands over the first
    first.claim(runs, "raw")
    second.claim(runs, "raw")
    assert runs.claimed == [tmp_path / "run.zarr"]
    second.tidy_up(runs)
    assert runs.claimed == []


def test_a_run_that_cannot_begin_ends_with_a_sentence(session, qtbot, tmp_path):
    def claim(path, title):
        raise StoreError("The disk is full.")

    session._runs.claim = claim
    session._runs.release = lambda path: None
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    wait(qtbot, lambda: session.ends)
    assert (session.ends[0].status, session.ends[0].message) == ("failed", "The disk is full.")


def test_a_field_at_fault_is_named(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    child.events = [Failed("run-1", "raw", "raw: got NaN; takes counts")]
    wait(qtbot, lambda: session.ends)
    assert (session.ends[0].status, session.ends[0].field) == ("failed", "raw")


def test_only_the_last_question_is_asked_and_frames_are_sent_once(session, qtbot, tmp_path):
    jobs = [JOB.model_copy(update={"raw": str(k)}) for k in range(5)]
    for job in jobs:
        session.estimate(job, RAW, tmp_path)
    child = FakeChild.made[0]
    wait(qtbot, lambda: session._estimate_id == "estimate-1")
    prepared = Prepared("estimate-1", "", "cpu", 1, 2, 3.0, 4)
    child.events = [prepared]
    wait(qtbot, lambda: session._estimate_id == "estimate-2")
    assert [command[1].raw for command in told(child, "estimate")] == ["0", "4"]
    assert len(told(child, "share")) == 1
    assert session.answers == [prepared]


def test_a_pause_and_going_on_are_passed_on_once(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    session.go_on()  # nothing waits
    session.pause()
    session.pause()
    assert session.paused
    assert session.running
    child.events = [Paused("run-1", 3, 10)]
    wait(qtbot, lambda: session.heard)
    assert session.heard == [Paused("run-1", 3, 10)]
    session.go_on()
    assert not session.paused
    assert [command for command in child.told if command[0] in ("pause", "go_on")] == [
        ("pause", "run-1"),
        ("go_on", "run-1"),
    ]


def test_a_pause_before_the_run_has_an_id_is_kept_for_it(session, qtbot, tmp_path):
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    session.pause()
    wait(qtbot, lambda: told(FakeChild.made[-1], "pause"))
    assert told(FakeChild.made[-1], "pause") == [("pause", "run-1")]


def test_a_run_that_goes_on_again_before_it_has_an_id_is_not_paused(session, qtbot, tmp_path):
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    session.pause()
    session.go_on()
    wait(qtbot, lambda: session._run.run_id)
    assert not session.paused
    assert not told(FakeChild.made[-1], "pause")


def test_a_pause_that_comes_after_the_last_step_is_over(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    session.pause()
    child.events = [Working("run-1", "FISTA-TV", done=1, total=300)]
    wait(qtbot, lambda: session.heard)
    assert not session.paused


def test_a_run_that_waits_can_be_stopped(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    session.pause()
    child.events = [Paused("run-1", 3, 10)]
    wait(qtbot, lambda: session.heard)
    session.stop()
    session.pause()
    session.go_on()
    assert [command[0] for command in child.told if command[0] in ("pause", "go_on", "stop")] == ["pause", "stop"]
    child.events = [Finished("run-1", "stopped", "/r.zarr", "Stopped at step 3.")]
    wait(qtbot, lambda: session.ends)
    assert session.ends[0].status == "stopped"


def test_what_is_discarded_leaves_no_store_and_a_warm_process(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    child.events = [Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)]
    wait(qtbot, lambda: session.heard)
    session.discard()
    assert told(child, "stop")
    child.events = [Finished("run-1", "stopped", str(tmp_path / "run.zarr"), "Stopped at step 4.")]
    wait(qtbot, lambda: session.ends)
    assert (session.ends[0].status, session.ends[0].path) == ("discarded", None)
    wait(qtbot, lambda: session._runs.discarded == [tmp_path / "run.zarr"])
    assert child.alive


@pytest.mark.parametrize("how", ["dies", "compiles", "does not answer"])
def test_nothing_is_left_of_what_is_discarded_however_its_process_ends(session, qtbot, tmp_path, how):
    child = start(session, qtbot, tmp_path)
    child.events = [
        Working("run-1", "Compiling", compiling=True)
        if how == "compiles"
        else Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)
    ]
    wait(qtbot, lambda: session.heard)
    asked = time.monotonic()
    session.discard()
    if how == "dies":
        child.error = ChildError("The fitting process was killed (signal 9).")
    wait(qtbot, lambda: session.ends)
    assert time.monotonic() - asked < (2.5 if how == "does not answer" else 0.8)
    assert session.ends[0].status == "discarded"
    wait(qtbot, lambda: session._runs.discarded == [tmp_path / "run.zarr"])


def test_a_run_that_waits_can_be_discarded(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    session.pause()
    child.events = [Paused("run-1", 3, 10)]
    wait(qtbot, lambda: session.heard)
    session.discard()
    assert told(child, "stop") == [("stop", "run-1")]
    child.events = [Finished("run-1", "stopped", str(tmp_path / "run.zarr"), "Stopped at step 3.")]
    wait(qtbot, lambda: session.ends)
    assert session.ends[0].status == "discarded"
    wait(qtbot, lambda: session._runs.discarded == [tmp_path / "run.zarr"])


def test_what_is_discarded_before_it_has_an_id_leaves_nothing(session, qtbot, tmp_path):
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    session.discard()
    wait(qtbot, lambda: session.ends)
    assert session.ends[0].status == "discarded"
    wait(qtbot, lambda: session._runs.discarded == [tmp_path / "run.zarr"] and not session._runs.claimed)


def test_the_store_of_another_run_is_not_discarded(session, qtbot, tmp_path):
    def claim(path, title):
        raise StoreError("It is being written by a run that goes on.")

    session._runs.claim = claim
    session.resume(tmp_path / "run.zarr", "raw")
    session.discard()
    wait(qtbot, lambda: session.ends and not session._untidy)
    assert session._runs.discarded == []


def test_a_run_that_is_being_stopped_can_still_be_discarded(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    child.events = [Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)]
    wait(qtbot, lambda: session.heard)
    session.stop()
    session.discard()
    child.events = [Finished("run-1", "stopped", str(tmp_path / "run.zarr"), "Stopped at step 4.")]
    wait(qtbot, lambda: session.ends)
    assert session.ends[0].status == "discarded"


def test_shutdown_removes_what_was_about_to_be_discarded(session, qtbot, tmp_path):
    start(session, qtbot, tmp_path)
    session.discard()
    session.shutdown()
    assert session._runs.discarded == [tmp_path / "run.zarr"]
    assert session._runs.claimed == []


def test_questions_wait_for_the_end_of_a_run(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    session.estimate(JOB, RAW, tmp_path)
    qtbot.wait(100)
    assert not told(child, "estimate")
    child.events = [Finished("run-1", "finished", None, "done")]
    wait(qtbot, lambda: told(child, "estimate"))


def test_shutdown_lets_a_run_checkpoint_and_leaves_nothing(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    child.events = [Progress("run-1", 3, 10, 1, 0.5, 0.1, 1.0, 2.0)]
    wait(qtbot, lambda: session.heard)
    session.shutdown()
    assert told(child, "close")
    assert not child.alive
    assert session._runs.claimed == []
    session.shutdown()  # a second time nothing happens
    session.warm_up()
    assert len(FakeChild.made) == 1


def test_shutdown_does_not_wait_for_a_compile(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    session.shutdown()
    assert told(child, "kill")
    assert not told(child, "close")


def test_the_slider_is_passed_on(session, qtbot, tmp_path):
    child = start(session, qtbot, tmp_path)
    session.show(25.0)
    assert told(child, "show") == [("show", "run-1", 25.0)]


def test_where_the_slider_stood_at_the_click_is_passed_on_too(session, qtbot, tmp_path):
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    session.show(50.0)
    wait(qtbot, lambda: told(FakeChild.made[-1], "show"))
    assert told(FakeChild.made[-1], "show") == [("show", "run-1", 50.0)]


def test_a_process_that_ended_unnoticed_is_replaced_before_a_run(session, qtbot, tmp_path):
    session.warm_up()
    old = FakeChild.made[0]
    wait(qtbot, lambda: session._ready)
    old.alive = False
    session.run(JOB, lambda: RAW, tmp_path / "run.zarr", "raw")
    wait(qtbot, lambda: told(FakeChild.made[-1], "run"))
    assert FakeChild.made[-1] is not old
    assert session.ends == []
