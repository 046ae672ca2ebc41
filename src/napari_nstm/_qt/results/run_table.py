"""A small table of runs: tick boxes, what differs, how each turned out."""

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QModelIndex, QRect, QSignalBlocker, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QPainter, QPalette, QPen, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

RUN, RESIDUAL, TIME = range(3)
_HEADERS = {
    "Run, and what differs": "Whether the layers of the run are shown, its name, and the settings in which it differs "
    "from the others.",
    "Residual": "What the result does not explain of the frames (root mean square): as a multiple of their noise, or, "
    "where that cannot be estimated, in percent of what counts as 1 in the normalised frames.",
    "Time": "How long the fit took.",
}
_AT_MOST, _LINES = 9, 3  # lines of the table before it scrolls, and of one row
_PADDING_PX, _TICK_PX = 3, 26
_OUTLINE = 120  # opacity of the outline of tick boxes, of 255
_NO_BREAK = "\u00a0"
_KEY = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Row:
    """One run, in words.

    Parameters
    ----------
    key
        What it is known by.
    name
        What the user knows it as.
    shown
        Whether its box is ticked; None: it has none.
    differs
        Settings in which it differs from the others.
    residual, time
        Numbers with their units.
    about
        What more there is to say of it.
    """

    key: str
    name: str
    shown: bool | None = None
    differs: tuple[str, ...] = ()
    residual: str = ""
    time: str = ""
    about: str = ""


class RunTable(QTreeWidget):
    """Shows rows, as high as they are, up to some lines; then it scrolls.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    ticked = Signal(str, bool)
    """Key of the row whose box was changed by the user, and whether it is ticked."""
    picked = Signal(str)
    """Key of the row that the user made the current one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Runs in the viewer")
        self.setRootIsDecorated(False)
        self.setWordWrap(True)
        self.setItemDelegateForColumn(RUN, _Tick(self))
        self.setHeaderLabels(list(_HEADERS))
        for column, text in enumerate(_HEADERS.values()):
            self.headerItem().setToolTip(column, text)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(36)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(RUN, QHeaderView.ResizeMode.Stretch)
        self.itemChanged.connect(self._changed)
        self.currentItemChanged.connect(self._current_changed)

    @property
    def keys(self) -> list[str]:
        """Of the rows, from the top."""
        return [item.data(RUN, _KEY) for item in self._items()]

    @property
    def current(self) -> str | None:
        """Key of the current row; None: there is none."""
        item = self.currentItem()
        return None if item is None else item.data(RUN, _KEY)

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; the current one stays so, and nothing is signalled."""
        with QSignalBlocker(self):
            if self.keys != [row.key for row in rows]:
                self._make_rows(rows)
            for item, row in zip(self._items(), rows, strict=True):
                _write(item, row)
        self._set_heights()

    def set_current(self, key: str) -> None:
        """Make a row the current one; nothing is signalled."""
        with QSignalBlocker(self):
            for item in self._items():
                if item.data(RUN, _KEY) == key:
                    self.setCurrentItem(item)
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Qt's name: words wrap anew."""
        super().resizeEvent(event)
        QTimer.singleShot(0, self._set_heights)

    # -- inside -------------------------------------------------------------

    def _items(self) -> list[QTreeWidgetItem]:
        return [self.topLevelItem(index) for index in range(self.topLevelItemCount())]

    def _make_rows(self, rows: Sequence[Row]) -> None:
        current = self.current
        self.clear()
        for row in rows:
            item = QTreeWidgetItem(self)
            item.setData(RUN, _KEY, row.key)
            for column in (RESIDUAL, TIME):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if row.key == current:
                self.setCurrentItem(item)

    def _set_heights(self) -> None:
        metrics, line = self.fontMetrics(), self.fontMetrics().height()
        room = QRect(0, 0, max(self.columnWidth(RUN) - _TICK_PX - 2 * _PADDING_PX, 1), 1000)
        heights = []
        with QSignalBlocker(self):
            for item in self._items():
                needed = metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, item.text(RUN)).height()
                heights.append(min(max(needed, line), _LINES * line) + 2 * _PADDING_PX)
                item.setSizeHint(RUN, QSize(0, heights[-1]))
        self.scheduleDelayedItemsLayout()  # the view heard nothing of it
        rows = min(sum(heights), _AT_MOST * (line + 2 * _PADDING_PX))
        self.setFixedHeight(self.header().sizeHint().height() + rows + 2 * self.frameWidth() + 2)

    def _changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column == RUN:
            self.ticked.emit(item.data(RUN, _KEY), item.checkState(RUN) == Qt.CheckState.Checked)

    def _current_changed(self, item: QTreeWidgetItem | None, _: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.picked.emit(item.data(RUN, _KEY))


class _Tick(QStyledItemDelegate):
    """Draws an outline around tick boxes: in napari's dark theme an empty one has none."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Qt's name: draw an item."""
        super().paint(painter, option, index)
        if index.data(Qt.ItemDataRole.CheckStateRole) is not None:
            drawn = QStyleOptionViewItem(option)
            self.initStyleOption(drawn, index)
            box = drawn.widget.style().subElementRect(
                QStyle.SubElement.SE_ItemViewItemCheckIndicator, drawn, drawn.widget
            )
            color = option.palette.color(QPalette.ColorRole.Text)
            color.setAlpha(_OUTLINE)
            painter.setPen(QPen(color, 0))
            painter.drawRect(box.adjusted(0, 0, -1, -1))


def _write(item: QTreeWidgetItem, row: Row) -> None:
    ticked = Qt.CheckState.Checked if row.shown else Qt.CheckState.Unchecked
    item.setData(RUN, Qt.ItemDataRole.CheckStateRole, None if row.shown is None else ticked)
    differs = "; ".join(words.replace(" ", _NO_BREAK) for words in row.differs)
    item.setText(RUN, "\n".join([row.name, differs] if differs else [row.name]))
    item.setText(RESIDUAL, row.residual)
    item.setText(TIME, row.time)
    item.setToolTip(RUN, "\n".join([row.about or row.name, *row.differs]))
    item.setToolTip(RESIDUAL, _HEADERS["Residual"])
    item.setToolTip(TIME, _HEADERS["Time"])
