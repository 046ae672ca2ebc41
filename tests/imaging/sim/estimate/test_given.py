import dataclasses

import numpy as np
import pytest
from tests.imaging.sim.estimate.moving import assert_right, moving

from napari_nstm.imaging.sim.choices import EstimatedPattern
from napari_nstm.imaging.sim.estimate import estimate_stripes


@pytest.fixture(scope="module")
def beads():
    return moving("swirl", "beads")


def _found(sample, **given):
    return estimate_stripes(sample.frames, sample.settings, sample.table, **given)


def test_given_vectors_are_kept_with_their_sign(beads):
    flipped = beads.vectors * np.array([[1], [-1], [1]])
    found = _found(beads, given_vectors=flipped)
    np.testing.assert_array_equal(found.vectors_per_um, flipped)
    turned = dataclasses.replace(beads, phases=beads.phases * np.repeat([1, -1, 1], 5), vectors=flipped)
    assert_right(turned, found)


def test_given_vectors_may_be_a_start(beads):
    start = -beads.vectors + 0.15 * np.array([[1, 1], [-1, 1], [0.5, -1]])
    found = _found(beads, given_vectors=start, refine=True)
    assert_right(dataclasses.replace(beads, phases=-beads.phases, vectors=-beads.vectors), found)


def test_given_phases_decide_the_sign_of_the_vectors(beads):
    signs = np.array([1, -1, -1])
    phases = beads.phases * np.repeat(signs, 5)
    found = _found(beads, given_phases=phases)
    np.testing.assert_array_equal(found.phases_rad, phases)
    assert (found.phase_errors_rad == 0).all()
    assert_right(dataclasses.replace(beads, phases=phases, vectors=beads.vectors * signs[:, None]), found)


def test_given_depths_are_kept_and_the_rest_is_found(beads):
    given = np.array([[1, 0.7, np.nan], [1, np.nan, 0.4], [1, 0.6, 0.3]])
    found = _found(beads, given_depths=given)
    np.testing.assert_array_equal(found.depths[~np.isnan(given)], given[~np.isnan(given)])
    np.testing.assert_array_equal(found.depth_errors > 0, np.isnan(given))
    np.testing.assert_allclose([found.depths[0, 2], found.depths[1, 1]], [0.5, 0.8], rtol=0.15)


def test_what_is_all_given_comes_back(beads):
    found = _found(beads, given_vectors=beads.vectors, given_phases=beads.phases, given_depths=np.full((3, 3), 0.5))
    np.testing.assert_array_equal(found.vectors_per_um, beads.vectors)
    np.testing.assert_array_equal(found.phases_rad, beads.phases)
    np.testing.assert_array_equal(found.depths, [[1, 0.5, 0.5]] * 3)
    assert found.problems == ()


def test_a_known_spacing_keeps_other_stripes_out():
    y, x = np.mgrid[:128, :128]
    turn = np.arange(15)[:, None, None, None] * 2.2

    def other_stripes(images):
        return images * (1 + 0.9 * np.cos(2 * np.pi * (0.05 * y + 0.07 * x) + turn))

    sample = moving("none", "beads", modify=other_stripes, modulation_1=0.3, modulation_2=0.3)
    assert np.abs(sample.vector_errors_px(_found(sample))).max() > 1
    known = sample.settings.model_copy(update={"pattern": EstimatedPattern(line_spacing_um=0.43)})
    found = estimate_stripes(sample.frames, known, sample.table)
    assert np.abs(sample.vector_errors_px(found)).max() < 0.2
