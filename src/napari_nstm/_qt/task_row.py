"""One long task of a panel: how far it is, Cancel, and what came of it."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from qtpy.QtCore import Qt, QTimer, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.form.row import WrappedLabel
from napari_nstm.core.errors import CancelledError, InputError, NstmError

_POLL_MS = 200
_STEPS = 1000  # a bar counts in 32 bits, which the bytes of a result can exceed


class Task:
    """What the thread at work and the window share."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._begun = self._cancelled = self._forgotten = False
        self.progress = (0, 0)

    # -- for the thread -----------------------------------------------------

    def begin(self) -> bool:
        """Whether to begin at all."""
        with self._lock:
            self._begun = not self._cancelled
            return self._begun

    def report(self, done: int, in_all: int) -> None:
        """Say how far it is."""
        self.progress = (done, in_all)

    def cancelled(self) -> bool:
        """Whether to leave off."""
        return self._cancelled

    # -- for the window -----------------------------------------------------

    def cancel(self) -> bool:
        """Call it off; returns whether the thread has begun, and will say when it left off."""
        with self._lock:
            self._cancelled = True
            return self._begun

    def forget(self, *_deleted: object) -> None:
        """Call it off, with nobody left who wants to hear of it."""
        self._forgotten = True
        self.cancel()

    @property
    def forgotten(self) -> bool:
        """Whether nobody wants to hear of it."""
        return self._forgotten


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Parameters
    ----------
    text
        A sentence.
    path
        What was written.
    """

    text: str
    path: Path


class TaskRow(QWidget):
    """Progress bar and Cancel while a task goes on; afterwards a sentence.

    Parameters
    ----------
    background
        Where tasks run.
    parent
        Owner in Qt's sense.
    """

    busy_changed = Signal(bool)
    finished = Signal(object)
    """What the work returned, once its outcome is shown; neither cancelled nor failed."""

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._task: Task | None = None
        self._what = self._unit = ""
        self._path: Path | None = None
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(10)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(self.cancel)
        self.message = message_label("What came of it.")
        self.open_button = QPushButton("Open")
        self.open_button.setToolTip("Open it with the program that this computer uses for such files.")
        self.open_button.clicked.connect(self._open)
        top = QHBoxLayout()
        top.addWidget(self.bar, 1)
        top.addWidget(self.cancel_button)
        bottom = QHBoxLayout()
        bottom.addWidget(self.message, 1)
        bottom.addWidget(self.open_button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(bottom)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._show_progress)
        self._set_busy(False)
        self.say("")

    @property
    def busy(self) -> bool:
        """Whether a task goes on."""
        return self._task is not None

    def run(
        self,
        what: str,
        work: Callable[[Task], Any],
        done: Callable[[Any], Outcome],
        failed: Callable[[Exception], str | None] | None = None,
        unit: str = "",
    ) -> None:
        """Begin a task; there must be none.

        Parameters
        ----------
        what
            What is being done, for the user.
        work
            Runs in the thread; it reports to the task, asks it whether to leave off, and then raises `CancelledError`.
        done
            Turns what `work` returned into its outcome.
        failed
            Takes what `work` raised and returns the sentence for it; None: `in_words`.
        unit
            What progress counts; empty: it is not shown in figures.
        """
        if self._task is not None:
            raise RuntimeError("a task goes on")
        task = self._task = Task()
        self.destroyed.connect(task.forget)
        self._what, self._unit = what, unit
        self.bar.setRange(0, 0)
        self._set_busy(True)
        self.say(f"{what}…")
        self._background.submit(
            partial(_begin, task, work),
            done=partial(self._done, task, done),
            failed=partial(self._failed, task, failed or in_words),
        )

    def cancel(self) -> None:
        """Call the task off; what it wrote goes."""
        if self._task is None:
            return
        if self._task.cancel():
            self.cancel_button.setEnabled(False)
            self.say("Cancelling…")
        else:
            self._end("Cancelled; nothing was written.")

    def say(self, text: str, *, problem: bool = False, path: Path | None = None) -> None:
        """Show a sentence, in place of the one before; an empty one takes it away.

        Parameters
        ----------
        text
            The sentence.
        problem
            Whether it tells what went wrong.
        path
            A file that can be opened.
        """
        set_words(self.message, text, problem=problem)
        self._path = path
        self.open_button.setVisible(path is not None)

    # -- inside -------------------------------------------------------------

    def _set_busy(self, busy: bool) -> None:
        for widget in (self.bar, self.cancel_button):
            widget.setVisible(busy)
        self.cancel_button.setEnabled(busy)
        if busy:
            self._timer.start()
        else:
            self._timer.stop()

    def _show_progress(self) -> None:
        task = self._task
        if task is None or task.cancelled():
            return
        done, in_all = task.progress
        if in_all:
            self.bar.setRange(0, _STEPS)
            self.bar.setValue(_STEPS * done // in_all)
            if self._unit:
                self.say(f"{self._what}: {done} of {in_all} {self._unit}")

    def _done(self, task: Task, done: Callable[[Any], Outcome], found: Any) -> None:
        if task is self._task and not task.forgotten:
            outcome = done(found)
            self._end(outcome.text, path=outcome.path)
            self.finished.emit(found)

    def _failed(self, task: Task, failed: Callable[[Exception], str | None], error: Exception) -> None:
        if task is not self._task or task.forgotten:
            return
        if isinstance(error, CancelledError):
            self._end("Cancelled; nothing was written.")
            return
        text = failed(error)
        self._end("It failed; napari's notification says how." if text is None else text, problem=True)
        if text is None:
            raise error

    def _end(self, text: str, *, problem: bool = False, path: Path | None = None) -> None:
        self._task = None
        self._set_busy(False)
        self.say(text, problem=problem, path=path)
        self.busy_changed.emit(False)

    def _open(self) -> None:
        if self._path is not None and not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._path))):
            self.say(f"This computer knows no program that opens {self._path}.", problem=True)


def in_words(error: Exception) -> str | None:
    """Return an error as a sentence for the window; None for one that no user could bring about."""
    if isinstance(error, InputError):
        # Files come as "PATH, which ...": a sentence already, and what it takes speaks of the command line.
        subject, which, fault = error.got.partition(", which ")
        return f"{subject} {fault}." if which else f"{error.got} does not do; give {error.takes}."
    if isinstance(error, NstmError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for it."
    if isinstance(error, OSError):
        return f"{error.filename or 'A file'} cannot be read or written ({error.strerror or error})."
    return None


def message_label(name: str) -> WrappedLabel:
    """Make a label for sentences.

    Parameters
    ----------
    name
        What it is, for screen readers.
    """
    label = WrappedLabel()
    label.setAccessibleName(name)
    label.hide()
    return label


def set_words(label: QLabel, text: str, *, problem: bool = False) -> None:
    """Show a sentence, or hide the label where there is none; long paths break at their slashes."""
    shown = f"⚠ {text}" if problem and text else text
    for mark in ("/", "\\", "_"):
        shown = shown.replace(mark, f"{mark}\u200b")
    label.setText(shown)
    label.setToolTip(f"<qt>{html.escape(text)}</qt>" if text else "")
    label.setAccessibleDescription(text)
    label.setVisible(bool(text))


def _begin(task: Task, work: Callable[[Task], Any]) -> Any:
    if not task.begin():
        raise CancelledError
    return work(task)
