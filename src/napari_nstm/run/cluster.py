"""Parts on a Dask cluster that is there already: one task each, its events back through the scheduler.

Nothing is moved but commands and short events: workers read the frames and write the stores themselves, on a disk that
all of them see. A part whose worker is lost is begun again by Dask on another one, and goes on from its checkpoint.
"""

from __future__ import annotations

import importlib.metadata
import queue
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_nstm.core.errors import InputError, in_one_sentence
from napari_nstm.core.events import Checkpointed, Event, Failed, Finished, Notice, Preview, Progress
from napari_nstm.run.parts import Part, PartEvent, events_of
from napari_nstm.run.patience import Controls
from napari_nstm.run.protocol import ArrayFolder, decode_event, encode_event

if TYPE_CHECKING:
    from distributed import Client

_FIELD = "compute.scheduler"
_CONNECT_S = 10.0
# How often workers ask whether to stop or wait, events of one kind are sent at most, and this side looks around.
_ASK_S, _TELL_S, _LOOK_S = 0.5, 0.3, 0.1

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
    with _connected(scheduler) as client:
        run = _Run(client, parts, controls)
        for sentence in _check_workers(client, scheduler):
            yield PartEvent(0, Notice(controls.run_id, sentence))
        try:
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
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(_FIELD, f"{scheduler!r}, where none answers", takes) from error
    try:
        yield client
    finally:
        client.close(timeout=_CONNECT_S)


def _check_workers(client: Client, scheduler: str) -> list[str]:
    """Return what the user should know of the workers; raise where they have another napari-nstm."""
    mine = importlib.metadata.version("napari-nstm")
    # A function of the standard library: it can be asked of a worker that lacks everything else.
    theirs = client.run(importlib.metadata.version, "napari-nstm", on_error="return")
    for address, version in theirs.items():
        if version != mine:
            found = f"napari-nstm {version}" if isinstance(version, str) else "no napari-nstm"
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
        self._asked = "go on"
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
            self._pass_on_wishes()
            ended = [index for index in sorted(pending) if self._futures[index].done()]
            yield from self._told(pending)
            for index in ended:
                pending.discard(index)
                yield PartEvent(index, self._last(index))
            if not ended:
                time.sleep(_LOOK_S)

    def close(self) -> None:
        """Let go of the cluster; parts that still run are asked to stop, and keep what they reached."""
        with suppress(Exception):  # the scheduler may be gone: then there is nothing to let go of
            if not all(future.done() for future in self._futures):
                self._wish.set("stop")
                self._client.cancel(self._futures)
            else:
                self._wish.delete()
            self._client.unsubscribe_topic(self._topic)

    def _pass_on_wishes(self) -> None:
        wish = "go on"
        if self._controls.should_stop():
            wish = "stop"
        elif self._controls.should_pause():
            wish = "pause"
        if wish != self._asked:
            self._asked = wish
            self._wish.set(wish)

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
                    text = f"{self._parts[index].name.capitalize()} is begun again: its worker was lost."
                    yield PartEvent(index, Notice(self._controls.run_id, text))
                self._attempts[index] = attempt
            elif self._attempts.get(index) == attempt:
                event = decode_event(message["event"], Path())
                if event is not None:
                    yield PartEvent(index, event)

    def _last(self, index: int) -> Event:
        future = self._futures[index]
        if future.status == "finished":
            event = decode_event(future.result(), Path())
            if event is not None:
                return event
        error = future.exception() if future.status == "error" else None
        text = "it was cancelled" if error is None else in_one_sentence(error).rstrip(".")
        return Failed(self._controls.run_id, None, f"The cluster could not do it: {text}.")


def _have_gpus(client: Client) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(worker.get("resources", {}).get("GPU") for worker in workers)


# -- on a worker ----------------------------------------------------------------


def _work(command: Mapping[str, Any], index: int, topic: str, run_id: str, before: Any = None) -> str:
    """Carry out one part on a worker, and return its last event as JSON."""
    from distributed import get_client, get_worker

    worker, attempt = get_worker(), uuid4().hex
    arrays = ArrayFolder(Path())  # never used: events with arrays stay here

    def tell(line: str | None) -> None:
        worker.log_event(topic, {"part": index, "attempt": attempt, "event": line})

    if before is not None and decode_event(before, Path()).__class__ is Failed:
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
