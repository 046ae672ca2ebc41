"""Where the samples of a SIM reconstruction lie, and those of the frames beside them.

The scene is sampled more finely than the frames, because stripes carry detail into them that their pixels alone do
not hold. Sample 0 of both coincides, and both are padded by the same extent: a Fourier crop leads from one to the
other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from napari_nstm.core.grids import Channel, Grid, padded_grid
from napari_nstm.imaging.sim.optics import middle_px
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings

CHANNELS = (Channel("fluorescence", "counts", "Fluorescence: what an even light of the stripes' mean would give."),)
# At the second level the stripes are still sampled; at a third they are not.
N_LEVELS = 2

# Beyond some three Airy radii a point's image holds a few per cent of its light.
_REACH = 2.0
_LEAST_MARGIN_PX, _LEAST_MARGIN_PLANES = 8, 2
_SPARE = 1.03  # of the scene's Nyquist frequency over the finest detail that stripes carry


@dataclass(frozen=True)
class SimLayout:
    """Grids of the scene and of the frames, at one level of the pyramid.

    Parameters
    ----------
    scene
        The result's grid.
    raw
        The frames' grid at full size: the same field, padded by the same extent.
    """

    scene: Grid
    raw: Grid

    @property
    def enlarge(self) -> float:
        """Scene samples per raw pixel at full size."""
        return self.raw.pixel_size_um[-1] / self.scene.pixel_size_um[-1]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Samples of a padded frame at this level: never more than the scene's."""
        return tuple(min(n, m) for n, m in zip(self.raw.padded_extent, self.scene.padded_shape, strict=True))

    @property
    def frame_spacing_px(self) -> tuple[float, ...]:
        """Distance of a frame's samples at this level, in raw pixels."""
        return tuple(n / m for n, m in zip(self.raw.padded_extent, self.frame_shape, strict=True))

    @property
    def frame_field(self) -> tuple[slice, ...]:
        """Where the field of view lies in a padded frame, at this level."""
        slices = []
        for n, (before, _), step in zip(self.raw.shape, self.raw.padding, self.frame_spacing_px, strict=True):
            start = round(before / step)
            slices.append(slice(start, start + math.ceil(n / step)))
        return tuple(slices)

    @property
    def padded_planes(self) -> int | None:
        """Planes of the padded volume; None: a single plane."""
        return self.raw.padded_extent[0] if self.raw.ndim == 3 else None

    @property
    def middle(self) -> tuple[float, float]:
        """Where phases are counted, in scene samples (y, x) at full size."""
        y, x = middle_px(self.raw.shape)
        return y * self.enlarge, x * self.enlarge

    def at_level(self, level: int) -> SimLayout:
        """Return the same field, the scene sampled `2**level` times more coarsely."""
        return replace(self, scene=self.scene.at_level(level))


def enlargement(settings: SimSettings) -> float:
    """Return the scene's samples per raw pixel: given, or the least of 1.5, 2, ... that holds the finest detail.

    The finest detail is the objective's cutoff plus the longest vector of the stripes that it passes.
    """
    if settings.enlarge is not None:
        return settings.enlarge
    n_a = settings.na_objective
    finest = 2 * n_a / settings.wavelength_um + 2 * n_a / settings.excitation_wavelength_um
    needed = _SPARE * 2 * settings.pixel_size_um * finest
    return min(4.0, max(1.5, math.ceil(2 * needed) / 2))


def reach_px(settings: SimSettings) -> int:
    """Return how far the optics spread a point, in raw pixels."""
    return max(8, math.ceil(_REACH * settings.wavelength_um / (settings.na_objective * settings.pixel_size_um)))


def sim_layout(shape: tuple[int, ...], settings: SimSettings) -> SimLayout:
    """Lay out scene and frames.

    Parameters
    ----------
    shape
        Raw pixels of a frame, ([z,] y, x).
    settings
        Optics, `enlarge`, `padding_px`, `padding_planes` and `max_displacement_px`.
    """
    pad = reach_px(settings) if settings.padding_px is None else settings.padding_px
    # The padding is room to move as well; what comes from beyond it was never in the field.
    margin = max(_LEAST_MARGIN_PX, settings.max_displacement_px - pad)
    pixel = settings.pixel_size_um
    sizes: tuple[float, ...] = (pixel, pixel)
    pads: tuple[int, ...] = (pad, pad)
    margins: tuple[int, ...] = (margin, margin)
    if isinstance(settings, Sim3dSettings):
        sizes, pads = (settings.plane_spacing_um, *sizes), (settings.padding_planes, *pads)
        margins = (_LEAST_MARGIN_PLANES, *margins)
    # Blocks of 8 raw pixels: 1.5 times as many divide by 4, for the levels of a pyramid.
    raw = padded_grid(shape, sizes, CHANNELS, pads, margins, n_levels=4)
    return SimLayout(_enlarged(raw, enlargement(settings)), raw)


def _enlarged(raw: Grid, factor: float) -> Grid:
    factors = tuple(1.0 if raw.ndim == 3 and axis == 0 else factor for axis in range(raw.ndim))
    shape = tuple(math.ceil(n * f) for n, f in zip(raw.shape, factors, strict=True))
    padding = []
    for n, extent, (before, _), f in zip(shape, raw.padded_extent, raw.padding, factors, strict=True):
        first = round(before * f)
        padding.append((first, round(extent * f) - first - n))
    return Grid(
        shape,
        tuple(p / f for p, f in zip(raw.pixel_size_um, factors, strict=True)),
        tuple(padding),
        tuple(round(m * f) for m, f in zip(raw.margin, factors, strict=True)),
        raw.channels,
    )
