"""Pixel size and distance of planes: the same in the form and on the raw layer."""

from collections.abc import Iterable, Mapping
from typing import Any

from napari.layers import Image

from napari_nstm._qt.raw_layer import labels_for, pixel_size_um, place, plane_spacing_um, shape_of
from napari_nstm.imaging.base import Modality

_PIXEL_SIZE, _PLANES = "pixel_size_um", "plane_spacing_um"


def with_sizes_of(layer: Image, content: Mapping[str, Any], used: Modality) -> dict[str, Any] | None:
    """Return the settings of an acquisition with what a layer's scale says, or None if that changes nothing."""
    sizes = {_PIXEL_SIZE: pixel_size_um(layer), _PLANES: plane_spacing_um(layer)}
    changed = {
        name: size
        for name, size in sizes.items()
        if size is not None and name in used.Settings.model_fields and content.get(name) != size
    }
    return {**content, **changed} if changed else None


def place_raw(layer: Image | None, content: Mapping[str, Any], used: Modality, others: Iterable[Image]) -> str | None:
    """Set the sizes of an acquisition on its raw layer, and on images of its size that belong to it.

    Returns a sentence if that changed anything about the raw layer.
    """
    size, planes = content.get(_PIXEL_SIZE), content.get(_PLANES)
    if layer is None or not isinstance(size, int | float):
        return None
    labels = labels_for(layer, used.raw_axes, is_volume=_PLANES in used.Settings.model_fields)
    for other in others:
        if shape_of(other) == shape_of(layer)[-2:]:
            place(other, ("y", "x"), float(size))
    return place(layer, labels, float(size), float(planes) if isinstance(planes, int | float) else None)
