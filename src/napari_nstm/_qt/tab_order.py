"""The Tab key goes through a panel as it is read: from the top, whatever was made first."""

from collections.abc import Iterator
from itertools import pairwise

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLayout, QScrollArea, QTabWidget, QWidget


def order_tabs(root: QWidget) -> None:
    """Let the Tab key follow the layouts of a widget; what is hidden now counts too."""
    for before, after in pairwise(_in_reading_order(root)):
        QWidget.setTabOrder(before, after)


def _in_reading_order(widget: QWidget) -> Iterator[QWidget]:
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus == Qt.FocusPolicy.TabFocus:
        yield widget
    if isinstance(widget, QTabWidget):
        yield widget.tabBar()
        if widget.cornerWidget() is not None:
            yield from _in_reading_order(widget.cornerWidget())
        for index in range(widget.count()):
            yield from _in_reading_order(widget.widget(index))
    elif isinstance(widget, QScrollArea):
        yield from _in_reading_order(widget.widget())
    elif widget.layout() is not None:
        yield from _in_layout(widget.layout())


def _in_layout(layout: QLayout) -> Iterator[QWidget]:
    places = range(layout.count())
    if isinstance(layout, QGridLayout):
        places = sorted(places, key=lambda index: layout.getItemPosition(index)[:2])
    for index in places:
        item = layout.itemAt(index)
        if item.widget() is not None:
            yield from _in_reading_order(item.widget())
        elif item.layout() is not None:
            yield from _in_layout(item.layout())
