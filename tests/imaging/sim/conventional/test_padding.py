import numpy as np

from napari_nstm.core.grids import Channel, Grid
from napari_nstm.imaging.sim.conventional.padding import pad_periodic, samples_kept

CHANNELS = (Channel("fluorescence", "counts"),)
PLANE = Grid((20, 24), (0.065, 0.065), ((8, 12), (10, 6)), (0, 0), CHANNELS)
STACK = Grid((5, 20, 24), (0.15, 0.065, 0.065), ((2, 3), (8, 12), (10, 6)), (0, 0, 0), CHANNELS)


def _smooth(shape):
    axes = np.meshgrid(*(np.linspace(0, 2, n) for n in shape), indexing="ij")
    return np.sum([(k + 1) * a for k, a in enumerate(axes)], axis=0, dtype=np.float32)[None]


def test_the_field_stays_and_no_edge_jumps():
    for grid in (PLANE, STACK):
        image = _smooth(grid.shape)
        padded = pad_periodic(image, grid)
        assert padded.shape[1:] == grid.padded_extent
        np.testing.assert_array_equal(padded[(0, *grid.field_slices)], image[0])
        for axis in range(1, padded.ndim):
            steps = np.abs(padded - np.roll(padded, 1, axis=axis))
            # A straight mirror image would jump by the whole range, 2 along the first axis and more along the others.
            assert steps.max() < 0.35 * np.ptp(image)


def test_light_alike_in_all_planes_stays_so():
    image = np.broadcast_to(_smooth(STACK.shape[1:]), STACK.shape)[None].astype(np.float32)
    padded = pad_periodic(image, STACK)[0]
    np.testing.assert_allclose(padded, np.broadcast_to(padded[2], padded.shape), rtol=1e-6)


def test_planes_above_blend_into_those_below():
    image = np.zeros((1, *STACK.shape), np.float32)
    image[0, :, 10, 12] = [1, 2, 3, 4, 5]
    z = pad_periodic(image, STACK)[0, :, 18, 22]
    # After the last plane its neighbours in mirror order, ever more mixed with those before the first.
    share = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, 6) / 6)
    added = (1 - share) * [5, 4, 3, 2, 1] + share * [5, 4, 3, 2, 1]
    np.testing.assert_allclose(z, [*added[3:], 1, 2, 3, 4, 5, *added[:3]], rtol=1e-6)


def test_noise_that_is_left():
    noise = np.random.default_rng(0).standard_normal((400, *PLANE.shape)).astype(np.float32)
    left = np.sum(pad_periodic(noise, PLANE) ** 2) / len(noise)
    np.testing.assert_allclose(left, samples_kept(PLANE), rtol=0.02)
