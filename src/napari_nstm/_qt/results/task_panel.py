"""What panels that write files of a result have in common: the result, and one long task at a time."""

from pathlib import Path

from qtpy.QtWidgets import QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.file_names import stored_path
from napari_nstm._qt.task_row import TaskRow
from napari_nstm.io.result import StoredResult


class TaskPanel(QWidget):
    """Base of panels that write files; a subclass lays out `task` and overrides `_refresh`.

    Parameters
    ----------
    background
        Where files are written, one after another.
    parent
        Owner in Qt's sense.
    """

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stored: StoredResult | None = None
        self._name = ""
        self._folder = Path.home()
        self.task = TaskRow(background)

    def set_result(self, stored: StoredResult | None, name: str) -> None:
        """Offer a result; what is being written goes on.

        Parameters
        ----------
        stored
            The result, or None where there is none.
        name
            What the user knows it as: the name proposed for files.
        """
        if not self.busy and stored_path(stored) != stored_path(self._stored):
            self.task.say("")
        self._stored, self._name = stored, name
        self._refresh()

    @property
    def busy(self) -> bool:
        """Whether something is being written."""
        return self.task.busy

    def cancel(self) -> None:
        """Call off what is being written; it leaves no file."""
        self.task.cancel()

    # -- for subclasses -----------------------------------------------------

    def _refresh(self) -> None:
        """Enable what can be done now."""

    def _target(self, path: str | Path) -> Path | None:
        """Return where to write, or None where nothing can be written now."""
        if self._stored is None or self.busy:
            return None
        target = Path(path).expanduser().absolute()
        self._folder = target.parent
        return target
