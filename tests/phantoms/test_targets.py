from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.phantoms import _usaf
from napari_nstm.phantoms.motions import KnownMotion
from napari_nstm.phantoms.targets import Target, cells, usaf1951

SIZES = (128, 256, 512)


@pytest.fixture(scope="module")
def usaf() -> Target:
    return usaf1951((256, 256)).phase


def random_target(shape: tuple[int, int] = (24, 30), empty: int = 0) -> Target:
    image = np.random.default_rng(1).uniform(0, 1, (4 * shape[0], 4 * shape[1])).astype(np.float32)
    if empty:
        image = np.pad(image[4 * empty : -4 * empty, 4 * empty : -4 * empty], 4 * empty)
    return Target(image)


def assert_border_is_free(picture: np.ndarray, border: int) -> None:
    free = picture.copy()
    free[border:-border, border:-border] = 0
    assert not np.any(free)


# --- Target


def test_a_pixel_is_the_mean_over_its_area():
    target = random_target()
    area_mean = target.image.reshape(24, 4, 30, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(target.on_grid((24, 30)), area_mean, atol=1e-6)


def test_half_a_pixel_of_an_edge_gives_half_the_value():
    image = np.zeros((40, 40), np.float32)
    image[:, 4 * 5 + 2 :] = 1  # the edge runs through the centre of pixel 5
    row = Target(image).on_grid((10, 10))[4]
    np.testing.assert_allclose(row, [0] * 5 + [0.5] + [1] * 4, atol=1e-6)


def test_sample_zero_is_not_shifted():
    """A target that is symmetric about a pixel's centre is rendered symmetric about it, on every grid."""
    y, x = np.meshgrid(*(2 * [-0.375 + 0.25 * np.arange(4 * 33)]), indexing="ij")
    target = Target(np.exp(-((y - 16) ** 2 + (x - 16) ** 2) / 20).astype(np.float32))
    picture = target.on_grid((33, 33))
    np.testing.assert_allclose(picture, picture[::-1, ::-1], atol=1e-6)
    fine = target.on_grid((65, 65), spacing_px=(0.5, 0.5))
    np.testing.assert_allclose(fine, fine[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(fine[::2, ::2], picture, atol=0.01)


def test_whole_pixels_of_translation_shift_the_picture():
    target = random_target(empty=5)
    shift = np.array([3.0, -2.0], np.float32)[:, None, None]
    moved = target.on_grid((24, 30), lambda x: np.broadcast_to(-shift, x.shape))
    np.testing.assert_allclose(moved, np.roll(target.on_grid((24, 30)), (3, -2), axis=(0, 1)), atol=1e-5)


def test_rotation_by_a_quarter_turns_the_picture_clockwise():
    target = usaf1951((65, 65)).phase
    motion = KnownMotion("rotation", (65, 65), np.pi / 2)
    moved = target.on_grid((65, 65), lambda x: motion.pull_back(x, 1.0))
    np.testing.assert_allclose(moved, np.rot90(target.on_grid((65, 65)), -1), atol=1e-3)


def test_values_at_any_shape_of_positions_and_zero_outside():
    target = random_target()
    where = positions((24, 30))
    np.testing.assert_array_equal(target.at(where.reshape(2, 4, 6, 30)), target.at(where).reshape(4, 6, 30))
    assert target.at(where).dtype == np.float32
    assert target.at(np.array([10.125, 3.375])) == target.image[42, 15]
    assert not np.any(target.at(np.array([[-2.0, 30.0, 5.0], [5.0, 5.0, 31.0]])))


def test_the_image_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        random_target().image[0, 0] = 1


# --- USAF-1951


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", [0, 1])
def test_usaf_fills_the_field_and_leaves_a_border(size, seed):
    picture = usaf1951((size, size), seed).phase.on_grid((size, size))
    assert 0.25 <= np.mean(picture > 0.5) <= 0.40
    assert_border_is_free(picture, size // 10 - 1)


def test_usaf_is_binary_and_transparent():
    phantom = usaf1951((256, 256))
    inside = (phantom.phase.image > 0) & (phantom.phase.image < 1)
    assert phantom.phase.image.max() == 1
    assert inside.mean() < 0.08  # cells on an edge only
    assert phantom.absorption is None


def test_bars_are_as_the_definition_says():
    elements = defaultdict(list)
    for bar in _usaf.bars(4):
        if bar.element:
            elements[bar.group, bar.element].append(bar)
    assert sorted(elements) == [(g, e) for g in range(4) for e in range(1, 7)]
    for (group, element), bars in elements.items():
        width = 2.0 ** -(group + (element - 1) / 6)
        vertical = sorted((b for b in bars if b.height > b.width), key=lambda b: b.x)
        horizontal = sorted((b for b in bars if b.width > b.height), key=lambda b: b.y)
        assert len(vertical) == len(horizontal) == 3
        np.testing.assert_allclose([b.width for b in vertical] + [b.height for b in horizontal], width)
        np.testing.assert_allclose([b.height for b in vertical] + [b.width for b in horizontal], 5 * width)
        np.testing.assert_allclose(np.diff([b.x for b in vertical]), 2 * width)
        np.testing.assert_allclose(np.diff([b.y for b in horizontal]), 2 * width)


def test_elements_lie_where_they_belong_and_do_not_touch():
    bars = list(_usaf.bars(4))
    side = _usaf.LAYER_SIDE
    middle = {key: np.mean([(b.y, b.x) for b in bars if (b.group, b.element) == key], axis=0)
              for key in {(b.group, b.element) for b in bars}}  # fmt: skip
    for element in range(2, 7):
        assert middle[0, element][1] < side / 2 < middle[1, element][1]  # left; right
    assert np.all(middle[0, 1] > side / 2)  # lower right
    assert all(middle[g, e][0] < middle[g, e + 1][0] for g, e in [(0, 2), (0, 5), (1, 1), (1, 5)])  # downwards
    for i, a in enumerate(bars):
        assert -1e-9 <= a.y <= side - a.height + 1e-9
        assert -1e-9 <= a.x <= side - a.width + 1e-9
        gap = 0.4 * min(a.height, a.width)
        for b in bars[:i]:
            apart_y = max(a.y, b.y) - min(a.y + a.height, b.y + b.height)
            apart_x = max(a.x, b.x) - min(a.x + a.width, b.x + b.width)
            assert max(apart_y, apart_x) > min(gap, 0.4 * min(b.height, b.width))


def test_a_profile_across_an_element_shows_three_bars_of_its_width(usaf):
    """Measured on the rendered picture: widths fall by 2^(1/6) from one element to the next."""
    picture = usaf.on_grid((256, 256))
    unit_px = 0.8 * 256 / _usaf.LAYER_SIDE
    corner = 255 / 2 - unit_px * _usaf.LAYER_SIDE / 2
    widths = []
    for element in range(2, 7):
        vertical = [b for b in _usaf.bars(3) if (b.group, b.element) == (0, element) and b.height > b.width]
        row = round(corner + unit_px * (vertical[0].y + vertical[0].height / 2))
        first = corner + unit_px * vertical[0].x
        length = round(unit_px * 5.5 * vertical[0].width)
        profile = picture[row, round(first) - 2 : round(first) + length]
        rises = np.sum(np.diff((profile > 0.5).astype(int)) == 1)
        assert rises == 3
        widths.append(profile.sum() / 3)  # the area under three bars of height 1
    np.testing.assert_allclose(np.divide(widths[:-1], widths[1:]), 2 ** (1 / 6), rtol=0.005)
    assert widths[0] == pytest.approx(unit_px * 2 ** (-1 / 6), rel=0.005)


@pytest.mark.parametrize(("size", "groups"), [(64, 1), (128, 2), (256, 3), (512, 4)])
def test_larger_fields_hold_more_groups_down_to_bars_of_two_pixels(size, groups):
    unit_px = 0.8 * size / _usaf.LAYER_SIDE
    assert _usaf.n_groups_for(unit_px) == groups
    last_group = [unit_px * _usaf.bar_width(groups - 1, element) for element in range(1, 7)]
    assert 1.0 < last_group[-1] < 2.0 < last_group[0]


def test_a_smaller_fill_makes_a_smaller_target():
    picture = usaf1951((256, 256), fill=0.15).phase.on_grid((256, 256))
    assert np.mean(picture) == pytest.approx(0.15, abs=0.01)


def test_usaf_seed_shifts_by_parts_of_a_pixel_only():
    y, x = np.indices((128, 128))
    centres = []
    for seed in (0, 1, 2):
        picture = usaf1951((128, 128), seed).phase.on_grid((128, 128))
        centres.append((np.sum(y * picture) / picture.sum(), np.sum(x * picture) / picture.sum()))
    shifts = np.array(centres[1:]) - centres[0]
    assert np.all(np.abs(shifts) < 0.51)
    assert np.all(np.abs(shifts).max(axis=1) > 0.05)


# --- cells


@pytest.mark.parametrize("size", SIZES)
def test_cells_fill_the_field_and_leave_a_border(size):
    picture = cells((size, size)).phase.on_grid((size, size))
    assert 0.25 <= np.mean(picture > 0.1) <= 0.40
    assert_border_is_free(picture, size // 10 - 1)


@pytest.mark.parametrize("seed", range(3))
def test_every_seed_makes_other_cells_of_the_same_area(seed):
    picture = cells((72, 96), seed).phase.on_grid((72, 96))
    assert 0.25 <= np.mean(picture > 0.1) <= 0.40
    other = cells((72, 96), seed + 1).phase.on_grid((72, 96))
    assert np.corrcoef(picture.ravel(), other.ravel())[0, 1] < 0.8
    np.testing.assert_array_equal(picture, cells((72, 96), seed).phase.on_grid((72, 96)))


def test_cells_are_smooth_and_absorb_weakly_inside():
    phantom = cells((128, 128))
    assert phantom.absorption is not None
    phase, absorption = phantom.phase.image, phantom.absorption.image
    assert (phase.min(), phase.max()) == (0, 1)
    assert (absorption.min(), absorption.max()) == pytest.approx((0, 0.3))
    assert np.all(phase[absorption > 1e-3] > 0)
    assert max(np.abs(np.diff(phase, axis=axis)).max() for axis in (0, 1)) < 0.15  # per quarter pixel


@pytest.mark.parametrize("make", [usaf1951, cells])
def test_fields_that_are_too_small_are_refused(make):
    with pytest.raises(InputError, match="size: got 20 pixels; takes 32 pixels or more"):
        make((20, 64))
    with pytest.raises(InputError, match="fill"):
        make((64, 64), fill=0.0)
