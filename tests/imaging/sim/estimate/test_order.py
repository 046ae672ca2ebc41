import itertools

import numpy as np
import pytest
from tests.imaging.sim.estimate.moving import moving

from napari_nstm.core.data import RawData
from napari_nstm.imaging.sim.estimate import carrier_power, check_order, estimate_stripes
from napari_nstm.imaging.sim.frames import sim_frames

AXES = ("time", "orientation", "phase")
ORDERS = list(itertools.permutations(AXES))


@pytest.fixture(scope="module")
def series():
    """(time, orientation, phase, y, x) and the sample."""
    sample = moving("swirl", "beads", size=96, acquisitions=2)
    return sample.images.reshape(2, 3, 5, 96, 96), sample


def _declared(images, stored, declared, sample):
    """Frames of a stack that is stored in one order and declared in another, and settings."""
    stack = images.transpose(*(AXES.index(axis) for axis in stored), 3, 4).reshape(-1, *images.shape[3:])
    settings = sample.settings.model_copy(update={"image_order": ", ".join(declared)})
    return sim_frames(RawData(stack), settings), settings


@pytest.mark.parametrize("stored", ORDERS, ids="-".join)
def test_a_wrong_order_is_caught_and_the_right_one_named(series, stored):
    images, sample = series
    for declared in ORDERS:
        frames, settings = _declared(images, stored, declared, sample)
        vectors = estimate_stripes(frames, settings, sample.table, given_depths=np.ones((3, 3))).vectors_per_um
        said = check_order(frames, vectors, settings)
        if declared == stored:
            assert said is None
        else:
            assert f"do not follow the order '{', '.join(declared)}'" in said
            assert f"they fit '{', '.join(stored)}'" in said


def test_each_frame_shows_the_stripes_of_its_own_orientation(series):
    images, sample = series
    frames, settings = _declared(images, AXES, AXES, sample)
    power = carrier_power(frames, sample.vectors, settings)
    own = power[np.arange(30), frames.orientation]
    assert own.min() > 0.7
    assert own.max() < 1.4
    others = np.delete(power.ravel(), np.arange(30) * 3 + frames.orientation)
    assert others.max() < 0.2


def test_vectors_that_are_given_in_another_order_are_named(series):
    images, sample = series
    frames, settings = _declared(images, AXES, AXES, sample)
    assert check_order(frames, sample.vectors, settings) is None
    said = check_order(frames, sample.vectors[[2, 0, 1]], settings)
    assert said == ("The frames of orientations 1, 2 and 3 show the stripes given for orientations 2, 3 and 1.")


def test_phases_that_do_not_advance_are_noticed(series):
    images, sample = series
    still = images.copy()
    still[:, :, 1:] = still[:, :, :1]
    frames, settings = _declared(still, AXES, AXES, sample)
    assert check_order(frames, sample.vectors, settings).startswith(
        "The phases of an orientation do not advance by 1/5 of a period"
    )


def test_uneven_and_backward_steps_are_no_wrong_order():
    uneven = np.array([0, 14, -13, 10, -8])
    sample = moving("rotation", "beads", size=96, uneven_deg=uneven)
    assert check_order(sample.frames, sample.vectors, sample.settings) is None
    backwards = sim_frames(RawData(sample.images.reshape(3, 5, 96, 96)[:, ::-1].reshape(15, 96, 96)), sample.settings)
    assert check_order(backwards, sample.vectors, sample.settings) is None


@pytest.mark.parametrize(("n_orientations", "n_phases"), [(1, 15), (5, 3)])
def test_wrong_numbers_of_orientations_and_phases_are_noticed(n_orientations, n_phases):
    sample = moving("none", "beads", size=96)
    wrong = {"n_orientations": n_orientations, "n_phases": n_phases, "n_beams": 3 if n_phases > 3 else 2}
    settings = sample.settings.model_copy(update=wrong)
    frames = sim_frames(RawData(sample.images), settings)
    vectors = np.resize(sample.vectors, (n_orientations, 2))
    assert "n_orientations" in check_order(frames, vectors, settings)


def test_planes_and_phases_that_were_exchanged_are_noticed():
    sample = moving("translation", "beads", size=96, n_planes=3)
    images = sample.images.reshape(3, 5, 3, 96, 96)  # orientation, phase, plane
    settings = sample.settings.model_copy(update={"image_order": "time, orientation, phase, plane"})
    right = sim_frames(RawData(images.reshape(45, 96, 96)), settings)
    assert check_order(right, sample.vectors, settings) is None
    wrong = sim_frames(RawData(images.transpose(0, 2, 1, 3, 4).reshape(45, 96, 96)), settings)
    assert "they fit 'orientation, plane, phase'" in check_order(wrong, sample.vectors, settings)


def test_images_without_stripes_tell_nothing():
    sample = moving("translation", "usaf", modulation_1=1e-6, modulation_2=1e-6)
    found = estimate_stripes(sample.frames, sample.settings, sample.table)
    assert check_order(sample.frames, found.vectors_per_um, sample.settings) is None
