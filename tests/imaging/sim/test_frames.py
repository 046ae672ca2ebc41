import itertools

import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim import Sim3d
from napari_nstm.imaging.sim.frames import arrangement, planes_in_time, shot_times_ms, sim_frames
from napari_nstm.imaging.sim.settings import IMAGE_AXES

COUNTS = {"time": 2, "plane": 3, "orientation": 4, "phase": 5}


def _stored(order, counts=COUNTS):
    """Images of 1 x 2 pixels that say where they belong, and their (time, plane, orientation, phase)."""
    belongs = []
    for index in np.ndindex(*(counts[axis] for axis in order)):
        place = dict(zip(order, index, strict=True))
        belongs.append([place[axis] for axis in IMAGE_AXES])
    belongs = np.asarray(belongs)
    code = belongs @ (1000, 100, 10, 1)
    return RawData(np.stack([code, code + 0.5], axis=-1)[:, None].astype(np.float32)), belongs


def _volume(volume, **changes):
    given = {"n_orientations": 4, "n_planes": 3, "modulation_2": 0.5, "pattern": {"kind": "estimate"}}
    return volume(**{**given, **changes})


@pytest.mark.parametrize("order", list(itertools.permutations(IMAGE_AXES)), ids="-".join)
def test_every_image_lands_at_its_time_plane_orientation_and_phase(volume, order):
    raw, belongs = _stored(order)
    settings = _volume(volume, image_order=", ".join(order))
    plan = arrangement(len(raw.frames), settings)
    assert plan.images.shape == (2, 3, 4, 5)
    assert (plan.n_acquisitions, plan.n_planes) == (2, 3)
    np.testing.assert_array_equal(belongs[plan.images], np.moveaxis(np.indices((2, 3, 4, 5)), 0, -1))

    frames = sim_frames(raw, settings)
    code = 1000 * frames.acquisition + 10 * frames.orientation + frames.phase
    np.testing.assert_array_equal(frames.images[:, :, 0, 0], code[:, None] + 100 * np.arange(3))
    np.testing.assert_array_equal(frames.images[..., 1], frames.images[..., 0] + 0.5)
    assert len(np.unique(code)) == 40
    assert np.all(np.diff(frames.times_ms) >= 0)


def test_frames_come_in_the_order_of_time_with_the_times_of_their_planes(volume):
    raw, belongs = _stored(("orientation", "plane", "time", "phase"))
    given = np.random.default_rng(1).permutation(len(belongs)) * 2.0
    settings = _volume(volume, image_order="orientation, plane, time, phase", timestamps_ms=tuple(given))
    frames = sim_frames(raw, settings)
    assert np.all(np.diff(frames.times_ms) >= 0)
    np.testing.assert_allclose(frames.times_ms, frames.plane_times_ms.mean(axis=1))
    for k in range(40):
        for plane in range(3):
            place = (frames.acquisition[k], plane, frames.orientation[k], frames.phase[k])
            (image,) = np.flatnonzero((belongs == place).all(axis=1))
            assert frames.plane_times_ms[k, plane] == given[image]
            assert frames.images[k, plane, 0, 0] == raw.frames[image, 0, 0]


def test_frames_of_one_plane_that_were_stored_backwards(settings):
    raw, _ = _stored(IMAGE_AXES, {"time": 1, "plane": 1, "orientation": 3, "phase": 5})
    frames = sim_frames(raw, settings(timestamps_ms=tuple(range(15, 0, -1))))
    assert frames.images.shape == (15, 1, 2)
    np.testing.assert_array_equal(frames.times_ms, np.arange(1, 16))
    np.testing.assert_array_equal(frames.orientation, np.repeat((2, 1, 0), 5))
    np.testing.assert_array_equal(frames.phase, np.tile((4, 3, 2, 1, 0), 3))


def test_one_of_a_series_can_be_taken_out(volume):
    frames = sim_frames(_stored(IMAGE_AXES)[0], _volume(volume))
    second = frames.of(1)
    assert second.images.shape == (20, 3, 1, 2)
    assert set(second.acquisition) == {1}
    np.testing.assert_array_equal(second.images, frames.images[20:])
    np.testing.assert_array_equal(second.plane_times_ms, frames.plane_times_ms[20:])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float64])
def test_the_offset_is_subtracted_below_zero_too(settings, dtype):
    counts = np.arange(90, 120).reshape(15, 1, 2).astype(dtype)
    frames = sim_frames(RawData(counts), settings(offset=100.5))
    assert frames.images.dtype == np.float32
    np.testing.assert_array_equal(frames.images.ravel(), np.arange(90, 120) - 100.5)


def test_a_stack_of_as_many_planes_as_it_holds_is_one_time_point(volume):
    plan = arrangement(60, volume())
    assert plan.images.shape == (1, 4, 3, 5)
    assert arrangement(60, volume(n_planes=2)).images.shape == (2, 2, 3, 5)


@pytest.mark.parametrize(
    ("n_images", "n_planes", "got", "takes"),
    [
        (14, 1, "14 images", r"a multiple of 15 images \(3 orientations x 5 phases\)"),
        (1, 1, "1 image;", "a multiple of 15"),
        (0, 1, "0 images", "a multiple of 15"),
        (75, 2, "75 images", r"a multiple of 30 images \(3 orientations x 5 phases x 2 planes\)"),
        (32, None, "32 images", r"a multiple of 30 images \(3 orientations x 5 phases x 2 planes\)"),
    ],
)
def test_images_that_are_no_whole_acquisition_are_named(volume, n_images, n_planes, got, takes):
    with pytest.raises(InputError, match=f"raw: got {got}.*takes {takes}") as caught:
        arrangement(n_images, volume(n_planes=n_planes))
    assert "\n" not in str(caught.value)


def test_frame_times_and_moments_are_those_of_the_frames_in_order(volume):
    raw, _ = _stored(IMAGE_AXES)
    timing = {"kind": "delays", "exposure_ms": 5, "taken_order": "time, phase, orientation, plane"}
    made, by_planes = (_volume(volume, timing=timing, times_of=of) for of in ("volume", "plane"))
    frames = sim_frames(raw, made)
    assert Sim3d().frame_times_ms(raw, made) == tuple(frames.times_ms)
    assert Sim3d().moments_ms(raw, made) == Sim3d().moments_ms(raw, by_planes) == tuple(frames.times_ms)
    plan = arrangement(len(raw.frames), made)
    place = frames.acquisition * 20 + frames.orientation * 5 + frames.phase
    np.testing.assert_array_equal(shot_times_ms(plan)[place], frames.times_ms)
    # Told apart, every plane is a frame with a time of its own.
    assert Sim3d().frame_times_ms(raw, by_planes) == tuple(np.sort(frames.plane_times_ms.ravel()))


def test_planes_come_in_the_order_of_time(volume):
    given = np.random.default_rng(2).permutation(120) * 2.0
    made = _volume(volume, timestamps_ms=tuple(given))
    frames = sim_frames(_stored(IMAGE_AXES)[0], made)
    order, frame, plane = planes_in_time(frames)
    assert np.all(np.diff(frames.plane_times_ms.ravel()[order]) > 0)
    np.testing.assert_array_equal(frames.plane_times_ms[frame, plane], frames.plane_times_ms.ravel()[order])
