"""The grids of a reconstruction: where its samples lie, and what they mean.

Positions are in raw pixels, ordered ([z,] y, x), y downwards, with the origin at
sample 0 of the field of view. Sample 0 of every grid coincides, at every level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy.fft import next_fast_len


@dataclass(frozen=True)
class Channel:
    """One quantity of the scene.

    Parameters
    ----------
    name
        Short name, used for layers and files (`phase`).
    unit
        Unit of the values (`rad`); an empty string for a ratio.
    description
        What it is, in one sentence.
    """

    name: str
    unit: str
    description: str = ""


@dataclass(frozen=True)
class Grid:
    """The field of view, the padded field around it and the canvas around that.

    Parameters
    ----------
    shape
        Raw pixels of the field of view, ([z,] y, x), at level 0.
    pixel_size_um
        Size of a level-0 pixel along each axis.
    padding
        (before, after) along each axis, in level-0 pixels: the forward model works on the field
        with this border, so that the wrap-around of its Fourier transforms stays outside the field.
    margin
        Level-0 pixels that the canvas (the scene's lattice) extends beyond the padded field on each side.
    channels
        What the scene holds.
    level
        Level of the pyramid: pixels of this grid are `2**level` level-0 pixels wide (in y and x).
    """

    shape: tuple[int, ...]
    pixel_size_um: tuple[float, ...]
    padding: tuple[tuple[int, int], ...]
    margin: tuple[int, ...]
    channels: tuple[Channel, ...]
    level: int = 0

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.shape)

    @property
    def step(self) -> tuple[int, ...]:
        """Spacing of this level's samples in level-0 pixels; z is never coarsened."""
        factor = 2**self.level
        return tuple(1 if self.ndim == 3 and axis == 0 else factor for axis in range(self.ndim))

    @property
    def padded_extent(self) -> tuple[int, ...]:
        """Level-0 pixels of the padded field."""
        return tuple(n + sum(pad) for n, pad in zip(self.shape, self.padding, strict=True))

    @property
    def padded_shape(self) -> tuple[int, ...]:
        """Samples of the padded field at this level."""
        return tuple(n // s for n, s in zip(self.padded_extent, self.step, strict=True))

    @property
    def field_shape(self) -> tuple[int, ...]:
        """Samples of the field of view at this level."""
        return tuple(-(-n // s) for n, s in zip(self.shape, self.step, strict=True))

    @property
    def field_slices(self) -> tuple[slice, ...]:
        """Where the field of view lies in the padded field, at this level."""
        starts = (pad[0] // s for pad, s in zip(self.padding, self.step, strict=True))
        return tuple(slice(a, a + n) for a, n in zip(starts, self.field_shape, strict=True))

    @property
    def padded_origin(self) -> tuple[float, ...]:
        """Position (level-0 pixels) of the first sample of the padded field."""
        return tuple(-float(pad[0]) for pad in self.padding)

    @property
    def canvas_origin(self) -> tuple[float, ...]:
        """Position (level-0 pixels) of the first sample of the canvas."""
        return tuple(-float(pad[0] + m) for pad, m in zip(self.padding, self.margin, strict=True))

    @property
    def canvas_extent(self) -> tuple[int, ...]:
        """Level-0 pixels of the canvas."""
        return tuple(n + 2 * m for n, m in zip(self.padded_extent, self.margin, strict=True))

    @property
    def canvas_shape(self) -> tuple[int, ...]:
        """Samples of the canvas at this level."""
        return tuple(n // s for n, s in zip(self.canvas_extent, self.step, strict=True))

    def at_level(self, level: int) -> Grid:
        """Return the same field sampled `2**level` times more coarsely."""
        return replace(self, level=level)


def padded_grid(
    shape: tuple[int, ...],
    pixel_size_um: tuple[float, ...],
    channels: tuple[Channel, ...],
    pad: tuple[int, ...],
    margin: tuple[int, ...],
    n_levels: int,
) -> Grid:
    """Lay out a field with at least `pad` pixels around it, of a size that transforms fast.

    Parameters
    ----------
    shape, pixel_size_um, channels, margin
        As in `Grid`; the margin is rounded up to whole pixels of the coarsest level.
    pad
        Least padding on each side, in pixels.
    n_levels
        Number of pyramid levels that must divide the padded field.
    """
    ndim = len(shape)
    paddings: list[tuple[int, int]] = []
    margins: list[int] = []
    for axis in range(ndim):
        block = 1 if ndim == 3 and axis == 0 else 2 ** (n_levels - 1)
        before = math.ceil(pad[axis] / block) * block
        least = before + shape[axis] + pad[axis]
        # Sizes in steps of 16 level-0 pixels keep the number of distinct (compiled) shapes small.
        unit = math.lcm(block, 1 if block == 1 else 16)
        extent = next_fast_len(math.ceil(least / unit), real=True) * unit
        paddings.append((before, extent - before - shape[axis]))
        margins.append(math.ceil(margin[axis] / block) * block)
    return Grid(tuple(shape), tuple(pixel_size_um), tuple(paddings), tuple(margins), channels)


def samples_per_pixel(grid: Grid, lateral: int) -> tuple[int, ...]:
    """Return the canvas's samples per pixel along each axis: one per plane along z, where volumes are large."""
    return tuple(1 if grid.ndim == 3 and axis == 0 else lateral for axis in range(grid.ndim))
