"""Targets whose value is known at any position: a resolution target and cells.

Positions are (y, x) in raw pixels, y downwards, origin at the centre of pixel 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import map_coordinates

from napari_nstm.core.errors import InputError
from napari_nstm.phantoms import _cells, _usaf
from napari_nstm.phantoms._lattice import CELL_PX, ORIGIN_PX, Float, PullBack, area_mean

_BORDER = 0.1
_SMALLEST_FIELD = 32


@dataclass(frozen=True, eq=False)
class Target:
    """An image that can be looked up at any position; zero outside its extent.

    Parameters
    ----------
    image
        (4 y, 4 x), values in [0, 1]: four cells per raw pixel along each axis, each the mean over its area.
        The cells of pixel i lie at i - 3/8, i - 1/8, i + 1/8 and i + 3/8. It is made read-only.
    """

    image: Float

    def __post_init__(self) -> None:
        self.image.setflags(write=False)

    def at(self, positions_px: Float) -> Float:
        """Return the target, interpolated linearly between its cells.

        Parameters
        ----------
        positions_px
            (2, ...): y and x in raw pixels.

        Returns
        -------
        float32, of the shape that follows the component axis.
        """
        index = (np.asarray(positions_px, np.float64) - ORIGIN_PX) / CELL_PX
        values = map_coordinates(self.image, index.reshape(2, -1), order=1, mode="grid-constant")
        return np.asarray(values, np.float32).reshape(index.shape[1:])

    def on_grid(
        self, shape: tuple[int, int], pull_back: PullBack | None = None, spacing_px: tuple[float, float] = (1.0, 1.0)
    ) -> Float:
        """Render o(x) = target(x + dx(x)), averaged over each pixel's area.

        Parameters
        ----------
        shape
            Pixels (y, x) to render; the first is centred on position 0.
        pull_back
            Gives dx (2, ...) in raw pixels at positions (2, ...); None for a target at rest.
        spacing_px
            Width of the pixels, and the distance between them, in raw pixels (1/2 for a grid twice as fine).

        Returns
        -------
        (y, x), float32.
        """
        return area_mean(self.at, shape, spacing_px, pull_back)


@dataclass(frozen=True, eq=False)
class Phantom:
    """What a sample is made of; both maps are relative, and the simulation sets their scale.

    Parameters
    ----------
    phase
        Optical path (or fluorophore density), 1 at its largest.
    absorption
        On the scale of the phase; None for a sample that is transparent.
    """

    phase: Target
    absorption: Target | None = None


def usaf1951(shape: tuple[int, int], seed: int = 0, fill: float = 0.33) -> Phantom:
    """Make the USAF-1951 resolution target: binary, bright bars on a dark field, without absorption.

    Parameters
    ----------
    shape
        Raw pixels (y, x). Larger fields hold more groups; the finest bars are one to two pixels wide.
    seed
        0 puts the middle of the target onto the middle of the field; others shift it by up to half a
        pixel, so that the bars lie differently on the pixels.
    fill
        Wanted fraction of the field that is bright. A tenth of the field's shorter side stays free on every
        side, which limits the fraction, whatever is wanted, to 0.26-0.28 in a square field of 128 pixels or
        more (0.22 in a smaller one, which holds one group only) and to less in an oblong one.

    Raises
    ------
    InputError
        The field is smaller than 32 pixels.
    """
    unit_px, corner_px = _usaf_place(shape, seed, fill)
    return Phantom(Target(_usaf.draw(shape, unit_px, corner_px)))


def usaf1951_bars(shape: tuple[int, int], seed: int = 0, fill: float = 0.33) -> list[_usaf.Bar]:
    """Return where the bars of `usaf1951` lie: their edges in raw pixels; parameters and errors as there."""
    unit_px, corner_px = _usaf_place(shape, seed, fill)
    return [
        replace(
            bar,
            y=corner_px[0] + unit_px * bar.y,
            x=corner_px[1] + unit_px * bar.x,
            height=unit_px * bar.height,
            width=unit_px * bar.width,
        )
        for bar in _usaf.bars(_usaf.n_groups_for(unit_px))
    ]


def _usaf_place(shape: tuple[int, int], seed: int, fill: float) -> tuple[float, tuple[float, float]]:
    """Return the bar width of the first element and the upper left corner, raw pixels."""
    _check(shape, fill)
    unit_px = (1 - 2 * _BORDER) * min(shape) / _usaf.LAYER_SIDE
    wanted_px = math.sqrt(fill * math.prod(shape) / _usaf.filled_area(_usaf.n_groups_for(unit_px)))
    unit_px = min(unit_px, wanted_px)
    shift = np.zeros(2) if seed == 0 else np.random.default_rng(seed).uniform(-0.5, 0.5, 2)
    half = unit_px * _usaf.LAYER_SIDE / 2
    return unit_px, ((shape[0] - 1) / 2 - half + shift[0], (shape[1] - 1) / 2 - half + shift[1])


def cells(shape: tuple[int, int], seed: int = 0, fill: float = 0.33) -> Phantom:
    """Make several adherent cells with nuclei, organelles and filaments: smooth, with weakly absorbing organelles.

    Parameters
    ----------
    shape
        Raw pixels (y, x).
    seed
        Another seed, other cells.
    fill
        Fraction of the field that cells cover; a tenth of the field stays free on every side.

    Returns
    -------
    Phantom
        The phase peaks at 1, the absorption at 0.3.

    Raises
    ------
    InputError
        The field is smaller than 32 pixels.
    """
    _check(shape, fill)
    phase, absorption = _cells.draw(shape, np.random.default_rng(seed), fill, _BORDER)
    return Phantom(Target(phase), Target(absorption))


def _check(shape: tuple[int, int], fill: float) -> None:
    if min(shape) < _SMALLEST_FIELD:
        raise InputError("size", f"{min(shape)} pixels", f"{_SMALLEST_FIELD} pixels or more")
    if not 0 < fill <= 0.5:
        raise InputError("fill", f"{fill}", "a fraction of the field, over 0 and up to 0.5")
