"""Settings to and from files and results, to the clipboard, and presets of the user's own: one button with a menu."""

import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QPoint, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox, QPushButton, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.file_names import complete, file_name
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm._qt.setup.presets_menu import PresetsMenu, add_action
from napari_nstm._qt.setup.settings_files import Portable, locate, sources_of, write_job
from napari_nstm._qt.setup.settings_source import (
    TakenJob,
    open_frames,
    show_job,
    taken_from_file,
    taken_from_layer,
)
from napari_nstm._qt.setup.settings_text import command_line, script
from napari_nstm.core.errors import NstmError, in_one_sentence
from napari_nstm.core.settings import Job

_JOBS = "Job (*.yml *.yaml *.json)"
_NO_RESULT = "Select a layer of a result first."
_IN_NO_FILE = "What is in no file (frames that were made or changed in napari) is saved beside it as TIFF."


class SettingsMenu(QPushButton):
    """A button whose menu takes the form's settings elsewhere, and brings others.

    Parameters
    ----------
    form
        Whose settings they are.
    viewer
        Whose selected layer may be a result's, and in which raw frames are opened.
    parent
        Owner in Qt's sense.
    """

    said = Signal(str, bool)
    """A sentence about what was done, and whether it is a problem."""

    def __init__(self, form: JobForm, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form, self._viewer = form, viewer
        self._background = Background(self)
        self._folder = Path.home()
        self._file: tuple[Path, Any] | None = None  # the job file that says what the form did then
        self._written: dict[Path, Any] = {}  # weak references to arrays of layers, by the files they were saved to
        self.setText("Settings ▾")  # napari's theme draws the mark of a menu over the text
        self.setToolTip("Settings from a file or a result, to a file or the clipboard, and presets of your own.")
        self.setAccessibleName("Settings")
        menu = self.entries = QMenu(self)
        menu.setToolTipsVisible(True)
        add = partial(add_action, menu)
        add("&Open from file…", self._ask_and_open, "Method, settings and region of a job file; its frames are opened.")
        add("&Save to file…", self._ask_and_save, f"Write a job file, which runs anywhere. {_IN_NO_FILE}")
        self.result_action = add("From the selected &result", self._take_from_selected)
        menu.addSeparator()
        add("Copy as &command line", partial(self._copy, command_line), "Lines for a terminal.")
        add("Copy as &Python script", partial(self._copy, script), "A script that does the same.")
        menu.addSeparator()
        self.presets_menu = PresetsMenu(form, self)
        self.presets_menu.said.connect(self.said)
        menu.addMenu(self.presets_menu)
        menu.addSeparator()
        add("Reset to &defaults", self.reset, "The method's defaults, and what the raw layer itself says.")
        menu.aboutToShow.connect(self._refresh)
        self.clicked.connect(lambda: menu.popup(self.mapToGlobal(QPoint(0, self.height()))))
        self._refresh()

    # -- files --------------------------------------------------------------

    def open_file(self, path: str | Path) -> None:
        """Show the settings of a job file, and open its frames unless a layer came from them already."""
        path = Path(path).expanduser().absolute()
        self._folder = path.parent

        def show(taken: TakenJob) -> None:
            # The frames first: their layer's pixel size gives way to the job's.
            before = set(self._viewer.layers)
            missing = open_frames(taken.job, self._form, self._viewer, self._written)
            rest = show_job(taken, self._form)
            if self._form.raw.layer not in before:
                self._form.place_raw()
                self._viewer.reset_view()
            self._form.region = None if missing else taken.job.region
            frames = None if missing else taken.job.frames
            self._form.part.set_content({} if frames is None else {"frames": list(frames)})
            self._file = None if missing else (path, self._state())
            self.said.emit(" ".join(filter(None, [f"Opened: {path.name}.", rest, missing])), bool(missing))

        def failed(error: Exception) -> None:
            self._failed(error, f"{path.name} was not opened. ")

        self._background.submit(partial(taken_from_file, path), show, failed)

    def save_file(self, path: str | Path) -> None:
        """Write a job file, and beside it what is in no file."""
        path = Path(path).expanduser().absolute()
        self._folder = path.parent
        job = self._job(path.with_name(f"{path.stem}.zarr"))
        if job is not None:
            state, array = self._state(), self._form.raw.layer.data

            def done(found: Portable) -> None:
                self._file = (path, state)
                with suppress(TypeError):  # an array of a kind that knows none is opened again
                    self._written[Path(found.job.raw)] = weakref.ref(array)
                names = " and ".join(file.name for file in found.written)
                homes = f" What was in no file is beside it: {names}." if names else ""
                self.said.emit(f"Saved: {path}.{homes}", False)

            self._background.submit(partial(write_job, job, sources_of(self._form), path), done, self._failed)

    def take_from(self, layer: Layer) -> None:
        """Show the settings that the result of a layer was made with; the raw frames stay those that are chosen."""
        try:
            taken = taken_from_layer(layer)
        except NstmError as error:
            self._failed(error)
            return
        rest = show_job(taken, self._form)
        self.said.emit(" ".join(filter(None, [f"Settings of {taken.title}.", rest])), False)

    def reset(self) -> None:
        """Show the defaults."""
        self._form.reset()
        self.said.emit("The defaults are back.", False)

    # -- clipboard ----------------------------------------------------------

    def copy_command_line(self) -> None:
        """Put lines for a terminal into the clipboard."""
        self._copy(command_line, asking=False)

    def copy_python(self) -> None:
        """Put a Python script into the clipboard."""
        self._copy(script, asking=False)

    # -- presets ------------------------------------------------------------

    def presets(self) -> tuple[str, ...]:
        """Return the names of the user's presets."""
        return self.presets_menu.presets()

    def save_preset(self, name: str) -> None:
        """Keep what is filled in under a name."""
        self.presets_menu.save_preset(name)

    def load_preset(self, name: str) -> None:
        """Show a preset."""
        self.presets_menu.load_preset(name)

    def delete_preset(self, name: str) -> None:
        """Remove a preset."""
        self.presets_menu.delete_preset(name)

    def shutdown(self) -> None:
        """Finish what is being written."""
        self._background.close(wait=True)

    # -- inside: dialogs ----------------------------------------------------

    def _ask_and_open(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Open settings", str(self._folder), _JOBS)
        if chosen:
            self.open_file(chosen)

    def _ask_and_save(self) -> None:
        if self._job(self._folder / "result.zarr") is None:
            return
        proposed = self._folder / f"{file_name(self._form.raw.layer.name)}.yml"
        chosen, _ = QFileDialog.getSaveFileName(self, f"Save settings. {_IN_NO_FILE}", str(proposed), _JOBS)
        if chosen:
            self.save_file(complete(chosen, ".yml", (".yml", ".yaml", ".json"))[0])

    def _offer_to_save(self) -> None:
        box = QMessageBox(QMessageBox.Icon.Information, "Settings", "", parent=self)
        box.setText("The frames are in no file, where a command could find them.")
        box.setInformativeText(f"Save the settings to a file first. {_IN_NO_FILE}")
        save = box.addButton("Save to file…", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        if box.clickedButton() is save:
            self._ask_and_save()

    # -- inside -------------------------------------------------------------

    def _refresh(self) -> None:
        layer = self._viewer.layers.selection.active
        there = layer is not None and bool(known_of(layer).get("store"))
        self.result_action.setEnabled(there)
        self.result_action.setToolTip(f"Those that {layer.name} was made with." if there else _NO_RESULT)

    def _take_from_selected(self) -> None:
        layer = self._viewer.layers.selection.active
        if layer is None:
            self.said.emit(_NO_RESULT, True)
        else:
            self.take_from(layer)

    def _job(self, result: Path) -> Job | None:
        job = self._form.job(result)
        if job is None:
            self.said.emit(self._form.why_not, True)
        return job

    def _state(self) -> Any:
        form = self._form
        return form.raw.layer, form.values.fragment(), form.fit.content(), form.region, form.part.content()

    def _copy(self, text_of: Callable[[Job, Path | None], tuple[str, str]], *, asking: bool = True) -> None:
        job = self._job(Path("result.zarr").absolute())
        if job is None:
            return
        known = self._file[0] if self._file is not None and self._file[1] == self._state() else None

        def copy(found: Portable) -> None:
            if found.homeless and known is None:
                what = " and ".join(found.homeless)
                self.said.emit(
                    f"{what}: in no file. Save the settings to a file first (Settings ▾ Save to file…).", True
                )
                if asking:
                    self._offer_to_save()
                return
            text, sentence = text_of(found.job, known)
            QGuiApplication.clipboard().setText(text)
            self.said.emit(sentence, False)

        self._background.submit(partial(locate, job, sources_of(self._form)), copy, self._failed)

    def _failed(self, error: Exception, before: str = "") -> None:
        self.said.emit(f"{before}{in_one_sentence(error)}", True)
