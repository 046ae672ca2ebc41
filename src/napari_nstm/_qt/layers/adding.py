"""Layers that are added beside what the user works with."""

from napari.components import ViewerModel
from napari.layers import Layer


def add_unselected(viewer: ViewerModel, layer: Layer, index: int | None = None) -> Layer:
    """Add a layer and leave the selection as it is: napari would select it.

    Parameters
    ----------
    viewer
        Where it goes.
    layer
        The layer.
    index
        Its place, counted from the lowest; None: the topmost.
    """
    layers = viewer.layers
    active = layers.selection.active
    layers.insert(len(layers) if index is None else index, layer)
    layers.selection.active = active
    return layer
