"""Taking a result home: a copy of its store, or a file that other programs read."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.file_names import complete, file_name
from napari_nstm._qt.results.task_panel import TaskPanel
from napari_nstm._qt.task_row import Outcome, Task
from napari_nstm.io.export import export_ome_tiff
from napari_nstm.io.result import StoredResult
from napari_nstm.run.runs import save_as

_STORE, _TIFF = "Result (*.zarr)", "OME-TIFF (*.ome.tif)"


class SavePanel(TaskPanel):
    """Two buttons; the result itself is only read.

    Parameters
    ----------
    background
        Where files are written, one after another.
    parent
        Owner in Qt's sense.
    """

    saved = Signal(object)
    """Path of a copy of the store."""
    exported = Signal(object)
    """Path of an OME-TIFF."""

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(background, parent)
        self.save_button = QPushButton("Save result…")
        self.save_button.setToolTip("Copy all of the result: scene, motion, settings and what is needed to resume.")
        self.save_button.clicked.connect(self._ask_and_save)
        self.tiff_button = QPushButton("Export OME-TIFF…")
        self.tiff_button.setToolTip("Write the scene at every moment, in physical units, for other programs.")
        self.tiff_button.clicked.connect(self._ask_and_export)
        buttons = QHBoxLayout()
        buttons.addWidget(self.save_button)
        buttons.addWidget(self.tiff_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self.task)
        self.task.busy_changed.connect(self._refresh)
        self.task.finished.connect(self._finished)
        self._refresh()

    def save_to(self, path: str | Path) -> None:
        """Copy the store to a path that does not exist yet, unless something is being written."""
        target = self._target(path)
        if target is not None and self._stored is not None:
            self.task.run("Saving the result", partial(_save, self._stored, target), _outcome)
            self._refresh()

    def export_to(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write an OME-TIFF, unless something is being written.

        Parameters
        ----------
        path
            A file ending in .tif or .tiff.
        overwrite
            Replace an existing file.
        """
        target = self._target(path)
        if target is not None and self._stored is not None:
            work = partial(_export, self._stored, target, overwrite)
            self.task.run("Writing the OME-TIFF", work, _outcome, unit="moments")
            self._refresh()

    # -- inside -------------------------------------------------------------

    def _ask_and_save(self) -> None:
        proposed = self._folder / f"{file_name(self._name)}.zarr"
        chosen, _ = QFileDialog.getSaveFileName(self, "Save result", str(proposed), _STORE)
        if chosen:
            # A store is a folder, and no folder is ever replaced.
            self.save_to(complete(chosen, ".zarr", (".zarr",))[0])

    def _ask_and_export(self) -> None:
        proposed = self._folder / f"{file_name(self._name)}.ome.tif"
        chosen, _ = QFileDialog.getSaveFileName(self, "Export OME-TIFF", str(proposed), _TIFF)
        if chosen:
            path, replace = complete(chosen, ".ome.tif", (".tif", ".tiff"))
            self.export_to(path, overwrite=replace)

    def _refresh(self) -> None:
        for button in (self.save_button, self.tiff_button):
            button.setEnabled(self._stored is not None and not self.busy)

    def _finished(self, path: Path) -> None:
        (self.saved if path.suffix == ".zarr" else self.exported).emit(path)


def _outcome(path: Path) -> Outcome:
    return Outcome(f"Saved: {path}.", path)


def _save(stored: StoredResult, target: Path, task: Task) -> Path:
    stored.check_there()
    return save_as(stored.path, target, on_progress=task.report, should_stop=task.cancelled)


def _export(stored: StoredResult, target: Path, overwrite: bool, task: Task) -> Path:
    return export_ome_tiff(stored, target, overwrite=overwrite, on_progress=task.report, should_stop=task.cancelled)
