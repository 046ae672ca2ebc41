"""Raw frames from files, as they are stored: nothing is rescaled.

Readable are TIFF and OME-TIFF, OME-Zarr (an image group or an array), .npy, one array of an .npz (`file.npz:key`),
and, with the extra `vendor`, DeltaVision .dv, MRC .mrc and Zeiss .czi. No file that is read here can run code.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.io._on_disk import ImagesOnDisk, Index, Window
from napari_nstm.io._raw_formats import DAMAGED, Image, read_npy, read_tiff, read_zarr
from napari_nstm.io._vendor_formats import SUFFIXES, read_vendor

__all__ = ["ImagesOnDisk", "open_raw", "read_raw", "stored_to_axes", "to_axes"]

_FORMATS = "a TIFF, OME-TIFF, OME-Zarr, .npy, .dv, .mrc or .czi file, or file.npz:key"
# Letters that tifffile gives axes whose meaning the file does not say.
_UNKNOWN = "qis"
_SPACE = "zyx"


def read_raw(
    path: str | Path, axes: str | None = None, field: str = "raw"
) -> tuple[NDArray[np.generic], str | None, tuple[float, ...] | None]:
    """Read one array; a large one that is stored without compression is memory-mapped.

    Parameters
    ----------
    path
        The file; for an .npz with the array's name after a colon.
    axes
        Axes of the array (`tyx`) where the user says them; they overrule the file's.
    field
        Dotted name of the setting that names the file, for errors.

    Returns
    -------
    array
        As stored.
    axes
        A letter per axis (t, c, z, y, x; q, i, s where the file does not say what the axis is), or None.
    pixel_size_um
        ([z,] y, x), z where the array has more than one plane; None where the file does not say.

    Raises
    ------
    InputError
        If there is no such file, or no image in it.
    """
    array, found, pixel_size = open_raw(path, axes, field)
    return np.asarray(array), found, pixel_size


def open_raw(
    path: str | Path, axes: str | None = None, field: str = "raw"
) -> tuple[NDArray[np.generic] | ImagesOnDisk, str | None, tuple[float, ...] | None]:
    """Read one array as `read_raw` does, but leave one that is large and cannot be mapped where it is."""
    image = _read(Path(path), field)
    array = image.array
    if array.dtype.kind not in "buifc":
        raise InputError(field, f"{path}, which holds {array.dtype} values", "an array of numbers")
    if array.size == 0 or array.ndim < 2:
        raise InputError(field, f"{path}, which holds an array of shape {array.shape}", "an image")
    found = axes.lower() if axes else image.axes
    if axes:
        _check_count(array, axes, field)
    if isinstance(array, ImagesOnDisk):
        array = replace(array, read=partial(_read_later, array.read, Path(path), field))
    return array, found, _pixel_size(image, found)


def to_axes(array: NDArray[np.generic], axes: str | None, wanted: str, field: str = "raw") -> NDArray[np.generic]:
    """Bring raw frames to the axes that a modality takes.

    Axes of length 1 are dropped or added, known axes are transposed. An axis whose meaning the file does not
    say counts as the one axis that is still wanted.

    Where `wanted` begins with `*` (`*yx`), all other axes, of any meaning and number, become one, in the order in
    which the array holds them: the last of them counts fastest.

    Parameters
    ----------
    array, axes
        As `read_raw` gives them; what is mapped stays so.
    wanted
        A letter per axis, in order (`tyx`), or `*` and the last ones (`*yx`).
    field
        For errors.

    Raises
    ------
    InputError
        If the array has other axes, or its pixels are no real numbers.
    """
    if array.dtype.kind == "c":
        raise InputError(field, "complex pixels", "real intensities")
    if axes is not None:
        _check_count(array, axes, field)
    if wanted.startswith("*"):
        return _flatten(array, axes, wanted[1:], field)
    takes = f"axes {wanted} ({_in_words(wanted)})"
    if axes is None:
        return _by_count(array, wanted, field, takes)
    names = _name_unknown(array, axes, wanted)
    kept = [i for i, name in enumerate(names) if name in wanted or array.shape[i] > 1]
    shape = "x".join(str(array.shape[i]) for i in kept)
    letters = "".join(names[i] for i in kept)
    if len(set(letters)) != len(letters) or not set(letters) <= set(wanted):
        hint = f"; `axes: {wanted}` says that they are frames" if _could_be_frames(letters, wanted) else ""
        raise InputError(field, f"an array with axes {letters} ({shape})", takes + hint)
    missing = [name for name in wanted if name not in letters]
    if any(name in _SPACE for name in missing):
        raise InputError(field, f"an array with axes {letters} ({shape})", takes)
    plain = array.reshape([array.shape[i] for i in kept] + [1] * len(missing))
    order = letters + "".join(missing)
    return plain.transpose([order.index(name) for name in wanted])


def stored_to_axes(
    array: NDArray[np.generic] | ImagesOnDisk, axes: str | None, wanted: str, field: str = "raw"
) -> NDArray[np.generic] | ImagesOnDisk:
    """Bring raw frames to the axes that a modality takes, as `to_axes`; those of `open_raw` stay in their file."""
    if not isinstance(array, ImagesOnDisk):
        return to_axes(array, axes, wanted, field)
    if array.dtype.kind == "c" or (axes is not None and not axes.endswith("yx")):
        return to_axes(np.asarray(array), axes, wanted, field)
    # The numbers of its images stand in for them: an array of the same shape that takes no memory.
    numbers = np.broadcast_to(array.index[..., None, None], array.shape)
    arranged = to_axes(numbers, axes, wanted, field)[..., 0, 0]
    return replace(array, index=np.asarray(arranged, np.int64))


def _read_later(
    read: Callable[[Index, Window], NDArray[Any]], path: Path, field: str, images: Index, window: Window
) -> NDArray[Any]:
    try:
        return read(images, window)
    except (OSError, ValueError, EOFError, *DAMAGED) as error:
        raise InputError(field, f"{path}, {_no_image(error)}", _FORMATS) from error


def _check_count(array: NDArray[np.generic] | ImagesOnDisk, axes: str, field: str) -> None:
    if len(axes) != array.ndim:
        raise InputError(
            field, f"axes {axes!r} for an array of shape {array.shape}", f"axes of {array.ndim} letters for it"
        )


def _flatten(array: NDArray[np.generic], axes: str | None, last: str, field: str) -> NDArray[np.generic]:
    takes = f"images (axes {', '.join(last)} and any others)"
    shape = "x".join(map(str, array.shape))
    if array.ndim < len(last):
        raise InputError(field, f"an array of {shape}", takes)
    if axes is not None:
        known = [name for name in axes if name not in _UNKNOWN]
        if len(set(known)) < len(known) or not set(last) <= set(known):
            raise InputError(field, f"an array with axes {axes} ({shape})", takes)
        if any(axes[i] == "s" and i > axes.index("x") and array.shape[i] in (3, 4) for i in range(array.ndim)):
            raise InputError(field, f"a colour image with axes {axes} ({shape})", f"{takes} of one colour")
        others = [i for i, name in enumerate(axes) if name not in last]
        array = array.transpose([*others, *map(axes.index, last)])
    leading = array.shape[: array.ndim - len(last)]
    return array.reshape(math.prod(leading), *array.shape[len(leading) :])


def _by_count(array: NDArray[np.generic], wanted: str, field: str, takes: str) -> NDArray[np.generic]:
    shape = list(array.shape)
    if array.ndim == 2 and "z" not in wanted:
        shape = [1] * (len(wanted) - 2) + shape
    while len(shape) > len(wanted) and 1 in shape[:-2]:
        shape.remove(1)
    if len(shape) != len(wanted):
        got = " x ".join(map(str, array.shape))
        raise InputError(field, f"an array of {got}", takes)
    return array.reshape(shape)


def _name_unknown(array: NDArray[np.generic], axes: str, wanted: str) -> list[str]:
    names = list(axes)
    unknown = [i for i, name in enumerate(names) if name in _UNKNOWN and array.shape[i] > 1]
    free = [name for name in wanted if name not in names]
    if len(unknown) == 1 and free:
        # Samples of a pixel are its colours where colours are wanted; everything else is frames.
        likely = "ct" if names[unknown[0]] == "s" else "t"
        names[unknown[0]] = next((name for name in likely if name in free), free[0])
    return names


def _could_be_frames(letters: str, wanted: str) -> bool:
    return len(letters) == len(wanted) and "t" in wanted and letters[-2:] == wanted[-2:]


def _in_words(axes: str) -> str:
    words = {"t": "frame", "c": "channel", "z": "plane", "y": "row", "x": "column"}
    return ", ".join(words.get(name, name) for name in axes)


def _read(path: Path, field: str) -> Image:
    text = str(path)
    file, separator, key = text.rpartition(".npz:")
    if separator and not path.exists():
        return _read_npz(Path(file + ".npz"), key, field)
    if not path.exists():
        raise InputError(field, f"{path}, which does not exist", _FORMATS)
    suffix = path.suffix.lower()
    if suffix == ".npz" and path.is_file():
        return _read_npz(path, None, field)
    try:
        if path.is_dir():
            return read_zarr(path)
        if suffix == ".npy":
            return read_npy(path)
        return _read_vendor(path, field) if suffix in SUFFIXES else read_tiff(path)
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            field, f"{path}, which cannot be read ({_short(error.strerror or error)})", _FORMATS
        ) from error
    except (ValueError, EOFError) as error:
        raise InputError(field, f"{path}, {_no_image(error)}", _FORMATS) from error


def _read_vendor(path: Path, field: str) -> Image:
    try:
        return read_vendor(path)
    except ImportError as error:
        raise InputError(
            field,
            f"{path}, whose reader cannot be imported ({_short(error)})",
            "such a file after `pip install 'napari-nstm[vendor]'`",
        ) from error


def _read_npz(path: Path, key: str | None, field: str) -> Image:
    takes = f"{path.name}:key"
    if not path.exists():
        raise InputError(field, f"{path}, which does not exist", _FORMATS)
    try:
        with path.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                raise ValueError("no archive of arrays")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as arrays:
                known = f"{takes} with one of the keys {', '.join(arrays.files)}"
                if key is None:
                    raise InputError(field, f"{path} without a key", known)
                if key not in arrays.files:
                    raise InputError(field, f"the key {key!r}", known)
                return Image(arrays[key])
    except InputError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(field, f"{path}, {_no_image(error)}", _FORMATS) from error


def _no_image(error: Exception) -> str:
    text = _short(error)
    if any(word in text for word in ("allow_pickle", "Object arrays", "Python objects")):
        return "which holds Python objects"
    return f"which is no image that can be read ({text})" if text else "which is no image"


def _short(error: object) -> str:
    return " ".join(str(error).split())[:120]


def _pixel_size(image: Image, axes: str | None) -> tuple[float, ...] | None:
    if axes is None or not {"y", "x"} <= set(image.pixel_size_um):
        return None
    planes = axes.find("z")
    has_planes = planes >= 0 and image.array.shape[planes] > 1 and "z" in image.pixel_size_um
    return tuple(image.pixel_size_um[name] for name in ("zyx" if has_planes else "yx"))
