import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from tests.imaging.sim.point import OPTICS, VECTORS

from napari_nstm.imaging.sim.otf import depths_of
from napari_nstm.imaging.sim.support import limit_to_support, support_weight
from napari_nstm.imaging.sim.theory import theory_3d

FALL = 0.1 * OPTICS.cutoff


def _discs(ky, kx, vectors, n_orders, grown=0.0):
    """Frequencies that any order, also order 0, brings into an image."""
    inside = np.zeros(np.broadcast_shapes(ky.shape, kx.shape), bool)
    for y, x in vectors:
        for order in range(1 - n_orders, n_orders):
            inside |= np.hypot(ky - order * y, kx - order * x) <= OPTICS.cutoff + grown
    return inside


@pytest.mark.parametrize("n_orders", [2, 3])
@pytest.mark.parametrize("vectors", [VECTORS, VECTORS[:1], VECTORS[1:2] * 0.8], ids=["three", "one", "coarser"])
def test_of_a_plane_it_is_the_union_of_discs_with_a_narrow_fall(vectors, n_orders):
    k = np.linspace(-12, 12, 241)
    weight = support_weight([k[:, None], k[None]], OPTICS, vectors, n_orders)
    inside, grown = (_discs(k[:, None], k, vectors, n_orders, by) for by in (0, FALL))
    assert weight[inside].min() == 1
    assert weight[~grown].max() == 0
    between = weight[grown & ~inside]
    assert between.min() >= 0
    assert 0.3 < between.mean() < 0.7


def test_even_light_is_part_of_it():
    """Stripes this fine shift their discs past the middle, and what has no orders is there still."""
    fine = np.array([[0.0, 1.2 * OPTICS.cutoff]])
    k = np.linspace(-1, 1, 21) * OPTICS.cutoff
    weight = support_weight([k[:, None], k[None]], OPTICS, fine, 2)
    assert weight[np.hypot(k[:, None], k) <= OPTICS.cutoff].min() == 1


@pytest.fixture(scope="module")
def transfer():
    """OTF (order, kz, kr >= 0) of stripes whose axial frequency is one of the samples along kz."""
    length, n = 2.38, 110
    spacing = 20 / (n * OPTICS.axial_frequency(length))
    table = theory_3d(OPTICS, np.array([[0.0, length]]), 3, depths_of(n, spacing))
    kr = np.linspace(0, 5.2, 53)
    magnitude = np.abs([table.transfer(order, 0, kr) for order in range(3)])
    return length, np.fft.fftfreq(n, spacing), kr, magnitude / magnitude.max(axis=(1, 2), keepdims=True)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_of_a_volume_it_is_where_the_otf_of_any_order_is_not_zero(transfer, order):
    """In the plane across the stripes' vector through the middle of an order."""
    length, kz, kr, magnitude = transfer
    at = [kz[:, None], kr[None], np.full((1, 1), order * length)]
    weight = support_weight(at, OPTICS, np.array([[0.0, length]]), 3)
    assert weight[magnitude[order] > 1e-3].min() == 1
    carried = np.zeros(weight.shape, bool)
    for other in range(-2, 3):
        distance = np.hypot(kr, (order - other) * length)
        carried |= np.stack([np.interp(distance, kr, row, right=0) for row in magnitude[abs(other)]]) > 1e-4
    # What falls off does so within a tenth of the cutoff, along kz and across it.
    reached = binary_dilation(np.fft.fftshift(carried, axes=0), np.ones((17, 13)))
    assert np.fft.fftshift(weight, axes=0)[~reached].max() == 0
    assert np.count_nonzero(~reached) > 0.05 * reached.size


def test_order_1_of_three_beams_stands_at_two_heights_and_of_two_at_none():
    length = 2.38
    vector, height = np.array([[0.0, length]]), OPTICS.axial_frequency(length)
    # The top of order 1's torus: nothing else reaches as high.
    rim = OPTICS.cutoff / 2
    top = height + 1.33 / 0.515 - np.sqrt((1.33 / 0.515) ** 2 - rim**2)
    for sign in (-1, 1):
        at = [np.array([sign * (top - 1e-6)]), np.array([rim]), np.array([length])]
        assert support_weight(at, OPTICS, vector, 3)[0] == 1
        assert support_weight(at, OPTICS, vector, 2)[0] == 0
        at[0] = np.array([sign * (top + FALL)])
        assert support_weight(at, OPTICS, vector, 3)[0] == 0


def test_the_missing_cone_is_filled_by_order_1_only():
    axis = [np.array([0.0, 0.6, 1.2]), np.zeros(1), np.zeros(1)]
    np.testing.assert_array_equal(support_weight(axis, OPTICS, np.array([[0.0, 6.0]]), 3), (1, 0, 0))
    assert support_weight(axis, OPTICS, VECTORS, 3).min() == 1


def _wave(shape, spacing_um, frequency):
    """A wave of frequency ([kz,] ky, kx) that fades long before the edges."""
    at = np.meshgrid(*((np.arange(n) - n // 2) * d for n, d in zip(shape, spacing_um, strict=True)), indexing="ij")
    extents = [n * d for n, d in zip(shape, spacing_um, strict=True)]
    window = np.exp(-0.5 * sum((a / (0.11 * e)) ** 2 for a, e in zip(at, extents, strict=True)))
    return window * np.cos(2 * np.pi * sum(f * a for f, a in zip(frequency, at, strict=True)))


@pytest.mark.parametrize(
    ("shape", "frequency", "remains"),
    [
        ((90, 121), (0.0, 0.0), 1.0),
        ((90, 121), (2.0, 8.0), 1.0),
        ((90, 121), (-8.6, 0.0), 1.0),
        ((90, 121), (0.0, 10.6), 0.0),
        ((90, 121), (0.0, 7.8), 1.0),
        ((64, 81, 80), (1.4, 0.0, 3.0), 1.0),
        ((64, 81, 80), (0.0, 8.8, 0.0), 1.0),
        ((64, 81, 80), (3.0, 0.0, 7.0), 0.0),
        ((64, 81, 80), (4.6, 0.0, 0.0), 0.0),
    ],
)
def test_what_frames_carry_stays_and_what_none_carries_goes(shape, frequency, remains):
    spacing = (0.1, 0.04, 0.04)[-len(shape) :]
    wave = _wave(shape, spacing, frequency).astype(np.float32)
    stack = np.stack([wave, -2 * wave])
    limited = limit_to_support(stack, spacing, OPTICS, VECTORS, 3)
    assert limited.shape == stack.shape
    assert limited.dtype == np.float32
    np.testing.assert_allclose(limited, remains * stack, atol=0.03 * np.abs(stack).max())


def test_what_is_taken_away_does_not_come_back_on_the_other_side():
    image = np.zeros((64, 64), np.float32)
    image[:, 0] = 1
    limited = limit_to_support(image, (0.03, 0.03), OPTICS, VECTORS, 3)
    assert np.abs(limited[:, -4:]).max() < 0.06 * np.abs(limited[:, 0]).max()
