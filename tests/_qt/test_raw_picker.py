"""The row of raw frames follows the viewer's layers."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nstm._qt.raw_layer import KEY
from napari_nstm._qt.raw_picker import RawPicker


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def picker(viewer, qtbot):
    made = RawPicker(viewer)
    qtbot.addWidget(made)
    made.heard = []
    made.chosen.connect(made.heard.append)
    yield made
    made.disconnect_viewer()


def add(viewer, name="raw", shape=(4, 16, 16), **more):
    return viewer.add_image(np.zeros(shape, np.uint16), name=name, **more)


def names(picker):
    return [picker.combo.itemText(i) for i in range(picker.combo.count())]


def test_empty_viewer_says_where_frames_come_from(picker, qtbot):
    assert picker.layer is None
    assert "moving target" in picker.about.text()
    with qtbot.waitSignal(picker.sample_asked):
        picker.about.linkActivated.emit("sample")


def test_the_first_stack_is_chosen_and_described(viewer, picker):
    add(viewer, "photo", (16, 16))
    raw = add(viewer, "raw")
    assert picker.layer is raw
    assert picker.about.text() == "4 × 16 × 16, uint16"
    raw.axis_labels = ("t", "y", "x")
    assert names(picker) == ["raw", "photo"]


def test_colours_and_opacity_are_said(viewer, picker):
    photo = viewer.add_image(np.zeros((16, 20, 4), np.uint8), rgb=True, name="photo")
    assert picker.layer is photo
    assert picker.about.text() == "16 × 20 in colours, uint8; its opacity is left out"


def test_an_array_of_the_settings_is_no_raw_image(viewer, picker):
    psf = viewer.add_image(np.zeros((16, 16)), name="PSF", metadata={KEY: {"kind": "array"}})
    assert picker.layer is None
    raw = add(viewer, "raw", (16, 16))
    assert names(picker) == ["raw"]
    assert picker.array_candidates() == [raw, psf]


def test_the_choice_stays_while_layers_come_and_go(viewer, picker):
    raw = add(viewer, "raw")
    other = add(viewer, "other")
    viewer.add_labels(np.zeros((16, 16), int))
    assert picker.layer is raw
    viewer.layers.remove(other)
    assert picker.heard == [raw]
    viewer.layers.remove(raw)
    assert picker.layer is None
    assert picker.heard == [raw, None]


def test_renaming_is_followed(viewer, picker):
    raw = add(viewer)
    raw.name = "cells"
    assert names(picker) == ["cells"]


def test_results_are_not_offered(viewer, picker):
    add(viewer, "phase", metadata={KEY: {"kind": "reconstruction"}})
    assert names(picker) == []


def test_another_layer_can_be_chosen(viewer, picker):
    add(viewer, "raw")
    other = add(viewer, "other")
    picker.choose(other)
    assert picker.layer is other


def test_replaced_data_and_a_new_scale_are_told_of_the_chosen_layer_only(viewer, picker, qtbot):
    raw, other = add(viewer, "raw"), add(viewer, "other")
    with qtbot.waitSignal(picker.data_changed):
        raw.data = np.ones((5, 16, 16), np.uint16)
    assert picker.about.text().startswith("5 × 16 × 16")
    with qtbot.waitSignal(picker.placed):
        raw.scale = (1, 0.5, 0.5)
    with qtbot.assertNotEmitted(picker.data_changed), qtbot.assertNotEmitted(picker.placed):
        other.data = np.ones((6, 16, 16), np.uint16)
        other.scale = (1, 2, 2)


def test_a_problem_is_shown_and_told_to_screen_readers(picker):
    picker.show_problem("Takes finite counts; got 3 pixels that are NaN.")
    assert not picker.problem.isHidden()
    assert "NaN" in picker.combo.accessibleDescription()
    picker.show_problem("")
    assert picker.problem.isHidden()
