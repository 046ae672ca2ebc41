"""What of estimated stripes is not to be trusted, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]

# Frames without stripes reach 8; those of measured microtubules on 128 x 128 pixels 19 to 33, of simulations 40 to 500.
SIGNIFICANT = 10.0
_LARGEST_PHASE_ERROR_DEG = 5.0
_LARGEST_DEPTH_ERROR = 0.2  # relative
_FAINT = 0.05
_DARKEST = -0.25
_LARGEST_MISFIT = 6.0
_ALIKE = 0.1  # relative difference of vectors, or of their lengths


def problems_of(
    *,
    vectors: Float,
    significance: Float,
    misfits: Float,
    phase_errors: Float,
    depths: Float,
    depth_errors: Float,
) -> tuple[str, ...]:
    """Return a sentence for each kind of thing that is doubtful.

    Parameters
    ----------
    vectors
        (orientation, 2).
    significance, misfits
        (orientation,): strength of order 1 over its error; square of the deviation over its expectation.
    phase_errors
        (orientation,): the largest of its frames, in rad.
    depths, depth_errors
        (orientation, order); errors of 0 belong to given depths.
    """
    found = []
    seen = [d for d in range(len(significance)) if significance[d] >= SIGNIFICANT]
    hidden = [d for d in range(len(significance)) if d not in seen]
    if hidden:
        found.append(
            f"The stripes of {named(hidden)} do not stand out of the frames "
            f"({_listed(significance[hidden], '.1f')} times their uncertainty, {SIGNIFICANT:g} are needed): "
            "their vectors, phases and depths are guesses."
        )
    errors_deg = np.degrees(phase_errors)
    unsure = [d for d in seen if errors_deg[d] > _LARGEST_PHASE_ERROR_DEG]
    if unsure:
        found.append(f"The phases of {named(unsure)} are uncertain by up to {errors_deg[unsure].max():.0f} degrees.")
    odd = [d for d in seen if misfits[d] > _LARGEST_MISFIT]
    if odd:
        found.append(f"Order 2 of {named(odd)} is not at twice the phase of order 1: is n_beams right?")
    found += _depth_problems(depths, depth_errors, seen)
    return (*found, *_between(vectors, seen))


def _depth_problems(depths: Float, errors: Float, seen: Sequence[int]) -> list[str]:
    found = []
    for order in range(1, depths.shape[1]):
        open_ = [d for d in seen if errors[d, order] > 0]
        faint = [d for d in open_ if depths[d, order] < _FAINT]
        if faint:
            found.append(f"Order {order} of {named(faint)} is faint: depths of {_listed(depths[faint, order], '.2f')}.")
        unsure = [d for d in open_ if d not in faint and errors[d, order] > _LARGEST_DEPTH_ERROR * depths[d, order]]
        if unsure:
            values = ", ".join(f"{depths[d, order]:.2f} +- {errors[d, order]:.2f}" for d in unsure)
            found.append(f"The depth of order {order} of {named(unsure)} is uncertain, {values}: is the OTF right?")
    waves = np.cos(np.outer(np.linspace(0, np.pi, 181), np.arange(depths.shape[1])))
    dark = [d for d in seen if errors[d].any() and (waves @ depths[d]).min() < _DARKEST]
    if dark:
        found.append(f"Stripes as deep as those found in {named(dark)} would be darker than dark: is the OTF right?")
    return found


def _between(vectors: Float, seen: Sequence[int]) -> list[str]:
    lengths = np.hypot(vectors[:, 0], vectors[:, 1])
    found = []
    for place, first in enumerate(seen):
        for second in seen[place + 1 :]:
            apart = min(np.linalg.norm(vectors[first] - sign * vectors[second]) for sign in (1, -1))
            if apart < _ALIKE * lengths[first]:
                found.append(f"Orientations {first + 1} and {second + 1} show the same stripes.")
    middle = float(np.median(lengths[list(seen)])) if len(seen) > 2 else 0.0
    other = [d for d in seen if middle and abs(lengths[d] - middle) > _ALIKE * middle]
    if other:
        found.append(
            f"The stripes of {named(other)} are {_listed(1 / lengths[other], '.3f')} um apart, those of the others "
            f"{1 / middle:.3f} um."
        )
    return found


def named(orientations: Sequence[int]) -> str:
    """Return orientations in words, counted from 1."""
    numbers = [str(d + 1) for d in orientations]
    if len(numbers) == 1:
        return f"orientation {numbers[0]}"
    return f"orientations {', '.join(numbers[:-1])} and {numbers[-1]}"


def _listed(values: Float, form: str) -> str:
    return ", ".join(format(float(value), form) for value in values)
