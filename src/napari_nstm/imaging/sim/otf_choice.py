"""The OTF that the settings ask for, and whether it can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.choices import FileOtf, PsfOtf
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.otf import OtfTable, depths_of
from napari_nstm.imaging.sim.otf_file import file_table, imaginary_share
from napari_nstm.imaging.sim.otf_measured import psf_table
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.theory import in_focus, theory_2d, theory_3d

EXTRA = "otf.path"
"""Name of the array that a measured OTF comes from, among `RawData.extras`."""
_FIELD = f"acquisition.{EXTRA}"

# By theory the OTF in focus is 0.39 at half the cutoff, and falls below 0.02 at 0.93 of it.
_SHARPER, _BLURRED = 0.6, 0.1
_FAINT, _LEAST_CUTOFF = 0.02, 0.6
_IMAGINARY = 0.1


def otf_table(
    settings: SimSettings,
    extras: Mapping[str, NDArray[Any]],
    vectors_per_um: NDArray[np.floating[Any]],
    n_planes_padded: int | None,
) -> OtfTable:
    """Tabulate the OTF of an acquisition.

    Parameters
    ----------
    settings
        Optics and the kind of OTF.
    extras
        `RawData.extras`, with the PSF or OTF where one was measured.
    vectors_per_um
        (orientation, 2): ky and kx of order 1, cycles per um.
    n_planes_padded
        Planes of the padded field; None for a single plane.

    Returns
    -------
    OtfTable
        All orders of the settings; one orientation, or all of them.

    Raises
    ------
    InputError
        If the array is missing or is none of the kind that is asked for.
    """
    optics = SimOptics.from_settings(settings)
    depths: tuple[float, ...] = (0.0,)
    if n_planes_padded is not None and isinstance(settings, Sim3dSettings):
        depths = depths_of(n_planes_padded, settings.plane_spacing_um)
    otf, n_orders = settings.otf, settings.n_orders
    if isinstance(otf, PsfOtf):
        psf = _array(extras, "the image of a point")
        return psf_table(
            psf, otf.pixel_size_um, otf.plane_spacing_um, otf.offset, optics, vectors_per_um, n_orders, depths
        )
    if isinstance(otf, FileOtf):
        array = _array(extras, "an OTF")
        table = file_table(array, otf.kr_step_per_um, otf.kz_step_per_um, optics, n_orders, depths)
        n = len(table.values)
        if n not in {1, settings.n_orientations}:
            raise InputError(_FIELD, f"an OTF of {n} orientations", f"one, or {settings.n_orientations}")
        return table
    if len(depths) == 1:
        return theory_2d(optics, n_orders)
    return theory_3d(optics, vectors_per_um, n_orders, depths)


def check_otf(settings: SimSettings, extras: Mapping[str, NDArray[Any]], n_planes_padded: int | None) -> list[str]:
    """Raise where a measured OTF cannot be used; return warnings, a sentence each.

    Parameters and errors as for `otf_table`; the pattern vectors need not be known.
    """
    otf = settings.otf
    if not isinstance(otf, PsfOtf | FileOtf):
        return []
    optics = SimOptics.from_settings(settings)
    vectors = np.asarray([[optics.finest_order_1 / 2, 0.0]])
    table = otf_table(settings, extras, vectors, n_planes_padded)
    warnings = [*_against_theory(table, optics, otf), _depths_without(table), _off_focus(table)]
    if isinstance(otf, PsfOtf):
        warnings.append(_coarse(otf, optics, volume=len(table.depths_um) > 1))
    else:
        share = imaginary_share(extras[EXTRA], otf.kr_step_per_um, otf.kz_step_per_um, optics, settings.n_orders)
        if share > _IMAGINARY:
            warnings.append(
                f"{100 * share:.0f} % of the power of an order of the OTF is imaginary, and left out: "
                "was the bead in the middle of its image?"
            )
    return [warning for warning in warnings if warning]


def _array(extras: Mapping[str, NDArray[Any]], takes: str) -> NDArray[Any]:
    if EXTRA not in extras:
        raise InputError(_FIELD, "no array", takes)
    return np.asarray(extras[EXTRA])


def _against_theory(table: OtfTable, optics: SimOptics, otf: PsfOtf | FileOtf) -> list[str]:
    scale = "pixel_size_um" if isinstance(otf, PsfOtf) else "kr_step_per_um"
    kr = np.linspace(0, optics.cutoff, 400)
    focus = table.lateral(0, 0, kr)[:, table.depths_um.index(0.0)]
    half = float(np.interp(optics.cutoff / 2, kr, focus))
    ideal = float(in_focus(np.asarray(optics.cutoff / 2), optics.cutoff))
    value = f"At half the cutoff the OTF is {half:.2g}, {ideal:.2g} in theory: the image of the point"
    check = f"are otf.{scale}, na_objective and wavelength_um right?"
    found = []
    if half > _SHARPER:
        found.append(f"{value} is sharper than this objective makes it; {check}")
    elif half < _BLURRED:
        found.append(f"{value} is blurred, or the background is too high; {check}")
    reached = float(kr[np.abs(focus) > _FAINT].max())
    if reached < _LEAST_CUTOFF * optics.cutoff:
        found.append(
            f"The OTF ends at {reached:.3g} cycles/um, the objective's cutoff is {optics.cutoff:.3g}: "
            f"finer detail is lost; {check}"
        )
    return found


def _depths_without(table: OtfTable) -> str | None:
    depths = np.asarray(table.depths_um)
    known = np.any(table.values[0, 0] != 0, axis=0)
    if known.all():
        return None
    reach = ", ".join(f"{depth:+.3g}" for depth in (depths[known].min(), depths[known].max()))
    return (
        f"The OTF is measured at depths of {reach} um only, the volume needs {depths.min():+.3g}, "
        f"{depths.max():+.3g} um: light from further off counts as none."
    )


def _off_focus(table: OtfTable) -> str | None:
    depths = np.asarray(table.depths_um)
    if len(depths) == 1:
        return None
    sharpness = np.arange(table.values.shape[2]) @ table.values[0, 0]
    sharpest, spacing = float(depths[sharpness.argmax()]), abs(depths[1] - depths[0])
    if abs(sharpest) <= spacing * (1 + 1e-6):
        return None
    return f"The OTF is sharpest {sharpest:+.3g} um from its focus: was the bead in the middle of its stack?"


def _coarse(otf: PsfOtf, optics: SimOptics, *, volume: bool) -> str | None:
    if otf.pixel_size_um > 0.5 / optics.cutoff:
        finest = 0.5 / otf.pixel_size_um
        return (
            f"Pixels of {otf.pixel_size_um:g} um in the PSF hold frequencies up to {finest:.3g} cycles/um, the "
            f"objective passes {optics.cutoff:.3g}: the OTF is 0 beyond."
        )
    n, n_a = optics.refractive_index, optics.na_objective
    axial = (n - math.sqrt(n**2 - n_a**2)) / optics.wavelength_um
    if volume and otf.plane_spacing_um is not None and otf.plane_spacing_um > 0.5 / axial:
        return (
            f"Planes {otf.plane_spacing_um:g} um apart are too far for the PSF of this objective (up to "
            f"{0.5 / axial:.2g} um): the OTF between them is a guess."
        )
    return None
