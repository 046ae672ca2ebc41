"""Images that stay in their file: what is sliced is all that is read."""

import numpy as np
import pytest

from napari_nstm.io._on_disk import ImagesOnDisk

STACK = np.arange(2 * 3 * 20 * 30, dtype=np.int32).reshape(2, 3, 20, 30)


@pytest.fixture
def images():
    """A stack that notes what is read of it: numbers of images, rows and columns."""
    asked = []

    def read(index, window):
        asked.append((index.tolist(), window))
        return STACK.reshape(6, 20, 30)[(index, *window)]

    return ImagesOnDisk.of(read, STACK.shape, STACK.dtype), asked


def test_it_looks_like_an_array_and_reads_nothing_for_it(images):
    stack, asked = images
    assert (stack.shape, stack.ndim, stack.size, stack.nbytes, len(stack)) == ((2, 3, 20, 30), 4, 3600, 14400, 2)
    part = stack[1:][..., 5:15, -10:]
    assert part.shape == np.shape(part) == (1, 3, 10, 10)
    assert asked == []


def test_slices_of_slices_are_read_at_once_and_alone(images):
    stack, asked = images
    part = stack[1:][..., 5:15, 10:][..., 2:, :-5]
    np.testing.assert_array_equal(np.asarray(part), STACK[1:, :, 7:15, 10:25])
    assert asked == [([3, 4, 5], (slice(7, 15), slice(10, 25)))]


@pytest.mark.parametrize("key", [0, -1, np.s_[1, 2], np.s_[:, 1:], np.s_[..., 3], np.s_[::-1], np.s_[..., ::2, :]])
def test_anything_else_is_what_an_array_would_give(images, key):
    stack, _ = images
    np.testing.assert_array_equal(np.asarray(stack[key]), STACK[key])


def test_it_is_walked_through_one_by_one(images):
    stack, asked = images
    for part, expected in zip(stack, STACK, strict=True):
        np.testing.assert_array_equal(np.asarray(part), expected)
    assert [index for index, _ in asked] == [[0, 1, 2], [3, 4, 5]]
    assert np.asarray(stack, np.float32).dtype == np.float32
