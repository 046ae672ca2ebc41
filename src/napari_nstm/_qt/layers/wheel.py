"""The key to the colours of arrows as a layer above the field: a wheel of directions, or a bar of speeds."""

from typing import Any

import numpy as np
from napari.layers import Vectors
from napari.types import LayerDataTuple
from numpy.typing import NDArray

from napari_nstm._qt.layers.legend import above, color_bar
from napari_nstm._qt.layers.motion import choices_of
from napari_nstm._qt.raw_layer import KEY, known_of, units_of
from napari_nstm.io.colors import color_wheel, speed_colors
from napari_nstm.io.text import format_value

VIEW = "arrow key"

_DIAMETER, _WHEEL_SHARE = 160, 0.15  # in its pixels, and of the longer side of the field
_STEPS = 256


def arrow_key(layer: Vectors) -> LayerDataTuple:
    """Make the key to the arrows of a result; a plane, which is there at every moment.

    Parameters
    ----------
    layer
        The motion layer; its metadata say what its colours tell.
    """
    known = known_of(layer)
    shape, size = known["record"]["shape"], layer.scale[1:]
    by_speed = choices_of(layer).color == "speed"
    if by_speed:
        picture, share = _speed_bar(known), 1.0
    else:
        picture = color_wheel(_DIAMETER)
        share = min(1.0, _WHEEL_SHARE * max(shape[-2:]) * size[-2] / (shape[-1] * size[-1]))
    attributes = {
        **above(tuple(shape), tuple(size), tuple(layer.translate[1:]), picture=picture.shape[:2], share=share),
        "name": f"arrows, key — {layer.name.partition(' — ')[2] or layer.name}",
        "units": units_of("yx"),
        "axis_labels": ("y", "x"),
        "rgb": True,
        "interpolation2d": "linear",
        "blending": "translucent_no_depth",
        "metadata": {
            KEY: {
                "kind": "view",
                "view": VIEW,
                "store": known["store"],
                "run_id": known["run_id"],
                "shows": list(key_of(layer)),
            }
        },
    }
    return picture, attributes, "image"


def key_of(layer: Vectors) -> tuple[Any, ...]:
    """Return what a key to the arrows depends on."""
    color, fastest = choices_of(layer).color, known_of(layer).get("fastest")
    place = [float(value) for value in (*layer.scale[1:], *layer.translate[1:])]
    return (color, fastest if color == "speed" else None, *place)


def _speed_bar(known: Any) -> NDArray[np.uint8]:
    fastest = float(known.get("fastest") or 0.0)
    unit = "µm/s" if len(known["times_ms"]) > 1 else "µm"
    colors = speed_colors(np.linspace(0, 1, _STEPS)) / 255
    bar = color_bar(colors, "0", f"{format_value(fastest, fastest)} {unit}")
    return np.concatenate([bar, np.full((*bar.shape[:2], 1), 255, np.uint8)], axis=-1)
