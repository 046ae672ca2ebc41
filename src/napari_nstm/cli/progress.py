"""Progress of a run: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from napari_nstm.core.events import Event, Notice, PartDone, Prepared, Progress, Working

_PLAIN_EVERY_S = 3.0


class Reporter:
    """Shows the events of a run on standard output.

    Parameters
    ----------
    console
        Where to write; whether it is a terminal decides how.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None
        self._task, self._counted = TaskID(0), ""
        self._next_line = 0.0

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_bar()

    def say(self, text: str) -> None:
        """Write a line, above the bar if there is one."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Notice):
            self.say(f"Note: {event.message}")
        elif isinstance(event, Prepared):
            for line in describe_prepared(event):
                self.say(line)
        elif isinstance(event, PartDone):
            self.say(describe_part(event))
        elif isinstance(event, Working):
            self._show_working(event)
        elif isinstance(event, Progress):
            self._show_progress(event)

    def end_bar(self) -> None:
        """Take the bar away; the last state of it stays on the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._counted = None, ""

    def _show_working(self, event: Working) -> None:
        if event.done is not None and event.total is not None:
            left = describe_remaining(event.remaining_s if event.done < event.total else None)
            self._count(event.what, event.done, event.total, left, f"{event.what}: {event.done} of {event.total}")
        elif self._bar is not None:
            self._bar.update(self._task, at=f"{event.what} ...")
        elif event.compiling:  # the rest takes no time worth a line
            self.say(f"{event.what} ...")

    def _show_progress(self, event: Progress) -> None:
        about = describe_progress(event)
        self._count("Fitting", event.step, event.n_steps, about, f"step {event.step} of {event.n_steps}")

    def _count(self, what: str, done: int, total: int, about: str, line: str) -> None:
        """Show how many are done: in the bar of that name, or in a log now and then, and at the end."""
        if self._console.is_terminal:
            if self._bar is None:
                columns = (
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TextColumn("{task.fields[at]}"),
                )
                self._bar = Bar(*columns, console=self._console)
                self._bar.start()
            if what != self._counted:
                if self._counted:
                    self._bar.update(self._task, at="")  # it is done: what it was at last is past
                self._task, self._counted = self._bar.add_task(what, total=total, at=""), what
            self._bar.update(self._task, completed=done, total=total, at=about)
        elif time.monotonic() >= self._next_line or done == total:
            self._next_line = time.monotonic() + _PLAIN_EVERY_S
            self.say(", ".join(filter(None, (line, about))))


class Counter:
    """Counts things done, on a terminal only.

    Parameters
    ----------
    console
        Where to write.
    what
        What is counted.
    """

    def __init__(self, console: Console, what: str) -> None:
        self._console = console
        self._bar = Bar(TextColumn(what), BarColumn(), MofNCompleteColumn(), console=console, transient=True)
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> Counter:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, done: int, total: int) -> None:
        """Show how many are done."""
        self._bar.update(self._task, completed=done, total=total)


def describe_progress(event: Progress) -> str:
    """Say level, granularity, loss and remaining time in a few words."""
    left = describe_remaining(event.remaining_s if event.step < event.n_steps else None)
    size = "full size" if event.level == 0 else f"1/{2**event.level} size"
    return f"{size}, detail {100 * event.granularity:.0f} %, loss {event.loss:.3e}{', ' * bool(left)}{left}"


def describe_part(event: PartDone) -> str:
    """Say how a tile, an acquisition or a job of several ended, and how many are done by now."""
    name, count = event.name[:1].upper() + event.name[1:], f"{event.done} of {event.total}"
    counted = "" if count in name else f" ({count} done)"
    ended = "is done" if event.status == "finished" else event.status
    return f"{name} {ended}{counted}: {event.message}"


def describe_remaining(seconds: float | None) -> str:
    """Say how long it takes from now on; nothing where that is not known."""
    return "" if seconds is None else f"{duration(seconds)} left"


def describe_prepared(event: Prepared) -> list[str]:
    """Say what will happen: data, device, memory and time."""
    one = " for one tile" if event.n_tiles > 1 else ""
    memory = f"needs about {size(event.memory_bytes)}{one}"
    if event.memory_free_bytes is not None:
        memory += f" of {size(event.memory_free_bytes)} free memory"
    took = "" if event.expected_s is None else f", about {duration(event.expected_s)} and the time to compile"
    return [event.summary, f"{event.device}: {event.n_steps} steps, {memory}{took}."]


def duration(seconds: float) -> str:
    """Write a time in the unit that fits."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(n_bytes: int) -> str:
    """Write a number of bytes in the unit that fits."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
