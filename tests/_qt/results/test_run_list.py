"""The runs in a viewer: what differs, shown or not, beside each other, and taken away."""

from threading import Event

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import Qt
from tests._qt.residual_store import write_residual
from tests._qt.small_store import write_store

from napari_nstm._qt.layers.result import result_layers
from napari_nstm._qt.results.run_list import RunList
from napari_nstm._qt.results.run_table import RESIDUAL, RUN, TIME
from napari_nstm.core.settings import Job
from napari_nstm.io.result import open_result


@pytest.fixture
def viewer():
    made = ViewerModel()
    made.add_image(np.zeros((3, 40, 60)), name="raw")
    return made


@pytest.fixture
def runs(viewer, background, qtbot):
    made = RunList(viewer, background)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()


def add(viewer, path, name):
    stored = write_store(path / f"{name}.zarr")
    for one in result_layers(open_result(stored.path), name):
        viewer.add_layer(Layer.create(*one))
    return str(stored.path)


def texts(runs, column):
    return [runs.table.topLevelItem(row).text(column) for row in range(runs.table.topLevelItemCount())]


def shown(viewer, name):
    return {layer.name for layer in viewer.layers if layer.visible and layer.name.endswith(f" — {name}")}


def test_without_a_run_there_is_no_list(runs, viewer, tmp_path, qtbot):
    assert not runs.isVisible()
    add(viewer, tmp_path, "cells")
    qtbot.waitUntil(runs.isVisible)
    assert texts(runs, RUN) == ["cells"]


def test_what_differs_stands_below_the_name(runs, viewer, tmp_path, qtbot):
    keys = [add(viewer, tmp_path, name) for name in ("one", "other")]
    for layer in viewer.layers:
        known = layer.metadata.get("napari_nstm", {})
        if known.get("store") == keys[1]:
            known["record"] = {**known["record"], "job": {**known["record"]["job"], "fit": {"epochs": 300}}}
    runs.refresh()
    one, other = (text.replace("\u00a0", " ") for text in texts(runs, RUN))
    assert one.splitlines() == ["one", "Epochs as the preset"]
    assert other.splitlines() == ["other", "Epochs 300"]


def test_a_box_hides_a_run_and_shows_what_was_seen_of_it(runs, viewer, tmp_path, qtbot):
    key = add(viewer, tmp_path, "cells")
    qtbot.waitUntil(lambda: runs.keys == [key])
    viewer.layers["absorption — cells"].visible = True
    runs.refresh()
    before = shown(viewer, "cells")
    item = runs.table.topLevelItem(0)
    item.setCheckState(RUN, Qt.CheckState.Unchecked)
    assert shown(viewer, "cells") == set()
    assert viewer.layers["raw"].visible
    runs.table.topLevelItem(0).setCheckState(RUN, Qt.CheckState.Checked)
    assert shown(viewer, "cells") == before


def test_the_run_that_goes_on_has_a_row(runs, viewer, tmp_path, qtbot):
    add(viewer, tmp_path, "cells")
    job = Job(modality="dpc", raw="raw", acquisition={}, fit={"epochs": 7})
    runs.set_running("cells (2)", job)
    assert texts(runs, TIME)[-1] == "running"
    assert "Epochs\u00a07" in texts(runs, RUN)[-1]
    runs.set_running(None)
    assert runs.table.topLevelItemCount() == 1


def test_a_row_that_is_picked_names_its_result(runs, viewer, tmp_path, qtbot):
    keys = [add(viewer, tmp_path, name) for name in ("one", "other")]
    qtbot.waitUntil(lambda: len(runs.keys) == 2)
    with qtbot.waitSignal(runs.chosen) as said:
        runs.table.setCurrentItem(runs.table.topLevelItem(runs.keys.index(keys[0])))
    assert [str(said.args[0]), said.args[1]] == [keys[0], "one"]
    # A layer that is selected in the viewer's own list makes its run the current one, and says nothing.
    with qtbot.assertNotEmitted(runs.chosen):
        viewer.layers.selection.active = viewer.layers["phase — other"]
    assert runs.table.current == keys[1]


def test_a_run_can_be_taken_away_and_stays_on_the_disk(runs, viewer, tmp_path, qtbot):
    key = add(viewer, tmp_path, "cells")
    qtbot.waitUntil(lambda: runs.keys == [key])
    runs.remove_run(key)
    assert runs.keys == []
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == ["raw"])
    assert open_result(key).status == "finished"


def test_runs_stand_beside_each_other_and_on_top_again(runs, viewer, tmp_path, qtbot):
    for name in ("one", "other"):
        add(viewer, tmp_path, name)
    qtbot.waitUntil(lambda: len(runs.keys) == 2)
    order = [layer.name for layer in viewer.layers]
    camera = viewer.scene.camera.center, viewer.scene.camera.zoom
    runs.set_beside(True)
    grid = viewer.canvas.grid
    assert grid.enabled
    assert not viewer.layers["raw"].visible
    cells = {layer.name: index // grid.stride for index, layer in enumerate(viewer.layers) if layer.visible}
    assert cells["phase — one"] == cells["motion — one"] != cells["phase — other"] == cells["motion — other"]
    named = [layer.name for layer in viewer.layers if layer.name_overlay.visible]
    assert named == ["phase — one", "phase — other"]
    runs.set_beside(False)
    assert not grid.enabled
    assert viewer.layers["raw"].visible
    assert [layer.name for layer in viewer.layers] == order
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == camera


def test_what_is_shown_fills_its_cell(runs, viewer, tmp_path, qtbot):
    viewer.layers["raw"].scale = (1, 4, 4)  # far larger than the results
    for name in ("one", "other"):
        add(viewer, tmp_path, name)
    qtbot.waitUntil(lambda: len(runs.keys) == 2)
    runs.set_beside(True)
    near = viewer.scene.camera.zoom
    viewer.reset_view()
    assert near > 5 * viewer.scene.camera.zoom


def test_hidden_to_one_they_are_on_top_of_each_other_again(runs, viewer, tmp_path, qtbot):
    for name in ("one", "other"):
        add(viewer, tmp_path, name)
    qtbot.waitUntil(lambda: len(runs.keys) == 2)
    runs.set_beside(True)
    runs.set_shown(runs.keys[0], False)
    assert not runs.beside
    assert not runs.beside_button.isEnabled()


def test_of_three_one_can_be_hidden_or_taken_away_and_the_others_keep_their_cells(runs, viewer, tmp_path, qtbot):
    for name in ("one", "three", "two"):
        add(viewer, tmp_path, name)
    qtbot.waitUntil(lambda: len(runs.keys) == 3)
    key = next(key for key in runs.keys if key.endswith("three.zarr"))
    runs.set_beside(True)
    runs.set_shown(key, False)
    runs.refresh()
    assert runs.beside
    assert cells(viewer) == [{"one"}, {"two"}]
    runs.set_shown(key, True)
    assert cells(viewer) == [{"one"}, {"three"}, {"two"}]
    runs.remove_run(key)
    qtbot.waitUntil(lambda: len([layer for layer in viewer.layers if layer.name.endswith("three")]) == 0)
    runs.refresh()
    assert runs.beside
    assert cells(viewer) == [{"one"}, {"two"}]


def test_layers_that_are_deleted_one_by_one_take_their_row_along(runs, viewer, tmp_path, qtbot):
    keys = [add(viewer, tmp_path, name) for name in ("one", "other")]
    qtbot.waitUntil(lambda: len(runs.keys) == 2)
    runs.set_beside(True)
    for layer in [layer for layer in viewer.layers if layer.name.endswith("other")]:
        viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: runs.keys == keys[:1])
    assert not runs.beside
    assert viewer.layers["raw"].visible


def test_who_ends_the_grid_by_napari_s_own_button_has_them_on_top_of_each_other(runs, viewer, tmp_path, qtbot):
    for name in ("one", "other"):
        add(viewer, tmp_path, name)
    qtbot.waitUntil(lambda: len(runs.keys) == 2)
    order = [layer.name for layer in viewer.layers]
    runs.set_beside(True)
    viewer.canvas.grid.enabled = False
    assert not runs.beside
    assert not runs.beside_button.isChecked()
    assert viewer.layers["raw"].visible
    assert [layer.name for layer in viewer.layers] == order


def test_a_motion_without_arrows_does_not_spoil_the_view(runs, viewer, tmp_path, qtbot):
    for name in ("one", "other"):
        add(viewer, tmp_path, name)
        viewer.layers[f"motion — {name}"].data = np.zeros((0, 2, viewer.layers[f"motion — {name}"].ndim))
    qtbot.waitUntil(lambda: len(runs.keys) == 2)
    runs.set_beside(True)
    assert np.isfinite([viewer.scene.camera.zoom, *viewer.scene.camera.center]).all()


def test_pictures_of_a_run_that_ended_are_not_called_running(runs, viewer, tmp_path, qtbot):
    known = {"kind": "preview", "run_id": "r", "channel": "phase"}
    runs.set_running("cells", Job(modality="dpc", raw="raw", acquisition={}))
    viewer.add_image(np.zeros((40, 60)), name="phase — cells", metadata={"napari_nstm": known})
    runs.refresh()
    assert texts(runs, TIME) == ["running"]
    runs.set_running(None)
    assert texts(runs, TIME) == [""]


def test_a_residual_that_is_read_too_late_is_left_alone(viewer, tmp_path, qtbot, background):
    runs = RunList(viewer, background)
    qtbot.addWidget(runs)
    began, go = Event(), Event()
    background.submit(lambda: (began.set(), go.wait(5)))
    add(viewer, tmp_path, "cells")
    qtbot.waitUntil(lambda: len(runs.keys) == 1 and began.is_set())
    runs.disconnect_viewer()
    delivered = Event()
    background.submit(lambda: None, lambda _: delivered.set())
    go.set()
    qtbot.waitUntil(delivered.is_set)
    assert not runs._timer.isActive()


def test_the_residual_is_said_in_noise_units(runs, viewer, tmp_path, qtbot):
    stored = write_residual(tmp_path / "cells.zarr")
    for one in result_layers(open_result(stored.path), "cells"):
        viewer.add_layer(Layer.create(*one))
    qtbot.waitUntil(lambda: texts(runs, RESIDUAL) != [] and texts(runs, RESIDUAL)[0] != "")
    number, unit = texts(runs, RESIDUAL)[0].split(" ", 1)
    assert unit == "× noise"
    assert 0.9 < float(number) < 1.1, "the residual is noise alone"


def cells(viewer):
    """Names of the runs that are seen in each cell of the grid, from the first."""
    stride, found = viewer.canvas.grid.stride, {}
    for index, layer in enumerate(viewer.layers):
        if layer.visible and " — " in layer.name:
            found.setdefault(index // stride, set()).add(layer.name.partition(" — ")[2])
    return list(found.values())
