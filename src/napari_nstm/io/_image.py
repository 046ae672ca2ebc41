"""OME-Zarr 0.5 images: written frame by frame or block by block, then given coarser levels and their description."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_nstm.core.grids import Channel
from napari_nstm.io._arrays import LARGEST_CHUNK_PX, SPACE, create_array, fill_frames, write_group

_WINDOW_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class ImageWriter:
    """An image that is being written.

    Parameters
    ----------
    path
        Folder of its group.
    channels, pixel_size_um, times_ms, origin_um
        What it shows, and where; axes are (t, c, [z,] y, x).
    array
        Its full size, level `0`: to be filled before `finish`.
    """

    path: Path
    channels: Sequence[Channel]
    pixel_size_um: tuple[float, ...]
    times_ms: Sequence[float]
    origin_um: tuple[float, ...]
    array: zarr.Array[Any]

    @classmethod
    def create(
        cls,
        path: Path,
        channels: Sequence[Channel],
        shape: tuple[int, ...],
        pixel_size_um: tuple[float, ...],
        times_ms: Sequence[float],
        origin_um: tuple[float, ...] = (),
        tile: tuple[int, int] | None = None,
    ) -> ImageWriter:
        """Make the group and its empty level `0`; `tile` is the size of chunks along y and x (None: as it suits)."""
        path.mkdir()
        full = (len(times_ms), len(channels), *shape)
        array = create_array(path / "0", full, ("t", "c", *SPACE[len(shape)]), n_single=2, tile=tile)
        return cls(path, channels, pixel_size_um, times_ms, origin_um, array)

    def finish(self) -> None:
        """Add coarser levels where the image is large, and describe it all.

        The t axis counts frames, because moments need not be evenly spaced; their times stand in the attribute `nstm`
        beside the OME metadata. Where sample 0 does not lie at 0, a translation says where.
        """
        arrays, steps = [self.array], [(1,) * (self.array.ndim - 2)]
        while max(arrays[-1].shape[-2:]) > LARGEST_CHUNK_PX:
            factors = self._factors(steps[-1])
            arrays.append(_coarser(arrays[-1], self.path / str(len(arrays)), factors))
            steps.append(tuple(s * f for s, f in zip(steps[-1], factors, strict=True)))
        windows = _windows(arrays[-1])
        attributes = {
            "ome": self._metadata(steps, windows),
            "nstm": {"times_ms": list(self.times_ms), "channel_units": [channel.unit for channel in self.channels]},
        }
        write_group(self.path, attributes)

    def _factors(self, step: tuple[int, ...]) -> tuple[int, ...]:
        """Return by what the next level is coarser: along z only while planes are no further apart than pixels."""
        if len(step) == 2:
            return (2, 2)
        z, _, x = (p * s for p, s in zip(self.pixel_size_um, step, strict=True))
        return (2 if z <= x and self.array.shape[2] > step[0] else 1, 2, 2)

    def _metadata(self, steps: Sequence[tuple[int, ...]], windows: Sequence[dict[str, float]]) -> dict[str, Any]:
        from yaozarrs import v05

        space = SPACE[self.array.ndim - 2]
        axes = [
            v05.TimeAxis(name="t"),
            v05.ChannelAxis(name="c"),
            *(v05.SpaceAxis(name=axis, unit="micrometer") for axis in space),
        ]
        origin = self.origin_um or (0.0,) * len(space)
        datasets = []
        for level, step in enumerate(steps):
            sizes = [p * s for p, s in zip(self.pixel_size_um, step, strict=True)]
            # The first sample of a coarser level is the mean of the first ones of level 0.
            start = [o + p * (s - 1) / 2 for o, p, s in zip(origin, self.pixel_size_um, step, strict=True)]
            where: list[Any] = [v05.ScaleTransformation(scale=[1.0, 1.0, *sizes])]
            if any(start):
                where.append(v05.TranslationTransformation(translation=[0.0, 0.0, *start]))
            datasets.append(v05.Dataset(path=str(level), coordinateTransformations=where))
        shown = [
            v05.OmeroChannel(label=channel.name, color="FFFFFF", active=True, window=v05.OmeroWindow(**window))
            for channel, window in zip(self.channels, windows, strict=True)
        ]
        image = v05.Image(
            multiscales=[v05.Multiscale(name=self.path.name, axes=axes, datasets=datasets)],
            omero=v05.Omero(channels=shown),
        )
        content: dict[str, Any] = image.model_dump(mode="json", exclude_none=True)
        return content


def write_image(
    path: Path,
    frames: Iterable[NDArray[Any]],
    channels: Sequence[Channel],
    shape: tuple[int, ...],
    pixel_size_um: tuple[float, ...],
    times_ms: Sequence[float],
    origin_um: tuple[float, ...] = (),
) -> None:
    """Write an image from its frames (c, [z,] y, x), one for each moment."""
    writer = ImageWriter.create(path, channels, shape, pixel_size_um, times_ms, origin_um)
    fill_frames(writer.array, frames, path.name)
    writer.finish()


def blocks(shape: Sequence[int], size: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Cut an array into blocks."""
    for starts in product(*(range(0, n, s) for n, s in zip(shape, size, strict=True))):
        yield tuple(slice(a, min(a + s, n)) for a, s, n in zip(starts, size, shape, strict=True))


def _coarser(source: zarr.Array[Any], path: Path, factors: tuple[int, ...]) -> zarr.Array[Any]:
    """Write an array whose samples are means of blocks of another's, in memory a chunk at a time."""
    shape = (*source.shape[:2], *(math.ceil(n / f) for n, f in zip(source.shape[2:], factors, strict=True)))
    target = create_array(path, shape, ("t", "c", *SPACE[len(shape) - 2]), n_single=2)
    for block in blocks(shape, target.chunks):
        wide = (slice(b.start * f, b.stop * f) for b, f in zip(block[2:], factors, strict=True))
        values = np.asarray(source[(*block[:2], *wide)])
        for axis, factor in enumerate(factors, start=2):
            starts = np.arange(0, values.shape[axis], factor)
            sums = np.add.reduceat(values, starts, axis=axis, dtype=np.float64)
            counts = np.diff(np.append(starts, values.shape[axis]))
            values = sums / counts.reshape(-1, *(1,) * (values.ndim - axis - 1))
        target[block] = values.astype(np.float32)
    return target


def _windows(array: zarr.Array[Any]) -> list[dict[str, float]]:
    """Return the range of each channel: all of it (min, max), and what is worth seeing (start, end)."""
    found = []
    for channel in range(array.shape[1]):
        ranges = []
        for moment in range(array.shape[0]):
            values = np.asarray(array[moment, channel])
            values = values[np.isfinite(values)]  # where nothing was reconstructed there is no number
            if values.size:
                ranges.append(np.percentile(values, (0, *_WINDOW_PERCENTILES, 100)))
        if ranges:
            lowest, start, end, highest = np.asarray(ranges).T
            window = (start.min(), end.max(), lowest.min(), highest.max())
        if not ranges or window[0] == window[1]:
            window = (0.0, 1.0, 0.0, 1.0)
        found.append(dict(zip(("start", "end", "min", "max"), map(float, window), strict=True)))
    return found
