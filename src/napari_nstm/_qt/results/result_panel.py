"""What the panels about one result have in common: the result, one thing at a time in a thread, and a sentence."""

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QLayout, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.file_names import stored_path
from napari_nstm._qt.task_row import in_words, message_label, set_words
from napari_nstm.io.result import StoredResult


class ResultPanel(QWidget):
    """Base of the panels of the tab Result; a subclass calls `_lay_out` and overrides `_refresh`.

    Parameters
    ----------
    background
        Where what takes long is done.
    about
        What `message` tells, for screen readers.
    """

    def __init__(self, background: Background, about: str) -> None:
        super().__init__()
        self._background = background
        self._stored: StoredResult | None = None
        self._name = ""
        self._busy = False
        self.message = message_label(about)

    def set_result(self, stored: StoredResult | None, name: str) -> None:
        """Offer what the panel does with a result.

        Parameters
        ----------
        stored
            The result; None: there is none.
        name
            What the user knows it as.
        """
        if not self._busy and stored_path(stored) != stored_path(self._stored):
            self._say("")
        self._stored, self._name = stored, name
        self._refresh()

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._busy

    def disconnect_viewer(self) -> None:
        """Listen no longer to the viewer; of a panel that does."""

    # -- for subclasses -----------------------------------------------------

    def _refresh(self) -> None:
        """Enable what can be done now."""

    def _lay_out(self, *parts: QWidget | QLayout) -> None:
        """Put parts one below the other, and below them what there is to say."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (*parts, self.message):
            layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)

    def _say(self, text: str, *, problem: bool = False) -> None:
        set_words(self.message, text, problem=problem)

    def _do(self, text: str, work: Callable[[], Any], done: Callable[[Any], str | None]) -> None:
        """Do one thing in the thread; the panel is busy until it is done.

        Parameters
        ----------
        text
            What is being done, for the user.
        work
            Runs in the thread.
        done
            Takes what it returned and gives the sentence to show; None: nothing is to be said.
        """
        if self._busy:
            return
        self._busy = True
        self._say(text)
        self._refresh()

        def ended(found: Any) -> None:
            self._busy = False
            self._say("")
            self._say(done(found) or "")
            self._refresh()

        self._background.submit(work, ended, self._failed)

    def _failed(self, error: Exception) -> None:
        """Say what went wrong; what no user could bring about goes to napari's notifications."""
        self._busy = False
        text = in_words(error)
        words = "It failed; napari's notification says how." if text is None else text
        self._say(words[:1].upper() + words[1:], problem=True)
        self._refresh()
        if text is None:
            raise error
