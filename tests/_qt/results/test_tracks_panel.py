"""Points that the user marks are followed, and their tracks lie on the sample."""

import csv
import shutil
import threading

import numpy as np
import pytest
from napari.layers import Layer, Points, Tracks
from qtpy.QtWidgets import QFileDialog
from tests._qt.result_in_viewer import offer
from tests._qt.small_store import BLOB, DRIFT_PX, PIXEL_UM, TIMES_MS, write_store

from napari_nstm._qt.layers.result import result_layers
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.results.tracks_panel import TracksPanel

SHARE = (np.asarray(TIMES_MS) - 10) / 35  # of the drift, at each moment


@pytest.fixture
def panel(viewer, background, qtbot):
    made = TracksPanel(viewer, background)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.disconnect_viewer()


def follow(panel, qtbot):
    panel.follow_button.click()
    qtbot.waitUntil(panel.mark_button.isEnabled)
    return said(panel)


def said(panel):
    return panel.message.text().replace("\u200b", "")


def tracks_of(viewer):
    return [layer for layer in viewer.layers if isinstance(layer, Tracks)]


def world(layer):
    """Rows of (track, frame, ..., y, x) where the viewer draws them."""
    return np.array([[row[0], *layer.data_to_world(row[1:])] for row in layer.data])


def drawn_at(start_px, moment=0):
    """World coordinates (y, x) of a point at every moment that is at `start_px` at one of them."""
    return (np.asarray(start_px) + (SHARE - SHARE[moment])[:, None] * DRIFT_PX) * PIXEL_UM


def test_points_that_are_clicked_are_followed(panel, viewer, qtbot, stored):
    offer(panel, viewer, stored)
    panel.mark_button.click()
    points = viewer.layers.selection.active
    assert (points.name, points.mode, len(points.data)) == ("points to follow — cells", "add", 0)
    result = viewer.layers["phase — cells"]
    for attribute in ("scale", "translate", "units", "axis_labels"):
        np.testing.assert_array_equal(getattr(points, attribute), getattr(result, attribute))
    assert panel.combo.currentText() == points.name
    assert said(panel).startswith("Click on the sample")
    # Napari adds a point where it is clicked, at the slider's frame.
    points.add([0, *BLOB])
    viewer.dims.set_current_step(0, 2)
    points.add([2, 30, 40])
    assert follow(panel, qtbot) == "2 points followed through 3 moments."
    (layer,) = tracks_of(viewer)
    assert layer.name == "tracks — cells"
    for attribute in ("scale", "translate", "units", "axis_labels"):
        np.testing.assert_array_equal(getattr(layer, attribute), getattr(result, attribute))
    rows = world(layer)
    assert rows[:, :2].tolist() == [[k, t] for k in (0, 1) for t in (0, 1, 2)]
    np.testing.assert_allclose(rows[:3, 2:], drawn_at(BLOB), atol=1e-3)
    np.testing.assert_allclose(rows[3:, 2:], drawn_at((30, 40), moment=2), atol=1e-3)
    # The sample is there: the blob's brightest pixel lies under its track, at every moment.
    for frame, *where in rows[:3, 1:]:
        image = np.asarray(result.data[int(frame)])
        peak = np.unravel_index(image.argmax(), image.shape)
        assert np.abs(np.subtract(where, np.multiply(peak, PIXEL_UM))).max() < PIXEL_UM
    # All of the past is drawn, in colours that differ.
    assert layer.tail_length >= 3
    assert np.abs(layer.track_colors[0] - layer.track_colors[3]).max() > 0.3
    length = np.hypot(*DRIFT_PX) * PIXEL_UM
    np.testing.assert_allclose(layer.features["speed_um_per_s"], length / 0.035, rtol=1e-3)
    np.testing.assert_allclose(layer.features["displacement_um"][2], length, atol=1e-3)
    # The user may go on to click.
    assert viewer.layers.selection.active is points
    assert points.mode == "add"
    assert viewer.canvas.overlays.text.text.startswith("45 ms")


def test_following_again_replaces_the_tracks_of_the_same_result_only(panel, viewer, qtbot, stored, tmp_path):
    offer(panel, viewer, stored)
    panel.mark()
    viewer.layers.selection.active.add([0, *BLOB])
    follow(panel, qtbot)
    (layer,) = tracks_of(viewer)
    layer.tail_width, layer.color_by = 7, "speed_um_per_s"
    panel.mark()
    points = viewer.layers.selection.active
    assert len([one for one in viewer.layers if isinstance(one, Points)]) == 1
    points.add([[1, 10, 20], [1, 12, 22]])
    follow(panel, qtbot)
    assert tracks_of(viewer) == [layer]
    assert np.unique(layer.data[:, 0]).tolist() == [0, 1, 2]
    assert len(layer.features) == 9
    assert (layer.tail_width, layer.color_by) == (7, "speed_um_per_s")
    offer(panel, viewer, write_store(tmp_path / "b.zarr"), "others")
    panel.combo.setCurrentIndex(panel.combo.findText(points.name))
    follow(panel, qtbot)
    assert [one.name for one in tracks_of(viewer)] == ["tracks — cells", "tracks — others"]
    panel.mark()
    assert viewer.layers.selection.active.name == "points to follow — others"


@pytest.mark.parametrize(
    ("attributes", "point"),
    [
        ({"scale": (1, PIXEL_UM, PIXEL_UM)}, (2, *BLOB)),
        ({"scale": (1, 0.5, 0.5), "translate": (0, 1, -2)}, (2, 8, 19)),
        ({"scale": (2, 500, 500), "units": ("pixel", "nm", "nm"), "translate": (0, 1000, -2000)}, (1, 8, 19)),
        ({}, (2, 5, 7.5)),  # napari draws its pixels as um
        ({"affine": [[1, 0, 0, 0], [0, 0, 0.5, 0], [0, 0.5, 0, 0], [0, 0, 0, 1]]}, (2, 15, 10)),
        ({"scale": (1, 1, PIXEL_UM, PIXEL_UM)}, (0, 2, *BLOB)),  # one axis more, of another layer
    ],
)
def test_a_layer_of_the_users_lies_where_the_viewer_draws_it(panel, viewer, qtbot, stored, attributes, point):
    offer(panel, viewer, stored)
    viewer.add_points([point], **attributes)
    follow(panel, qtbot)
    (layer,) = tracks_of(viewer)
    np.testing.assert_allclose(world(layer)[:, 2:], drawn_at(BLOB, moment=2), atol=1e-3)


def test_points_without_time_are_those_of_the_first_frame(panel, viewer, qtbot, stored):
    offer(panel, viewer, stored)
    viewer.dims.set_current_step(0, 2)
    viewer.add_points([BLOB], scale=(PIXEL_UM, PIXEL_UM))
    follow(panel, qtbot)
    np.testing.assert_allclose(world(tracks_of(viewer)[0])[:, 2:], drawn_at(BLOB), atol=1e-3)


def test_volumes(panel, viewer, qtbot, tmp_path):
    offer(panel, viewer, write_store(tmp_path / "v.zarr", n_planes=4), "volume")
    panel.mark()
    viewer.layers.selection.active.add([0, 2, *BLOB])
    assert follow(panel, qtbot) == "1 point followed through 3 moments."
    (layer,) = tracks_of(viewer)
    np.testing.assert_allclose(layer.scale, viewer.layers["phase — volume"].scale)
    rows = world(layer)
    np.testing.assert_allclose(rows[:, 2], 2 * PIXEL_UM, atol=1e-3)
    np.testing.assert_allclose(rows[:, 3:], drawn_at(BLOB), atol=1e-3)
    viewer.add_points([BLOB], name="flat")
    panel.combo.setCurrentIndex(panel.combo.findText("flat"))
    assert follow(panel, qtbot) == "⚠ Flat has no plane."


def test_what_leaves_the_field_ends_there_and_is_said(panel, viewer, qtbot, stored):
    offer(panel, viewer, stored)
    viewer.add_points([[0, 20, 1], [0, *BLOB]], scale=(1, PIXEL_UM, PIXEL_UM))
    assert follow(panel, qtbot) == (
        "2 points followed through 3 moments. Point 0 leaves the field, beyond which it cannot be followed: "
        "its track ends."
    )
    (layer,) = tracks_of(viewer)
    assert layer.data[:, :2].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]]


def test_points_that_cannot_be_followed_are_refused(panel, viewer, qtbot, stored):
    offer(panel, viewer, stored)
    points = viewer.add_points(np.zeros((0, 3)), name="none", scale=(1, PIXEL_UM, PIXEL_UM))
    assert follow(panel, qtbot) == "⚠ none holds no points: click on the sample to mark some."
    points.data = [[0, 20, 30], [0, 20, 61], [0, -3, 2]]
    assert follow(panel, qtbot) == "⚠ Points 1 and 2 (the first at y = 5, x = 15.25 um) lie outside the field."
    points.data = [[0, 20, 30], [3, 20, 30]]
    assert follow(panel, qtbot) == "⚠ Point 1 lies at a place of the slider where the result has no moment."
    assert tracks_of(viewer) == []
    assert not panel.save_button.isEnabled()


def test_the_combo_follows_the_layer_list(panel, viewer, stored):
    def offered():
        return [panel.combo.itemText(index) for index in range(panel.combo.count())]

    panel.set_result(stored, "cells")
    assert not panel.follow_button.isEnabled()
    first = viewer.add_points([[0, 1, 1]], name="a")
    viewer.add_points([[0, 1, 1]], name="b")
    assert offered() == ["b", "a"]
    assert panel.combo.currentText() == "a"  # a choice stays
    first.name = "c"
    assert offered() == ["b", "c"]
    viewer.add_points([[1, 1]], name="marks", metadata={"napari_nstm": {"kind": "drawing"}})
    assert offered() == ["b", "c"]
    viewer.layers.remove(first)
    assert offered() == ["b"]
    assert panel.follow_button.isEnabled()
    viewer.layers.clear()
    assert not panel.follow_button.isEnabled()
    assert not panel.combo.isEnabled()


def test_the_table_is_saved(panel, viewer, qtbot, stored, tmp_path, monkeypatch):
    offer(panel, viewer, stored)
    panel.mark()
    viewer.layers.selection.active.add([0, *BLOB])
    assert not panel.save_button.isEnabled()
    follow(panel, qtbot)
    proposed = []

    def ask(_parent, _title, path, _kinds):
        proposed.append(path)
        return str(tmp_path / "mine"), "Table (*.csv)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    panel.save_button.click()
    qtbot.waitUntil(panel.save_button.isEnabled)
    assert said(panel) == f"Saved: {tmp_path / 'mine.csv'}."
    assert proposed[0].endswith("/cells-tracks.csv")
    with (tmp_path / "mine.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["time_ms"] for row in rows] == ["10", "20", "45"]
    np.testing.assert_allclose([[float(row["y_um"]), float(row["x_um"])] for row in rows], drawn_at(BLOB), atol=1e-3)
    panel.save_to(tmp_path / "mine.csv")
    qtbot.waitUntil(panel.save_button.isEnabled)
    assert said(panel) == f"⚠ {tmp_path / 'mine.csv'} exists already."


def test_points_are_followed_in_a_thread_of_their_own(panel, viewer, qtbot, stored, monkeypatch):
    offer(panel, viewer, stored)
    viewer.add_points([[0, *BLOB]], scale=(1, PIXEL_UM, PIXEL_UM))
    threads, go = [], threading.Event()
    real = type(stored).trajectories

    def slow(*arguments):
        threads.append(threading.current_thread())
        assert go.wait(10)
        return real(*arguments)

    monkeypatch.setattr(type(stored), "trajectories", slow)
    panel.follow_button.click()
    assert said(panel) == "Following…"
    for button in (panel.follow_button, panel.mark_button, panel.save_button):
        assert not button.isEnabled()
    panel.follow()
    go.set()
    qtbot.waitUntil(panel.follow_button.isEnabled)
    assert len(threads) == 1
    assert threads != [threading.main_thread()]


def test_a_result_that_vanished_is_one_sentence(panel, viewer, qtbot, stored):
    offer(panel, viewer, stored)
    viewer.add_points([[0, *BLOB]], scale=(1, PIXEL_UM, PIXEL_UM))
    shutil.rmtree(stored.path)
    assert follow(panel, qtbot) == f"⚠ The result is no longer at {stored.path}: it was moved or removed."


def test_without_a_result_nothing_can_be_asked_for(panel, viewer):
    viewer.add_points([[0, 1, 1]])
    for button in (panel.mark_button, panel.follow_button, panel.save_button):
        assert not button.isEnabled()
    panel.mark()
    panel.follow()
    panel.save_to("nowhere.csv")
    assert [layer.name for layer in viewer.layers] == ["Points"]


def test_a_window_draws_tracks_on_the_sample(make_napari_viewer_proxy, background, qtbot, tmp_path):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(900, 700)
    panel = TracksPanel(viewer, background)
    qtbot.addWidget(panel)
    offer(panel, viewer, write_store(tmp_path / "a.zarr", drift_px=(6.0, -12.0)))
    viewer.layers["motion — cells"].visible = False
    viewer.reset_view()
    panel.mark()
    points = viewer.layers.selection.active
    points.add([0, *BLOB])
    points.visible = False

    def vivid():
        qtbot.wait(200)
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        return np.argwhere(np.ptp(picture, axis=-1) > 50)

    viewer.dims.set_current_step(0, 2)
    assert len(vivid()) < 20
    follow(panel, qtbot)
    drawn = vivid()
    assert len(drawn) > 300
    # As wide and high on the canvas as the drift.
    zoom = viewer.scene.camera.zoom
    np.testing.assert_allclose(np.ptp(drawn, axis=0), np.multiply((6, 12), PIXEL_UM * zoom), atol=8)
    # At the first frame the future is not drawn.
    viewer.dims.set_current_step(0, 0)
    assert len(vivid()) < 100
    panel.disconnect_viewer()


def test_in_the_panel_tracks_belong_to_the_result(window, qtbot, tmp_path):
    viewer, panel = window.viewer, window.panel
    for one in result_layers(write_store(tmp_path / "a.zarr"), "cells"):
        viewer.add_layer(Layer.create(*one))
    tracks = panel.result.tracks
    viewer.layers.selection.active = viewer.layers["phase — cells"]
    qtbot.waitUntil(tracks.mark_button.isEnabled)
    tracks.mark_button.click()
    points = viewer.layers.selection.active
    points.add([0, *BLOB])
    qtbot.waitUntil(tracks.follow_button.isEnabled)
    follow(tracks, qtbot)
    (layer,) = tracks_of(viewer)
    assert known_of(layer)["view"] == "tracks"
    # Selecting the points selects the result they belong to.
    viewer.layers.selection.active = viewer.layers[0]
    viewer.layers.selection.active = points
    qtbot.wait(100)
    assert panel.result.about.text().startswith("cells: finished")
