from dataclasses import replace

import numpy as np
import pytest
from tests.imaging.sim.conventional.acquired import taken

from napari_nstm.core.data import RawData
from napari_nstm.imaging.sim.conventional import (
    light_of,
    widefield,
    widefield_series,
    wiener,
    wiener_series,
    windows,
)
from napari_nstm.imaging.sim.frames import sim_frames
from napari_nstm.imaging.sim.simulate import simulated_settings


def _frames(settings, acquisitions, **changes):
    images = np.zeros((acquisitions * settings.n_orientations * settings.n_phases, 12, 12), np.float32)
    return sim_frames(RawData(images, **changes), settings)


def test_windows_of_a_series_move_on_by_an_orientation(settings):
    frames = _frames(settings(), 3)
    found = windows(frames, settings())
    assert [w[0] for w in found] == [0, 5, 10, 15, 20, 25, 30]
    for window in found:
        np.testing.assert_array_equal(window, window[0] + np.arange(15))
        shots = set(zip(frames.orientation[window], frames.phase[window], strict=True))
        assert len(shots) == 15
    # The paper's example: orientations 2 and 3 of one acquisition, 1 of the next.
    np.testing.assert_array_equal(frames.orientation[found[1]], np.repeat([1, 2, 0], 5))
    np.testing.assert_array_equal(frames.acquisition[found[1]], np.repeat([0, 0, 1], 5))


def test_one_acquisition_is_one_window(settings):
    (window,) = windows(_frames(settings(), 1), settings())
    np.testing.assert_array_equal(window, np.arange(15))


def test_windows_follow_the_order_in_time_not_that_of_the_stack(settings):
    # Phases slow, orientations fast: taken so, a step is as many frames as an orientation has.
    made = settings(image_order="time, phase, orientation")
    frames = _frames(made, 2)
    found = windows(frames, made)
    assert [w[0] for w in found] == [0, 5, 10, 15]
    for window in found:
        assert len(set(zip(frames.orientation[window], frames.phase[window], strict=True))) == 15


def test_acquisitions_that_were_not_taken_one_after_the_other_stay_whole(settings):
    made = settings(image_order="orientation, phase, time")
    frames = _frames(made, 3)
    assert list(frames.acquisition[:3]) == [0, 1, 2]
    found = windows(frames, made)
    assert len(found) == 3
    for number, window in enumerate(found):
        assert set(frames.acquisition[window]) == {number}
        assert len(window) == 15


@pytest.fixture(scope="module")
def series():
    """Three acquisitions of a sample that has moved on by the next one, each of its own brightness."""
    settings = simulated_settings()
    rng = np.random.default_rng(0)
    images = rng.uniform(500, 1500, (45, 40, 44)).astype(np.float32)
    return taken(images, settings, intensities=np.repeat([1.0, 0.9, 0.8], 15))


def test_each_window_is_reconstructed_from_its_own_frames_and_light(series):
    times, images = wiener_series(*series)
    assert images.shape == (7, *series.layout.scene.field_shape)
    assert images.dtype == np.float32
    which = np.arange(10, 25)
    alone = wiener(
        series.frames.chosen(which), light_of(series.light, which), series.table, series.layout, series.settings
    )
    np.testing.assert_array_equal(images[2], alone)
    # 25 ms from frame to frame: the mean of frames 10 to 24.
    np.testing.assert_allclose(times, 25.0 * (7 + 5 * np.arange(7)))


def test_light_of_some_frames(series):
    phases = np.arange(45.0)
    light = light_of(replace(series.light, phases_rad=phases), np.arange(20, 35))
    np.testing.assert_array_equal(light.phases_rad, phases[20:35])
    np.testing.assert_array_equal(light.intensities, [0.9] * 10 + [0.8] * 5)
    np.testing.assert_array_equal(light.vectors_per_um, series.light.vectors_per_um)


def test_widefield_of_a_series(series):
    frames, light, _, layout, settings = series
    times, images = widefield_series(frames, light, layout, settings)
    np.testing.assert_array_equal(times, wiener_series(*series)[0])
    np.testing.assert_allclose(images[0], widefield(frames.of(0), layout), rtol=1e-5)
    np.testing.assert_allclose(images[6] * 0.8, widefield(frames.of(2), layout), rtol=1e-4)


def test_a_series_of_a_sample_at_rest_shows_the_same_everywhere(at_rest):
    acquired, truth = at_rest("filaments", 0.001, size=64)
    twice = taken(np.tile(acquired.frames.images, (2, 1, 1)), acquired.settings)
    _, images = wiener_series(*twice)
    assert len(images) == 4
    for image in images[1:]:
        assert np.abs(image - images[0]).max() < 1e-3 * truth.max()
