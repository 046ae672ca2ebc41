"""Frames that were in no file, written to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.io._atomic import reason, replacing
from napari_nstm.io.raw import read_raw

_OME_TYPES = ["int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"]
_OME_AXES = frozenset("tczyx")


def write_frames(path: Path, array: NDArray[Any], axes: str | None = None, pixel_size_um: float | None = None) -> None:
    """Write an array as it is to a TIFF file, an OME-TIFF where its axes and type allow; the file appears whole.

    Parameters
    ----------
    path
        The file.
    array
        Frames, or another image.
    axes
        A letter per axis (`tyx`; `yxc` in colours); None: not known.
    pixel_size_um
        Size of a pixel along y and x, in um; None: not known.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    import tifffile

    in_colors = axes is not None and axes.endswith("yxc")
    named = axes is not None and len(axes) == array.ndim
    options: dict[str, Any] = {"photometric": "rgb" if in_colors and array.shape[-1] == 3 else "minisblack"}
    if named and array.dtype.name in _OME_TYPES and set(axes or "") <= _OME_AXES:
        letters = (axes or "").upper()
        size: dict[str, Any] = {}
        if pixel_size_um is not None:
            size = {f"PhysicalSize{a}": pixel_size_um for a in "XY"} | {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
        options |= {"ome": True, "metadata": {"axes": letters[:-1] + "S" if in_colors else letters, **size}}
    elif named:
        options["metadata"] = {"axes": (axes or "").upper()}
    try:
        with replacing(path) as stream:
            tifffile.imwrite(stream, array, **options)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {reason(error)}.") from error


def shape_in(path: Path, array: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the shape that an array has in a file, perhaps without axes of length 1; None: it holds other numbers."""
    try:
        stored, _, _ = read_raw(path)
    except (InputError, OSError):
        return None
    # NaN is not equal to itself; only floats can be asked.
    same = np.array_equal(np.squeeze(stored), np.squeeze(array), equal_nan=array.dtype.kind == "f")
    return stored.shape if same and stored.dtype == array.dtype else None
