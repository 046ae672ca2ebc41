"""How fast the sample moves, everywhere, in um/s."""

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from tests._qt.small_store import write_store
from tests._qt.turning_store import ANGLE_RAD, FRAME_TIMES_MS, MIDDLE, PIXEL_UM, SIZE, write_turning

from napari_nstm._qt.layers import speed as module
from napari_nstm._qt.layers.speed import speed_layer
from napari_nstm.core.errors import InputError


def made(*args, **kwargs):
    return Layer.create(*speed_layer(*args, **kwargs))


def test_a_translation_has_its_speed_where_there_is_something(tmp_path):
    stored = write_turning(tmp_path / "a.zarr", drift_px=(3.0, -4.0))
    layer = made(stored, "cells", FRAME_TIMES_MS)
    assert layer.data.shape == (5, SIZE, SIZE)
    known = np.isfinite(layer.data)
    expected = 5 * PIXEL_UM / 0.060
    np.testing.assert_allclose(layer.data[known], expected, rtol=1e-3)
    assert layer.contrast_limits == pytest.approx([0, expected], rel=1e-3)
    # The square is known, and goes with the drift; the dark around it is not.
    for k, time in enumerate(FRAME_TIMES_MS):
        rows, columns = np.nonzero(known[k])
        assert rows.mean() == pytest.approx(MIDDLE + 3 * time / 60, abs=1.0)
        assert columns.mean() == pytest.approx(MIDDLE - 4 * time / 60, abs=1.0)
        assert not known[k, 0].any()


def test_a_turn_is_the_faster_the_farther_out_at_every_moment(tmp_path):
    stored = write_turning(tmp_path / "a.zarr")
    layer = made(stored, "cells", FRAME_TIMES_MS, hidden_share=0.0)
    y, x = np.mgrid[:SIZE, :SIZE] - MIDDLE
    radius = np.hypot(y, x)
    expected = radius * PIXEL_UM * ANGLE_RAD / 0.060
    near = radius < MIDDLE - 4
    for k in range(5):
        np.testing.assert_allclose(layer.data[k][near], expected[near], rtol=0.02, atol=0.4)


def test_speeds_of_a_volume_lie_upon_it(tmp_path):
    stored = write_store(tmp_path / "v.zarr", n_planes=3, drift_px=(0.0, 7.0))
    layer = made(stored, "cells", stored.times_ms, hidden_share=0.0)
    assert layer.data.shape == (3, 3, 40, 60)
    np.testing.assert_allclose(layer.data, 7 * PIXEL_UM / 0.035, rtol=1e-3)
    assert layer.axis_labels == ("t", "z", "y", "x")
    assert [str(unit) for unit in layer.units] == ["pixel"] + ["micrometer"] * 3


def test_of_many_moments_it_is_coarser_and_lies_in_the_same_place(tmp_path, monkeypatch):
    stored = write_turning(tmp_path / "a.zarr", origin_um=(5.0, 7.0))
    fine = made(stored, "cells", FRAME_TIMES_MS, hidden_share=0.0)
    monkeypatch.setattr(module, "_AT_MOST", 5 * SIZE**2 / 9)
    coarse = made(stored, "cells", FRAME_TIMES_MS, hidden_share=0.0)
    np.testing.assert_allclose(coarse.data, fine.data[:, ::3, ::3], atol=1e-4)
    np.testing.assert_allclose(coarse.scale, [1, 3 * PIXEL_UM, 3 * PIXEL_UM])
    for layer in (fine, coarse):
        np.testing.assert_allclose(layer.translate, [0, 5, 7])


def test_one_moment_has_no_speed(tmp_path):
    stored = write_store(tmp_path / "a.zarr")
    with pytest.raises(InputError, match="at least two"):
        speed_layer(stored, "cells", stored.times_ms[:1])


def test_it_says_what_it_is(tmp_path):
    stored = write_store(tmp_path / "a.zarr")
    layer = made(stored, "cells", stored.times_ms)
    known = layer.metadata["napari_nstm"]
    json.dumps(known)
    assert (known["kind"], known["view"], known["unit"]) == ("view", "speed", "um/s")
    assert layer.name == "speed (µm/s) — cells"


def test_what_is_not_known_is_not_drawn(make_napari_viewer_proxy, tmp_path, qtbot):
    stored = write_turning(tmp_path / "a.zarr", drift_px=(3.0, -4.0))
    viewer = make_napari_viewer_proxy(show=True)
    layer = made(stored, "cells", FRAME_TIMES_MS)
    layer.opacity = 1.0
    viewer.add_layer(layer)
    viewer.dims.set_point(0, 0)
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0, *(2 * [MIDDLE * PIXEL_UM])), 400 / (SIZE * PIXEL_UM)
    qtbot.wait(100)
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    row, column = (n // 2 for n in picture.shape[:2])
    np.testing.assert_allclose(picture[row, column], (255, 246, 200), atol=6)  # the fastest
    assert picture[row - 190, column].max() < 5


def test_model_slices_without_a_warning(tmp_path):
    viewer = ViewerModel()
    stored = write_store(tmp_path / "a.zarr")
    layer = viewer.add_layer(made(stored, "cells", stored.times_ms))
    viewer.dims.set_point(0, 2)
    assert layer.colormap.name == "speed"
