"""The parent's side of the child process: start it, give it jobs, read its events, stop or kill it."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast
from uuid import uuid4

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import ChildError
from napari_nstm.core.events import Event, Failed, Finished, Prepared, Preview, Progress
from napari_nstm.core.settings import Job
from napari_nstm.run.launch import how_it_ended, start_process
from napari_nstm.run.protocol import Ready, decode_event
from napari_nstm.run.shared import SharedRaw, remove_raw, write_raw

Raw = RawData | SharedRaw | None


class Child:
    """A process that fits; it takes one job after another.

    Every method may be called from any thread; none waits for the fit, except `events` and `wait_ready`.

    Parameters
    ----------
    environment
        Variables for the process beside those of this one.
    grace_s
        Seconds that a run has for its checkpoint when the process is closed, or this one ends in any way.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, grace_s: float = 5.0) -> None:
        self._environment, self._grace_s = dict(environment or {}), grace_s
        self._process: subprocess.Popen[str] | None = None
        self._folder = Path()
        self._incoming: queue.Queue[Event | None] = queue.Queue()
        self._estimates: set[str] = set()
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None
        self._closed = False

    # -- life ---------------------------------------------------------------

    def start(self) -> Child:
        """Start the process; returns at once (it is ready some seconds later)."""
        if self._process is not None:
            raise ChildError("This process was started before; make a new one.")
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="napari-nstm-"))
            self._process = start_process(self._folder, self.log_path, self._grace_s, self._environment)
        except OSError as error:
            if self._folder != Path():
                shutil.rmtree(self._folder, ignore_errors=True)
            reason = error.strerror or type(error).__name__
            raise ChildError(f"The fitting process could not be started: {reason}.") from error
        self._reader = threading.Thread(target=self._read, args=(self._process,), name="events", daemon=True)
        self._reader.start()
        return self

    def __enter__(self) -> Child:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close() if error is None else self.kill()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._started().pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path:
        """File with what its libraries print."""
        return self._folder / "log.txt"

    def close(self, grace_s: float | None = None) -> None:
        """End the process: a run in it checkpoints first.

        Parameters
        ----------
        grace_s
            Seconds to wait for that before it is killed; default: those of the process, and some.
        """
        process = self._started()
        self._closed = True
        if process.stdin is not None:
            with suppress(OSError):  # it ended before, with a command unread
                process.stdin.close()
        try:
            process.wait(self._grace_s + 3.0 if grace_s is None else grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._clean_up(process)

    def kill(self) -> None:
        """End the process at once; what was checkpointed stays."""
        process = self._started()
        self._closed = True
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._clean_up(process)

    # -- commands -----------------------------------------------------------

    def share(self, raw: RawData) -> SharedRaw:
        """Hand over raw data that are in no file, once for any number of jobs; see `release`."""
        if not self.alive or self._closed:
            raise self._death()
        return write_raw(self._folder, raw)

    def release(self, shared: SharedRaw) -> None:
        """Give back the space of shared raw data; a run that has begun on them goes on."""
        remove_raw(shared)

    def run(self, job: Job, base_dir: str | Path = ".", raw: Raw = None, *, overwrite: bool = False) -> str:
        """Start a job (after those before it) and return the id that all its events carry.

        Parameters
        ----------
        job, base_dir
            The job, and the folder its paths are relative to.
        raw
            Raw data that are in no file; they stand in for the job's path.
        overwrite
            Replace an existing result store.
        """
        return self._begin("run", {**_described(job, base_dir), "overwrite": overwrite}, raw)

    def estimate(self, job: Job, base_dir: str | Path = ".", raw: Raw = None, *, overwrite: bool = False) -> str:
        """Ask what a job would need, without running it; returns the id of its events.

        They end with `Prepared` or `Failed`. Parameters as `run`.
        """
        return self._begin("estimate", {**_described(job, base_dir), "overwrite": overwrite}, raw)

    def resume(self, store: str | Path, raw: Raw = None, *, steps: int | None = None) -> str:
        """Go on with the run of a store, from its last checkpoint; returns the id of its events.

        Parameters
        ----------
        store
            The store.
        raw
            Raw data in place of those it names; they must be the same.
        steps
            So many steps beyond the end of the run; a run that is finished goes on with them.
        """
        beyond = {} if steps is None else {"steps": steps}
        return self._begin("resume", {"store": str(Path(store).absolute()), **beyond}, raw)

    def show(self, run_id: str, time_ms: float) -> None:
        """Let the previews of a run show this moment from now on (default: the middle frame's)."""
        self.send({"command": "show", "run_id": run_id, "time_ms": float(time_ms)})

    def stop(self, run_id: str) -> None:
        """Ask a run to stop and keep what was reached: `Finished` with status `stopped` follows."""
        self.send({"command": "stop", "run_id": run_id})

    def pause(self, run_id: str) -> None:
        """Let a fit wait, without using a processor: `Paused` follows; of a run that prepares, at its first step."""
        self.send({"command": "pause", "run_id": run_id})

    def go_on(self, run_id: str) -> None:
        """Let a fit that waits go on."""
        self.send({"command": "go_on", "run_id": run_id})

    def send(self, command: Mapping[str, Any]) -> None:
        """Send a command as it is; raises `ChildError` if the process is gone."""
        process = self._started()
        if process.stdin is None or self._closed:
            raise self._death()
        try:
            with self._lock:
                process.stdin.write(json.dumps(command) + "\n")
                process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._death() from error

    # -- events -------------------------------------------------------------

    def poll(self) -> list[Event]:
        """Return what came since the last call; of progress and previews of a run only the newest.

        Raises
        ------
        ChildError
            If the process ended by itself, after its last events were returned.
        """
        found: list[Event] = []
        while True:
            try:
                event = self._incoming.get_nowait()
            except queue.Empty:
                return _newest(found)
            if event is None:
                if found:
                    self._incoming.put(None)
                    return _newest(found)
                if not self._closed:
                    self._incoming.put(None)
                    raise self._death()
                return []
            found.append(event)

    def events(self, run_id: str, timeout_s: float | None = None) -> Iterator[Event]:
        """Yield every event of a run, the last is `Finished` or `Failed`; events of other runs are dropped.

        An estimate ends with `Prepared` or `Failed`.

        Raises
        ------
        ChildError
            If the process ends first, or says nothing for `timeout_s` seconds.
        """
        while True:
            try:
                event = self._incoming.get(timeout=timeout_s)
            except queue.Empty as error:
                raise ChildError(f"The fitting process said nothing for {timeout_s:g} s.") from error
            if event is None:
                self._incoming.put(None)
                raise self._death()
            if event.run_id == run_id:
                yield event
                if self._is_last(event):
                    return

    def wait_ready(self, timeout_s: float = 120.0) -> Ready:
        """Wait until the process has loaded its libraries; events that came before are dropped."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                event = self._incoming.get(timeout=left)
            except queue.Empty:
                break
            if event is None:
                self._incoming.put(None)
                raise self._death()
            if isinstance(event, Ready):
                return event
        raise ChildError(f"The fitting process was not ready after {timeout_s:g} s.")

    # -- inside -------------------------------------------------------------

    def _begin(self, name: str, command: Mapping[str, Any], raw: Raw) -> str:
        run_id = uuid4().hex[:12]
        if isinstance(raw, SharedRaw) and raw.folder != self._folder:
            raise ChildError("These raw data were shared with another process.")
        if isinstance(raw, RawData):
            raw = write_raw(self._folder, raw, run_id)
        written = {} if raw is None else {"raw": dict(raw.content)}
        if name == "estimate":
            self._estimates.add(run_id)
        self.send({"command": name, "run_id": run_id, **command, **written})
        return run_id

    def _is_last(self, event: Event) -> bool:
        return isinstance(event, Finished | Failed) or (isinstance(event, Prepared) and event.run_id in self._estimates)

    def _read(self, process: subprocess.Popen[str]) -> None:
        stream = cast(IO[str], process.stdout)
        try:
            for line in stream:
                try:
                    event = decode_event(line, self._folder)
                except ValueError as error:
                    event = Failed("", None, f"The fitting process sent what is no event ({error}).")
                if event is None:
                    continue
                if self._is_last(event):
                    self._forget(event.run_id)
                self._incoming.put(event)
        finally:
            stream.close()
            process.wait()
            self._incoming.put(None)

    def _forget(self, run_id: str) -> None:
        if run_id:
            for path in self._folder.glob(f"{run_id}-*.npy"):
                with suppress(OSError):  # Windows: still mapped; it goes with the folder
                    path.unlink()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise ChildError("The fitting process was not started.")
        return self._process

    def _death(self) -> ChildError:
        process = self._started()
        status = process.poll()
        if self._closed:
            return ChildError("The fitting process was ended.")
        return ChildError(how_it_ended(status, self.log_path))

    def _clean_up(self, process: subprocess.Popen[str]) -> None:
        if process.stdin is not None and not process.stdin.closed:
            with suppress(OSError):  # it ended before, with a command unread
                process.stdin.close()
        if self._reader is not None:
            self._reader.join()
        shutil.rmtree(self._folder, ignore_errors=True)


def _described(job: Job, base_dir: str | Path) -> dict[str, Any]:
    return {"job": job.model_dump(mode="json", exclude_unset=True), "base_dir": str(Path(base_dir).absolute())}


def _newest(events: list[Event]) -> list[Event]:
    seen: set[tuple[str, type[Event]]] = set()
    kept: list[Event] = []
    for event in reversed(events):
        key = (event.run_id, type(event))
        if isinstance(event, Progress | Preview) and key in seen:
            continue
        seen.add(key)
        kept.append(event)
    return kept[::-1]
