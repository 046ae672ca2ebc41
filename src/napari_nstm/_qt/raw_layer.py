"""Raw frames in an Image layer: what the form takes from it, and what it sets on it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pint
from napari.layers import Image, Layer

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError

KEY = "napari_nstm"  # in a layer's metadata: what this plugin knows of it

_AXES = "tczyx"
_COLORS = 3  # of an rgb layer; what comes after them is its opacity
_OF_A_RUN = ("preview", "reconstruction", "motion", "conventional", "comparison", "view")


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


def may_belong_to_raw(layer: Layer) -> bool:
    """Whether a layer may hold an array that the settings ask for."""
    return may_be_raw(layer) or (isinstance(layer, Image) and known_of(layer).get("kind") == "array")


def acquisition_of(layer: Layer) -> tuple[str, dict[str, Any]] | None:
    """Return modality and settings that came with the layer (samples bring them), or None."""
    known = known_of(layer)
    if "acquisition" not in known:
        return None
    return str(known.get("modality", "")), dict(known["acquisition"])


def array_of(layer: Image) -> Any:
    """Return a layer's array; of a multiscale layer the full size, of one in colours without its opacity."""
    array = layer.data[0] if layer.multiscale else layer.data
    return array[..., :_COLORS] if has_opacity(layer) else array


def has_opacity(layer: Image) -> bool:
    """Whether a layer in colours holds its opacity too."""
    return bool(layer.rgb) and layer.data.shape[-1] > _COLORS


def shape_of(layer: Image) -> tuple[int, ...]:
    """Return the size of a layer along its axes, without colours; of a multiscale layer the full size."""
    return tuple((layer.data[0] if layer.multiscale else layer.data).shape[: layer.ndim])


def axes_of(layer: Image) -> str | None:
    """Return the axes a layer's labels spell (`tyx`), or None where they say nothing."""
    labels = "".join(layer.axis_labels)
    named = len(labels) == layer.ndim and set(labels) <= set(_AXES) and len(set(labels)) == len(labels)
    return labels if named else None


def array_axes_of(layer: Image) -> str | None:
    """Return the axes of a layer's array likewise, with its colours; those of a single image need no labels."""
    axes = axes_of(layer)
    if not layer.rgb:
        return axes
    known = axes or ("yx" if layer.ndim == 2 else None)
    return None if known is None else f"{known}c"


def labels_for(layer: Image, wanted: str, *, is_volume: bool = False) -> tuple[str, ...]:
    """Return what each axis of a raw layer is, empty where nobody knows.

    Parameters
    ----------
    layer
        Labels that it has already count.
    wanted
        A modality's `raw_axes`: `*yx` leaves open what the axes before y and x are.
    is_volume
        Whether the frames are planes of volumes: then a single axis before y and x need not be time.
    """
    known = axes_of(layer)
    if known is not None:
        return tuple(known)
    last = wanted.removeprefix("*")
    if wanted.startswith("c") and layer.ndim == len(wanted) - 1:
        return tuple(wanted[1:])  # grey, or colours that are no axis of the layer
    open_ones = layer.ndim - len(last)
    if last == wanted or open_ones < 0:
        return tuple(wanted) if layer.ndim == len(wanted) else ("",) * layer.ndim
    before = ("t",) if open_ones == 1 and not is_volume else ("",) * open_ones
    return (*before, *last)


def n_images(layer: Image, wanted: str) -> int:
    """Return how many frames a modality with `raw_axes` of `wanted` sees in a layer."""
    shape, axes = shape_of(layer), axes_of(layer)
    if wanted.startswith("*"):
        others = [n for i, n in enumerate(shape) if (axes[i] not in "yx" if axes else i < len(shape) - 2)]
        return int(np.prod(others))
    if axes is not None:
        return shape[axes.index("t")] if "t" in axes else 1
    return next((n for n in shape[:-2] if n > 1), 1)


def read_raw_layer(layer: Image, extras: Mapping[str, Any], *, in_colors: bool = False) -> RawData:
    """Take the frames out of a layer as they are; a lazy array is computed, so call it off the window's thread.

    Parameters
    ----------
    layer
        Its data are not copied.
    extras
        Further arrays by the dotted name of their setting.
    in_colors
        Whether a layer in colours will do: its colours come last.
    """
    if layer.rgb and not in_colors:
        raise InputError("raw", f"the colour image {layer.name}", "one intensity per pixel")
    size, planes = pixel_size_um(layer), plane_spacing_um(layer)
    sizes = None if size is None else (size, size) if planes is None else (planes, size, size)
    arrays = {name: np.asarray(array) for name, array in extras.items()}
    return RawData(np.asarray(array_of(layer)), arrays, sizes, layer.name)


def pixel_size_um(layer: Layer) -> float | None:
    """Return the size of a pixel in um as the layer's scale says, or None where it says nothing.

    A scale without a unit counts as um, as most readers mean it.
    """
    return _length_um(layer, -1)


def plane_spacing_um(layer: Layer) -> float | None:
    """Return the distance of planes in um, likewise; None also where no axis is labelled z."""
    axes = axes_of(layer)
    return None if axes is None or "z" not in axes else _length_um(layer, axes.index("z"))


def _length_um(layer: Layer, axis: int) -> float | None:
    scale, unit = float(abs(layer.scale[axis])), layer.units[axis]
    if unit == pint.get_application_registry().Unit("pixel"):
        return scale if scale != 1 else None
    try:
        return float((scale * unit).to("micrometer").magnitude)
    except pint.DimensionalityError:
        return None


def place(layer: Layer, axes: Sequence[str], size_um: float, planes_um: float | None = None) -> str | None:
    """Set scale, units and axis labels of a raw layer, so that its result lies upon it.

    Parameters
    ----------
    layer
        The raw layer.
    axes
        What each of its axes is (`t`, `y`, `x`), from `labels_for`; one that nobody knows stays as it is.
    size_um
        Pixel size along y and x.
    planes_um
        Distance of planes, if it is known.

    Returns
    -------
    A sentence that says what was changed; None if everything was so already.
    """
    labels, units, scale = list(layer.axis_labels), list(layer.units), [float(s) for s in layer.scale]
    sizes = {"t": 1.0, "c": 1.0, "z": planes_um, "y": size_um, "x": size_um}
    for index, axis in enumerate(axes):
        if axis:
            labels[index], units[index] = axis, _unit(axis)
            scale[index] = sizes[axis] or scale[index]
    changes = []
    if not np.allclose(layer.scale, scale, rtol=1e-6):
        layer.scale = scale
        depth = f" and planes {planes_um:g} µm apart" if planes_um is not None and "z" in axes else ""
        changes.append(f"pixels of {size_um:g} µm{depth}")
    if list(layer.units) != units:
        layer.units = units
        changes.append("units")
    if list(layer.axis_labels) != labels:
        layer.axis_labels = labels
        changes.append(f"axes {', '.join(axis for axis in axes if axis)}")
    return f"{layer.name} was given {' and '.join(changes)}." if changes else None


def stretch_over_planes(layer: Layer, n_planes: int, planes_um: float) -> None:
    """Let the images of a raw stack, of which nobody knows the axis, share the slider of a volume's planes.

    napari aligns layers by their last axes: a stack (image, y, x) runs along z of its result, and would be as long
    as it has images, in another unit.
    """
    if layer.ndim == 3 and axes_of(layer) is None:
        n = shape_of(layer)[0]
        layer.scale = (n_planes * planes_um / n, *layer.scale[1:])
        layer.units = ("micrometer", *layer.units[1:])


def units_of(axes: str) -> tuple[str, ...]:
    """Return the units of layers with these axes: frames and channels are counted, space is in um."""
    return tuple(str(_unit(axis)) for axis in axes)


def _unit(axis: str) -> Any:
    return pint.get_application_registry().Unit("pixel" if axis in "tc" else "micrometer")
