import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.imaging.sim.point import OPTICS, VECTORS, point_stack

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.otf import depths_of
from napari_nstm.imaging.sim.otf_measured import psf_table
from napari_nstm.imaging.sim.theory import in_focus, theory_3d

SIZE, PIXEL, SPACING = 64, 0.065, 0.1
CENTRE = (SIZE / 2 + 0.3, SIZE / 2 - 0.4)
FOCUS = 15.37  # in planes
N_PLANES = 31
OFFSET = 100.0
DEPTHS = depths_of(12, 0.15)


def _counts(light, noise=0.0, peak=10_000):
    rng = np.random.default_rng(0)
    return OFFSET + peak * (light / light.max() + rng.normal(0, noise, light.shape))


@pytest.fixture(scope="module")
def plane():
    return point_stack(SIZE, PIXEL, [0.0], CENTRE)[0]


@pytest.fixture(scope="module")
def stack():
    return point_stack(SIZE, PIXEL, (np.arange(N_PLANES) - FOCUS) * SPACING, CENTRE)


def _focus(image, offset=None, pixel=PIXEL, n_orders=3):
    return psf_table(image, pixel, None, offset, OPTICS, VECTORS, n_orders, (0.0,))


def _volume(image, depths=DEPTHS, n_orders=3, offset=None):
    return psf_table(image, PIXEL, SPACING, offset, OPTICS, VECTORS, n_orders, depths)


def _kr(table):
    return np.arange(table.values.shape[2]) * table.kr_step_per_um


@pytest.mark.parametrize(("noise", "tolerance"), [(0.0, 0.015), (1 / 300, 0.03)])
def test_a_point_in_focus_gives_the_otf_in_focus(plane, noise, tolerance):
    table = _focus(_counts(plane, noise))
    assert table.values.shape[:2] == (1, 3)
    assert table.values[0, 0, 0, 0] == pytest.approx(1)
    for order in range(3):
        assert_allclose(table.values[0, order, :, 0], in_focus(_kr(table), OPTICS.cutoff), atol=tolerance)


def test_counts_and_background_do_not_matter(plane):
    first = _focus(_counts(plane))
    assert_allclose(_focus(3 * _counts(plane) + 500).values, first.values, atol=1e-9)
    whole_numbers = np.rint(_counts(plane, peak=20_000)).astype(np.uint16)
    assert_allclose(_focus(whole_numbers).values, first.values, atol=2e-3)


def test_a_given_offset_is_what_is_subtracted(plane):
    found = _focus(_counts(plane), OFFSET)
    # The field cuts off some of the light: what is inside counts as all.
    assert found.values[0, 0, 0, 0] == pytest.approx(1)
    assert_allclose(found.values[0, 0, :, 0], in_focus(_kr(found), OPTICS.cutoff), atol=0.03)
    wrong = _focus(_counts(plane), OFFSET - 50)
    assert np.interp(1.0, _kr(wrong), wrong.values[0, 0, :, 0]) < 0.5


def test_the_point_may_lie_anywhere_in_its_image(plane):
    first = _focus(_counts(plane))
    for centre in ((SIZE / 2, SIZE / 2 - 5.5), (SIZE / 2 + 6.2, SIZE / 2 + 3.9)):
        moved = _focus(_counts(point_stack(SIZE, PIXEL, [0.0], centre)[0]))
        assert_allclose(moved.values, first.values, atol=0.02)


@pytest.mark.parametrize(("noise", "tolerance"), [(0.0, 0.02), (1 / 300, 0.04)])
def test_a_stack_gives_the_otf_at_every_depth(stack, noise, tolerance):
    found, ideal = _volume(_counts(stack, noise)), theory_3d(OPTICS, VECTORS, 3, DEPTHS)
    kr = np.linspace(0.2, OPTICS.cutoff, 80)
    for order in range(3):
        expected = ideal.lateral(order, 0, kr)
        assert_allclose(found.lateral(order, 0, kr), expected, atol=tolerance)
        assert np.abs(expected).max() > 0.6


def test_the_focus_is_found_between_planes(stack):
    # A stack whose focus is taken for half a plane elsewhere is not even in depth.
    found = _volume(_counts(stack))
    even = found.values[0, 0][:, [1, 2, 3]] - found.values[0, 0][:, [-1, -2, -3]]
    assert np.abs(even[_kr(found) > 0.2]).max() < 0.02


def test_of_a_stack_the_plane_in_focus_serves_one_plane(stack, plane):
    assert_allclose(_focus(_counts(stack)).values, _focus(_counts(plane)).values, atol=0.03)


def test_beyond_the_stack_there_is_nothing(stack):
    depths = depths_of(30, 0.15)
    found = _volume(_counts(stack), depths).values[0, 0]
    first, last = (0 - FOCUS) * SPACING, (N_PLANES - 1 - FOCUS) * SPACING
    for place, depth in enumerate(depths):
        # The focus is found to within a tenth of a plane.
        if depth < first - 0.01 or depth > last + 0.01:
            assert np.all(found[:, place] == 0)
        else:
            assert found[0, place] > 0.5


def test_nothing_passes_beyond_the_cutoff_or_what_the_pixels_hold(plane):
    table = _focus(_counts(plane, 0.01))
    assert np.all(table.lateral(0, 0, OPTICS.cutoff * np.array([1.0, 1.1, 1.5])) == 0)
    coarse = point_stack(40, 0.125, [0.0], (20.0, 20.3))[0]
    table = _focus(_counts(coarse), pixel=0.125)
    assert np.all(table.lateral(0, 0, np.array([4.05, 4.5])) == 0)
    kr = np.linspace(0.2, 3.9, 40)
    assert_allclose(table.lateral(0, 0, kr)[:, 0], in_focus(kr, OPTICS.cutoff), atol=0.02)


def test_two_beams_have_two_orders_without_axial_stripes(stack):
    found = _volume(_counts(stack), n_orders=2)
    assert found.n_orders == 2
    np.testing.assert_array_equal(found.values[:, 1], found.values[:, 0])


def _error(image, **changes):
    with pytest.raises(InputError) as caught:
        _focus(image, **changes)
    return caught.value


def test_what_is_no_image_of_one_point_is_refused(plane):
    counts = _counts(plane)
    noise = np.random.default_rng(0).normal(100, 5, counts.shape)
    spots = np.random.default_rng(1).uniform(0, 1, counts.shape)
    for image, words in (
        (np.zeros((SIZE, SIZE)), "0 in every pixel"),
        (noise, "no point stands out"),
        (spots, "no point stands out"),
        (counts + np.roll(counts, (20, 20), (0, 1)), "several bright points"),
        (counts[28:], "a point at row 4, column 32"),
        (counts[:8], "8 x 64"),
        (counts[None, None] * np.ones((2, 2, 1, 1)), "2 x 2 x 64 x 64"),
        (counts.astype(complex), "complex128"),
        (np.where(counts == counts.max(), np.nan, counts), "NaN"),
    ):
        error = _error(image)
        assert error.field == "acquisition.otf.path"
        assert words in error.got


def test_an_offset_above_the_image_is_refused(plane):
    error = _error(_counts(plane), offset=20_000.0)
    assert error.field == "acquisition.otf.offset"
    assert "20000 counts" in error.got


def test_a_volume_takes_a_stack_of_known_planes(plane, stack):
    with pytest.raises(InputError, match=r"acquisition\.otf\.path: got a PSF of 1 plane for a volume"):
        _volume(_counts(plane))
    with pytest.raises(InputError, match=r"acquisition\.otf\.plane_spacing_um: got nothing"):
        psf_table(_counts(stack), PIXEL, None, None, OPTICS, VECTORS, 3, DEPTHS)
