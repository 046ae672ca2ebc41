"""Fluorescent targets, in a plane or a volume: beads, filaments, a tubule, the resolution target.

Positions are ([z,] y, x) in raw planes and raw pixels, y downwards, origin at the centre of sample 0. Planes lie
`plane_px` raw pixels apart, so that beads are round and tubes as deep as they are wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_nstm.core.errors import InputError
from napari_nstm.phantoms import _beads, _filaments, _tubule
from napari_nstm.phantoms._boxes import BORDER, PLANE_PX, check_shape
from napari_nstm.phantoms._lattice import Float, PullBack, area_mean, sub_samples
from napari_nstm.phantoms.targets import Target, usaf1951

BEAD_DIAMETER_PX = 2.9
"""0.19 um (the beads of the paper's Fig. 2) at raw pixels of 0.065 um: just under the diffraction limit."""
BEAD_DENSITY = {2: 0.4, 3: 0.03}
"""Fraction of the area, or volume, in which beads lie that is inside them, by the number of axes."""
FILAMENT_WIDTH_PX = 1.0
PAIR_DISTANCE_PX = 2.2
"""From middle to middle: 0.14 um at raw pixels of 0.065 um, between the limits of widefield and of SIM."""


class FluorescentTarget(Protocol):
    """A density of fluorophores that is known at any position."""

    def density(self, positions_px: Float) -> Float:
        """Return the density, 1 at its largest and 0 outside the sample.

        Parameters
        ----------
        positions_px
            (component, ...): [z,] y, x in raw planes and raw pixels.

        Returns
        -------
        float32, of the shape that follows the component axis.
        """
        ...


def beads(
    shape: tuple[int, ...],
    seed: int = 0,
    diameter_px: float = BEAD_DIAMETER_PX,
    density: float | None = None,
    plane_px: float = PLANE_PX,
) -> FluorescentTarget:
    """Make densely packed beads of one size and unequal brightness; many touch, none overlap.

    In a volume the density is that of spheres, in a plane (one layer of beads) their thickness.

    Parameters
    ----------
    shape
        Raw pixels (y, x), or planes and pixels (z, y, x). A tenth of the field stays free on every side.
    seed
        Another seed, other beads.
    diameter_px
        Of each bead, raw pixels.
    density
        Fraction of the area (volume) in which beads lie that is inside them; None for 0.4 (0.03). That area
        ends 0.8 pixels inside the border, so that soft edges stay off it.
    plane_px
        Distance between planes, raw pixels.

    Raises
    ------
    InputError
        The field is smaller than 32 pixels or 2 planes; beads too large, or too many.
    """
    check_shape(shape, plane_px)
    filled = BEAD_DENSITY[len(shape)] if density is None else density
    largest_px = BORDER * min(shape[-2:])
    if not 1 <= diameter_px <= largest_px:
        raise InputError("diameter_px", f"{diameter_px:g} pixels", f"1 to {largest_px:g} pixels in this field")
    if not 0 < filled <= _beads.LARGEST_DENSITY[len(shape)]:
        raise InputError(
            "density", f"{filled:g}", f"a fraction over 0 and up to {_beads.LARGEST_DENSITY[len(shape)]:g}"
        )
    return _beads.scatter(shape, np.random.default_rng(seed), diameter_px, filled, plane_px)


def filaments(
    shape: tuple[int, ...],
    seed: int = 0,
    fill: float = 0.15,
    width_px: float = FILAMENT_WIDTH_PX,
    pair_px: float = PAIR_DISTANCE_PX,
    paired: float = 0.5,
    plane_px: float = PLANE_PX,
) -> FluorescentTarget:
    """Make thin, gently curved filaments that cross; some run beside another, closer than widefield resolves.

    Parameters
    ----------
    shape
        Raw pixels (y, x), or planes and pixels (z, y, x). A tenth of the field stays free on every side.
    seed
        Another seed, other filaments.
    fill
        Length times width of all filaments over the area of the free field.
    width_px
        Full width of a filament at half its maximum, raw pixels.
    pair_px
        Distance between the two filaments of a pair, from middle to middle, raw pixels.
    paired
        Fraction of the filaments that run in pairs.
    plane_px
        Distance between planes, raw pixels.

    Raises
    ------
    InputError
        The field is smaller than 32 pixels or 2 planes, or a number cannot be.
    """
    check_shape(shape, plane_px)
    for name, value, low, high in (
        ("fill", fill, 0.01, 0.5),
        ("width_px", width_px, 0.5, 4.0),
        ("pair_px", pair_px, 0.5, 6.0),
        ("paired", paired, 0.0, 1.0),
    ):
        if not low <= value <= high:
            raise InputError(name, f"{value:g}", f"{low:g} to {high:g}")
    return _filaments.draw(shape, np.random.default_rng(seed), fill, width_px, pair_px, paired, plane_px)


def tubule(shape: tuple[int, ...], seed: int = 0, plane_px: float = PLANE_PX) -> FluorescentTarget:
    """Make one long mitochondrion-like tubule along x, with another one and fragments that lie in the left half.

    Under the motion `bend` all of them rest but the right half of the long one, whose end swings: taken for
    static, its positions in turn look like branches (Fig. 3 of the paper). Tubules are 4.3 px wide at half
    maximum, with a bright wall and a brightness that varies along them.

    Parameters
    ----------
    shape
        Raw pixels (y, x), the plane through all the tubules' axes; or planes and pixels (z, y, x). A tenth of
        the field stays free on every side.
    seed
        Another seed, other bends and brightness.
    plane_px
        Distance between planes, raw pixels.

    Raises
    ------
    InputError
        The field is smaller than 32 pixels or 2 planes.
    """
    check_shape(shape, plane_px)
    return _tubule.draw(shape, np.random.default_rng(seed), plane_px)


def usaf(shape: tuple[int, ...], seed: int = 0) -> FluorescentTarget:
    """Make the USAF-1951 resolution target with fluorescent bars; see `targets.usaf1951`.

    Raises
    ------
    InputError
        The field is not (y, x), or smaller than 32 pixels.
    """
    if len(shape) != 2:
        raise InputError("shape", f"{len(shape)} axes", "2 (y, x): the resolution target is flat")
    return _Drawn(usaf1951((shape[0], shape[1]), seed).phase)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """An image that was drawn on the fine lattice."""

    image: Target

    def density(self, positions_px: Float) -> Float:
        return self.image.at(positions_px)


def render(
    target: FluorescentTarget,
    shape: tuple[int, ...],
    spacing_px: Sequence[float],
    pull_back: PullBack | None = None,
    samples: int = 2,
    origin_px: Sequence[float] | None = None,
    samples_along_z: int = 1,
) -> Float:
    """Render o(x) = target(x + dx(x)), averaged over the area, or volume, of each sample.

    Parameters
    ----------
    target
        What to render.
    shape
        Samples ([z,] y, x).
    spacing_px
        Distance between samples, and their width, in raw planes and pixels ([z,] y, x).
    pull_back
        Gives dx (component, ...) in raw planes and pixels at positions (component, ...); None for a target at rest.
    samples
        Evaluations along y and along x within a sample's area.
    origin_px
        Position of the centre of sample 0, raw planes and pixels; None for 0.
    samples_along_z
        Evaluations along z within a sample; one lies in its middle, and misses what is thinner than the planes'
        distance and lies between them.

    Returns
    -------
    ([z,] y, x), float32.
    """
    n_axes = len(shape)
    origin = (0.0,) * n_axes if origin_px is None else tuple(origin_px)
    for name, given in (("spacing_px", spacing_px), ("origin_px", origin)):
        if len(given) != n_axes:
            raise InputError(name, f"{len(given)} axes", f"{n_axes}, as the shape")
    for name, value in (("samples", samples), ("samples_along_z", samples_along_z)):
        if value < 1:
            raise InputError(name, f"{value}", "1 or more")
    if n_axes == 2:
        return area_mean(target.density, shape, spacing_px, pull_back, samples, origin)

    def slice_at(depth: float) -> Float:
        def value(in_plane: Float) -> Float:
            where = np.concatenate([np.full((1, *in_plane.shape[1:]), depth, np.float32), in_plane])
            return target.density(where if pull_back is None else where + pull_back(where))

        return area_mean(value, shape[1:], spacing_px[1:], None, samples, origin[1:])

    # A plane at a time: a fine grid's positions, and all that a motion computes of them, fill gigabytes.
    depths = origin[0] + spacing_px[0] * np.arange(shape[0])
    offsets = sub_samples(spacing_px[0], samples_along_z)
    return np.stack([np.mean([slice_at(z + offset) for offset in offsets], axis=0) for z in depths])
