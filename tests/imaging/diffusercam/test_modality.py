"""DiffuserCam through the contract that everything else uses."""

import numpy as np
import pytest
import tifffile
from tests.measured import HAND

from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FitRequest, resolve_fit
from napari_nstm.imaging import registry
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.diffusercam import DiffuserCam, DiffuserCamSettings
from napari_nstm.imaging.diffusercam.conventional import fista_tv_movie
from napari_nstm.imaging.diffusercam.prepare import n_batches, prepared
from napari_nstm.imaging.diffusercam.presets import FAST_STEPS
from napari_nstm.imaging.diffusercam.settings import FistaTv


@pytest.fixture(scope="module")
def simulated():
    """A simulated image of three colours, and its settings."""
    made = DiffuserCam().simulate(SimulationRequest("translation", 2.0, 80, 0.01, 0, {"colours": "rgb"}))
    return RawData(made.raw, made.extras), made.settings


def test_it_is_registered_under_its_name():
    assert isinstance(registry.modality("diffusercam"), DiffuserCam)


@pytest.mark.parametrize("shutter", ["dual", "single"])
def test_moments_are_even_from_the_first_exposure_to_the_end_of_the_last(settings, raw, shutter):
    made = settings(shutter=shutter)
    times = DiffuserCam().frame_times_ms(raw(), made)
    assert len(times) == 24
    assert times[0] == 0
    # 20 or 40 starts, 10 us apart, and an exposure of 60 us.
    assert times[-1] == pytest.approx(0.25 if shutter == "dual" else 0.45)
    np.testing.assert_allclose(np.diff(times), times[-1] / 23)
    assert DiffuserCam().moments_ms(raw(), made) == times


def test_binning_does_not_change_the_times(settings, raw):
    large = raw((80, 96))
    plain, binned = (DiffuserCam().frame_times_ms(large, settings(binning=b, exposure_us=120)) for b in (1, 2))
    np.testing.assert_allclose(plain, binned)


def test_with_a_global_shutter_there_is_one_moment(settings, raw):
    assert DiffuserCam().frame_times_ms(raw(), settings(shutter="global")) == (0.03,)
    untimed = settings(shutter="global", row_time_us=None, exposure_us=None)
    assert DiffuserCam().moments_ms(raw(), untimed) == (0.5,)


def test_the_comparison_is_one_static_image_in_counts(simulated):
    raw, settings = simulated
    (found,) = DiffuserCam().comparisons(raw, settings)
    times = DiffuserCam().frame_times_ms(raw, settings)
    assert found.name == "conventional"
    assert found.times_ms == pytest.approx((times[-1] / 2,))
    assert found.images.shape == (1, 3, 32, 40)
    # Light of the scene, in counts of one exposure: as much as falls upon the sensor.
    data = prepared(raw, settings)
    np.testing.assert_allclose(found.images.sum(axis=(0, 2, 3)), data.image.sum(axis=(1, 2)), rtol=0.1)
    assert found.images.min() >= 0


def test_fista_tv_is_made_only_where_it_is_asked_for(simulated):
    raw, settings = simulated
    modality, last = DiffuserCam(), DiffuserCam().frame_times_ms(raw, settings)[-1]
    times = (0.0, last / 2, last)
    assert modality.slow_comparisons(raw, settings, times) == ()
    asked = settings.model_copy(update={"compare_with": FistaTv(n_iterations=3)})
    still = asked.model_copy(update={"shutter": "global"})
    assert modality.slow_comparisons(raw, still, times) == ()
    (slow,) = modality.slow_comparisons(raw, asked, times)
    assert (slow.name, slow.title) == ("fista_tv", "FISTA-TV")
    told = []

    def watch(what, done, total, image=None):
        told.append((what, done, total))
        return True

    made = slow.make(watch)
    assert told == [("FISTA-TV", k, 3) for k in (1, 2, 3)]
    assert (made.name, made.times_ms, made.images.shape) == ("fista_tv", times, (3, 3, 32, 40))
    assert made.images.max() > 100
    how = asked.compare_with
    expected = fista_tv_movie(
        prepared(raw, settings), np.array([-1.0, 0.0, 1.0]), (how.weight_time, how.weight_space), 3
    )
    np.testing.assert_allclose(made.images, expected, atol=1e-3 * expected.max())


def test_fista_tv_that_is_stopped_gives_what_it_has_reached(simulated):
    raw, settings = simulated
    asked = settings.model_copy(update={"compare_with": FistaTv(n_iterations=500)})
    short = settings.model_copy(update={"compare_with": FistaTv(n_iterations=2)})
    modality, times = DiffuserCam(), (0.0, 1.0)
    (slow,), (brief,) = (modality.slow_comparisons(raw, s, times) for s in (asked, short))
    stopped = slow.make(lambda what, done, total, image=None: done < 2)
    np.testing.assert_array_equal(stopped.images, brief.make(lambda *_: True).images)


def test_what_was_done_to_the_counts_is_said(simulated):
    raw, settings = simulated
    said = DiffuserCam().normalization(raw, settings)
    assert said["subtracted"] == said["subtracted_from_psf"] == pytest.approx(100, abs=1)
    assert said["divided_by"] == pytest.approx(np.percentile(raw.frames, 99.9) - said["subtracted"], rel=1e-3)
    assert said["psf_sum"] == 1.0
    problem = DiffuserCam().prepare(raw, settings, 0)
    assert float(problem.scale) == pytest.approx(said["divided_by"])


def test_nothing_is_measured_in_the_image(simulated):
    raw, settings = simulated
    assert DiffuserCam.estimates == ()
    assert DiffuserCam().estimate(raw, settings) == (settings, [])


def test_presets_are_of_this_image(simulated):
    raw, settings = simulated
    steps = n_batches(prepared(raw, settings))
    for preset, rendering in (("fast", "canvas"), ("paper", "exact")):
        fit = resolve_fit(DiffuserCam().defaults(preset, raw, settings), FitRequest())
        assert fit.rendering == rendering
    fast = DiffuserCam().defaults("fast", raw, settings)
    assert fast.scene_network.output == "softplus"
    assert fast.motion_steadiness > 0
    assert fast.epochs * steps == pytest.approx(FAST_STEPS, abs=steps / 2)


def test_the_measured_hand_is_made_out():
    if not HAND.exists():
        pytest.skip(f"a measured DiffuserCam image is not there ({HAND})")
    raw, psf = (tifffile.imread(HAND / f"{name}.tif") for name in ("raw", "psf"))
    settings = DiffuserCamSettings(
        pixel_size_um=6.5, psf="psf.tif", shutter="global", field_fraction=1.0, binning=4, static_weight=1e-3
    )
    (found,) = DiffuserCam().comparisons(RawData(raw[None], {"psf": psf}), settings)
    image = found.images[0, 0]
    assert image.shape == (76, 100)
    # Read from the picture: a thumb up, a palm, fingers to the right; between thumb and fingers, and around, nothing.
    on, off = (
        np.array([image[y - 1 : y + 2, x - 1 : x + 2].mean() for y, x in places])
        for places in (((25, 56), (38, 51), (42, 56), (32, 74), (41, 78)), ((22, 74), (20, 40), (60, 50), (10, 90)))
    )
    assert on.min() > 5 * max(off.max(), 0.01 * image.max())
