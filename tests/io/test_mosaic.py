from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.core.tiles import plan_tiles
from napari_nstm.io._mosaic import Layout, agreeing_offsets, averaged, blended, differences, field_means, samples_per_px

PLAN = plan_tiles((96, 128), 48, reach_px=4, motion_px=4, blend_px=6)
ALL = frozenset(range(6))


def layout_of(factor=1.0, there=ALL):
    return Layout.of(PLAN, tuple(int(np.ceil(n * factor)) for n in PLAN.field_px), there)


def reader(layout, image, offsets):
    """Tiles that hold parts of one image, each with constants of its own."""
    held = {}
    for tile in PLAN.tiles:
        y, x = map(round, layout.start(tile))
        rows, columns = (round(n * f) for n, f in zip(tile.fitted[2:], layout.factor, strict=True))
        part = image[..., y : y + rows, x : x + columns]
        held[tile.index] = part + np.reshape(offsets[tile.index], (-1, *(1,) * (image.ndim - 1)))
    return lambda tile, part: held[tile.index][(..., *layout.inside(tile, part))]


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(2, 144, 192)).astype(np.float32)  # 1.5 samples a pixel


@pytest.mark.parametrize(("n", "px", "factor"), [(64, 64, 1), (50, 33, 1.5), (99, 33, 3), (65, 26, 2.5), (48, 96, 0.5)])
def test_samples_per_pixel_is_what_a_method_enlarges_by(n, px, factor):
    assert samples_per_px(n, px) == factor


@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0])
def test_output_tiles_in_samples_cover_the_whole_once(factor):
    layout = layout_of(factor)
    covered = np.zeros(layout.shape, int)
    for tile in PLAN.tiles:
        y, x, rows, columns = layout.scaled(tile.output)
        covered[y : y + rows, x : x + columns] += 1
    np.testing.assert_array_equal(covered, 1)


def test_tiles_of_one_image_give_it_back(image):
    layout, none = layout_of(1.5), np.zeros((6, 2))
    values, spread = blended(layout, (0, 0, *layout.shape), reader(layout, image, none), none, (2,))
    np.testing.assert_allclose(values, image, atol=2e-6)
    assert spread.max() < 1e-10


def test_constants_come_back_and_add_up_to_zero(image):
    layout = layout_of(1.5)
    planted = np.random.default_rng(1).normal(size=(6, 2))
    read = reader(layout, image, planted)
    found = averaged([differences(layout, read, 2)] * 3)
    offsets = agreeing_offsets(layout, found, [False, True])
    np.testing.assert_array_equal(offsets[:, 0], 0)
    np.testing.assert_allclose(offsets[:, 1], planted[:, 1].mean() - planted[:, 1], atol=1e-6)
    np.testing.assert_allclose(offsets[:, 1].sum(), 0, atol=1e-9)
    left = found.after(offsets, layout.pairs)
    assert left[0] > 0.1
    assert left[1] < 1e-10
    values, _ = blended(layout, (0, 0, *layout.shape), read, offsets, (2,))
    np.testing.assert_allclose(values[1] - image[1], planted[:, 1].mean(), atol=2e-6)


def test_the_mean_square_of_differences_is_that_of_all_samples_compared(image):
    layout, planted = layout_of(1.5), np.random.default_rng(1).normal(size=(6, 2))
    read = reader(layout, image, planted)
    ways = [(read(a, part) - read(b, part)).reshape(2, -1) for a, b, part in layout.pairs]
    expected = (np.concatenate(ways, axis=1).astype(np.float64) ** 2).mean(axis=1)
    found = differences(layout, read, 2).after(np.zeros((6, 2)), layout.pairs)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("there", [ALL, frozenset({0, 1, 3, 4, 5})])
def test_the_mean_over_the_field_is_that_of_the_blend(image, there):
    layout, offsets = layout_of(1.5, there), np.random.default_rng(2).normal(size=(6, 2))
    read = reader(layout, image, np.zeros((6, 2)))
    values, _ = blended(layout, (0, 0, *layout.shape), read, offsets, (2,))
    means, shares = field_means(layout, read, 2)
    np.testing.assert_allclose(means + shares @ offsets, np.nanmean(values, axis=(1, 2), dtype=np.float64), atol=1e-5)
    assert np.isnan(values).any() == (len(there) < 6)


def test_two_parts_that_do_not_touch_have_constants_of_their_own(image):
    layout, planted = layout_of(1.5, frozenset({0, 2, 3})), np.arange(12.0).reshape(6, 2)
    offsets = agreeing_offsets(layout, differences(layout, reader(layout, image, planted), 2), [True, True])
    np.testing.assert_allclose(offsets[[0, 3]], [[3, 3], [-3, -3]], atol=1e-6)
    np.testing.assert_allclose(offsets[[1, 2, 4, 5]], 0, atol=1e-9)
