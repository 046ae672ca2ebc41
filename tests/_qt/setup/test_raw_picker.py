"""The row of raw frames follows the viewer's layers."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nstm._qt.raw_layer import KEY
from napari_nstm._qt.setup.raw_picker import RawPicker


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


def test_empty_viewer_says_where_frames_come_from(picker):
    assert picker.layer is None
    assert picker.about.text() == "Drop files of raw frames onto the viewer."
    assert picker.stack_button.isHidden()


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


# -- a layer for each frame ---------------------------------------------------


def drop_four(viewer):
    for k in (10, 2, 1, 9):
        viewer.add_image(np.full((16, 16), k, np.uint16), name=f"dpc_{k}")


def test_single_images_become_one_stack_with_one_click(viewer, picker):
    drop_four(viewer)
    assert picker.stack_button.text() == "Stack these 4 images"
    assert "dpc_1, dpc_2, dpc_9, dpc_10" in picker.stack_button.toolTip()
    picker.stack_button.click()
    stack = picker.layer
    assert stack.name == "dpc"
    np.testing.assert_array_equal(stack.data[:, 0, 0], (1, 2, 9, 10))
    assert [layer.visible for layer in viewer.layers] == [False] * 4 + [True]
    assert picker.about.text().splitlines() == [
        "4 × 16 × 16 (t, y, x), uint16",
        "Stacked in this order, which should be that in which they were taken: dpc_1, dpc_2, dpc_9, dpc_10.",
    ]
    assert picker.stack_button.isHidden()


def test_stacked_images_lie_where_the_stack_is_placed(viewer, picker):
    drop_four(viewer)
    picker.stack_button.click()
    stack = picker.layer
    stack.units, stack.scale = ("pixel", "micrometer", "micrometer"), (1, 0.5, 0.25)
    for part in list(viewer.layers)[:4]:
        np.testing.assert_allclose(part.scale, (0.5, 0.25))
        assert [str(unit) for unit in part.units] == ["micrometer"] * 2


def test_of_another_layer_nothing_is_said_about_stacking(viewer, picker):
    drop_four(viewer)
    picker.stack_button.click()
    picker.choose(add(viewer, "other"))
    assert "Stacked" not in picker.about.text()


def test_a_stack_that_is_there_is_enough(viewer, picker):
    drop_four(viewer)
    stack = add(viewer, "raw")
    assert picker.stack_button.isHidden()
    viewer.layers.remove(stack)
    assert not picker.stack_button.isHidden()


def test_where_one_image_is_all_raw_frames_no_stack_is_offered(viewer, picker):
    drop_four(viewer)
    picker.set_takes_stacks(False)
    assert picker.stack_button.isHidden()
    picker.stack()
    assert len(viewer.layers) == 4
    picker.set_takes_stacks(True)
    assert not picker.stack_button.isHidden()


def test_many_names_are_said_in_short(viewer, picker):
    for k in range(15):
        viewer.add_image(np.zeros((16, 16), np.uint16), name=f"sim {k}")
    picker.stack_button.click()
    assert picker.about.text().endswith("taken: sim 0, sim 1, sim 2, sim 3, …, sim 12, sim 13, sim 14.")
