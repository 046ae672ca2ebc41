"""What a run says while it goes on: one stream for form, command line and cluster.

Every event carries the run's id, so that results of a superseded run can be
told apart. The last event of a run is `Finished` or `Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Status = Literal["finished", "stopped", "diverged"]


@dataclass(frozen=True)
class Event:
    """Base of all events.

    Parameters
    ----------
    run_id
        Id of the run that sends it.
    """

    run_id: str


@dataclass(frozen=True)
class Notice(Event):
    """A sentence the user should read (a warning, or what was done to the data)."""

    message: str


@dataclass(frozen=True)
class Prepared(Event):
    """What will happen, known before the first step.

    Parameters
    ----------
    summary
        Frames, size and duration in words.
    device
        The device, in words.
    memory_bytes, memory_free_bytes
        Estimated need, and what is free on that device.
    expected_s
        Estimated time of the fit in seconds; None where it cannot be known.
    n_steps
        Steps of the fit.
    axes
        What the axes of the raw data were taken for, in words (`frame, y, x`).
    n_frames
        Frames; of volumes, not their planes.
    shape
        Raw pixels that are reconstructed, ([z,] y, x).
    duration_ms
        From the first moment to the last.
    fits_px
        Rows and columns of the largest region around the middle whose estimated need is free; None where the whole
        fits, where that is not known, or where a region means nothing.
    n_tiles
        Tiles that the field is divided into, one after another; 0: it is fitted at once. Memory is that of one of them.
    tile_px
        Rows and columns of a tile of the result in raw pixels, those at the far edges may be smaller; None: no tiles.
    """

    summary: str
    device: str
    memory_bytes: int
    memory_free_bytes: int | None
    expected_s: float | None
    n_steps: int
    axes: str = ""
    n_frames: int = 0
    shape: tuple[int, ...] = ()
    duration_ms: float = 0.0
    fits_px: tuple[int, int] | None = None
    n_tiles: int = 0
    tile_px: tuple[int, int] | None = None


@dataclass(frozen=True)
class Working(Event):
    """What a run is at while nothing can be seen of it.

    Parameters
    ----------
    what
        In words, without a full stop (`Compiling for 64 x 64 pixels`).
    compiling
        Whether a program is being compiled: it takes seconds the first time, and its length cannot be told.
    done, total
        Iterations done, and in all; None where they cannot be counted.
    remaining_s
        Estimate of the seconds to come; None where it cannot be known.
    """

    what: str
    compiling: bool = False
    done: int | None = None
    total: int | None = None
    remaining_s: float | None = None


@dataclass(frozen=True)
class Progress(Event):
    """How far a fit is.

    Parameters
    ----------
    step, n_steps
        Steps done, and in all.
    level
        Level of the pyramid at work (0 is the full resolution).
    granularity
        The coarse-to-fine parameter alpha in [0, 1].
    loss
        Mean squared error in units of the normalised measurement, with penalties.
    elapsed_s, remaining_s
        Seconds since the fit began, and the estimate of those to come.
    """

    step: int
    n_steps: int
    level: int
    granularity: float
    loss: float
    elapsed_s: float
    remaining_s: float | None


@dataclass(frozen=True)
class Paused(Event):
    """A fit waits: what it has reached was checkpointed and shown. `Progress` tells that it goes on.

    Parameters
    ----------
    step, n_steps
        Steps done, and in all.
    """

    step: int
    n_steps: int


@dataclass(frozen=True)
class Preview(Event):
    """The picture as it is now.

    Parameters
    ----------
    step, level
        Where the fit is.
    time_ms
        The moment that is shown.
    scene
        (c, [z,] y, x) in physical units, on the field of view sampled at `level`.
    motion_um
        (component, [z,] y, x) displacement u in um from the reference time, coarsely sampled over the field.
    spacing_px, motion_spacing_px
        Spacing of the samples of `scene` and of `motion_um` in raw pixels, ([z,] y, x); sample 0 of both is
        the field's.
    pixel_size_um
        Size of a raw pixel, ([z,] y, x).
    channels, units
        Name and unit of each channel of `scene`.
    origin_um
        Where sample 0 lies in the whole field, ([z,] y, x): not 0 where a region is reconstructed.
    """

    step: int
    level: int
    time_ms: float
    scene: NDArray[np.float32]
    motion_um: NDArray[np.float32]
    spacing_px: tuple[int, ...]
    motion_spacing_px: tuple[int, ...]
    pixel_size_um: tuple[float, ...]
    channels: tuple[str, ...]
    units: tuple[str, ...]
    origin_um: tuple[float, ...] = ()


@dataclass(frozen=True)
class Checkpointed(Event):
    """State was written to the store: work up to this step survives a crash."""

    step: int


@dataclass(frozen=True)
class PartDone(Event):
    """An independent part of the work is done: a tile, an acquisition of a series, a job of a batch.

    Parameters
    ----------
    name
        What it is (`tile 3 of 16`).
    done, total
        Parts that are done by now, and in all.
    path
        Its store; None where it left none.
    message
        One sentence: how it went.
    status
        How it ended; `failed`: without a result.
    """

    name: str
    done: int
    total: int
    path: str | None
    message: str
    status: Literal["finished", "stopped", "diverged", "failed"] = "finished"


@dataclass(frozen=True)
class Finished(Event):
    """The end of a run that left a result.

    Parameters
    ----------
    status
        `finished`, `stopped` (by the user, what was reached is kept) or `diverged` (the last good state is kept).
    path
        Path of the store, or None if nothing was written.
    message
        One sentence: what was done, or why it ended early.
    """

    status: Status
    path: str | None
    message: str
    result: object | None = None


@dataclass(frozen=True)
class Failed(Event):
    """The end of a run without a result.

    Parameters
    ----------
    field
        The field at fault, or None.
    message
        One sentence.
    """

    field: str | None
    message: str
