"""Drawings by which a user sees how the settings were understood."""

from __future__ import annotations

import numpy as np

from napari_nstm.core.data import Drawing, Mark, RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.diffusercam.check import check
from napari_nstm.imaging.diffusercam.prepare import prepared
from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings
from napari_nstm.imaging.diffusercam.shutter import overlaps, rolling_shutter

_TIMES = 400


def shutter_drawing(raw: RawData, settings: DiffuserCamSettings) -> Drawing:
    """Draw the exposure of every row (down) over time (across), beside the image they make.

    Raises
    ------
    InputError
        With a global shutter: there is nothing to draw.
    """
    if settings.shutter == "global":
        raise InputError("acquisition.shutter", "global", "a rolling shutter: all rows are exposed at once")
    n_rows = raw.frames.shape[1]
    shutter = rolling_shutter(n_rows, settings)
    edges = np.linspace(0, shutter.duration, _TIMES + 1)
    opened = overlaps(shutter.starts, shutter.exposure, edges).mean(axis=1)
    step_ms = shutter.duration_ms / _TIMES
    return Drawing(
        name="When each row is exposed",
        images=(opened / opened.max())[None].astype(np.float32),
        panels=(f"rows down, 0 to {shutter.duration_ms:.3g} ms across",),
        origin=(0.0, 0.0),
        step=(1.0, shutter.n_rows / _TIMES),
        unit="pixel",
        note=(
            f"Each row is open for {shutter.exposure * shutter.row_time_ms:.3g} ms; the first exposure begins at 0 ms, "
            f"the last ends at {shutter.duration_ms:.3g} ms; a column is {step_ms:.2g} ms."
        ),
    )


def psf_drawing(raw: RawData, settings: DiffuserCamSettings) -> Drawing:
    """Draw PSF and raw image as they are used: less background, rolled, binned, each from 0 to its brightest.

    Raises
    ------
    InputError
        If they do not fit together.
    """
    check(raw, settings)
    data = prepared(raw, settings)
    images = [data.psf.mean(axis=0), data.image.mean(axis=0)]
    images = [np.clip(image / (np.percentile(image, 99.9) or image.max()), 0, 1) for image in images]
    h, w = data.layout.grid.shape
    top, left = (n // 2 - m for n, m in zip(data.layout.sensor, data.layout.centre, strict=True))
    corners = ((top, left), (top, left + w - 1), (top + h - 1, left), (top + h - 1, left + w - 1))
    return Drawing(
        name="PSF and raw image",
        images=np.stack(images).astype(np.float32),
        panels=("PSF", "raw image"),
        origin=(0.0, 0.0),
        step=(1.0, 1.0),
        unit="pixel",
        marks=tuple(Mark((float(y), float(x)), "", panel=0) for y, x in corners),
        note=f"The marks are the corners of the scene's field, {h} x {w} pixels: a point that moves within it moves "
        "the PSF by as much.",
    )
