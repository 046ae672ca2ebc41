"""One row of a form: label with unit, editor, and below it what is wrong."""

import html
from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QStyle, QWidget

from napari_nstm._qt.form.array_editor import ArrayEditor
from napari_nstm._qt.form.editors import CheckEditor, ChoiceEditor, LineEditor
from napari_nstm._qt.form.fields import FieldSpec

_EDITORS = {"bool": CheckEditor, "choice": ChoiceEditor, "union": ChoiceEditor, "array": ArrayEditor}
# Shares of the width: the same in every row, so that columns line up, in narrow docks and wide ones.
_COLUMNS = (42, 58)
_INDENT = 10  # of what belongs to the row above, in pixels


class Row(QWidget):
    """A setting with its editor.

    Parameters
    ----------
    spec
        The field.
    dotted
        Its name from the top of the form.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()

    def __init__(self, spec: FieldSpec, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec, self.dotted = spec, dotted
        self.editor = _EDITORS.get(spec.kind, LineEditor)(spec, self)
        name = f"{spec.label} ({spec.unit})" if spec.unit else spec.label
        self._label = WrappedLabel(name, self)
        self._label.setBuddy(self.editor)
        self._label.setContentsMargins(_INDENT if "." in dotted else 0, 0, 0, 0)
        self._problem = ProblemLine(self)
        self._lay_out()
        tip = f"<qt>{html.escape(spec.help).replace(chr(10), '<br>')}</qt>" if spec.help else ""
        for widget in (self._label, self.editor):
            widget.setToolTip(tip)
        self.editor.setAccessibleName(name)
        self.set_problem("")
        self.reset()
        self.editor.changed.connect(self._on_changed)

    def value(self) -> Any:
        """Return the editor's value; None: left out."""
        return self.editor.value()

    def set_value(self, value: Any) -> None:
        """Show a value."""
        self.editor.set_value(value)

    def reset(self) -> None:
        """Show the default."""
        self.editor.set_value(self.spec.default)

    def rows(self) -> Iterator["Row"]:
        """Yield the row itself: a part of a form like any other."""
        yield self

    def open_to(self, _row: "Row") -> None:
        """Do nothing: a row is always open."""

    def problem(self) -> str:
        """Return what is shown to be wrong; empty if nothing is."""
        return self._problem.text()

    def set_problem(self, text: str) -> None:
        """Show what is wrong under the editor, and tell it to screen readers; empty: nothing is."""
        self._problem.set_text(text)
        self.editor.setAccessibleDescription(text or self.spec.help)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        for column, share in enumerate(_COLUMNS):
            grid.setColumnStretch(column, share)
        grid.addWidget(self._label, 0, 0)
        grid.addWidget(self.editor, 0, 1)
        grid.addWidget(self._problem, 1, 0, 1, 2)

    def _on_changed(self) -> None:
        self.set_problem("")
        self.changed.emit()


class ProblemLine(QWidget):
    """A warning mark and a sentence; gone while there is nothing to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mark = QLabel(self)
        self._text = WrappedLabel("", self)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 2)
        line.setSpacing(4)
        line.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addWidget(self._text, 1)
        self.setVisible(False)

    def text(self) -> str:
        """Return the sentence."""
        return self._text.text()

    def set_text(self, text: str) -> None:
        """Show a sentence; empty: nothing."""
        if text and self._mark.pixmap().isNull():
            size = self.fontMetrics().height()
            icon = self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
            self._mark.setPixmap(icon.pixmap(size, size))
        self._text.setText(text)
        self.setVisible(bool(text))


class WrappedLabel(QLabel):
    """Plain text that wraps to the width it is given, and asks for none."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
