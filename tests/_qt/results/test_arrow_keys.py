"""Keys come, change and go with the arrows, one layer a turn."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject
from tests._qt.result_in_viewer import recolor
from tests._qt.turning_store import FRAME_TIMES_MS, write_turning

from napari_nstm._qt.layers.result import result_layers
from napari_nstm._qt.layers.time_text import DRAWN_MS
from napari_nstm._qt.results.arrow_keys import ArrowKeys
from napari_nstm.io.colors import direction_colors

KEY = "arrows, key — cells"


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def keys(viewer, qapp):
    owner = QObject()
    made = ArrowKeys(viewer, owner)
    yield made
    made.disconnect_viewer()


@pytest.fixture
def shown(viewer, tmp_path):
    for one in result_layers(write_turning(tmp_path / "a.zarr"), "cells"):
        viewer.add_layer(Layer.create(*one))
    return viewer.layers["motion — cells"]


def settle(qtbot):
    qtbot.wait(4 * DRAWN_MS)


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_a_key_comes_below_the_arrows_and_selects_nothing(viewer, keys, shown, qtbot):
    viewer.layers.selection.active = shown
    n = viewer.dims.nsteps[0]
    qtbot.waitUntil(lambda: KEY in names(viewer))
    settle(qtbot)
    assert names(viewer).count(KEY) == 1
    assert names(viewer)[-2:] == [KEY, "motion — cells"]
    assert viewer.layers.selection.active == shown
    assert (viewer.dims.ndim, viewer.dims.nsteps[0]) == (3, n)


def test_it_follows_colours_in_place_and_visibility(viewer, keys, shown, qtbot):
    qtbot.waitUntil(lambda: KEY in names(viewer))
    key = viewer.layers[KEY]
    wheel = key.data
    recolor(shown, "speed")
    qtbot.waitUntil(lambda: key.data.shape != wheel.shape)
    assert names(viewer).count(KEY) == 1
    recolor(shown, "direction")
    qtbot.waitUntil(lambda: np.array_equal(key.data, wheel))
    shown.visible = False
    qtbot.waitUntil(lambda: not key.visible)
    shown.visible = True
    qtbot.waitUntil(lambda: key.visible)


def test_it_can_be_switched_off_and_on(viewer, keys, shown, qtbot):
    qtbot.waitUntil(lambda: KEY in names(viewer))
    keys.set_on(False)
    qtbot.waitUntil(lambda: not viewer.layers[KEY].visible)
    shown.visible = False
    shown.visible = True
    settle(qtbot)
    assert not viewer.layers[KEY].visible
    keys.set_on(True)
    qtbot.waitUntil(lambda: viewer.layers[KEY].visible)


def test_what_the_user_hides_or_deletes_stays_so(viewer, keys, shown, qtbot):
    qtbot.waitUntil(lambda: KEY in names(viewer))
    viewer.layers[KEY].visible = False
    recolor(shown, "speed")
    settle(qtbot)
    assert not viewer.layers[KEY].visible
    viewer.layers.remove(viewer.layers[KEY])
    recolor(shown, "direction")
    settle(qtbot)
    assert KEY not in names(viewer)
    keys.set_on(True)
    qtbot.waitUntil(lambda: KEY in names(viewer))


def test_it_goes_with_the_arrows(viewer, keys, shown, qtbot):
    qtbot.waitUntil(lambda: KEY in names(viewer))
    viewer.layers.remove(shown)
    qtbot.waitUntil(lambda: KEY not in names(viewer))
    settle(qtbot)
    assert names(viewer) == ["absorption — cells", "phase — cells"]


def test_arrows_of_a_run_that_goes_on_have_none_yet(viewer, keys, shown, qtbot):
    known = shown.metadata["napari_nstm"]
    shown.metadata = {"napari_nstm": {"kind": "preview", "run_id": "r", "since_ms": 0.0, "time_ms": 1.0}}
    settle(qtbot)
    assert KEY not in names(viewer)
    shown.metadata = {"napari_nstm": known}
    qtbot.waitUntil(lambda: KEY in names(viewer))


def test_a_window_draws_the_wheel_beside_the_whole_field(make_napari_viewer_proxy, tmp_path, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(1000, 700)
    owner = QObject()
    keys = ArrowKeys(viewer, owner)
    for one in result_layers(write_turning(tmp_path / "a.zarr"), "cells"):
        viewer.add_layer(Layer.create(*one))
    viewer.reset_view()
    qtbot.waitUntil(lambda: KEY in names(viewer))
    viewer.dims.set_point(0, len(FRAME_TIMES_MS) - 1)
    qtbot.wait(300)

    def drawn(angles_rad):
        """How many pixels have the colours of directions."""
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        colors = direction_colors(angles_rad)
        return np.asarray([(np.abs(picture - color).max(axis=-1) < 12).sum() for color in colors])

    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    with_key = drawn(angles)
    keys.set_on(False)
    qtbot.waitUntil(lambda: not viewer.layers[KEY].visible)
    qtbot.wait(200)
    assert np.all(with_key - drawn(angles) > 15)
    keys.disconnect_viewer()
