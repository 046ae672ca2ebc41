"""Arrows of motion over a picture: where they stand, how long they are, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]

_ARROWS_ACROSS, _CLOSEST_PX = 22, 30.0
_SHAFT_SHARE = 0.045  # width of a shaft, of the distance between arrows
_RIM, _RIM_OPACITY, _RIM_PX = (8, 10, 14), 0.6, 1.0
_SHORTEST_PX = 1.5
_HIDDEN_SHARE = 0.2  # of the strongest signal
_NOTHING_PX = 0.02  # no motion that could be told
_CALM_SHARE = 0.2  # of the field, at least, is background
_NICE_STRETCHES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True)
class Arrows:
    """Arrows in image pixels.

    Parameters
    ----------
    tails
        (2, arrow), (y, x): where the points were.
    displacement
        (2, arrow), (y, x): how far they went.
    colors
        (arrow, 3) sRGB.
    spacing
        Distance between tails.
    """

    tails: Points
    displacement: Points
    colors: NDArray[np.uint8]
    spacing: float


def arrow_grid(shape: tuple[int, ...], spacing_px: float | Sequence[float]) -> NDArray[np.float32]:
    """Lay a regular grid of points, (axis, point), evenly into an image or volume of `shape`.

    Parameters
    ----------
    shape
        Pixels, ([z,] y, x).
    spacing_px
        Wanted distance between points: one, or one per axis.
    """
    spacings = np.broadcast_to(np.asarray(spacing_px, float), len(shape))
    axes = []
    for n, spacing in zip(shape, spacings, strict=True):
        count = max(1, round(n / spacing))
        axes.append((np.arange(count) + 0.5) * n / count - 0.5)
    return np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")]).astype(np.float32)


def arrow_spacing(shape: tuple[int, ...], factor: int) -> float:
    """Return the distance between arrows over an image of `shape`, enlarged by `factor`, in its own pixels."""
    return max(max(shape) / _ARROWS_ACROSS, _CLOSEST_PX / factor)


def sample_at(image: NDArray[np.floating], points: Points) -> NDArray[np.float32]:
    """Interpolate an image or volume linearly at points (axis, point)."""
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(np.asarray(image, np.float32), points, order=1, mode="nearest"), np.float32)


def visible_points(
    image: NDArray[np.floating], points: Points, spacing_px: float | Sequence[float], share: float | None = None
) -> NDArray[np.bool_]:
    """Tell at which points (axis, point) the image differs from its background enough for motion to mean something.

    Parameters
    ----------
    image
        An image (y, x) or a volume (z, y, x).
    points
        In its pixels.
    spacing_px
        Distance between points: one, or one per axis.
    share
        How much is enough, of the strongest signal (its 99th percentile); None: 0.2. At 0 all points are visible.
    """
    from scipy.ndimage import gaussian_filter

    share = _HIDDEN_SHARE if share is None else share
    if share <= 0:
        return np.ones(np.shape(points)[1], bool)

    sigma_px = np.broadcast_to(np.asarray(spacing_px, float) / 2.5, (image.ndim,))
    signal = gaussian_filter(np.abs(image - background_of(image, sigma_px)), sigma_px)
    level = share * np.percentile(signal, 99)
    return np.asarray(sample_at(signal, points) > level)


def background_of(image: NDArray[np.floating], sigma_px: Sequence[float] | NDArray[np.floating]) -> float:
    """Return the value that an image has where there is nothing: in the median of its calmest fifth.

    The median of all would be a value of the sample where that covers most of the field, as it does of a region.

    Parameters
    ----------
    image
        An image (y, x) or a volume (z, y, x).
    sigma_px
        Over what distance it is to be calm, along each axis.
    """
    from scipy.ndimage import gaussian_filter

    deviation = image - np.mean(image, dtype=np.float64)
    spread = gaussian_filter(deviation**2, sigma_px) - gaussian_filter(deviation, sigma_px) ** 2
    return float(np.median(image[spread <= np.quantile(spread, _CALM_SHARE)]))


def nice_stretch(longest_px: float, spacing_px: float) -> float:
    """Choose by how much arrows are lengthened: not at all where their true length can be read, or nothing moves."""
    if longest_px <= _NOTHING_PX or 0.5 * spacing_px <= longest_px <= 3 * spacing_px:
        return 1.0
    wished = spacing_px / longest_px
    return max((s for s in _NICE_STRETCHES if s <= wished), default=_NICE_STRETCHES[0])


def draw_arrows(panel: NDArray[np.uint8], factor: int, arrows: Arrows) -> None:
    """Draw arrows with smooth edges and a thin dark rim onto a panel.

    Parameters
    ----------
    panel
        (row, column, 3), changed in place; arrows are cut at its edges.
    factor
        Panel pixels per image pixel.
    arrows
        In image pixels, pixel centres at whole numbers.
    """
    width = min(max(_SHAFT_SHARE * arrows.spacing * factor, 1.4), 4.0)
    tails = (arrows.tails.T + 0.5) * factor - 0.5
    vectors = arrows.displacement.T * factor
    lengths = np.hypot(vectors[:, 0], vectors[:, 1])
    stamps = []
    for tail, vector, length, color in zip(tails, vectors, lengths, arrows.colors, strict=True):
        if length >= _SHORTEST_PX:
            box, distance = _distance(tail, vector, length, width, panel.shape)
            stamps.append((panel[box], distance, color))
    # Rims first: they must not lie over a neighbour.
    for part, distance, _ in stamps:
        _blend(part, np.asarray(_RIM), _RIM_OPACITY * np.clip(0.5 + _RIM_PX - distance, 0, 1))
    for part, distance, color in stamps:
        _blend(part, color, np.clip(0.5 - distance, 0, 1))


def _distance(
    tail: Points, vector: Points, length: float, width: float, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], Points]:
    """Return pixels around an arrow, and their distance from its outline (negative inside)."""
    # Heads shrink with short arrows, so that their direction stays readable.
    head = min(5.0 * width, 0.6 * length)
    wing = 0.42 * head
    ends = np.stack([tail, tail + vector])
    reach = wing + 3
    low = np.clip(np.floor(ends.min(axis=0) - reach), 0, shape[:2]).astype(int)
    high = np.clip(np.ceil(ends.max(axis=0) + reach) + 1, 0, shape[:2]).astype(int)
    box = (slice(low[0], high[0]), slice(low[1], high[1]))
    y, x = np.ogrid[box]
    dy, dx = vector / length
    along = (y - tail[0]) * dy + (x - tail[1]) * dx
    across = np.abs((x - tail[1]) * dy - (y - tail[0]) * dx)
    neck = length - head
    shaft = np.maximum(across - width / 2, np.maximum(-along, along - neck - 1))
    slope = ((along - neck) * wing + (across - wing) * head) / np.hypot(wing, head)
    return box, np.minimum(shaft, np.maximum(slope, neck - along))


def _blend(part: NDArray[np.uint8], color: NDArray[np.integer], opacity: Points) -> None:
    weight = opacity[..., None]
    part[...] = np.rint(part * (1 - weight) + color * weight).astype(np.uint8)
