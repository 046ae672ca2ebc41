"""Slow comparisons: told, stopped, failed, killed; what the fit gave is there in any case."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from tests.toy import SlowToy

from napari_nstm.core.data import Comparison, SlowComparison
from napari_nstm.core.errors import ChildError, InputError, StoreError
from napari_nstm.core.events import Progress, Working
from napari_nstm.imaging import registry
from napari_nstm.io.store import StoreWriter, describe, open_result
from napari_nstm.run import comparing
from napari_nstm.run.client import Child
from napari_nstm.run.comparing import _Course
from napari_nstm.run.job import job_from_mapping
from napari_nstm.run.reconstruct import iter_reconstruct, iter_resume, resume

PATIENCE_S = 120


@pytest.fixture
def slow_toy(monkeypatch):
    modality = SlowToy()
    monkeypatch.setattr(registry, "modality", lambda name: modality)
    return modality


@pytest.fixture
def run(slow_toy, job, frames, tmp_path):
    """Start a run of the slow toy: its events, with changes of the acquisition."""
    np.save(tmp_path / "raw.npy", frames)
    job["output"]["times"] = [0.0, 1.5, 3.0]

    def start(should_stop=None, **acquisition):
        content = {**job, "modality": "slow", "acquisition": {**job["acquisition"], **acquisition}}
        return iter_reconstruct(content, base_dir=tmp_path, should_stop=should_stop, overwrite=True)

    return start


def is_counting(event):
    return isinstance(event, Working) and event.done is not None


def stored_after(events):
    """Drain a run; return its last event, and its store."""
    last = list(events)[-1]
    return last, open_result(last.path)


def test_it_is_made_after_the_fit_with_progress_and_remaining_time(run):
    stamped = [(time.monotonic(), event) for event in run(iteration_s=0.05)]
    at, events = zip(*stamped, strict=True)
    told = [event for event in events if is_counting(event)]
    assert events.index(told[0]) > max(k for k, event in enumerate(events) if isinstance(event, Progress))
    assert {(event.what, event.total) for event in told} == {("Counting slowly", 40)}
    assert [event.done for event in told] == sorted({event.done for event in told})
    told_at = [moment for moment, event in stamped if is_counting(event)]
    assert len(told) >= 4
    assert np.diff(told_at).min() > 0.25, "some three a second"
    for moment, event in list(zip(told_at, told, strict=True))[2:]:
        assert event.remaining_s == pytest.approx(at[-1] - moment, rel=0.4, abs=0.3)

    last = events[-1]
    stored = open_result(last.path)
    assert (last.status, last.message) == (stored.status, stored.record.message)
    assert last.message.startswith("60 steps in")
    assert "Counting" not in last.message
    assert stored.comparison_names == ("conventional", "counted")
    counted = stored.comparison("counted")
    assert counted.times_ms == stored.times_ms == (0.0, 1.5, 3.0)
    np.testing.assert_array_equal(counted.images, np.full((3, 1, 48, 48), 40))
    assert stored.record.timings_s["counted"] > 1.9
    assert not stored.record.awaits_comparisons
    assert sorted(p.name for p in stored.path.iterdir() if p.name.startswith(".")) == []
    with pytest.raises(InputError, match="is finished"):
        resume(last.path)


def test_settings_that_ask_for_none_get_none(run):
    last, stored = stored_after(run(iterations=0))
    assert stored.comparison_names == ("conventional",)
    assert "Counting" not in last.message
    assert set(stored.record.timings_s) == {"prepare", "fit"}


def test_a_stop_keeps_what_was_reached_and_all_of_the_fit(run):
    told = []
    for event in run(lambda: len(told) >= 2, iteration_s=0.1, iterations=200):
        if is_counting(event):
            told.append(event)
            asked = time.monotonic()
    stored = open_result(event.path)
    assert time.monotonic() - asked < 2
    assert len(told) == 2, "nothing is told that would hide that it stops"
    assert (event.status, stored.status, stored.record.step) == ("finished", "finished", 60)
    reached = stored.comparison("counted").images
    done = int(reached[0, 0, 0, 0])
    assert 1 <= done - told[-1].done <= 3, "it ends within an iteration"
    np.testing.assert_array_equal(reached, done)
    assert event.message.endswith(f"s. Counting was stopped at iteration {done} of 200.")
    assert stored.record.message == event.message
    with pytest.raises(InputError, match="is finished"):
        resume(event.path)


def test_a_stop_before_it_begins_leaves_it_out(run):
    writing = threading.Event()
    for event in run(writing.is_set):
        assert not is_counting(event)
        if isinstance(event, Working) and event.what == "Writing the result":
            writing.set()
    assert (event.status, open_result(event.path).comparison_names) == ("finished", ("conventional",))
    assert event.message.endswith("s. Counting was left out.")


def test_it_is_left_out_of_a_fit_that_was_stopped_and_made_when_that_goes_on(run):
    begun = threading.Event()
    for event in run(begun.is_set, iterations=5):
        if isinstance(event, Progress):
            begun.set()
    assert event.status == "stopped"
    assert event.message.endswith("of 60. Counting was left out.")
    assert open_result(event.path).record.message == event.message
    result = resume(event.path)
    assert result.message.startswith("60 steps in")
    assert "Counting" not in result.message
    assert result.open().comparison_names == ("conventional", "counted")


def test_it_is_left_out_of_a_fit_that_diverged(run, job):
    job["fit"]["advanced"]["scene_learning_rate"] = 1e30
    last, stored = stored_after(run())
    assert last.status == "diverged"
    assert last.message.endswith(" Counting was left out.")
    assert stored.comparison_names == ("conventional",)


def test_a_failure_takes_nothing_with_it_and_is_one_sentence(run):
    last, stored = stored_after(run(fails_at=3))
    assert (last.status, stored.status, stored.record.step) == ("finished", "finished", 60)
    assert " Counting failed: The device ran out of memory; a smaller field" in last.message
    assert "\n" not in last.message
    assert stored.record.message == last.message
    assert stored.comparison_names == ("conventional",)
    assert not stored.record.awaits_comparisons
    assert np.isfinite(stored.reconstruction.compute()).all()


def test_one_that_does_not_fit_the_store_is_a_failure_and_the_next_is_made(run, slow_toy, monkeypatch):
    small = Comparison("small", (0.0,), np.zeros((1, 1, 7, 7), np.float32))
    right = Comparison("right", (0.0,), np.ones((1, 1, 48, 48), np.float32))
    slow = [SlowComparison(one.name, one.name, lambda watch, one=one: one) for one in (small, right)]
    slow.append(SlowComparison("empty", "empty", lambda watch: None))
    monkeypatch.setattr(slow_toy, "slow_comparisons", lambda *args: tuple(slow), raising=False)
    last, stored = stored_after(run())
    assert stored.comparison_names == ("conventional", "right")
    assert " small failed: An unexpected ValueError: " in last.message
    assert last.message.endswith(". empty gave nothing.")


def test_a_disk_that_is_full_is_told_and_it_can_be_made_later(run, monkeypatch):
    def full(self, comparisons, **changes):
        raise StoreError("The result could not be added to: No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr(StoreWriter, "extend", full)
        last, stored = stored_after(run(iterations=3))
    assert last.status == stored.status == "finished"
    assert last.message.endswith(" Counting failed: The result could not be added to: No space left on device.")
    assert stored.record.awaits_comparisons
    assert resume(last.path).open().comparison_names == ("conventional", "counted")


def test_a_run_that_is_dropped_ends_it_within_an_iteration(run):
    events = run(iteration_s=0.2)
    next(event for event in events if is_counting(event))
    dropped = time.monotonic()
    events.close()
    while any(thread.name.startswith("fit") for thread in threading.enumerate()):
        assert time.monotonic() - dropped < 2, "it is left to itself for an iteration, not to its end"
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_child_tells_it_stops_it_and_may_be_killed_in_it(environment, slow_toy, job, frames, tmp_path):
    np.save(tmp_path / "raw.npy", frames)
    job = {**job, "modality": "slow", "acquisition": {**job["acquisition"], "iterations": 20, "iteration_s": 0.1}}
    with Child(environment) as child:
        run_id = child.run(job_from_mapping(job), tmp_path)
        events = child.events(run_id, PATIENCE_S)
        counting = next(event for event in events if is_counting(event))
        assert (counting.what, counting.total) == ("Counting slowly", 20)
        child.stop(run_id)
        finished = list(events)[-1]
        assert finished.status == "finished"
        assert "Counting was stopped at iteration" in finished.message
        assert open_result(finished.path).comparison_names == ("conventional", "counted")

        run_id = child.run(job_from_mapping(job), tmp_path, overwrite=True)
        next(event for event in child.events(run_id, PATIENCE_S) if is_counting(event))
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildError, match="killed"):
            list(child.events(run_id, PATIENCE_S))
    stored = open_result(tmp_path / "result.zarr")
    assert (stored.status, stored.record.awaits_comparisons) == ("finished", True)
    assert stored.comparison_names == ("conventional",)
    assert "finished, but for slow comparisons: it can be resumed" in describe(stored.path)
    before = stored.reconstruction.compute()

    events = list(iter_resume(stored.path))
    assert not any(isinstance(event, Progress) or getattr(event, "compiling", False) for event in events)
    result = events[-1].result
    assert (result.status, len(result.loss)) == ("finished", 60)
    assert result.message == stored.record.message
    np.testing.assert_array_equal(result.reconstruction, before)
    np.testing.assert_array_equal(result.open().comparison("counted").images, 20)
    assert not result.open().record.awaits_comparisons
    assert "conventional, counted" in describe(stored.path)


def test_a_modality_that_makes_it_no_longer_ends_the_wait(run, slow_toy, monkeypatch, tmp_path):
    events = run(iteration_s=0.2)
    next(event for event in events if is_counting(event))
    events.close()
    assert open_result(tmp_path / "result.zarr").record.awaits_comparisons
    monkeypatch.setattr(slow_toy, "slow_comparisons", lambda *args: (), raising=False)
    assert resume(tmp_path / "result.zarr").status == "finished"
    assert not open_result(tmp_path / "result.zarr").record.awaits_comparisons


def test_the_first_iteration_says_nothing_about_the_time_of_the_others(monkeypatch):
    clock = iter([0.0, 9.0, 10.0, 12.0, 20.0, 30.0])
    monkeypatch.setattr(comparing.time, "monotonic", lambda: next(clock))
    course = _Course()
    left = []
    for what, done in (("a", 0), ("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2)):
        assert course(what, done, 11)
        left.append(course.now.remaining_s)
    assert left == [None, None, 9 * 1.0, 8 * 1.5, None, 9 * 10.0]


def test_one_that_is_asked_to_end_at_its_end_was_made():
    for done, said in ((10, ""), (9, " It was stopped at iteration 9 of 10.")):
        course = _Course()
        assert course("a", done - 1, 10, np.zeros((4, 4)))
        course.wanted = False
        assert not course("a", done, 10)
        assert course.end_of("It") == said


def test_further_steps_keep_what_was_compared(run, slow_toy, monkeypatch):
    first = list(run(iterations=5))[-1].result
    monkeypatch.setattr(slow_toy, "slow_comparisons", refuse_to_make, raising=False)
    seen = []
    for event in iter_resume(first.path, steps=300, should_stop=lambda: any(isinstance(e, Progress) for e in seen)):
        seen.append(event)  # noqa: PERF402 -- the stop looks at it
    assert open_result(first.path).status == "stopped"
    resume(first.path)
    stored = open_result(first.path)
    assert stored.status == "finished"
    assert stored.comparison_names == ("conventional", "counted")
    assert (stored.comparison("counted").images == 5).all()
    assert not stored.record.awaits_comparisons


def refuse_to_make(raw, settings, times_ms):
    def make(watch):
        raise AssertionError("it was made before")

    return (SlowComparison("counted", "Counting", make),)
