import functools

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from tests.imaging.diffusercam.rendering import predict

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.diffusercam import DiffuserCam
from napari_nstm.imaging.diffusercam.prepare import prepared, problem_at
from napari_nstm.imaging.diffusercam.simulate import OFFSET_COUNTS, PEAK_COUNTS, simulate
from napari_nstm.phantoms.caustic import caustic_psf

SIZE = 96


def _request(motion="translation", noise=0.0, seed=0, displacement_px=2.0, size=SIZE, extras=None, **options):
    return SimulationRequest(motion, displacement_px, size, noise, seed, options, extras or {})


@functools.cache
def _made(*args, **options):
    return simulate(_request(*args, **options))


def _raw(made):
    return RawData(made.raw, made.extras)


def _rendered_truth(made):
    """Image that the forward model makes of the truth, and the measured one less its background, in counts."""
    settings = made.settings.model_copy(update={"time_step_rows": 1.0})
    data = prepared(_raw(made), settings)
    problem = problem_at(data, settings, 0)
    # Truth is given at 24 moments: between two it moves by a tenth of a pixel.
    place = np.clip((np.asarray(problem.moments) + 1) / 2 * (len(made.truth) - 1), 0, len(made.truth) - 1)
    before = np.minimum(place.astype(int), len(made.truth) - 2)
    part = (place - before)[:, None, None, None]
    movie = (1 - part) * made.truth[before] + part * made.truth[before + 1]
    return predict(problem, movie), data.image


def _rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize(
    "options",
    [
        {"target": "hand", "shutter": "dual"},
        {"target": "ball", "shutter": "dual_outward"},
        {"target": "text", "shutter": "single"},
        {"target": "hand", "shutter": "single_reversed"},
        {"target": "ball", "shutter": "dual", "colours": "rgb"},
    ],
)
def test_the_forward_model_makes_the_image_of_the_truth(options):
    """Origin, scale and the order of rows are one in the simulator and in what is fitted."""
    made = _made(noise=0.005, **options)
    rendered, measured = _rendered_truth(made)
    assert measured.shape == ((3 if "colours" in options else 1), 72, SIZE)
    # Noise of 50 counts. Where raw counts would be under 0 it is cut off, but only 2 standard deviations below.
    assert _rms(rendered - measured) == pytest.approx(50, rel=0.05)
    assert measured.std() > 500
    # Counts upside down, or of a PSF that is off by a pixel, are far away.
    assert _rms(rendered[:, ::-1] - measured) > 250
    assert _rms(np.roll(rendered, 1, axis=2) - measured) > 55


@pytest.mark.parametrize(("shutter", "other"), [("dual", "dual_outward"), ("single", "single_reversed")])
def test_rows_taken_in_another_order_make_another_image(shutter, other):
    made = _made(displacement_px=8.0, target="text", shutter=shutter)
    assert _rms(np.subtract(*_rendered_truth(made))) < 60
    turned = made.settings.model_copy(update={"shutter": other})
    wrong = type(made)(made.raw, made.truth, made.motion_px, turned, extras=made.extras)
    assert _rms(np.subtract(*_rendered_truth(wrong))) > 120


def test_shapes_and_types():
    made = _made(target="ball", colours="rgb")
    assert made.raw.shape == (3, 72, SIZE)
    assert made.raw.dtype == made.extras["psf"].dtype == np.uint16
    assert made.truth.shape == (24, 3, 36, 48)
    assert made.motion_px.shape == (24, 2, 36, 48)
    assert made.truth.dtype == made.motion_px.dtype == np.float32
    assert made.truth_pixel_size_um == (26.0, 26.0)
    assert made.extras["psf"].shape == (72, SIZE)
    modality = DiffuserCam()
    assert len(modality.moments_ms(_raw(made), made.settings)) == 24
    assert modality.array_paths(made.settings) == {"psf": "psf.tif"}
    assert any("grey" in warning for warning in modality.check(_raw(made), made.settings))


def test_counts_have_an_offset_and_a_known_maximum():
    made = _made(target="text")
    assert made.raw.max() == PEAK_COUNTS + OFFSET_COUNTS
    assert made.raw.min() >= OFFSET_COUNTS
    assert made.extras["psf"].max() == 50_000 + OFFSET_COUNTS
    assert made.truth.min() >= 0


def test_noise_is_a_fraction_of_the_brightest_pixel():
    clean, noisy = _made(target="hand"), _made(noise=0.01, target="hand")
    np.testing.assert_array_equal(clean.truth, noisy.truth)
    bright = clean.raw > OFFSET_COUNTS + 400
    difference = (noisy.raw.astype(float) - clean.raw)[bright]
    assert difference.std() == pytest.approx(100, rel=0.04)
    assert abs(difference.mean()) < 8


@pytest.mark.parametrize("colours", ["grey", "rgb"])
@pytest.mark.parametrize("motion", ["rotation", "translation", "bounce", "wave"])
def test_truth_moves_as_the_true_motion_says(motion, colours):
    made = _made(motion, displacement_px=5.0, target="text", colours=colours)
    assert np.abs(made.motion_px[0]).max() < 1e-4
    largest = np.percentile(np.linalg.norm(made.motion_px, axis=1), 99)
    assert largest == pytest.approx(5, rel=0.05)
    at = np.mgrid[:36, :48].astype(float)
    inside = (slice(6, -6),) * 2
    k = int(np.argmax(np.linalg.norm(made.motion_px, axis=1).mean(axis=(1, 2))))
    for colour in range(made.truth.shape[1]):
        followed = map_coordinates(made.truth[k, colour], at + made.motion_px[k], order=1)
        still = _rms((made.truth[k, colour] - made.truth[0, colour])[inside])
        assert _rms((followed - made.truth[0, colour])[inside]) < 0.4 * still


def test_colours_are_those_of_one_scene_that_moves():
    grey, rgb = _made(target="ball"), _made(target="ball", colours="rgb")
    np.testing.assert_array_equal(grey.motion_px, rgb.motion_px)
    share = rgb.truth.sum(axis=(0, 2, 3)) / rgb.truth.sum()
    assert share[1] > share[0] > share[2]  # a tennis ball is yellow green


def test_the_seed_decides_everything_random():
    one, again, other = (simulate(_request(noise=0.01, seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.raw, again.raw)
    np.testing.assert_array_equal(one.truth, again.truth)
    np.testing.assert_array_equal(one.extras["psf"], again.extras["psf"])
    for a, b in ((one.raw, other.raw), (one.truth, other.truth), (one.extras["psf"], other.extras["psf"])):
        assert not np.array_equal(a, b)
    assert not np.array_equal(one.motion_px[-1], other.motion_px[-1])


@pytest.mark.parametrize("factor", [1, 3])
def test_a_measured_psf_takes_the_place_of_the_drawn_one(factor):
    counts = np.kron(caustic_psf((72, SIZE), seed=9), np.ones((factor, factor))) * 1e6 + 77
    made = simulate(_request(noise=0.005, extras={"psf": np.rint(counts).astype(np.uint16)}))
    expected = caustic_psf((72, SIZE), seed=9)
    stored = made.extras["psf"].astype(float) - OFFSET_COUNTS
    np.testing.assert_allclose(stored / stored.max(), expected / expected.max(), atol=1e-3)
    assert _rms(np.subtract(*_rendered_truth(made))) == pytest.approx(50, rel=0.05)


def test_a_measured_psf_of_three_colours_is_taken_as_grey():
    colours = np.stack([caustic_psf((72, SIZE), seed=9)] * 3) * np.array([3e6, 2e6, 1e6])[:, None, None]
    made = simulate(_request(extras={"psf": colours}))
    alone = simulate(_request(extras={"psf": 2e6 * caustic_psf((72, SIZE), seed=9)}))
    np.testing.assert_allclose(made.raw.astype(float), alone.raw, atol=1)


@pytest.mark.parametrize("shape", [(72, 97), (96, 72), (70, 90), (36, 48), (150, 192)])
def test_a_psf_of_another_size_is_refused(shape):
    psf = np.random.default_rng(0).random(shape)
    with pytest.raises(InputError, match="takes 72 x 96 pixels for this size, or a whole multiple") as caught:
        simulate(_request(extras={"psf": psf}))
    assert caught.value.field == "psf"


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"size": 79}, "size", "got 79; takes 80 pixels or more"),
        ({"target": "face"}, "target", "'face'; takes hand or ball or text"),
        ({"shutter": "global"}, "shutter", "takes dual or dual_outward or single or single_reversed"),
        ({"colours": "four"}, "colours", "takes grey or rgb"),
    ],
)
def test_a_wrong_request_is_named(changes, field, says):
    with pytest.raises(InputError, match=says) as caught:
        simulate(_request(**changes))
    assert caught.value.field == field


def test_the_smallest_field_is_one_that_can_be_simulated():
    made = simulate(_request(size=80))
    assert made.raw.shape == (1, 60, 80)
    assert made.truth.shape == (24, 1, 32, 40)
    assert DiffuserCam().simulation_options["psf"] == ()
