"""A menu of the user's own presets: show one, keep what is filled in, delete one."""

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QInputDialog, QMenu, QWidget

from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm.core.errors import NstmError, in_one_sentence


class PresetsMenu(QMenu):
    """The presets by name, read anew whenever it opens.

    Parameters
    ----------
    form
        Shows presets, and is what they are made from.
    parent
        Owner in Qt's sense.
    """

    said = Signal(str, bool)
    """A sentence about what was done, and whether it is a problem."""

    def __init__(self, form: JobForm, parent: QWidget | None = None) -> None:
        super().__init__("&My presets", parent)
        self._form = form
        self._settings = form.values.settings
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.refresh)

    def presets(self) -> tuple[str, ...]:
        """Return the names of the presets; of damaged ones it says so."""
        kept = self._settings.presets()
        if kept.problems:
            self.said.emit(" ".join(kept.problems), True)
        return tuple(kept.fragments)

    def save_preset(self, name: str) -> None:
        """Keep what is filled in under a name."""
        self._try(lambda: self._settings.save_preset(name, self._form.values.fragment()), "Kept as “{}”.")

    def load_preset(self, name: str) -> None:
        """Show a preset."""
        self._try(partial(self._load, name), "Settings of your preset “{}”.")

    def delete_preset(self, name: str) -> None:
        """Remove a preset."""
        self._try(lambda: self._settings.delete_preset(name) or name, "Your preset “{}” was deleted.")

    def refresh(self) -> None:
        """Fill in the entries."""
        self.clear()
        names = self.presets()
        for name in names:
            add_action(self, _plain(name), partial(self.load_preset, name))
        self.addSeparator()
        add_action(self, "&Save these settings as…", self._ask, "Method, acquisition, fit and time points.")
        delete = self.addMenu("&Delete")
        delete.setEnabled(bool(names))
        for name in names:
            add_action(delete, _plain(name), partial(self.delete_preset, name))

    def _load(self, name: str) -> str:
        fragment = self._settings.load_preset(name)
        if self._form.method.findData(fragment.modality) < 0:
            raise NstmError(f"Your preset “{name}” is for “{fragment.modality}”, which is not installed.")
        rest = self._form.values.show(fragment)
        if rest:
            raise NstmError(f"The form has no row for {', '.join(rest)}, which your preset “{name}” holds.")
        return name

    def _ask(self) -> None:
        title = self._form.modality.title
        name, ok = QInputDialog.getText(self.parentWidget(), "My presets", "Keep these settings as:", text=title)
        if ok:
            self.save_preset(name)

    def _try(self, work: Callable[[], str], sentence: str) -> None:
        try:
            self.said.emit(sentence.format(work()), False)
        except NstmError as error:
            self.said.emit(in_one_sentence(error), True)


def add_action(menu: QMenu, text: str, slot: Callable[[], Any], tip: str = "") -> Any:
    """Add an entry that calls `slot` without arguments; returns its action."""
    action = menu.addAction(text)
    action.setToolTip(tip)
    action.triggered.connect(lambda _=False: slot())
    return action


def _plain(name: str) -> str:
    return name.replace("&", "&&")  # one alone marks a key
