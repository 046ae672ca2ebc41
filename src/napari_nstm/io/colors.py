"""Colours of arrows: a wheel of directions of equal lightness, and a ramp for speeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Colors = NDArray[np.uint8]

BACKGROUND = (13, 17, 23)
INK = (236, 239, 244)
FAINT = (148, 158, 172)
LINE = (48, 56, 68)

# Stands out on black, grey and white; few hues have to be clipped to sRGB.
_LIGHTNESS, _CHROMA = 0.73, 0.15
# Ever lighter, so that whoever confuses red and green can tell them apart; the darkest stands out on black.
_SPEED_STOPS = np.array([[86, 84, 200], [46, 150, 190], [104, 200, 120], [240, 214, 70], [255, 246, 200]], float)


def direction_colors(angle_rad: NDArray[np.floating], saturation: float | NDArray[np.floating] = 1.0) -> Colors:
    """Return sRGB (..., 3) of directions; angles from +x towards +y.

    Hues run through the OKLCH space (B. Ottosson, 2020), in which they look equally light.
    """
    chroma = _CHROMA * np.asarray(saturation)
    a, b = chroma * np.cos(angle_rad), chroma * np.sin(angle_rad)
    long = (_LIGHTNESS + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (_LIGHTNESS - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (_LIGHTNESS - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=-1,
    )
    linear = np.clip(linear, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055)
    return _to_bytes(255 * srgb)


def speed_colors(fraction: NDArray[np.floating]) -> Colors:
    """Return sRGB (..., 3) for speeds as fractions of the largest, clipped to [0, 1]."""
    stops = np.linspace(0, 1, len(_SPEED_STOPS))
    channels = [np.interp(fraction, stops, _SPEED_STOPS[:, i]) for i in range(3)]
    return _to_bytes(np.stack(channels, axis=-1))


def color_wheel(diameter_px: int) -> Colors:
    """Draw the key to `direction_colors`: (diameter, diameter, 4), transparent outside the disc."""
    fine = 4 * diameter_px
    y, x = np.mgrid[:fine, :fine] - (fine - 1) / 2
    radius = np.hypot(y, x) / (fine / 2)
    disc = np.empty((fine, fine, 4), np.float32)
    disc[..., :3] = direction_colors(np.arctan2(y, x), np.minimum(1, 1.25 * radius))
    disc[..., 3] = 255 * (radius <= 1)
    return _to_bytes(disc.reshape(diameter_px, 4, diameter_px, 4, 4).mean(axis=(1, 3)))


def _to_bytes(values: NDArray[np.floating]) -> Colors:
    return np.asarray(np.rint(values), np.uint8)
