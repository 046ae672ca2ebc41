"""What a space-time model is made of, as plain data: hashable, comparable, JSON."""

from __future__ import annotations

from typing import Literal

from napari_nstm.core.errors import InputError
from napari_nstm.core.grids import Grid
from napari_nstm.core.settings import EncodingSettings, FitSettings, NetworkSettings, Settings


class Box(Settings):
    """The region that an encoding's cells divide, in raw pixels.

    Parameters
    ----------
    origin
        Lowest corner, ([z,] y, x), raw pixels from sample 0 of the field of view.
    extent
        Size along each axis, raw pixels.
    """

    origin: tuple[float, ...]
    extent: tuple[float, ...]


class Architecture(Settings):
    """Everything that decides the shapes of a model's weights and how it is rendered.

    Learning rates, seeds and lengths of runs are not part of it, so that they never cause a
    compilation.
    """

    n_channels: int
    scene_box: Box
    motion_box: Box
    scene_encoding: EncodingSettings
    scene_network: NetworkSettings
    motion_encoding: EncodingSettings
    motion_network: NetworkSettings
    motion_scale_px: tuple[float, ...]
    rendering: Literal["canvas", "exact"]
    canvas_samples_per_pixel: int
    is_steady: bool = False
    """Whether changes of velocity are weighed."""
    given_times: int = 0
    """Times at which a motion is given, evenly over [-1, 1]; 0: the motion network finds it."""

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.scene_box.origin)


def build_architecture(grid: Grid, settings: FitSettings, given_times: int = 0) -> Architecture:
    """Lay a model over a field.

    Parameters
    ----------
    grid, settings
        The field at full size, and the model's settings.
    given_times
        Times at which the motion is given, where it is not fitted.

    Dense encodings end at their box, so the scene's covers the whole canvas and the motion's the
    padded field. Hashed encodings go on outside theirs and follow the published boxes: the field of
    view for the motion, and the field enlarged by half of it on each side (y and x) for the scene.

    Raises
    ------
    InputError
        If an encoding's cells do not have the axes of the field.
    """
    _check_axes("scene_encoding", settings.scene_encoding, grid.ndim)
    _check_axes("motion_encoding", settings.motion_encoding, grid.ndim + 1)
    if settings.scene_encoding.hash_entries_log2 is None:
        scene_box = Box(origin=grid.canvas_origin, extent=tuple(float(n) for n in grid.canvas_extent))
    else:
        grow = tuple(0.0 if grid.ndim == 3 and axis == 0 else 0.5 for axis in range(grid.ndim))
        scene_box = Box(
            origin=tuple(-g * n for g, n in zip(grow, grid.shape, strict=True)),
            extent=tuple((1 + 2 * g) * n for g, n in zip(grow, grid.shape, strict=True)),
        )
    if settings.motion_encoding.hash_entries_log2 is None:
        # First to last sample, so that the lattice on which the motion is evaluated meets the cells' corners.
        motion_box = Box(origin=grid.padded_origin, extent=tuple(max(float(n - 1), 1.0) for n in grid.padded_extent))
    else:
        motion_box = Box(origin=(0.0,) * grid.ndim, extent=tuple(float(n) for n in grid.shape))
    field = tuple(float(n) for n in grid.shape)
    return Architecture(
        n_channels=len(grid.channels),
        scene_box=scene_box,
        motion_box=motion_box,
        scene_encoding=settings.scene_encoding,
        scene_network=settings.scene_network,
        motion_encoding=settings.motion_encoding,
        motion_network=settings.motion_network,
        motion_scale_px=field if settings.motion_unit == "field" else (1.0,) * grid.ndim,
        rendering=settings.rendering,
        canvas_samples_per_pixel=settings.canvas_samples_per_pixel,
        is_steady=settings.motion_steadiness > 0 and not given_times,
        given_times=given_times,
    )


def _check_axes(name: str, encoding: EncodingSettings, n_axes: int) -> None:
    if len(encoding.base_cells) != n_axes:
        axes = ", ".join("tzyx"[-n_axes:] if n_axes != 3 or name == "scene_encoding" else "tyx")
        raise InputError(
            f"fit.advanced.{name}", f"cells along {len(encoding.base_cells)} axes", f"cells along {n_axes} axes: {axes}"
        )
