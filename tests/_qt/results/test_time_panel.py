"""Any number of moments in the layers that are there, and back; and playing them."""

import shutil

import numpy as np
import pytest
from napari.layers import Layer
from tests._qt.result_in_viewer import recolor
from tests._qt.turning_store import write_turning

from napari_nstm._qt.layers.motion import ArrowChoices, read_arrows
from napari_nstm._qt.layers.result import result_layers
from napari_nstm._qt.results.time_panel import TimePanel


@pytest.fixture
def panel(viewer, background, qtbot):
    made = TimePanel(viewer, background)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.disconnect_viewer()


@pytest.fixture
def stored(viewer, panel, tmp_path):
    made = write_turning(tmp_path / "a.zarr")
    viewer.add_image(np.zeros((5, 64, 64)), name="raw")
    for one in result_layers(made, "cells"):
        viewer.add_layer(Layer.create(*one))
    panel.set_result(made, "cells")
    return made


def ask(panel, text, qtbot):
    panel.moments.setText(text)
    qtbot.keyClick(panel.moments, "\r")
    qtbot.waitUntil(lambda: not panel.busy)


def said(panel):
    return panel.message.text().replace("\u200b", "")


def test_moments_between_are_rendered_where_the_slider_counts_frames(panel, viewer, stored, qtbot):
    viewer.dims.set_point(0, 3)
    layer = viewer.layers["phase — cells"]
    layer.contrast_limits, layer.colormap, layer.visible = (0.5, 2.5), "magma", False
    ask(panel, "41", qtbot)
    text = viewer.canvas.overlays.text
    assert viewer.dims.point[0] == 3
    assert text.text.splitlines()[0] == "40 ms"
    viewer.dims.set_point(0, 2.5)  # between the frames at 20 and 40 ms
    assert text.text.splitlines()[0] == "30 ms"
    for index, channel in enumerate(("absorption", "phase")):
        shown = viewer.layers[f"{channel} — cells"]
        assert shown.data.shape == (41, 64, 64)
        np.testing.assert_array_equal(shown.data[25], stored.scene_at(30.0)[index])
    assert (tuple(layer.contrast_limits), layer.colormap.name, layer.visible) == ((0.5, 2.5), "magma", False)
    arrows = viewer.layers["motion — cells"]
    expected = read_arrows(stored, arrows.metadata["napari_nstm"]["times_ms"], ArrowChoices())
    np.testing.assert_array_equal(arrows.data, expected.data)
    np.testing.assert_allclose(arrows.edge_color, expected.style["edge_color"], atol=1e-6)
    assert arrows.scale[0] == layer.scale[0] == 0.1


def test_both_channels_share_what_is_rendered(panel, viewer, stored, qtbot):
    ask(panel, "9", qtbot)
    one, two = (viewer.layers[f"{channel} — cells"].data for channel in ("absorption", "phase"))
    assert one.moments is two.moments


def test_as_stored_brings_all_back(panel, viewer, stored, qtbot):
    before = {layer.name: (layer.data, layer.scale, layer.metadata) for layer in viewer.layers}
    viewer.dims.set_point(0, 2)
    ask(panel, "1,000", qtbot)
    assert len(viewer.layers["phase — cells"].data) == 1000
    panel.stored_button.click()
    qtbot.waitUntil(lambda: not panel.busy)
    assert viewer.dims.point[0] == 2
    for layer in viewer.layers:
        data, scale, metadata = before[layer.name]
        np.testing.assert_allclose(layer.data, data, atol=1e-5)
        np.testing.assert_allclose(layer.scale, scale)
        assert layer.metadata == metadata
    assert panel.moments.text() == ""
    assert panel.moments.placeholderText() == "as stored (5)"


@pytest.mark.parametrize("text", ["1", "2001", "two", "-5", "2.5"])
def test_what_is_no_number_of_moments_is_said(panel, viewer, stored, qtbot, text):
    ask(panel, text, qtbot)
    assert "a whole number from 2 to 2,000" in said(panel)
    assert len(viewer.layers["phase — cells"].data) == 5


def test_an_empty_line_is_as_stored(panel, viewer, stored, qtbot):
    ask(panel, "7", qtbot)
    ask(panel, "", qtbot)
    assert len(viewer.layers["phase — cells"].data) == 5


def test_choices_for_arrows_stay_also_those_of_meanwhile(panel, viewer, stored, qtbot):
    arrows = viewer.layers["motion — cells"]
    recolor(arrows, "speed")
    panel.moments.setText("9")
    panel.apply()
    recolor(arrows, "direction")  # while it computes
    qtbot.waitUntil(lambda: not panel.busy and len(viewer.layers["phase — cells"].data) == 9)
    expected = read_arrows(stored, arrows.metadata["napari_nstm"]["times_ms"], ArrowChoices())
    np.testing.assert_allclose(arrows.edge_color, expected.style["edge_color"], atol=1e-6)


def test_many_moments_have_fewer_arrows_and_it_is_said(panel, viewer, stored, qtbot):
    ask(panel, "600", qtbot)
    assert "fewer arrows" in said(panel)
    assert len(viewer.layers["motion — cells"].data) <= 65_536


def test_another_result_keeps_its_moments_and_the_line_says_which(panel, viewer, stored, tmp_path, qtbot):
    other = write_turning(tmp_path / "b.zarr", channels=1)
    for one in result_layers(other, "others"):
        viewer.add_layer(Layer.create(*one))
    ask(panel, "9", qtbot)
    assert len(viewer.layers["absorption — others"].data) == 5
    panel.set_result(other, "others")
    assert panel.moments.text() == ""
    panel.set_result(stored, "cells")
    assert panel.moments.text() == "9"


def test_a_result_that_vanished_is_one_sentence(panel, viewer, stored, qtbot):
    shutil.rmtree(stored.path)
    ask(panel, "9", qtbot)
    assert said(panel) == f"⚠ The result is no longer at {stored.path}: it was moved or removed."
    assert len(viewer.layers["phase — cells"].data) == 5


def test_the_line_says_what_the_layers_show_unless_somebody_types(panel, viewer, stored, qtbot):
    ask(panel, "9", qtbot)
    before = {layer.name: layer.metadata for layer in viewer.layers}
    for one in result_layers(stored, "cells"):  # as where the run goes on and comes again
        layer = viewer.layers[one[1]["name"]]
        layer.data, layer.metadata = one[0], one[1]["metadata"]
    assert panel.moments.text() == ""
    panel.moments.setFocus()
    qtbot.keyClicks(panel.moments, "12")
    for layer in viewer.layers:
        layer.metadata = before[layer.name]
    assert panel.moments.text() == "12"


def test_one_frame_has_one_moment(panel, viewer, tmp_path, qtbot):
    one = write_turning(tmp_path / "one.zarr", times_ms=(5.0,), frame_times_ms=(5.0,))
    for made in result_layers(one, "still"):
        viewer.add_layer(Layer.create(*made))
    panel.set_result(one, "still")
    assert not panel.play_button.isEnabled()
    ask(panel, "9", qtbot)
    assert "one frame" in said(panel)


def test_without_layers_nothing_can_be_asked_for(panel, viewer, stored, qtbot):
    assert panel.play_button.isEnabled()
    viewer.layers.clear()
    assert not panel.play_button.isEnabled()
    assert not panel.moments.isEnabled()
    panel.set_result(None, "")
    panel.apply()
    assert said(panel) == ""


def test_play_and_pause(panel, viewer, stored, qtbot):
    # 60 ms cannot be watched in real time.
    assert panel.pace.currentText() == "50x slower"
    assert panel.pace.itemText(0) == "500x slower"
    viewer.dims.set_point(0, 0)
    panel.play_button.click()
    assert (panel.playing, panel.play_button.text()) == (True, "Pause")
    panel.pace.setCurrentIndex(panel.pace.findText("10x slower"))
    qtbot.waitUntil(lambda: viewer.dims.point[0] == 4, timeout=3000)
    panel.play_button.click()
    assert (panel.playing, panel.play_button.text()) == (False, "Play")
    panel.play_button.click()
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not panel.playing)
    assert panel.play_button.text() == "Play"


def test_what_plays_stops_where_another_result_is_chosen(panel, viewer, stored, tmp_path):
    panel.play_button.click()
    panel.set_result(write_turning(tmp_path / "b.zarr"), "others")
    assert not panel.playing
    assert panel.play_button.text() == "Play"


def test_a_window_draws_the_moment_between(make_napari_viewer_proxy, background, qtbot, tmp_path):
    viewer = make_napari_viewer_proxy(show=True)
    stored = write_turning(tmp_path / "a.zarr", drift_px=(0.0, 16.0))
    panel = TimePanel(viewer, background)
    qtbot.addWidget(panel)
    for one in result_layers(stored, "cells"):
        viewer.add_layer(Layer.create(*one))
    viewer.layers["motion — cells"].visible = False
    panel.set_result(stored, "cells")
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0, 8, 8), 20

    def middle():
        qtbot.wait(150)
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].max(axis=-1)
        return np.nonzero(picture[picture.shape[0] // 2] > 40)[0].mean() / (20 * 0.25)

    viewer.dims.set_point(0, 0)
    start = middle()
    ask(panel, "9", qtbot)
    viewer.dims.set_point(0, 2.5)  # 30 of 60 ms
    assert middle() - start == pytest.approx(8, abs=0.7)
    panel.disconnect_viewer()


def test_every_part_has_a_name_and_says_what_it_does(panel):
    parts = (panel.moments, panel.stored_button, panel.play_button, panel.pace, panel.turn)
    for part in parts:
        assert part.toolTip()
        assert part.accessibleName() or part.text()
    following, part = [], panel.moments
    for _ in range(len(parts)):
        following.append(part)
        part = part.nextInFocusChain()
    assert following == list(parts)
