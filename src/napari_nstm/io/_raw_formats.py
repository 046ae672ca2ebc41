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
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        As stored.
    axes
        A lower-case letter per axis, or None.
    pixel_size_um
        By axis.
    """

    array: NDArray[Any]
    axes: str | None = None
    pixel_size_um: Mapping[str, float] = field(default_factory=dict)


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
            if len(series) == 1:
                array = first.asarray()
            else:
                if any(s.shape != first.shape or s.dtype != first.dtype for s in series):
                    raise ValueError(f"it holds {len(series)} images of different sizes")
                array, axes = np.empty((len(series), *first.shape), first.dtype), "q" + axes
                for image, part in zip(array, series, strict=True):
                    part.asarray(out=image)
            sizes = _ome_pixel_size(tiff) if tiff.is_ome else _imagej_pixel_size(tiff)
    except DAMAGED as error:
        raise ValueError(f"it is damaged: {error}") from error
    return Image(array, axes, sizes)


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
            return Image(np.asarray(node[...]), _array_axes(node))
        attributes: dict[str, Any] = dict(node.attrs)
        ome = attributes.get("ome")
        scales = (ome if isinstance(ome, dict) else attributes).get("multiscales")
        if not scales:
            inside = ", ".join(sorted(p.name for p in path.iterdir() if p.is_dir())[:8])
            raise ValueError(f"a zarr group without an image; it holds {inside or 'nothing'}")
        return _read_multiscale(node, scales[0])
    except FileNotFoundError as error:
        raise ValueError("a folder without a zarr array or image") from error
    except (*DAMAGED, json.JSONDecodeError) as error:
        raise ValueError(f"no OME-Zarr image: {error}") from error


def _read_multiscale(group: Any, scale: Mapping[str, Any]) -> Image:
    dataset = scale["datasets"][0]
    array = group[dataset["path"]]
    axes = [axis if isinstance(axis, str) else axis["name"] for axis in scale.get("axes", [])]
    units = [axis.get("unit", "") if isinstance(axis, dict) else "" for axis in scale.get("axes", [])]
    values = np.asarray(array[...])
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
