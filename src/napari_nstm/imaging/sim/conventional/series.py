"""Conventional reconstructions of a series: a window that moves on by one orientation at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.conventional.wiener import widefield, wiener
from napari_nstm.imaging.sim.frames import Index, SimFrames
from napari_nstm.imaging.sim.layout import SimLayout
from napari_nstm.imaging.sim.optics import Illumination
from napari_nstm.imaging.sim.otf import OtfTable
from napari_nstm.imaging.sim.settings import SimSettings

Images = NDArray[np.float32]
Times = NDArray[np.float64]


def windows(frames: SimFrames, settings: SimSettings) -> list[Index]:
    """Return the frames of each window: consecutive ones that hold every orientation and phase once.

    Windows begin one orientation's frames apart (Cao et al. 2024, Fig. 4b), so that most of them take some
    orientations from one acquisition and the others from the next. Where no run of frames is complete, because the
    same stripes were taken several times in a row, the acquisitions are the windows.

    Parameters
    ----------
    frames
        Of a series, in the order of time.
    settings
        Numbers of orientations and phases.
    """
    length = settings.n_orientations * settings.n_phases
    shot = frames.orientation * settings.n_phases + frames.phase
    starts = range(0, len(shot) - length + 1, settings.n_phases)
    found = [np.arange(start, start + length) for start in starts if len(set(shot[start : start + length])) == length]
    if found:
        return found
    return [np.flatnonzero(frames.acquisition == acquisition) for acquisition in np.unique(frames.acquisition)]


def light_of(light: Illumination, which: Index) -> Illumination:
    """Return the stripes of some of the frames, as `SimFrames.chosen` returns the frames."""
    return replace(light, phases_rad=light.phases_rad[which], intensities=light.intensities[which])


def wiener_series(
    frames: SimFrames, light: Illumination, table: OtfTable, layout: SimLayout, settings: SimSettings
) -> tuple[Times, Images]:
    """Reconstruct every window of a series as if nothing moved in it.

    Parameters
    ----------
    frames, light
        Of the series.
    table, layout, settings
        As for `wiener`.

    Returns
    -------
    times_ms
        Mean time of the frames of each window: (window,).
    images
        (window, [z,] y, x) counts on the scene's field of view.
    """
    chosen = windows(frames, settings)
    images = [wiener(frames.chosen(which), light_of(light, which), table, layout, settings) for which in chosen]
    return _times(frames, chosen), np.stack(images)


def widefield_series(
    frames: SimFrames, light: Illumination, layout: SimLayout, settings: SimSettings
) -> tuple[Times, Images]:
    """Average the frames of every window of a series, each divided by its brightness.

    Parameters
    ----------
    frames, light
        Of the series.
    layout, settings
        As for `wiener`.

    Returns
    -------
    times_ms, images
        As of `wiener_series`.
    """
    chosen = windows(frames, settings)
    brightness = light.intensities.reshape(-1, *(1,) * (frames.images.ndim - 1)).astype(np.float32)
    even = replace(frames, images=frames.images / brightness)
    return _times(frames, chosen), np.stack([widefield(even.chosen(which), layout) for which in chosen])


def _times(frames: SimFrames, chosen: list[Index]) -> Times:
    return np.asarray([frames.times_ms[which].mean() for which in chosen])
