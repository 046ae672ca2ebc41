"""Power spectra of several images on one scale of frequencies, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from napari_nstm.core.data import Circle, Drawing
from napari_nstm.imaging.spectrum import frequency_step, power_spectrum

Float = NDArray[np.floating[Any]]

_SAMPLES = 256  # of a panel, along each axis
_BEYOND = 1.1  # shown of the largest circle
_DECADES = 9.0  # below the brightest value of a spectrum everything counts as dark


def side_by_side(
    images: Mapping[str, tuple[Float, float]], circles: Sequence[Circle] = (), name: str = "Spectra"
) -> Drawing:
    """Draw the logarithmic power spectra of images, all on the same frequencies.

    Parameters
    ----------
    images
        By title: ([n,] y, x) of which spectra are averaged, and the pixel size in um.
    circles
        In cycles per um; the spectra are shown a little beyond the largest, or as far as the finest image goes.
    name
        Of the drawing.
    """
    finest = min(pixel for _, pixel in images.values())
    reach = 1 / (2 * finest)
    if circles:
        reach = min(reach, _BEYOND * max(circle.radius for circle in circles))
    axis = np.linspace(-reach, reach, _SAMPLES)
    panels = [_on(axis, image, pixel) for image, pixel in images.values()]
    step = float(axis[1] - axis[0])
    return Drawing(
        name=name,
        images=np.stack(panels).astype(np.float32),
        panels=tuple(images),
        origin=(-reach, -reach),
        step=(step, step),
        unit="1/um",
        circles=tuple(circles),
        note="Logarithm of the power; the same frequencies at the same places, none in the middle.",
    )


def _on(axis: Float, image: Float, pixel_um: float) -> NDArray[np.float64]:
    """Return the decades of an image's spectrum below its brightest value, at frequencies of both axes alike."""
    power = power_spectrum(image)
    brightest = power.max() if power.max() > 0 else 1.0
    decades = np.log10(np.maximum(power / brightest, 10.0**-_DECADES))
    places = [axis / frequency_step(n, pixel_um) + n // 2 for n in power.shape]
    where = np.meshgrid(*places, indexing="ij")
    # Beyond its own Nyquist frequency an image holds nothing.
    return np.asarray(map_coordinates(decades, where, order=1, mode="constant", cval=-_DECADES))
