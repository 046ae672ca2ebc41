import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.core.tiles import overlap_of, plan_tiles


def plan(field, tile, **borders):
    return plan_tiles(field, tile, **{"reach_px": 16, "motion_px": 24, "blend_px": 10, **borders})


FIELDS = [((1024, 1024), 256), ((1000, 700), 256), ((300, 700), 512), ((515, 333), 128), ((64, 64), 64)]


@pytest.mark.parametrize(("field", "tile"), FIELDS)
def test_output_tiles_cover_the_field_once(field, tile):
    count = np.zeros(field, int)
    for one in plan(field, tile).tiles:
        y, x, rows, columns = one.output
        assert max(rows, columns) <= tile
        count[y : y + rows, x : x + columns] += 1
    assert (count == 1).all()


@pytest.mark.parametrize(("field", "tile"), FIELDS)
def test_what_is_fitted_reaches_as_far_as_it_must_or_to_the_end_of_the_field(field, tile):
    found = plan(field, tile)
    for one in found.tiles:
        for axis in (0, 1):
            before = one.output[axis] - one.fitted[axis]
            after = one.fitted[axis] + one.fitted[axis + 2] - one.output[axis] - one.output[axis + 2]
            assert before >= 16 + 24 + 10 or one.fitted[axis] == 0
            assert after >= 16 + 24 + 10 or one.fitted[axis] + one.fitted[axis + 2] == field[axis]
            assert one.fitted[axis] % 8 == one.output[axis] % 8 == 0


def test_all_fitted_parts_of_a_field_of_whole_blocks_have_one_size():
    assert len({one.fitted[2:] for one in plan((1024, 1024), 256).tiles}) == 1


@pytest.mark.parametrize(("field", "tile"), FIELDS)
@pytest.mark.parametrize("blend", [0, 10])
def test_weights_sum_to_one_and_lie_within_what_was_fitted(field, tile, blend):
    found = plan(field, tile, blend_px=blend)
    rows, columns = np.arange(field[0]), np.arange(field[1])
    total = np.zeros(field)
    for one in found.tiles:
        weight = found.weight(one, rows, columns)
        total += weight
        y, x, height, width = found.support(one)
        assert overlap_of(found.support(one), one.fitted) == found.support(one)
        outside = weight.copy()
        outside[y : y + height, x : x + width] = 0
        assert not outside.any()
        assert (weight >= 0).all()
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_weights_sum_to_one_between_the_pixels_too():
    found = plan((300, 700), 256)
    rows, columns = np.linspace(0, 299, 451), np.linspace(0, 699, 1051)
    total = sum(found.weight(one, rows, columns).astype(float) for one in found.tiles)
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_neighbours_are_those_whose_weight_reaches_into_a_region():
    found = plan((1024, 1024), 256)
    assert [one.index for one in found.neighbours((20, 20, 50, 50))] == [0]
    assert [one.index for one in found.neighbours((250, 20, 3, 3))] == [0, 4]
    assert [one.index for one in found.neighbours((250, 250, 3, 3))] == [0, 1, 4, 5]


@pytest.mark.parametrize("size", range(97, 321, 28))
def test_whatever_the_field_a_size_that_is_large_enough_is_taken(size):
    # Tiles of about one size might be smaller than their bands: then the last one is what is left.
    found = plan((size, size), 96, reach_px=5, motion_px=3, blend_px=32)
    total = sum(found.weight(one, np.arange(size), np.arange(size)) for one in found.tiles)
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert max(one.output[2] for one in found.tiles) <= 96


def test_tiles_smaller_than_their_bands_are_refused():
    with pytest.raises(InputError, match=r"compute.tile_px: got 48 pixels; takes 80 pixels or more"):
        plan((256, 256), 48, blend_px=40)


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [
        ((0, 0, 4, 4), (2, 3, 4, 4), (2, 3, 2, 1)),
        ((0, 0, 4, 4), (4, 0, 4, 4), None),
        ((1, 1, 2, 2), (0, 0, 9, 9), (1, 1, 2, 2)),
    ],
)
def test_what_two_regions_share(a, b, shared):
    assert overlap_of(a, b) == overlap_of(b, a) == shared
