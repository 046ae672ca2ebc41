"""Raw data on its way from a reader to a modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

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


@dataclass(frozen=True)
class Comparison:
    """What the frames give in another way, to be seen beside the result.

    Parameters
    ----------
    name
        `conventional`, or another short name.
    times_ms
        The moments it stands for.
    images
        (t, c, [z,] y, x) in physical units, on the result's grid.
    """

    name: str
    times_ms: tuple[float, ...]
    images: NDArray[np.float32]


class Watch(Protocol):
    """How something slow says how far it is, and hears whether it is still wanted."""

    def __call__(self, what: str, done: int, total: int, image: NDArray[Any] | None = None, /) -> bool:
        """Say how far it is; to be called at every iteration.

        Parameters
        ----------
        what
            What it is at, in words, without a full stop.
        done, total
            Iterations done, and in all.
        image
            What it has reached, for whoever shows it (a run does not); None where that cannot be seen.

        Returns
        -------
        bool
            False asks it to end, with what it has reached.
        """


@dataclass(frozen=True)
class SlowComparison:
    """A comparison that takes minutes: it is made after the fit, and may be stopped.

    Parameters
    ----------
    name
        The name of the comparison that is made.
    title
        What the user knows it as (`FISTA-TV`).
    make
        Makes it, in any thread; once `Watch` answers False it returns what was reached, or None where that is nothing.
    """

    name: str
    title: str
    make: Callable[[Watch], Comparison | None]


@dataclass(frozen=True)
class Circle:
    """A circle on a drawing.

    Parameters
    ----------
    centre, radius
        (y, x) and length, in the drawing's unit.
    label
        What it stands for.
    """

    centre: tuple[float, float]
    radius: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A marked position on a drawing.

    Parameters
    ----------
    position
        (y, x), in the drawing's unit.
    label
        What stands there.
    panel
        Which of the images it belongs to; None: all.
    """

    position: tuple[float, float]
    label: str
    panel: int | None = None


@dataclass(frozen=True)
class Drawing:
    """Images with marks upon them, by which a user sees what was understood of the frames or made of them.

    Parameters
    ----------
    name
        What it shows, in a few words.
    images
        (panel, y, x).
    panels
        A label for each image.
    origin, step
        Position of sample 0 and distance of samples, (y, x), in `unit`.
    unit
        Unit of positions (`1/um`, `um`, `pixel`).
    circles, marks
        What is drawn upon them.
    note
        Sentences about what is seen.
    """

    name: str
    images: NDArray[np.float32]
    panels: tuple[str, ...]
    origin: tuple[float, float]
    step: tuple[float, float]
    unit: str
    circles: tuple[Circle, ...] = ()
    marks: tuple[Mark, ...] = ()
    note: str = ""
