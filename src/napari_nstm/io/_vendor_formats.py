"""Readers of the formats that microscopes write: DeltaVision .dv, MRC .mrc, Zeiss .czi.

The libraries that decode them are the extra `vendor`; each is imported when a file of its format is read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from napari_nstm.io._raw_formats import DAMAGED, Image, size_um

SUFFIXES = (".dv", ".mrc", ".czi")
# A plane of a .czi is named, not counted: T=0 Z=3 H=1. The array's axes are in the order in which ZEN lists these
# dimensions, slowest first: block, view, phase, illumination, rotation, time, channel, plane.
_CZI_AXES = {"B": "q", "V": "q", "H": "q", "I": "q", "R": "q", "T": "t", "C": "c", "Z": "z"}


def read_vendor(path: Path) -> Image:
    """Read a .dv, .mrc or .czi file.

    Raises
    ------
    ImportError
        If the library that reads it is missing.
    ValueError
        If it is damaged, or holds several images or not all planes of one.
    """
    try:
        return _read_czi(path) if path.suffix.lower() == ".czi" else _read_mrc(path)
    except MemoryError as error:
        raise ValueError("it asks for more memory than there is") from error
    except DAMAGED as error:
        raise ValueError(f"it is damaged: {error}") from error


def _read_mrc(path: Path) -> Image:
    # The suffix does not tell the two apart: files of DeltaVision's kind are often named .mrc.
    with path.open("rb") as stream:
        header = stream.read(1024)
    if header[208:211] == b"MAP":
        return _read_mrc2014(path)
    if header[96:98] in (b"\xa0\xc0", b"\xc0\xa0"):
        return _read_deltavision(path)
    raise ValueError("its header is neither DeltaVision's nor MRC's")


def _read_deltavision(path: Path) -> Image:
    import mrc

    with mrc.DVFile(path) as file:
        header, lengths = file.hdr, file.sizes
        if lengths["T"] * lengths["C"] * lengths["Z"] != header.n_sections:
            raise ValueError(
                f"its {header.n_sections} sections are not complete: {lengths['T']} times, {lengths['C']} channels"
            )
        if header.img_seq not in (0, 1, 2):
            raise ValueError(f"the order of its sections, {header.img_seq}, is not known")
        array = np.array(file.data, dtype=file.dtype.newbyteorder("="))
        axes = file.axes.lower()
    sizes: dict[str, float] = {}
    for axis, value in zip("xyz", (header.dx, header.dy, header.dz), strict=True):
        sizes |= size_um(axis, f"{value:.7g}", "um")  # it is stored with 7 digits
    return Image(array, axes, sizes)


def _read_mrc2014(path: Path) -> Image:
    import mrcfile

    with mrcfile.open(path) as file:
        array, header, is_volume = file.data, file.header, file.is_volume() or file.is_volume_stack()
        stored = [{1: "x", 2: "y", 3: "z"}.get(int(header[name]), "") for name in ("maps", "mapr", "mapc")]
        axes = "".join(stored) if sorted(stored) == ["x", "y", "z"] else "zyx"
        sizes: dict[str, float] = {}
        for axis in "xyz":
            cell, samples = float(header["cella"][axis]), int(header[f"m{axis}"])
            sizes |= size_um(axis, f"{cell / samples:.7g}" if samples else None, "angstrom")
    if not is_volume:
        axes = axes.replace("z", "q")  # a stack of images of any kind
        sizes.pop("z", None)
    axes = "q" * (array.ndim - 3) + axes[max(0, 3 - array.ndim) :]
    return Image(array.astype(array.dtype.newbyteorder("="), copy=False), axes, sizes)


def _read_czi(path: Path) -> Image:
    from pylibCZIrw import czi

    with czi.open_czi(str(path)) as file:
        kinds, coordinates = _czi_planes(file)
        indices = {name: sorted({at.get(name, 0) for at in coordinates}) for name in ("S", *_CZI_AXES)}
        if len(indices["S"]) > 1:
            raise ValueError(f"it holds {len(indices['S'])} scenes")
        if len(kinds) > 1:
            raise ValueError(f"its channels have different kinds of pixels, {' and '.join(sorted(kinds))}")
        names = [name for name in _CZI_AXES if len(indices[name]) > 1]
        planes = list(product(*(indices[name] for name in names)))
        missing = len(planes) - len({tuple(at.get(name, 0) for name in names) for at in coordinates})
        if missing:
            raise ValueError(f"{missing} of its {len(planes)} planes are missing")
        field_of_view = file.total_bounding_rectangle_no_pyramid
        array = np.empty(0)
        for i, at in enumerate(planes):
            plane = file.read(field_of_view, dict(zip(names, at, strict=True)), pixel_type=next(iter(kinds)))
            if i == 0:
                array = np.empty((len(planes), *plane.shape), plane.dtype)
            array[i] = plane[..., ::-1]  # colours are stored blue first
        sizes = _czi_pixel_size(file)
    axes = "".join(_CZI_AXES[name] for name in names) + "yx" + ("s" if array.shape[-1] > 1 else "")
    shape = [len(indices[name]) for name in names] + list(array.shape[1:])
    return Image(array.reshape(shape if axes.endswith("s") else shape[:-1]), axes, sizes)


def _czi_planes(file: Any) -> tuple[set[str], list[dict[str, int]]]:
    """Return the kinds of pixels in a .czi, and what it calls each of its planes, or tiles of planes."""
    kinds: set[str] = set()
    coordinates: list[dict[str, int]] = []

    def note(_: int, tile: Any) -> bool:
        kinds.add(tile.pixelType.name)
        coordinates.append(tile.coordinate.to_dict())
        return True

    file.enumerate_subblocks_subset(note, only_layer0=True)
    if not coordinates:
        raise ValueError("it holds no planes")
    return kinds, coordinates


def _czi_pixel_size(file: Any) -> dict[str, float]:
    try:
        root = ET.fromstring(file.raw_metadata)
    except (RuntimeError, ET.ParseError):
        return {}
    sizes: dict[str, float] = {}
    for distance in root.iterfind("Metadata/Scaling/Items/Distance"):
        axis = str(distance.get("Id")).lower()
        if axis in ("x", "y", "z"):
            sizes |= size_um(axis, distance.findtext("Value"), "m")
    return sizes
