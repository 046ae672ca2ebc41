"""Pictures of results beside each other, with titles, a scale bar and arrows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.io._atomic import reason, replacing
from napari_nstm.io._footer import Key, MotionKey
from napari_nstm.io._layout import enlargement
from napari_nstm.io._sheet import Interpolation, Sheet
from napari_nstm.io.arrows import Arrows, arrow_grid, arrow_spacing, nice_stretch, sample_at, visible_points
from napari_nstm.io.colors import direction_colors

__all__ = ["comparison_picture", "contrast_limits", "motion_arrows"]

_PERCENTILES = (0.5, 99.5)
_NOTHING = 1e-5


def contrast_limits(images: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """Return the values to show black and white: the 0.5th and 99.5th percentile over all images."""
    values = np.concatenate([np.asarray(image, np.float32).ravel() for image in images])
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, _PERCENTILES) if values.size else (0.0, 1.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    # What is next to nothing of the range is nothing: no key says 4e-08.
    small = _NOTHING * (high - low)
    return 0.0 if abs(low) < small else float(low), 0.0 if abs(high) < small else float(high)


def comparison_picture(
    panels: Sequence[tuple[str, NDArray[np.floating]]],
    path: str | Path,
    *,
    pixel_size_um: float,
    quantity: str = "",
    limits: tuple[float, float] | None = None,
    motion: tuple[int, NDArray[np.floating]] | None = None,
    motion_note: str = "",
    interpolation: Interpolation = "bicubic",
) -> Path:
    """Draw images of the same field side by side, all with the same grey levels or colours, and save the picture.

    Parameters
    ----------
    panels
        (title, image): (y, x), or (y, x, 3) in colours; a second line in a title is set smaller.
    path
        A PNG file.
    pixel_size_um
        For the scale bar.
    quantity
        What is shown, with its unit (`phase (rad)`).
    limits
        Values shown black and white; None: from percentiles of all images.
    motion
        Index of a panel, and the motion (component, y, x) in pixels that arrows on it show.
    motion_note
        What the motion is, for the key (`since 0 ms`).
    interpolation
        Between pixels, where small images are enlarged.

    Raises
    ------
    InputError
        If images differ in shape, or the picture cannot be written.
    """
    target = Path(path)
    shapes = {np.shape(image) for _, image in panels}
    shape = next(iter(shapes), ())
    in_colors = len(shape) == 3 and shape[-1] == 3
    if len(shapes) != 1 or not (len(shape) == 2 or in_colors):
        got = ", ".join(" x ".join(map(str, shape)) for shape in sorted(shapes)) or "nothing"
        raise InputError("panels", f"images of {got}", "images (y, x), or (y, x, 3), of one shape")
    images = [np.asarray(image, np.float32) for _, image in panels]
    arrows: list[Arrows | None] = [None] * len(panels)
    key_to_motion = None
    if motion is not None:
        index, field = motion
        grey = images[index].mean(axis=-1) if in_colors else images[index]
        arrows[index], stretch = motion_arrows(grey, field, enlargement(grey.shape, len(panels)))
        key_to_motion = MotionKey(("motion" + stretch_note(stretch), motion_note))
    key = Key(limits or contrast_limits(images), quantity, pixel_size_um, key_to_motion, in_colors=in_colors)
    sheet = Sheet((shape[0], shape[1]), [title for title, _ in panels], key, interpolation)
    picture = sheet.compose([sheet.panel(image) for image in images], arrows)
    try:
        with replacing(target) as stream:
            picture.save(stream, "PNG")
    except OSError as error:
        raise InputError("out", f"{target}, which cannot be written ({reason(error)})", "a writable path") from error
    return target


def motion_arrows(image: NDArray[np.floating], motion_px: NDArray[np.floating], factor: int) -> tuple[Arrows, float]:
    """Lay arrows of motion over an image, where it shows something.

    Parameters
    ----------
    image
        (y, x).
    motion_px
        (component, y, x) in pixels.
    factor
        By how much the image will be enlarged.

    Returns
    -------
    arrows, stretch
        Coloured by direction, lengthened by `stretch` to be seen.
    """
    spacing = arrow_spacing(image.shape, factor)
    points = arrow_grid(image.shape, spacing)
    points = points[:, visible_points(image, points, spacing)]
    vectors = np.stack([sample_at(component, points) for component in motion_px])
    stretch = nice_stretch(typical_length(vectors), spacing)
    return Arrows(points, vectors * stretch, direction_colors(np.arctan2(vectors[0], vectors[1])), spacing), stretch


def typical_length(vectors: NDArray[np.floating]) -> float:
    """Return the 90th percentile of the lengths of vectors (component, ...); 0 where there are none.

    Some of those that are shown lie on noise, and go far.
    """
    lengths = np.linalg.norm(vectors, axis=0)
    return float(np.percentile(lengths, 90)) if lengths.size else 0.0


def stretch_note(stretch: float) -> str:
    """Say by how much arrows are lengthened."""
    return "" if stretch == 1 else f", drawn {stretch:g}x"
