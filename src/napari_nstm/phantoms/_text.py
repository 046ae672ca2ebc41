"""The letters N, S, T and M, of straight bold strokes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_nstm.phantoms._lattice import Float
from napari_nstm.phantoms._shapes import EDGE_PX, Array, Point, convex, coverage

WORD = "NSTM"
_WIDTH = 0.76  # of the field
_GAP = 0.2  # between letters, in letter widths
_HEIGHT = 1.55  # of a letter, in its widths
_TALLEST = 0.6  # of the field
_BAR = 0.27  # width of a stroke, in letter widths
_DIMMEST, _SHADE = 0.7, 0.3  # of a letter; and by how much it is darker at one side than at the other
_COLOURS = ((1.0, 0.36, 0.28), (1.0, 0.8, 0.2), (0.3, 0.9, 0.45), (0.36, 0.6, 1.0))

Polygon = tuple[Point, ...]


def _box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _strokes(letter: str) -> tuple[Polygon, ...]:
    """Return convex polygons, corners (x, y) from the letter's upper left corner in letter widths."""
    w, h = _BAR, _HEIGHT
    left, right, top = _box(0, 0, w, h), _box(1 - w, 0, 1, h), _box(0, 0, 1, w)
    if letter == "N":
        slanted = 1.25 * w  # measured along x
        return left, right, ((0, 0), (slanted, 0), (1, h), (1 - slanted, h))
    if letter == "S":
        middle = (h - w) / 2
        return (
            top,
            _box(0, 0, w, middle + w),
            _box(0, middle, 1, middle + w),
            _box(1 - w, middle, 1, h),
            _box(0, h - w, 1, h),
        )
    if letter == "T":
        return top, _box((1 - w) / 2, 0, (1 + w) / 2, h)
    w, meet = 0.85 * w, 0.62 * h
    left, right = _box(0, 0, w, h), _box(1 - w, 0, 1, h)
    down = ((0, 0), (w, 0), (0.5 + w / 2, meet), (0.5 - w / 2, meet))
    return left, right, down, tuple((1 - x, y) for x, y in down)


@dataclass(frozen=True, eq=False)
class Text:
    """The word in the middle of the field, every letter with a brightness and a colour of its own.

    Parameters
    ----------
    corner_px
        Upper left corner (y, x), raw pixels.
    letter_px
        Width of a letter, raw pixels.
    brightness
        Of each letter, at its brightest.
    shade_rad
        Direction in which letters get darker, from +x towards +y.
    colours
        Red, green and blue of each letter.
    """

    corner_px: tuple[float, float]
    letter_px: float
    brightness: tuple[float, ...]
    shade_rad: float
    colours: tuple[tuple[float, ...], ...]

    def density(self, positions_px: Float) -> Float:
        """Return the brightness at positions (2, ...), raw pixels."""
        y, x = self._own(positions_px)
        total = np.zeros(np.shape(y))
        for i, (letter, bright) in enumerate(zip(WORD, self.brightness, strict=True)):
            total += bright * self._covered(letter, x - i * (1 + _GAP), y) * self._shading(x - i * (1 + _GAP), y)
        return total.astype(np.float32)

    def colour(self, positions_px: Float) -> Float:
        """Return red, green and blue (3, ...) at positions (2, ...): those of the letter that is nearest along x."""
        x = self._own(positions_px)[1]
        nearest = np.clip(np.floor((x + _GAP / 2) / (1 + _GAP)), 0, len(WORD) - 1).astype(int)
        return np.moveaxis(np.asarray(self.colours, np.float32)[nearest], -1, 0)

    def _own(self, positions_px: Float) -> tuple[Array, Array]:
        y, x = (
            (np.asarray(p, np.float64) - c) / self.letter_px for p, c in zip(positions_px, self.corner_px, strict=True)
        )
        return y, x

    def _covered(self, letter: str, x: Array, y: Array) -> Array:
        distance = np.full(np.shape(x), np.inf)
        for stroke in _strokes(letter):
            np.minimum(distance, convex(stroke, x, y), out=distance)
        return coverage(distance, EDGE_PX / self.letter_px)

    def _shading(self, x: Array, y: Array) -> Array:
        """Return 1 at the bright side of a letter's circle, and less evenly towards the other."""
        across = (x - 0.5) * math.cos(self.shade_rad) + (y - _HEIGHT / 2) * math.sin(self.shade_rad)
        return np.asarray(1 - _SHADE * np.clip(0.5 + across / math.hypot(1, _HEIGHT), 0, 1))


def draw(shape: tuple[int, ...], rng: np.random.Generator) -> Text:
    """Draw the word into a field (y, x) of raw pixels."""
    in_letters = len(WORD) + (len(WORD) - 1) * _GAP
    letter_px = min(_WIDTH * shape[1] / in_letters, _TALLEST * shape[0] / _HEIGHT)
    corner_px = (shape[0] - 1 - _HEIGHT * letter_px) / 2, (shape[1] - 1 - in_letters * letter_px) / 2
    brightness = np.append(rng.uniform(_DIMMEST, 1.0, len(WORD) - 1), 1.0)
    colours = tuple(_COLOURS[i] for i in rng.permutation(len(WORD)))
    return Text(corner_px, letter_px, tuple(rng.permutation(brightness)), rng.uniform(0, 2 * math.pi), colours)
