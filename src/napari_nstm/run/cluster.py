"""Parts on a Dask cluster that is there already: one task each, its events back through the scheduler.

Nothing is moved but commands and short events: workers read the frames and write the stores themselves, on a disk that
all of them see. A part whose worker is lost is begun again by Dask on another one, and goes on from its checkpoint.
"""

from __future__ import annotations

import importlib.metadata
import math
import queue
import threading
import time
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_nstm.core.errors import InputError, in_one_sentence
from napari_nstm.core.events import Checkpointed, Event, Failed, Finished, Notice, Preview, Progress
from napari_nstm.run.parts import Part, PartEvent, events_of, may_begin_anew
from napari_nstm.run.patience import Controls
from napari_nstm.run.protocol import ArrayFolder, decode_event, encode_event

if TYPE_CHECKING:
    from distributed import Client

_FIELD, _PACKAGE = "compute.scheduler", "napari-nstm"
_CONNECT_S = 10.0
# How often workers ask whether to stop or wait, events of one kind are sent at most, and this side looks around.
_ASK_S, _TELL_S, _LOOK_S = 0.5, 0.3, 0.1
# How long parts that are at work may take to stop; a worker that was lost never answers.
_STOP_S = 60.0

# A fit takes all cores, and all memory of a GPU: one at a time in a process.
_one_at_a_time = threading.Lock()


def run_on_cluster(parts: Sequence[Part], controls: Controls, scheduler: str) -> Generator[PartEvent, None, None]:
    """Carry out parts on the workers of a scheduler; parameters and events as `parts.run_parts`.

    Previews do not come back. A part that is begun again because its worker was lost says so in a `Notice`.

    Raises
    ------
    InputError
        If no scheduler answers, or a worker has another napari-nstm; field `compute.scheduler`.
    """
    if not parts:
        return
    with _connected(scheduler) as client:
        notices = _check_workers(client, scheduler)
        run = _Run(client, parts, controls)
        try:
            for sentence in notices:
                yield PartEvent(0, Notice(controls.run_id, sentence))
            yield from run.events()
        finally:
            run.close()


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        takes = "nothing without the package `distributed` (pip install 'napari-nstm[distributed]')"
        raise InputError(_FIELD, repr(scheduler), takes) from error
    # A path of Windows has a colon too, but no scheme.
    where = {"address": scheduler} if "://" in scheduler else {"scheduler_file": str(Path(scheduler).expanduser())}
    takes = "the address (tcp://host:8786) or the scheduler file of a Dask scheduler that runs"
    if "scheduler_file" in where and not Path(where["scheduler_file"]).is_file():
        raise InputError(_FIELD, f"{scheduler!r}, which is no address and no file", takes)
    try:
        client = Client(**where, timeout=_CONNECT_S, set_as_default=False, name="napari-nstm")
    except (OSError, ValueError, KeyError, TimeoutError) as error:
        raise InputError(_FIELD, f"{scheduler!r}, where none answers", takes) from error
    try:
        yield client
    finally:
        client.close(timeout=_CONNECT_S)


def _check_workers(client: Client, scheduler: str) -> list[str]:
    """Return what the user should know of the workers; raise where they have another napari-nstm."""
    mine = importlib.metadata.version(_PACKAGE)
    # A function of the standard library: it can be asked of a worker that lacks everything else.
    theirs = client.run(importlib.metadata.version, _PACKAGE, on_error="return")
    for address, version in theirs.items():
        is_missing = isinstance(version, importlib.metadata.PackageNotFoundError)
        # Any other error: it was lost while it was asked.
        if is_missing or (isinstance(version, str) and version != mine):
            found = "no napari-nstm" if is_missing else f"napari-nstm {version}"
            takes = f"workers that have napari-nstm {mine}, as this process has"
            raise InputError(_FIELD, f"{scheduler}, whose worker {address} has {found}", takes)
    if not theirs:
        return ["The cluster has no workers yet: the work waits for them."]
    threads = max(client.nthreads().values())
    if threads > 1:
        return [f"Workers have up to {threads} threads, of which a fit needs one (dask worker --nthreads 1)."]
    return []


class _Run:
    """Parts that are under way on a cluster."""

    def __init__(self, client: Client, parts: Sequence[Part], controls: Controls) -> None:
        from distributed import Variable

        self._parts, self._controls = parts, controls
        self._topic = f"napari-nstm-{uuid4().hex}"
        self._client = client
        self._inbox: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._attempts: dict[int, str] = {}
        self._asked, self._stop_by = "go on", math.inf
        self._wish = Variable(self._topic, client=client)
        self._wish.set(self._asked)
        client.subscribe_topic(self._topic, lambda event: self._inbox.put(event[1]))
        resources = {"GPU": 1} if _have_gpus(client) else None
        self._futures: list[Any] = []
        for index, part in enumerate(parts):
            before = None if part.after is None else self._futures[part.after]
            self._futures.append(
                client.submit(
                    _work,
                    dict(part.command),
                    index,
                    self._topic,
                    controls.run_id,
                    importlib.metadata.version(_PACKAGE),
                    before,
                    key=f"{self._topic}-{index}",
                    pure=False,
                    resources=resources,
                )
            )

    def events(self) -> Generator[PartEvent, None, None]:
        """Yield events as they come, and the last of each part from its task, which no loss of a message can lose."""
        pending = set(range(len(self._parts)))
        while pending:
            self._pass_on_wishes(pending)
            ended = [index for index in sorted(pending) if self._futures[index].done()]
            yield from self._told(pending)
            for index in ended:
                last = self._last(index)
                if last is None:  # it was lost once more, and begins again
                    continue
                pending.discard(index)
                if index in self._attempts or not isinstance(last, Finished) or last.path is not None:
                    yield PartEvent(index, last)
            if not ended:
                time.sleep(_LOOK_S)

    def close(self) -> None:
        """Let go of the cluster; parts that still run are asked to stop, and keep what they reached."""
        with suppress(Exception):  # the scheduler may be gone: then there is nothing to let go of
            if not all(future.done() for future in self._futures):
                self._wish.set("stop")
                self._client.cancel(self._futures)
            elif self._asked != "stop":  # otherwise someone may still have to read it
                self._wish.delete()
            self._client.unsubscribe_topic(self._topic)

    def _pass_on_wishes(self, pending: set[int]) -> None:
        wish = "go on"
        if self._controls.should_stop():
            wish = "stop"
        elif self._controls.should_pause():
            wish = "pause"
        if wish != self._asked:
            self._asked = wish
            with suppress(OSError):  # the scheduler is gone: parts end with that
                self._wish.set(wish)
            if wish == "stop":
                self._stop_by = time.monotonic() + _STOP_S
                # What waits for a worker would wait for ever where there is none.
                self._cancel(pending - set(self._attempts))
        if time.monotonic() > self._stop_by:
            self._cancel(pending)

    def _cancel(self, indices: Collection[int]) -> None:
        with suppress(OSError):
            self._client.cancel([self._futures[index] for index in indices])

    def _told(self, pending: set[int]) -> Iterator[PartEvent]:
        while True:
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return
            index, attempt = message["part"], message["attempt"]
            if index not in pending:
                continue
            if message["event"] is None:  # a task begins
                if index in self._attempts:
                    name = self._parts[index].name
                    text = f"{name[:1].upper()}{name[1:]} is begun again: its worker was lost."
                    yield PartEvent(index, Notice(self._controls.run_id, text))
                self._attempts[index] = attempt
            elif self._attempts.get(index) == attempt:
                event = decode_event(message["event"], Path())
                if event is not None:
                    yield PartEvent(index, event)

    def _last(self, index: int) -> Event | None:
        """Return how a part ended; None where its result was lost with its worker."""
        future, run_id = self._futures[index], self._controls.run_id
        if future.status == "cancelled" and self._asked == "stop":
            begun = "Stopped; its worker does not answer, and what it has checkpointed is kept."
            return Finished(run_id, "stopped", None, begun if index in self._attempts else "Stopped before it began.")
        error: BaseException | None = None
        try:
            if future.status == "finished":
                return decode_event(future.result(timeout=_LOOK_S), Path())
            error = future.exception(timeout=_LOOK_S) if future.status == "error" else None
        except (OSError, TimeoutError, CancelledError):
            return None
        if error is None:
            text = "the scheduler has dropped it, or does not answer any more"
        elif type(error).__name__ == "KilledWorker":
            text = "every worker that began it was lost, one after another"
        else:
            text = in_one_sentence(error).rstrip(".")
        return Failed(run_id, None, f"The cluster could not do it: {text}.")


def _have_gpus(client: Client) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(worker.get("resources", {}).get("GPU") for worker in workers)


# -- on a worker ----------------------------------------------------------------


def _work(
    command: Mapping[str, Any], index: int, topic: str, run_id: str, version: str, before: str | None = None
) -> str:
    """Carry out one part on a worker, and return its last event as JSON."""
    from distributed import get_client, get_worker

    worker, attempt = get_worker(), uuid4().hex
    arrays = ArrayFolder(Path())  # never used: events with arrays stay here

    def tell(line: str | None) -> None:
        worker.log_event(topic, {"part": index, "attempt": attempt, "event": line})

    mine = importlib.metadata.version(_PACKAGE)
    if mine != version:  # it came later than the others, which were asked
        text = f"The worker {worker.address} has napari-nstm {mine}; the job is of {version}."
        return encode_event(Failed(run_id, _FIELD, text), arrays)
    if before is not None and isinstance(decode_event(before, Path()), Failed) and not may_begin_anew(command):
        return encode_event(Failed(run_id, None, "Not begun, because what it needs failed."), arrays)
    with _one_at_a_time, _Wishes(topic, get_client()) as wishes:
        tell(None)
        controls = Controls(run_id, should_stop=wishes.stop.is_set, should_pause=wishes.pause.is_set)
        if wishes.stop.is_set():
            return encode_event(Finished(run_id, "stopped", None, "Stopped before it began."), arrays)
        last: Event = Failed(run_id, None, "It ended without a result.")
        told_s: dict[type[Event], float] = {}
        for event in events_of(command, controls):
            last = event
            if isinstance(event, Preview | Finished | Failed):
                continue
            now = time.monotonic()
            if isinstance(event, Progress | Checkpointed) and now - told_s.get(type(event), 0.0) < _TELL_S:
                continue
            told_s[type(event)] = now
            tell(encode_event(event, arrays))
        return encode_event(last, arrays)


@dataclass
class _Wishes:
    """What the user wishes, asked for in a thread of its own while a part is worked on."""

    topic: str
    client: Any
    stop: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> _Wishes:
        from distributed import Variable

        self._variable = Variable(self.topic, client=self.client)
        self._ask()
        self._thread = threading.Thread(target=self._listen, name="wishes", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(_CONNECT_S)

    def _listen(self) -> None:
        while not self._ended.wait(_ASK_S):
            self._ask()

    def _ask(self) -> None:
        try:
            wish = self._variable.get(timeout=_CONNECT_S)
        except (OSError, TimeoutError):
            return  # the scheduler is busy, or whoever asked is gone: the part goes on
        (self.stop.set if wish == "stop" else self.stop.clear)()
        (self.pause.set if wish == "pause" else self.pause.clear)()
