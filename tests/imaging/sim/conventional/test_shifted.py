from dataclasses import replace

import numpy as np
import pytest
from scipy import fft
from tests.imaging.sim.conventional.acquired import taken

from napari_nstm.imaging.sim.conventional.shifted import (
    apodisation,
    cutoff_of,
    half_plane,
    half_shape,
    support,
    transfer_of,
)
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.support import support_weight


@pytest.fixture
def plane(settings):
    return taken(np.zeros((15, 48, 40)), settings(modulation_2=0.5))


@pytest.fixture
def stack(volume):
    return taken(np.zeros((15, 20, 32, 40)), volume(modulation_2=0.5))


def _discs(acquired, orders, cutoff):
    scene = acquired.layout.scene
    ky, kx = half_plane(scene)
    inside = np.zeros(half_shape(scene)[-2:], bool)
    for vector in acquired.light.vectors_per_um:
        for m in orders:
            inside |= np.hypot(ky[:, None] - m * vector[0], kx - m * vector[1]) < cutoff
    return inside


def test_support_is_the_union_of_discs(plane):
    _, light, table, layout, settings = plane
    cutoff = SimOptics.from_settings(settings).cutoff
    found = support(table, light, layout)
    # Samples within a thousandth of a cutoff of the edge may fall to either side.
    assert found[_discs(plane, range(-2, 3), 0.999 * cutoff)].all()
    assert not found[~_discs(plane, range(-2, 3), 1.001 * cutoff)].any()
    one = replace(light, depths=light.depths[:, :2])
    assert not support(table, one, layout)[~_discs(plane, range(-1, 2), 1.001 * cutoff)].any()


def test_support_ends_with_what_the_pixels_hold(settings):
    coarse = taken(np.zeros((15, 48, 40)), settings(modulation_2=0.5, pixel_size_um=0.125, enlarge=3))
    _, light, table, layout, made = coarse
    ky, kx = half_plane(layout.scene)
    nyquist, cutoff = 1 / (2 * 0.125), SimOptics.from_settings(made).cutoff
    assert nyquist < cutoff
    inside = np.zeros(half_shape(layout.scene), bool)
    for vector in light.vectors_per_um:
        for m in range(-2, 3):
            y, x = ky[:, None] + m * vector[0], kx + m * vector[1]
            inside |= (np.hypot(y, x) < cutoff) & (np.abs(y) < nyquist) & (np.abs(x) < nyquist)
    found = support(table, light, layout)
    assert not found[~inside].any()
    assert found.sum() > 0.9 * inside.sum()


def test_support_of_a_volume_has_a_missing_cone_filled_by_the_stripes(stack):
    _, light, table, layout, settings = stack
    scene = layout.scene
    kz = fft.fftfreq(scene.padded_shape[0], scene.pixel_size_um[0])
    ky, kx = half_plane(scene)
    expected = support_weight(
        [kz[:, None, None], ky[:, None], kx], SimOptics.from_settings(settings), light.vectors_per_um, 3
    )
    found = support(table, light, layout)
    # A finite number of planes smears the edges along kz by a sample or so.
    assert found[expected == 1].mean() > 0.99
    assert found[expected == 0].mean() < 0.05
    low = np.hypot(ky[:, None], kx) < 0.5
    high = np.abs(kz) > 0.9
    assert found[high][:, low].mean() > 0.5
    even = replace(light, depths=light.depths[:, :1])
    alone = support(table, even, layout)
    assert not alone[high][:, low].any()
    assert alone[0].sum() == _discs(stack, (0,), SimOptics.from_settings(settings).cutoff).sum()


def test_a_transfer_is_looked_up_where_it_was_tabulated(plane, stack):
    for acquired in (plane, stack):
        otf = transfer_of(acquired.table, 1, 0, acquired.layout)
        ky, kx = np.linspace(-5, 5, 31), np.linspace(0, 5, 17)
        exact = acquired.table.transfer(1, 0, np.hypot(ky[:, None], kx))
        np.testing.assert_allclose(otf.at(ky, kx), exact, atol=2e-3 * np.abs(exact).max())


def test_cutoff_of_an_ideal_objective(plane):
    assert cutoff_of(plane.table) == pytest.approx(SimOptics.from_settings(plane.settings).cutoff, rel=0.02)


def test_apodisation_falls_from_the_middle_to_the_edge(plane):
    _, light, table, layout, settings = plane
    supported = support(table, light, layout)
    triangle, steep = (apodisation(supported, layout, exponent) for exponent in (1, 0.2))
    assert triangle[0, 0] == steep[0, 0] == 1
    assert np.all((triangle > 0) == supported)
    ky, kx = half_plane(layout.scene)
    edge = _discs(plane, range(-2, 3), SimOptics.from_settings(settings).cutoff)
    assert triangle[edge & (np.hypot(ky[:, None], kx) > 9)].max() < 0.2
    np.testing.assert_allclose(steep, triangle**0.2, rtol=1e-5)
    flat = apodisation(supported, layout, 1, width=0.5)
    np.testing.assert_allclose(flat, np.minimum(2 * triangle, 1), rtol=1e-5)
    # The distance to the edge along kx at ky = 0, where the nearest edge lies straight ahead, falls by steps alike.
    row = triangle[0, : np.count_nonzero(supported[0])]
    assert np.all(np.diff(row) < 0)
    # It belongs to a real image: columns 0 have the same value at ky and -ky.
    np.testing.assert_allclose(triangle[1:, 0], triangle[:0:-1, 0], rtol=1e-6)
