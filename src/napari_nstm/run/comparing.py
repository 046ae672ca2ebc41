"""Comparisons that take minutes: made once the fit is stored, with progress, and kept as far as they came."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from napari_nstm.core.data import Comparison, SlowComparison
from napari_nstm.core.errors import StoreError, in_one_sentence
from napari_nstm.core.events import Event, Finished, Working
from napari_nstm.io.store import StoredResult, StoreWriter
from napari_nstm.run.patience import Controls, Patience
from napari_nstm.run.plan import Plan
from napari_nstm.run.result import Result

# How often a stop is looked for, and how often progress is told at most (seconds).
_POLL_S, _TELL_S = 0.02, 0.3

_log = logging.getLogger(__name__)


def asked_for(plan: Plan) -> tuple[SlowComparison, ...]:
    """Return the slow comparisons that a job asks for; nothing is made yet."""
    ask = getattr(plan.modality, "slow_comparisons", None)
    return () if ask is None else tuple(ask(plan.raw, plan.settings, plan.output_times_ms))


def left_out(slow: tuple[SlowComparison, ...]) -> str:
    """Say, to be appended to a message, that these are not made; nothing where there are none."""
    return "".join(f" {one.title} was left out." for one in slow)


def finish_comparing(plan: Plan, writer: StoreWriter, controls: Controls) -> Generator[Event, None, None]:
    """Make what a run that was killed after its fit still owes; the last event is `Finished`.

    Parameters
    ----------
    plan
        The run's.
    writer
        Of its store, which is complete but for slow comparisons.
    controls
        What can be asked of the run.
    """
    there = writer.record.comparisons
    slow = tuple(one for one in asked_for(plan) if one.name not in there)
    with Patience(controls.should_stop) as patience:
        message = yield from compare(slow, writer, controls, patience)
    if not slow:
        writer.extend((), awaits_comparisons=False)  # the modality of another version may know it no longer
    result = Result.of(StoredResult(writer.path, writer.record), "finished", message)
    yield Finished(controls.run_id, "finished", str(writer.path), message, result)


def compare(
    slow: tuple[SlowComparison, ...], writer: StoreWriter, controls: Controls, patience: Patience
) -> Generator[Event, None, str]:
    """Make comparisons one after another and add them to a complete store.

    A stop ends the one at work within an iteration and keeps what it reached; those after it are left out. One that
    fails takes nothing with it.

    Returns
    -------
    str
        The store's message, with a sentence for each that was not made to its end.
    """
    message = writer.record.message
    for index, one in enumerate(slow):
        rest: dict[str, Any] = {"awaits_comparisons": index + 1 < len(slow)}
        try:
            made, said, timings = yield from _make(one, controls, patience)
            timings = {**writer.record.timings_s, **timings}
            writer.extend(made, message=message + said, timings_s=timings, **rest)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the fit's result is there, and the user is told
            _log.debug("%s failed", one.title, exc_info=True)
            said = f" {one.title} failed: {in_one_sentence(error).rstrip('.')}."
            with suppress(StoreError):  # a full disk: then the store goes on to say what it lacks
                writer.extend((), message=message + said, **rest)
        message += said
    return message


def _make(
    one: SlowComparison, controls: Controls, patience: Patience
) -> Generator[Event, None, tuple[tuple[Comparison, ...], str, dict[str, float]]]:
    """Make one, as far as it comes; return it, what is to be said of it, and the time it took."""
    from napari_nstm.run.loop import device_errors

    if controls.should_stop():
        return (), left_out((one,)), {}
    course, began = _Course(), time.monotonic()
    with device_errors():
        made = yield from _followed(one, course, controls, patience)
    said = course.end_of(one.title)
    if made is None:
        return (), said or f" {one.title} gave nothing.", {}
    return (made,), said, {one.name: time.monotonic() - began}


def _followed(
    one: SlowComparison, course: _Course, controls: Controls, patience: Patience
) -> Generator[Event, None, Comparison | None]:
    yield Working(controls.run_id, one.title)
    future = patience.begin(partial(one.make, course))
    told: _Moment | None = None
    next_tell = time.monotonic()
    try:
        while not wait([future], _POLL_S).done:
            now = course.now
            if controls.should_stop():
                course.wanted = False
            elif now is not None and now is not told and time.monotonic() >= next_tell:
                told, next_tell = now, time.monotonic() + _TELL_S
                yield Working(controls.run_id, now.what, done=now.done, total=now.total, remaining_s=now.remaining_s)
        return future.result()
    finally:
        course.wanted = False  # whoever drops the run does not wait for the rest of it


@dataclass(frozen=True)
class _Moment:
    what: str
    done: int
    total: int
    at_s: float
    first: _Moment | None  # after the first iteration, which may compile: it says nothing about the others

    @property
    def remaining_s(self) -> float | None:
        if self.first is None or self.done <= self.first.done:
            return None
        pace_s = (self.at_s - self.first.at_s) / (self.done - self.first.done)
        return max(0.0, pace_s * (self.total - self.done))


class _Course:
    """The `Watch` of a comparison: called in the thread that works, read in the one that listens."""

    def __init__(self) -> None:
        self.wanted = True
        self.now: _Moment | None = None
        self._ended = False

    def __call__(self, what: str, done: int, total: int, image: NDArray[Any] | None = None, /) -> bool:
        before, first = self.now, None
        if before is not None and before.what == what and 0 < before.done <= done:
            first = before.first or before
        self.now = _Moment(what, done, total, time.monotonic(), first)
        self._ended = self._ended or not self.wanted
        return not self._ended

    def end_of(self, title: str) -> str:
        """Say how far it came, where it was asked to end before it was done."""
        now = self.now
        if now is None or not self._ended or now.done >= now.total:
            return ""
        return f" {title} was stopped at iteration {now.done} of {now.total}."
