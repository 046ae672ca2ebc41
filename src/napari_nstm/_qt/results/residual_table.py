"""What is left of every frame: a row each, with a bar, and a sign for those that stand out."""

from qtpy.QtCore import QModelIndex, QRect, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QKeyEvent, QPainter, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_nstm.analysis.residuals import ResidualSummary
from napari_nstm.io.text import format_value, time_texts

BAR_ROLE = Qt.ItemDataRole.UserRole
"""(length of the bar, where the noise lies or None), as shares of the width."""
STANDS_OUT = "⚠"

_ROWS_SHOWN = 5
_OPACITY, _INDENT = 0.25, 3


class ResidualTable(QTableWidget):
    """Frame, time, and residual of every image; a click, or Return, chooses one.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    chosen = Signal(int)
    """Number of an image, the first being 0."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 3, parent)
        self._in_sight = 0
        self.setAccessibleName("What is left of every frame")
        self.setToolTip(
            "Measured minus rendered, root mean square over the frame, in standard deviations of its noise (the line): "
            f"1 is noise alone. {STANDS_OUT} stands out from the others. Click on a frame to see where."
        )
        self.verticalHeader().hide()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)  # Tab leaves the table
        self.setItemDelegateForColumn(2, _Bar(self))
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.cellClicked.connect(lambda row, _: self.chosen.emit(row))

    def fill(self, summary: ResidualSummary) -> None:
        """Show what was found; the worst is in sight."""
        values, in_noise = summary.ratios or summary.rms, summary.ratios is not None
        largest = max(*values, 1.0) if in_noise else max(values) or 1.0
        unit = "noise = 1" if in_noise else "of what counts as 1"
        self.setHorizontalHeaderLabels(["Colour" if summary.colors else "Frame", "Time", f"Residual ({unit})"])
        self.setRowCount(len(values))
        times = time_texts(list(summary.times_ms))
        for row, value in enumerate(values):
            label, stands_out = summary.colors[row] if summary.colors else str(row + 1), row in summary.worst
            number = f"{value:.2f}" if in_noise else format_value(value, largest)
            for column, text in enumerate((label, times[row], f"{number} {STANDS_OUT}" if stands_out else number)):
                self.setItem(row, column, QTableWidgetItem(text))
            last = self.item(row, 2)
            last.setData(BAR_ROLE, (value / largest, 1 / largest if in_noise else None))
            last.setData(Qt.ItemDataRole.AccessibleTextRole, f"{number}{', stands out' if stands_out else ''}")
        header = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth()
        self.setFixedHeight(header + self.rowHeight(0) * min(len(values), _ROWS_SHOWN))
        self.clearSelection()
        self._in_sight = summary.worst[0] if summary.worst else 0
        QTimer.singleShot(0, self._scroll)  # once it has its height

    def _scroll(self) -> None:
        if self._in_sight < self.rowCount():
            self.scrollToItem(self.item(self._in_sight, 0))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Choose with Return, Enter, or the space bar."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.currentRow() >= 0:
            self.chosen.emit(self.currentRow())
            return
        super().keyPressEvent(event)


class _Bar(QStyledItemDelegate):
    """Paints a bar behind the number, and a line where the noise is."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Qt's name: draw ground, bar, line, and number above all of it."""
        share, noise_at = index.data(BAR_ROLE) or (0.0, None)
        ground = QStyleOptionViewItem(option)
        self.initStyleOption(ground, index)
        text, ground.text = ground.text, ""
        ground.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, ground, painter, ground.widget)
        rect = option.rect.adjusted(1, 2, -1, -2)
        ink = option.palette.color(QPalette.ColorRole.Text)
        color = QColor(ink)
        color.setAlphaF(_OPACITY)  # seen on the ground and on the row that is chosen
        painter.save()
        painter.fillRect(QRect(rect.left(), rect.top(), round(share * rect.width()), rect.height()), color)
        painter.setPen(ink)
        if noise_at is not None:
            x = rect.left() + round(noise_at * (rect.width() - 1))
            painter.drawLine(x, rect.top(), x, rect.bottom())
        painter.setFont(ground.font)
        painter.drawText(rect.adjusted(_INDENT, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()
