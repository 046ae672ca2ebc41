import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import fft
from scipy.interpolate import CubicSpline
from scipy.special import j0
from tests.imaging.sim.point import OPTICS, VECTORS, radial_psf

from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.otf import depths_of
from napari_nstm.imaging.sim.theory import in_focus, out_of_focus, theory_2d, theory_3d

KR = np.linspace(0, OPTICS.cutoff, 57)
OIL = SimOptics(0.6, 0.56, 1.49, 1.518)
AIR = SimOptics(0.525, 0.488, 0.4, 1.0)


def _brute_force(optics, depth_um):
    """H along +kx by FFTs of the defocused pupil on a grid, its rim smoothed by shares of cells."""
    n, edge = 1024, optics.cutoff / 2
    step = 4.2 * edge / n
    k = fft.fftfreq(n, 1 / n) * step
    k_r = np.hypot(k[:, None], k)
    inside = np.clip((edge - k_r) / step + 0.5, 0, 1)
    w = np.sqrt(np.maximum((optics.refractive_index / optics.wavelength_um) ** 2 - k_r**2, 0))
    spectrum = fft.fft2(inside * np.exp(2j * np.pi * depth_um * w))
    overlap = fft.ifft2(np.abs(spectrum) ** 2)[0].real
    # At kr = 0 the smoothed rim meets itself, and its squares are too little.
    return k[1 : n // 2], overlap[1 : n // 2] / inside.sum()


def test_in_focus_is_the_autocorrelation_of_a_disc():
    kr, brute = _brute_force(OPTICS, 0.0)
    assert_allclose(in_focus(kr, OPTICS.cutoff), brute, atol=1e-3)


@pytest.mark.parametrize("optics", [OPTICS, OIL, AIR])
def test_at_depth_0_the_defocused_pupil_gives_the_focus(optics):
    kr = np.linspace(0, optics.cutoff, 300)
    assert_allclose(out_of_focus(kr, optics, 0.0), in_focus(kr, optics.cutoff), atol=1e-12)


@pytest.mark.parametrize(("optics", "depth_um"), [(OPTICS, 0.3), (OPTICS, -1.0), (OPTICS, 2.4), (OIL, 1.0), (AIR, 8.0)])
def test_defocus_is_that_of_the_brute_force(optics, depth_um):
    kr, brute = _brute_force(optics, depth_um)
    assert_allclose(out_of_focus(kr, optics, depth_um), brute, atol=1e-3)


def test_the_transform_back_is_the_image_of_a_point():
    kr = np.linspace(0, OPTICS.cutoff, 1001)
    radius = np.array([0.0, 0.1, 0.2, 0.35, 0.6, 1.0])
    for depth in (0.0, 0.45, 1.2):
        rings = j0(2 * np.pi * radius[:, None] * kr) * 2 * np.pi * kr
        found = np.trapezoid(rings * out_of_focus(kr, OPTICS, depth), kr)
        assert_allclose(found, radial_psf(radius, depth), atol=1e-4 * radial_psf(np.zeros(1), 0.0)[0])


def test_the_table_keeps_the_light_at_every_depth_and_is_0_from_the_cutoff():
    table = theory_3d(OPTICS, VECTORS, 3, depths_of(20, 0.15))
    assert_allclose(table.values[:, [0, 2], 0], 1, atol=1e-9)
    assert_allclose(table.lateral(0, 0, np.array([1.0, 1.01, 2.0]) * OPTICS.cutoff), 0, atol=1e-9)


@pytest.mark.parametrize("optics", [OPTICS, OIL])
def test_between_its_samples_the_table_follows_the_integral(optics):
    depths = depths_of(33, 0.15)
    table = theory_3d(optics, VECTORS, 3, depths)
    kr = np.random.default_rng(0).uniform(0, optics.cutoff, 40)
    for place in (0, 3, 16, 20):
        assert_allclose(table.lateral(0, 0, kr)[:, place], out_of_focus(kr, optics, depths[place]), atol=3e-4)


def test_one_plane_is_the_focus():
    focus = theory_2d(OPTICS, 3)
    assert focus.depths_um == (0.0,)
    for order in range(3):
        assert_allclose(focus.transfer(order, 0, KR), in_focus(KR, OPTICS.cutoff), atol=1e-5)
        volume = theory_3d(OPTICS, VECTORS, 3, (0.0,))
        assert_allclose(volume.transfer(order, 0, KR), in_focus(KR, OPTICS.cutoff), atol=1e-5)


@pytest.fixture(scope="module")
def bands():
    """kz, and the transforms over depth of orders 0 and 1, under a window that keeps a cut end from spreading in kz."""
    n, spacing = 160, 0.08
    depths = depths_of(n, spacing)
    table = theory_3d(OPTICS, VECTORS[:1], 3, depths)
    window = 0.5 + 0.5 * np.cos(2 * np.pi * np.asarray(depths) / (n * spacing))
    found = (fft.fft(table.lateral(order, 0, KR) * window, axis=-1).real * spacing for order in (0, 1))
    return fft.fftfreq(n, spacing), *found


def test_the_axial_stripes_split_order_1_into_two_copies_of_order_0(bands):
    kz, order_0, order_1 = bands
    ends = np.argsort(kz)
    stripes = OPTICS.axial_frequency(2.38)
    for row in range(2, len(KR) - 1, 6):
        curve = CubicSpline(kz[ends], order_0[row][ends])
        inner = np.abs(kz) < kz.max() - stripes
        copies = (curve(kz[inner] - stripes) + curve(kz[inner] + stripes)) / 2
        assert_allclose(order_1[row][inner], copies, atol=0.02 * np.abs(order_0[row]).max())


def _torus(kr):
    """The highest |kz| that a pupil of this rim makes with itself, shifted by kr."""
    edge, whole = OPTICS.cutoff / 2, OPTICS.refractive_index / OPTICS.wavelength_um
    return np.sqrt(whole**2 - (kr - edge) ** 2) - np.sqrt(whole**2 - edge**2)


def test_order_0_passes_the_torus_and_nothing_outside(bands):
    kz, order_0, _ = bands
    step = kz[1]
    for row in range(1, len(KR)):
        outside = np.abs(kz) > _torus(KR[row]) + 3 * step
        assert np.abs(order_0[row][outside]).max() < 2e-3 * np.abs(order_0).max()
    middle = len(KR) // 2
    assert order_0[middle][np.argmin(np.abs(kz - 0.8 * _torus(KR[middle])))] > 0.1 * order_0[middle].max()


def test_order_1_fills_the_missing_cone(bands):
    kz, order_0, order_1 = bands
    at = np.argmin(np.abs(kz - OPTICS.axial_frequency(2.38)))
    # On the axis order 0 holds no detail along z; the stripes bring it.
    assert abs(order_0[0, at]) < 1e-6 * order_0[0, 0]
    assert_allclose(order_1[0, at], order_0[0, 0] / 2, rtol=0.1)


def test_order_2_and_two_beams_have_no_axial_stripes():
    depths = depths_of(9, 0.2)
    three = theory_3d(OPTICS, VECTORS, 3, depths)
    two = theory_3d(OPTICS, VECTORS, 2, depths)
    assert two.n_orders == 2
    for values in (three.values[:, 2], two.values[:, 1]):
        np.testing.assert_array_equal(values, three.values[:, 0])
    assert np.abs(three.values[:, 1] - three.values[:, 0]).max() > 0.5


def test_orientations_with_other_periods_have_other_axial_stripes():
    depths = depths_of(9, 0.2)
    assert len(theory_3d(OPTICS, VECTORS, 3, depths).values) == 1
    vectors = np.array([[2.38, 0.0], [0.0, 2.0]])
    table = theory_3d(OPTICS, vectors, 3, depths)
    for orientation, length in enumerate((2.38, 2.0)):
        waves = np.cos(2 * np.pi * OPTICS.axial_frequency(length) * np.asarray(depths))
        assert_allclose(table.values[orientation, 1], table.values[orientation, 0] * waves, atol=1e-12)
