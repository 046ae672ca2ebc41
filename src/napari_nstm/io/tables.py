"""The motion of a result as tables and arrays that other programs read."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.io._exporting import Progress, Stop, counted, writing
from napari_nstm.io.result import StoredResult

# Points along the longer side, where nobody says how many.
_POINTS = 32

Float = NDArray[np.float32]
Displacement = Callable[[float], Float]


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
    its displacement since then ([`u_z_um`,] `u_y_um`, `u_x_um`), and `speed_um_per_s`: central differences in time,
    one-sided at the first and the last moment. Cells are empty where a value is not known: the speed where there is a
    single moment, all of it where tiles are not done yet.

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
    places = [_row(values) for values in place.T.tolist()]  # the same at every moment
    with writing(result, Path(path), ".csv", overwrite=overwrite) as stream:
        names = ["time_ms", *(f"{a}_um" for a in axes), *(f"u_{a}_um" for a in axes), "speed_um_per_s"]
        stream.write((",".join(names) + "\n").encode())
        for _, time_ms in counted(result.times_ms, on_progress, should_stop):
            u = u_um(time_ms).reshape(len(axes), -1)
            values = np.vstack([u, _speed(u_um, result.times_ms, time_ms).reshape(1, -1)]).T.tolist()
            time = _text(time_ms, digits=9)
            stream.write("".join(f"{time},{p},{_row(v)}\n" for p, v in zip(places, values, strict=True)).encode())
        result.check_there()
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
    """Write the displacement as arrays (.npz), float32 and float64.

    `u_um` is (t, component, [z,] y, x), components in the order ([z,] y, x): since `reference_ms`, at `times_ms`, of
    the points at [`z_um`,] `y_um`, `x_um` in the field of the whole raw frames; `pixel_size_um` is the result's.
    Parameters and errors as `export_vectors_csv`.
    """
    points, u_um = _vectors(result, every_px)
    ndim = len(result.shape)
    arrays: dict[str, NDArray[Any]] = {
        "times_ms": np.asarray(result.times_ms),
        "reference_ms": np.asarray(result.frame_times_ms[0]),
        "pixel_size_um": np.asarray(result.pixel_size_um),
    }
    for axis, name in enumerate("zyx"[-ndim:]):
        along = tuple(slice(None) if k == axis else 0 for k in range(ndim))
        arrays[f"{name}_um"] = points[axis][along] * result.pixel_size_um[axis] + result.origin_um[axis]
    with (
        writing(result, Path(path), ".npz", overwrite=overwrite) as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive,
    ):
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        with archive.open("u_um.npy", "w", force_zip64=True) as member:
            _begin_array(member, (len(result.times_ms), *points.shape))
            for _, time_ms in counted(result.times_ms, on_progress, should_stop):
                member.write(np.ascontiguousarray(u_um(time_ms), "<f4").tobytes())
        result.check_there()
    return Path(path)


def _vectors(result: StoredResult, every_px: int | None) -> tuple[Float, Displacement]:
    """Return points in pixels of the result, (component, [z,] y, x), and what gives their displacement at a time."""
    longest = max(result.shape[-2:])
    if every_px is not None and not 1 <= every_px <= longest:
        raise InputError("every_px", f"{every_px} pixels", f"a distance from 1 to {longest} pixels")
    step = float(every_px or max(1, math.ceil(longest / _POINTS)))
    spacing = (*(1.0 for _ in result.shape[:-2]), step, step)
    shape = tuple(math.ceil(n / s) for n, s in zip(result.shape, spacing, strict=True))
    points = positions(shape, spacing)
    result.check_shown()

    @lru_cache(maxsize=3)  # a speed needs the moments before and after too
    def u_um(time_ms: float) -> Float:
        return result.displacement_at(time_ms, where_px=points)

    return points, u_um


def _speed(u_um: Displacement, times_ms: tuple[float, ...], time_ms: float) -> NDArray[np.float64]:
    """Return the speed of every point at a moment, in um/s: (...); NaN where there is no other moment."""
    times = sorted(set(times_ms))
    at = times.index(time_ms)
    near = times[max(at - 1, 0) : at + 2]
    if len(near) == 1:
        return np.full(u_um(time_ms).shape[1:], np.nan)
    velocity = np.gradient(np.stack([u_um(t) for t in near]), np.asarray(near) / 1000, axis=0)[min(at, 1)]
    return np.asarray(np.linalg.norm(velocity, axis=0), np.float64)


def _begin_array(stream: IO[bytes], shape: tuple[int, ...]) -> None:
    """Write the head of a float32 array, whose values follow."""
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})


def _column(values: tuple[float, ...]) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)[:, None]


def _row(values: list[float]) -> str:
    return ",".join(map(_text, values))


def _text(value: float, digits: int = 7) -> str:
    return "" if math.isnan(value) else f"{value + 0.0:.{digits}g}"  # no minus before a zero
