"""The window's side of the fitting process: keeps one warm, gives it runs, and says how each of them ended."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_nstm._qt.background import Background
from napari_nstm._qt.running.run_in_hand import RunInHand
from napari_nstm.core.data import RawData
from napari_nstm.core.errors import ChildError, StoreError, in_one_sentence
from napari_nstm.core.events import Event, Failed, Finished, Paused, Prepared, Progress, Working
from napari_nstm.core.settings import Job
from napari_nstm.run.client import Child
from napari_nstm.run.protocol import Ready
from napari_nstm.run.runs import RunFolder

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
        `failed`: without having said that it finished or stopped; `discarded`: as the user asked.
    path
        Its store, or None where nothing was written.
    message
        One sentence.
    field
        Field of the form at fault, dotted; None: none is.
    """

    status: Literal["finished", "stopped", "diverged", "failed", "discarded"]
    path: Path | None
    message: str
    field: str | None = None


_DISCARDED = RunEnd("discarded", None, "Discarded; nothing was kept.")


class FitSession(QObject):
    """One fitting process at a time, and at most one run in it.

    Nothing here waits: what takes time happens in a thread, or in the process.

    Parameters
    ----------
    runs
        Where the stores of runs go.
    environment
        Variables for the process beside those of this one.
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
    """The process ended while no run was in it, or a run that was discarded could not be removed: a sentence."""

    def __init__(
        self, runs: RunFolder, environment: Mapping[str, str] | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._runs, self._environment = runs, environment
        self._background = Background(self)
        self._child: Child | None = None
        self._dying: list[Child] = []
        self._ready = False
        self._run: RunInHand | None = None
        self._untidy: list[RunInHand] = []  # ended, but their stores and frames are not yet seen to
        self._estimate_id: str | None = None
        self._estimate_wished: Callable[[], None] | None = None
        self._known: tuple[Child, RawData, Any] | None = None  # frames the process has already
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def running(self) -> bool:
        """Whether a run goes on, also one that is paused."""
        return self._run is not None

    @property
    def paused(self) -> bool:
        """Whether a run waits, or was asked to."""
        return self._run is not None and self._run.paused

    @property
    def discarding(self) -> bool:
        """Whether the run that goes on will be discarded."""
        return self._run is not None and self._run.discarded

    @property
    def process_id(self) -> int | None:
        """Id of the fitting process, None while there is none."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def warm_up(self) -> None:
        """Start the fitting process, unless there is one."""
        if self._child is not None and self._ready and not self._child.alive:
            self._retire()  # it ended since the last look at it
        if self._child is None and not self._closed:
            child = self._child = Child(self._environment, grace_s=_GRACE_S)
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

        def begin(run: RunInHand) -> str:
            run.claim(self._runs, title)
            run.shared = run.child.share(raw())
            return run.child.run(job, path.parent, raw=run.shared)

        self._begin(path, begin)

    def resume(self, path: Path, title: str, steps: int | None = None, *, keep: bool = False) -> None:
        """Go on with a run that was interrupted or has ended.

        Parameters
        ----------
        path
            Its store.
        title
            What the user knows it as.
        steps
            So many steps beyond its end; None: to its end.
        keep
            It left a result, which is kept whatever becomes of the further steps.
        """

        def begin(run: RunInHand) -> str:
            run.claim(self._runs, title)
            return run.child.resume(path, steps=steps)

        self._begin(path, begin, keep=keep)

    def stop(self) -> None:
        """End the run and keep what was reached; `ended` follows within half a second."""
        run = self._run
        if run is not None and run.end_asked_at is None:
            run.end_asked_at = time.monotonic()
            self._tell(run, "stop")

    def discard(self) -> None:
        """End the run and keep nothing of it, also after a stop was asked for; `ended` follows, then it is removed."""
        run = self._run
        if run is None or run.discarded:
            return
        if run.kept:
            self.stop()
            return
        run.discarded = True
        self.stop()
        run.end_asked_at = time.monotonic()

    def pause(self) -> None:
        """Let the run wait, with its process; `Paused` follows when it does."""
        run = self._run
        if run is not None and not run.paused and run.end_asked_at is None:
            run.paused = True
            self._tell(run, "pause")

    def go_on(self) -> None:
        """Let a run that waits, or was asked to, go on."""
        run = self._run
        if run is not None and run.paused and run.end_asked_at is None:
            run.paused = False
            self._tell(run, "go_on")

    def show(self, time_ms: float) -> None:
        """Let the previews of the run show another moment."""
        run = self._run
        if run is not None:
            run.shown_ms = time_ms
            self._tell(run, "show", time_ms)

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
            if run is not None and run.child is child and not (run.busy or run.discarded):
                child.close()
            elif child.alive:
                child.kill()
        for ended in [*self._untidy, *([run] if run is not None else [])]:
            with suppress(StoreError):  # it is offered, or cleared away, the next time
                ended.tidy_up(self._runs)
        self._child, self._run, self._dying, self._untidy = None, None, [], []

    # -- inside -------------------------------------------------------------

    def _begin(self, path: Path, begin: Callable[[RunInHand], str], *, keep: bool = False) -> None:
        if self._run is not None or self._closed:
            raise RuntimeError("a run goes on")
        self.warm_up()
        self._run = RunInHand(path, self._child, begin, kept=keep)
        self._hand_over(self._run)

    def _hand_over(self, run: RunInHand) -> None:
        self._background.submit(
            partial(run.begin, run), done=partial(self._begun, run), failed=partial(self._not_begun, run)
        )

    def _begun(self, run: RunInHand, run_id: str) -> None:
        run.run_id = run_id
        if self._run is run:
            for command, *values in run.wishes():
                self._tell(run, command, *values)

    def _not_begun(self, run: RunInHand, error: Exception) -> None:
        if self._run is run and not (isinstance(error, ChildError) and self._begun_anew(run)):
            self._end(RunEnd("failed", None, in_one_sentence(error), getattr(error, "field", None)))

    def _begun_anew(self, run: RunInHand) -> bool:
        """Give a run whose process died before it took it to another process; once."""
        if run.heard or not run.spare or run.end_asked_at is not None or self._closed:
            return False
        if self._child is run.child:
            self._retire()
        self.warm_up()
        again = self._run = run.anew(self._child)
        self._hand_over(again)
        return True

    def _tell(self, run: RunInHand, command: str, *values: Any) -> None:
        """Pass a wish on, or leave it until the run has an id."""
        if run.run_id is not None:
            try:
                getattr(run.child, command)(run.run_id, *values)
            except ChildError:
                self._poll()  # it is gone: the poll says how

    def _poll(self) -> None:
        child = self._child
        if child is None:
            return
        if self._id_on_its_way():
            self._give_up_if_overdue()
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
        self._give_up_if_overdue()

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
                    run.paused = run.paused and event.done is None  # else the fit is complete: nothing waits any more
                elif isinstance(event, Progress | Paused):
                    run.busy = False
                if not run.discarded:
                    self.happened.emit(event)

    def _give_up_if_overdue(self) -> None:
        """End a process that does not answer a stop, and start another."""
        run = self._run
        if run is not None and run.overdue(ready=self._ready):
            self._retire()
            self.warm_up()
            self._end(RunEnd("stopped", _existing(run.path), "Stopped."))

    def _retire(self) -> None:
        child, self._child = self._child, None
        self._ready, self._estimate_id, self._known = False, None, None
        if child is not None:
            self._dying.append(child)
            gone = partial(self._gone, child)
            self._background.submit(child.kill, done=gone, failed=gone)  # it fails where there never was a process

    def _gone(self, child: Child, _: object) -> None:
        self._dying.remove(child)

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
        self._untidy.append(run)
        # A process that was given up is killed by then: nobody writes the store any more.
        self._background.submit(
            partial(run.tidy_up, self._runs),
            done=lambda _: self._untidy.remove(run),
            failed=lambda error: self.trouble.emit(in_one_sentence(error)),
        )
        self.ended.emit(_DISCARDED if run.discarded else end)
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
