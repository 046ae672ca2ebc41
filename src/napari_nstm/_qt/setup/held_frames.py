"""Raw frames read from their layer, once for as long as the layer holds the same array."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from napari.layers import Image

from napari_nstm._qt.raw_layer import read_raw_layer
from napari_nstm.core.data import RawData


class HeldFrames:
    """Makes functions that read a layer, in any thread; the newest is given again while nothing changed."""

    def __init__(self) -> None:
        self._held: tuple[Any, ...] = ()  # the arrays that were read last
        self._read: Callable[[], RawData] | None = None

    def reader(self, layer: Image, arrays: Mapping[str, Any], *, in_colors: bool, fresh: bool) -> Callable[[], RawData]:
        """Return what reads the frames and further arrays.

        Parameters
        ----------
        layer
            Holds the frames.
        arrays
            Further ones by the dotted name of their setting.
        in_colors
            Whether a layer in colours will do.
        fresh
            Read anew; otherwise what was read is given again while the layers hold the same arrays.
        """
        read = partial(read_raw_layer, layer, arrays, in_colors=in_colors)
        if fresh:
            return read
        held = (layer.data, in_colors, *arrays.values())
        if len(held) != len(self._held) or any(a is not b for a, b in zip(held, self._held, strict=True)):
            self._held, self._read = held, cache(read)
        return self._read
