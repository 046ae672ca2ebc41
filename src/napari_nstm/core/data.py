"""Raw data on its way from a reader to a modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RawData:
    """Raw frames and the arrays that belong to them.

    Parameters
    ----------
    frames
        (frame, [z,] y, x), in the detector's own type and counts.
    extras
        Further arrays by the dotted name of the setting that asks for them
        (`background.path`), see `Modality.array_paths`.
    pixel_size_um
        Pixel size ([z,] y, x) if the file carries one.
    name
        What the user knows the data as: a file or a layer name.
    """

    frames: NDArray[np.generic]
    extras: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    pixel_size_um: tuple[float, ...] | None = None
    name: str = "raw"
