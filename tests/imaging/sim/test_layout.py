import itertools

import numpy as np
import pytest

from napari_nstm.imaging.sim.layout import N_LEVELS, enlargement, reach_px, sim_layout
from napari_nstm.imaging.sim.optics import SimOptics, middle_px

SHAPES = [(64, 64), (33, 47), (50, 41), (5, 33, 47), (1, 40, 40), (8, 48, 35)]
HALVES = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]


@pytest.fixture
def layout(settings, volume):
    def make(shape, **changes):
        return sim_layout(shape, (volume if len(shape) == 3 else settings)(**changes))

    return make


def _scene_positions(layout, axis):
    """Positions of the padded scene's samples, in raw pixels."""
    grid = layout.scene
    per_raw = grid.pixel_size_um[axis] / layout.raw.pixel_size_um[axis]
    return (grid.padded_origin[axis] + grid.step[axis] * np.arange(grid.padded_shape[axis])) * per_raw


def _frame_positions(layout, axis):
    step = layout.frame_spacing_px[axis]
    return layout.raw.padded_origin[axis] + step * np.arange(layout.frame_shape[axis])


@pytest.mark.parametrize(("shape", "enlarge", "padding_px"), list(itertools.product(SHAPES, HALVES, [None, 3])))
def test_both_grids_cover_the_same_extent_and_begin_at_sample_0_at_every_level(layout, shape, enlarge, padding_px):
    full = layout(shape, enlarge=enlarge, padding_px=padding_px)
    assert full.raw.shape == shape
    assert full.enlarge == pytest.approx(enlarge)
    for level in range(N_LEVELS):
        at = full.at_level(level)
        for axis in range(len(shape)):
            scene, frame = _scene_positions(at, axis), _frame_positions(at, axis)
            first = at.scene.field_slices[axis].start, at.frame_field[axis].start
            assert scene[first[0]] == pytest.approx(0, abs=1e-9)
            assert frame[first[1]] == pytest.approx(0, abs=1e-9)
            assert scene[0] == pytest.approx(frame[0])
            # Periodic alike: a Fourier crop leads from one to the other.
            assert len(scene) * (scene[1:2] - scene[:1]) == pytest.approx(at.raw.padded_extent[axis])
            assert len(frame) * (frame[1:2] - frame[:1]) == pytest.approx(at.raw.padded_extent[axis])
            assert len(frame) <= len(scene)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_field_is_cut_out_exactly_and_holds_every_sample_of_it(layout, shape):
    for level in range(N_LEVELS):
        at = layout(shape).at_level(level)
        for axis, n in enumerate(shape):
            for part, where in (
                (at.frame_field[axis], _frame_positions(at, axis)),
                (at.scene.field_slices[axis], _scene_positions(at, axis)),
            ):
                inside = where[part]
                assert inside[0] == pytest.approx(0, abs=1e-9)
                step = where[1] - where[0]
                if part is at.frame_field[axis]:
                    assert inside[-1] < n <= inside[-1] + step + 1e-9
                else:
                    # The result's pixels cover the last raw pixel too, and reach less than one beyond.
                    assert n - step - 1e-9 <= inside[-1] < n + step
    assert layout(shape).frame_field == tuple(
        slice(before, before + n) for n, (before, _) in zip(shape, layout(shape).raw.padding, strict=True)
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("enlarge", HALVES)
def test_padded_extents_are_even_and_divide_by_all_levels(layout, shape, enlarge):
    full = layout(shape, enlarge=enlarge)
    for axis in (-2, -1):
        assert full.raw.padded_extent[axis] % 2 == 0
        assert full.scene.padded_extent[axis] % 2 ** (N_LEVELS - 1) == 0
        assert full.scene.padding[axis][0] % 2 ** (N_LEVELS - 1) == 0
        assert full.scene.margin[axis] % 2 ** (N_LEVELS - 1) == 0
    for level in range(N_LEVELS):
        assert all(n % 2 == 0 for n in full.at_level(level).frame_shape[-2:])


def test_planes_are_neither_enlarged_nor_coarsened(layout):
    full = layout((5, 33, 47))
    assert full.scene.shape == (5, 50, 71)
    assert full.scene.pixel_size_um[0] == full.raw.pixel_size_um[0] == 0.15
    assert {full.at_level(k).scene.padded_shape[0] for k in range(3)} == {full.raw.padded_extent[0]}
    assert {full.at_level(k).frame_shape[0] for k in range(3)} == {full.raw.padded_extent[0]}
    assert min(min(layout((5, 33, 47), padding_planes=n).raw.padding[0]) - n for n in (0, 2, 5)) >= 0


@pytest.mark.parametrize(
    ("pixel_size_um", "expected"),
    # The simulated optics; a pixel that just samples the objective's cutoff needs twice as much, and a little more,
    # since the light that makes the stripes is of shorter wavelength.
    [(0.04, 1.5), (0.065, 1.5), (0.09, 2.0), (0.515 / (4 * 1.28), 2.5), (0.3, 4.0)],
)
def test_automatic_enlargement(settings, pixel_size_um, expected):
    assert enlargement(settings(pixel_size_um=pixel_size_um)) == expected
    assert enlargement(settings(pixel_size_um=pixel_size_um, enlarge=3.5)) == 3.5


def test_the_automatic_grid_holds_the_finest_detail_that_stripes_can_carry(settings):
    for pixel in np.linspace(0.03, 0.15, 40):
        made = settings(pixel_size_um=float(pixel))
        optics, factor = SimOptics.from_settings(made), enlargement(made)
        finest = optics.cutoff + 2 * optics.finest_order_1
        assert 0.5 * factor / pixel > finest
        assert factor == 1.5 or 0.5 * (factor - 0.5) / pixel < 1.03 * finest


def test_padding_is_as_wide_as_a_point_is_spread_unless_it_is_given(settings, layout):
    auto = layout((64, 64))
    reach = reach_px(settings())
    assert reach * 0.065 >= 2 * 0.515 / 1.28
    assert min(min(pad) for pad in auto.raw.padding) >= reach
    assert min(min(pad) for pad in layout((64, 64), padding_px=50).raw.padding) >= 50
    assert layout((64, 64), padding_px=0).raw.padding == ((0, 0), (0, 0))


def test_there_is_room_for_the_largest_displacement(layout):
    for enlarge in (1.0, 1.5, 4.0):
        for most in (1, 16, 100):
            scene = layout((64, 64), max_displacement_px=most, enlarge=enlarge).scene
            room = min(min(pad) + margin for pad, margin in zip(scene.padding, scene.margin, strict=True))
            assert room >= most * enlarge


def test_phases_are_counted_at_the_middle_pixel_of_the_field(layout):
    for shape in SHAPES:
        at = layout(shape)
        row, column = middle_px(shape)
        assert (row, column) == (shape[-2] // 2, shape[-1] // 2)
        assert at.middle == pytest.approx((row * at.enlarge, column * at.enlarge))
