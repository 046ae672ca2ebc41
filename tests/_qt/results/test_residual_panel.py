"""The panel says how far the frames are explained, names the worst, and shows where."""

import shutil
import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests._qt.residual_store import SIGMA, write_residual
from tests._qt.result_in_viewer import offer
from tests._qt.small_store import SHAPE, write_store

from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.results import residual_panel as module
from napari_nstm._qt.results.residual_panel import ResidualPanel
from napari_nstm._qt.results.residual_table import BAR_ROLE

BAR = np.zeros(SHAPE)
BAR[18:23, 10:50] = 12 * SIGMA
WORST = {1: BAR}


@pytest.fixture
def panel(viewer, view, background, qtbot):
    made = ResidualPanel(viewer, view, background)
    qtbot.addWidget(made)
    made.show()
    return made


def ready(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.busy and not panel.message.text().endswith("…"))


def said(panel):
    return panel.message.text().replace("\u200b", "")


def shown(viewer):
    return [layer.name for layer in viewer.layers if layer.visible and layer.opacity > 0]


def rows(panel):
    table = panel.table
    return [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount())]


def test_a_result_is_measured_when_it_comes(panel, viewer, qtbot, tmp_path):
    offer(panel, viewer, write_residual(tmp_path / "a.zarr", add=WORST))
    assert said(panel) == "Looking at the residual…"
    ready(panel, qtbot)
    ratios = panel.summary.ratios
    assert said(panel) == panel.summary.sentence()
    assert f"frame 2 (20 ms, {ratios[1]:.2f} times) stands out." in said(panel)
    assert [row[:2] for row in rows(panel)] == [["1", "10 ms"], ["2", "20 ms"], ["3", "45 ms"]]
    assert [row[2] for row in rows(panel)] == [f"{ratios[0]:.2f}", f"{ratios[1]:.2f} ⚠", f"{ratios[2]:.2f}"]
    assert panel.table.horizontalHeaderItem(2).text() == "Residual (noise = 1)"
    # The bar of the worst is whole, the line of the noise stands where 1 is.
    share, noise_at = panel.table.item(1, 2).data(BAR_ROLE)
    assert (share, noise_at) == (1.0, pytest.approx(1 / ratios[1]))
    spoken = panel.table.item(1, 2).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == f"{ratios[1]:.2f}, stands out"


def test_nothing_is_read_before_the_panel_can_be_seen(panel, viewer, qtbot, tmp_path, monkeypatch):
    read = []
    real = module.residual_summary
    monkeypatch.setattr(module, "residual_summary", lambda stored: read.append(stored) or real(stored))
    panel.hide()
    stored = write_residual(tmp_path / "a.zarr")
    panel.set_result(stored, "cells")
    assert not panel.busy
    assert said(panel) == ""
    panel.show()
    ready(panel, qtbot)
    assert read == [stored]
    # Once is enough.
    panel.hide()
    panel.show()
    panel.set_result(stored, "cells")
    assert not panel.busy
    assert said(panel).startswith("The frames are explained to ")
    assert read == [stored]


def test_a_large_residual_is_read_only_when_asked_for(panel, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "UNASKED_BYTES", 1000)
    panel.set_result(write_residual(tmp_path / "a.zarr"), "cells")
    ready(panel, qtbot)
    assert said(panel) == "The residual is large (0 MB): press Measure to read it."
    assert not panel.map_button.isEnabled()
    panel.measure_button.click()
    ready(panel, qtbot)
    assert said(panel).startswith("The frames are explained to ")
    assert not panel.measure_button.isVisible()


def test_reading_is_done_in_a_thread_of_its_own(panel, qtbot, tmp_path, monkeypatch):
    threads, go = [], threading.Event()
    real = module.residual_summary

    def slow(stored):
        threads.append(threading.current_thread())
        assert go.wait(10)
        return real(stored)

    monkeypatch.setattr(module, "residual_summary", slow)
    first, second = (write_residual(tmp_path / f"{k}.zarr", add={k: BAR}) for k in (0, 2))
    panel.set_result(first, "first")
    qtbot.waitUntil(lambda: len(threads) == 1)
    panel.set_result(second, "second")
    go.set()
    # What was found in the first is not said of the second, which is measured next.
    qtbot.waitUntil(lambda: panel.summary is not None)
    assert panel.summary.worst == (2,)
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_the_map_begins_at_the_worst_frame_and_the_result_comes_back(panel, viewer, view, qtbot, tmp_path):
    offer(panel, viewer, write_residual(tmp_path / "a.zarr", add=WORST))
    ready(panel, qtbot)
    before = shown(viewer)
    panel.map_button.click()
    ready(panel, qtbot)
    assert shown(viewer) == ["residual — cells"]
    assert viewer.dims.current_step[0] == 1
    assert viewer.canvas.overlays.text.text == "20 ms"
    assert view.title.text() == "Residual"
    assert "orange is brighter than the result says" in view.note.text()
    assert said(panel) == panel.summary.sentence()
    view.back()
    assert shown(viewer) == before
    # The same layer again, and no second one.
    n = len(viewer.layers)
    panel.map_button.click()
    assert shown(viewer) == ["residual — cells"]
    assert len(viewer.layers) == n


@pytest.mark.parametrize("how", ["click", "return"])
def test_a_frame_of_the_table_is_shown(panel, viewer, qtbot, tmp_path, how):
    offer(panel, viewer, write_residual(tmp_path / "a.zarr"))
    ready(panel, qtbot)
    table = panel.table
    if how == "click":
        where = table.visualItemRect(table.item(2, 1)).center()
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    else:
        table.setCurrentCell(2, 0)
        qtbot.keyClick(table, Qt.Key.Key_Return)
    ready(panel, qtbot)
    assert shown(viewer) == ["residual — cells"]
    assert viewer.dims.current_step[0] == 2
    assert table.currentRow() == 2


def test_without_worst_the_map_stays_at_the_moment_that_is_shown(panel, viewer, qtbot, tmp_path):
    offer(panel, viewer, write_residual(tmp_path / "a.zarr"))
    ready(panel, qtbot)
    viewer.dims.set_current_step(0, 2)
    panel.map_button.click()
    ready(panel, qtbot)
    assert viewer.dims.current_step[0] == 2


def test_of_one_exposure_each_colour_has_its_map(panel, viewer, view, qtbot, tmp_path):
    add = {1: 3 * SIGMA}
    times = tuple(np.linspace(0, 23, 24))
    stored = write_residual(tmp_path / "a.zarr", shape=(3, 50, 70), in_colors=True, times_ms=times, add=add)
    panel.set_result(stored, "hand")
    ready(panel, qtbot)
    assert [row[0] for row in rows(panel)] == ["red", "green", "blue"]
    panel.map_button.click()
    ready(panel, qtbot)
    assert view.title.text() == "Residual, green"
    layer = viewer.layers["residual — hand"]
    np.testing.assert_array_equal(layer.data, stored.residual.compute()[1])
    panel.show_map(2)
    ready(panel, qtbot)
    assert view.title.text() == "Residual, blue"
    np.testing.assert_array_equal(layer.data, stored.residual.compute()[2])
    assert len(viewer.layers) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [("stopped", "This result has no residual: its run ended"), ("running", "This run was interrupted: resume it")],
)
def test_a_run_without_residual_says_so(panel, qtbot, tmp_path, status, words):
    panel.set_result(write_store(tmp_path / "a.zarr", status), "cells")
    ready(panel, qtbot)
    assert said(panel).startswith(words)
    assert not panel.map_button.isEnabled()
    assert not panel.table.isVisible()
    assert not panel.measure_button.isVisible()


def test_another_result_takes_the_place_of_the_first(panel, qtbot, tmp_path):
    panel.set_result(write_residual(tmp_path / "a.zarr"), "a")
    ready(panel, qtbot)
    panel.set_result(write_store(tmp_path / "b.zarr"), "b")
    ready(panel, qtbot)
    assert (panel.summary, panel.table.isVisible()) == (None, False)
    panel.set_result(None, "")
    assert said(panel) == ""
    panel.show_map()
    panel.measure()
    assert not panel.busy


def test_a_result_that_vanished_is_one_sentence_and_can_be_tried_again(panel, qtbot, tmp_path):
    stored = write_residual(tmp_path / "a.zarr")
    shutil.move(stored.path, tmp_path / "away")
    panel.set_result(stored, "cells")
    ready(panel, qtbot)
    assert said(panel) == f"⚠ The result is no longer at {stored.path}: it was moved or removed."
    shutil.move(tmp_path / "away", stored.path)
    panel.measure_button.click()
    ready(panel, qtbot)
    assert said(panel).startswith("The frames are explained to ")


def test_long_tables_scroll_to_the_worst(panel, qtbot, tmp_path):
    n = 40
    stored = write_residual(tmp_path / "a.zarr", add={33: BAR}, times_ms=tuple(10.0 * k for k in range(n)))
    panel.set_result(stored, "cells")
    ready(panel, qtbot)
    assert panel.summary.worst == (33,)
    assert panel.table.height() < 220
    where = panel.table.visualItemRect(panel.table.item(33, 0))
    assert panel.table.viewport().rect().contains(where.center())


def test_bars_are_drawn_as_long_as_they_are_worth(panel, qtbot, tmp_path):
    panel.set_result(write_residual(tmp_path / "a.zarr", add=WORST), "cells")
    ready(panel, qtbot)
    panel.resize(400, 300)
    panel.table.clearSelection()
    qtbot.wait(50)
    picture = panel.table.viewport().grab().toImage()
    ratio = picture.devicePixelRatio()
    base = panel.table.palette().base().color()

    def filled(row):
        """Share of the width that is not the ground, along a line that meets no letter."""
        rect = panel.table.visualItemRect(panel.table.item(row, 2))
        y = round((rect.top() + 3) * ratio)
        line = [picture.pixelColor(round(x * ratio), y) for x in range(rect.left(), rect.right())]
        return np.mean([color != base for color in line])

    ratios = panel.summary.ratios
    assert filled(1) > 0.97
    assert filled(0) == pytest.approx(max(ratios[0], 1) / ratios[1], abs=0.04)


def test_a_window_draws_what_is_left(make_napari_viewer_proxy, background, qtbot, tmp_path):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(900, 700)
    view = DrawingView(viewer)
    panel = ResidualPanel(viewer, view, background)
    for widget in (view, panel):
        qtbot.addWidget(widget)
    panel.show()
    offer(panel, viewer, write_residual(tmp_path / "a.zarr", add={1: BAR, 2: -BAR}))
    viewer.layers["motion — cells"].visible = False
    viewer.reset_view()
    ready(panel, qtbot)

    def orange_and_blue():
        qtbot.wait(300)
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        red_above_blue = picture[..., 0] - picture[..., 2]
        return (red_above_blue > 125).mean(), (red_above_blue < -125).mean()

    assert orange_and_blue() == (0, 0)
    panel.show_map(1)
    ready(panel, qtbot)
    orange, blue = orange_and_blue()
    assert orange > 0.01
    assert orange > 3 * blue
    panel.show_map(2)
    orange, blue = orange_and_blue()
    assert blue > 0.01
    assert blue > 3 * orange
    view.back()
    assert orange_and_blue() == (0, 0)
    view.disconnect_viewer()
