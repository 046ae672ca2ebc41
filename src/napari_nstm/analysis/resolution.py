"""What a picture of the resolution target resolves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from napari_nstm.phantoms._usaf import Bar

LEAST_CONTRAST = 0.2
_INNER = 0.6  # part of a bar's length that is looked at
_SAMPLES = 15


@dataclass(frozen=True)
class Element:
    """An element of the target, as a picture shows it.

    Parameters
    ----------
    group, element
        Which.
    width_px
        Width of its bars, raw pixels.
    contrast
        (bars - gaps) / (bars + gaps), the lower of its two directions.
    """

    group: int
    element: int
    width_px: float
    contrast: float


def elements(image: NDArray[np.floating[Any]], bars: Sequence[Bar], samples_per_px: float = 1.0) -> list[Element]:
    """Measure every element, from the coarsest to the finest.

    Parameters
    ----------
    image
        (y, x), 0 where the target is dark; sample 0 at raw pixel 0.
    bars
        `usaf1951_bars` of the target.
    samples_per_px
        Samples of the picture per raw pixel.
    """
    groups: dict[tuple[int, int, bool], list[Bar]] = defaultdict(list)
    for bar in bars:
        if bar.element:
            groups[bar.group, bar.element, bar.height > bar.width].append(bar)
    contrasts: dict[tuple[int, int], list[float]] = defaultdict(list)
    widths: dict[tuple[int, int], float] = {}
    for (group, element, upright), triple in groups.items():
        contrasts[group, element].append(_contrast(image, triple, upright, samples_per_px))
        widths[group, element] = min(triple[0].height, triple[0].width)
    found = [Element(*key, widths[key], min(values)) for key, values in contrasts.items()]
    return sorted(found, key=lambda one: -one.width_px)


def finest_resolved(found: Sequence[Element], least: float = LEAST_CONTRAST) -> int:
    """Return how many elements, from the coarsest on, are resolved without a gap."""
    return next((k for k, one in enumerate(found) if one.contrast < least), len(found))


def _contrast(image: NDArray[np.floating[Any]], triple: Sequence[Bar], upright: bool, samples_per_px: float) -> float:
    first, *_, last = sorted(triple, key=lambda bar: (bar.x, bar.y))
    width = min(first.height, first.width)
    length = max(first.height, first.width)
    along = length * (0.5 + _INNER * np.linspace(-0.5, 0.5, _SAMPLES))
    # Middles of bar, gap, bar, gap, bar.
    start, end = (bar.x if upright else bar.y for bar in (first, last))
    across = np.linspace(start, end, 5) + width / 2
    other = (first.y if upright else first.x) + along
    a, b = np.meshgrid(across, other, indexing="ij")
    # A bar's edges are in pixels whose middles are whole numbers.
    where = np.stack([b, a] if upright else [a, b]) * samples_per_px
    profile = map_coordinates(np.asarray(image, np.float64), where, order=1, mode="nearest").mean(axis=1)
    bright, dark = profile[::2].mean(), profile[1::2].mean()
    return float((bright - dark) / max(bright + dark, 1e-12)) if bright > 0 else 0.0
