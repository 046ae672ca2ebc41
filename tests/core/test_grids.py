from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.core.grids import Channel, Grid, padded_grid

CHANNELS = (Channel("value", "a.u."),)


def grid_of(shape, pad=10, margin=7, n_levels=3):
    ndim = len(shape)
    return padded_grid(shape, (0.5,) * ndim, CHANNELS, (pad,) * ndim, (margin,) * ndim, n_levels)


def positions(origin, shape, step):
    return [o + np.arange(n) * s for o, n, s in zip(origin, shape, step, strict=True)]


@pytest.mark.parametrize("shape", [(256, 256), (251, 100), (33, 64), (5, 70, 41), (1, 1)])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_sample_0_of_field_and_canvas_coincides_at_every_level(shape, level):
    grid = grid_of(shape).at_level(level)
    padded = positions(grid.padded_origin, grid.padded_shape, grid.step)
    canvas = positions(grid.canvas_origin, grid.canvas_shape, grid.step)
    for axis, part in enumerate(grid.field_slices):
        field = padded[axis][part]
        # The field's samples are level-0 samples 0, step, 2 step, ... and no sample of the field is left out.
        np.testing.assert_array_equal(field, np.arange(0, shape[axis], grid.step[axis]))
        assert len(field) == grid.field_shape[axis]
        # The canvas has a sample at each of the padded field's.
        assert np.isin(padded[axis], canvas[axis]).all()


@pytest.mark.parametrize("shape", [(256, 256), (251, 100), (5, 70, 41)])
def test_the_border_is_as_wide_as_asked_and_sizes_divide(shape):
    grid = grid_of(shape, pad=13, margin=9)
    for axis, n in enumerate(shape):
        assert min(grid.padding[axis]) >= 13
        assert grid.margin[axis] >= 9
        assert grid.padded_extent[axis] == n + sum(grid.padding[axis])
        block = 1 if len(shape) == 3 and axis == 0 else 4
        assert grid.padded_extent[axis] % block == 0
        assert grid.canvas_extent[axis] % block == 0
        assert grid.padding[axis][0] % block == 0
    coarse = grid.at_level(2)
    assert coarse.padded_extent == grid.padded_extent
    for n, extent, step in zip(coarse.padded_shape, grid.padded_extent, coarse.step, strict=True):
        assert n * step == extent


def test_padded_sizes_transform_fast():
    for n in range(200, 300, 7):
        extent = grid_of((n, n)).padded_extent[0]
        for prime in (2, 3, 5):
            while extent % prime == 0:
                extent //= prime
        assert extent == 1


def test_z_is_never_coarsened():
    grid = grid_of((6, 64, 64))
    assert grid.at_level(2).step == (1, 4, 4)
    assert grid.at_level(2).padded_shape[0] == grid.padded_shape[0]
    assert grid.at_level(2).canvas_shape[0] == grid.canvas_shape[0]
    assert grid.at_level(2).field_shape == (6, 16, 16)


def test_a_grid_without_border_is_the_field_itself():
    grid = Grid((8, 9), (1.0, 1.0), ((0, 0), (0, 0)), (0, 0), CHANNELS)
    assert grid.padded_shape == grid.canvas_shape == grid.field_shape == (8, 9)
    assert grid.field_slices == (slice(0, 8), slice(0, 9))
    assert grid.padded_origin == grid.canvas_origin == (0.0, 0.0)
