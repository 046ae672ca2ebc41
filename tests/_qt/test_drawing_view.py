"""Drawings alone on the canvas, and the way back to how it was."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from tests._qt.layers.test_drawing import drawing

from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm.core.data import Circle, Mark


@pytest.fixture
def viewer():
    made = ViewerModel()
    made.add_image(np.zeros((4, 20, 30)), name="raw", scale=(1, 0.1, 0.1), units=("pixel", "um", "um"))
    made.add_image(np.zeros((20, 30)), name="hidden", scale=(0.1, 0.1), units=("um", "um"), visible=False)
    return made


@pytest.fixture
def view(viewer, qtbot):
    made = DrawingView(viewer)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()


def shown(viewer):
    return [layer.name for layer in viewer.layers if layer.visible and layer.opacity > 0]


def gone(viewer, qtbot):
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == ["raw", "hidden"], timeout=3000)


def test_what_was_shown_comes_back_as_it_was(view, viewer, qtbot):
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0.0, 1.0, 2.0), 7.0
    viewer.layers.selection.active = viewer.layers["raw"]
    bar = viewer.canvas.overlays.scale_bar
    bar.visible = True
    view.show_drawing(drawing())
    assert shown(viewer) == ["Spectrum (1/µm)", "Spectrum (1/µm): circles", "Spectrum (1/µm): marks"]
    assert camera.zoom != 7.0
    assert not bar.visible
    # napari would say in a notification that units differ.
    assert viewer.layers.units is not None
    with qtbot.waitSignal(view.left):
        view.back()
    assert shown(viewer) == ["raw"]
    assert tuple(camera.center) == (0.0, 1.0, 2.0)
    assert camera.zoom == 7.0
    assert bar.visible
    assert viewer.layers.selection.active.name == "raw"
    assert view.isHidden()
    gone(viewer, qtbot)


def test_a_volume_that_is_looked_at_in_space_is_so_again(view, viewer, qtbot):
    viewer.dims.ndisplay = 3
    angles = viewer.scene.camera.angles
    view.show_drawing(drawing())
    assert viewer.dims.ndisplay == 2
    view.back()
    assert viewer.dims.ndisplay == 3
    assert viewer.scene.camera.angles == angles
    gone(viewer, qtbot)


def test_the_whole_drawing_fits_into_the_canvas(view, viewer):
    view.show_drawing(drawing())
    height, width = np.asarray(viewer.canvas.size) / viewer.scene.camera.zoom
    y, x = viewer.scene.camera.center[-2:]
    for layer in list(viewer.layers)[2:]:
        low, high = layer.extent.world[:, -2:]
        assert y - height / 2 < low[0] <= high[0] < y + height / 2
        assert x - width / 2 < low[1] <= high[1] < x + width / 2


def test_one_with_other_numbers_comes_into_the_same_layers(view, viewer):
    first = drawing()
    view.show_drawing(first)
    before = list(viewer.layers)
    viewer.scene.camera.zoom = 3.0
    marks = (Mark((-1.0, 0.0), "+1", 1), *first.marks[1:])
    view.show_drawing(replace(first, images=first.images + 5, marks=marks, circles=(Circle((0.0, 0.0), 4.0, "4 /um"),)))
    assert list(viewer.layers) == before
    assert viewer.scene.camera.zoom == 3.0, "who looks closely goes on looking"
    image, circles, points = before[2:]
    assert image.data.max() == first.images.max() + 5
    np.testing.assert_allclose(points.data[0] - points.data[2], (-1.0, 0.0), atol=1e-6)  # its own panel's middle
    assert "4 /µm" in list(circles.text.values)
    sizes = [np.ptp(box[:, 0]) for box, kind in zip(circles.data, circles.shape_type, strict=True) if kind == "ellipse"]
    np.testing.assert_allclose(sizes, 8)


def test_another_drawing_replaces_it(view, viewer, qtbot):
    view.show_drawing(drawing())
    view.show_drawing(drawing(1, name="Sheet", unit="pixel"))
    assert shown(viewer) == ["Sheet", "Sheet: circles", "Sheet: marks"]
    assert view.title.text() == "Sheet"
    qtbot.waitUntil(lambda: len(viewer.layers) == 5, timeout=3000)
    view.back()
    assert shown(viewer) == ["raw"]
    gone(viewer, qtbot)


def test_a_mark_that_is_dragged_is_told_with_its_new_place(view, viewer, qtbot):
    made = drawing()
    view.show_drawing(made, movable=True)
    points = viewer.layers[-1]
    assert viewer.layers.selection.active is points
    assert points.mode == "select"
    dragged = points.data.copy()
    dragged[0] += (0.25, -0.5)
    with qtbot.waitSignal(view.moved) as told:
        points.data = dragged
    mark, position = told.args
    assert mark == made.marks[0]
    assert position == pytest.approx((1.25, 0.0))


def test_marks_that_are_added_or_deleted_come_back(view, viewer, qtbot):
    view.show_drawing(drawing(), movable=True)
    points = viewer.layers[-1]
    points.selected_data = {0, 1}
    with qtbot.assertNotEmitted(view.moved):
        points.remove_selected()
        qtbot.waitUntil(lambda: viewer.layers[-1] is not points and len(viewer.layers[-1].data) == 4)
    qtbot.waitUntil(lambda: len(viewer.layers) == 5, timeout=3000)


def test_deleting_one_of_its_layers_ends_the_drawing(view, viewer, qtbot):
    view.show_drawing(drawing())
    viewer.layers.remove(viewer.layers[-1])
    gone(viewer, qtbot)
    assert shown(viewer) == ["raw"]
    assert view.drawing is None


def test_layers_that_went_meanwhile_are_not_missed(view, viewer, qtbot):
    view.show_drawing(drawing())
    viewer.layers.remove(viewer.layers["raw"])
    view.back()
    assert shown(viewer) == []
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == ["hidden"], timeout=3000)


def test_layers_of_the_viewer_can_be_shown_alone(view, viewer):
    camera, bar = viewer.scene.camera, viewer.canvas.overlays.scale_bar
    bar.visible = True
    camera.center, camera.zoom = (0.0, 50.0, 50.0), 70.0
    hidden = viewer.layers["hidden"]
    view.show_layers([hidden], "Colours", "What they mean.")
    assert shown(viewer) == ["hidden"]
    np.testing.assert_allclose(camera.center[-2:], hidden.extent.world.mean(axis=0))
    assert bar.visible
    assert (view.title.text(), view.note.text()) == ("Colours", "What they mean.")
    view.back()
    assert shown(viewer) == ["raw"]
    assert hidden in viewer.layers
    assert (tuple(camera.center), camera.zoom) == ((0.0, 50.0, 50.0), 70.0)


def test_who_closes_the_panel_sees_the_frames(viewer, qtbot):
    view = DrawingView(viewer)
    qtbot.addWidget(view)
    view.show_drawing(drawing())
    view.disconnect_viewer()
    assert shown(viewer) == ["raw"]
    viewer.layers.remove(viewer.layers[-1])  # nobody minds any more
    qtbot.wait(150)
    assert shown(viewer) == ["raw"]


def test_from_a_drawing_to_layers_and_back(view, viewer, qtbot):
    bar, zoom = viewer.canvas.overlays.scale_bar, viewer.scene.camera.zoom
    bar.visible = True
    view.show_drawing(drawing())
    assert not bar.visible
    view.show_layers([viewer.layers["hidden"]], "Colours", "")
    assert shown(viewer) == ["hidden"]
    assert bar.visible
    view.back()
    assert shown(viewer) == ["raw"]
    assert viewer.scene.camera.zoom == zoom
    gone(viewer, qtbot)


def test_a_window_shows_the_drawing_and_the_frames_again(make_napari_viewer_proxy, qtbot):
    """Asserted on pixels: an image that is drawn elsewhere has a shape, too."""
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(900, 600)
    viewer.add_image(np.full((2, 40, 40), 1.0), contrast_limits=(0, 1), name="raw", colormap="red")
    viewer.reset_view()
    view = DrawingView(viewer)
    qtbot.addWidget(view)

    def canvas():
        qtbot.wait(200)
        return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)

    def red(picture):
        return ((picture[..., 0] > 200) & (picture[..., 1] < 50)).mean()

    before = canvas()
    assert red(before) > 0.2
    view.show_drawing(drawing(), movable=True)
    drawn = canvas()
    assert red(drawn) < 0.001
    circle = (np.abs(drawn - [76, 201, 240]).max(axis=-1) < 60).sum()
    marks = (np.abs(drawn - [255, 230, 109]).max(axis=-1) < 60).sum()
    assert circle > 200
    assert marks > 50
    view.back()
    assert red(canvas()) == pytest.approx(red(before), abs=0.01)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=3000)
    view.disconnect_viewer()
