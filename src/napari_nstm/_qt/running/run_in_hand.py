"""A run as the window has it in hand: what was asked of it, also before its process could hear it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from napari_nstm.run.client import Child
from napari_nstm.run.runs import RunFolder

# A process that compiles, or still loads its libraries, cannot answer: what it reached is in its checkpoint.
_PATIENCE_BUSY_S, _PATIENCE_S = 0.25, 8.0
# What is discarded need not be written whole; but a process that ends soon is warm for the next run.
_PATIENCE_DISCARD_S = 1.5


@dataclass(eq=False)
class RunInHand:
    """One run, and what was asked of it.

    Parameters
    ----------
    path
        Where its store goes.
    child
        The process that has it.
    begin
        Hands it over, in a thread, and returns the id of its events.
    run_id
        That id; None until it is known.
    claimed
        Set while the store is this run's, whichever process has it.
    shared
        Copy of its frames, to be released.
    shown_ms
        Moment that previews are to show; None: none was asked for.
    paused
        Whether it was asked to wait.
    end_asked_at
        When it was asked to end, on the monotonic clock in s; None: it was not.
    discarded
        Whether nothing of it is to be kept.
    busy
        Whether it compiles, or was not yet heard of.
    heard
        Whether the process took it: an event came.
    kept
        Whether there was a result before it went on: that cannot be discarded.
    spare
        Whether it may be given to another process, if its own was dead already.
    """

    path: Path
    child: Child
    begin: Callable[[RunInHand], str]
    run_id: str | None = None
    claimed: Event = field(default_factory=Event)
    shared: Any = None
    shown_ms: float | None = None
    paused: bool = False
    end_asked_at: float | None = None
    discarded: bool = False
    busy: bool = True
    heard: bool = False
    kept: bool = False
    spare: bool = True

    def wishes(self) -> list[tuple[Any, ...]]:
        """Return the commands to be sent once the id is known: (name, *values)."""
        found: list[tuple[Any, ...]] = []
        if self.shown_ms is not None:
            found.append(("show", self.shown_ms))
        if self.paused:
            found.append(("pause",))
        if self.end_asked_at is not None:
            found.append(("stop",))
        return found

    def anew(self, child: Child) -> RunInHand:
        """Return the same run for another process, with what was asked of it."""
        return RunInHand(
            self.path,
            child,
            self.begin,
            claimed=self.claimed,
            shown_ms=self.shown_ms,
            paused=self.paused,
            kept=self.kept,
            spare=False,
        )

    def overdue(self, *, ready: bool) -> bool:
        """Whether it was asked to end so long ago that its process will not answer; `ready`: it has answered before."""
        if self.end_asked_at is None:
            return False
        patience = _PATIENCE_DISCARD_S if self.discarded else _PATIENCE_S
        if self.busy or not ready:
            patience = _PATIENCE_BUSY_S
        return time.monotonic() - self.end_asked_at > patience

    def claim(self, runs: RunFolder, title: str) -> None:
        """Say that its store is this run's; raises `StoreError` where another run writes it."""
        if not self.claimed.is_set():
            runs.claim(self.path, title)
            self.claimed.set()

    def tidy_up(self, runs: RunFolder) -> None:
        """Give up the claim, remove a store that is not wanted, and the copy of the frames; may be repeated.

        Nobody may write the store any more.

        Raises
        ------
        StoreError
            If the store cannot be removed.
        """
        if self.claimed.is_set():  # or else the store is another's
            runs.release(self.path)
            if self.discarded:
                runs.discard(self.path)
            self.claimed.clear()
        if self.shared is not None:
            self.child.release(self.shared)
            self.shared = None
