from __future__ import annotations

import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.io._footer import Footer, Key, MotionKey
from napari_nstm.io._layout import WIDEST_PX, layout

KEY = Key((0.0, 0.73), "phase (rad)", 0.25, MotionKey(("motion, drawn 2x", "since 0 ms")), "17.5 ms", "20x slower")
BARE = Key((0.0, 1.0), "phase", 0.25, color_key=False, scale_bar=False)


@pytest.mark.parametrize("width_px", [420, 641, 800, 1920, WIDEST_PX])
@pytest.mark.parametrize("n_panels", [1, 2])
@pytest.mark.parametrize("shape", [(24, 31), (256, 256), (512, 2048), (300, 60)])
def test_a_picture_is_as_wide_as_it_is_wanted(width_px, n_panels, shape):
    found = layout(shape, n_panels, KEY, width_px=width_px)
    assert found.width == width_px + width_px % 2
    rows, columns = found.panel_shape
    assert columns / shape[1] == found.factor
    assert rows == pytest.approx(shape[0] * found.factor, abs=0.5)
    row = n_panels * columns + (n_panels - 1) * found.em
    # All of it but the margins, also where small letters had to make room.
    assert 0 <= found.width - row - 2 * found.em < n_panels + 1
    assert Footer(KEY, found.factor, found.em, columns).least_width <= found.width - 2 * found.em


def test_letters_grow_with_the_picture():
    sizes = [layout((256, 256), 1, KEY, width_px=width).em for width in (400, 800, 1600, 3200)]
    assert sizes == sorted(set(sizes))
    assert 15 <= sizes[1] <= 25


def test_whole_factors_are_kept_where_they_are_wished():
    found = layout((24, 31), 1, KEY, width_px=800, whole=True)
    free = layout((24, 31), 1, KEY, width_px=800)
    assert found.factor == int(free.factor) < free.factor
    assert found.panel_shape == (24 * found.factor, 31 * found.factor)
    assert found.width == 800


@pytest.mark.parametrize("width_px", [-5, 0, 100, WIDEST_PX + 1])
def test_widths_that_cannot_be_are_said(width_px):
    with pytest.raises(InputError, match="a width of at") as caught:
        layout((256, 256), 1, KEY, width_px=width_px)
    assert caught.value.field == "size"


def test_the_width_that_is_said_to_do_does():
    with pytest.raises(InputError) as caught:
        layout((256, 256), 1, KEY, width_px=100)
    least = int(caught.value.takes.split(" pixels")[0].split()[-1])
    assert layout((256, 256), 1, KEY, width_px=least + 2).width <= least + 3
    # Where nothing is said below, little is enough.
    assert layout((256, 256), 1, BARE, width_px=100).width == 100
