"""The grids of a DiffuserCam: the sensor, and the scene in the middle of its field."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy.fft import next_fast_len

from napari_nstm.core.grids import Channel, Grid
from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings

N_LEVELS = 3
"""Levels of the pyramid; the scene's size divides by the spacing of the coarsest."""

_COLORS = ("red", "green", "blue")
_UNIT = "counts"


@dataclass(frozen=True)
class DiffuserCamLayout:
    """Sensor and scene, both in binned pixels.

    Scene sample (h // 2, w // 2) is the point whose image is the PSF as it was measured: its light reaches the pixels
    that the PSF has there.

    Parameters
    ----------
    grid
        The scene's, at a level of the pyramid; nothing is padded: beyond the scene there is no light.
    sensor
        Rows and columns.
    """

    grid: Grid
    sensor: tuple[int, int]

    @property
    def centre(self) -> tuple[int, int]:
        """Scene pixel (y, x) that the PSF is the image of, at full size."""
        h, w = self.grid.shape
        return h // 2, w // 2

    @property
    def transform_length(self) -> int:
        """Samples along x at which a convolution of scene and PSF wraps around outside the sensor only."""
        w, width = self.grid.shape[1], self.sensor[1]
        block: int = 2**N_LEVELS
        return int(next_fast_len(math.ceil((width + w - w // 2) / block), real=True)) * block

    @property
    def transform_height(self) -> int:
        """The same along y."""
        h, height = self.grid.shape[0], self.sensor[0]
        block: int = 2**N_LEVELS
        return int(next_fast_len(math.ceil((height + h - h // 2) / block), real=True)) * block

    def at_level(self, level: int) -> DiffuserCamLayout:
        """Return the same, with the scene sampled `2**level` times more coarsely; the sensor stays."""
        return replace(self, grid=self.grid.at_level(level))


def channels(n_colors: int) -> tuple[Channel, ...]:
    """Return what the scene holds: one brightness, or three colours."""
    about = "Light of a scene point, in counts of one exposure, summed over its image on the sensor."
    names = ("brightness",) if n_colors == 1 else _COLORS
    return tuple(Channel(name, _UNIT, about) for name in names)


def diffusercam_layout(raw_shape: tuple[int, ...], settings: DiffuserCamSettings) -> DiffuserCamLayout:
    """Lay out scene and sensor.

    Parameters
    ----------
    raw_shape
        (colour, y, x) of the raw image before binning.
    settings
        Binning, pixel size, `field_fraction` and `max_displacement_px`.
    """
    height, width = (n // settings.binning for n in raw_shape[1:])
    block = 2 ** (N_LEVELS - 1)
    h, w = (block * max(1, round(settings.field_fraction * n / block)) for n in (height, width))
    margin = block * math.ceil(settings.max_displacement_px / block)
    grid = Grid(
        shape=(h, w),
        pixel_size_um=(settings.pixel_size_um * settings.binning,) * 2,
        padding=((0, 0), (0, 0)),
        margin=(margin, margin),
        channels=channels(raw_shape[0]),
    )
    return DiffuserCamLayout(grid, (height, width))
