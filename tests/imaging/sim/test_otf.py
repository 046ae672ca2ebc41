import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import fft
from tests.imaging.sim.point import OPTICS, VECTORS

from napari_nstm.imaging.sim.otf import OtfTable, depths_of, with_axial_stripes


@pytest.fixture
def table():
    # Neither even in depth nor alike for the orders and orientations.
    values = np.random.default_rng(0).normal(size=(2, 3, 6, 5))
    return OtfTable(values, 0.5, depths_of(5, 0.2))


def test_depths_are_planes_away_in_the_order_of_a_transform():
    assert_allclose(depths_of(5, 0.2), [0, 0.2, 0.4, -0.4, -0.2])
    assert_allclose(depths_of(4, 0.5), [0, 0.5, -1, -0.5])
    assert depths_of(1, 0.2) == (0.0,)


def test_samples_come_back_and_lie_on_lines_between(table):
    for orientation in range(2):
        at = table.lateral(1, orientation, 0.5 * np.arange(6))
        assert_allclose(at, table.values[orientation, 1])
        assert_allclose(table.lateral(1, orientation, np.array(0.65)), 0.7 * at[1] + 0.3 * at[2])


def test_beyond_the_table_nothing_passes(table):
    assert_array_equal(table.lateral(0, 0, np.array([3.0, 7.0, 1e9])), 0)


def test_one_orientation_stands_for_all():
    one = OtfTable(np.arange(6.0).reshape(1, 1, 6, 1), 1.0, (0.0,))
    assert_array_equal(one.transfer(0, 2, np.array([[1.0, 2.0]])), [[1.0, 2.0]])


def test_a_plane_sees_a_point_by_plane_minus_point(table):
    kr = np.array([0.0, 0.7, 1.5])
    point = np.zeros((5, 1))
    point[3] = 1
    seen = fft.ifft(fft.fft(point, axis=0) * table.transfer(2, 1, kr), axis=0)
    found = table.lateral(2, 1, kr)
    for plane in range(5):
        depth = table.depths_um.index(pytest.approx(0.2 * (plane - 3))) if abs(plane - 3) < 3 else (plane - 3) % 5
        assert_allclose(seen[plane], found[:, depth], atol=1e-12)


def test_a_table_even_in_depth_has_a_real_transfer(table):
    assert np.iscomplexobj(table.transfer(0, 0, np.array([1.0])))
    values = table.values + table.values[..., -np.arange(5)]
    assert not np.iscomplexobj(OtfTable(values, 0.5, table.depths_um).transfer(0, 0, np.array([1.0])))


def test_axial_stripes_belong_to_order_1_of_three_beams():
    even = OtfTable(np.ones((1, 3, 4, 5)), 0.5, depths_of(5, 0.2))
    lit = with_axial_stripes(even, OPTICS, VECTORS)
    assert_array_equal(lit.values[:, [0, 2]], 1)
    stripes = OPTICS.axial_frequency(float(np.hypot(*VECTORS.T).mean()))
    assert_allclose(lit.values[0, 1, 2], np.cos(2 * np.pi * stripes * np.asarray(even.depths_um)))
    assert_array_equal(even.values, 1)
    two = OtfTable(np.ones((1, 2, 4, 5)), 0.5, even.depths_um)
    assert with_axial_stripes(two, OPTICS, VECTORS) is two
