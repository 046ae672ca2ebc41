"""Rows of the form of a movie: a label, editors, and below them what is wrong; where it does not apply, why."""

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_nstm._qt.form.row import ProblemLine


class MovieRow:
    """One row.

    Parameters
    ----------
    form
        Where it is added.
    title
        Its label.
    editors
        From left to right; more than one have names of their own.
    tip
        What the first is for; several editors have tooltips of their own.
    """

    def __init__(self, form: QFormLayout, title: str, editors: Sequence[QWidget], tip: str) -> None:
        self._form, self._editors = form, editors
        self._tips = [tip if len(editors) == 1 else editor.toolTip() for editor in editors]
        self._problem = ProblemLine()
        self._cell = QWidget()
        self._label = QLabel(title)
        self._label.setToolTip(tip)
        column = QVBoxLayout(self._cell)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        line = QHBoxLayout()
        for editor in editors:
            line.addWidget(editor, 1 if len(editors) == 1 else 0)
        if len(editors) > 1:
            line.addStretch(1)
        column.addLayout(line)
        column.addWidget(self._problem)
        if len(editors) == 1:
            self._label.setBuddy(editors[0])
            editors[0].setAccessibleName(title)
        form.addRow(self._label, self._cell)
        self.set_reason("")

    def set_reason(self, reason: str) -> None:
        """Say why the row does not apply, and rest it; empty: it applies."""
        for editor, tip in zip(self._editors, self._tips, strict=True):
            editor.setEnabled(not reason)
            editor.setToolTip(reason or tip)
            editor.setAccessibleDescription(self.problem() or reason or tip)
        self._label.setEnabled(not reason)
        self._label.setToolTip(reason or self._tips[0])

    def set_visible(self, visible: bool) -> None:
        """Show the row, or leave it out."""
        self._form.setRowVisible(self._cell, visible)

    def problem(self) -> str:
        """Return the sentence that stands below; empty: none."""
        return self._problem.text()

    def set_problem(self, text: str) -> None:
        """Say what is wrong; empty: nothing is."""
        self._problem.set_text(text)
        self._editors[0].setAccessibleDescription(text or self._editors[0].toolTip())


def rest_item(box: QComboBox, data: object, reason: str) -> None:
    """Say why an item cannot be chosen, and rest it; empty: it can."""
    index, model = box.findData(data), box.model()
    if isinstance(model, QStandardItemModel) and index >= 0:
        model.item(index).setEnabled(not reason)
        box.setItemData(index, reason, Qt.ItemDataRole.ToolTipRole)


def new_form(parent: QWidget | None = None) -> QFormLayout:
    """Make a form whose editors take the width that is left."""
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return form
