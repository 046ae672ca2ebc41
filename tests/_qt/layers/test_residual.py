"""The map of the residual lies where the raw frames lie, black where nothing is left."""

import json

import numpy as np
import pytest
from napari.layers import Layer
from tests._qt.residual_store import SIGMA, write_residual
from tests._qt.small_store import PIXEL_UM, SHAPE, TIMES_MS

from napari_nstm._qt.layers.residual import residual_layer, residual_note
from napari_nstm.analysis.residuals import residual_summary


def made(stored, index=0):
    summary = residual_summary(stored)
    return Layer.create(*residual_layer(stored, "cells", summary, index)), summary


def test_frames_lie_upon_the_sample_and_the_slider_counts_them(tmp_path):
    layer, _ = made(write_residual(tmp_path / "a.zarr"))
    assert layer.name == "residual — cells"
    assert layer.data.shape == (3, *SHAPE)
    np.testing.assert_allclose(layer.scale, (1, PIXEL_UM, PIXEL_UM))
    np.testing.assert_allclose(layer.translate, 0)
    assert layer.axis_labels == ("t", "y", "x")
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]
    known = layer.metadata["napari_nstm"]
    assert (known["kind"], known["view"], known["times_ms"]) == ("view", "residual", list(TIMES_MS))
    json.dumps(known)


def test_full_colour_is_four_times_the_noise_either_way_and_nothing_is_black(tmp_path):
    layer, summary = made(write_residual(tmp_path / "a.zarr", size=128))
    low, high = layer.contrast_limits
    assert low == -high
    assert high == pytest.approx(4 * SIGMA, rel=0.05)
    blue, black, orange = layer.colormap.map(np.asarray([0.0, 0.5, 1.0]))[:, :3]
    assert black.max() < 0.02
    assert blue[2] > 0.9 > blue[0]
    assert orange[0] > 0.9 > orange[2]
    assert "4 times the noise (±8" in residual_note(summary)


def test_without_known_noise_full_colour_goes_by_the_root_mean_square(tmp_path):
    stored = write_residual(tmp_path / "a.zarr", smooth=True)
    layer, summary = made(stored)
    assert layer.contrast_limits[1] == pytest.approx(3 * summary.overall)
    assert "3 times the root mean square" in residual_note(summary)


def test_frames_of_sim_have_larger_pixels_than_the_scene(tmp_path):
    stored = write_residual(tmp_path / "a.zarr", shape=(3, 27, 40), raw_um=0.375)
    layer, _ = made(stored)
    np.testing.assert_allclose(layer.scale, (1, 0.375, 0.375))
    # Without the settings the ratio of the pixels has to do.
    layer, _ = made(write_residual(tmp_path / "b.zarr", shape=(3, 27, 40), raw_um=None))
    np.testing.assert_allclose(layer.scale[1:], PIXEL_UM * 1.5)


def test_volumes_have_all_planes_and_planes_with_times_of_their_own_are_seen_at_every_depth(tmp_path):
    layer, _ = made(write_residual(tmp_path / "v.zarr", n_planes=4, shape=(3, 4, *SHAPE)))
    assert layer.data.shape == (3, 4, *SHAPE)
    assert layer.axis_labels == ("t", "z", "y", "x")
    layer, _ = made(write_residual(tmp_path / "p.zarr", n_planes=4, shape=(3, *SHAPE)))
    assert layer.data.shape == (3, 1, *SHAPE)
    # One sample as thick as the volume, from half a plane before the first to half a plane behind the last.
    np.testing.assert_allclose((layer.scale[1], layer.translate[1]), (4 * PIXEL_UM, 1.5 * PIXEL_UM))


def test_of_one_exposure_one_colour_is_shown_without_a_slider(tmp_path):
    stored = write_residual(tmp_path / "a.zarr", shape=(3, 50, 70), in_colors=True, times_ms=(0.0, 4.0, 8.0, 10.0))
    layer, summary = made(stored, index=2)
    np.testing.assert_array_equal(layer.data, stored.residual.compute()[2])
    np.testing.assert_allclose(layer.scale, PIXEL_UM)
    assert layer.metadata["napari_nstm"]["time_text"] == "one exposure, its middle at 5 ms"
    assert summary.colors == ("red", "green", "blue")


def test_of_a_region_the_map_lies_where_the_region_does(tmp_path):
    layer, _ = made(write_residual(tmp_path / "a.zarr", origin_um=(2.0, 5.0)))
    np.testing.assert_allclose(layer.translate, (0, 2, 5))


def test_large_residuals_stay_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_nstm._qt.layers.residual.LARGE_BYTES", 100)
    stored = write_residual(tmp_path / "a.zarr")
    data, _, _ = residual_layer(stored, "cells", residual_summary(stored))
    assert not isinstance(data, np.ndarray)
    np.testing.assert_array_equal(data[1].compute(), stored.residual[1].compute())
