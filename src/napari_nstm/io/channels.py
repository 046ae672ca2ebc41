"""Which channels are looked at where one picture is shown: the last one, or red, green and blue together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RGB = ("red", "green", "blue")


def is_rgb(names: Sequence[str]) -> bool:
    """Whether channels of these names are the colours of one picture."""
    return tuple(names) == RGB


def looked_at(names: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of the channels that are shown at first: the last (the phase of DPC), or all colours."""
    return tuple(range(len(names))) if is_rgb(names) else (len(names) - 1,)


def brightness(scene: NDArray[Any], names: Sequence[str]) -> NDArray[np.float32]:
    """Return one image of a scene (c, ...): its last channel, or the mean of its colours."""
    return np.asarray(scene[list(looked_at(names))].mean(axis=0), np.float32)
