"""Settings with what the frames themselves tell: stripes, phases and depths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.check import check
from napari_nstm.imaging.sim.choices import VectorPattern
from napari_nstm.imaging.sim.estimate import check_order, estimate_stripes
from napari_nstm.imaging.sim.frames import SimFrames, sim_frames
from napari_nstm.imaging.sim.layout import sim_layout
from napari_nstm.imaging.sim.optics import SimOptics, given_vectors
from napari_nstm.imaging.sim.otf import OtfTable
from napari_nstm.imaging.sim.otf_choice import otf_table
from napari_nstm.imaging.sim.prepare import depths, phases, place, prepared, smoothness
from napari_nstm.imaging.sim.settings import SimSettings


def with_found(raw: RawData, settings: SimSettings) -> tuple[SimSettings, list[str]]:
    """Fill in what of stripes, phases and depths the settings leave open.

    Parameters
    ----------
    raw
        (image, y, x), and a measured OTF where there is one.
    settings
        The acquisition.

    Returns
    -------
    settings
        The same object where nothing is left open.
    notices
        What was found, and what of it is not to be trusted: a sentence each.

    Raises
    ------
    InputError
        Where raw images and settings do not fit.
    """
    vectors = given_vectors(settings)
    open_depths = [n for n in ("modulation_1", "modulation_2")[: settings.n_orders - 1] if getattr(settings, n) is None]
    is_known = vectors is not None and settings.phases_rad is not None and not open_depths
    if is_known and settings.smoothness is not None:
        return settings, []
    check(raw, settings)
    if is_known:
        return _with_smoothness(raw, settings)
    frames = sim_frames(raw, settings)
    planes = sim_layout(frames.images.shape[1:], settings).padded_planes
    # The table in focus does not depend on the stripes: any stand in where they are still to be found.
    stand_in = np.asarray([[SimOptics.from_settings(settings).finest_order_1, 0.0]] * settings.n_orientations)
    table = otf_table(settings, raw.extras, stand_in if vectors is None else vectors, planes)
    given_phases = None if settings.phases_rad is None else phases(frames, settings)
    filled = settings.model_copy(update=dict.fromkeys(open_depths, math.nan))

    def table_for(vectors_per_um: NDArray[np.floating[Any]]) -> OtfTable:
        return otf_table(settings, raw.extras, vectors_per_um, planes)

    found = estimate_stripes(
        frames, settings, table, vectors, given_phases, depths(filled), table_for=table_for if planes else None
    )
    changes: dict[str, Any] = {}
    notices = list(found.problems)
    if vectors is None:
        ky, kx = (tuple(float(round(k, 6)) for k in found.vectors_per_um[:, axis]) for axis in (0, 1))
        changes["pattern"] = VectorPattern(ky_per_um=ky, kx_per_um=kx)
        spacing = ", ".join(f"{1 / np.hypot(y, x):.4f}" for y, x in zip(ky, kx, strict=True))
        notices.append(f"Stripes found in the frames: {spacing} um apart.")
    if settings.phases_rad is None:
        changes["phases_rad"] = _in_order(found.phases_rad, frames, settings)
        notices.append("The phase of each frame was found in the frames.")
    for name in open_depths:
        order = int(name[-1])
        changes[name] = tuple(float(round(m, 4)) for m in found.depths[:, order])
        notices.append(f"Depth of order {order} found: {', '.join(f'{m:.2f}' for m in changes[name])}.")
    wrong = check_order(frames, found.vectors_per_um, settings)
    try:
        complete, more = _with_smoothness(raw, settings.model_copy(update=changes))
    except InputError as error:
        if settings.phases_rad is not None:
            raise
        got = "frames in which no stripes are found that tell their phases apart"
        raise InputError(
            "acquisition.pattern", got, "frames with stripes (are orientations and phases in this order?)"
        ) from error
    return complete, [*([wrong] if wrong else []), *notices, *more]


def _with_smoothness(raw: RawData, settings: SimSettings) -> tuple[SimSettings, list[str]]:
    if settings.smoothness is not None:
        return settings, []
    found = float(f"{smoothness(prepared(raw, settings), settings):.3g}")
    return settings.model_copy(update={"smoothness": found}), [f"Smoothness {found:g}, from the noise of the frames."]


def _in_order(phases_rad: np.ndarray[Any, Any], frames: SimFrames, settings: SimSettings) -> tuple[float, ...]:
    """Bring phases from the order of time to that of the setting: acquisition, orientation, phase."""
    where = place(frames, settings)
    ordered = np.empty(len(where))
    ordered[where] = phases_rad
    return tuple(float(round(p, 6)) for p in ordered)
