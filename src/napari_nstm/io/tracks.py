"""Points to follow as tables, and tracks as tables: CSV files with units in their headers."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.core.trajectories import Trajectories
from napari_nstm.io._atomic import reason, write_bytes
from napari_nstm.io.result import StoredResult

Float = NDArray[np.float64]

_DIGITS = 8
_LARGEST_BYTES = 64 * 2**20


def read_points(path: str | Path, result: StoredResult) -> tuple[Float, Float | None]:
    """Read points from a CSV file, by the names of its columns; others are left aside.

    Parameters
    ----------
    path
        Either columns `[time_ms,] [z_um,] y_um, x_um`, from pixel 0 of the whole raw frames; or those of a Points layer
        that napari saved, `axis-0, axis-1, ...`: pixels of the result, before them, if there is one column more, the
        number of the moment.
    result
        Whose points they are.

    Returns
    -------
    points_um, at_ms
        (point, component), ([z,] y, x) from pixel 0 of the result, and (point,), or None where the table says
        nothing of time.

    Raises
    ------
    InputError
        If the table cannot be used; field `points`.
    """
    source = Path(path)
    header, rows = _read(source)
    axes = "zyx"[-len(result.shape) :]
    wanted = [f"{axis}_um" for axis in axes]
    named = [name for name in header if name.startswith("axis-")]
    if set(wanted) <= set(header):
        known = [*(["time_ms"] if "time_ms" in header else []), *wanted]
    elif len(named) in (len(axes), len(axes) + 1):
        known = sorted(named, key=lambda name: (len(name), name))
    else:
        has = ", ".join(header)[:100] or "nothing"
        takes = f"a table with the columns {', '.join(wanted)}, and time_ms if there is one"
        raise InputError("points", f"{source}, which has the columns {has}", takes)
    values = _numbers(source, header, rows, known)
    in_time = len(known) > len(axes)
    places, times = values[:, -len(axes) :], values[:, 0] if in_time else None
    if not named or set(wanted) <= set(header):
        return places - np.asarray(result.origin_um), times
    return places * np.asarray(result.pixel_size_um), None if times is None else _times_of(source, times, result)


def write_tracks(trajectories: Trajectories, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a row for each track and moment: `track, time_ms, [z_um,] y_um, x_um, displacement_um, speed_um_per_s`.

    `track` is the number of the point, the first being 0; a track has no rows after its end. Positions count from
    pixel 0 of the whole raw frames, also of the result of a region. A speed that is not known, of a track of one
    moment, is empty.

    Parameters
    ----------
    trajectories
        The tracks.
    path
        A file ending in .csv.
    overwrite
        Replace an existing file.

    Raises
    ------
    InputError
        If the path is taken or cannot be written; field `out`.
    """
    target = Path(path)
    check_table(target, overwrite=overwrite)
    table = trajectories.table()
    for axis, origin in zip("zyx"[-len(trajectories.origin_um) :], trajectories.origin_um, strict=False):
        table[f"{axis}_um"] = table[f"{axis}_um"] + origin
    rows = zip(*(column.tolist() for column in table.values()), strict=True)
    lines = [",".join(table), *(",".join(map(_text, row)) for row in rows)]
    try:
        write_bytes(target, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise InputError("out", f"{target}, which cannot be written ({reason(error)})", "a writable path") from error
    return target


def check_table(path: Path, *, overwrite: bool = False) -> None:
    """Refuse a place for a table; raises like `write_tracks`."""
    if path.suffix.lower() != ".csv":
        raise InputError("out", path.name, "a file ending in .csv")
    if path.exists() and not (overwrite and path.is_file()):
        raise InputError("out", f"{path}, which exists already", "a path that does not exist yet, or --overwrite")


def _read(source: Path) -> tuple[list[str], list[list[str]]]:
    takes = "a CSV file with a header"
    try:
        if source.stat().st_size > _LARGEST_BYTES:
            raise InputError("points", f"{source}, which is larger than {_LARGEST_BYTES >> 20} MiB", takes)
        # Spreadsheets put a mark before the first letter.
        rows = list(csv.reader(source.read_text("utf-8-sig").splitlines()))
    except FileNotFoundError as error:
        raise InputError("points", f"{source}, which does not exist", takes) from error
    except OSError as error:
        raise InputError("points", f"{source}, which cannot be read ({reason(error)})", takes) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("points", f"{source}, which is no table", takes) from error
    filled = [[cell.strip() for cell in row] for row in rows]
    header = next((row for row in filled if any(row)), [])
    return header, filled[filled.index(header) + 1 :] if header else []


def _numbers(source: Path, header: list[str], rows: list[list[str]], names: list[str]) -> Float:
    twice = next((name for name in names if header.count(name) > 1), None)
    if twice is not None:
        raise InputError("points", f"{source}, which has the column {twice} twice", "a table with each column once")
    columns = [header.index(name) for name in names]
    values: list[list[float]] = []
    for row in rows:
        if not any(row):
            continue  # an empty line
        cells = [row[k] if k < len(row) else "" for k in columns]
        try:
            numbers = [float(cell) for cell in cells]
        except ValueError:
            numbers = [math.nan]
        if not all(map(math.isfinite, numbers)):
            shown = ", ".join(f"{name} = {cell or 'nothing'}" for name, cell in zip(names, cells, strict=True))[:100]
            raise InputError("points", f"{source}, which has {shown} at point {len(values)}", "numbers")
        values.append(numbers)
    if not values:
        raise InputError("points", f"{source}, which holds no points", "a row for each point")
    return np.asarray(values, np.float64)


def _times_of(source: Path, moments: Float, result: StoredResult) -> Float:
    """Turn numbers of moments, also between two, into times."""
    last = len(result.times_ms) - 1
    outside = moments[(moments < 0) | (moments > last)]
    if len(outside):
        got = f"{source}, which has a point at moment {outside[0]:g}"
        raise InputError("points", got, f"moments from 0 to {last} in its column axis-0")
    return np.interp(moments, np.arange(last + 1), result.times_ms)


def _text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "" if math.isnan(value) else f"{value + 0.0:.{_DIGITS}g}"
