"""One key shows the conventional reconstruction in place of the result, and back."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from tests._qt.small_store import write_store

from napari_nstm._qt.layers.compare import KEY_NAME, NEXT_KEY_NAME, bind_comparison, next_comparison, toggle_comparison
from napari_nstm._qt.layers.result import result_layers


@pytest.fixture
def viewer(tmp_path):
    made = ViewerModel()
    made.add_image(np.zeros((3, 40, 60)), name="raw")
    add(made, tmp_path, "cells")
    return made


def add(viewer, tmp_path, name, **more):
    for one in result_layers(write_store(tmp_path / f"{name}.zarr", **more), name):
        viewer.add_layer(Layer.create(*one))


def shown(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


def test_all_colours_change_at_once(tmp_path):
    viewer = ViewerModel()
    add(viewer, tmp_path, "cells", in_colors=True)
    colors = ("red", "green", "blue")
    assert shown(viewer) == {*(f"{color} — cells" for color in colors), "motion — cells"}
    assert toggle_comparison(viewer)
    assert shown(viewer) == {*(f"conventional {color} — cells" for color in colors), "motion — cells"}


def test_the_key_shows_the_one_and_the_other(viewer):
    bind_comparison(viewer)
    press = next(action for key, action in viewer.keymap.items() if str(key) == KEY_NAME)
    before = shown(viewer)
    assert before == {"raw", "phase — cells", "motion — cells"}
    press(viewer)
    assert shown(viewer) == {"raw", "conventional phase — cells", "motion — cells"}
    press(viewer)
    assert shown(viewer) == before


def test_channels_that_are_shown_are_compared_and_no_others(viewer):
    viewer.layers["absorption — cells"].visible = True
    assert toggle_comparison(viewer)
    assert {"conventional absorption — cells", "conventional phase — cells"} <= shown(viewer)
    viewer.layers["conventional phase — cells"].visible = False
    toggle_comparison(viewer)
    assert "absorption — cells" in shown(viewer)
    assert "phase — cells" not in shown(viewer)


def test_of_two_results_that_of_the_selected_layer_counts(viewer, tmp_path):
    add(viewer, tmp_path, "others")
    viewer.layers.selection.active = viewer.layers["phase — cells"]
    toggle_comparison(viewer)
    assert "conventional phase — cells" in shown(viewer)
    assert "phase — others" in shown(viewer)
    viewer.layers.selection.active = viewer.layers["raw"]  # of no result: the topmost that is shown
    toggle_comparison(viewer)
    assert "conventional phase — others" in shown(viewer)


def test_without_a_conventional_reconstruction_it_is_said(tmp_path):
    viewer = ViewerModel()
    bind_comparison(viewer)
    press = next(action for key, action in viewer.keymap.items() if str(key) == KEY_NAME)
    press(viewer)
    assert "no result" in viewer.status
    add(viewer, tmp_path, "without", conventional=False)
    before = shown(viewer)
    assert not toggle_comparison(viewer)
    assert shown(viewer) == before


def test_another_key_goes_through_all_there_is(viewer):
    of_conventional = viewer.layers["conventional phase — cells"]
    about = {**of_conventional.metadata["napari_nstm"], "kind": "comparison", "comparison": "widefield"}
    viewer.add_image(
        of_conventional.data, name="widefield phase — cells", visible=False, metadata={"napari_nstm": about}
    )
    viewer.layers.selection.active = viewer.layers["phase — cells"]
    before = shown(viewer)
    assert next_comparison(viewer) == "conventional"
    assert shown(viewer) == {"raw", "conventional phase — cells", "motion — cells"}
    assert next_comparison(viewer) == "widefield"
    assert shown(viewer) == {"raw", "widefield phase — cells", "motion — cells"}
    assert toggle_comparison(viewer)  # the other key brings the result back from any of them
    assert shown(viewer) == before
    next_comparison(viewer)
    next_comparison(viewer)
    assert next_comparison(viewer) == "reconstruction"
    assert shown(viewer) == before


def test_the_keys_are_nobody_elses():
    from napari.utils.shortcuts import default_shortcuts

    ours = {KEY_NAME, NEXT_KEY_NAME.replace("-", "+")}
    taken = [name for name, keys in default_shortcuts.items() if any(str(key) in ours for key in keys)]
    assert all("labels" in name or "preserve" in name or "shapes" in name for name in taken)
