import functools

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from tests.imaging.sim.rendering import predict

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.sim import Sim, Sim3d
from napari_nstm.imaging.sim.choices import DelayTiming, VectorPattern
from napari_nstm.imaging.sim.frames import sim_frames
from napari_nstm.imaging.sim.prepare import prepared, problem_at
from napari_nstm.imaging.sim.simulate import OFFSET_COUNTS, PEAK_COUNTS, simulate, simulated_settings


def _request(motion="none", noise=0.0, seed=0, displacement_px=4.0, size=64, **options):
    return SimulationRequest(motion, displacement_px, size, noise, seed, options)


@functools.cache
def _flat(*args, **kwargs):
    return simulate(_request(*args, **kwargs), simulated_settings())


def _one_orientation(n_planes=None, **changes):
    """A third of the work."""
    one = {
        "n_orientations": 1,
        "phases_rad": (0.4, 1.7, 2.9, 4.2, 5.4),
        "pattern": VectorPattern(ky_per_um=(2.2,), kx_per_um=(0.9,)),
    }
    return simulated_settings(n_planes, **{**one, **changes})


def _rendered_truth(made):
    """Frames that the forward model makes of the truth, the measured ones, and which pixels count; in counts."""
    settings = made.settings
    frames = made.raw.reshape(-1, *made.raw.shape[-2:])
    data = prepared(RawData(frames), settings)
    problem = problem_at(data, settings, 0)
    scene = np.zeros((len(made.truth), 1, *problem.grid.padded_shape), np.float32)
    scene[(..., *problem.grid.field_slices)] = made.truth / data.scale
    measured = np.asarray(problem.frames)
    counts = np.broadcast_to(np.asarray(problem.weight) == 1, measured.shape)
    return data.scale * predict(problem, scene), data.scale * measured, counts


def _rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("target", ["usaf", "filaments"])
def test_the_forward_model_makes_the_frames_of_the_truth(target):
    """Phase, sign, origin and the order of time are one in the simulator and in what is fitted."""
    rendered, measured, counts = _rendered_truth(_flat("swirl", noise=0.005, target=target))
    difference = (rendered - measured)[counts]
    # Noise of 50 counts; the result's grid, on which the truth is a mean over samples, makes some 30 more.
    assert _rms(difference) < 62
    # Taken for the next frame they are far off.
    assert _rms((np.roll(rendered, 1, axis=0) - measured)[counts]) > 800


def test_the_forward_model_makes_the_frames_of_a_series_stored_and_taken_in_another_order():
    settings = simulated_settings(
        image_order="phase, time, orientation",
        timing=DelayTiming(exposure_ms=5, phase_delay_ms=20, time_delay_ms=200, taken_order="time, phase, orientation"),
    )
    made = simulate(_request("swirl", noise=0.005, acquisitions="2"), settings)
    rendered, measured, counts = _rendered_truth(made)
    assert _rms((rendered - measured)[counts]) < 62


def test_the_forward_model_makes_the_frames_of_a_volume():
    made = simulate(_request("bend", noise=0.005), _one_orientation(4))
    rendered, measured, counts = _rendered_truth(made)
    assert made.raw.shape == (20, 64, 64)
    assert rendered.shape == (5, *np.asarray(measured).shape[1:])
    assert _rms((rendered - measured)[counts]) < 53
    assert measured[counts].std() > 1000


def test_shapes_and_types():
    made = _flat("shear")
    assert made.raw.shape == (15, 64, 64)
    assert made.raw.dtype == np.uint16
    assert made.truth.shape == (15, 1, 96, 96)
    assert made.motion_px.shape == (15, 2, 96, 96)
    assert made.truth.dtype == made.motion_px.dtype == np.float32
    assert made.truth_pixel_size_um == pytest.approx((0.065 / 1.5,) * 2)
    assert Sim().check(RawData(made.raw), made.settings.model_copy(update={"timestamps_ms": tuple(range(15))})) == []


def test_counts_have_an_offset_and_a_known_maximum():
    made = _flat()
    assert made.raw.max() == PEAK_COUNTS + OFFSET_COUNTS
    assert OFFSET_COUNTS <= made.raw.min() < OFFSET_COUNTS + 0.005 * PEAK_COUNTS
    assert made.settings.offset == OFFSET_COUNTS
    assert np.median(made.raw) < 0.2 * PEAK_COUNTS
    # Truth is what an even light of the stripes' mean would give: light is neither made nor lost.
    mean = (made.raw - OFFSET_COUNTS).mean()
    assert mean == pytest.approx(made.truth.mean(), rel=0.03)


def test_noise_is_a_fraction_of_the_brightest_pixel():
    clean, noisy = _flat(), _flat(noise=0.01)
    np.testing.assert_array_equal(clean.truth, noisy.truth)
    bright = clean.raw > OFFSET_COUNTS + 400
    difference = (noisy.raw.astype(float) - clean.raw)[bright]
    assert difference.std() == pytest.approx(100, rel=0.02)
    assert abs(difference.mean()) < 3


def test_truth_moves_as_the_true_motion_says():
    made = _flat("swirl", target="tubule")
    assert np.abs(made.motion_px[0]).max() < 1e-4
    # In pixels of the truth, 1.5 for each raw one.
    assert np.percentile(np.linalg.norm(made.motion_px, axis=1), 99) == pytest.approx(4 * 1.5, rel=0.05)
    at = np.mgrid[:96, :96].astype(float)
    inside = (slice(10, -10),) * 2
    for k in (5, 14):
        followed = map_coordinates(made.truth[k, 0], at + made.motion_px[k], order=1)
        still = _rms((made.truth[k, 0] - made.truth[0, 0])[inside])
        assert _rms((followed - made.truth[0, 0])[inside]) < 0.25 * still


def test_a_series_goes_on_in_time():
    made = simulate(_request("translation", acquisitions="3"), _one_orientation())
    assert made.raw.shape[0] == made.truth.shape[0] == 15
    steps = np.linalg.norm(np.diff(made.motion_px[:, :, 0, 0], axis=0), axis=1)
    np.testing.assert_allclose(steps, np.full(14, steps[0]), rtol=1e-3)
    assert np.linalg.norm(made.motion_px[-1, :, 0, 0]) == pytest.approx(6, rel=0.02)
    frames = sim_frames(RawData(made.raw), made.settings)
    np.testing.assert_array_equal(frames.acquisition, np.repeat((0, 1, 2), 5))
    np.testing.assert_array_equal(frames.phase, np.tile(np.arange(5), 3))


def test_images_are_stored_in_the_order_that_the_settings_say():
    usual, other = (
        simulate(_request(), _one_orientation(image_order=order))
        for order in ("orientation, phase", "phase, orientation")
    )
    three = simulate(_request(), simulated_settings(image_order="phase, orientation"))
    np.testing.assert_array_equal(usual.raw, other.raw)
    plain = _flat()
    np.testing.assert_array_equal(three.raw, plain.raw.reshape(3, 5, 64, 64).swapaxes(0, 1).reshape(15, 64, 64))


def test_the_seed_decides_everything_random():
    settings = _one_orientation()
    one, again, other = (
        simulate(_request("translation", noise=0.01, seed=seed, target="filaments"), settings) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one.raw, again.raw)
    np.testing.assert_array_equal(one.truth, again.truth)
    assert not np.array_equal(one.truth[0], other.truth[0])
    assert not np.array_equal(one.motion_px[-1], other.motion_px[-1])
    noise = []
    for seed in (1, 2):
        noisy, clean = (simulate(_request(noise=n, seed=seed), settings).raw.astype(float) for n in (0.01, 0))
        noise.append((noisy - clean).ravel())
    assert abs(np.corrcoef(*noise)[0, 1]) < 0.05


def test_a_volume_taken_plane_by_plane_differs_only_where_things_move():
    """Under a bend the left half rests."""
    at_once, in_turn = (
        simulate(_request("bend", displacement_px=8.0), _one_orientation(2, times_of=of)) for of in ("volume", "plane")
    )
    np.testing.assert_array_equal(at_once.motion_px, in_turn.motion_px)
    a, b = ((made.raw - OFFSET_COUNTS) / made.raw.astype(float).max() for made in (at_once, in_turn))
    difference = np.abs(a - b).max(axis=(0, 1))
    assert difference[:24].max() < 0.02
    assert difference[40:].max() > 0.1


@pytest.mark.parametrize(("seed", "stripes"), [(0, "found"), (0, "given")])
def test_settings_tell_of_the_stripes_or_leave_them_to_be_found(seed, stripes):
    settings = Sim().simulate(_request(seed=seed, stripes=stripes)).settings
    given = stripes == "given"
    assert (settings.pattern.kind == "vectors") == given
    assert (settings.phases_rad is not None) == given
    assert (settings.modulation_1, settings.modulation_2) == ((0.8, 0.5) if given else (None, None))
    assert settings.timing.interval_ms == 25
    assert settings.offset == OFFSET_COUNTS


def test_volumes_have_the_planes_that_are_asked_for():
    settings = simulated_settings(12, times_of="plane")
    assert (settings.n_planes, settings.times_of, settings.plane_spacing_um) == (12, "plane", 0.15)
    assert settings.timing.kind == "delays"
    assert simulated_settings().n_planes_of_stack == 1


@pytest.mark.parametrize(
    ("modality", "changes", "field", "says"),
    [
        (Sim, {"size": 63}, "size", "64 pixels or more"),
        (Sim, {"target": "star"}, "target", "usaf or beads or filaments or tubule"),
        (Sim3d, {"target": "usaf"}, "target", "beads or filaments or tubule"),
    ],
)
def test_a_wrong_request_is_named(modality, changes, field, says):
    with pytest.raises(InputError, match=says) as caught:
        modality().simulate(_request(**changes))
    assert caught.value.field == field


@pytest.mark.parametrize("modality", [Sim, Sim3d])
def test_every_option_is_one_that_the_simulator_knows(modality):
    from napari_nstm.imaging.sim.simulate import TARGETS

    options = modality.simulation_options
    assert set(options["target"]) == set(TARGETS) - ({"usaf"} if modality is Sim3d else set())
    assert all(int(n) > 0 for n in options["acquisitions"])
