"""Adding a layer does not take the selection away."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_nstm._qt.layers.adding import add_unselected


@pytest.mark.parametrize(("index", "order"), [(None, ["one", "two", "new"]), (1, ["one", "new", "two"])])
def test_the_selected_layer_stays_so(index, order):
    viewer = ViewerModel()
    for name in ("one", "two"):
        viewer.add_image(np.zeros((4, 4)), name=name)
    viewer.layers.selection.active = viewer.layers["one"]
    layer = add_unselected(viewer, Image(np.zeros((4, 4)), name="new"), index)
    assert layer is viewer.layers["new"]
    assert [one.name for one in viewer.layers] == order
    assert viewer.layers.selection.active is viewer.layers["one"]
