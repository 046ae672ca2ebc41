"""Raw frames in an Image layer: what the form takes from it, and what it sets on it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pint
from napari.layers import Image, Layer

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError

KEY = "napari_nstm"  # in a layer's metadata: what this plugin knows of it

_AXES = "tczyx"


_OF_A_RUN = ("preview", "reconstruction", "motion", "conventional")


def known_of(layer: Layer) -> Mapping[str, Any]:
    """Return what this plugin knows of a layer; nothing of others."""
    known = layer.metadata.get(KEY)
    return known if isinstance(known, Mapping) else {}


def is_of_a_run(layer: Layer) -> bool:
    """Whether the layer shows what a run gave."""
    return known_of(layer).get("kind") in _OF_A_RUN


def may_be_raw(layer: Layer) -> bool:
    """Whether a layer may hold raw frames."""
    return isinstance(layer, Image) and known_of(layer).get("kind", "raw") == "raw"


def acquisition_of(layer: Layer) -> tuple[str, dict[str, Any]] | None:
    """Return modality and settings that came with the layer (samples bring them), or None."""
    known = known_of(layer)
    if "acquisition" not in known:
        return None
    return str(known.get("modality", "")), dict(known["acquisition"])


def array_of(layer: Image) -> Any:
    """Return a layer's array; of a multiscale layer the full size."""
    if layer.rgb:
        raise InputError("raw", f"the colour image {layer.name}", "one intensity per pixel")
    return layer.data[0] if layer.multiscale else layer.data


def shape_of(layer: Image) -> tuple[int, ...]:
    """Return the size of a layer's array; of a multiscale layer the full size."""
    return tuple((layer.data[0] if layer.multiscale else layer.data).shape)


def axes_of(layer: Image) -> str | None:
    """Return the axes a layer's labels spell (`tyx`), or None where they say nothing."""
    labels = "".join(layer.axis_labels)
    named = len(labels) == layer.ndim and set(labels) <= set(_AXES) and len(set(labels)) == len(labels)
    return labels if named else None


def read_raw_layer(layer: Image, extras: Mapping[str, Any]) -> RawData:
    """Take the frames out of a layer as they are; a lazy array is computed, so call it off the window's thread.

    Parameters
    ----------
    layer
        Its data are not copied.
    extras
        Further arrays by the dotted name of their setting.
    """
    size = pixel_size_um(layer)
    arrays = {name: np.asarray(array) for name, array in extras.items()}
    return RawData(np.asarray(array_of(layer)), arrays, None if size is None else (size, size), layer.name)


def pixel_size_um(layer: Layer) -> float | None:
    """Return the size of a pixel in um as the layer's scale says, or None where it says nothing.

    A scale without a unit counts as um, as most readers mean it.
    """
    scale, unit = float(abs(layer.scale[-1])), layer.units[-1]
    if unit == pint.get_application_registry().Unit("pixel"):
        return scale if scale != 1 else None
    try:
        return float((scale * unit).to("micrometer").magnitude)
    except pint.DimensionalityError:
        return None


def set_pixel_size(layer: Layer, size_um: float, axes: str) -> str | None:
    """Set scale, units and axis labels of a raw layer, so that its result lies upon it.

    Parameters
    ----------
    layer
        The raw layer.
    size_um
        Pixel size along y and x.
    axes
        What its axes are (`tyx`), as many as it has.

    Returns
    -------
    A sentence that says what was changed; None if everything was so already.
    """
    labels, units = tuple(axes), units_of(axes)
    scale = [*(1.0 if label in "tc" else float(s) for label, s in zip(labels, layer.scale, strict=True))]
    scale[-2:] = [size_um, size_um]
    registry = pint.get_application_registry()
    changes = []
    if not np.allclose(layer.scale, scale, rtol=1e-6):
        layer.scale = scale
        changes.append(f"pixels of {size_um:g} µm")
    if tuple(layer.units) != tuple(registry.Unit(unit) for unit in units):
        layer.units = units
        changes.append("units")
    if tuple(layer.axis_labels) != labels:
        layer.axis_labels = labels
        changes.append(f"axes {', '.join(labels)}")
    return f"{layer.name} was given {' and '.join(changes)}." if changes else None


def units_of(axes: str) -> tuple[str, ...]:
    """Return the units of layers with these axes: frames and channels are counted, space is in um."""
    return tuple("pixel" if axis in "tc" else "micrometer" for axis in axes)
