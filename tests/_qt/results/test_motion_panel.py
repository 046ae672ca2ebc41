"""What is chosen for arrows is drawn in the layer that is there; keys and speeds beside it."""

import shutil
import threading

import numpy as np
import pytest
from tests._qt.result_in_viewer import show
from tests._qt.turning_store import ANGLE_RAD, FRAME_TIMES_MS, turn, write_turning

from napari_nstm._qt.layers.motion import ArrowChoices, choices_of, read_arrows
from napari_nstm._qt.layers.time_text import DRAWN_MS
from napari_nstm._qt.results import motion_panel as module
from napari_nstm._qt.results.motion_panel import MotionPanel
from napari_nstm.io.colors import direction_colors

MOTION, SPEED = "motion — cells", "speed (µm/s) — cells"


@pytest.fixture
def panel(viewer, background, qtbot):
    made = MotionPanel(viewer, background)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.disconnect_viewer()


@pytest.fixture
def stored(viewer, panel, tmp_path):
    made = write_turning(tmp_path / "a.zarr")
    show(viewer, made, "cells")
    panel.set_result(made, "cells")
    return made


def settle(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.computing and not panel.busy)


def said(panel):
    return panel.message.text().replace("\u200b", "")


def as_drawn(layer, stored):
    expected = read_arrows(stored, layer.metadata["napari_nstm"]["times_ms"], choices_of(layer))
    np.testing.assert_array_equal(layer.data, expected.data)
    np.testing.assert_allclose(layer.edge_color, expected.style["edge_color"], atol=1e-6)


def test_choices_are_drawn_in_place_and_told_on_the_canvas(panel, viewer, stored, qtbot):
    layer, text = viewer.layers[MOTION], viewer.canvas.overlays.text
    viewer.dims.set_point(0, 1)
    panel.form.density.setValue(30)
    panel.form.reference.setCurrentIndex(panel.form.reference.findData("last"))
    panel.form.length.setValue(4)
    settle(panel, qtbot)
    assert viewer.layers[MOTION] == layer
    assert choices_of(layer) == ArrowChoices(across=30, reference="last", stretch=4.0)
    as_drawn(layer, stored)
    assert text.text.splitlines()[1] == "arrows: since 60 ms, drawn 4x"
    panel.form.what.setCurrentIndex(1)
    panel.form.length.setValue(0)
    settle(panel, qtbot)
    as_drawn(layer, stored)
    assert text.text.splitlines()[1].startswith("arrows: to the next moment")


def test_this_moment_is_where_the_slider_is_when_it_is_chosen(panel, viewer, stored, qtbot):
    viewer.dims.set_point(0, 3)
    panel.form.reference.setCurrentIndex(panel.form.reference.findText("this moment"))
    viewer.dims.set_point(0, 1)
    settle(panel, qtbot)
    layer = viewer.layers[MOTION]
    assert layer.metadata["napari_nstm"]["since_ms"] == 40.0
    first = layer.data[layer.data[:, 0, 0] == 0]
    near = np.hypot(*(first[:, 0, 1:] - 31.5).T) < 28
    expected = turn(first[:, 0, 1:].T, -ANGLE_RAD * 40 / 60).T
    np.testing.assert_allclose(first[near, 1, 1:], expected[near], atol=0.02)


def test_where_the_slider_is_outside_it_is_said(panel, viewer, stored, qtbot):
    viewer.add_image(np.zeros((9, 8, 8)))
    viewer.dims.set_point(0, 8)
    panel.form.reference.setCurrentIndex(panel.form.reference.findText("this moment"))
    assert "no result" in said(panel)
    assert not panel.computing


def test_of_several_changes_the_last_is_drawn_and_one_thread_works(panel, viewer, stored, qtbot, monkeypatch):
    asked, go = [], threading.Event()
    real = module.read_arrows

    def slow(stored, times, choices):
        asked.append((choices.across, threading.current_thread()))
        assert go.wait(10)
        return real(stored, times, choices)

    monkeypatch.setattr(module, "read_arrows", slow)
    for across in (10, 11, 12):
        panel.form.density.setValue(across)
    qtbot.waitUntil(lambda: len(asked) == 1)
    for across in (13, 14):
        panel.form.density.setValue(across)
    assert panel.form.isEnabled()  # whoever types goes on
    go.set()
    settle(panel, qtbot)
    assert [across for across, _ in asked] == [12, 14]
    assert all(thread is not threading.main_thread() for _, thread in asked)
    assert choices_of(viewer.layers[MOTION]).across == 14


def test_moments_that_changed_meanwhile_are_those_that_count(panel, viewer, stored, qtbot, monkeypatch):
    from napari_nstm._qt.layers.motion import show_arrows

    layer, go = viewer.layers[MOTION], threading.Event()
    real = module.read_arrows

    def slow(*args):
        assert go.wait(10)
        return real(*args)

    monkeypatch.setattr(module, "read_arrows", slow)
    panel.form.density.setValue(10)
    qtbot.wait(400)
    show_arrows(layer, real(stored, (0.0, 30.0, 60.0), ArrowChoices()), {})
    go.set()
    settle(panel, qtbot)
    assert layer.metadata["napari_nstm"]["times_ms"] == [0, 30, 60]
    assert choices_of(layer).across == 10
    as_drawn(layer, stored)


def test_results_keep_their_own_choices_and_new_ones_get_those_of_the_panel(panel, viewer, stored, tmp_path, qtbot):
    panel.form.density.setValue(10)
    panel.form.color.setCurrentIndex(panel.form.color.findData("speed"))
    settle(panel, qtbot)
    other = write_turning(tmp_path / "b.zarr")
    show(viewer, other, "new")
    panel.apply_to(other, viewer.layers["motion — new"])
    panel.set_result(other, "new")
    assert panel.choices == ArrowChoices(across=10, color="speed")
    settle(panel, qtbot)
    as_drawn(viewer.layers["motion — new"], other)
    assert choices_of(viewer.layers["motion — new"]) == panel.choices
    panel.form.density.setValue(40)
    settle(panel, qtbot)
    assert choices_of(viewer.layers[MOTION]).across == 10
    panel.set_result(stored, "cells")
    assert panel.choices.across == 10
    # One that is opened as it is is shown as it is.
    third = write_turning(tmp_path / "c.zarr")
    show(viewer, third, "opened")
    panel.set_result(third, "opened")
    assert panel.choices == ArrowChoices()
    assert not panel.computing


def test_more_than_there_is_room_for_is_said(panel, viewer, stored, qtbot):
    from napari_nstm._qt.layers.moments import even_moments
    from napari_nstm._qt.layers.motion import show_arrows

    many = even_moments(FRAME_TIMES_MS, 300)
    show_arrows(viewer.layers[MOTION], read_arrows(stored, many, ArrowChoices(across=10)), {})
    panel.form.density.setValue(30)
    settle(panel, qtbot)
    assert "room for fewer" in said(panel)
    assert len(viewer.layers[MOTION].data) <= 65_536
    panel.form.density.setValue(10)
    settle(panel, qtbot)
    assert said(panel) == ""


def test_speeds_come_below_the_arrows_with_a_colour_bar_and_are_shown_again_in_place(panel, viewer, stored, qtbot):
    panel.speed_button.click()
    settle(panel, qtbot)
    names = [layer.name for layer in viewer.layers if "key" not in layer.name]
    assert names[-2:] == [SPEED, MOTION]
    layer = viewer.layers[SPEED]
    assert layer.colorbar.visible
    layer.visible, before = False, layer.data
    panel.form.hidden.setValue(0)
    settle(panel, qtbot)
    panel.speed_button.click()
    settle(panel, qtbot)
    assert viewer.layers[SPEED] == layer
    assert layer.visible
    assert np.isfinite(layer.data).sum() > np.isfinite(before).sum()


def test_a_result_that_vanished_is_one_sentence(panel, viewer, stored, qtbot):
    shutil.rmtree(stored.path)
    sentence = f"⚠ The result is no longer at {stored.path}: it was moved or removed."
    panel.form.density.setValue(10)
    settle(panel, qtbot)
    assert said(panel) == sentence
    panel.speed_button.click()
    settle(panel, qtbot)
    assert said(panel) == sentence


def test_without_arrows_nothing_can_be_chosen(panel, viewer, stored, qtbot):
    assert panel.form.isEnabled()
    panel.form.density.setValue(10)
    viewer.layers.remove(MOTION)
    settle(panel, qtbot)
    assert not panel.form.isEnabled()
    assert panel.speed_button.isEnabled()
    panel.set_result(None, "")
    assert not panel.speed_button.isEnabled()
    panel.show_speeds()
    assert said(panel) == ""


def test_arrows_of_a_run_can_be_changed_once_they_are_those_of_its_result(panel, viewer, stored):
    layer = viewer.layers[MOTION]
    known = layer.metadata["napari_nstm"]
    layer.metadata = {"napari_nstm": {"kind": "preview", "run_id": "r", "since_ms": 0.0, "time_ms": 1.0}}
    assert not panel.form.isEnabled()
    layer.metadata = {"napari_nstm": known}
    assert panel.form.isEnabled()


def test_a_window_draws_other_numbers_of_arrows_in_their_colours(make_napari_viewer_proxy, background, qtbot, tmp_path):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(1000, 700)
    stored = write_turning(tmp_path / "a.zarr", drift_px=(0.0, 6.0))
    panel = MotionPanel(viewer, background)
    qtbot.addWidget(panel)
    panel.legend.setChecked(False)
    show(viewer, stored, "cells")
    viewer.layers["phase — cells"].visible = False
    panel.set_result(stored, "cells")
    viewer.dims.set_point(0, 4)

    def pixels():
        """Those of the arrows' one direction, and all that are coloured."""
        qtbot.wait(2 * DRAWN_MS)
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        right = np.abs(picture - direction_colors(np.array(0.0))).max(axis=-1) < 10
        return right.sum(), (np.ptp(picture, axis=-1) > 30).sum()

    counts = []
    for across, hidden in ((8, -1), (30, -1), (30, 100), (12, 0)):
        panel.form.density.setValue(across)
        panel.form.hidden.setValue(hidden)
        settle(panel, qtbot)
        counts.append(pixels())
    for right, colored in counts:
        assert right >= 0.5 * colored  # no arrow has the colour of another
    assert counts[0][0] > 100 < counts[1][0]
    assert counts[2][0] < 0.2 * counts[1][0]  # only where the signal is strongest
    assert counts[3][0] > 1.5 * counts[0][0]  # also where it is dark
    panel.form.color.setCurrentIndex(1)
    settle(panel, qtbot)
    right, colored = pixels()
    assert right < 0.05 * colored
    panel.disconnect_viewer()
