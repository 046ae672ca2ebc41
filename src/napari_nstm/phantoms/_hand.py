"""The back of a hand with spread fingers, in a striped sleeve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_nstm.phantoms._lattice import Float
from napari_nstm.phantoms._shapes import EDGE_PX, Array, Point, along, capsule, convex, coverage, joined, mottle

_HEIGHT, _WIDTH = 0.78, 0.78  # of the field, that the hand fills at most

# Lengths are in units of the hand; x to the thumb's side, y upwards, from the middle of the sleeve's lower edge.
_FINGERS = (  # base, direction from up towards the thumb in degrees, length, radii: thumb to little finger
    ((0.17, 0.25), 56.0, 0.38, (0.1, 0.07)),
    ((0.21, 0.46), 21.0, 0.36, (0.078, 0.064)),
    ((0.075, 0.5), 5.0, 0.39, (0.08, 0.065)),
    ((-0.07, 0.49), -11.0, 0.365, (0.078, 0.063)),
    ((-0.2, 0.42), -29.0, 0.31, (0.07, 0.057)),
)
_SWAY_DEG, _SWAY_LENGTH = 1.5, 0.03  # from seed to seed
_PALM = ((-0.14, 0.16), (0.14, 0.16), (0.22, 0.44), (0.06, 0.5), (-0.06, 0.5), (-0.21, 0.42))
_PALM_ROUND = 0.065
_WRIST = ((-0.17, 0.06), (0.17, 0.06), (0.19, 0.3), (-0.19, 0.3))
_SLEEVE = ((-0.225, 0.0), (0.225, 0.0), (0.205, 0.14), (-0.205, 0.14))
_FILLET = 0.05

_NAIL, _NAIL_HALF = 1.0, (0.05, 0.58)  # middle along the finger; half its length, half its width in radii
_KNUCKLES, _KNUCKLE_HALF = (0.42, 0.72), 0.012
_STRIPE = 0.07  # of the sleeve, from one to the next
_SKIN, _ROUNDING, _LINES, _UNEVEN, _UNEVEN_WAVELENGTH = 0.48, 0.27, 0.35, 0.06, 0.15
_ROUNDED = 0.07  # depth at which the skin is flat
_SKIN_COLOUR, _NAIL_COLOUR, _SLEEVE_COLOUR = (1.0, 0.68, 0.5), (1.0, 0.42, 0.5), (0.3, 0.6, 1.0)


@dataclass(frozen=True, eq=False)
class Finger:
    """A finger from its base to the middle of its round tip, units of the hand."""

    base: Point
    tip: Point
    radii: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand that points up.

    Parameters
    ----------
    foot_px
        Middle of the sleeve's lower edge (y, x), raw pixels.
    unit_px
        Unit of the hand, raw pixels.
    mirrored
        Thumb on the left.
    fingers
        Thumb to little finger.
    skin_seed
        Of the skin's unevenness.
    """

    foot_px: tuple[float, float]
    unit_px: float
    mirrored: bool
    fingers: tuple[Finger, ...]
    skin_seed: int

    def density(self, positions_px: Float) -> Float:
        """Return the brightness at positions (2, ...), raw pixels."""
        x, y = self._own(positions_px)
        skin, depth = self._skin(x, y)
        rounding = np.clip(depth / _ROUNDED, 0, 1)
        bright = _SKIN + _ROUNDING * np.sqrt(rounding * (2 - rounding))
        bright += _UNEVEN * mottle(np.random.default_rng(self.skin_seed), np.stack([x, y]), _UNEVEN_WAVELENGTH)
        bright *= 1 - _LINES * self._lines(x, y)
        nails, sleeve = self._nails(x, y), self._sleeve(x, y)
        bright += nails * (1 - bright)
        stripes = 0.55 + 0.35 * np.cos(2 * math.pi * y / _STRIPE)
        return np.asarray(skin * bright * (1 - sleeve) + sleeve * stripes, np.float32)

    def colour(self, positions_px: Float) -> Float:
        """Return red, green and blue (3, ...) at positions (2, ...), raw pixels."""
        x, y = self._own(positions_px)
        nails, sleeve = self._nails(x, y), self._sleeve(x, y)
        mixed = [
            (s + (n - s) * nails) * (1 - sleeve) + c * sleeve
            for s, n, c in zip(_SKIN_COLOUR, _NAIL_COLOUR, _SLEEVE_COLOUR, strict=True)
        ]
        return np.asarray(mixed, np.float32)

    @property
    def _edge(self) -> float:
        return EDGE_PX / self.unit_px

    def _own(self, positions_px: Float) -> tuple[Array, Array]:
        y = (self.foot_px[0] - np.asarray(positions_px[0], np.float64)) / self.unit_px
        x = (np.asarray(positions_px[1], np.float64) - self.foot_px[1]) / self.unit_px
        return -x if self.mirrored else x, y

    def _skin(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return how far points are covered by skin, and how deep within their own part of the hand they are."""
        palm = joined(convex(_PALM, x, y) - _PALM_ROUND, convex(_WRIST, x, y), _FILLET)
        whole, sharp = palm, palm
        for finger in self.fingers:
            distance = capsule(finger.base, finger.tip, finger.radii, x, y)
            whole = np.minimum(whole, joined(palm, distance, _FILLET))
            sharp = np.minimum(sharp, distance)
        return coverage(whole, self._edge), -sharp

    def _sleeve(self, x: Array, y: Array) -> Array:
        return coverage(convex(_SLEEVE, x, y), self._edge)

    def _nails(self, x: Array, y: Array) -> Array:
        total = np.zeros(np.shape(x))
        for finger in self.fingers:
            part, aside, length = along(finger.base, finger.tip, x, y)
            half, width = _NAIL_HALF[0], _NAIL_HALF[1] * finger.radii[1]
            out = np.hypot((part - _NAIL) * length / half, aside / width)
            total += coverage((out - 1) * width, self._edge)
        return total

    def _lines(self, x: Array, y: Array) -> Array:
        """Return the creases across the fingers' joints."""
        total = np.zeros(np.shape(x))
        for i, finger in enumerate(self.fingers):
            part, aside, length = along(finger.base, finger.tip, x, y)
            for joint in _KNUCKLES[1:] if i == 0 else _KNUCKLES:  # a thumb has one joint less
                across = coverage(np.abs(part - joint) * length - _KNUCKLE_HALF, self._edge)
                total += across * coverage(np.abs(aside) - 0.75 * finger.radii[1], self._edge)
        return total


def draw(shape: tuple[int, ...], rng: np.random.Generator) -> Hand:
    """Draw the hand into a field (y, x) of raw pixels, as large as fits."""
    fingers = []
    for base, degrees, length, radii in _FINGERS:
        angle = math.radians(degrees + rng.uniform(-_SWAY_DEG, _SWAY_DEG))
        reach = length * (1 + rng.uniform(-_SWAY_LENGTH, _SWAY_LENGTH))
        fingers.append(Finger(base, (base[0] + reach * math.sin(angle), base[1] + reach * math.cos(angle)), radii))
    tall = max(f.tip[1] + f.radii[1] for f in fingers)
    right = max(f.tip[0] + f.radii[1] for f in fingers)
    left = min(f.tip[0] - f.radii[1] for f in fingers)
    unit_px = min(_HEIGHT * shape[0] / tall, _WIDTH * shape[1] / (right - left))
    mirrored = bool(rng.integers(2))
    aside_px = unit_px * (right + left) / 2 * (-1 if mirrored else 1)
    foot_px = (shape[0] - 1 + unit_px * tall) / 2, (shape[1] - 1) / 2 - aside_px
    return Hand(foot_px, unit_px, mirrored, tuple(fingers), int(rng.integers(2**31)))
