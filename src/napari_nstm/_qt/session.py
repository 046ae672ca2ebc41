"""The window's side of the fitting process: keeps one warm, gives it runs, and says how each of them ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_nstm._qt.background import Background
from napari_nstm.core.data import RawData
from napari_nstm.core.errors import ChildError, in_one_sentence
from napari_nstm.core.events import Event, Failed, Finished, Prepared, Progress, Working
from napari_nstm.core.settings import Job
from napari_nstm.run.client import Child
from napari_nstm.run.protocol import Ready
from napari_nstm.run.runs import RunFolder

# A process that compiles, or still loads its libraries, cannot answer: what it reached is in its checkpoint.
_PATIENCE_BUSY_S, _PATIENCE_S = 0.25, 8.0
_POLL_MS = 25
# When the window closes: time for a last checkpoint.
_GRACE_S = 1.5
_ASKING = "asking"  # stands for the id of a question that is on its way


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Parameters
    ----------
    status
        `failed`: without having said that it finished or stopped.
    path
        Its store, or None where nothing was written.
    message
        One sentence.
    field
        Field of the form at fault, dotted; None: none is.
    """

    status: Literal["finished", "stopped", "diverged", "failed"]
    path: Path | None
    message: str
    field: str | None = None


@dataclass
class _Run:
    path: Path
    child: Child
    begin: Callable[["_Run"], str]
    run_id: str | None = None
    shown_ms: float | None = None
    shared: Any = None
    stop_asked_at: float | None = None
    busy: bool = True  # compiling, or not yet heard of
    heard: bool = False  # whether the process took it: an event came
    spare: bool = True  # may be given to another process, if its own was dead already


class FitSession(QObject):
    """One fitting process at a time, and at most one run in it.

    Nothing here waits: what takes time happens in a thread, or in the process.

    Parameters
    ----------
    runs
        Where the stores of runs go.
    parent
        Owner in Qt's sense.
    """

    happened = Signal(object)
    """Every event of the run that goes on, but its end; of previews and progress the newest."""
    ended = Signal(object)
    """`RunEnd` of the run."""
    estimated = Signal(object)
    """`Prepared` or `Failed`: the answer to the last `estimate`."""
    trouble = Signal(str)
    """The process ended while no run was in it: a sentence."""

    def __init__(self, runs: RunFolder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs = runs
        self._background = Background(self)
        self._child: Child | None = None
        self._dying: list[Child] = []
        self._ready = False
        self._run: _Run | None = None
        self._estimate_id: str | None = None
        self._estimate_wished: Callable[[], None] | None = None
        self._known: tuple[Child, RawData, Any] | None = None  # frames the process has already
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return self._run is not None

    @property
    def process_id(self) -> int | None:
        """Id of the fitting process, None while there is none."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def warm_up(self) -> None:
        """Start the fitting process, unless there is one."""
        if self._child is not None and self._ready and not self._child.alive:
            self._retire()  # it ended since the last look at it
        if self._child is None and not self._closed:
            child = self._child = Child(grace_s=_GRACE_S)
            self._ready = False
            self._background.submit(child.start, failed=partial(self._lost, child))
            self._timer.start()

    def run(self, job: Job, raw: Callable[[], RawData], path: Path, title: str) -> None:
        """Start a run of frames in memory.

        Parameters
        ----------
        job
            Its output path is `path`.
        raw
            Called in a thread; its frames are copied: what happens to them later does not touch the run.
        path
            Where its store goes.
        title
            What the user knows it as.
        """

        def begin(run: _Run) -> str:
            self._runs.claim(path, title)
            run.shared = run.child.share(raw())
            return run.child.run(job, path.parent, raw=run.shared)

        self._begin(path, begin)

    def resume(self, path: Path, title: str) -> None:
        """Go on with an interrupted run."""

        def begin(run: _Run) -> str:
            self._runs.claim(path, title)
            return run.child.resume(path)

        self._begin(path, begin)

    def stop(self) -> None:
        """End the run and keep what was reached; `ended` follows within half a second."""
        run = self._run
        if run is None or run.stop_asked_at is not None:
            return
        run.stop_asked_at = time.monotonic()
        if run.run_id is not None:
            self._say(run.child.stop, run.run_id)

    def show(self, time_ms: float) -> None:
        """Let the previews of the run show another moment."""
        run = self._run
        if run is not None:
            run.shown_ms = time_ms
            if run.run_id is not None:
                self._say(run.child.show, run.run_id, time_ms)

    def estimate(self, job: Job, raw: RawData, folder: Path) -> None:
        """Ask what a run would need; while a run goes on the question waits, and only the last one is answered."""
        if self._closed:
            return
        self._estimate_wished = partial(self._ask, job, raw, folder)
        self._ask_if_idle()

    @Slot()
    def shutdown(self) -> None:
        """End the process, with a checkpoint of its run; nothing is signalled any more."""
        if self._closed:
            return
        self._closed = True
        if isalive(self._timer):  # at the very end Qt's half of this object may be gone already
            self._timer.stop()
        self._background.close(wait=True)
        run = self._run
        for child in [*self._dying, *([self._child] if self._child is not None else [])]:
            # One that compiles could not answer anyway; its checkpoint is written before it begins to.
            if run is not None and run.child is child and not run.busy:
                child.close()
            elif child.alive:
                child.kill()
        if run is not None:
            self._runs.release(run.path)
        self._child, self._run, self._dying = None, None, []

    # -- inside -------------------------------------------------------------

    def _begin(self, path: Path, begin: Callable[[_Run], str]) -> None:
        if self._run is not None or self._closed:
            raise RuntimeError("a run goes on")
        self.warm_up()
        self._run = _Run(path, self._child, begin)
        self._hand_over(self._run)

    def _hand_over(self, run: _Run) -> None:
        self._background.submit(
            partial(run.begin, run), done=partial(self._begun, run), failed=partial(self._not_begun, run)
        )

    def _begun(self, run: _Run, run_id: str) -> None:
        run.run_id = run_id
        if self._run is not run:
            return
        if run.shown_ms is not None:
            self.show(run.shown_ms)
        if run.stop_asked_at is not None:
            self._say(run.child.stop, run_id)

    def _not_begun(self, run: _Run, error: Exception) -> None:
        if self._run is run and not (isinstance(error, ChildError) and self._begun_anew(run)):
            self._end(RunEnd("failed", None, in_one_sentence(error), getattr(error, "field", None)))

    def _begun_anew(self, run: _Run) -> bool:
        """Give a run whose process died before it took it to another process; once."""
        if run.heard or not run.spare or run.stop_asked_at is not None or self._closed:
            return False
        if self._child is run.child:
            self._retire()
        self.warm_up()
        again = self._run = _Run(run.path, self._child, run.begin, shown_ms=run.shown_ms, spare=False)
        self._hand_over(again)
        return True

    def _say(self, command: Callable[..., None], *values: Any) -> None:
        try:
            command(*values)
        except ChildError:
            self._poll()  # it is gone: the poll says how

    def _poll(self) -> None:
        child = self._child
        if child is None:
            return
        if self._id_on_its_way():
            if self._run_overdue():
                self._give_up()
            return
        try:
            events = child.poll()
        except ChildError as error:
            self._lost(child, error)
            return
        for event in events:
            if child is not self._child:
                return
            self._take(event)
        if self._run is not None and self._run_overdue():
            self._give_up()

    def _id_on_its_way(self) -> bool:
        """Whether events could come whose id is not known yet: they would be taken for another's."""
        return self._estimate_id == _ASKING or (self._run is not None and self._run.run_id is None)

    def _take(self, event: Event) -> None:
        run = self._run
        if isinstance(event, Ready):
            self._ready = True
        elif event.run_id and event.run_id == self._estimate_id:
            if isinstance(event, Prepared | Failed):
                self._estimate_id = None
                self.estimated.emit(event)
                self._ask_if_idle()
        elif run is not None and event.run_id == run.run_id:
            run.heard = True
            if isinstance(event, Finished):
                self._end(RunEnd(event.status, None if event.path is None else Path(event.path), event.message))
            elif isinstance(event, Failed):
                self._end(RunEnd("failed", _existing(run.path), event.message, event.field))
            else:
                if isinstance(event, Working):
                    run.busy = event.compiling
                elif isinstance(event, Progress):
                    run.busy = False
                self.happened.emit(event)

    def _run_overdue(self) -> bool:
        run = self._run
        if run is None or run.stop_asked_at is None:
            return False
        patience = _PATIENCE_BUSY_S if run.busy or not self._ready else _PATIENCE_S
        return time.monotonic() - run.stop_asked_at > patience

    def _give_up(self) -> None:
        """End a process that does not answer a stop, and start another."""
        run = self._run
        self._retire()
        self.warm_up()
        if run is not None:
            self._end(RunEnd("stopped", _existing(run.path), "Stopped."))

    def _retire(self) -> None:
        child, self._child = self._child, None
        self._ready, self._estimate_id, self._known = False, None, None
        if child is not None:
            self._dying.append(child)
            self._background.submit(child.kill, done=lambda _: self._dying.remove(child))

    def _lost(self, child: Child, error: Exception) -> None:
        if child is not self._child:
            return
        run = self._run
        self._retire()
        if run is not None and self._begun_anew(run):
            return
        if run is not None:
            self._end(RunEnd("failed", _existing(run.path), in_one_sentence(error)))
        elif not self._closed:
            self.trouble.emit(in_one_sentence(error))

    def _end(self, end: RunEnd) -> None:
        run, self._run = self._run, None

        def tidy_up() -> None:
            self._runs.release(run.path)
            if run.shared is not None:
                run.child.release(run.shared)

        self._background.submit(tidy_up)
        self.ended.emit(end)
        self._ask_if_idle()

    def _ask_if_idle(self) -> None:
        if self._run is None and self._estimate_id is None and self._estimate_wished is not None:
            wished, self._estimate_wished = self._estimate_wished, None
            wished()

    def _ask(self, job: Job, raw: RawData, folder: Path) -> None:
        self.warm_up()
        child = self._child

        def ask() -> str:
            if self._known is None or self._known[0] is not child or self._known[1] is not raw:
                if self._known is not None and self._known[0] is child:
                    child.release(self._known[2])
                self._known = (child, raw, child.share(raw))
            return child.estimate(job, folder, raw=self._known[2])

        def asked(run_id: str) -> None:
            if child is self._child:
                self._estimate_id = run_id

        def not_asked(error: Exception) -> None:
            if child is self._child:
                self._estimate_id = None
                self.estimated.emit(Failed("", getattr(error, "field", None), in_one_sentence(error)))

        self._estimate_id = _ASKING
        self._background.submit(ask, done=asked, failed=not_asked)


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
