import numpy as np
import pytest
from tests.imaging.sim.estimate.moving import moving

from napari_nstm.imaging.sim.estimate import estimate_stripes
from napari_nstm.imaging.sim.estimate.sampling import Sampling
from napari_nstm.imaging.sim.estimate.vectors import find_vector, refine_vector, searchable

PHASES = 0.4 + 2 * np.pi * np.arange(5) / 5


def _products(sampling, k, depths, size=96, noise=0.3):
    """What products look like: grains of unequal brightness under stripes, which differ from frame to frame."""
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(*sampling.positions_um, indexing="ij")
    a = 2 * np.pi * (k[0] * y + k[1] * x) + PHASES[:, None, None]
    grains = rng.exponential(size=(size, size))
    light = 1 + sum(m * np.cos(order * a) for order, m in enumerate(depths, start=1))
    return (grains * light + noise * rng.normal(size=(5, size, size))).astype(np.float32)


@pytest.mark.parametrize("depths", [(0.5, 0.05), (0.1, 0.5), (0.5, 0.5), (0.4, 0.0)])
def test_half_and_twice_the_vector_are_not_taken_for_it(depths, settings):
    sampling, k = Sampling((96, 96), 0.065), np.array([-1.15, 0.62])
    search = searchable([_products(sampling, k, depths)], sampling)
    found = find_vector(search, settings(pattern={"kind": "estimate"}), sampling)
    assert np.abs((found - k) / sampling.step_per_um).max() <= 0.5


def test_refinement_reaches_a_hundredth_of_a_pixel_from_a_pixel_away():
    sampling = Sampling((96, 120), 0.065)
    k = np.array([1.9, 0.73])
    y, x = np.meshgrid(*sampling.positions_um, indexing="ij")
    a = 2 * np.pi * (k[0] * y + k[1] * x) + PHASES[:, None, None]
    smooth = np.cos(np.pi * y / 6.4) * np.cos(np.pi * (x - 0.4) / 8.0)
    noise = 0.05 * np.random.default_rng(0).normal(size=(5, 96, 120))
    products = (smooth * (1 + 0.5 * np.cos(a) + 0.3 * np.cos(2 * a)) + noise).astype(np.float32)
    start = k + np.array([0.5, -0.4]) * sampling.step_per_um
    found = refine_vector([products], start, 3, sampling)
    assert np.abs((found - k) / sampling.step_per_um).max() < 0.01


def test_what_all_frames_show_is_not_searched():
    sampling, k = Sampling((96, 96), 0.065), np.array([1.1, 0.9])
    y, x = np.meshgrid(*sampling.positions_um, indexing="ij")
    fixed = 3 * np.cos(2 * np.pi * (0.4 * y - 1.7 * x))
    search = searchable([_products(sampling, k, (0.4, 0.2)) + fixed], sampling)
    assert search.around(k) > 20
    assert search.around(np.array([0.4, -1.7])) < 10
    assert search.without(k).around(k) == 1
    assert search.without(k).around(2 * k) == 1


@pytest.mark.parametrize(("m1", "m2"), [(0.12, 0.5), (0.5, 0.05)])
def test_one_order_much_stronger_than_the_other(m1, m2):
    sample = moving("rotation", "beads", modulation_1=m1, modulation_2=m2)
    found = estimate_stripes(sample.frames, sample.settings, sample.table)
    assert np.abs(sample.vector_errors_px(found)).max() < 0.05
    np.testing.assert_allclose(found.depths[:, 1:], np.tile([m1, m2], (3, 1)), rtol=0.15, atol=0.02)


def test_a_field_of_few_lines():
    sample = moving("none", "beads", size=48)
    found = estimate_stripes(sample.frames, sample.settings, sample.table)
    assert np.abs(sample.vector_errors_px(found)).max() < 0.1
