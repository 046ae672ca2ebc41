"""The motion of a result as tables and arrays that other programs read, and how the result was made."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.core.warp import positions
from napari_nstm.io._atomic import reason, replacing
from napari_nstm.io.result import StoredResult

# Points along the longer side, where nobody says how many.
_POINTS = 32

Progress = Callable[[int, int], None]
Stop = Callable[[], bool]


def export_vectors_csv(
    result: StoredResult,
    path: str | Path,
    *,
    every_px: int | None = None,
    overwrite: bool = False,
    on_progress: Progress | None = None,
    should_stop: Stop | None = None,
) -> Path:
    """Write the displacement as a table: a row for each point and moment.

    Columns are `time_ms`, the point at the first frame ([`z_um`,] `y_um`, `x_um`) in the field of the whole raw frames,
    and its displacement since then ([`u_z_um`,] `u_y_um`, `u_x_um`).

    Parameters
    ----------
    result
        The result.
    path
        A file ending in .csv.
    every_px
        Distance of points along y and x, in pixels of the result; None: 32 points along the longer side.
    overwrite, on_progress, should_stop
        As `export.export_ome_tiff`.

    Raises
    ------
    CancelledError, InputError, StoreError
        As `export.export_ome_tiff`.
    """
    points, u_um = _vectors(result, every_px)
    axes = "zyx"[-len(result.shape) :]
    place = points.reshape(len(axes), -1) * _column(result.pixel_size_um) + _column(result.origin_um)
    with _writing(result, Path(path), ".csv", overwrite) as stream:
        lines = _Text(stream)
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["time_ms", *(f"{a}_um" for a in axes), *(f"u_{a}_um" for a in axes)])
        for time_ms, u in _moments(result, u_um, on_progress, should_stop):
            for row in np.vstack([place, u.reshape(len(axes), -1)]).T.tolist():
                writer.writerow([f"{time_ms:.9g}", *(f"{value:.7g}" for value in row)])
    return Path(path)


def export_vectors_npz(
    result: StoredResult,
    path: str | Path,
    *,
    every_px: int | None = None,
    overwrite: bool = False,
    on_progress: Progress | None = None,
    should_stop: Stop | None = None,
) -> Path:
    """Write the displacement as arrays (.npz): `times_ms`, `reference_ms`, [`z_um`,] `y_um`, `x_um`, `u_um`.

    `u_um` is (t, component, [z,] y, x), components in the order ([z,] y, x). Parameters and errors as
    `export_vectors_csv`.
    """
    points, u_um = _vectors(result, every_px)
    axes, ndim = "zyx"[-len(result.shape) :], len(result.shape)
    arrays: dict[str, Any] = {
        "times_ms": np.asarray(result.times_ms),
        "reference_ms": np.asarray(result.frame_times_ms[0]),
        "pixel_size_um": np.asarray(result.pixel_size_um),
    }
    for axis, name in enumerate(axes):
        first = tuple(slice(None) if k == axis else 0 for k in range(ndim))
        arrays[f"{name}_um"] = points[axis][first] * result.pixel_size_um[axis] + result.origin_um[axis]
    with _writing(result, Path(path), ".npz", overwrite) as stream:
        arrays["u_um"] = np.stack([u for _, u in _moments(result, u_um, on_progress, should_stop)])
        np.savez_compressed(stream, **arrays)
    return Path(path)


def export_job(result: StoredResult, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the job that made a result, as YAML: it makes the same again, beside it.

    Raises
    ------
    InputError
        If the path is taken or cannot be written; field `out`.
    """
    job = dict(result.record.job)
    raw = Path(str(job["raw"]))
    if not raw.is_absolute():  # kept in the store
        job["raw"] = str(result.path / raw)
    job["output"] = {**job.get("output", {}), "path": result.path.stem + "-again.zarr"}
    with _writing(result, Path(path), ".yml", overwrite) as stream:
        stream.write(yaml.safe_dump(job, sort_keys=False, allow_unicode=True, width=120).encode())
    return Path(path)


def export_provenance(result: StoredResult, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write all that a store says of how it was made, as JSON; errors as `export_job`."""
    content = result.record.to_json()
    with _writing(result, Path(path), ".json", overwrite) as stream:
        stream.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode())
    return Path(path)


def _vectors(
    result: StoredResult, every_px: int | None
) -> tuple[NDArray[np.float32], Callable[[float], NDArray[np.float32]]]:
    """Return points in pixels of the result, (component, [z,] y, x), and what gives their displacement at a time."""
    longest = max(result.shape[-2:])
    if every_px is not None and not 1 <= every_px <= longest:
        raise InputError("every_px", f"{every_px} pixels", f"a distance from 1 to {longest} pixels")
    step = float(every_px or max(1, math.ceil(longest / _POINTS)))
    spacing = (*(1.0 for _ in result.shape[:-2]), step, step)
    shape = tuple(math.ceil(n / s) for n, s in zip(result.shape, spacing, strict=True))
    points = positions(shape, spacing)
    result.check_shown()
    return points, lambda time_ms: result.displacement_at(time_ms, where_px=points)


def _moments(
    result: StoredResult,
    u_um: Callable[[float], NDArray[np.float32]],
    on_progress: Progress | None,
    should_stop: Stop | None,
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    times = result.times_ms
    for done, time_ms in enumerate(times, start=1):
        if should_stop is not None and should_stop():
            raise CancelledError
        yield time_ms, u_um(time_ms)
        if on_progress is not None:
            on_progress(done, len(times))
    result.check_there()


def _column(values: tuple[float, ...]) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)[:, None]


@contextmanager
def _writing(result: StoredResult, target: Path, suffix: str, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open a file that appears whole or not at all."""
    if target.suffix.lower() != suffix:
        raise InputError("out", target.name, f"a file ending in {suffix}")
    if target.exists() and not (overwrite and target.is_file()):
        raise InputError("out", f"{target}, which exists already", "a path that does not exist yet, or --overwrite")
    result.check_there()
    try:
        with replacing(target) as stream:
            yield stream
    except OSError as error:
        raise InputError("out", f"{target}, which cannot be written ({reason(error)})", "a writable path") from error


class _Text:
    """Lets csv write text into a stream of bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())
