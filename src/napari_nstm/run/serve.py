"""The child's side of the protocol: a thread that reads commands, a loop that runs jobs and sends events."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from napari_nstm.core.errors import InputError, NstmError, in_one_sentence
from napari_nstm.core.events import Event, Failed
from napari_nstm.run.environment import versions
from napari_nstm.run.job import job_from_mapping
from napari_nstm.run.protocol import ArrayFolder, Ready, decode_command, encode_event
from napari_nstm.run.reconstruct import iter_estimate, iter_reconstruct, iter_resume
from napari_nstm.run.shared import read_raw


class ParentGoneError(Exception):
    """Nobody reads the events any more."""


class Inbox:
    """Commands from the parent, read by a thread of its own.

    Parameters
    ----------
    stream
        Where commands come from, a line each.
    on_closed
        Called, in the thread, when the stream ends or a command says quit.
    """

    def __init__(self, stream: IO[str], on_closed: Callable[[], None]) -> None:
        self.closing = threading.Event()
        self._jobs: queue.Queue[dict[str, Any] | InputError | None] = queue.Queue()
        self._stopped: set[str] = set()
        self._paused: set[str] = set()
        self._shown_ms: dict[str, float] = {}
        self._stream, self._on_closed = stream, on_closed
        self._thread = threading.Thread(target=self._read, name="commands", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def jobs(self) -> Iterator[dict[str, Any] | InputError]:
        """Wait for commands that start a run (or that were wrong), until the end."""
        while (command := self._jobs.get()) is not None:
            yield command

    def stop_asked(self, run_id: str) -> bool:
        """Whether the parent wants this run to stop and keep what was reached."""
        return run_id in self._stopped

    def pause_asked(self, run_id: str) -> bool:
        """Whether the parent wants this run to wait."""
        return run_id in self._paused

    def shown_ms(self, run_id: str) -> float | None:
        """Moment that the previews of this run are to show; None: the run's own choice."""
        return self._shown_ms.get(run_id)

    def _read(self) -> None:
        try:
            for line in self._stream:
                if line.strip() and not self._take(line):
                    break
        finally:
            self.closing.set()
            self._jobs.put(None)
            self._on_closed()

    def _take(self, line: str) -> bool:
        try:
            command = decode_command(line)
        except InputError as error:
            self._jobs.put(error)
            return True
        if command["command"] == "stop":
            self._stopped.add(command["run_id"])
        elif command["command"] == "pause":
            self._paused.add(command["run_id"])
        elif command["command"] == "go_on":
            self._paused.discard(command["run_id"])
        elif command["command"] == "show":
            self._shown_ms[command["run_id"]] = command["time_ms"]
        elif command["command"] != "quit":
            self._jobs.put(command)
        return bool(command["command"] != "quit")


class Outbox:
    """Events to the parent.

    Parameters
    ----------
    stream
        Where events go, a line each.
    folder
        Where their arrays go.
    """

    def __init__(self, stream: IO[str], folder: Path) -> None:
        self._stream, self._arrays = stream, ArrayFolder(folder)

    def send(self, event: Event) -> None:
        """Send one event; raises `ParentGoneError` if nobody reads."""
        line = encode_event(event, self._arrays)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError as error:
            raise ParentGoneError from error


def serve(inbox: Inbox, outbox: Outbox) -> None:
    """Load jax, say so, and run one job after another until the parent is gone."""
    # Loads jax: seconds, in which the inbox listens already.
    import_module("napari_nstm.run.loop")
    # Starts its backends too, which the first run would wait for otherwise.
    import_module("jax").devices()

    outbox.send(Ready("", versions()))
    # What the first run would import on its way, while the user still fills in the form.
    for name in ("scipy.fft", "scipy.ndimage", "yaozarrs", "zarr"):
        import_module(name)
    for command in inbox.jobs():
        if inbox.closing.is_set():
            break
        if isinstance(command, InputError):
            outbox.send(Failed("", command.field, str(command)))
            continue
        run_id = command["run_id"]
        try:
            with closing(_events_of(command, inbox)) as events:
                for event in events:
                    outbox.send(event)
                    if inbox.closing.is_set():
                        break  # closing the generator writes a checkpoint
        except ParentGoneError:
            raise
        except KeyboardInterrupt:
            break
        except NstmError as error:
            outbox.send(Failed(run_id, getattr(error, "field", None), str(error)))
        except Exception as error:  # noqa: BLE001 -- the parent must hear of a defect; the traceback is in the log
            traceback.print_exc()
            outbox.send(Failed(run_id, None, in_one_sentence(error)))


def _events_of(command: dict[str, Any], inbox: Inbox) -> Generator[Event, None, None]:
    run_id = command["run_id"]
    raw = None if command.get("raw") is None else read_raw(command["raw"])

    def should_stop() -> bool:
        if inbox.closing.is_set():
            raise KeyboardInterrupt  # as in a terminal: it checkpoints and ends
        return inbox.stop_asked(run_id)

    controls: dict[str, Any] = {
        "should_stop": should_stop,
        "should_pause": partial(inbox.pause_asked, run_id),
        "preview_time": partial(inbox.shown_ms, run_id),
        "run_id": run_id,
    }
    if command["command"] == "resume":
        return iter_resume(command["store"], raw, steps=command.get("steps"), **controls)
    job = job_from_mapping(command["job"])
    base_dir, overwrite = command["base_dir"], bool(command.get("overwrite", False))
    if command["command"] == "estimate":
        return iter_estimate(job, raw, base_dir=base_dir, overwrite=overwrite, run_id=run_id)
    return iter_reconstruct(job, raw, base_dir=base_dir, overwrite=overwrite, **controls)
