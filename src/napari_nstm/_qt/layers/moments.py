"""A result at any number of moments: rendered when they are looked at, and shown in the layers that are there."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_nstm._qt.layers.result import first_frame, on_slider
from napari_nstm._qt.raw_layer import KEY, known_of
from napari_nstm.io.result import StoredResult

Float = NDArray[np.float32]

CACHE_BYTES = 256 * 2**20
"""What rendered moments of one result may take."""


class RenderedMoments:
    """The scene at some moments, rendered when it is asked for; the newest are kept.

    napari may slice in threads: one renders at a time.

    Parameters
    ----------
    stored
        The result.
    times_ms
        Moments.
    cache_bytes
        How much may be kept; one moment always is.
    step_px
        Distance between samples in pixels of the result, ([z,] y, x); None: 1.
    """

    def __init__(
        self,
        stored: StoredResult,
        times_ms: Sequence[float],
        cache_bytes: int = CACHE_BYTES,
        step_px: tuple[float, ...] | None = None,
    ) -> None:
        self._stored, self.times_ms = stored, tuple(times_ms)
        self._step = step_px or (1.0,) * len(stored.shape)
        self._most, self._lock = cache_bytes, Lock()
        self._kept: OrderedDict[int, Float] = OrderedDict()
        size = (math.ceil(n / step) for n, step in zip(stored.shape, self._step, strict=True))
        self.shape = len(self.times_ms), *size

    @property
    def kept_bytes(self) -> int:
        """What is kept now."""
        return sum(scene.nbytes for scene in self._kept.values())

    def scene(self, index: int) -> Float:
        """Return the scene at a moment: (c, [z,] y, x)."""
        with self._lock:
            if index not in self._kept:
                time = self.times_ms[index]
                is_whole = max(self._step) == 1
                self._kept[index] = (
                    self._stored.scene_at(time) if is_whole else self._stored.coarse_scene_at(time, self._step)
                )
            self._kept.move_to_end(index)
            while len(self._kept) > 1 and self.kept_bytes > self._most:
                self._kept.popitem(last=False)
            return self._kept[index]


class MomentsOfChannel:
    """One channel of rendered moments, (t, [z,] y, x), as an array that a layer can show.

    Parameters
    ----------
    moments
        Shared by the channels of a result.
    channel
        Index.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, moments: RenderedMoments, channel: int) -> None:
        self.moments, self._channel = moments, channel

    @property
    def shape(self) -> tuple[int, ...]:
        """(t, [z,] y, x)."""
        return self.moments.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """What it would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Render what is asked for; keys are numpy's, and whole numbers, slices and lists choose moments."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        if first is None or (isinstance(first, np.ndarray) and first.ndim > 1):
            return np.asarray(self)[key]
        which = np.arange(len(self))[first]
        if which.ndim == 0:
            return self._moment(int(which))[tuple(rest)]
        inner = (slice(None), *rest)
        if not len(which):
            return np.empty((0, *self.shape[1:]), self.dtype)[inner]
        if any(isinstance(part, (list, np.ndarray)) for part in rest) and not isinstance(first, slice):
            return np.asarray(self)[key]  # numpy pairs the two lists
        return np.stack([self._moment(int(index)) for index in which])[inner]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Render all moments."""
        return np.asarray(self[:], dtype)

    def _moment(self, index: int) -> Float:
        return self.moments.scene(index)[self._channel]


def even_moments(frame_times_ms: Sequence[float], n: int) -> tuple[float, ...]:
    """Return the times of n moments from the first frame to the last, evenly spaced in frames, as the slider is."""
    last = len(frame_times_ms) - 1
    return tuple(float(t) for t in np.interp(np.linspace(0, last, n), np.arange(last + 1), frame_times_ms))


def layers_of(viewer: ViewerModel, stored: StoredResult, *kinds: str) -> list[Layer]:
    """Return the layers of a result of some kinds, the topmost last."""
    store = str(stored.path)
    known = ((layer, known_of(layer)) for layer in viewer.layers)
    return [layer for layer, about in known if about.get("store") == store and about.get("kind") in kinds]


def placed_in_time(layer: Layer, times_ms: Sequence[float], frame_times_ms: Sequence[float]) -> dict[str, Any]:
    """Return scale and translation by which a layer's moments stand where they belong on the slider."""
    first, step = on_slider(times_ms, frame_times_ms, first_frame(known_of(layer).get("job", {})))
    return {"scale": (step, *layer.scale[1:]), "translate": (first, *layer.translate[1:])}


def show_moments(layer: Image, data: Any, times_ms: Sequence[float], frame_times_ms: Sequence[float]) -> None:
    """Let an image layer of a result show other moments; contrast, colours and visibility are the user's.

    Data in several sizes, a list, are for a layer that was made of such.
    """
    if layer.multiscale and not isinstance(data, list):
        data = [data]
    layer.data = data[0] if isinstance(data, list) and not layer.multiscale else data
    for name, value in placed_in_time(layer, times_ms, frame_times_ms).items():
        setattr(layer, name, value)
    layer.metadata = {**layer.metadata, KEY: {**known_of(layer), "times_ms": list(times_ms)}}


def moment_shown(layer: Layer, viewer: ViewerModel) -> int | None:
    """Return the index of the moment of a layer that the slider is at; None where it is outside it."""
    dims, times = viewer.dims, known_of(layer).get("times_ms")
    if not times or dims.ndim < layer.ndim:
        return None
    first, step = layer.translate[0], layer.scale[0]
    index = round((dims.point[dims.ndim - layer.ndim] - first) / step)
    return index if 0 <= index < len(times) else None
