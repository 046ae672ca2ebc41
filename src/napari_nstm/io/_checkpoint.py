"""One file that holds all that a run needs to go on, and all that is needed to show it.

A checkpoint is a zip of .npy arrays and one JSON text, written beside and renamed. Scene, motion, weights and
record can therefore never belong to different steps.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import StoreError
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io._atomic import replacing
from napari_nstm.io.record import StoreRecord, record_from_json

State = dict[str, NDArray[np.generic]]

_STATE = "state/"


@dataclass(frozen=True)
class Checkpoint:
    """A run at one step.

    Parameters
    ----------
    record
        What the store says of itself at that step.
    canvas, motion
        Scene and motion, ready to be rendered.
    state
        Weights and optimiser by '/'-joined names; empty where they were not asked for.
    """

    record: StoreRecord
    canvas: Canvas
    motion: MotionLattice
    state: State


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at `path` atomically."""
    canvas, motion = checkpoint.canvas, checkpoint.motion
    lattices = {
        "canvas": {"origin_px": canvas.origin_px, "spacing_px": canvas.spacing_px, "order": canvas.order},
        "motion_lattice": {"origin_px": motion.origin_px, "spacing_px": motion.spacing_px},
    }
    header = {"nstm": checkpoint.record.to_json(), **lattices}
    arrays: State = {"canvas": canvas.coefficients, "motion_lattice": motion.values_px}
    arrays |= {_STATE + name: value for name, value in checkpoint.state.items()}
    with replacing(path) as stream:
        _write_zip(stream, arrays, json.dumps(header, allow_nan=False))


def read_checkpoint(path: Path, *, with_state: bool = True) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    StoreError
        If it is damaged.
    FileNotFoundError
        If there is none.
    """
    arrays, text = _read_zip(path, lambda name: with_state or not name.startswith(_STATE))
    try:
        header = json.loads(text)
        canvas = canvas_from(arrays.pop("canvas"), header["canvas"])
        motion = motion_from(arrays.pop("motion_lattice"), header["motion_lattice"])
        record = record_from_json(header["nstm"], str(path))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: {error}.") from error
    return Checkpoint(record, canvas, motion, {name.removeprefix(_STATE): value for name, value in arrays.items()})


def write_weights(path: Path, state: Mapping[str, NDArray[np.generic]]) -> None:
    """Replace the weights at `path` (.npz) atomically."""
    with replacing(path) as stream:
        _write_zip(stream, state, None)


def read_weights(path: Path) -> State:
    """Read weights; raises StoreError if they are damaged."""
    return _read_zip(path, lambda _: True)[0]


def canvas_from(array: NDArray[Any], attributes: Mapping[str, Any]) -> Canvas:
    """Put a canvas together from its array (c, [z,] y, x) and its attributes."""
    origin, spacing = _lattice(array, attributes, leading=1)
    order = attributes["order"]
    if order not in (1, 3):
        raise ValueError(f"a canvas of order {order}, where 1 and 3 are known")
    return Canvas(np.asarray(array, np.float32), origin, spacing, int(order))


def motion_from(array: NDArray[Any], attributes: Mapping[str, Any]) -> MotionLattice:
    """Put a motion lattice together from its array (time, component, [z,] y, x) and its attributes."""
    origin, spacing = _lattice(array, attributes, leading=2)
    if array.shape[1] != len(origin):
        raise ValueError(f"a motion of {array.shape[1]} components along {len(origin)} axes")
    return MotionLattice(np.asarray(array, np.float32), origin, spacing)


def _lattice(
    array: NDArray[Any], attributes: Mapping[str, Any], leading: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    origin = tuple(float(x) for x in attributes["origin_px"])
    spacing = tuple(float(x) for x in attributes["spacing_px"])
    if not len(origin) == len(spacing) == array.ndim - leading:
        raise ValueError(f"a lattice of {array.ndim - leading} axes with an origin of {len(origin)}")
    return origin, spacing


def _write_zip(stream: IO[bytes], arrays: Mapping[str, NDArray[np.generic]], text: str | None) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        if text is not None:
            archive.writestr("record.json", text)
        for name, value in arrays.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(value), allow_pickle=False)


def _read_zip(path: Path, wanted: Callable[[str], bool]) -> tuple[State, str]:
    arrays: State = {}
    text = "null"
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.namelist():
                name = entry.removesuffix(".npy")
                if entry == "record.json":
                    text = archive.read(entry).decode()
                elif wanted(name):
                    with archive.open(entry) as member:
                        arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise StoreError(f"{path} is damaged: {error}.") from error
    return arrays, text
