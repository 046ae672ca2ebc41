"""Known motions of a sample, exact at every position and time (Extended Data Figs. 1 and 9 of the paper).

Positions are ([z,] y, x) in raw pixels, y downwards; times lie in [-1, 1]. Nothing has moved at t = -1, the first
frame. A motion is known both ways: as the pull-back dx with o(x, t) = target(x + dx(x, t)), and as the
displacement u, by which the point that was at x at t = -1 is at x + u at time t: x + u + dx(x + u, t) = x.

Signs: a positive angle turns from +x towards +y, which is clockwise on the screen; a positive shear moves
points below the centre (larger y) towards +x; a positive bend moves the right end towards +y; a positive bounce
goes towards +x, and any bounce falls towards +y first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import MotionKind

Float = NDArray[np.float32]

SWIRL_RADIUS = 0.2
"""Radius at which a swirl moves most, as a fraction of the field's shorter side."""
VIBRATION_CYCLES = 1.25
"""Oscillations over the acquisition; so chosen that evenly spaced frames never all fall onto its zeros."""
WAVE_CYCLES = 1.0
"""Swings to and fro over the acquisition."""
WAVE_PIVOT = (0.85, 0.5)
"""About which a wave swings: (y, x) as fractions of the field, from its upper left corner."""
BOUNCE_FALL = 2 / 3
"""How deep a bounce falls, as a fraction of the way it goes along x."""

_DIRECTION = math.radians(30)  # of the translation, from +x towards +y: both components move
_PLANES_PER_PIXEL = 0.1  # planes along z per pixel within the plane, of a translation and a bend
_ANGULAR: tuple[MotionKind, ...] = ("rotation", "swirl", "vibration", "wave")
_SWINGING: tuple[MotionKind, ...] = ("vibration", "wave")
_LARGEST_ANGLE = math.pi / 2
_SAMPLES_PER_AXIS = 128
_STILL_PX = 1e-6  # a sine at its zeros is not exactly 0


@dataclass(frozen=True)
class KnownMotion:
    """A motion given by a formula.

    Parameters
    ----------
    kind
        What moves how. Translation, shear and bend grow linearly in time, as do the angles of rotation and swirl;
        the angle of a vibration is that of a swirl, and that of a wave that of a rotation, times a sine of time. A
        bend leaves the left half at rest and swings the right one along y, and a little along z, like a beam held
        in the middle that is pushed at its right end. A bounce is a translation along the path of a ball that is
        let go: evenly along x, freely falling along y, with two impacts after which it rises as high as before.
    shape
        Field of view ([z,] y, x) in raw pixels. Rotation, shear and swirl are about its middle, a wave about
        `WAVE_PIVOT`, a bend begins in the middle; all are alike in every plane.
    amplitude
        At t = 1 (vibration, wave: at their extremes): path in pixels within the plane (translation), angle in rad
        (rotation, wave), the same in the middle of the swirl (swirl, vibration), pixels along x per pixel along y
        (shear), pixels along y at the right edge (bend), pixels along x (bounce).
    direction_rad
        Of the translation within the plane, from +x towards +y.
    cycles
        Oscillations of the vibration or the wave over the acquisition; None for 1.25 of a vibration, 1 of a wave.
    """

    kind: MotionKind
    shape: tuple[int, ...]
    amplitude: float
    direction_rad: float = _DIRECTION
    cycles: float | None = None

    def progress(self, t: float) -> float:
        """Return the part of the amplitude that is reached at time t (of a bounce: along x); 0 at t = -1."""
        elapsed = (t + 1) / 2
        if self.kind not in _SWINGING:
            return elapsed
        usual = WAVE_CYCLES if self.kind == "wave" else VIBRATION_CYCLES
        return math.sin(2 * math.pi * (usual if self.cycles is None else self.cycles) * elapsed)

    def pull_back(self, positions_px: Float, t: float) -> Float:
        """Return dx(x, t) in pixels, of the shape of `positions_px` (component, ...)."""
        return self._moved_by(positions_px, t, -1)

    def displacement(self, positions_px: Float, t: float) -> Float:
        """Return u(x, t) in pixels from the first frame, of the shape of `positions_px` (component, ...)."""
        return self._moved_by(positions_px, t, 1)

    def _moved_by(self, positions_px: Float, t: float, sense: int) -> Float:
        """Return how far the points at `positions_px` go by time t (`sense` 1), or go back (-1), its exact inverse."""
        amount = sense * self.amplitude * self.progress(t)
        step = np.zeros(positions_px.shape, np.float32)
        y, x = (np.asarray(p, np.float64) - middle for p, middle in zip(positions_px[-2:], self._middle(), strict=True))
        if self.kind == "translation":
            step[-2] = amount * math.sin(self.direction_rad)
            step[-1] = amount * math.cos(self.direction_rad)
            if len(step) == 3:
                step[0] = amount * _PLANES_PER_PIXEL
        elif self.kind == "bounce":
            step[-2] = sense * abs(self.amplitude) * BOUNCE_FALL * _fallen((t + 1) / 2)
            step[-1] = amount
        elif self.kind == "shear":
            step[-1] = amount * y
        elif self.kind == "bend":
            # It depends on x only, and x stays: its inverse is exact.
            step[-2] = amount * self._bend_profile(x)
            if len(step) == 3:
                step[0] = _PLANES_PER_PIXEL * step[-2]
        elif self.kind != "none":
            # A swirl turns every circle around the middle by its own angle: radii stay, so its inverse is exact too.
            whole = self.kind in {"rotation", "wave"}
            angle = amount if whole else amount * self._swirl_profile(np.hypot(y, x))
            c, s = np.cos(angle), np.sin(angle)
            step[-2] = (c - 1) * y + s * x
            step[-1] = (c - 1) * x - s * y
        return step

    def _middle(self) -> tuple[float, float]:
        """Return about which point (y, x) the motion is, raw pixels."""
        parts = WAVE_PIVOT if self.kind == "wave" else (0.5, 0.5)
        n_y, n_x = self.shape[-2:]
        return parts[0] * n_y - 0.5, parts[1] * n_x - 0.5

    def _swirl_profile(self, radius_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the angle relative to that in the middle: a Gaussian of the radius."""
        return np.asarray(np.exp(-0.5 * (radius_px / (SWIRL_RADIUS * min(self.shape[-2:]))) ** 2))

    def _bend_profile(self, x_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the deflection of a beam held at x = 0, relative to that at the right edge, where it is pushed.

        It is u^2 (3 - u)/2 (Euler and Bernoulli's beam), u from 0 to 1; what sticks out beyond stays straight.
        """
        u = np.maximum(x_px / ((self.shape[-1] - 1) / 2), 0.0)
        return np.asarray(np.where(u < 1, u**2 * (3 - u) / 2, 1 + 1.5 * (u - 1)))


def _fallen(elapsed: float) -> float:
    """Return how deep a ball let go at 0 has fallen, 1 at its two impacts, at 1/4 and 3/4 of the acquisition."""
    from_top = elapsed - round(2 * elapsed) / 2  # it is at the top at 0, 1/2 and 1
    return (4 * from_top) ** 2


def known_motion(
    kind: MotionKind,
    shape: tuple[int, ...],
    displacement_px: float,
    times: Sequence[float] | NDArray[np.floating],
    seed: int | None = None,
    cycles: float | None = None,
) -> KnownMotion:
    """Make a motion of a given size.

    Parameters
    ----------
    kind
        Kind of motion.
    shape
        Field of view ([z,] y, x), raw pixels.
    displacement_px
        99th percentile of |u| over the field and `times` together, raw pixels; a plane along z counts as one.
    times
        Times of the frames, in [-1, 1].
    seed
        Chooses the translation's direction and the other motions' sign; None for 30 degrees from +x towards +y, and
        positive.
    cycles
        Oscillations of a vibration or a wave over the acquisition, None for 1.25 and 1; other kinds have none.

    Raises
    ------
    InputError
        An unknown kind; no oscillations; a negative size, or one that the kind cannot reach in this field or
        at these times.
    """
    if kind not in get_args(MotionKind):
        raise InputError("motion", repr(kind), "one of " + ", ".join(get_args(MotionKind)))
    if not (math.isfinite(displacement_px) and displacement_px >= 0):
        raise InputError("displacement", f"{displacement_px:g} pixels", "0 pixels or more")
    if cycles is not None and not 0 < cycles < math.inf:
        raise InputError("cycles", f"{cycles:g}", "a number over 0")
    unit = KnownMotion(kind, tuple(shape), 1.0, cycles=cycles)
    if seed is not None:
        rng = np.random.default_rng(seed)
        unit = replace(unit, direction_rad=rng.uniform(0, 2 * math.pi))
        sign = 1.0 if kind == "translation" else float(rng.choice([-1.0, 1.0]))
    else:
        sign = 1.0
    if kind == "none" or displacement_px == 0:
        return replace(unit, amplitude=0.0)
    return replace(unit, amplitude=sign * _amplitude(unit, displacement_px, times))


def _amplitude(unit: KnownMotion, wanted_px: float, times: Sequence[float] | NDArray[np.floating]) -> float:
    """Find the amplitude at which the 99th percentile of |u| is `wanted_px`."""
    # A bend is largest in the last few columns and alike along them: every one of them counts.
    positions = _spread_positions(unit.shape, unit.shape[-1] if unit.kind == "bend" else _SAMPLES_PER_AXIS)

    def reached(amplitude: float) -> float:
        motion = replace(unit, amplitude=amplitude)
        lengths = [np.linalg.norm(motion.displacement(positions, float(t)), axis=0) for t in times]
        return float(np.percentile(lengths, 99))

    largest = reached(_LARGEST_ANGLE if unit.kind in _ANGULAR else 1.0)
    if largest < _STILL_PX:
        zeros = f", not all at zeros of the {unit.kind}" if unit.kind in _SWINGING else ""
        raise InputError("times", "no time at which the sample has moved", "two different times or more" + zeros)
    if unit.kind not in _ANGULAR:
        return wanted_px / largest
    if wanted_px > largest:
        raise InputError(
            "displacement", f"{wanted_px:g} pixels", f"up to {largest:.1f} pixels for a {unit.kind} of this field"
        )
    return float(brentq(lambda a: reached(a) - wanted_px, 0.0, _LARGEST_ANGLE, xtol=1e-7))


def _spread_positions(shape: tuple[int, ...], most_along_x: int) -> Float:
    """Return positions of at most 128 x `most_along_x` equal parts of a plane (component, y, x), the first in 3D."""
    counts = [min(n, most) for n, most in zip(shape[-2:], (_SAMPLES_PER_AXIS, most_along_x), strict=True)]
    axes = [(np.arange(k) + 0.5) * (n / k) - 0.5 for n, k in zip(shape[-2:], counts, strict=True)]
    in_plane = np.stack(np.meshgrid(*axes, indexing="ij"))
    depth = np.zeros((len(shape) - 2, *counts))
    return np.concatenate([depth, in_plane]).astype(np.float32)
