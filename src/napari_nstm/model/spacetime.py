"""The space-time model: a scene, a motion, and how they are rendered.

o(x, t) = scene(x + dx(x, t)): the motion is a pull-back in raw pixels (Cao et al. 2024, eqs. 1, 2).
All positions are raw pixels from sample 0 of the field of view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from napari_nstm.core.grids import Grid, samples_per_pixel
from napari_nstm.model.architecture import Architecture, Box
from napari_nstm.model.encoding import level_cells
from napari_nstm.model.interpolate import apply_along_axes, hat_matrix
from napari_nstm.model.networks import FieldNetwork
from napari_nstm.model.resample import resample

Params = dict[str, Any]


@dataclass(frozen=True)
class SpaceTimeModel:
    """Pure functions of the weights; the object itself only knows the architecture.

    Parameters
    ----------
    architecture
        What the networks are made of, and where they lie.
    """

    architecture: Architecture

    @property
    def scene(self) -> FieldNetwork:
        """The scene network: position to channels."""
        a = self.architecture
        return FieldNetwork(a.scene_encoding, a.scene_network, a.n_channels)

    @property
    def motion(self) -> FieldNetwork:
        """The motion network: (t, position) to displacement."""
        a = self.architecture
        return FieldNetwork(a.motion_encoding, a.motion_network, a.ndim)

    def init(self, key: Array) -> Params:
        """Draw initial weights."""
        scene_key, motion_key = jax.random.split(key)
        scene = self.scene.init(scene_key, method="draw")
        if self.architecture.given_times:
            shape = (self.architecture.given_times, self.architecture.ndim, *self.motion_lattice_shape())
            return {"scene": scene, "motion": {"given": jnp.zeros(shape)}}
        return {"scene": scene, "motion": self.motion.init(motion_key, method="draw")}

    def displacement_at(
        self, params: Params, t: Float[Array, ...], positions: Float[Array, "... axis"], alpha: Array | float = 1.0
    ) -> Float[Array, "... axis"]:
        """Return dx in raw pixels at any positions (raw pixels) and times (in [-1, 1])."""
        unit = _to_unit(positions, self.architecture.motion_box)
        x = jnp.concatenate([(t[..., None] + 1) / 2, unit], axis=-1)
        out = jnp.asarray(self.motion.apply(params["motion"], x, alpha))
        return out * jnp.asarray(self.architecture.motion_scale_px)

    def motion_lattice_shape(self) -> tuple[int, ...]:
        """Return the samples of the lattice the motion is evaluated on: two per finest cell and axis, at least 9."""
        return tuple(min(max(2 * n, 8), 256) + 1 for n in level_cells(self.architecture.motion_encoding)[-1][1:])

    def motion_lattice(
        self, params: Params, times: Float[Array, " time"], grid: Grid, alpha: Array | float = 1.0
    ) -> Float[Array, "time axis *lattice"]:
        """Return dx in raw pixels on a coarse lattice that spans the padded field, first to last sample."""
        if self.architecture.given_times:
            return _between(params["motion"]["given"], times)
        coarse = [np.linspace(0.0, 1.0, n) for n in self.motion_lattice_shape()]
        axes = _unit_axes(coarse, grid.padded_origin, _last_offsets(grid), self.architecture.motion_box)
        dx = jnp.asarray(self.motion.apply(params["motion"], [(times + 1) / 2, *axes], alpha, method="on_lattice"))
        scale = jnp.asarray(self.architecture.motion_scale_px).reshape((-1,) + (1,) * (dx.ndim - 1))
        return jnp.moveaxis(dx * scale, 0, 1)

    def displacement(
        self, params: Params, times: Float[Array, " time"], grid: Grid, alpha: Array | float = 1.0
    ) -> Float[Array, "time axis *field"]:
        """Return dx in raw pixels at every sample of the padded field of `grid`: the coarse lattice, enlarged."""
        coarse = self.motion_lattice(params, times, grid, alpha)
        matrices = []
        for n_fine, n_coarse, step, last in zip(
            grid.padded_shape, coarse.shape[2:], grid.step, _last_offsets(grid), strict=True
        ):
            matrices.append(hat_matrix(np.arange(n_fine) * (step / last), n_coarse - 1))
        flat = coarse.reshape(-1, *coarse.shape[2:])
        return apply_along_axes(flat, matrices).reshape(*coarse.shape[:2], *grid.padded_shape)

    def canvas(self, params: Params, grid: Grid, alpha: Array | float = 1.0) -> Float[Array, channel * lattice]:
        """Evaluate the scene once, on the lattice of `grid`, finer than its pixels (not its planes)."""
        axes = []
        for n, step, origin, box_origin, extent in zip(
            self.canvas_shape(grid),
            self.canvas_spacing(grid),
            grid.canvas_origin,
            self.architecture.scene_box.origin,
            self.architecture.scene_box.extent,
            strict=True,
        ):
            axes.append((np.arange(n) * step + (origin - box_origin)) / extent)
        out = jnp.asarray(self.scene.apply(params["scene"], axes, alpha, method="on_lattice"))
        return out

    def canvas_shape(self, grid: Grid) -> tuple[int, ...]:
        """Return the samples of the canvas."""
        per_pixel = samples_per_pixel(grid, self.architecture.canvas_samples_per_pixel)
        return tuple(n * k for n, k in zip(grid.canvas_shape, per_pixel, strict=True))

    def canvas_spacing(self, grid: Grid) -> tuple[float, ...]:
        """Distance between canvas samples, raw pixels."""
        per_pixel = samples_per_pixel(grid, self.architecture.canvas_samples_per_pixel)
        return tuple(s / k for s, k in zip(grid.step, per_pixel, strict=True))

    def render(
        self, params: Params, times: Float[Array, " time"], grid: Grid, alpha: Array | float = 1.0
    ) -> Float[Array, "time channel *field"]:
        """Render the scene at `times` on the padded field, the way the architecture says."""
        if self.architecture.rendering == "exact":
            return self.render_exact(params, times, grid, alpha)
        return self.render_canvas(params, times, grid, alpha)

    def render_canvas(
        self, params: Params, times: Float[Array, " time"], grid: Grid, alpha: Array | float = 1.0
    ) -> Float[Array, "time channel *field"]:
        """Evaluate the scene once and resample it at x + dx."""
        canvas = self.canvas(params, grid, alpha)
        moved = padded_positions(grid) + self.displacement(params, times, grid, alpha)
        column = (-1,) + (1,) * grid.ndim
        origin = jnp.asarray(grid.canvas_origin).reshape(column)
        spacing = jnp.asarray(self.canvas_spacing(grid)).reshape(column)
        return resample(canvas, (moved - origin) / spacing)

    def render_exact(
        self, params: Params, times: Float[Array, " time"], grid: Grid, alpha: Array | float = 1.0
    ) -> Float[Array, "time channel *field"]:
        """Query both networks at every pixel of every frame, as published."""
        positions = jnp.moveaxis(padded_positions(grid), 0, -1)

        def one(t: Array) -> Array:
            if self.architecture.given_times:
                dx = jnp.moveaxis(self.displacement(params, t[None], grid, alpha)[0], 0, -1)
            else:
                dx = self.displacement_at(params, jnp.full(positions.shape[:-1], t), positions, alpha)
            unit = _to_unit(positions + dx, self.architecture.scene_box)
            values = jnp.asarray(self.scene.apply(params["scene"], unit, alpha))
            return jnp.moveaxis(values, -1, 0)

        # One frame after the other, and its queries once more for the gradient: what all of them leave behind at once
        # would not fit into memory.
        return jnp.asarray(jax.lax.map(jax.checkpoint(one), times))


def padded_positions(grid: Grid) -> Float[Array, axis * field]:
    """Positions of the padded field's samples, raw pixels."""
    axes = [
        jnp.arange(n) * float(step) + origin
        for n, step, origin in zip(grid.padded_shape, grid.step, grid.padded_origin, strict=True)
    ]
    return jnp.stack(jnp.meshgrid(*axes, indexing="ij"))


def motion_spacing_px(model: SpaceTimeModel, grid: Grid) -> tuple[float, ...]:
    """Distance between samples of the motion lattice, raw pixels."""
    return tuple(last / (n - 1) for n, last in zip(model.motion_lattice_shape(), _last_offsets(grid), strict=True))


def _last_offsets(grid: Grid) -> tuple[float, ...]:
    # Level 0 on purpose: the lattice is the same at every level of the pyramid.
    return tuple(max(float(n - 1), 1.0) for n in grid.padded_extent)


def _unit_axes(
    axes: Sequence[np.ndarray], origin: tuple[float, ...], last: tuple[float, ...], box: Box
) -> list[np.ndarray]:
    return [
        (o - bo + x * end) / extent
        for x, o, end, bo, extent in zip(axes, origin, last, box.origin, box.extent, strict=True)
    ]


def _between(given: Float[Array, "moment ..."], times: Float[Array, " time"]) -> Float[Array, "time ..."]:
    """Interpolate linearly between moments that are evenly spaced over [-1, 1]; before and after they stay."""
    last = given.shape[0] - 1
    position = jnp.clip((times + 1) / 2 * last, 0.0, float(last))
    before = jnp.minimum(position.astype(jnp.int32), max(last - 1, 0))
    weight = (position - before).reshape(-1, *(1,) * (given.ndim - 1))
    return (1 - weight) * given[before] + weight * given[jnp.minimum(before + 1, last)]


def _to_unit(positions: Float[Array, "... axis"], box: Box) -> Float[Array, "... axis"]:
    return (positions - jnp.asarray(box.origin)) / jnp.asarray(box.extent)
