"""A result at any number of moments: an array that renders what is looked at."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from tests._qt.small_store import write_store
from tests._qt.turning_store import FRAME_TIMES_MS, SIZE, write_turning

from napari_nstm._qt.layers.moments import (
    MomentsOfChannel,
    RenderedMoments,
    even_moments,
    layers_of,
    moment_shown,
    placed_in_time,
    show_moments,
)
from napari_nstm._qt.layers.result import result_layers
from napari_nstm.io.result import StoredResult


@pytest.fixture(scope="module")
def turning(tmp_path_factory):
    return write_turning(tmp_path_factory.mktemp("turning") / "a.zarr")


@pytest.fixture
def rendered(monkeypatch):
    """Times that were rendered."""
    times, real = [], StoredResult.scene_at

    def scene_at(self, time_ms):
        times.append(time_ms)
        return real(self, time_ms)

    monkeypatch.setattr(StoredResult, "scene_at", scene_at)
    return times


def test_moments_are_even_on_the_slider_and_have_true_times():
    times = even_moments(FRAME_TIMES_MS, 9)
    np.testing.assert_allclose(times, [0, 5, 10, 15, 20, 30, 40, 50, 60])
    assert even_moments(FRAME_TIMES_MS, 2) == (0, 60)


def test_the_array_holds_the_scene_at_its_times(turning):
    times = even_moments(FRAME_TIMES_MS, 7)
    moments = RenderedMoments(turning, times)
    for channel in (0, 1):
        array = MomentsOfChannel(moments, channel)
        expected = np.stack([turning.scene_at(time)[channel] for time in times])
        assert (array.shape, array.dtype, array.ndim, len(array)) == (expected.shape, np.float32, 3, 7)
        assert (array.size, array.nbytes) == (expected.size, expected.nbytes)
        np.testing.assert_array_equal(np.asarray(array), expected)
        for key in (
            2,
            -1,
            np.int64(3),
            slice(1, 4),
            slice(None, None, 3),
            slice(4, 4),
            [0, 5],
            (3, slice(2, 9), 4),
            (slice(0, 2), slice(None), slice(5, 8)),
            (..., 3),
            (slice(None), ..., slice(0, 2)),
            ([1, 2], [3, 4], [5, 6]),
            (None, 1),
            np.arange(7) > 4,
        ):
            np.testing.assert_array_equal(array[key], expected[key], err_msg=str(key))
        with pytest.raises(IndexError):
            array[7]


def test_only_what_is_looked_at_is_rendered_once_for_all_channels(turning, rendered):
    moments = RenderedMoments(turning, even_moments(FRAME_TIMES_MS, 100))
    one, two = (MomentsOfChannel(moments, channel) for channel in (0, 1))
    for array in (one, two, one):
        assert np.asarray(array[(40, slice(None), slice(None))]).shape == (SIZE, SIZE)
    assert rendered == [moments.times_ms[40]]


def test_no_more_is_kept_than_the_limit(turning, rendered):
    one = turning.scene_at(0.0).nbytes
    moments = RenderedMoments(turning, even_moments(FRAME_TIMES_MS, 10), cache_bytes=3 * one)
    for index in (0, 1, 2, 0, 3):
        moments.scene(index)
        assert moments.kept_bytes <= 3 * one
    rendered.clear()
    moments.scene(0)  # used after 1 was
    assert not rendered
    moments.scene(1)
    assert len(rendered) == 1
    # What is shown now is kept in any case.
    tiny = RenderedMoments(turning, even_moments(FRAME_TIMES_MS, 10), cache_bytes=1)
    rendered.clear()
    for index in (4, 4, 5):
        tiny.scene(index)
    assert len(rendered) == 2
    assert tiny.kept_bytes == one


def test_a_layer_shows_them_by_slices_alone_and_keeps_what_the_user_set(turning, rendered):
    viewer = ViewerModel()
    for one in result_layers(turning, "cells"):
        viewer.add_layer(Layer.create(*one))
    layer = viewer.layers["phase — cells"]
    layer.contrast_limits, layer.colormap, layer.gamma = (0.25, 2.0), "magma", 0.5
    times = even_moments(FRAME_TIMES_MS, 41)
    data = MomentsOfChannel(RenderedMoments(turning, times), 1)
    rendered.clear()
    show_moments(layer, data, times, FRAME_TIMES_MS)
    assert len(set(rendered)) <= 3
    assert (tuple(layer.contrast_limits), layer.colormap.name, layer.gamma) == ((0.25, 2.0), "magma", 0.5)
    # Frame 3 is where it was: ten moments a frame.
    viewer.dims.set_point(0, 2.3)
    assert moment_shown(layer, viewer) == 23
    assert layer.metadata["napari_nstm"]["times_ms"][23] == pytest.approx(20 + 0.3 * 20)
    np.testing.assert_allclose(layer.extent.world[:, 0], [-0.05, 4.05], atol=0.06)
    assert len(set(rendered)) < 6


def test_moments_of_a_volume(tmp_path):
    stored = write_store(tmp_path / "v.zarr", n_planes=3)
    array = MomentsOfChannel(RenderedMoments(stored, even_moments(stored.frame_times_ms, 5)), 0)
    assert array.shape == (5, 3, 40, 60)
    np.testing.assert_array_equal(array[1, 2], stored.scene_at(15.0)[0, 2])


def test_layers_are_found_by_their_result(turning, tmp_path):
    viewer = ViewerModel()
    other = write_turning(tmp_path / "b.zarr", channels=1)
    for stored, name in ((turning, "a"), (other, "b")):
        for one in result_layers(stored, name):
            viewer.add_layer(Layer.create(*one))
    assert [layer.name for layer in layers_of(viewer, other, "reconstruction", "motion")] == [
        "absorption — b",
        "motion — b",
    ]
    assert placed_in_time(viewer.layers["motion — b"], (0.0, 60.0), FRAME_TIMES_MS)["scale"][0] == 4
    viewer.dims.set_point(0, 4)
    assert moment_shown(viewer.layers["motion — b"], viewer) == 4
    viewer.add_image(np.zeros((9, 4, 4)))
    viewer.dims.set_point(0, 8)
    assert moment_shown(viewer.layers["motion — b"], viewer) is None
