"""What of estimated stripes is not to be trusted, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.settings import SimSettings

Float = NDArray[np.floating[Any]]

# Frames without stripes reach 8; those of measured microtubules on 128 x 128 pixels 19 to 33, of simulations 50 to 500.
SIGNIFICANT = 10.0
_LARGEST_PHASE_ERROR_DEG = 5.0
_LARGEST_DEPTH_ERROR = 0.2  # relative
_FAINT = 0.05
_DARKEST = -0.25
_LARGEST_MISFIT = 6.0
_LIKE = 0.1  # relative difference of vectors, or of their lengths


def problems_of(
    settings: SimSettings,
    *,
    vectors: Float,
    significance: Float,
    misfits: Float,
    phase_errors: Float,
    depths: Float,
    depth_errors: Float,
) -> tuple[str, ...]:
    """Return a sentence for each thing that is doubtful.

    Parameters
    ----------
    settings
        For the number of beams.
    vectors
        (orientation, 2).
    significance, misfits
        (orientation,): strength of order 1 over its error; square of the deviation over its expectation.
    phase_errors
        (orientation,): the largest of its frames, in rad.
    depths, depth_errors
        (orientation, order).
    """
    found = []
    for d in range(len(vectors)):
        name = f"orientation {d + 1}"
        if significance[d] < SIGNIFICANT:
            found.append(
                f"The stripes of {name} do not stand out of the frames ({significance[d]:.1f} times the uncertainty, "
                f"{SIGNIFICANT:g} are needed): its vector, phases and depths are a guess."
            )
            continue
        error = np.degrees(phase_errors[d])
        if error > _LARGEST_PHASE_ERROR_DEG:
            found.append(f"The phases of {name} are uncertain by up to {error:.0f} degrees.")
        if misfits[d] > _LARGEST_MISFIT:
            found.append(
                f"Order 2 of {name} is not at twice the phase of order 1: are there {settings.n_beams} beams?"
            )
        found += _depth_problems(name, depths[d], depth_errors[d])
    return (*found, *_between(vectors))


def _depth_problems(name: str, depths: Float, errors: Float) -> list[str]:
    found = []
    for order in range(1, len(depths)):
        depth, error = float(depths[order]), float(errors[order])
        if error == 0:
            continue
        if depth < _FAINT:
            found.append(f"Order {order} of {name} is faint: a depth of {depth:.2f} was found.")
        elif error > _LARGEST_DEPTH_ERROR * depth:
            found.append(f"The depth of order {order} of {name} is uncertain: {depth:.2f} +- {error:.2f}.")
    angle = np.linspace(0, np.pi, 181)
    darkest = float(np.min(np.cos(np.outer(angle, np.arange(len(depths)))) @ depths))
    if errors.any() and darkest < _DARKEST:
        words = " and ".join(f"{depth:.2f}" for depth in depths[1:])
        found.append(f"Stripes of the depths {words} in {name} would be darker than dark: is the OTF right?")
    return found


def _between(vectors: Float) -> list[str]:
    lengths = np.hypot(vectors[:, 0], vectors[:, 1])
    found = []
    for first in range(len(vectors)):
        for second in range(first + 1, len(vectors)):
            apart = min(np.linalg.norm(vectors[first] - sign * vectors[second]) for sign in (1, -1))
            if apart < _LIKE * lengths[first]:
                found.append(f"Orientations {first + 1} and {second + 1} show the same stripes.")
    if len(vectors) > 2:
        middle = float(np.median(lengths))
        for d in np.flatnonzero(np.abs(lengths - middle) > _LIKE * middle):
            found.append(
                f"The stripes of orientation {d + 1} are {1 / lengths[d]:.3f} um apart, those of the others "
                f"{1 / middle:.3f} um."
            )
    return found
