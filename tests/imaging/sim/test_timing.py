import itertools

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.frames import arrangement
from napari_nstm.imaging.sim.settings import IMAGE_AXES
from napari_nstm.imaging.sim.timing import image_times_ms

COUNTS = {"time": 2, "plane": 3, "orientation": 2, "phase": 5}
N_IMAGES = 60
DELAYS = {"phase": 20.0, "plane": 40.0, "orientation": 300.0, "time": 1000.0}
EXPOSURE = 5.0


def _index(axis):
    shape = [1, 1, 1, 1]
    shape[IMAGE_AXES.index(axis)] = COUNTS[axis]
    return np.arange(COUNTS[axis]).reshape(shape)


def _settings(volume, **changes):
    return volume(n_orientations=2, modulation_2=0.5, n_planes=3, pattern={"kind": "estimate"}, **changes)


def _delays(taken_order="", **changes):
    delays = {f"{axis}_delay_ms": delay for axis, delay in {**DELAYS, **changes}.items()}
    return {"kind": "delays", "exposure_ms": EXPOSURE, "taken_order": taken_order, **delays}


def _times(settings):
    return arrangement(N_IMAGES, settings).times_ms


def test_evenly_taken_images_follow_the_stack(volume):
    settings = _settings(
        volume, image_order="phase, plane, time, orientation", timing={"kind": "even", "interval_ms": 4}
    )
    expected = 4.0 * (_index("orientation") + 2 * _index("time") + 4 * _index("plane") + 12 * _index("phase"))
    np.testing.assert_array_equal(_times(settings), expected)


def test_images_count_as_one_millisecond_apart_where_nothing_is_said(settings):
    assert image_times_ms(np.arange(15).reshape(1, 1, 3, 5), settings()).ravel().tolist() == list(range(15))


def test_a_step_of_phase_takes_its_delay_and_an_exposure(settings):
    made = settings(timing={"kind": "delays", "exposure_ms": 5, "phase_delay_ms": 20, "orientation_delay_ms": 300})
    found = arrangement(15, made).times_ms[0, 0]
    steps = np.arange(5) * 25.0
    # Stripes turn after the last exposure: 300 ms and an exposure from mid to mid.
    np.testing.assert_allclose(found, steps + np.arange(3)[:, None] * (steps[-1] + 5 + 300))


def test_a_step_of_plane_or_orientation_waits_for_the_slowest_of_what_changes(volume):
    """The larger of both delays, an exposure, and the offsets of all that comes before."""
    found = _times(_settings(volume, timing=_delays("time, orientation, plane, phase")))
    of_phase = EXPOSURE + 20
    of_plane = EXPOSURE + 40 + 4 * of_phase
    of_orientation = EXPOSURE + 300 + 2 * of_plane + 4 * of_phase
    of_time = EXPOSURE + 1000 + of_orientation + 2 * of_plane + 4 * of_phase
    expected = of_phase * _index("phase") + of_plane * _index("plane")
    expected = expected + of_orientation * _index("orientation") + of_time * _index("time")
    np.testing.assert_allclose(found, expected)


def test_a_plane_that_moves_faster_than_phases_waits_for_the_phase(volume):
    found = _times(_settings(volume, timing=_delays("time, orientation, plane, phase", plane=1.0)))
    np.testing.assert_allclose(found[0, 1, 0, 0] - found[0, 0, 0, 4], EXPOSURE + 20)
    # With phases slower than planes it is the other way round.
    found = _times(_settings(volume, timing=_delays("time, orientation, phase, plane", plane=1.0)))
    np.testing.assert_allclose(np.diff(found[0, :, 0, 0]), EXPOSURE + 1)
    np.testing.assert_allclose(found[0, 0, 0, 1] - found[0, 2, 0, 0], EXPOSURE + 20)


@pytest.mark.parametrize("taken", [*itertools.permutations(IMAGE_AXES)][::5])
def test_images_are_taken_in_another_order_than_they_are_stored(volume, taken):
    stored = "phase, orientation, plane, time"
    made = _settings(volume, image_order=stored, timing=_delays(", ".join(taken)))
    found = _times(made)
    in_turn = found.transpose([IMAGE_AXES.index(axis) for axis in taken]).ravel()
    assert in_turn[0] == 0
    assert np.all(np.diff(in_turn) >= EXPOSURE + 20)
    np.testing.assert_array_equal(found, _times(_settings(volume, timing=_delays(", ".join(taken)))))


def test_an_order_of_taking_that_leaves_axes_out_has_them_in_front(volume):
    named, full = ("orientation, phase", "time, plane, orientation, phase")
    found, expected = (_times(_settings(volume, timing=_delays(order))) for order in (named, full))
    np.testing.assert_array_equal(found, expected)


def test_empty_is_the_order_of_the_stack(volume):
    order = "orientation, phase, time, plane"
    found, expected = (_times(_settings(volume, image_order=order, timing=_delays(t))) for t in ("", order))
    np.testing.assert_array_equal(found, expected)


def test_given_times_belong_to_the_images_as_the_stack_holds_them(volume):
    given = np.random.default_rng(0).permutation(N_IMAGES) * 3.0
    made = _settings(volume, image_order="phase, plane, time, orientation", timestamps_ms=tuple(given))
    plan = arrangement(N_IMAGES, made)
    np.testing.assert_array_equal(plan.times_ms, given[plan.images])


def test_times_of_frames_hold_for_all_planes(volume):
    given = np.random.default_rng(0).permutation(20) * 3.0
    found = _times(_settings(volume, image_order="plane, phase, orientation, time", timestamps_ms=tuple(given)))
    np.testing.assert_array_equal(found, np.broadcast_to(given.reshape(2, 1, 2, 5), found.shape))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (range(59), "59 times for 60 images; takes one per image, or 20, one per frame of all planes"),
        (range(5), "5 times for 60 images"),
        ((*range(59), 50), "the same time twice"),
        ((*range(19), 0), "the same time twice"),
        # Only in the last plane of the last two frames.
        ((*range(45), *range(100, 114), 113), "the same time twice"),
    ],
)
def test_times_that_do_not_fit_are_named(volume, given, says):
    with pytest.raises(InputError, match=says) as caught:
        _times(_settings(volume, timestamps_ms=tuple(given)))
    assert caught.value.field == "acquisition.timestamps_ms"


def test_of_one_plane_there_is_only_one_way_to_give_times(settings):
    with pytest.raises(InputError, match=r"3 times for 15 images; takes one per image$"):
        arrangement(15, settings(timestamps_ms=(0, 1, 2)))
