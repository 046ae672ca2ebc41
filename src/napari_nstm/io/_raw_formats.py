"""Readers of image files: the array, its axes, its pixel size."""

from __future__ import annotations

import json
import logging
import math
import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.io._on_disk import LARGE_BYTES, ImagesOnDisk, Index, Window

_UM = {
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "å": 1e-4,
    "angstrom": 1e-4,
}
# What a damaged file makes its readers raise, beside OSError and ValueError.
DAMAGED = (KeyError, IndexError, TypeError, AttributeError, struct.error, zlib.error, OverflowError, RuntimeError)


@dataclass(frozen=True)
class Image:
    """An array with what its file says about it.

    Parameters
    ----------
    array
        As stored; large ones are memory-mapped, or stay in the file.
    axes
        A lower-case letter per axis, or None.
    pixel_size_um
        By axis.
    """

    array: NDArray[Any] | ImagesOnDisk
    axes: str | None = None
    pixel_size_um: Mapping[str, float] = field(default_factory=dict)


def read_npy(path: Path) -> Image:
    """Read a .npy file, or map a large one; raises ValueError if it is none."""
    is_large = path.stat().st_size > LARGE_BYTES
    return Image(np.asarray(np.load(path, mmap_mode="r" if is_large else None, allow_pickle=False)))


def read_tiff(path: Path) -> Image:
    """Read a TIFF or OME-TIFF file; raises ValueError if it is none, or holds several different images."""
    import tifffile

    # It reports damage through logging, and the caller in one sentence.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series
            first = series[0]
            axes = first.axes.lower()
            if len(series) > 1:
                if any(s.shape != first.shape or s.dtype != first.dtype for s in series):
                    raise ValueError(f"it holds {len(series)} images of different sizes")
                axes = "q" + axes
            large = _large_tiff(path, tiff)
            array = _whole_tiff(tiff) if large is None else large
            sizes = _ome_pixel_size(tiff) if tiff.is_ome else _imagej_pixel_size(tiff)
    except DAMAGED as error:
        raise ValueError(f"it is damaged: {error}") from error
    return Image(array, axes, sizes)


def _whole_tiff(tiff: Any) -> NDArray[Any]:
    first = tiff.series[0]
    if len(tiff.series) == 1:
        return np.asarray(first.asarray())
    array = np.empty((len(tiff.series), *first.shape), first.dtype)
    for image, part in zip(array, tiff.series, strict=True):
        part.asarray(out=image)
    return array


def _large_tiff(path: Path, tiff: Any) -> NDArray[Any] | ImagesOnDisk | None:
    """Leave a large image in its file: mapped where it is not compressed, to be read page by page otherwise."""
    series = tiff.series
    first = series[0]
    shape = (len(series), *first.shape) if len(series) > 1 else tuple(first.shape)
    if math.prod(shape) * first.dtype.itemsize <= LARGE_BYTES or len(first.shape) < 2:
        return None
    if tiff.is_ome and any(page is None or page.parent is not tiff for s in series for page in s.pages):
        return None  # it goes on in other files
    offsets = [one.dataoffset for one in series]
    if None not in offsets:
        stored = np.dtype(first.dtype).newbyteorder(tiff.byteorder)
        if len(series) == 1:
            return np.asarray(np.memmap(path, stored, "r", offsets[0], shape))
        return ImagesOnDisk.of(partial(_read_mapped, path, stored, offsets, shape[1:]), shape, first.dtype)
    is_plain = all(one.keyframe.shape == shape[-2:] for one in series)
    if not is_plain or sum(len(one.pages) for one in series) != math.prod(shape[:-2]):
        return None
    return ImagesOnDisk.of(partial(_read_pages, path), shape, first.dtype)


def _read_mapped(
    path: Path, stored: np.dtype[Any], offsets: list[int], shape: tuple[int, ...], images: Index, window: Window
) -> NDArray[Any]:
    """Read images of several arrays of one shape, each of which lies in a file as it is."""
    per_array = math.prod(shape[:-2])
    read = []
    for image in images.tolist():
        mapped: NDArray[Any] = np.memmap(path, stored, "r", offsets[image // per_array], (per_array, *shape[-2:]))
        read.append(np.array(mapped[image % per_array][window], stored.newbyteorder("=")))
    return np.stack(read)


def _read_pages(path: Path, images: Index, window: Window) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        pages = [page for one in tiff.series for page in one.pages]
        read: NDArray[Any] | None = None
        for k, image in enumerate(images.tolist()):
            part = pages[image].asarray()[window]
            read = np.empty((len(images), *part.shape), part.dtype) if read is None else read
            read[k] = part
    return np.empty(0) if read is None else read


def _ome_pixel_size(tiff: Any) -> dict[str, float]:
    try:
        root = ET.fromstring(tiff.ome_metadata)
    except ET.ParseError:
        return {}
    pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return {}
    sizes: dict[str, float] = {}
    for axis in "xyz":
        value = pixels.get(f"PhysicalSize{axis.upper()}")
        unit = pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm")
        sizes |= size_um(axis, value, unit)
    return sizes


def _imagej_pixel_size(tiff: Any) -> dict[str, float]:
    # Plain TIFF files often carry a resolution that means nothing (72 dpi): only ImageJ's, with its unit, counts.
    if not tiff.is_imagej:
        return {}
    metadata = tiff.imagej_metadata or {}
    unit = str(metadata.get("unit", "")).replace("\\u00B5", "µ")
    tags = tiff.pages[0].tags
    sizes = size_um("z", metadata.get("spacing"), unit)
    for axis, name in (("x", "XResolution"), ("y", "YResolution")):
        if name in tags and tags[name].value[0]:
            sizes |= size_um(axis, tags[name].value[1] / tags[name].value[0], unit)
    return sizes


def read_zarr(path: Path) -> Image:
    """Read an array, or the full-size level of an OME-Zarr image; raises ValueError if there is none."""
    import zarr

    try:
        node = zarr.open(path, mode="r")
        if isinstance(node, zarr.Array):
            return Image(_zarr_images(path, "", node), _array_axes(node))
        attributes: dict[str, Any] = dict(node.attrs)
        ome = attributes.get("ome")
        scales = (ome if isinstance(ome, dict) else attributes).get("multiscales")
        if not scales:
            inside = ", ".join(sorted(p.name for p in path.iterdir() if p.is_dir())[:8])
            raise ValueError(f"a zarr group without an image; it holds {inside or 'nothing'}")
        return _read_multiscale(path, node, scales[0])
    except FileNotFoundError as error:
        raise ValueError("a folder without a zarr array or image") from error
    except (*DAMAGED, json.JSONDecodeError) as error:
        raise ValueError(f"no OME-Zarr image: {error}") from error


def _zarr_images(path: Path, name: str, array: Any) -> NDArray[Any] | ImagesOnDisk:
    if array.ndim < 2 or array.nbytes <= LARGE_BYTES:
        return np.asarray(array[...])
    return ImagesOnDisk.of(partial(_read_zarr, path, name), array.shape, array.dtype)


def _read_zarr(path: Path, name: str, images: Index, window: Window) -> NDArray[Any]:
    import zarr

    array: Any = zarr.open(path, mode="r", path=name or None)
    outer = array.shape[:-2]
    size = tuple(part.stop - part.start for part in window)
    if not outer:
        return np.asarray(array[window]).reshape(len(images), *size)
    # Steps of the first axis that are wanted whole are read together: chunks may hold several.
    per_step = math.prod(outer[1:])
    first, count = int(images[0]), len(images)
    if first % per_step == count % per_step == 0 and np.array_equal(images, np.arange(first, first + count)):
        steps = slice(first // per_step, (first + count) // per_step)
        return np.asarray(array[(steps, *(slice(None),) * (len(outer) - 1), *window)]).reshape(count, *size)
    read = np.empty((count, *size), array.dtype)
    for k, image in enumerate(images.tolist()):
        read[k] = array[(*np.unravel_index(image, outer), *window)]
    return read


def _read_multiscale(path: Path, group: Any, scale: Mapping[str, Any]) -> Image:
    dataset = scale["datasets"][0]
    array = group[dataset["path"]]
    axes = [axis if isinstance(axis, str) else axis["name"] for axis in scale.get("axes", [])]
    units = [axis.get("unit", "") if isinstance(axis, dict) else "" for axis in scale.get("axes", [])]
    values = _zarr_images(path, dataset["path"], array)
    if len(axes) != values.ndim:
        return Image(values, _array_axes(array))
    factors = np.ones(values.ndim)
    for transform in (*dataset.get("coordinateTransformations", ()), *scale.get("coordinateTransformations", ())):
        if transform.get("type") == "scale":
            factors = factors * np.asarray(transform["scale"], float)
    sizes: dict[str, float] = {}
    for name, unit, factor in zip(axes, units, factors, strict=True):
        if name in ("z", "y", "x"):
            sizes |= size_um(name, factor, unit)
    return Image(values, _letters(axes), sizes)


def _array_axes(array: Any) -> str | None:
    names = getattr(array.metadata, "dimension_names", None)
    return None if not names or None in names else _letters(names)


def _letters(names: Any) -> str | None:
    short = {"time": "t", "frame": "t", "channel": "c"}
    letters = [short.get(str(name).lower(), str(name).lower()) for name in names]
    return "".join(letters) if all(len(letter) == 1 for letter in letters) else None


def size_um(axis: str, value: Any, unit: str) -> dict[str, float]:
    """Return the size along an axis in um, or nothing where the file gives none."""
    factor = _UM.get(unit.strip().lower())
    try:
        size = float(value) * factor if factor is not None and value is not None else math.nan
    except (TypeError, ValueError):
        return {}
    # The unit's factor blurs the last digits: 1e-7 m would be 0.09999999999999999 um.
    return {axis: float(f"{size:.12g}")} if math.isfinite(size) and size > 0 else {}
