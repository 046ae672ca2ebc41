"""Frames that came as a layer each: the images that belong together, made one stack."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image

from napari_nstm._qt.raw_layer import acquisition_of, units_of

_ENDS = " _-.,([#"  # what is left over where names part
_SUFFIX = re.compile(r"\.(ome\.)?(tiff?|png|jpe?g|npy|bmp)$", re.IGNORECASE)


def single_images(layers: Sequence[Image]) -> list[Image]:
    """Return the most images (y, x) of one size and type, in the order of their names; fewer than two: none.

    Numbers in names count as numbers: `dpc 10` comes after `dpc 9`.

    Parameters
    ----------
    layers
        Those that may hold raw frames. Where one of them is a stack already, nothing is to be stacked.
    """
    if any(layer.ndim > 2 for layer in layers):
        return []
    groups: dict[Any, list[Image]] = {}
    for layer in layers:
        # A sample that is one image knows how it was taken: it is no frame of a stack.
        if layer.ndim == 2 and not layer.rgb and not layer.multiscale and acquisition_of(layer) is None:
            groups.setdefault((layer.data.shape, str(layer.dtype)), []).append(layer)
    most = max(groups.values(), key=len, default=[])
    return sorted(most, key=lambda layer: _natural(layer.name)) if len(most) > 1 else []


def stacked(images: Sequence[Image]) -> tuple[Any, dict[str, Any]]:
    """Make one stack (t, y, x) of images; lazy ones stay so.

    Parameters
    ----------
    images
        In the order in which they were taken; scale and units are the first's.

    Returns
    -------
    The array, and the attributes of its layer.
    """
    arrays, first = [image.data for image in images], images[0]
    if all(isinstance(array, np.ndarray) for array in arrays):
        stack = np.stack(arrays)
    else:
        import dask.array as da

        stack = da.stack([da.asarray(array) for array in arrays])
    return stack, {
        "name": _common_name([image.name for image in images]),
        "scale": (1.0, *first.scale),
        "translate": (0.0, *first.translate),
        "units": (*units_of("t"), *first.units),
        "axis_labels": ("t", "y", "x"),
    }


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name.lower())
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def _common_name(names: Sequence[str]) -> str:
    """Return what names begin with (`dpc_1.tif`, `dpc_2.tif`: `dpc`), as far as that says something."""
    bare = [_SUFFIX.sub("", name) for name in names]
    same = [len(set(letters)) == 1 for letters in zip(*bare, strict=False)]
    shared = bare[0][: (*same, False).index(False)]
    if shared not in bare:
        shared = re.sub(r"\d+$", "", shared)  # `dpc10`, `dpc11` part within a number
    return shared.strip(_ENDS) or f"{len(names)} images"
