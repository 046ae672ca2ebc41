"""Regions are whole, even numbers of pixels within the frames."""

import numpy as np
import pytest

from napari_nstm._qt.setup.region_px import corners_of, fits, in_words, is_upright, region_of

FIELD = (101, 240)


def box(top, left, bottom, right):
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])


def test_a_rectangle_around_pixels_gives_these_pixels_back():
    for region in ((0, 0, 32, 32), (10, 50, 64, 128), (68, 208, 32, 32)):
        assert region_of(corners_of(region), FIELD) == region


@pytest.mark.parametrize(
    ("corners", "region"),
    [
        (box(10.4, 19.6, 60.2, 99.8), (10, 20, 50, 80)),  # to the nearest even pixel
        (box(-30, -30, 300, 300), (0, 0, 100, 240)),  # no more than there is, and an even number of it
        (box(50, 100, 51, 101), (50, 100, 32, 32)),  # at least 32
        (box(98, 230, 99, 239), (68, 208, 32, 32)),  # likewise at the edge
        (box(-90, -90, -80, -80), (0, 0, 32, 32)),  # beside the frames
    ],
)
def test_it_is_even_large_enough_and_within_the_frames(corners, region):
    found = region_of(corners, FIELD)
    assert found == region
    assert fits(found, FIELD)


def test_of_a_turned_shape_the_box_around_it_counts():
    tilted = np.array([(50, 40), (10, 80), (50, 120), (90, 80)]) - 0.5
    assert region_of(tilted, FIELD) == (10, 40, 80, 80)
    assert not is_upright(tilted)
    assert is_upright(box(1, 2, 30, 40))


def test_frames_that_are_too_small_have_no_region():
    assert region_of(box(0, 0, 20, 20), (30, 240)) is None


def test_what_does_not_fit_is_known():
    assert fits((0, 0, 101, 240), FIELD)
    assert not fits((70, 0, 32, 32), FIELD)
    assert not fits((0, -2, 32, 32), FIELD)


def test_words():
    assert in_words(None) == "whole field"
    assert in_words((100, 50, 128, 64)) == "rows 100–228, columns 50–114 (128 × 64 px)"
