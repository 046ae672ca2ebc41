"""Points and tracks of a region lie where the region does."""

import numpy as np
import pytest
from napari.layers import Layer, Points
from tests._qt.turning_store import ANGLE_RAD, MIDDLE, PIXEL_UM, turn, write_turning

from napari_nstm._qt.layers.tracks import marked_points, points_layer, tracks_layer

ORIGIN_UM = (3.0, 5.0)
PLACE_PX = (MIDDLE + 4, MIDDLE - 9)


@pytest.fixture
def region(tmp_path):
    return write_turning(tmp_path / "a.zarr", origin_um=ORIGIN_UM)


def test_what_is_clicked_on_a_region_is_a_place_in_it(region):
    own = Layer.create(*points_layer(region, "cells"))
    np.testing.assert_allclose(own.translate[1:], ORIGIN_UM)
    own.add((0, *PLACE_PX))  # in its pixels
    places, times = marked_points(own, region)
    np.testing.assert_allclose(places, [np.multiply(PLACE_PX, PIXEL_UM)], atol=1e-6)
    assert times == pytest.approx([0.0])
    # A layer of the user's own, in um of the whole field.
    world = np.multiply(PLACE_PX, PIXEL_UM) + ORIGIN_UM
    users = Points([world], units=("micrometer", "micrometer"))
    places, times = marked_points(users, region)
    np.testing.assert_allclose(places, [np.multiply(PLACE_PX, PIXEL_UM)], atol=1e-6)
    assert times is None


def test_tracks_are_drawn_over_it(region):
    found = region.trajectories([np.multiply(PLACE_PX, PIXEL_UM)])
    layer = Layer.create(*tracks_layer(found, region, "cells"))
    assert len(layer.data) == 5
    begins, ends = (np.asarray(layer.data_to_world(row[1:]))[1:] for row in (layer.data[0], layer.data[-1]))
    np.testing.assert_allclose(begins, np.multiply(PLACE_PX, PIXEL_UM) + ORIGIN_UM, atol=1e-5)
    way = turn(np.reshape(PLACE_PX, (2, 1)), ANGLE_RAD)[:, 0] * PIXEL_UM
    np.testing.assert_allclose(ends - begins, way, atol=0.02)
