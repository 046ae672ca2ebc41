"""Editors of single values: a line, a check box, a choice.

Each has a signal `changed`, `value()` (plain JSON; None: left out), `set_value(value)` (None: empty) and
`complaint()`: what it knows itself to be wrong with its text, in words.
"""

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPaintEvent, QWheelEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLineEdit,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

from napari_nstm._qt.form.fields import FieldSpec
from napari_nstm._qt.form.text import from_yaml, goes_on, has_decimal_comma, number, numbers, shown, yaml_text


class LineEditor(QLineEdit):
    """A line for a number, a list of numbers, a text, or a value in YAML: nothing that a wheel could change.

    Parameters
    ----------
    spec
        The field.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec = spec
        self._n_frames: int | None = None
        self.setPlaceholderText(spec.placeholder)
        self.textChanged.connect(self._on_text)

    def set_n_frames(self, n_frames: int | None) -> None:
        """Say how many frames there are, for "0, 25, ..."."""
        before = self.value()
        self._n_frames = n_frames
        if self.value() != before:
            self.changed.emit()

    def value(self) -> Any:
        """Return what the text stands for, or the text itself if it stands for nothing."""
        text = self.text()
        if self._spec.kind == "number":
            return number(text)
        if self._spec.kind == "numbers":
            return numbers(text, self._n_frames if self._spec.hint.per_frame else None, scalar=self._spec.scalar)
        if self._spec.kind == "yaml":
            return from_yaml(text)
        return text.strip() or None

    def set_value(self, value: Any) -> None:
        """Show a value; None: nothing."""
        text = yaml_text(value) if self._spec.kind == "yaml" and value is not None else shown(value)
        self.setText(text)
        self.setCursorPosition(0)

    def complaint(self) -> str:
        """Say what is wrong with the text where validation could not say it well."""
        text = self.text()
        if self._spec.kind == "number" and has_decimal_comma(text):
            return f"Write decimals with a point: {text.strip().replace(',', '.')}"
        if self._spec.kind == "numbers" and goes_on(text) and isinstance(self.value(), str):
            if not self._spec.hint.per_frame:
                return "Write all numbers: “...” does not work here."
            if self._n_frames is None:
                return "“...” goes on to the last frame: choose the raw frames first."
            return "Write at least two numbers before “...”, such as 0, 25, ..."
        return ""

    def _on_text(self, _text: str) -> None:
        self.changed.emit()


class CheckEditor(QCheckBox):
    """Yes or no."""

    changed = Signal()

    def __init__(self, _spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.toggled.connect(self._on_toggled)

    def value(self) -> bool:
        """Return whether it is ticked."""
        return self.isChecked()

    def set_value(self, value: Any) -> None:
        """Tick it, or not."""
        self.setChecked(bool(value))

    def complaint(self) -> str:
        """Return nothing: neither state is wrong."""
        return ""

    def _on_toggled(self, _on: bool) -> None:
        self.changed.emit()


class CalmComboBox(QComboBox):
    """A combo box that the wheel passes over unless it has the focus, and that may be narrower than its items."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Leave the wheel to what scrolls."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Write "..." where the text is too long; Qt would cut it off."""
        if self.isEditable():
            super().paintEvent(event)
            return
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        control = QStyle.ComplexControl.CC_ComboBox
        field = self.style().subControlRect(control, option, QStyle.SubControl.SC_ComboBoxEditField, self)
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, field.width() - 6
        )
        painter = QStylePainter(self)
        painter.drawComplexControl(control, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def showPopup(self) -> None:  # noqa: N802
        """Open the list, as wide as its widest item."""
        view = self.view()
        view.setMinimumWidth(max(self.width(), view.sizeHintForColumn(0) + 24))
        super().showPopup()


class ChoiceEditor(CalmComboBox):
    """One of several values, shown by their labels; where the field allows it, others may be typed.

    Parameters
    ----------
    spec
        The field.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values = [value for value, _ in spec.choices]
        self.addItems([label for _, label in spec.choices])
        self.setEditable(spec.editable)
        if spec.editable:
            self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            self.setCompleter(None)
            self.editTextChanged.connect(self._on_changed)
            self.activated.connect(self._show_start)
            self._show_start()
        else:
            self.currentIndexChanged.connect(self._on_changed)

    def value(self) -> Any:
        """Return the chosen value, or what was typed."""
        if not self.isEditable():
            return self._values[self.currentIndex()] if self.currentIndex() >= 0 else None
        text = self.currentText().strip()
        index = self.findText(text)
        return self._values[index] if index >= 0 else text or None

    def set_value(self, value: Any) -> None:
        """Choose a value; one that is not among the choices is added, so that nothing is lost."""
        if value in self._values:
            self.setCurrentIndex(self._values.index(value))
            if self.isEditable():
                self.setEditText(self.itemText(self.currentIndex()))
        elif self.isEditable():
            self.setEditText(shown(value))
        elif value is None:
            self.setCurrentIndex(-1)
        else:
            self._values.append(value)
            self.addItem(shown(value))
            self.setCurrentIndex(self.count() - 1)
        self._show_start()

    def complaint(self) -> str:
        """Return nothing: validation knows best."""
        return ""

    def _show_start(self, _index: int = 0) -> None:
        """Show the beginning of a text that is longer than its line; Qt shows the end."""
        if self.isEditable():
            self.lineEdit().setCursorPosition(0)

    def _on_changed(self, _now: object) -> None:
        self.changed.emit()
