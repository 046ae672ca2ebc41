"""The key to the arrows says what their colours tell, and lies above the field."""

import numpy as np
import pytest
from napari.layers import Layer
from tests._qt.small_store import write_store
from tests._qt.turning_store import FRAME_TIMES_MS, PIXEL_UM, SIZE, write_turning

from napari_nstm._qt.layers.motion import ArrowChoices, read_arrows, show_arrows
from napari_nstm._qt.layers.result import result_layers
from napari_nstm._qt.layers.wheel import arrow_key, key_of
from napari_nstm._qt.raw_layer import is_of_a_run, may_be_raw
from napari_nstm.io.colors import direction_colors, speed_colors


@pytest.fixture
def layer(tmp_path):
    return Layer.create(*result_layers(write_turning(tmp_path / "a.zarr", origin_um=(3.0, 4.0)), "cells")[-1])


def show(layer, stored, **choices):
    show_arrows(layer, read_arrows(stored, FRAME_TIMES_MS, ArrowChoices(**choices)), {})


def test_directions_have_a_wheel_at_the_upper_right(layer):
    key = Layer.create(*arrow_key(layer))
    n = len(key.data)
    right, below = key.data[n // 2, -9, :3], key.data[-9, n // 2, :3]
    np.testing.assert_allclose(right, direction_colors(np.array(0.0)), atol=8)
    np.testing.assert_allclose(below, direction_colors(np.array(np.pi / 2)), atol=8)
    assert key.data[0, 0, 3] == 0  # transparent around the wheel
    (top, _), (bottom, right) = key.extent.world
    step = key.scale[0]
    assert right + step / 2 == pytest.approx(4 + (SIZE - 0.5) * PIXEL_UM, abs=step)
    assert bottom < 3 - PIXEL_UM / 2
    assert bottom - top == pytest.approx(0.15 * SIZE * PIXEL_UM, rel=0.02)


def test_speeds_have_a_bar_with_the_fastest_in_um_a_second(tmp_path, monkeypatch):
    from napari_nstm._qt.layers import wheel

    said = []
    real = wheel.color_bar
    monkeypatch.setattr(wheel, "color_bar", lambda *args: said.append(args[1:]) or real(*args))
    stored = write_turning(tmp_path / "a.zarr", drift_px=(3.0, 4.0))
    layer = Layer.create(*result_layers(stored, "cells", "speed")[-1])
    key = Layer.create(*arrow_key(layer))
    fastest = 5 * PIXEL_UM / 0.060
    assert said == [("0", f"{fastest:.0f} µm/s")]
    row = key.data[len(key.data) // 2, :, :3].astype(int)
    vivid = np.flatnonzero(np.ptp(row, axis=-1) > 40)
    np.testing.assert_allclose(row[vivid[4]], speed_colors(np.array(0.0)), atol=8)
    np.testing.assert_allclose(row[vivid[-4]], speed_colors(np.array(1.0)), atol=8)


def test_it_is_no_raw_image_and_there_at_every_moment(layer):
    key = Layer.create(*arrow_key(layer))
    assert key.ndim == 2
    assert key.rgb
    assert is_of_a_run(key)
    assert not may_be_raw(key)
    assert key.name == "arrows, key — cells"
    assert [str(unit) for unit in key.units] == ["micrometer"] * 2


def test_it_depends_on_what_it_shows_alone(tmp_path):
    stored = write_turning(tmp_path / "a.zarr")
    layer = Layer.create(*result_layers(stored, "cells")[-1])
    first = key_of(layer)
    show(layer, stored, across=40, reference="last")
    assert key_of(layer) == first  # a wheel is a wheel
    show(layer, stored, color="speed")
    by_speed = key_of(layer)
    assert by_speed != first
    show(layer, stored, color="speed", hidden_share=0.9)
    assert key_of(layer) != by_speed  # another is the fastest


def test_of_a_volume_it_is_a_plane(tmp_path):
    layer = Layer.create(*result_layers(write_store(tmp_path / "v.zarr", n_planes=3), "cells")[-1])
    assert Layer.create(*arrow_key(layer)).ndim == 2
