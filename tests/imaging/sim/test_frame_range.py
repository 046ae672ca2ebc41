"""A part of a series of SIM is what a stack of these acquisitions alone would be."""

import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.frame_range import cut_frames
from napari_nstm.imaging.sim import Sim, Sim3d

FRAMES = {False: 15, True: 45}  # of an acquisition: 3 orientations, 5 phases, and in 3D 3 planes


@pytest.fixture(params=[False, True], ids=["2D", "3D"])
def series(request, settings, volume, stack):
    """Three acquisitions with everything given for each of them, and how many images one has."""
    n, rng = FRAMES[request.param], np.random.default_rng(3)
    given = {
        "phases_rad": tuple(rng.uniform(-3, 3, 45)),
        "brightness": tuple(rng.uniform(0.5, 1.5, 9)),
        "timestamps_ms": tuple(10.0 * np.arange(3 * n)),
        "scale_counts": 100.0,
    }
    modality = Sim3d() if request.param else Sim()
    made = volume(n_planes=3, **given) if request.param else settings(**given)
    return modality, stack(3 * n, (40, 40)), made, n


def alone(settings, n, **changes):
    given = {
        "phases_rad": settings.phases_rad[15:30],
        "brightness": settings.brightness[3:6],
        "timestamps_ms": settings.timestamps_ms and settings.timestamps_ms[n : 2 * n],
        **changes,
    }
    return settings.model_copy(update=given)


def assert_same(modality, part, of_part, raw, settings):
    found, expected = modality.prepare(part, of_part, 0), modality.prepare(raw, settings, 0)
    for name in ("frames", "frame_times", "phases", "intensities", "orientation", "shot"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_a_part_is_prepared_as_if_it_were_a_stack_of_its_own(series):
    modality, raw, settings, n = series
    part, of_part = cut_frames(modality, raw, settings, (n, n))
    assert_same(modality, part, of_part, RawData(raw.frames[n : 2 * n]), alone(settings, n))
    assert modality.moments_ms(part, of_part) == modality.moments_ms(raw, settings)[15:30]


def test_phases_of_one_acquisition_hold_for_every_part(series):
    modality, raw, settings, n = series
    settings = settings.model_copy(update={"phases_rad": settings.phases_rad[:15]})
    part, of_part = cut_frames(modality, raw, settings, (n, 2 * n))
    assert of_part.phases_rad == settings.phases_rad
    assert len(part.frames) == 2 * n


@pytest.mark.parametrize(
    "timing",
    [
        {"kind": "even", "interval_ms": 2.0},
        {"kind": "delays", "exposure_ms": 3.0, "time_delay_ms": 50.0, "plane_delay_ms": 1.0},
    ],
)
def test_images_without_times_count_from_the_first_of_the_series(series, timing):
    modality, raw, settings, n = series
    settings = type(settings).model_validate({**settings.model_dump(), "timestamps_ms": None, "timing": timing})
    part, of_part = cut_frames(modality, raw, settings, (n, n))
    np.testing.assert_allclose(modality.moments_ms(part, of_part), modality.moments_ms(raw, settings)[15:30])
    np.testing.assert_allclose(modality.frame_times_ms(part, of_part), modality.frame_times_ms(raw, settings)[15:30])


def test_times_of_frames_of_all_planes_are_cut(series):
    modality, raw, settings, n = series
    settings = settings.model_copy(update={"timestamps_ms": tuple(7.0 * np.arange(45))})
    _, of_part = cut_frames(modality, raw, settings, (n, n))
    assert of_part.timestamps_ms == tuple(7.0 * np.arange(15, 30))


@pytest.mark.parametrize("frames", [(5, 15), (0, 10)])
def test_only_whole_acquisitions_are_cut(series, frames):
    modality, raw, settings, n = series
    with pytest.raises(InputError, match=rf"^frames: got .* takes whole acquisitions of {n} frames"):
        cut_frames(modality, raw, settings, frames)


def test_images_of_an_acquisition_must_follow_each_other(series):
    modality, raw, settings, n = series
    settings = settings.model_copy(update={"image_order": "plane, orientation, phase, time"})
    with pytest.raises(InputError, match=r"^frames: .*order plane, orientation, phase, time; takes .*begins with time"):
        cut_frames(modality, raw, settings, (n, n))
