"""The Tab key follows what is read."""

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QGridLayout, QLineEdit, QScrollArea, QSpinBox, QTabWidget, QVBoxLayout, QWidget
from tests._qt.panel_window import Window

from napari_nstm._qt.tab_order import order_tabs


def test_tabs_scroll_areas_and_grids_are_gone_through_as_they_are_read(qtbot):
    names = ["corner", "first", "upper left", "upper right", "lower", "last"]
    edits = {name: QLineEdit() for name in reversed(names)}  # made in another order than they are read
    spin = QSpinBox()  # has an editor of its own inside
    grid = QGridLayout()
    grid.addWidget(edits["lower"], 1, 0)
    grid.addWidget(edits["upper right"], 0, 1)
    grid.addWidget(edits["upper left"], 0, 0)
    page, area, tabs, root = QWidget(), QScrollArea(), QTabWidget(), QWidget()
    column = QVBoxLayout(page)
    column.addWidget(edits["first"])
    column.addLayout(grid)
    column.addWidget(spin)
    area.setWidget(page)
    tabs.addTab(area, "page")
    tabs.setCornerWidget(edits["corner"])
    layout = QVBoxLayout(root)
    layout.addWidget(tabs)
    layout.addWidget(edits["last"])
    qtbot.addWidget(root)
    root.show()
    root.activateWindow()
    qtbot.waitUntil(root.isActiveWindow)
    order_tabs(root)
    edits["corner"].setFocus()
    gone_through = []
    by_widget = {id(edit): name for name, edit in edits.items()}
    for _ in range(12):
        found = by_widget.get(id(root.focusWidget()), "spin" if root.focusWidget() is spin else None)
        if found is not None:
            gone_through.append(found)
        if found == "last":
            break
        QTest.keyClick(root.focusWidget(), Qt.Key.Key_Tab)
    assert gone_through == ["corner", "first", "upper left", "upper right", "lower", "spin", "last"]


def test_in_the_panel_acquisition_comes_before_the_fit_also_of_another_method(window, qtbot):
    assert isinstance(window, Window)
    form = window.panel.form
    for method in ("sim", "dpc"):
        form.set_modality(method)
        editors = [form.method, form.raw.combo, window.panel.region.draw_button]
        editors += [form.part.editor("frames")]
        editors += [form.acquisition.editor("pixel_size_um"), form.fit.editor("preset")]
        form.large.set_open()
        editors += [form.output.editor("times"), form.compute.editor("tile_px"), form.compute.editor("scheduler")]
        editors.append(window.panel.bar.button)
        qtbot.waitUntil(lambda editors=editors: _in_chain(window.panel, editors) == editors)


def _in_chain(root, editors):
    found, widget = [], root.nextInFocusChain()
    first = widget
    while True:
        if any(widget is editor for editor in editors):
            found.append(widget)
        widget = widget.nextInFocusChain()
        if widget is first:
            break
    start = next((k for k, one in enumerate(found) if one is editors[0]), 0)
    return [*found[start:], *found[:start]]
