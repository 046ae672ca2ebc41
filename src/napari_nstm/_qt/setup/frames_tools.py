"""Buttons among the settings: find in the frames what they can tell, and look at what was understood of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.setup.job_form import MARKED, JobForm
from napari_nstm._qt.task_row import message_label, set_words
from napari_nstm.core.data import Drawing, Mark
from napari_nstm.core.errors import InputError, in_one_sentence
from napari_nstm.core.settings import AcquisitionSettings

_REDRAW_MS = 150  # after the last edit
_NARROW_PX = 60


class FramesTools(QWidget):
    """Finds settings in the frames, and draws the modality's inspections; hidden where it has neither.

    Parameters
    ----------
    form
        Whose raw frames and settings they are; what is found is written into it.
    view
        Where drawings are shown.
    background
        Where frames are looked at.
    folder
        That paths in the settings are relative to.
    """

    def __init__(self, form: JobForm, view: DrawingView, background: Background, folder: Path) -> None:
        super().__init__()
        self._form, self._view, self._background, self._folder = form, view, background, folder
        self._shown = ""  # the inspection that is shown
        self._number = 0  # of what was asked last: answers to anything before are late
        self._wishes: dict[str, Any] = {}  # how to look for what was found, as it stood before
        self._drawn_of: tuple[Any, ...] | None = None
        self._busy = False
        self.find_button = QPushButton("Find in the frames")
        self.clear_button = QPushButton("Clear")
        self.inspect_buttons: dict[str, QPushButton] = {}
        self.message = message_label("What was found in the frames")
        row = QHBoxLayout()
        row.addWidget(self.find_button, 1)
        row.addWidget(self.clear_button)
        self._grid = QGridLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 4)
        layout.addLayout(row)
        layout.addLayout(self._grid)
        layout.addWidget(self.message)
        self._redraw_timer = QTimer(self)
        self._redraw_timer.setSingleShot(True)
        self._redraw_timer.setInterval(_REDRAW_MS)
        self._redraw_timer.timeout.connect(self._redraw)
        self.find_button.clicked.connect(self.find)
        self.clear_button.clicked.connect(self.clear)
        form.method.currentIndexChanged.connect(self._method_changed)
        form.changed.connect(self._form_changed)
        view.moved.connect(self._mark_moved)
        view.left.connect(self._view_left)
        form.place_tools(self)
        self._method_changed()

    # -- what a user asks for -----------------------------------------------

    def find(self) -> None:
        """Look for what the frames tell of the settings, and write it into the form."""
        used = self._form.modality
        shown = self._wishes_shown()
        settings = self._settings(without=[name for name in used.estimates if name not in shown])
        if settings is None:
            return
        wishes = {**self._wishes, **shown}
        settings = used.Settings.model_validate({**settings.model_dump(exclude_unset=True), **wishes})
        read, before = self._form.frames_for(settings, self._folder), self._rest()
        number = self._begin("Looking at the frames…")

        def look() -> tuple[AcquisitionSettings, list[str]]:
            return used.estimate(read(), settings)

        def found(answer: tuple[AcquisitionSettings, list[str]]) -> None:
            if number != self._number:
                return
            if self._rest() != before:
                self._end("The settings were changed meanwhile: look again.", problem=True)
                return
            self._wishes = wishes
            self._write(answer[0])
            self._end("\n".join(answer[1]) or "The frames tell nothing new.")
            last = self._shown or next(reversed(used.inspections), "")
            if last:
                self._draw(last)

        self._background.submit(look, found, lambda error: self._failed(number, error))

    def clear(self) -> None:
        """Empty what can be found in the frames: every run finds it anew."""
        self._number += 1
        form = self._form.acquisition
        content = {name: value for name, value in form.content().items() if name not in self._form.modality.estimates}
        form.set_content({**content, **self._wishes})
        self._end("")

    def inspect(self, name: str) -> None:
        """Draw one of the modality's inspections; the problems of the settings are shown."""
        if self._settings() is not None:
            self._draw(name)

    # -- inside -------------------------------------------------------------

    def _settings(self, without: list[str] | None = None) -> Any:
        """Return the form's settings, or say why there are none."""
        if self._form.raw.layer is None:
            self._end(self._form.why_not, problem=True)
            return None
        settings = self._form.acquisition.validate(without=without or ())
        if settings is None:
            self._end(self._form.why_not, problem=True)
        return settings

    def _wishes_shown(self) -> dict[str, Any]:
        """Return what the form says of how to look, in fields in which nothing was found or given yet."""
        content, names = self._form.acquisition.content(), self._form.modality.estimates
        return {name: content[name] for name in names if name in content and not self._is_given(name, content[name])}

    def _frames(self) -> tuple[Any, ...]:
        layer = self._form.raw.layer
        return self._form.modality.name, id(layer), id(None if layer is None else layer.data)

    def _rest(self) -> tuple[Any, ...]:
        """Return all that an answer depends on, but what it is to fill in."""
        names = self._form.modality.estimates
        content = self._form.acquisition.content()
        return self._frames(), {name: value for name, value in content.items() if name not in names}

    def _state(self) -> tuple[Any, ...]:
        """Return all that a drawing depends on."""
        return self._frames(), self._form.acquisition.content()

    def _write(self, settings: AcquisitionSettings) -> None:
        form, names = self._form.acquisition, self._form.modality.estimates
        content = {name: value for name, value in form.content().items() if name not in names}
        values = settings.model_dump(mode="json", include=set(names), exclude_none=True)
        form.set_content({**content, **values})

    def _draw(self, name: str) -> None:
        used, settings = self._form.modality, self._form.acquisition.validate(show=False)
        if settings is None or self._form.raw.layer is None:
            return
        read = self._form.frames_for(settings, self._folder)
        self._number += 1
        number, state = self._number, self._state()

        def draw() -> Drawing:
            return used.inspect(name, read(), settings)

        def drawn(drawing: Drawing) -> None:
            if number == self._number:
                self._set_busy(False)
                self._shown, self._drawn_of = name, state
                self._view.show_drawing(drawing, movable=_mover(used) is not None and bool(drawing.marks))

        self._set_busy(True)
        self._background.submit(draw, drawn, lambda error: self._failed(number, error))

    def _redraw(self) -> None:
        if self._shown and self._state() != self._drawn_of:
            self._draw(self._shown)

    def _mark_moved(self, mark: Mark, position: tuple[float, float]) -> None:
        move, settings = _mover(self._form.modality), self._form.acquisition.validate(show=False)
        if not self._shown or move is None or settings is None:
            return
        try:
            self._write(move(self._shown, mark, position, settings))
        except InputError as error:
            self._end(in_one_sentence(error), problem=True)
        self._drawn_of = None  # where it was moved to nothing the mark goes back
        self._redraw_timer.start()

    def _form_changed(self) -> None:
        if self._shown:
            self._redraw_timer.start()
        self._refresh()

    def _method_changed(self, _: int = 0) -> None:
        self._number += 1
        if self._shown:
            self._view.back()
        self._wishes, self._shown = {}, ""
        used = self._form.modality
        for button in self.inspect_buttons.values():
            self._grid.removeWidget(button)
            button.deleteLater()
        self.inspect_buttons = {}
        for index, (name, title) in enumerate(used.inspections.items()):
            button = QPushButton(title)
            button.setToolTip("Show it in the viewer, in place of the frames.")
            button.setMinimumWidth(_NARROW_PX)  # a dock may be narrower than two titles
            button.clicked.connect(lambda _=False, name=name: self.inspect(name))
            self._grid.addWidget(button, index // 2, index % 2)
            self.inspect_buttons[name] = button
        self.find_button.setVisible(bool(used.estimates))
        self.clear_button.setVisible(bool(used.estimates))
        self.setVisible(bool(used.estimates or used.inspections))
        self._end("")

    def _view_left(self) -> None:
        self._shown = ""

    def _begin(self, text: str) -> int:
        self._number += 1
        self._set_busy(True)
        set_words(self.message, text)
        return self._number

    def _failed(self, number: int, error: Exception) -> None:
        if number != self._number:
            return
        shown = isinstance(error, InputError) and self._form.show_error(error)
        self._end(MARKED if shown else in_one_sentence(error), problem=True)

    def _end(self, text: str, *, problem: bool = False) -> None:
        self._set_busy(False)
        set_words(self.message, text, problem=problem)

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self._refresh()

    def _refresh(self) -> None:
        form, used = self._form.acquisition, self._form.modality
        labels = [form.label(name) for name in used.estimates]
        named = ", ".join(f"“{label}”" for label in labels if label)
        self.find_button.setToolTip(f"Look in the frames for {named}, and write what is found there.")
        self.clear_button.setToolTip(f"Empty {named}: every run finds them anew.")
        self.find_button.setEnabled(not self._busy)
        content = form.content()
        self.clear_button.setEnabled(any(self._is_given(name, content.get(name)) for name in used.estimates))

    def _is_given(self, name: str, value: Any) -> bool:
        kind = self._form.acquisition.default_kind(name)
        return value is not None and (kind is None or not kind.items() <= value.items())


def _mover(modality: Any) -> Callable[..., AcquisitionSettings] | None:
    """Return what turns a moved mark into settings, where a modality has it.

    `moved(name, mark, position, settings)`: the inspection, one of its drawing's marks, and where it is now.
    """
    return getattr(modality, "moved", None)
