"""A result in tiles is seen as one: finished, and while its tiles come."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from tests.io.tiled_store import TIMES_MS, true_scene, true_u_um, write_whole

from napari_nstm._qt.layers.motion import ArrowChoices, read_arrows
from napari_nstm._qt.layers.result import read_result, result_layers
from napari_nstm._qt.layers.seams import has_seams, seams_layer, seams_note
from napari_nstm._qt.layers.speed import speed_layer
from napari_nstm._qt.layers.views import time_view
from napari_nstm._qt.reader import get_reader
from napari_nstm._qt.results.time_panel import TimePanel
from napari_nstm._qt.results.views_panel import ViewsPanel
from napari_nstm.core.errors import StoreError
from napari_nstm.io.blend import blend_tiles
from napari_nstm.io.result import open_result
from napari_nstm.run.save import save_as

SHAPE = (96, 128)


@pytest.fixture(scope="module")
def tiled(tmp_path_factory):
    """Six tiles, blended."""
    whole = write_whole(tmp_path_factory.mktemp("tiled") / "cells.zarr")
    return blend_tiles(whole.path)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Of six tiles some are done, one goes on, and two have not begun."""
    some = {"tile_2": {"status": "running"}, "tile_4": {"missing": True}, "tile_5": {"missing": True}}
    return write_whole(tmp_path_factory.mktemp("running") / "cells.zarr", **some)


def by_name(layers):
    return {attributes["name"]: (data, attributes) for data, attributes, _ in layers}


def test_layers_show_what_the_tiles_hold_together(tiled):
    layers = by_name(get_reader(str(tiled.path))(str(tiled.path)))
    data, attributes = layers["absorption — cells"]
    assert attributes["scale"][1:] == tiled.pixel_size_um
    for index, time in enumerate(TIMES_MS):
        assert np.abs(np.asarray(data)[index] - true_scene(SHAPE, time)[0]).max() < 0.02
    arrows, about = layers["motion — cells"]
    known = about["metadata"]["napari_nstm"]
    assert known["times_ms"] == list(TIMES_MS)
    # The arrows of the last moment are the motion of the whole, whatever gauge its tiles have.
    last = arrows[arrows[:, 0, 0] == arrows[:, 0, 0].max()]
    at = np.rint(last[:, 0, 1:]).astype(int)
    u_px = true_u_um(SHAPE, TIMES_MS[-1])[:, at[:, 0], at[:, 1]].T / tiled.pixel_size_um
    np.testing.assert_allclose(last[:, 1, 1:], u_px, atol=0.15)


def test_a_run_that_goes_on_shows_the_tiles_that_have_begun(running):
    layers = by_name(get_reader(str(running.path))(str(running.path)))
    data, attributes = layers["absorption — cells"]
    shown = np.asarray(data[0])
    assert np.isfinite(shown[:40, :80]).all()
    assert np.isnan(shown[60:, -30:]).all(), "of the last tiles nothing is there"
    assert np.isfinite(attributes["contrast_limits"]).all()
    viewer = ViewerModel()
    for one in result_layers(read_result(running), "cells"):
        viewer.add_layer(Layer.create(*one))
    assert np.isfinite(read_arrows(running, TIMES_MS, ArrowChoices()).u_px).all()
    picture, _ = time_view(running, "cells", (-1.0, 1.0))
    assert (np.asarray(picture[0])[60:, -30:] == np.asarray(picture[0])[-1, -1]).all()
    assert np.isfinite(speed_layer(running, "cells", TIMES_MS)[1]["contrast_limits"]).all()


def test_any_number_of_moments_is_rendered(tiled, background, qtbot):
    viewer = ViewerModel()
    panel = TimePanel(viewer, background)
    qtbot.addWidget(panel)
    for one in result_layers(tiled, "cells"):
        viewer.add_layer(Layer.create(*one))
    panel.set_result(tiled, "cells")
    panel.show_number(5)
    qtbot.waitUntil(lambda: not panel.busy)
    layer = viewer.layers["absorption — cells"]
    assert len(layer.data) == 5
    # Evenly between frames, which are at 0, 10 and 25 ms.
    np.testing.assert_allclose(np.asarray(layer.data[3]), true_scene(SHAPE, 17.5)[0], atol=0.02)
    panel.disconnect_viewer()


def test_seams_are_shown_with_numbers_and_units(tiled, background, qtbot, tmp_path):
    from napari_nstm._qt.drawing_view import DrawingView

    viewer = ViewerModel()
    view = DrawingView(viewer)
    panel = ViewsPanel(viewer, view, background)
    for widget in (view, panel):
        qtbot.addWidget(widget)
    panel.set_result(tiled, "cells")
    assert not panel.seams_button.isHidden()
    panel.seams_button.click()
    qtbot.waitUntil(lambda: not panel.busy)
    layer = viewer.layers["seams — cells"]
    np.testing.assert_array_equal(layer.data, np.asarray(tiled.seams)[1])
    np.testing.assert_allclose(layer.scale, tiled.pixel_size_um)
    assert layer.metadata["napari_nstm"]["unit"] == "rad"
    note = view.note.text()
    assert f"phase {tiled.record.seam_rms['phase']:.2g} rad (" in note
    assert f"motion {tiled.record.seam_rms['motion_um']:.2g} µm" in note
    view.disconnect_viewer()


def test_a_wrong_tile_is_seen_at_its_seams(tmp_path):
    wrong = blend_tiles(write_whole(tmp_path / "wrong.zarr", tile_0={"wrong": 0.2}).path)
    seams = np.asarray(wrong.seams)[0]
    assert seams.max() > 0.05
    where = np.argwhere(seams > 0.05)
    assert where[:, 0].max() < 64
    assert where[:, 1].max() < 64, "only around the first tile"
    assert seams_layer(wrong, "wrong", (-1.0, 1.0))[1]["contrast_limits"] == (0.0, pytest.approx(0.002))
    assert "absorption" in seams_note(wrong, (-1.0, 1.0))


def test_what_has_no_tiles_has_no_seams(stored, background, qtbot):
    panel = ViewsPanel(ViewerModel(), None, background)
    qtbot.addWidget(panel)
    panel.set_result(stored, "cells")
    assert not has_seams(stored)
    assert panel.seams_button.isHidden()
    with pytest.raises(StoreError, match="one tile"):
        seams_layer(stored, "cells", (0.0, 1.0))


def test_a_copy_holds_its_tiles(tiled, tmp_path):
    copy = open_result(save_as(tiled.path, tmp_path / "copy.zarr"))
    assert sorted(path.name for path in (copy.path / "tiles").glob("*.zarr")) == [
        f"{index:04d}.zarr" for index in range(6)
    ]
    # Between stored moments it is its own tiles that are rendered.
    np.testing.assert_array_equal(copy.scene_at(17.5), tiled.scene_at(17.5))
    layers = by_name(get_reader(str(copy.path))(str(copy.path)))
    np.testing.assert_array_equal(layers["phase — copy"][0], np.asarray(tiled.reconstruction)[:, 1])
