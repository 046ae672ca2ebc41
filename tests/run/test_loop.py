"""The loop of a fit: how it ends, and what it leaves."""

import threading
import time

import jax
import numpy as np
import pytest

import napari_nstm.run.loop as loop_module
from napari_nstm.core.errors import DeviceError
from napari_nstm.core.events import Checkpointed, Paused, Preview, Progress, Working
from napari_nstm.fit.solver import Solver
from napari_nstm.run.job import load_job
from napari_nstm.run.loop import Course, _Pace, _Remaining, device_errors, fit_loop
from napari_nstm.run.patience import Controls, Patience
from napari_nstm.run.plan import make_plan
from napari_nstm.run.preview import make_preview


@pytest.fixture
def started(toy, frames, tmp_path):
    """Makes the loop of a job: (generator, list of steps that were checkpointed, course, solver)."""

    def start(job, should_stop=lambda: False, preview_time=lambda: None, should_pause=lambda: False, checkpoint=None):
        plan = make_plan(load_job(job)[0], frames, base_dir=tmp_path)
        solver = Solver(lambda level: toy.prepare(plan.raw, plan.settings, level), plan.fit, plan.device)
        kept, course = [], Course()
        loop = fit_loop(
            solver,
            solver.init(),
            plan,
            course,
            controls=Controls("r", should_stop, preview_time, should_pause),
            patience=Patience(should_stop),
            checkpoint=checkpoint or (lambda snapshot: kept.append(snapshot.step)),
        )
        return loop, kept, course, solver

    return start


def drain(loop, events=None):
    events = [] if events is None else events
    while True:
        try:
            events.append(next(loop))
        except StopIteration as end:
            return events, end.value


def test_a_fit_runs_to_its_end_and_says_how_far_it_is(started, job):
    loop, _, course, solver = started(job)
    events, outcome = drain(loop)
    progress = [e for e in events if isinstance(e, Progress)]
    assert outcome.status == "finished"
    assert int(outcome.state.step) == solver.n_steps == len(course.losses)
    assert [e.step for e in progress] == sorted({e.step for e in progress})
    assert progress[-1].step == progress[-1].n_steps
    assert progress[-1].remaining_s == 0
    assert course.losses[-1] < 0.1 * course.losses[0]


def test_previews_and_checkpoints_come_at_their_rates(started, slow_job):
    began = time.monotonic()
    loop, kept, _, _ = started(slow_job, should_stop=lambda: time.monotonic() - began > 4)
    events, outcome = drain(loop)
    previews = [e for e in events if isinstance(e, Preview)]
    assert outcome.status == "stopped"
    assert 2 <= len(previews) <= 4 / 0.05
    assert [e.step for e in events if isinstance(e, Checkpointed)] == kept
    assert 2 <= len(kept) <= 4 / 0.2
    assert previews[-1].scene.shape == (1, 48, 48)
    assert previews[-1].motion_um.shape == (2, 24, 24)
    assert (previews[-1].spacing_px, previews[-1].motion_spacing_px) == ((1, 1), (2, 2))


def test_a_preview_shows_scene_and_motion_of_the_middle_frame(started, job, toy, frames):
    loop, _, _, solver = started(job)
    outcome = drain(loop)[1]
    plan = make_plan(load_job(job)[0], frames, base_dir=".")
    preview = make_preview(solver, outcome.state, plan, "r", 1)
    assert preview.time_ms == 2.0
    assert preview.spacing_px == (2, 2)
    np.testing.assert_allclose(preview.scene[0], frames[2, ::2, ::2], atol=0.2 * frames.max())
    # u is seen at the places of the first frame; from there to frame 2 of 0..3 blobs move by (1, 2) px of 1 um.
    bright = frames[0, ::2, ::2] > 0.5 * frames.max()
    assert np.median(preview.motion_um[:, bright], axis=1) == pytest.approx([1, 2], abs=0.25)


def test_a_loop_that_is_closed_leaves_a_checkpoint_of_its_last_step(started, slow_job):
    loop, kept, course, _ = started(slow_job)
    next(loop)
    reached = next(e.step for e in loop if isinstance(e, Progress))
    loop.close()
    assert kept[-1] == reached == len(course.losses)


def test_divergence_ends_with_the_last_good_state_and_a_sentence(started, job):
    job["fit"]["advanced"]["scene_learning_rate"] = 1e30
    _, outcome = drain(started(job)[0])
    assert outcome.status == "diverged"
    assert outcome.message.endswith(".")
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(outcome.state.params))


def test_a_device_that_fails_leaves_what_was_reached(started, slow_job, monkeypatch):
    loop, kept, _, solver = started(slow_job)
    for event in loop:
        if isinstance(event, Progress) and event.step > 2:
            reached = event.step
            break

    def fail(state, seconds):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nmore\nlines")

    monkeypatch.setattr(solver, "advance", fail)
    with pytest.raises(DeviceError, match="ran out of memory") as caught:
        drain(loop)
    assert not isinstance(caught.value, RuntimeError)
    assert "\n" not in str(caught.value)
    assert kept[-1] >= reached
    assert str(caught.value).endswith(f"What was reached by step {kept[-1]} is kept.")


def test_other_failures_of_a_device_are_one_sentence_too():
    with pytest.raises(DeviceError, match=r"failed: INTERNAL: it broke\.$"), device_errors():
        raise jax.errors.JaxRuntimeError("INTERNAL: it broke\nat line 3")
    with pytest.raises(ValueError, match="ours"), device_errors():
        raise ValueError("ours")


def test_what_takes_long_comes_less_often():
    quick, slow = _Pace(0.0, 4.0), _Pace(0.0, 4.0)
    with quick.timed():
        pass
    with slow.timed():
        time.sleep(0.05)
    time.sleep(0.01)
    assert quick.due()
    assert not slow.due()
    assert not _Pace(10.0, 4.0).due()


def test_remaining_time_counts_the_pixels_of_levels_to_come(started, job):
    job["fit"] = {"epochs": 100}
    solver = started(job)[3]
    assert [stage[0] for stage in solver.schedule.stages] == [1, 0]
    clock = _Remaining(solver)
    assert clock.remaining_s(0) is None
    clock.add(1, 2, 99.0)  # compiles: does not count
    clock.add(1, 10, 1.0)
    ratio = np.prod(solver.problem(0).grid.padded_shape) / np.prod(solver.problem(1).grid.padded_shape)
    assert clock.remaining_s(12) == pytest.approx(38 * 0.1 + 50 * 0.1 * ratio)
    clock.add(0, 2, 99.0)
    assert clock.remaining_s(52) == pytest.approx(48 * 0.1 * ratio)
    clock.add(0, 10, 1.0)
    assert clock.remaining_s(100) == 0


def test_a_level_that_is_done_is_kept_before_the_next_compiles(started, job):
    job["fit"] = {"epochs": 40}
    job["output"]["checkpoint_every_s"] = 100
    events, _ = drain(started(job)[0])
    kinds = [e for e in events if isinstance(e, Working | Checkpointed)]
    assert [(e.what, e.compiling) for e in kinds[::2]] == [
        ("Compiling for 24 x 24 pixels", True),
        ("Compiling for 48 x 48 pixels", True),
    ]
    assert kinds[1].step == 20
    assert isinstance(events[0], Working)
    # What is seen of a level comes with its first steps; of the first level there is nothing to see yet.
    assert next(e for e in events if isinstance(e, Preview)).level == 1
    first_of_last = next(k for k, e in enumerate(events) if isinstance(e, Progress) and e.level == 0)
    assert isinstance(events[first_of_last + 1], Preview)
    assert events[first_of_last + 1].level == 0


def test_a_stop_does_not_wait_for_a_compile(started, job, monkeypatch):
    job["fit"] = {"epochs": 40}
    asked = []
    loop, kept, _, solver = started(job, should_stop=lambda: bool(asked))
    advance, begun = solver.advance, threading.Event()

    def slow_at_the_second_level(state, seconds):
        if int(state.step) >= 20:
            begun.set()
            time.sleep(3)
        return advance(state, seconds)

    def ask():
        begun.wait(60)
        asked.append(time.monotonic())

    monkeypatch.setattr(solver, "advance", slow_at_the_second_level)
    threading.Thread(target=ask).start()
    _, outcome = drain(loop)
    assert time.monotonic() - asked[0] < 1
    assert (outcome.status, int(outcome.state.step), kept[-1]) == ("stopped", 20, 20)
    assert outcome.message == "Stopped at step 20 of 40."
    # The residual belongs to full size, whose program is not there.
    assert not outcome.has_residual


def test_a_stop_at_full_size_can_have_its_residual(started, slow_job):
    seen = []
    loop, _, _, _ = started(slow_job, should_stop=lambda: len(seen) > 2)
    _, outcome = drain(loop, seen)
    assert outcome.status == "stopped"
    assert outcome.has_residual


def test_previews_show_the_moment_that_is_wished(started, slow_job):
    slow_job["output"]["preview_every_s"] = 100
    wish = [None]
    loop, _, _, _ = started(slow_job, preview_time=lambda: wish[0])
    next(e for e in loop if isinstance(e, Progress))
    for asked, shown in ((0.5, 0.5), (99.0, 3.0), (-1.0, 0.0), (None, 2.0)):
        wish[0] = asked
        preview = next(e for e in loop if isinstance(e, Preview))
        assert preview.time_ms == shown
    loop.close()


def test_what_is_kept_is_not_written_again_on_the_way_out(started, slow_job):
    loop, kept, _, _ = started(slow_job)
    next(e for e in loop if isinstance(e, Checkpointed))
    n = len(kept)
    loop.close()
    assert len(kept) == n
    before_any_step, kept, _, _ = started(slow_job)
    next(before_any_step)
    before_any_step.close()
    assert kept == []


class Pause:
    """Asked for at the first progress past a step; over after so many looks at it."""

    def __init__(self, looks):
        self.left, self.is_asked = looks, False

    def __call__(self):
        self.left -= self.is_asked
        return self.is_asked and self.left > 0

    def watch(self, loop, step=10):
        """Events of the loop, each with the time at which it came."""
        events = []
        try:
            while True:
                event = next(loop)
                events.append((time.monotonic(), event))
                self.is_asked = self.is_asked or (isinstance(event, Progress) and event.step >= step)
        except StopIteration as end:
            return events, end.value


def test_a_pause_keeps_and_shows_what_was_reached_and_changes_nothing(started, job):
    job["fit"]["epochs"] = 200
    job["output"]["checkpoint_every_s"] = job["output"]["preview_every_s"] = 100
    straight = drain(started(job)[0])[1]
    pause = Pause(looks=12)
    loop, kept, course, _ = started(job, should_pause=pause)
    events, outcome = pause.watch(loop)
    kinds = [type(e) for _, e in events]
    assert kinds.count(Paused) == 1
    at = kinds.index(Paused)
    paused, (went_on, after) = events[at][1], events[at + 1]
    assert kinds[at - 2 : at] == [Checkpointed, Preview]
    assert paused.step == events[at - 1][1].step == kept[0] < paused.n_steps == 200
    assert isinstance(after, Progress)
    assert after.step > paused.step
    waited = went_on - events[at][0]
    assert waited > 0.4
    before = next(e for _, e in reversed(events[:at]) if isinstance(e, Progress))
    assert after.elapsed_s - before.elapsed_s < waited
    assert course.elapsed_s == pytest.approx(events[-1][1].elapsed_s)
    same = jax.tree.map(np.array_equal, outcome.state.params, straight.state.params)
    assert all(jax.tree.leaves(same))


def test_a_paused_fit_shows_other_moments_and_can_be_stopped(started, slow_job):
    pause = Pause(looks=10_000)

    def preview_time():
        return 1.0 if pause.left < 9_995 else 3.0

    def should_stop():
        return pause.left < 9_990

    slow_job["output"]["checkpoint_every_s"] = slow_job["output"]["preview_every_s"] = 100
    loop, kept, _, _ = started(slow_job, should_stop, preview_time, pause)
    events, outcome = pause.watch(loop)
    at = next(k for k, (_, e) in enumerate(events) if isinstance(e, Paused))
    shown = [(e.step, e.time_ms) for _, e in events[at - 1 :] if isinstance(e, Preview)]
    step = events[at][1].step
    assert shown == [(step, 3.0), (step, 1.0)]
    assert (outcome.status, int(outcome.state.step), kept) == ("stopped", step, [step])


def test_a_pause_that_was_asked_for_early_comes_after_the_first_steps(started, job):
    pause = Pause(looks=4)
    pause.is_asked = True
    events, outcome = pause.watch(started(job, should_pause=pause)[0])
    kinds = [type(e) for _, e in events]
    assert kinds.index(Progress) < kinds.index(Paused)
    assert outcome.status == "finished"


@pytest.mark.parametrize("took_s", [0.01, 0.5, 2.0, 6.0, 15.0])
def test_what_is_not_kept_yet_is_never_more_than_ten_seconds_of_work(monkeypatch, took_s):
    now = [0.0]
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: now[0])
    pace = _Pace(5.0, loop_module._CHECKPOINT_PAUSE, loop_module._MOST_LOST_S)
    for _ in range(3):
        while not pace.due():
            now[0] += 0.05
        with pace.timed():
            now[0] += took_s
        ended = now[0]
        while not pace.due():
            now[0] += 0.05
        work_s = now[0] - ended
        assert work_s <= 10.05
        assert work_s >= min(took_s / 2, 5.0) - 0.05  # nor is there nothing but checkpoints
        if took_s <= 5:
            assert work_s + took_s <= 10.05


def test_slow_checkpoints_of_a_fit_come_within_the_bound(started, slow_job, monkeypatch):
    monkeypatch.setattr(loop_module, "_MOST_LOST_S", 1.0)
    ends = []

    def slow(snapshot):
        time.sleep(0.3)  # its share of a tenth would let 2.7 s go by
        ends.append(time.monotonic())

    drain(started(slow_job, should_stop=lambda: len(ends) == 4, checkpoint=slow)[0])
    assert np.median(np.diff(ends)) < 1.5
