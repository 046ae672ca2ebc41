"""DiffuserCam as a fit sees it: rows of one image, each the scene's mean over its own exposure, convolved.

A row y of the raw image is (Cao et al. 2024, eqs. 6 and 7)

    I(y, .) = sum_t w(y, t) [p * o(., t)](y, .),    sum_t w(y, t) = 1

with the scene o, the point spread function p and the share w of the row's exposure that falls to moment t. The
convolution is linear: the scene is first averaged over the exposure, and then only this one row of it is computed, by
transforms along x and a sum over the scene's rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.grids import Grid
from napari_nstm.core.presentation import ChannelPresentation, present
from napari_nstm.core.warp import Canvas
from napari_nstm.imaging.diffusercam.layout import DiffuserCamLayout
from napari_nstm.imaging.fourier import kept_frequencies

EDGE_PX = 3
"""Width of the rim of the scene that is kept dark, in pixels."""
EDGE_REGULARIZATION = 1e-3


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DiffuserCamProblem:
    """One raw image, normalised, with its forward model; the scene may be coarse, the image is whole at every level.

    Parameters
    ----------
    image
        (colour, y, x) of the sensor.
    moments
        (time,): all moments of the time lattice, in [-1, 1].
    times
        (window, moment): those that each window of rows sees.
    weights
        (window, exposure, moment).
    rows, counted
        (window, exposure, row): rows of the sensor, and 1 where they count.
    transfer
        (1 or colour, row, kx >= 0): rows of the PSF, transformed along x; (1 or colour, ky, kx >= 0) of all of it
        where the rows are exposed at once.
    nonnegativity, smoothness
        Weights of what is below 0, squared, and of squared gradients.
    scale
        Counts of a normalised 1.
    layout
        Sensor and scene at this level.
    at_once
        Whether all rows have the same exposure (global shutter).
    """

    image: jax.Array
    moments: jax.Array
    times: jax.Array
    weights: jax.Array
    rows: jax.Array
    counted: jax.Array
    transfer: jax.Array
    nonnegativity: jax.Array
    smoothness: jax.Array
    scale: jax.Array
    layout: DiffuserCamLayout = field(metadata={"static": True})
    at_once: bool = field(default=False, metadata={"static": True})

    @property
    def grid(self) -> Grid:
        """The scene's grid at this level."""
        return self.layout.grid

    @property
    def frame_times(self) -> jax.Array:
        """All moments of the time lattice."""
        return self.moments

    @property
    def frame_field(self) -> tuple[slice, ...]:
        """All of the sensor."""
        return (slice(None), slice(None))

    @property
    def n_batches(self) -> int:
        """Windows of rows."""
        return self.times.shape[0]

    def batch(self, key: jax.Array, index: jax.Array) -> tuple[jax.Array, Any]:
        """Return the moments of a window, and (image rows, weights, rows, counted)."""
        window = jax.random.permutation(key, self.n_batches)[index]
        rows = self.rows[window]
        return self.times[window], (self.image[:, rows], self.weights[window], rows, self.counted[window])

    def forward(self, scene: jax.Array, data: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Render rows (colour, exposure, row, x) from (moment, colour, y, x)."""
        target, weights, rows, counted = data
        exposed = jnp.einsum("em,mcyx->ecyx", weights, scene)
        if self.at_once:
            prediction = self.render_whole(exposed[0])[:, None]
        else:
            prediction = jnp.moveaxis(self.render_rows(exposed, rows), 2, 0)
        return prediction, target, counted[None, :, :, None]

    def render_rows(self, exposed: jax.Array, rows: jax.Array) -> jax.Array:
        """Convolve with the PSF, and return single rows of the sensor.

        Parameters
        ----------
        exposed
            (exposure, colour, y, x): the scene, averaged over each exposure.
        rows
            (exposure, row): which rows of the sensor see it.

        Returns
        -------
        (exposure, row, colour, x)
        """
        layout, step = self.layout, self.grid.step[0]
        n, width = layout.transform_length, layout.sensor[1]
        spectrum = jnp.fft.rfft(exposed, n // step)
        reach = step * (spectrum.shape[2] - 1)
        # Rows of the PSF that the scene's rows meet at row y of the sensor: y - y' + centre; beyond the image is none.
        padded = jnp.pad(self.transfer, ((0, 0), (reach, 1), (0, 0)))
        met = rows[..., None] + layout.centre[0] + reach - step * jnp.arange(spectrum.shape[2])
        transfer = padded[:, jnp.minimum(met, padded.shape[1] - 1)]
        seen = jnp.einsum("cerky,ecky->erck", jnp.moveaxis(transfer, -2, -1), jnp.moveaxis(spectrum, -2, -1))
        lines = jnp.fft.irfft(jnp.pad(seen, ((0, 0),) * 3 + ((0, n // 2 + 1 - seen.shape[-1]),)), n)
        return lines[..., layout.centre[1] : layout.centre[1] + width]

    def render_whole(self, exposed: jax.Array) -> jax.Array:
        """Convolve (colour, y, x) with the PSF, and return the whole sensor (colour, y, x)."""
        layout, step = self.layout, self.grid.step[0]
        shape = (layout.transform_height, layout.transform_length)
        coarse = (shape[0] // step, shape[1] // step)
        spectrum = jnp.fft.rfft2(exposed, coarse) * self.transfer
        if step > 1:
            rows, columns = kept_frequencies(coarse[0], shape[0])
            padded = jnp.zeros((spectrum.shape[0], shape[0], shape[1] // 2 + 1), spectrum.dtype)
            spectrum = padded.at[:, columns, : spectrum.shape[-1]].set(spectrum[:, rows])
        whole = jnp.fft.irfft2(spectrum, shape)
        (top, left), (height, width) = layout.centre, layout.sensor
        return whole[:, top : top + height, left : left + width]

    def penalty(self, scene: jax.Array) -> jax.Array:
        """Weigh what is below 0, gradients, and the edge of the scene, all squared, per sample.

        What stands at the edge can be moved in and out of the scene: free, it would be a bright rim that fits noise.
        """
        below = jnp.mean(jnp.minimum(scene, 0.0) ** 2)
        rough = sum(jnp.mean(jnp.diff(scene, axis=axis) ** 2) for axis in (-2, -1))
        edge = jnp.mean(self._edge() * scene**2)
        return self.nonnegativity * below + self.smoothness * rough + EDGE_REGULARIZATION * edge

    def gathered(self, parts: Sequence[tuple[Any, NDArray[np.float32]]]) -> NDArray[np.float32]:
        """Put rows (colour, exposure, row, x) of all windows together: (colour, y, x)."""
        image = np.zeros(self.image.shape, np.float32)
        for (_, _, rows, counted), difference in parts:
            there = np.asarray(counted) > 0
            image[:, np.asarray(rows)[there]] = difference[:, there]
        return image

    def _edge(self) -> NDArray[np.float32]:
        width = max(1, EDGE_PX // self.grid.step[0])
        edge = np.ones(self.grid.padded_shape, np.float32)
        edge[width:-width, width:-width] = 0
        return edge

    @property
    def presentation(self) -> tuple[ChannelPresentation, ...]:
        """Every colour in counts."""
        return (ChannelPresentation(scale=float(self.scale)),) * len(self.grid.channels)

    def present(self, scene: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (colour, y, x) into counts."""
        return present(scene, self.presentation)

    @property
    def tunable(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def tuned(self, changes: dict[str, Any]) -> DiffuserCamProblem:
        """Return this problem: nothing of it is refined."""
        return self

    def refined(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def finish(self, canvas: Canvas) -> Canvas:
        """Return the canvas as it is."""
        return canvas
