"""The layer of the region: what it tells, and that it goes without harm."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Shapes

from napari_nstm._qt.setup.region_layer import RegionLayer, corners_on

REGION = (10, 20, 40, 60)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def shapes(viewer, qtbot):
    made = RegionLayer(viewer)
    yield made
    made.disconnect_viewer()


@pytest.fixture
def raw(viewer):
    return viewer.add_image(np.zeros((4, 96, 96)), name="cells")


def test_what_the_program_draws_is_not_told_what_the_user_draws_is(shapes, raw, qtbot):
    with qtbot.assertNotEmitted(shapes.moved):
        shapes.show(REGION, raw)
        shapes.show((0, 0, 32, 32), raw)
    assert shapes.is_box()
    with qtbot.waitSignal(shapes.moved):
        shapes.layer.add_ellipses(np.array([(0, 0), (40, 50)]))
    assert shapes.n_shapes == 2
    assert not shapes.is_box()


def test_layers_go_one_at_a_time(viewer, shapes, raw, qtbot):
    for _ in range(2):
        shapes.show(REGION, raw)
        shapes.drop_soon()
    assert len(viewer.layers) == 3
    gone = []
    viewer.layers.events.removed.connect(lambda event: gone.append(event.value))
    with qtbot.assertNotEmitted(shapes.deleted):
        qtbot.waitUntil(lambda: len(gone) == 1)
        assert len(viewer.layers) == 2
        qtbot.waitUntil(lambda: list(viewer.layers) == [raw])


def test_a_layer_that_the_user_deletes_is_told_once(viewer, shapes, raw, qtbot):
    shapes.show(REGION, raw)
    with qtbot.waitSignal(shapes.deleted):
        viewer.layers.remove(shapes.layer)
    assert (shapes.layer, shapes.n_shapes, shapes.corners()) == (None, 0, None)


def test_corners_are_counted_in_pixels_of_the_frames_whatever_the_unit():
    raw = Image(np.zeros((4, 64, 64)), scale=(1, 0.5, 0.5), translate=(0, 3, 4), units=("pixel", "um", "um"))
    square = np.array([(0, 0), (0, 10), (10, 10), (10, 0)])
    in_nm = Shapes([square * 1000], scale=(1, 1), units=("nm", "nm"))
    np.testing.assert_allclose(corners_on(in_nm, raw), (square - (3, 4)) / 0.5)
    bare = Shapes([square])  # of no known unit: as napari draws it
    np.testing.assert_allclose(corners_on(bare, raw), (square - (3, 4)) / 0.5)
