"""The result store: written while a run goes on, complete at its end, safe at every moment in between.

A store is a zarr 3 group. While its status is `running`, `checkpoint.npz` alone counts: one file, replaced by
one rename. At the end arrays are written beside, renamed into place, and only then does one rename of the root's
`zarr.json` change the status; whatever ends the process before that leaves a running store with its checkpoint.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace as replace_in
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from numpy.typing import NDArray

from napari_nstm.core.data import Comparison
from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.events import Status
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io._arrays import SPACE, write_array, write_frames, write_group
from napari_nstm.io._atomic import reason, remove_folder, replace, sync_folder, sync_tree, write_bytes
from napari_nstm.io._checkpoint import Checkpoint, write_checkpoint, write_weights
from napari_nstm.io._image import write_image
from napari_nstm.io.describe import describe
from napari_nstm.io.record import StoreRecord
from napari_nstm.io.result import (
    ARRAYS,
    CHECKPOINT,
    WEIGHTS,
    StoredResult,
    checkpoint_of,
    is_store,
    open_result,
    read_record,
)

__all__ = [
    "Checkpoint",
    "StoreRecord",
    "StoreWriter",
    "StoredResult",
    "check_output",
    "describe",
    "is_store",
    "load_checkpoint",
    "open_result",
]

_NEW = ".new"  # folder inside the store where final arrays grow


def check_output(path: Path, overwrite: bool = False, field: str = "output.path") -> None:
    """Refuse a place for a new store that holds something else, or that cannot be written; leaves no trace.

    Raises
    ------
    InputError
        Names `field`.
    """
    if path.exists() or path.is_symlink():
        ours = is_store(path)
        if not ours:
            raise InputError(field, f"{path}, which exists and is no result", "a path that does not exist yet")
        if not overwrite:
            raise InputError(field, f"{path}, which exists already", "a path that does not exist yet, or --overwrite")
    folder = path.parent
    takes = "a path in a folder that exists and can be written"
    try:
        if not folder.exists():
            raise InputError(field, f"{path}, whose folder does not exist", takes)
        # Asking the file system is surer than permissions alone (root, network drives, full disks).
        with tempfile.TemporaryDirectory(prefix=".nstm-", dir=folder):
            pass
        if not os.access(folder, os.W_OK):
            raise InputError(field, f"{path}, whose folder is read-only", takes)
    except OSError as error:
        raise InputError(field, f"{path}, which cannot be written ({reason(error)})", takes) from error


class StoreWriter:
    """Writes one result store.

    Parameters
    ----------
    path
        Folder of the store, which exists: use `create` or `reopen`.
    record
        What the store says about itself.
    """

    def __init__(self, path: Path, record: StoreRecord) -> None:
        self.path, self.record = path, record

    @classmethod
    def create(cls, path: str | Path, record: StoreRecord, *, overwrite: bool = False) -> StoreWriter:
        """Make a new store, with its record and the job file, at its final path.

        Raises
        ------
        InputError
            If the path is taken or cannot be written; field `output.path`.
        """
        target = Path(path).absolute()
        check_output(target, overwrite)
        beside = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
        old = beside.with_name(beside.name + ".old")
        try:
            beside.mkdir()
            job = yaml.safe_dump(record.job, sort_keys=False, allow_unicode=True, width=120)
            write_bytes(beside / "job.yml", job.encode())
            write_group(beside, {"nstm": record.to_json()})
            if target.exists():
                replace(target, old)
            replace(beside, target)
            sync_folder(target.parent)
        except OSError as error:
            with suppress(OSError):
                if old.exists() and not target.exists():
                    replace(old, target)
                remove_folder(beside)
            takes = "a path in a folder that can be written"
            raise InputError("output.path", f"{target}, which cannot be written ({reason(error)})", takes) from error
        with suppress(OSError):  # the old result is out of the way already
            remove_folder(old)
        return cls(target, record)

    @classmethod
    def reopen(cls, path: str | Path) -> StoreWriter:
        """Open a store to go on with its run: its status becomes `running`, its checkpoint stays readable.

        Raises
        ------
        InputError, StoreError
            If there is no store, or nothing to go on from.
        """
        target = Path(path).absolute()
        checkpoint = checkpoint_of(target)
        record = checkpoint.record.changed({"status": "running", "message": ""})
        with _one_sentence(f"{target} cannot be written"):
            if read_record(target).status != "running":
                # Until the status changes the arrays count; from then on this file does.
                write_checkpoint(target / CHECKPOINT, replace_in(checkpoint, record=record))
            write_group(target, {"nstm": record.to_json()})
            remove_folder(target / _NEW)
        return cls(target, record)

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.path / CHECKPOINT).exists()

    def checkpoint(
        self, canvas: Canvas, motion: MotionLattice, state: Mapping[str, NDArray[Any]], **changes: Any
    ) -> None:
        """Replace the checkpoint, in one rename.

        Parameters
        ----------
        canvas, motion, state
            All of the same step.
        **changes
            Entries of the record that are to change (`step=120`, `loss_history=...`).

        Raises
        ------
        StoreError
            If it cannot be written; the one before it is kept.
        """
        record = self.record.changed({**changes, "status": "running"})
        kept = "The one before it is kept." if self.has_checkpoint else ""
        with _one_sentence(f"The checkpoint could not be written to {self.path}", kept):
            write_checkpoint(self.path / CHECKPOINT, Checkpoint(record, canvas, motion, dict(state)))
        self.record = record

    def finish(
        self,
        status: Status,
        canvas: Canvas,
        motion: MotionLattice,
        state: Mapping[str, NDArray[Any]],
        *,
        reconstruction: Iterable[NDArray[Any]] | None = None,
        motion_um: Iterable[NDArray[Any]] | None = None,
        comparisons: Sequence[Comparison] = (),
        residual: NDArray[Any] | None = None,
        **changes: Any,
    ) -> StoredResult:
        """Write the final arrays and the status.

        Parameters
        ----------
        status
            How the run ended.
        canvas, motion, state
            All of the last good step.
        reconstruction
            A frame (c, [z,] y, x) in physical units for each of the record's times; None: rendered from the canvas.
        motion_um
            A frame (component, [z,] y, x) of u for each time; None: from the motion lattice, since the first frame.
        comparisons
            What else the frames give, on the same grid.
        residual
            (frame, [z,] y, x), measured minus rendered, or None.
        **changes
            As in `checkpoint`.

        Raises
        ------
        StoreError
            If something cannot be written; the run can go on from the checkpoint.
        """
        self.checkpoint(canvas, motion, state, **changes)
        record = self.record.changed({"status": status, "comparisons": tuple(one.name for one in comparisons)})
        shown = StoredResult(self.path, record, canvas, motion)
        new = self.path / _NEW
        with _one_sentence(f"The result could not be written to {self.path}", "Its checkpoint is kept."):
            remove_folder(new)
            new.mkdir()
            _write_arrays(new, shown, reconstruction, motion_um, comparisons, residual)
            sync_tree(new)
            for name in dict.fromkeys((*ARRAYS, *record.comparisons)):
                remove_folder(self.path / name)
                if (new / name).exists():
                    replace(new / name, self.path / name)
            write_weights(self.path / WEIGHTS, state)
            write_group(self.path, {"nstm": record.to_json()})
            self.record = record
            (self.path / CHECKPOINT).unlink()
            remove_folder(new)
        return open_result(self.path)

    def extend(self, comparisons: Sequence[Comparison], **changes: Any) -> None:
        """Add comparisons to a store that is complete; what is in it stays as it is.

        Parameters
        ----------
        comparisons
            What else the frames give, on the same grid; one of the same name is replaced.
        **changes
            As in `checkpoint`.

        Raises
        ------
        StoreError
            If they cannot be written; the store is as it was.
        """
        added = [one.name for one in comparisons]
        names = tuple(dict.fromkeys((*self.record.comparisons, *added)))
        record = self.record.changed({**changes, "comparisons": names})
        new = self.path / _NEW
        try:
            with _one_sentence(f"The result at {self.path} could not be added to", "What is in it is kept."):
                remove_folder(new)
                new.mkdir()
                _write_comparisons(new, record, comparisons)
                sync_tree(new)
                for name in added:
                    remove_folder(self.path / name)
                    replace(new / name, self.path / name)
                # Until now the record did not name them: they were not there for a reader.
                write_group(self.path, {"nstm": record.to_json()})
        finally:
            with suppress(OSError):
                remove_folder(new)
        self.record = record

    def discard(self) -> None:
        """Remove the store.

        Raises
        ------
        StoreError
            If it cannot be removed.
        """
        with _one_sentence(f"{self.path} cannot be removed"):
            remove_folder(self.path)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read what a run needs to go on, whatever the store's status, all of one step.

    Raises
    ------
    InputError, StoreError
        If there is no store, or nothing to go on from.
    """
    return checkpoint_of(Path(path).absolute())


def _write_arrays(
    folder: Path,
    shown: StoredResult,
    reconstruction: Iterable[NDArray[Any]] | None,
    motion_um: Iterable[NDArray[Any]] | None,
    comparisons: Sequence[Comparison],
    residual: NDArray[Any] | None,
) -> None:
    record, canvas, motion = shown.record, shown.canvas(), shown.motion()
    space = SPACE[len(record.shape)]
    lattice = {"origin_px": list(canvas.origin_px), "spacing_px": list(canvas.spacing_px), "order": canvas.order}
    write_array(folder / "canvas", canvas.coefficients, ("c", *space), lattice)
    lattice = {"origin_px": list(motion.origin_px), "spacing_px": list(motion.spacing_px)}
    write_array(folder / "motion_lattice", motion.values_px, ("t", "component", *space), lattice)
    times = record.times_ms
    frames = _ahead(shown.scene_at, times) if reconstruction is None else reconstruction
    size, origin = record.pixel_size_um, shown.origin_um
    write_image(folder / "reconstruction", frames, record.channels, record.shape, size, times, origin)
    frames = _ahead(shown.displacement_at, times) if motion_um is None else motion_um
    motion_shape = (len(times), len(record.shape), *record.shape)
    place = {"origin_um": list(origin)}
    units = {"unit": "micrometer", "times_ms": list(times), "reference_ms": record.frame_times_ms[0], **place}
    write_frames(folder / "motion", frames, motion_shape, ("t", "component", *space), units)
    _write_comparisons(folder, record, comparisons)
    if residual is not None:
        write_frames(folder / "residual", residual, residual.shape, ("frame", *SPACE[residual.ndim - 1]), place)


def _write_comparisons(folder: Path, record: StoreRecord, comparisons: Iterable[Comparison]) -> None:
    for one in comparisons:
        size, origin = record.pixel_size_um, record.origin_um
        write_image(folder / one.name, one.images, record.channels, record.shape, size, one.times_ms, origin)


def _ahead(render: Callable[[float], NDArray[Any]], times: Iterable[float]) -> Iterator[NDArray[Any]]:
    """Render moments in order, some ahead in threads of their own: scipy needs no interpreter for it."""
    n = min(os.cpu_count() or 1, 4)
    waiting: deque[Future[NDArray[Any]]] = deque()
    with ThreadPoolExecutor(n, thread_name_prefix="render") as threads:
        for time in times:
            waiting.append(threads.submit(render, time))
            if len(waiting) > n:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _one_sentence(what: str, kept: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{what}: {reason(error)}. {kept}".strip()) from error
