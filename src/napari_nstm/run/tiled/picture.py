"""One picture of the whole field while its tiles are fitted: each appears in its place."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.events import Preview
from napari_nstm.core.tiles import Tile, TilePlan
from napari_nstm.io.record import StoreRecord
from napari_nstm.io.result import StoredResult

Float = NDArray[np.float32]

# The picture is sampled so coarsely that neither side has more samples than this.
_LARGEST = 1024
_MOTION_SAMPLES = 32  # along the longest axis


class WholePicture:
    """The whole field as far as it is reconstructed; where no tile has begun, 0 or what it began with.

    Parameters
    ----------
    record
        Of the whole.
    plan
        How it is divided.
    """

    def __init__(self, record: StoreRecord, plan: TilePlan) -> None:
        self._record, self._plan = record, plan
        shape, self._is_volume = record.shape, len(record.shape) == 3
        self.level = max(0, math.ceil(math.log2(max(shape[-2:]) / _LARGEST)))
        self._step = (1,) * (len(shape) - 2) + (2**self.level,) * 2
        stride = max(1, math.ceil(max(shape[-2:]) / _MOTION_SAMPLES))
        self._motion_step = (1,) * (len(shape) - 2) + (stride,) * 2
        self._scene = np.zeros((len(record.channels), *_sampled(shape, self._step)), np.float32)
        self._motion = np.zeros((len(shape), *_sampled(shape, self._motion_step)), np.float32)
        self._factor = [n / m for n, m in zip(shape[-2:], plan.field_px, strict=True)]

    def begin(self, scene: Float) -> None:
        """Show a picture of the whole field, (c, [z,] y, x), until tiles take their places."""
        where = (slice(None), *(slice(None, None, step) for step in self._step))
        self._scene[...] = scene[where]

    def put(self, tile: Tile, preview: Preview) -> None:
        """Put what a tile has reached into its place."""
        self._put(tile, preview.scene, preview.spacing_px, preview.motion_um, preview.motion_spacing_px)

    def put_result(self, tile: Tile, stored: StoredResult, time_ms: float) -> None:
        """Put a tile's result into its place."""
        scene = stored.coarse_scene_at(time_ms, tuple(map(float, self._step)))
        where = self._samples(tile, self._motion_step)
        along = zip(where, self._motion_step, self._start(tile), strict=True)
        positions = [np.arange(part.start, part.stop) * step - start for part, step, start in along]
        grid = np.stack(np.meshgrid(*positions, indexing="ij")).astype(np.float32)
        self._motion[(slice(None), *where)] = stored.displacement_at(time_ms, where_px=grid)
        self._put_scene(tile, scene, self._step)

    def preview(self, run_id: str, step: int, time_ms: float) -> Preview:
        """Return the picture as an event."""
        record = self._record
        return Preview(
            run_id=run_id,
            step=step,
            level=self.level,
            time_ms=time_ms,
            scene=self._scene.copy(),
            motion_um=self._motion.copy(),
            spacing_px=self._step,
            motion_spacing_px=self._motion_step,
            pixel_size_um=record.pixel_size_um,
            channels=tuple(channel.name for channel in record.channels),
            units=tuple(channel.unit for channel in record.channels),
            origin_um=record.origin_um,
        )

    # -- inside -------------------------------------------------------------

    def _put(
        self, tile: Tile, scene: Float, spacing: tuple[int, ...], motion: Float, motion_spacing: tuple[int, ...]
    ) -> None:
        self._put_scene(tile, scene, spacing)
        where = self._samples(tile, self._motion_step)
        self._motion[(slice(None), *where)] = self._taken(tile, motion, motion_spacing, where, self._motion_step)

    def _put_scene(self, tile: Tile, scene: Float, spacing: tuple[int, ...]) -> None:
        where = self._samples(tile, self._step)
        self._scene[(slice(None), *where)] = self._taken(tile, scene, spacing, where, self._step)

    def _start(self, tile: Tile) -> list[int]:
        lateral = [round(tile.fitted[axis] * self._factor[axis]) for axis in (0, 1)]
        return [0] * (len(self._record.shape) - 2) + lateral

    def _samples(self, tile: Tile, step: tuple[int, ...]) -> tuple[slice, ...]:
        """Return the samples of the picture that lie in a tile's own part."""
        found = [slice(0, n) for n in _sampled(self._record.shape, step)[:-2]]
        for axis in (0, 1):
            start = tile.output[axis] * self._factor[axis]
            stop = (tile.output[axis] + tile.output[axis + 2]) * self._factor[axis]
            n = _sampled(self._record.shape, step)[axis - 2]
            found.append(slice(math.ceil(start / step[axis - 2]), min(n, math.ceil(stop / step[axis - 2]))))
        return tuple(found)

    def _taken(
        self,
        tile: Tile,
        source: Float,
        spacing: tuple[int, ...],
        where: tuple[slice, ...],
        step: tuple[int, ...],
    ) -> Float:
        """Take the nearest samples of what a tile shows for those of the picture."""
        taken = source
        for axis, (part, s, own, start) in enumerate(
            zip(where, step, spacing, self._start(tile), strict=True), start=1
        ):
            index = np.rint((np.arange(part.start, part.stop) * s - start) / own).astype(int)
            taken = np.take(taken, np.clip(index, 0, source.shape[axis] - 1), axis=axis)
        return taken


def _sampled(shape: tuple[int, ...], step: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.ceil(n / s) for n, s in zip(shape, step, strict=True))
