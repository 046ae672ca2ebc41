"""Static deconvolution and the original method, as comparisons to be seen beside a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.diffusercam.conventional.fista import fista
from napari_nstm.imaging.diffusercam.conventional.operators import RollingOperator, StaticOperator
from napari_nstm.imaging.diffusercam.prepare import Prepared

Float = NDArray[np.float32]

STATIC_ITERATIONS = 150


def static_image(data: Prepared, weight: float, n_iterations: int = STATIC_ITERATIONS) -> Float:
    """Deconvolve as if nothing moved.

    Parameters
    ----------
    data
        Image, PSF and layout.
    weight
        Of the total variation along y and x.
    n_iterations
        Steps of FISTA.

    Returns
    -------
    (colour, y, x) in counts.
    """
    found = fista(StaticOperator.of(data), data.image / np.float32(data.scale), (0.0, weight, weight), n_iterations)
    return np.asarray(found[0] * np.float32(data.scale))


def fista_tv_movie(
    data: Prepared,
    times: NDArray[np.float64],
    weights: tuple[float, float],
    n_iterations: int,
    go_on: Callable[[int], bool] = lambda done: True,
) -> Float:
    """Reconstruct a movie without a model of motion: FISTA with anisotropic total variation (Antipa et al. 2019).

    Parameters
    ----------
    data
        Image, PSF, shutter and layout.
    times
        Moments wanted, in [-1, 1]; as many are reconstructed, evenly over the acquisition, and these are between.
    weights
        Of the total variation in time and in space.
    n_iterations
        Steps of FISTA.
    go_on
        Called after each step with the number done; False ends it.

    Returns
    -------
    (moment, colour, y, x) in counts.
    """
    n = max(len(times), 2)
    shutter = replace(data.shutter, step=data.shutter.duration / n)
    operator = RollingOperator.of(replace(data, shutter=shutter))
    in_time, in_space = weights
    image = data.image / np.float32(data.scale)
    movie = fista(operator, image, (in_time, in_space, in_space), n_iterations, lambda done, _: go_on(done))
    place = np.clip(np.interp(times, shutter.times, np.arange(n)), 0, n - 1)
    before = np.minimum(place.astype(int), n - 2)
    part = (place - before).astype(np.float32)[:, None, None, None]
    return np.asarray(((1 - part) * movie[before] + part * movie[before + 1]) * np.float32(data.scale))
