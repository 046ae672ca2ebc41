"""A result among the layers of a viewer, as tests bring it there."""

from dataclasses import replace

from napari.layers import Layer

from napari_nstm._qt.layers.motion import choices_of, read_arrows, show_arrows
from napari_nstm._qt.layers.result import result_layers
from napari_nstm._qt.raw_layer import known_of
from napari_nstm.io.result import open_result


def show(viewer, stored, name="cells"):
    """Add the layers of a result."""
    for one in result_layers(stored, name):
        viewer.add_layer(Layer.create(*one))


def offer(panel, viewer, stored, name="cells"):
    """Add the layers of a result, and give it to a panel."""
    show(viewer, stored, name)
    panel.set_result(stored, name)


def recolor(layer, by):
    """Draw the arrows of a layer anew, in other colours."""
    known = known_of(layer)
    choices = replace(choices_of(layer), color=by)
    show_arrows(layer, read_arrows(open_result(known["store"]), known["times_ms"], choices), {})
