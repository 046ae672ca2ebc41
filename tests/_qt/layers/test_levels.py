"""Large results are shown in several sizes, each where it belongs."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from tests._qt.result_in_viewer import show
from tests._qt.running.test_live import preview
from tests._qt.running.test_live import show as preview_shown
from tests._qt.small_store import SHAPE, TIMES_MS, write_store

from napari_nstm._qt.layers import levels
from napari_nstm._qt.layers.result import read_result
from napari_nstm._qt.results.time_panel import TimePanel
from napari_nstm._qt.running.live import LiveLayers
from napari_nstm.io import _image


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A result as if its 40 x 60 pixels were many: 60, 30 and 15 samples along its longer side."""
    monkeypatch.setattr(_image, "LARGEST_CHUNK_PX", 16)
    monkeypatch.setattr(levels, "LARGE_PX", 16)
    return write_store(tmp_path / "large.zarr")


def test_sizes_are_those_that_are_stored(large):
    phase = read_result(large).reconstruction[1]
    assert [level.shape for level in phase] == [(3, 40, 60), (3, 20, 30), (3, 10, 15)]
    fine, coarse = (np.asarray(level) for level in phase[:2])
    np.testing.assert_allclose(coarse, fine.reshape(3, 20, 2, 30, 2).mean(axis=(2, 4)), rtol=1e-5, atol=1e-6)


def test_a_small_result_has_one_and_a_running_one_too(tmp_path, monkeypatch):
    assert not isinstance(read_result(write_store(tmp_path / "a.zarr")).reconstruction[0], list)
    monkeypatch.setattr(levels, "LARGE_PX", 16)
    assert not isinstance(read_result(write_store(tmp_path / "b.zarr", "running")).reconstruction[0], list)


def test_layers_of_any_size_stand_at_the_same_place(large, tmp_path):
    viewer = ViewerModel()
    show(viewer, large)
    layer = viewer.layers["phase — cells"]
    assert layer.multiscale
    np.testing.assert_allclose(layer.scale, (1, 0.25, 0.25))
    assert layer.extent.data[1].tolist() == [2, *(n - 1 for n in SHAPE)]
    low, high = layer.contrast_limits
    assert low < 0.1
    assert high > 0.7, "the contrast of the picture"


def test_a_window_draws_the_size_that_it_needs(large, make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(900, 700)
    show(viewer, large)
    for layer in viewer.layers:
        layer.visible = layer.name == "phase — cells"
    viewer.dims.set_current_step(0, 0)
    qtbot.wait(1000)
    layer = viewer.layers["phase — cells"]
    middles = []
    for level in (0, 2):
        layer.locked_data_level = level
        qtbot.wait(600)
        picture = viewer.screenshot(flash=False, canvas_only=True)[..., 0].astype(float)
        assert layer.data_level == level
        rows, columns = np.indices(picture.shape)
        middles.append(np.array([(picture * rows).sum(), (picture * columns).sum()]) / picture.sum())
    # The blob's middle on the screen; a pixel of the result is some 12 of the screen there.
    np.testing.assert_allclose(middles[0], middles[1], atol=4)


def test_rendered_moments_come_in_sizes_too(large, background, qtbot):
    viewer = ViewerModel()
    panel = TimePanel(viewer, background)
    qtbot.addWidget(panel)
    show(viewer, large)
    panel.set_result(large, "cells")
    layer = viewer.layers["phase — cells"]
    for n in (7, None):
        panel.show_number(n)
        qtbot.waitUntil(lambda: not panel.busy)
        assert layer.data[0].shape == (n or 3, *SHAPE)
    panel.show_number(7)
    qtbot.waitUntil(lambda: not panel.busy)
    assert [level.shape[1:] for level in layer.data] == [(40, 60), (20, 30), (10, 15)]
    fine, coarse = (np.asarray(level[3]) for level in layer.data[:2])
    np.testing.assert_allclose(coarse, fine[::2, ::2], atol=1e-5)
    panel.disconnect_viewer()


def test_pictures_of_a_run_give_way_to_its_sizes(large):
    viewer = ViewerModel()
    live = LiveLayers(viewer, "cells")
    preview_shown(live, preview(size=64))
    viewer.layers["phase — cells"].colormap = "magma"
    viewer.layers.selection.active = viewer.layers["phase — cells"]
    for _ in live.become(read_result(replace(large))):
        pass
    layer = viewer.layers["phase — cells"]
    assert layer.multiscale
    assert layer.colormap.name == "magma", "what the user chose stays"
    assert viewer.layers.selection.active is layer
    assert layer.metadata["napari_nstm"]["kind"] == "reconstruction"
    assert len([one for one in viewer.layers if one.name.startswith("phase")]) == 1
    assert isinstance(layer, Layer)
    assert layer.metadata["napari_nstm"]["times_ms"] == list(TIMES_MS)
