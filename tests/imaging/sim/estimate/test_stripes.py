import dataclasses

import numpy as np
import pytest
from tests.imaging.sim.estimate.moving import MOTIONS, TARGETS, UNEVEN_DEG, Moving, assert_right, moving

from napari_nstm.core.data import RawData
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.sim.choices import EstimatedPattern, VectorPattern
from napari_nstm.imaging.sim.estimate import estimate_stripes
from napari_nstm.imaging.sim.frames import sim_frames
from napari_nstm.imaging.sim.optics import SimOptics, given_vectors
from napari_nstm.imaging.sim.simulate import simulate, simulated_settings
from napari_nstm.imaging.sim.theory import theory_2d

SHALLOW = {"modulation_1": 0.3, "modulation_2": 0.3}
ONES = np.ones((3, 3))


def _found(sample, **given):
    return estimate_stripes(sample.frames, sample.settings, sample.table, **given)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("target", TARGETS)
def test_stripes_are_found_whatever_the_sample_does(motion, target):
    sample = moving(motion, target, size=192)
    assert_right(sample, _found(sample), depth=0.1 if motion == "none" else 0.15)


def test_stripes_of_the_simulator():
    settings = simulated_settings()
    made = simulate(SimulationRequest("shear", 6.0, 128, 0.01, 1, {"target": "usaf"}), settings)
    vectors = given_vectors(settings)
    sign = np.where(vectors[:, 1] < 0, -1, 1)
    sample = Moving(
        sim_frames(RawData(made.raw), settings),
        settings.model_copy(update={"pattern": EstimatedPattern()}),
        theory_2d(SimOptics.from_settings(settings), 3),
        vectors * sign[:, None],
        np.asarray(settings.phases_rad) * np.repeat(sign, 5),
        np.array([1, settings.modulation_1, settings.modulation_2]),
    )
    assert_right(sample, _found(sample), depth=0.15)


@pytest.mark.parametrize("target", ["usaf", "beads"])
def test_shallow_stripes_at_uneven_phases(target):
    sample = moving("translation", target, size=192, uneven_deg=UNEVEN_DEG, **SHALLOW)
    assert_right(sample, _found(sample), depth=0.1)


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_errors_are_as_large_as_they_are_said_to_be(noise):
    ratios = []
    for target in ("filaments", "beads"):
        for motion in ("none", "swirl", "shear"):
            sample = moving(motion, target, noise=noise)
            found = _found(sample, given_depths=ONES)
            ratios.append(sample.phase_errors_deg(found) / np.degrees(found.phase_errors_rad))
    assert 0.6 < np.sqrt(np.mean(np.square(ratios))) < 1.5
    assert (np.degrees(found.phase_errors_rad).mean() > 2) == (noise > 0.1)


@pytest.mark.parametrize("length", [0.35, 0.6, 1.04])
def test_vectors_of_any_length_and_direction(length):
    finest = SimOptics.from_settings(simulated_settings()).finest_order_1
    angles = np.array([1.5, -0.3, 0.7])
    ky, kx = length * finest * np.sin(angles), length * finest * np.cos(angles)
    sample = moving("rotation", "beads", pattern=VectorPattern(ky_per_um=tuple(ky), kx_per_um=tuple(kx)))
    found = _found(sample, given_depths=ONES)
    assert found.problems == ()
    assert np.abs(sample.vector_errors_px(found)).max() < 0.03
    assert (found.vectors_per_um[:, 1] > 0).all()


def test_two_beams_and_three_phases():
    phases = tuple(start + 2 * np.pi * p / 3 for start in (0.4, -1.9, 2.6) for p in range(3))
    angles = np.array([1.0, 2.1, 3.2])
    pattern = VectorPattern(ky_per_um=tuple(4.6 * np.sin(angles)), kx_per_um=tuple(4.6 * np.cos(angles)))
    changes = {"n_beams": 2, "n_phases": 3, "phases_rad": phases, "modulation_1": 0.6, "modulation_2": None}
    sample = moving("swirl", "beads", size=192, pattern=pattern, **changes)
    found = _found(sample)
    assert found.depths.shape == (3, 2)
    assert_right(sample, found, depth=0.1, vector_px=0.03)


def test_one_orientation():
    pattern = VectorPattern(ky_per_um=(1.2,), kx_per_um=(2.0,))
    changes = {"n_orientations": 1, "pattern": pattern, "phases_rad": (0.1, 1.4, 2.6, 3.9, 5.1)}
    sample = moving("shear", "beads", size=192, **changes)
    assert_right(sample, _found(sample))


def test_phases_count_from_the_middle_of_a_field_whose_edges_the_sample_crosses():
    whole = moving("swirl", "beads", size=192)
    frames = dataclasses.replace(whole.frames, images=whole.frames.images[:, 30:143, 40:160])
    moved_um = np.array([30 + 113 // 2 - 96, 40 + 120 // 2 - 96]) * whole.settings.pixel_size_um
    phases = whole.phases + np.repeat(2 * np.pi * whole.vectors @ moved_um, 5)
    part = dataclasses.replace(whole, frames=frames, phases=phases)
    assert_right(part, _found(part))


def test_a_volume_and_the_otf_for_the_vectors_that_were_found():
    sample = moving("translation", "beads", n_planes=6)
    assert sample.frames.images.shape == (15, 6, 128, 128)
    asked = []

    def table_for(vectors):
        asked.append(vectors)
        return sample.table

    in_focus = theory_2d(SimOptics.from_settings(sample.settings), 3)
    found = estimate_stripes(sample.frames, sample.settings, in_focus, table_for=table_for)
    assert_right(sample, found)
    np.testing.assert_array_equal(asked, [found.vectors_per_um])
    assert_right(sample, _found(sample))


def test_a_series_shares_vectors_and_has_its_own_phases():
    wander = np.cumsum(np.random.default_rng(0).normal(0, 20, 45))
    sample = moving("rotation", "beads", acquisitions=3, uneven_deg=wander)
    found = _found(sample)
    assert found.phases_rad.shape == (45,)
    assert_right(sample, found)


def test_even_light_and_haze_change_little():
    y, x = np.mgrid[:128, :128]
    haze = 3000 * np.exp(-((y - 50) ** 2 + (x - 80) ** 2) / (2 * 30**2)) + 2000
    sample = moving("translation", "beads", modify=lambda images: images + haze)
    assert_right(sample, _found(sample))


def test_bleaching_changes_nothing():
    fade = np.linspace(1, 0.6, 15)[:, None, None, None]
    bleached = moving("translation", "beads", noise=0, modify=lambda images: images * fade)
    fresh = moving("translation", "beads", noise=0)
    found, other = _found(bleached), _found(fresh)
    np.testing.assert_allclose(found.phases_rad, other.phases_rad, atol=0.01)
    np.testing.assert_allclose(found.depths, other.depths, rtol=0.01)


@pytest.mark.parametrize("offset", [-900, 900])
def test_a_wrong_camera_offset_changes_nothing(offset):
    sample = moving("swirl", "filaments")
    shifted = dataclasses.replace(sample.frames, images=sample.frames.images + np.float32(offset))
    found, other = _found(sample), estimate_stripes(shifted, sample.settings, sample.table)
    np.testing.assert_allclose(other.vectors_per_um, found.vectors_per_um, atol=1e-4)
    np.testing.assert_allclose(np.exp(1j * other.phases_rad), np.exp(1j * found.phases_rad), atol=1e-3)
    np.testing.assert_allclose(other.depths, found.depths, rtol=0.01)
