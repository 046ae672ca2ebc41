"""A rectangle upon the raw frames is the form's region, and the form's region is a rectangle."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_nstm._qt.raw_layer import is_of_a_run, known_of, may_be_raw
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm._qt.setup.region import RegionTool

SIZE = (96, 128)
MIDDLE = (24, 32, 48, 64)
UM = 0.5


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def form(viewer, qtbot):
    made = JobForm(viewer)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()


@pytest.fixture
def tool(viewer, form, qtbot):
    made = RegionTool(viewer, form)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()


@pytest.fixture
def raw(viewer, tool):
    return add(viewer, "cells")


def add(viewer, name, shape=(4, *SIZE)):
    return viewer.add_image(np.zeros(shape, np.uint16), name=name, scale=(1, UM, UM), translate=(0, 3, 4))


def rectangle(viewer):
    return next((layer for layer in viewer.layers if known_of(layer).get("kind") == "region"), None)


def box(top, left, bottom, right):
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)]) - 0.5


def test_half_of_the_field_is_drawn_in_its_middle_ready_to_be_moved(viewer, form, tool, raw):
    before = viewer.dims.current_step, viewer.dims.nsteps
    tool.draw_button.click()
    layer = rectangle(viewer)
    assert form.region == MIDDLE
    assert layer.name == "region — cells"
    assert (layer.mode, layer.selected_data, viewer.layers.selection.active) == ("select", {0}, layer)
    # It lies around its pixels, and the slider stays.
    np.testing.assert_allclose(layer.data_to_world(layer.data[0].min(0)), (3 + 23.5 * UM, 4 + 31.5 * UM))
    assert (viewer.dims.current_step, viewer.dims.nsteps) == before
    assert not may_be_raw(layer)
    assert not is_of_a_run(layer)
    assert tool.about.text() == "Region: rows 24–72, columns 32–96 (48 × 64 px)"
    assert form.raw.layer is raw


def test_a_size_that_is_asked_for_is_drawn(form, tool, raw):
    tool.ask(32, 40)
    assert form.region == (32, 44, 32, 40)
    tool.ask(1000, 10)
    assert form.region == (0, 48, 96, 32)


def test_what_is_drawn_is_taken_a_moment_later_and_said_at_once(viewer, form, tool, raw, qtbot):
    tool.draw()
    heard = []
    form.changed.connect(lambda: heard.append(form.region))
    for top in (2, 4, 6):
        rectangle(viewer).data = [box(top, 10, top + 40, 60)]
        assert f"rows {top}–{top + 40}" in tool.about.text()
        assert form.region == MIDDLE
    qtbot.waitUntil(lambda: form.region == (6, 10, 40, 50))
    assert heard == [(6, 10, 40, 50)]


def test_of_several_shapes_the_newest_counts_and_is_said(viewer, form, tool, raw, qtbot):
    tool.draw()
    rectangle(viewer).add_rectangles(box(0, 0, 32, 40))
    qtbot.waitUntil(lambda: form.region == (0, 0, 32, 40))
    assert tool.note.text() == "The newest of 2 shapes counts."
    rectangle(viewer).data = [(box(20, 20, 60, 60) @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + (30, 0), "rectangle")]
    qtbot.waitUntil(lambda: "box around the shape" in tool.note.text())
    assert form.region[2:] == (56, 56)


def test_deleting_the_shape_or_the_layer_means_the_whole_field(viewer, form, tool, raw, qtbot):
    tool.draw()
    rectangle(viewer).selected_data = {0}
    rectangle(viewer).remove_selected()
    qtbot.waitUntil(lambda: form.region is None)
    assert "was deleted" in tool.note.text()
    tool.draw_button.click()
    assert form.region == MIDDLE
    assert tool.note.text() == ""
    viewer.layers.remove(rectangle(viewer))
    assert form.region is None
    assert "was deleted" in tool.note.text()
    tool.draw_button.click()
    assert rectangle(viewer) is not None


def test_whole_field_takes_the_rectangle_away(viewer, form, tool, raw):
    tool.draw()
    tool.whole_button.click()
    assert form.region is None
    assert rectangle(viewer) is None
    assert tool.about.text() == "Region: whole field"
    assert tool.whole_button.isHidden()
    assert tool.note.text() == ""


def test_a_region_that_is_set_elsewhere_is_drawn(viewer, form, tool, raw, qtbot):
    form.region = (10, 20, 40, 60)
    np.testing.assert_allclose(rectangle(viewer).data[0], box(10, 20, 50, 80))
    form.region = None
    qtbot.waitUntil(lambda: rectangle(viewer) is None)


def test_a_region_that_does_not_lie_in_the_frames_is_given_up_and_said(viewer, form, tool, raw, qtbot):
    tool.draw()
    raw.data = np.zeros((4, 40, 40), np.uint16)
    assert form.region is None
    assert "does not lie within" in tool.note.text()
    qtbot.waitUntil(lambda: rectangle(viewer) is None)


def test_other_frames_are_reconstructed_whole(viewer, form, tool, raw, qtbot):
    tool.draw()
    other = add(viewer, "other")
    form.raw.choose(other)
    assert form.region is None
    assert tool.note.text() == "Other frames: the whole field is reconstructed."
    qtbot.waitUntil(lambda: rectangle(viewer) is None)
    tool.draw()
    for layer in (other, raw):
        viewer.layers.remove(layer)
    assert form.region is None
    assert tool.isHidden()


def test_a_rectangle_of_the_users_own_can_be_used(viewer, form, tool, raw):
    # In a layer of another scale and unit, with an axis of time.
    raw.units = ("pixel", "um", "um")
    mine = viewer.add_shapes(ndim=3, scale=(1, 100, 100), units=("pixel", "nm", "nm"))
    assert tool.use_button.isHidden()
    world_um = box(10, 20, 60, 100) * UM + (3, 4)
    mine.add_rectangles(np.column_stack([np.ones(4), world_um * 10]))
    assert not tool.use_button.isHidden()
    tool.use_button.click()
    assert form.region == (10, 20, 50, 80)
    assert "Shapes" in tool.note.text()
    assert mine in viewer.layers
    assert tool.use_button.isHidden()  # the rectangle that counts is selected now


def test_the_rectangle_stays_on_its_pixels_when_the_frames_are_placed(viewer, form, tool, raw):
    tool.draw()
    raw.scale, raw.units = (1, 0.25, 0.25), ("pixel", "um", "um")
    raw.axis_labels = ("t", "y", "x")
    layer = rectangle(viewer)
    np.testing.assert_allclose(layer.scale, (0.25, 0.25))
    np.testing.assert_allclose(layer.translate, (3, 4))
    assert layer.units == raw.units[-2:]
    assert layer.axis_labels == ("y", "x")
    assert form.region == MIDDLE


def test_axes_in_another_order_and_small_frames_are_said(viewer, form, tool, raw):
    raw.axis_labels = ("y", "x", "t")
    assert not tool.draw_button.isEnabled()
    assert "not the last axes of “cells”" in tool.note.text()
    form.raw.choose(add(viewer, "tiny", (4, 20, 20)))
    tool.draw()
    assert tool.note.text() == "A region needs 32 × 32 px of the field."
    assert form.region is None


def test_a_problem_of_the_region_stands_here(form, tool, raw):
    form.show_problem("region", "Takes the whole field; got a part of it.")
    assert tool.problem.text() == "Takes the whole field; got a part of it."
    assert tool.draw_button.accessibleDescription() == tool.problem.text()
    form.clear_problems()
    assert tool.problem.isHidden()


def test_the_whole_field_is_offered_after_a_run_with_a_region(tool, raw, qtbot):
    assert tool.again_button.isHidden()
    tool.offer_whole_field(True)
    assert not tool.again_button.isHidden()
    with qtbot.waitSignal(tool.whole_field_asked):
        tool.again_button.click()
    tool.offer_whole_field(False)
    assert tool.again_button.isHidden()


# -- in a real window ---------------------------------------------------------


def test_the_rectangle_is_seen_and_dragged_with_the_mouse(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(900, 700)
    form = JobForm(viewer)
    qtbot.addWidget(form)
    tool = RegionTool(viewer, form)
    qtbot.addWidget(tool)
    add(viewer, "cells")
    viewer.reset_view()
    tool.draw()
    qtbot.wait(500)
    picture = viewer.screenshot(flash=False)[..., :3].astype(int)
    amber = (picture[..., 0] > 180) & (np.abs(picture[..., 1] - 150) < 60) & (picture[..., 2] < 90)
    rows, columns = np.nonzero(amber)
    camera, height, width = viewer.scene.camera, *picture.shape[:2]

    def at(row, column):
        """Where a raw pixel is on the canvas."""
        y, x = 3 + UM * row, 4 + UM * column
        where = ((y - camera.center[-2]) * camera.zoom, (x - camera.center[-1]) * camera.zoom)
        return QPoint(round(where[1] + width / 2), round(where[0] + height / 2))

    first, last = at(24, 32), at(72, 96)
    assert abs(rows.min() - first.y()) < 8
    assert abs(columns.max() - last.x()) < 8
    canvas = next(w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop" and w.isVisible())
    start, end = at(48, 64), at(38, 54)
    QTest.mouseMove(canvas, start)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.3, 0.6, 1.0):
        QTest.mouseMove(canvas, start + (end - start) * share)
        qtbot.wait(20)
    # Before the button is let go.
    qtbot.waitUntil(lambda: tool.about.text() != "Region: rows 24–72, columns 32–96 (48 × 64 px)")
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    qtbot.waitUntil(lambda: form.region != MIDDLE)
    assert form.region[2:] == MIDDLE[2:]
    np.testing.assert_allclose(form.region[:2], (14, 22), atol=2)
    tool.disconnect_viewer()
    form.disconnect_viewer()
