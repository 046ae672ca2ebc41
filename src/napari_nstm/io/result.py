"""Reading a result store: what it holds, and the scene and motion at any time, with numpy alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from napari_nstm.core.data import Comparison
from napari_nstm.core.errors import InputError, StoreError, input_error_from
from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import present
from napari_nstm.core.settings import Job
from napari_nstm.core.trajectories import Trajectories, trace
from napari_nstm.core.warp import Canvas, Float, MotionLattice, positions, render
from napari_nstm.io._checkpoint import (
    Checkpoint,
    State,
    canvas_from,
    motion_from,
    read_checkpoint,
    read_weights,
)
from napari_nstm.io.record import StoreRecord, StoreStatus, record_from_json

if TYPE_CHECKING:
    import dask.array as da

    from napari_nstm.io.tiled import TiledResults

_Lattice = TypeVar("_Lattice", Canvas, MotionLattice)

CHECKPOINT, WEIGHTS = "checkpoint.npz", "weights.npz"
ARRAYS = ("canvas", "motion_lattice", "reconstruction", "conventional", "motion", "residual", "seams")


@dataclass(frozen=True)
class StoredResult:
    """A result on disk; arrays are read when they are asked for.

    Parameters
    ----------
    path
        Folder of the store.
    record
        What it says about itself. Of a run that goes on, or was interrupted: as of its last checkpoint.
    """

    path: Path
    record: StoreRecord
    _canvas: Canvas | None = field(default=None, repr=False)
    _motion: MotionLattice | None = field(default=None, repr=False)

    # -- what it is ---------------------------------------------------------

    @property
    def attributes(self) -> dict[str, Any]:
        """The record as plain JSON."""
        return self.record.to_json()

    @cached_property
    def job(self) -> Job:
        """The job that made it."""
        try:
            return Job.model_validate(self.record.job)
        except ValidationError as error:
            raise StoreError(f"{self.path}: its job cannot be read ({input_error_from(error)}).") from error

    @property
    def status(self) -> StoreStatus:
        """Whether the run finished, was stopped, diverged, or goes on (or was interrupted: `running`)."""
        return self.record.status

    @property
    def times_ms(self) -> tuple[float, ...]:
        """Moments of `reconstruction` and `motion_um`."""
        return self.record.times_ms

    @property
    def frame_times_ms(self) -> tuple[float, ...]:
        """Mid-exposure times of the raw frames; scene and motion can be shown at any time between."""
        return self.record.frame_times_ms

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the scene holds."""
        return self.record.channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels of the field, ([z,] y, x)."""
        return self.record.shape

    @property
    def pixel_size_um(self) -> tuple[float, ...]:
        """Pixel size of every array, ([z,] y, x)."""
        return self.record.pixel_size_um

    @property
    def origin_um(self) -> tuple[float, ...]:
        """Where pixel 0 lies in the field of the whole raw frames, ([z,] y, x): not 0 of a region."""
        return self.record.origin_um or (0.0,) * len(self.record.shape)

    @property
    def has_conventional(self) -> bool:
        """Whether `conventional` is there; reads nothing."""
        return "conventional" in self.comparison_names

    @property
    def comparison_names(self) -> tuple[str, ...]:
        """What else the frames gave (`conventional`, `widefield`), as stored; reads nothing."""
        if self.status == "running":
            return ()
        return tuple(name for name in self.record.comparisons if (self.path / name / "0").is_dir())

    def check_there(self) -> None:
        """Make sure that the store still is: arrays of one that was removed read as zeros.

        Raises
        ------
        StoreError
            If it was moved or removed.
        """
        if not (self.path / "zarr.json").is_file():
            raise StoreError(f"The result is no longer at {self.path}: it was moved or removed.")

    # -- at any time --------------------------------------------------------

    @property
    def is_tiled(self) -> bool:
        """Whether the field was divided into tiles, each a result of its own."""
        return self.record.tiles is not None

    @property
    def is_shown(self) -> bool:
        """Whether there is something to show; of a run that goes on: as of when it was opened."""
        if self.status != "running":
            return True
        return bool(self._tiles.results) if self.is_tiled else self._motion is not None

    def check_shown(self) -> None:
        """Make sure that there is something to show, and read it from the disk.

        Raises
        ------
        StoreError
            If the run has not checkpointed yet, or the store is damaged.
        """
        if not self.is_tiled:
            self.canvas()
        self.motion()

    def canvas(self) -> Canvas:
        """Return the scene on its lattice, in normalised units.

        Raises
        ------
        StoreError
            If the run has not checkpointed yet, the store is damaged, or the field is in tiles: each has its own.
        """
        if self.is_tiled:
            raise StoreError(f"{self.path} is in tiles: each of them has a lattice of its own.")
        self._check_read()
        self.motion()  # both at once: what was read can be shown whatever becomes of the store
        return self._canvas_read

    def motion(self) -> MotionLattice:
        """Return the motion on its lattice, of tiles blended; raises like `check_shown`."""
        if self.status == "running" and self.is_tiled:
            return self._motion_blended
        self._check_read()
        return self._motion_read

    def scene_at(self, time_ms: float) -> Float:
        """Render the scene at a time (clamped to the acquisition): (c, [z,] y, x) in physical units.

        NaN where tiles have not begun yet.
        """
        if self.is_tiled:
            return self._tiles.scene_at(time_ms)
        return self._rendered_at(time_ms, positions(self.shape))

    def coarse_scene_at(self, time_ms: float, step_px: tuple[float, ...]) -> Float:
        """Render the scene at every so many pixels only: (c, [z,] y, x), sample 0 where the result's is."""
        if self.is_tiled:
            return self._tiles.scene_at(time_ms, step_px)
        shape = tuple(math.ceil(n / step) for n, step in zip(self.shape, step_px, strict=True))
        return self._rendered_at(time_ms, positions(shape, step_px))

    def displacement_at(
        self, time_ms: float, reference_ms: float | None = None, where_px: Float | None = None
    ) -> Float:
        """Return u in um: the point at x at the reference time is at x + u at `time_ms`.

        Parameters
        ----------
        time_ms
            The moment.
        reference_ms
            Where points are counted from; None: the first frame.
        where_px
            x: (component, ...) in pixels; None: every pixel of the field.
        """
        where = positions(self.shape) if where_px is None else where_px
        start = self.frame_times_ms[0] if reference_ms is None else reference_ms
        normalized = self.record.normalized_time
        u_px = self.motion().displacement(where, normalized(time_ms), normalized(start))
        size = np.asarray(self.pixel_size_um, np.float32)
        return u_px * size.reshape(-1, *(1,) * (where.ndim - 1))

    def trajectories(
        self, points_um: ArrayLike, at_ms: ArrayLike | None = None, times_ms: Sequence[float] | None = None
    ) -> Trajectories:
        """Follow points of the sample through time, to before and after the time at which they are marked.

        Parameters
        ----------
        points_um
            (point, component): ([z,] y, x) in um from the middle of pixel 0 of the result, of a region its own.
        at_ms
            When they are there: a time, or one for each point; None: the first frame.
        times_ms
            Moments at which their positions are wanted, ascending; None: those of `reconstruction`, in order of time.

        Raises
        ------
        InputError
            If a point lies outside the field, or a time outside the acquisition.
        """
        first, last = self.frame_times_ms[0], self.frame_times_ms[-1]
        found = trace(
            self.motion(),
            points_um,
            first if at_ms is None else at_ms,
            sorted(set(self.times_ms)) if times_ms is None else times_ms,
            shape=self.shape,
            pixel_size_um=self.pixel_size_um,
            span_ms=(first, last),
            normalized_time=self.record.normalized_time,
        )
        return replace(found, origin_um=self.origin_um)

    # -- arrays -------------------------------------------------------------

    @cached_property
    def reconstruction(self) -> da.Array:
        """(t, c, [z,] y, x) in physical units at `times_ms`; of an unfinished run: rendered on demand."""
        if self.status == "running":
            return self._rendered(self.scene_at, len(self.channels))
        return self._stored("reconstruction/0")

    @cached_property
    def motion_um(self) -> da.Array:
        """U since the first frame at `times_ms`, (t, component, [z,] y, x), in um."""
        if self.status == "running":
            return self._rendered(self.displacement_at, len(self.shape))
        return self._stored("motion")

    @cached_property
    def conventional(self) -> NDArray[np.float32] | None:
        """What the frames give if nothing moved, (c, [z,] y, x); None where it was not stored.

        Of a series the image nearest to the middle of the acquisition; `comparison` has all.
        """
        if not self.has_conventional:
            return None
        found = self.comparison("conventional")
        middle = (self.frame_times_ms[0] + self.frame_times_ms[-1]) / 2
        nearest = int(np.argmin(np.abs(np.asarray(found.times_ms) - middle)))
        return np.asarray(found.images[nearest], np.float32)

    def comparison(self, name: str) -> Comparison:
        """Return what else the frames gave, one of `comparison_names`.

        Raises
        ------
        StoreError
            If it is not there, or cannot be read.
        """
        times = self.comparison_times_ms(name)
        images = np.asarray(_open(self.path / name / "0")[...], np.float32)
        return Comparison(name, times, images)

    def comparison_times_ms(self, name: str) -> tuple[float, ...]:
        """Return the moments of a comparison; raises like `comparison`."""
        if name not in self.comparison_names:
            raise StoreError(f"{self.path} holds no {name} images.")
        try:
            content = json.loads((self.path / name / "zarr.json").read_bytes())
            return tuple(float(t) for t in content["attributes"]["nstm"]["times_ms"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self.path} is damaged: the times of {name} cannot be read.") from error

    @cached_property
    def residual(self) -> da.Array | None:
        """Measured minus rendered, (frame, [z,] y, x); None where it was not stored."""
        if self.status == "running" or not (self.path / "residual").is_dir():
            return None
        return self._stored("residual")

    def weights(self) -> State:
        """Return weights and optimiser state by '/'-joined names; of an unfinished run: the newest checkpoint's."""
        if self.is_tiled:
            raise StoreError(f"{self.path} is in tiles: each of them has weights of its own.")
        if self.status == "running":
            return _checkpoint(self.path).state
        return read_weights(self.path / WEIGHTS)

    @cached_property
    def seams(self) -> da.Array | None:
        """How far tiles differ where they overlap, rms over moments, (c, [z,] y, x); None where there are none."""
        if self.status == "running" or not (self.path / "seams").is_dir():
            return None
        return self._stored("seams")

    # -- inside -------------------------------------------------------------

    def _rendered_at(self, time_ms: float, where_px: Float) -> Float:
        scene = render(self.canvas(), self.motion(), self.record.normalized_time(time_ms), where_px)
        return present(scene, self.record.presentation)

    @cached_property
    def _tiles(self) -> TiledResults:
        from napari_nstm.io.tiled import TiledResults

        return TiledResults(self.path, self.record, ended_only=self.status != "running")

    @cached_property
    def _motion_blended(self) -> MotionLattice:
        return self._tiles.motion()

    def _check_read(self) -> None:
        if self.status == "running" and self._motion is None:
            raise StoreError(f"{self.path} holds nothing to show yet: its run has not reached a checkpoint.")

    # Apart: of the many tiles of a field the motion alone is often wanted, and it is small.

    @cached_property
    def _canvas_read(self) -> Canvas:
        if self._canvas is not None:
            return self._canvas
        return self._lattice("canvas", canvas_from)

    @cached_property
    def _motion_read(self) -> MotionLattice:
        if self._motion is not None:
            return self._motion
        return self._lattice("motion_lattice", motion_from)

    def _lattice(self, name: str, made: Callable[[NDArray[Any], Mapping[str, Any]], _Lattice]) -> _Lattice:
        array = _open(self.path / name)
        try:
            return made(np.asarray(array[...]), array.attrs)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self.path} is damaged: {error}.") from error

    def _stored(self, name: str) -> da.Array:
        # zarr is not needed to look at a record.
        from napari_nstm.io._arrays import lazy_array

        return lazy_array(self.path / name)

    def _rendered(self, at: Callable[[float], Float], n: int) -> da.Array:
        import dask.array as da
        from dask.delayed import delayed

        self.check_shown()  # where there is nothing to render, say so now
        later: Any = delayed(at)
        frames = [
            da.from_delayed(later(time), (n, *self.shape), np.float32)  # type: ignore[no-untyped-call]
            for time in self.times_ms
        ]
        stack: da.Array = da.stack(frames)  # type: ignore[no-untyped-call]
        return stack


def open_result(path: str | Path) -> StoredResult:
    """Open a result store.

    Raises
    ------
    InputError
        If there is no store at `path`.
    StoreError
        If it is damaged, or was written by a newer version.
    """
    folder = Path(path).absolute()
    record = read_record(folder)
    if record.status == "running" and (folder / CHECKPOINT).exists():
        # Read at once: the run may replace it at any time, and all must be of one step.
        checkpoint = read_checkpoint(folder / CHECKPOINT, with_state=False)
        return StoredResult(folder, checkpoint.record, checkpoint.canvas, checkpoint.motion)
    return StoredResult(folder, record)


def is_store(path: Path) -> bool:
    """Whether a result store lies at `path`, readable or from a newer version."""
    try:
        own = _root_attributes(path)["nstm"]
    except (InputError, StoreError):
        return False
    # The images inside a store have an attribute of this name too.
    return isinstance(own, Mapping) and "format" in own


def read_record(path: Path) -> StoreRecord:
    """Read the record of the store's root; raises like `open_result`."""
    return record_from_json(_root_attributes(path)["nstm"], str(path))


def checkpoint_of(path: Path) -> Checkpoint:
    """Return what a run can go on from, all of one step; raises like `open_result`, and where there is nothing."""
    record = read_record(path)
    if record.tiles is not None:
        raise StoreError(f"{path} is in tiles: each of them has checkpoints of its own.")
    if record.status == "running":
        return _checkpoint(path)
    stored = StoredResult(path, record)
    return Checkpoint(record, stored.canvas(), stored.motion(), stored.weights())


def _checkpoint(path: Path) -> Checkpoint:
    try:
        return read_checkpoint(path / CHECKPOINT)
    except FileNotFoundError as error:
        raise StoreError(f"{path} holds nothing to go on from: its run has not reached a checkpoint.") from error


def _root_attributes(path: Path) -> Mapping[str, Any]:
    takes = "the folder of a result"
    if not path.exists():
        raise InputError("store", f"{path}, which does not exist", takes)
    no_store = InputError("store", f"{path}, which is no result of napari-nstm", takes)
    try:
        content = json.loads((path / "zarr.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise no_store from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    attributes = content.get("attributes") if isinstance(content, dict) else None
    if not isinstance(attributes, dict) or "nstm" not in attributes:
        raise no_store
    return attributes


def _open(path: Path) -> Any:
    # zarr is not needed to look at a record.
    from napari_nstm.io._arrays import open_array

    return open_array(path)
