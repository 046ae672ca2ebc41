"""Keys have their colours and words in them, and lie above the field."""

import numpy as np
import pytest

from napari_nstm._qt.layers.legend import above, color_bar, swatches
from napari_nstm.analysis.views import depth_colors, time_colors


def ink(picture):
    """Columns in which something white stands."""
    return np.flatnonzero((picture.min(axis=-1) > 180).any(axis=0))


@pytest.mark.parametrize("n", [2, 3, 8])
def test_every_moment_has_its_square_and_its_word(n):
    colors = time_colors(n)
    picture = swatches(colors, [f"{100 * k} ms" for k in range(n)])
    row = picture[len(picture) // 2]
    squares = [np.flatnonzero(np.abs(row - 255 * color / color.max()).max(axis=-1) < 2) for color in colors]
    starts = [square[0] for square in squares]
    assert starts == sorted(starts)
    for square, end in zip(squares, [*starts[1:], picture.shape[1]], strict=True):
        words = ink(picture)
        assert ((words > square[-1]) & (words < end)).sum() > 10, "between this square and the next"


def test_a_bar_runs_through_its_colours_between_its_words():
    colors = depth_colors(8)
    picture = color_bar(colors, "z = 0", "1.05 µm")
    row = picture[len(picture) // 2 - 8].astype(int)
    vivid = np.flatnonzero(np.ptp(row, axis=-1) > 100)
    assert len(vivid) > 300
    np.testing.assert_allclose(row[vivid[3]] / 255, colors[0], atol=0.02)
    np.testing.assert_allclose(row[vivid[-3]] / 255, colors[-1], atol=0.02)
    words = ink(picture)
    assert (words < vivid[0]).sum() > 20 < (words > vivid[-1]).sum()


def test_a_key_is_as_wide_as_the_field_and_lies_above_it():
    placed = above((5, 40, 60), (0.3, 0.1, 0.2))
    key = swatches(time_colors(2), ["a", "b"])
    step, top, left = placed["scale"][0], *placed["translate"]
    assert left - step / 2 == pytest.approx(-0.1)
    assert left + (key.shape[1] - 0.5) * step == pytest.approx(59.5 * 0.2)
    bottom = top + (key.shape[0] - 0.5) * step
    assert -0.1 * 60 * 0.2 < bottom < -0.05


def test_a_key_of_a_region_lies_above_the_region_and_a_small_one_ends_with_it():
    whole, region = above((40, 60), (0.1, 0.2)), above((40, 60), (0.1, 0.2), (3.0, 5.0))
    np.testing.assert_allclose(np.subtract(region["translate"], whole["translate"]), (3, 5))
    small = above((40, 60), (0.1, 0.2), picture=(50, 100), share=0.25)
    step = small["scale"][0]
    assert 100 * step == pytest.approx(0.25 * 60 * 0.2)
    assert small["translate"][1] + 99.5 * step == pytest.approx(59.5 * 0.2)
    assert small["translate"][0] + 49.5 * step == pytest.approx(whole["translate"][0] + 43.5 * whole["scale"][0])
