import numpy as np
import pytest

from napari_nstm.core.grids import Channel, Grid
from napari_nstm.imaging.padding import pad_fading, weight_of


def _grid(shape, padding):
    return Grid(shape, (1.0,) * len(shape), padding, (0,) * len(shape), (Channel("a", "counts"),))


GRIDS = [
    _grid((9, 12), ((8, 7), (4, 16))),
    _grid((3, 9, 12), ((2, 3), (8, 7), (4, 16))),
    _grid((9, 12), ((0, 7), (4, 0))),
    _grid((9, 12), ((30, 31), (0, 0))),  # wider than the field itself
]


@pytest.mark.parametrize("grid", GRIDS)
def test_the_field_stays_as_it_is(grid):
    frames = np.random.default_rng(0).random((2, *grid.shape)).astype(np.float32)
    padded = pad_fading(frames, grid)
    assert padded.shape == (2, *grid.padded_extent)
    assert padded.dtype == np.float32
    np.testing.assert_array_equal(padded[(slice(None), *grid.field_slices)], frames)


def test_surroundings_are_the_mirrored_field_times_a_fall():
    grid = GRIDS[0]
    frames = np.random.default_rng(0).random((1, *grid.shape)).astype(np.float32)
    padded = pad_fading(frames, grid)[0]
    # The first pixel beyond an edge mirrors the edge itself.
    for distance in range(7):
        fall = np.cos(np.pi * (distance + 1) / 16) ** 2
        np.testing.assert_allclose(padded[8 + 9 + distance, 4:16], fall * frames[0, 8 - distance], rtol=1e-5)
    falls = padded[8:17, 16:] / np.pad(frames[0], ((0, 0), (0, 16)), mode="symmetric")[:, 12:]
    np.testing.assert_allclose(falls, np.broadcast_to(falls[0], falls.shape), rtol=1e-5)
    assert np.all(np.diff(falls[0]) < 0)


@pytest.mark.parametrize("grid", GRIDS[:2])
def test_what_is_constant_falls_to_zero_at_the_rim_without_a_jump_where_it_repeats(grid):
    padded = pad_fading(np.ones((1, *grid.shape), np.float32), grid)[0]
    for axis, (before, after) in enumerate(grid.padding):
        line = np.moveaxis(padded, axis, -1)[(*(n // 2 for n in np.delete(padded.shape, axis)),)]
        twice = np.concatenate([line, line])
        steepest = np.pi / 2 / (min(before, after) + 1)
        assert np.abs(np.diff(twice)).max() <= steepest
        assert max(line[0], line[-1]) < steepest


def test_a_field_without_padding_is_returned_as_it_is():
    grid = _grid((4, 5), ((0, 0), (0, 0)))
    frames = np.random.default_rng(0).random((2, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(pad_fading(frames, grid), frames)


def test_only_pixels_of_the_field_beyond_its_margin_count():
    weight = weight_of((slice(1, 4), slice(3, 9), slice(2, 8)), (5, 12, 10), (0, 1, 2))
    assert weight.dtype == np.float32
    expected = np.zeros((5, 12, 10))
    expected[1:4, 4:8, 4:6] = 1
    np.testing.assert_array_equal(weight, expected)
