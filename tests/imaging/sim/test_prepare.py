import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.sim import Sim, Sim3d
from napari_nstm.imaging.sim.frames import sim_frames
from napari_nstm.imaging.sim.layout import sim_layout
from napari_nstm.imaging.sim.prepare import (
    depths,
    illumination,
    images_per_step,
    intensities,
    phases,
    prepared,
    smoothness,
)

LATER = tuple(range(100, 130))


def test_phases_of_one_acquisition_hold_for_all_of_a_series(settings, stack):
    made = settings(image_order="time, phase, orientation", phases_rad=tuple(range(15)))
    frames = sim_frames(stack(30), made)
    found = phases(frames, made)
    np.testing.assert_array_equal(found, 5 * frames.orientation + frames.phase)
    # The stack holds phases slowest: in the order of time, orientations follow each other.
    np.testing.assert_array_equal(found[:6], (0, 5, 10, 1, 6, 11))


def test_phases_of_every_frame_are_given_acquisition_by_acquisition(settings, stack):
    backwards = tuple(range(30, 0, -1))
    made = settings(phases_rad=LATER, timestamps_ms=backwards)
    frames = sim_frames(stack(30), made)
    np.testing.assert_array_equal(phases(frames, made), LATER[::-1])


@pytest.mark.parametrize(
    ("n_images", "given", "says"),
    [
        (15, None, "got nothing; takes 15: one for each orientation and phase$"),
        (15, LATER, "got 30 phases; takes 15: one for each orientation and phase$"),
        (30, (0.0,), "got 1 phases; takes 15: one for each orientation and phase, or 30: one for each frame"),
    ],
)
def test_phases_that_do_not_fit_are_named(settings, stack, n_images, given, says):
    made = settings(phases_rad=given)
    with pytest.raises(InputError, match=says) as caught:
        phases(sim_frames(stack(n_images), made), made)
    assert caught.value.field == "acquisition.phases_rad"


def test_depths_are_one_for_all_or_one_per_orientation(settings):
    np.testing.assert_array_equal(depths(settings()), [[1, 0.8, 0.5], [1, 0.8, 0.4], [1, 0.8, 0.6]])
    two_beams = {"n_beams": 2, "modulation_1": (0.3, 0.2, 0.1), "modulation_2": None}
    np.testing.assert_array_equal(depths(settings(**two_beams)), [[1, 0.3], [1, 0.2], [1, 0.1]])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pattern": {"kind": "estimate"}}, "acquisition.pattern"),
        ({"phases_rad": None}, "acquisition.phases_rad"),
        ({"modulation_1": None}, "acquisition.modulation_1"),
        ({"modulation_2": None}, "acquisition.modulation_2"),
    ],
)
def test_what_is_still_to_be_found_is_asked_for(settings, stack, changes, field):
    made = settings(**changes)
    with pytest.raises(InputError) as caught:
        illumination(sim_frames(stack(), made), made)
    assert caught.value.field == field


def test_brightness_is_the_mean_of_an_orientation_relative_to_the_first_of_all(settings):
    means = np.asarray((100, 50, 200, 90, 100, 110.0))
    # Phases may differ: only their mean counts.
    counts = np.repeat(means, 5) * np.tile((0.8, 0.9, 1.0, 1.1, 1.2), 6) + 10
    raw = RawData(np.broadcast_to(counts[:, None, None], (30, 33, 40)).astype(np.float32))
    made = settings(offset=10)
    frames = sim_frames(raw, made)
    np.testing.assert_allclose(intensities(frames, made), np.repeat(means / 100, 5), rtol=1e-6)
    np.testing.assert_array_equal(intensities(frames, settings(offset=10, intensities="equal")), np.ones(30))


def test_brightness_follows_the_frames_into_the_order_of_time(settings, stack):
    backwards = settings(timestamps_ms=tuple(range(15, 0, -1)))
    raw = stack()
    forth, back = (intensities(sim_frames(raw, made), made) for made in (settings(), backwards))
    # Both are relative to orientation 1.
    np.testing.assert_allclose(back, forth[::-1], rtol=1e-6)


@pytest.mark.parametrize("which", [slice(0, 5), slice(5, 10), slice(None)])
def test_an_offset_above_an_orientation_is_named(settings, stack, which):
    raw = stack()
    raw.frames[which] -= 60
    made = settings(offset=60)
    with pytest.raises(InputError, match="60 counts, more than a frame's mean") as caught:
        intensities(sim_frames(raw, made), made)
    assert caught.value.field == "acquisition.offset"


def test_one_stands_for_the_brightest_part_of_the_mean_whatever_single_pixels_do(settings, stack):
    raw = RawData(stack().frames / 100)
    raw.frames[:, 10:20, 10:20] += 30
    raw.frames[0, 0, 0] = 6e4
    data = prepared(raw, settings(offset=0.5))
    mean = raw.frames.mean(axis=0)
    assert data.scale == pytest.approx(mean[10:20, 10:20].mean() - 0.5, rel=0.05)
    record = Sim().normalization(raw, settings(offset=0.5))
    assert record["divided_by"] == data.scale
    assert record["subtracted"] == 0.5
    np.testing.assert_allclose(record["brightness"], data.light.intensities)


def test_an_offset_above_all_frames_is_named(settings, stack):
    with pytest.raises(InputError, match=r"^acquisition\.offset: got 200 counts, above the frames"):
        prepared(stack(), settings(offset=200, intensities="equal"))


def test_a_volume_has_an_otf_at_the_depths_of_its_padded_field(volume, stack):
    data = prepared(stack(45), volume(padding_planes=3))
    n = data.layout.raw.padded_extent[0]
    assert n >= 3 + 2 * 3
    assert len(data.table.depths_um) == n
    np.testing.assert_allclose(data.table.depths_um[:3], (0, 0.15, 0.3))
    assert data.frames.images.shape == (15, 3, 33, 40)


def test_a_volume_of_one_plane_without_padding_is_a_plane(settings, volume, stack):
    raw = stack()
    flat, deep = Sim().prepare(raw, settings(), 0), Sim3d().prepare(raw, volume(padding_planes=0), 0)
    assert deep.transfer.shape == (1, 1, 1, *flat.transfer.shape[2:])
    np.testing.assert_allclose(deep.transfer[:, :, 0], flat.transfer, atol=1e-6)
    np.testing.assert_array_equal(deep.frames[:, 0], flat.frames)


def test_transfer_is_that_of_the_table_and_nothing_at_the_nyquist_samples(settings, stack):
    problem = Sim().prepare(stack(), settings(), 0)
    transfer = np.asarray(problem.transfer)[0, 0]
    rows, columns = problem.layout.frame_shape
    ky, kx = np.fft.fftfreq(rows, 0.065), np.fft.rfftfreq(columns, 0.065)
    s = np.minimum(np.hypot(ky[:, None], kx) / (2 * 1.28 / 0.515), 1)
    expected = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s**2))
    expected[rows // 2], expected[:, -1] = 0, 0
    np.testing.assert_allclose(transfer, expected, atol=1e-4)
    # Also where it reaches further than the frames' pixels do.
    coarse = np.asarray(Sim().prepare(stack(), settings(pixel_size_um=0.12), 0).transfer)[0, 0]
    assert coarse[rows // 2].max() == coarse[:, -1].max() == 0
    assert coarse[rows // 2 - 1, 0] > 0


def test_smoothness_is_given_or_grows_with_the_noise_over_the_signal_squared(settings, stack):
    made = settings(smoothness=0.7)
    assert smoothness(prepared(stack(), made), made) == 0.7
    found = []
    for noise in (0.005, 0.01):
        simulation = Sim().simulate(SimulationRequest("none", 0, 64, noise, 0, {}))
        assert simulation.settings.smoothness is None
        found.append(smoothness(prepared(RawData(simulation.raw), simulation.settings), simulation.settings))
    assert found[1] / found[0] == pytest.approx(4, rel=0.15)


def test_small_fields_are_seen_whole_in_a_step_and_large_ones_in_equal_parts(settings, volume):
    small = sim_layout((64, 64), settings())
    assert images_per_step(small, 15) == 15
    assert images_per_step(small, 7) == 7
    sizes = [images_per_step(sim_layout((n, n), settings()), 15) for n in (256, 512, 1024, 2048)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 15
    assert all(15 % n == 0 for n in sizes)
    assert images_per_step(sim_layout((20, 512, 512), volume()), 15) == 1
    assert images_per_step(sim_layout((20, 512, 512), volume()), 13) == 1


@pytest.mark.parametrize("level", [-1, 2])
def test_a_level_that_does_not_exist_is_refused(settings, stack, level):
    with pytest.raises(InputError, match="levels from 0 to 1"):
        Sim().prepare(stack(), settings(), level)
