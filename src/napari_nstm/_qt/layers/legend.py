"""Keys to coloured views: pictures with their words in them, placed above the field."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_nstm.io.colors import BACKGROUND, INK
from napari_nstm.io.text import draw_text, font, text_width

Rgb = NDArray[np.uint8]

_WIDTH, _HEIGHT = 640, 44
_EDGE, _SQUARE, _LETTERS = 8, 22, 20
_GAP = 0.02  # between field and key, of the field's width


def swatches(colors: NDArray[np.floating], words: Sequence[str]) -> Rgb:
    """Draw squares of colours (n, 3) in [0, 1] with a word beside each: (row, column, 3)."""
    used, size = font(_LETTERS), _LETTERS
    room = _WIDTH / len(words)
    while size > 8 and max(text_width(word, used) for word in words) > room - _SQUARE - 2 * _EDGE:
        size -= 1
        used = font(size)
    picture, draw = _empty()
    for index, (color, word) in enumerate(zip(colors, words, strict=True)):
        left, top = round(index * room) + _EDGE, (_HEIGHT - _SQUARE) // 2
        fill = tuple(round(255 * float(c) / max(float(np.max(color)), 1e-9)) for c in color)
        draw.rectangle((left, top, left + _SQUARE - 1, top + _SQUARE - 1), fill=fill)
        draw_text(draw, (left + _SQUARE + _EDGE, _HEIGHT / 2 + 0.35 * size), word, used, INK)
    return np.asarray(picture)


def color_bar(colors: NDArray[np.floating], first: str, last: str) -> Rgb:
    """Draw a bar of colours (n, 3) in [0, 1], with what its ends stand for: (row, column, 3)."""
    used = font(_LETTERS)
    picture, draw = _empty()
    left = _EDGE + text_width(first, used) + _EDGE
    right = _WIDTH - _EDGE - text_width(last, used) - _EDGE
    steps = np.linspace(0, len(colors) - 1, round(right - left)).round().astype(int)
    for column, color in enumerate(colors[steps]):
        fill = tuple(round(255 * float(c)) for c in color)
        x = round(left) + column
        draw.line((x, (_HEIGHT - _SQUARE) // 2, x, (_HEIGHT + _SQUARE) // 2), fill=fill)
    line = _HEIGHT / 2 + 0.35 * _LETTERS
    draw_text(draw, (_EDGE, line), first, used, INK)
    draw_text(draw, (_WIDTH - _EDGE, line), last, used, INK, anchor="rs")
    return np.asarray(picture)


def above(
    shape: tuple[int, ...],
    pixel_size_um: Sequence[float],
    origin_um: Sequence[float] = (0.0, 0.0),
    *,
    picture: tuple[int, int] = (_HEIGHT, _WIDTH),
    share: float = 1.0,
) -> Mapping[str, Any]:
    """Return scale and translation by which a key lies above a field (..., y, x), and ends where the field does.

    Below it napari writes the time, and draws the scale bar.

    Parameters
    ----------
    shape, pixel_size_um, origin_um
        Of the field.
    picture
        Rows and columns of the key.
    share
        Width of the key, of the field's.
    """
    columns, (height, width) = shape[-1], pixel_size_um[-2:]
    rows, across = picture
    step = share * columns * width / across
    top, left = origin_um[-2:]
    bottom = top - height / 2 - _GAP * columns * width
    right = left + (columns - 0.5) * width
    return {"scale": (step, step), "translate": (bottom - (rows - 0.5) * step, right - (across - 0.5) * step)}


def _empty() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), BACKGROUND)
    return picture, ImageDraw.Draw(picture)
