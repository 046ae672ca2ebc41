"""The panel's movies of a real canvas, with a result in it."""

import threading

import imageio.v3 as iio
import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests._qt.small_store import write_store
from tests._qt.video import decode

from napari_nstm._qt.layers.result import result_layers
from napari_nstm._qt.movies.movie_panel import MoviePanel


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    made = make_napari_viewer_proxy(show=True)
    made.window.resize(600, 440)
    return made


@pytest.fixture
def panel(viewer, background, qtbot):
    made = MoviePanel(viewer, background)
    qtbot.addWidget(made)
    made.form.picture.setCurrentIndex(made.form.picture.findText("The canvas, as it is shown"))
    made.show()
    yield made
    made.shutdown()


def show(viewer, panel, qtbot, path, **what):
    """Show a result in the viewer and in the panel."""
    stored = write_store(path, **what)
    for data, attributes, kind in result_layers(stored, "cells"):
        getattr(viewer, f"add_{kind}")(data, **attributes)
        qtbot.wait(50)
    panel.set_result(stored, "cells")
    qtbot.wait(200)


def finish(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.busy, timeout=20_000)
    return panel.task.message.text().replace("\u200b", "")


def rests(form, data):
    index = form.moves.findData(data)
    return not form.moves.model().item(index).isEnabled(), form.moves.itemData(index, Qt.ItemDataRole.ToolTipRole)


def test_the_canvas_is_taken_with_all_that_is_visible(viewer, panel, qtbot, tmp_path):
    show(viewer, panel, qtbot, tmp_path / "r.zarr")
    # Three moments in 35 ms: what the slider has, slowed down.
    assert panel.outlook.text() == "3 frames, 3.0 s, 57x slower than real time."
    panel.form.time_points.setText("8")
    point = viewer.dims.point
    with qtbot.waitSignal(panel.exported, timeout=20_000) as exported:
        panel.export_to(tmp_path / "a.mp4")
        assert not panel.form.isEnabled()
    info = exported.args[0]
    assert f"Saved: {tmp_path / 'a.mp4'} (8 frames of " in finish(qtbot, panel)
    assert "than real time." in finish(qtbot, panel)
    assert viewer.dims.point == point
    frames = decode(info.path, info.size).astype(float)
    assert len(frames) == 8
    assert np.abs(frames[-1] - frames[0]).max() > 60
    # The movie shows what the viewer does: it becomes dark where the layers are hidden.
    bright = (frames[0] > 150).mean()
    for layer in list(viewer.layers)[:-1]:
        layer.visible = False
    panel.export_to(tmp_path / "b.mp4")
    finish(qtbot, panel)
    assert (decode(tmp_path / "b.mp4", info.size)[0] > 150).mean() < 0.5 * bright


def test_a_turn_is_offered_where_there_is_depth(viewer, panel, qtbot, tmp_path):
    show(viewer, panel, qtbot, tmp_path / "flat.zarr")
    form = panel.form
    assert rests(form, "turn") == (True, "What is shown is flat: a turn would show nothing new.")
    assert rests(form, "time")[0] is False
    show(viewer, panel, qtbot, tmp_path / "deep.zarr", n_planes=6)
    qtbot.waitUntil(lambda: not rests(form, "turn")[0])
    form.moves.setCurrentIndex(form.moves.findData("turn"))
    assert panel.outlook.text() == "120 frames, 4.8 s."
    form.time_points.setText("4")
    form.size.setText("300")
    panel.export_to(tmp_path / "a.png")
    assert "a-0001.png (the first of 4 frames of 300 x " in finish(qtbot, panel)
    frames = [iio.imread(tmp_path / f"a-{number:04d}.png").astype(float) for number in (1, 2)]
    assert np.abs(frames[1] - frames[0]).mean() > 1
    assert viewer.dims.ndisplay == 2
    # Hidden, the volume is nothing that could be turned: the reason stands at the choice.
    for layer in viewer.layers:
        layer.visible = "z" not in layer.axis_labels
    qtbot.waitUntil(lambda: "flat" in form._rows["moves"].problem())
    assert not panel.button.isEnabled()


def test_cancel_by_mouse_leaves_nothing(viewer, panel, qtbot, tmp_path):
    show(viewer, panel, qtbot, tmp_path / "r.zarr")
    point = viewer.dims.point
    panel.form.time_points.setText("400")
    panel.export_to(tmp_path / "a.mp4")
    qtbot.waitUntil(lambda: "of 400 frames" in panel.task.message.text(), timeout=20_000)
    qtbot.mouseClick(panel.task.cancel_button, Qt.MouseButton.LeftButton)
    assert finish(qtbot, panel) == "Cancelled; nothing was written."
    qtbot.waitUntil(lambda: not panel.canvas.busy)
    assert viewer.dims.point == point
    assert [path.name for path in tmp_path.iterdir()] == ["r.zarr"]


def test_a_movie_that_waits_its_turn_is_not_taken_yet(viewer, panel, background, qtbot, tmp_path):
    show(viewer, panel, qtbot, tmp_path / "r.zarr")
    go = threading.Event()
    background.submit(lambda: go.wait(5))
    seen = []
    viewer.dims.events.point.connect(seen.append)
    panel.export_to(tmp_path / "a.mp4")
    qtbot.wait(150)
    assert seen == []
    panel.cancel()
    assert not panel.busy
    assert not panel.canvas.busy
    go.set()
    panel.export_to(tmp_path / "b.mp4")
    assert "b.mp4 (3 frames" in finish(qtbot, panel)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.mp4", "r.zarr"]


def test_the_rest_of_the_time_is_said_meanwhile(viewer, panel, qtbot, tmp_path):
    show(viewer, panel, qtbot, tmp_path / "r.zarr")
    panel.form.time_points.setText("2000")
    panel.export_to(tmp_path / "a.mp4")
    qtbot.waitUntil(lambda: panel.outlook.text().endswith(" to go."), timeout=20_000)
    panel.cancel()
    finish(qtbot, panel)
    assert panel.outlook.text().startswith("2000 frames, ")


def test_a_canvas_that_shows_nothing_is_said_at_the_choice(viewer, panel, qtbot, tmp_path):
    show(viewer, panel, qtbot, tmp_path / "r.zarr")
    panel.form.time_points.setText("2")
    for layer in viewer.layers:
        layer.visible = False
    panel.export_to(tmp_path / "a.mp4")
    assert "see what is marked above" in finish(qtbot, panel)
    assert "visible layer" in panel.form._rows["picture"].problem()
