"""Thin curved filaments, some of them in parallel pairs."""

from __future__ import annotations

import numpy as np

from napari_nstm.core.errors import InputError
from napari_nstm.phantoms._boxes import free_box
from napari_nstm.phantoms._curves import STEP_PX, Points, beside, longest_run, wandering, with_depth
from napari_nstm.phantoms._tubes import Thread, Tubes

_BEND_RAD = 0.5
_LENGTHS = (0.5, 1.3)  # in mean sides of the free field; what leaves it is cut off
_SHORTEST = 0.2
_TRIES_PER_FILAMENT = 50


def draw(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    fill: float,
    width_px: float,
    pair_px: float,
    paired: float,
    plane_px: float,
) -> Tubes:
    """Draw filaments until they cover a fraction of the free field.

    Parameters
    ----------
    shape
        Field ([z,] y, x), raw planes and pixels.
    rng
        Source of everything that is random.
    fill
        Total length times width over the area of the free field, seen along z.
    width_px
        Full width of a filament at half maximum.
    pair_px
        Distance between the two of a pair, from middle to middle.
    paired
        Fraction of the filaments that have a parallel neighbour.
    plane_px
        Distance between planes.
    """
    profile = Thread(width_px)
    low, high = free_box(shape, plane_px, profile.reach_px)
    side = high[-2:] - low[-2:]
    wanted_px = fill * float(np.prod(side)) / width_px
    curves: list[Points] = []
    total_px, in_pairs_px = 0.0, 0.0
    while total_px < wanted_px:
        # So that the fraction holds whatever is drawn, the next one is a pair whenever pairs are short of it.
        pair = in_pairs_px < paired * (total_px + STEP_PX)
        drawn = _one(rng, low, high, pair_px if pair else None)
        length_px = STEP_PX * sum(map(len, drawn))
        total_px += length_px
        in_pairs_px += length_px if pair else 0.0
        curves += drawn
    return Tubes(tuple(curves), tuple(np.ones(len(c)) for c in curves), profile, plane_px)


def _one(rng: np.random.Generator, low: Points, high: Points, pair_px: float | None) -> list[Points]:
    """Draw a filament, or a pair, inside the box; redraw what is too short."""
    side_px = float(np.mean(high[-2:] - low[-2:]))
    for _ in range(_TRIES_PER_FILAMENT):
        curve = wandering(rng, rng.uniform(low[-2:], high[-2:]), side_px * rng.uniform(*_LENGTHS), _BEND_RAD)
        margin = 0.0 if pair_px is None else pair_px
        curve = curve[longest_run(np.all((curve >= low[-2:] + margin) & (curve <= high[-2:] - margin), axis=1))]
        if STEP_PX * len(curve) < _SHORTEST * side_px:
            continue
        if len(low) == 3:
            curve = with_depth(rng, curve, low[0], high[0])
        return [curve] if pair_px is None else [curve, beside(curve, pair_px)]
    raise InputError("size", f"{side_px:.0f} free pixels", "a field in which filaments find room")
