"""DPC as a fit sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.grids import Grid
from napari_nstm.core.presentation import ChannelPresentation, present
from napari_nstm.core.warp import Canvas
from napari_nstm.imaging.frame_checks import check_images_per_step
from napari_nstm.imaging.padding import weight_of

Data = tuple[jax.Array, jax.Array, jax.Array]

MARGIN_PX = 5
"""Width of the band along the edges of the field that does not count, in raw pixels (as published)."""

OUTSIDE_REGULARIZATION = 1e-3
"""Weight of the squared scene where no pixel counts: a frame says nothing of it."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DpcProblem:
    """Contrast frames on the padded field at one level of the pyramid, with their forward model.

    Parameters
    ----------
    frames
        (frame, *padded_shape) contrast.
    frame_times
        (frame,) in [-1, 1].
    absorption_transfer, phase_transfer
        Hu, and Hp / i per rad, for each frame of one acquisition on the half plane of `rfft2`:
        (condition, fy, fx >= 0).
    weight
        (*padded_shape): 1 where a pixel counts, 0 in the padding and the margin.
    regularization_absorption, regularization_phase
        Weights of the mean squares in the penalty.
    grid
        The field at this level.
    images_per_step
        Frames in a step; by default one acquisition.
    """

    frames: jax.Array
    frame_times: jax.Array
    absorption_transfer: jax.Array
    phase_transfer: jax.Array
    weight: jax.Array
    regularization_absorption: jax.Array
    regularization_phase: jax.Array
    grid: Grid = field(metadata={"static": True})
    images_per_step: int = field(metadata={"static": True})

    @property
    def frame_field(self) -> tuple[slice, ...]:
        """Where the field of view lies in a frame: as in the scene."""
        return self.grid.field_slices

    @property
    def n_batches(self) -> int:
        """Steps in an epoch."""
        return self.frames.shape[0] // self.images_per_step

    def in_steps_of(self, images: int) -> DpcProblem:
        """Return the problem with so many frames in a step; raises `InputError` where they do not divide all."""
        check_images_per_step(images, self.frames.shape[0])
        return replace(self, images_per_step=images)

    def batch(self, key: jax.Array, index: jax.Array) -> tuple[jax.Array, Data]:
        """Return times, and (frames, Hu, Hp / i) of step `index` of the epoch that `key` shuffles."""
        n_frames, n_conditions = self.frames.shape[0], self.absorption_transfer.shape[0]
        if n_frames == self.images_per_step == n_conditions:
            return self.frame_times, (self.frames, self.absorption_transfer, self.phase_transfer)
        order = jax.random.permutation(key, n_frames)
        chosen = jax.lax.dynamic_slice_in_dim(order, index * self.images_per_step, self.images_per_step)
        condition = chosen % n_conditions
        transfer = (self.absorption_transfer[condition], self.phase_transfer[condition])
        return self.frame_times[chosen], (self.frames[chosen], *transfer)

    def forward(self, scene: jax.Array, data: Data) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Render contrast from (frame, 2, y, x): bands are added before the one inverse transform of a frame."""
        target, absorption_transfer, phase_transfer = data
        spectrum = jnp.fft.rfft2(scene)
        contrast = absorption_transfer * spectrum[:, 0] + 1j * phase_transfer * spectrum[:, 1]
        prediction = jnp.fft.irfft2(contrast, s=scene.shape[-2:])
        return prediction, target, jnp.broadcast_to(self.weight, prediction.shape)

    def penalty(self, scene: jax.Array) -> jax.Array:
        """Weigh squared absorption and phase, per pixel of the field of view.

        Where no pixel counts it is penalised more: what moves out of the field is seen under few of the conditions,
        too few to tell phase from absorption, and would otherwise stand as a bright band along the edges.
        """
        n_pixels = scene.shape[0] * self.grid.field_shape[0] * self.grid.field_shape[1]
        squares = jnp.sum(scene**2, axis=(0, 2, 3)) / n_pixels
        outside = jnp.sum((1 - self.weight) * scene**2) / n_pixels
        field = self.regularization_absorption * squares[0] + self.regularization_phase * squares[1]
        return field + OUTSIDE_REGULARIZATION * outside

    @property
    def presentation(self) -> tuple[ChannelPresentation, ...]:
        """Absorption stays; the phase has zero mean, because DPC carries no absolute phase."""
        return (ChannelPresentation(), ChannelPresentation(zero_mean=True))

    def present(self, scene: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the phase of (2, y, x) zero mean. Absorption stays."""
        return present(scene, self.presentation)

    @property
    def tunable(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def tuned(self, changes: dict[str, Any]) -> DpcProblem:
        """Return this problem: nothing of it is refined."""
        return self

    def refined(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def finish(self, canvas: Canvas) -> Canvas:
        """Return the canvas as it is."""
        return canvas


def field_weight(grid: Grid) -> NDArray[np.float32]:
    """Return 1 inside the field of view without its margin, 0 elsewhere: (*padded_shape) at the grid's level."""
    # Two samples at least: a coarse level mixes with what stands outside the field.
    margin = tuple(max(2, math.ceil(MARGIN_PX / step)) for step in grid.step)
    return weight_of(grid.field_slices, grid.padded_shape, margin)
