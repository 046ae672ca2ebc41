"""SIM as a fit sees it: every frame by itself, at its own time, without separating bands.

A frame of orientation d and phase phi, taken at t, is

    I(r) = b sum_m [h_m * (o(., t) D_m cos(m a))](r),    a = 2 pi k_d . r + phi

with the scene o, the depths D_m (D_0 = 1), the brightness b and the point spread function h_m of order m
(Cao et al. 2024, Methods). Products are taken where the scene is sampled; one inverse transform of the sum of
orders leads to the pixels of a frame. A frame of a volume is all its planes at once, or one plane at its own time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import spline_filter

from napari_nstm.core.grids import Grid
from napari_nstm.core.presentation import ChannelPresentation, present
from napari_nstm.core.warp import Canvas
from napari_nstm.imaging.frame_checks import check_images_per_step
from napari_nstm.imaging.sim.layout import SimLayout
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.support import limit_to_support

Refine = Literal["nothing", "modulation", "phases", "both"]

MARGIN_PX = 2
"""Width of the band along the edges of the field that does not count, in raw pixels (as published)."""

OUTSIDE_REGULARIZATION = 1e-3
"""Weight of the squared scene where no pixel counts."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SimProblem:
    """Frames on the padded field at one level of the pyramid, with their forward model.

    Parameters
    ----------
    frames
        (frame, *frame_shape), normalised; one plane of a volume where `planes` says which.
    frame_times
        (frame,) in [-1, 1].
    orientation
        (frame,) index.
    shot
        (frame,) index into `phases`.
    phases
        (shot,) of order 1 in rad: acquisition by acquisition, orientation by orientation.
    intensities
        (frame,) brightness.
    vectors
        (orientation, 2): ky, kx of order 1, cycles per um.
    depths
        (orientation, order).
    transfer
        (orientation or 1, group, [kz,] ky, kx >= 0) on the frequencies of a padded frame; orders of a group share it.
        For single planes of a volume by depth, (..., depth, ky, kx >= 0) in the order of `fftfreq`.
    planes
        (frame,): plane of the padded volume that each frame is; empty where a frame has all planes.
    shifts, scales
        What is refined, 0 at first: of each shot's phase in rad, and of each depth, relative (orientation, order - 1).
    sharpening
        Filter of an apodised scene on the half plane of its frequencies; empty where the scene is learned as it is.
    weight
        (*frame_shape): 1 where a pixel counts.
    nonnegativity, smoothness
        Weights of what is below 0, and of squared gradients.
    scale
        Counts of a normalised 1.
    optics
        Objective and wavelengths.
    layout
        The grids at this level.
    groups
        Orders of each group.
    images_per_step
        Frames in a step.
    refine
        What of the stripes the fit may change.
    """

    frames: jax.Array
    frame_times: jax.Array
    orientation: jax.Array
    shot: jax.Array
    phases: jax.Array
    intensities: jax.Array
    vectors: jax.Array
    depths: jax.Array
    transfer: jax.Array
    planes: jax.Array
    shifts: jax.Array
    scales: jax.Array
    sharpening: jax.Array
    weight: jax.Array
    nonnegativity: jax.Array
    smoothness: jax.Array
    scale: jax.Array
    optics: SimOptics = field(metadata={"static": True})
    layout: SimLayout = field(metadata={"static": True})
    groups: tuple[tuple[int, ...], ...] = field(metadata={"static": True})
    images_per_step: int = field(metadata={"static": True})
    refine: Refine = field(default="nothing", metadata={"static": True})

    @property
    def grid(self) -> Grid:
        """The scene's grid at this level."""
        return self.layout.scene

    @property
    def frame_field(self) -> tuple[slice, ...]:
        """Where the field of view lies in a padded frame."""
        return self.layout.frame_field[-2 if self._by_planes else 0 :]

    @property
    def n_batches(self) -> int:
        """Steps in an epoch."""
        return self.frames.shape[0] // self.images_per_step

    def in_steps_of(self, images: int) -> SimProblem:
        """Return the problem with so many frames in a step; raises `InputError` where they do not divide all."""
        check_images_per_step(images, self.frames.shape[0])
        return replace(self, images_per_step=images)

    def batch(self, key: jax.Array, index: jax.Array) -> tuple[jax.Array, Any]:
        """Return times, and (frames, vectors, phases, depths, brightness, transfer) of a step."""
        n = self.frames.shape[0]
        if n == self.images_per_step:
            chosen = jnp.arange(n)
        else:
            order = jax.random.permutation(key, n)
            chosen = jax.lax.dynamic_slice_in_dim(order, index * self.images_per_step, self.images_per_step)
        which = self.orientation[chosen]
        transfer = self.transfer if self.transfer.shape[0] == 1 else self.transfer[which]
        if self._by_planes:
            # What each plane of the sample sends to the plane in focus: its transfer at their distance.
            n = self.grid.padded_shape[0]
            depths = (self.planes[chosen][:, None] - jnp.arange(n)) % n
            transfer = jax.vmap(lambda t, d: t[:, d], in_axes=(None if transfer.shape[0] == 1 else 0, 0))(
                transfer[0] if transfer.shape[0] == 1 else transfer, depths
            )
        light = (self.vectors[which], self._phases[self.shot[chosen]], self._depths[which], self.intensities[chosen])
        return self.frame_times[chosen], (self.frames[chosen], light, transfer)

    def forward(self, scene: jax.Array, data: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Render frames from (frame, 1, [z,] *padded_shape)."""
        target, (vectors, phases, depths, intensities), transfer = data
        scene = self._sharpened(scene)
        orders = self._orders(vectors, phases, depths.shape[-1])
        total: Any = 0.0
        for k, group in enumerate(self.groups):
            light: Any = sum(_column(depths[:, m], 3) * orders[m] for m in group)
            # In 3D every plane is lit alike: the axial stripes stay with the focus, and are part of the transfer.
            light = light[:, None] if self.grid.ndim == 3 else light
            total = total + transfer[:, k] * self._spectrum(scene[:, 0] * light)
        shape = self.layout.frame_shape
        if self._by_planes:
            total, shape = total.sum(axis=-3), shape[1:]
        prediction = jnp.fft.irfftn(total, s=shape, axes=tuple(range(-len(shape), 0)))
        prediction = prediction * _column(intensities, prediction.ndim)
        return prediction, target, jnp.broadcast_to(self.weight, prediction.shape)

    def penalty(self, scene: jax.Array) -> jax.Array:
        """Weigh per sample of the field what is below 0, squared gradients, and squares where no pixel counts."""
        scene = self._sharpened(scene)
        n_samples = scene.shape[0] * np.prod(self.grid.field_shape)
        below = jnp.sum(jnp.maximum(-scene, 0.0)) / n_samples
        inside = np.zeros(self.grid.padded_shape, np.float32)
        inside[self.grid.field_slices] = 1
        outside = jnp.sum((1 - inside) * scene**2) / n_samples
        # Per lateral sample at full size along every axis: alike at all levels, and in z as in the plane.
        size = self.grid.pixel_size_um
        steps = [step * p / size[-1] for step, p in zip(self.grid.step, size, strict=True)]
        slopes = (jnp.diff(scene, axis=axis - len(steps)) / step for axis, step in enumerate(steps))
        uneven: Any = sum(jnp.sum(slope**2) for slope in slopes)
        held = self.smoothness * uneven / n_samples + OUTSIDE_REGULARIZATION * outside
        return self.nonnegativity * below + jnp.asarray(held)

    @property
    def presentation(self) -> tuple[ChannelPresentation, ...]:
        """Counts again."""
        return (ChannelPresentation(scale=float(self.scale)),)

    def present(self, scene: NDArray[np.float32]) -> NDArray[np.float32]:
        """Limit (1, [z,] y, x) at this level to the frequencies that the frames carry, and turn it into counts."""
        return present(self._limited(scene, tuple(float(s) for s in self.grid.step)), self.presentation)

    def finish(self, canvas: Canvas) -> Canvas:
        """Limit the scene to the frequencies that the frames carry; as cubic splines, which keep them at any shift."""
        limited = self._limited(canvas.coefficients, canvas.spacing_px)
        splines = np.stack([spline_filter(plane, order=3, output=np.float32, mode="mirror") for plane in limited])
        return Canvas(splines, canvas.origin_px, canvas.spacing_px, order=3)

    def _limited(self, images: NDArray[np.float32], spacing_px: tuple[float, ...]) -> NDArray[np.float32]:
        spacing = tuple(s * p for s, p in zip(spacing_px, self.grid.pixel_size_um, strict=True))
        vectors, sharpened = np.asarray(self.vectors, np.float64), self.sharpening.size > 0
        return limit_to_support(images, spacing, self.optics, vectors, self.depths.shape[1], sharpened=sharpened)

    def _sharpened(self, scene: jax.Array) -> jax.Array:
        if not self.sharpening.size:
            return scene
        axes = tuple(range(-self.grid.ndim, 0))
        spectrum = jnp.fft.rfftn(scene, axes=axes) * self.sharpening
        return jnp.fft.irfftn(spectrum, s=self.grid.padded_shape, axes=axes)

    @property
    def tunable(self) -> dict[str, jax.Array]:
        """Phases of the frames and depths of the orders, where they may be refined."""
        names = {"nothing": (), "phases": ("shifts",), "modulation": ("scales",), "both": ("shifts", "scales")}
        return {name: jnp.zeros_like(getattr(self, name)) for name in names[self.refine]}

    def tuned(self, changes: dict[str, jax.Array]) -> SimProblem:
        """Return the problem with phases and depths as far as they were refined."""
        return replace(self, shifts=changes.get("shifts", self.shifts), scales=changes.get("scales", self.scales))

    def refined(self) -> dict[str, Any]:
        """Return refined phases and depths, as the settings take them."""
        found: dict[str, Any] = {}
        if self.refine in ("phases", "both"):
            found["phases_rad"] = [float(phase) for phase in np.asarray(self._phases)]
        if self.refine in ("modulation", "both"):
            for order in range(1, self.depths.shape[1]):
                found[f"modulation_{order}"] = [float(m) for m in np.asarray(self._depths)[:, order]]
        return found

    @property
    def _by_planes(self) -> bool:
        return self.planes.shape[0] > 0

    @property
    def _phases(self) -> jax.Array:
        return self.phases + self.shifts

    @property
    def _depths(self) -> jax.Array:
        return self.depths * jnp.concatenate([jnp.ones_like(self.depths[:, :1]), 1 + self.scales], axis=1)

    def _orders(self, vectors: jax.Array, phases: jax.Array, n_orders: int) -> list[jax.Array]:
        """Return cos(m a) for every order on the padded field, (frame, y, x)."""
        size, step = self.grid.pixel_size_um[-2:], self.grid.step[-2:]
        origin, middle = self.grid.padded_origin[-2:], self.layout.middle
        axes = [
            (np.arange(n) * d + o - m) * p
            for n, d, o, m, p in zip(self.grid.padded_shape[-2:], step, origin, middle, size, strict=True)
        ]
        # cos and sin of a sum, from those along each axis: a few thousand evaluations in place of a million.
        along_y = 2 * jnp.pi * vectors[:, :1] * axes[0]
        along_x = 2 * jnp.pi * vectors[:, 1:] * axes[1] + phases[:, None]
        cos_a = (
            jnp.cos(along_y)[:, :, None] * jnp.cos(along_x)[:, None]
            - jnp.sin(along_y)[:, :, None] * jnp.sin(along_x)[:, None]
        )
        orders = [jnp.ones_like(cos_a), cos_a]
        while len(orders) < n_orders:
            orders.append(2 * cos_a * orders[-1] - orders[-2])
        return orders[:n_orders]

    def _spectrum(self, lit: jax.Array) -> jax.Array:
        """Return the frame's share of the spectrum, on its half plane, in the frame's amplitude."""
        rows, columns = self.layout.frame_shape[-2:]
        # Columns that no frame has are left out before the second transform.
        half = jnp.fft.rfft(lit, axis=-1)[..., : columns // 2 + 1]
        spectrum = jnp.fft.fft(half, axis=-2)
        if spectrum.shape[-2] != rows:
            top, bottom = (rows + 1) // 2, rows // 2
            spectrum = jnp.concatenate([spectrum[..., :top, :], spectrum[..., -bottom:, :]], axis=-2)
        if self.grid.ndim == 3 and not self._by_planes:
            spectrum = jnp.fft.fft(spectrum, axis=-3)
        scale = np.prod(self.layout.frame_shape) / np.prod(self.grid.padded_shape)
        return spectrum * scale


def _column(values: jax.Array, ndim: int) -> jax.Array:
    return values.reshape(-1, *(1,) * (ndim - 1))
