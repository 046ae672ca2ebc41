"""Layers leave one at a time, with a draw between; what stays is as it was."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nstm._qt.leaving import Leaving


@pytest.fixture
def viewer():
    made = ViewerModel()
    made.add_image(np.zeros((4, 4)), name="image", opacity=0.7)
    made.add_points(np.zeros((1, 2)), name="points")
    made.add_image(np.zeros((4, 4)), name="other")
    return made


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_they_vanish_for_the_eye_at_once_and_go_one_after_another(viewer, qtbot):
    leaving, counts = Leaving(viewer), []
    viewer.layers.events.removed.connect(lambda _: counts.append(len(viewer.layers)))
    leaving.remove([viewer.layers["image"], viewer.layers["points"]])
    assert names(viewer) == ["image", "points", "other"]
    assert viewer.layers["image"].opacity == viewer.layers["points"].opacity == 0
    assert not viewer.layers["points"].text.visible
    qtbot.waitUntil(lambda: names(viewer) == ["other"])
    assert counts == [2, 1]
    assert leaving.layers == []


def test_one_that_was_deleted_meanwhile_is_passed_over(viewer, qtbot):
    leaving = Leaving(viewer)
    leaving.remove([viewer.layers["image"], viewer.layers["points"]])
    viewer.layers.remove("points")
    qtbot.waitUntil(lambda: names(viewer) == ["other"])


def test_what_was_about_to_go_is_hidden_and_otherwise_as_before_where_that_is_called_off(viewer, qtbot):
    leaving = Leaving(viewer)
    leaving.remove([viewer.layers["image"], viewer.layers["points"]])
    leaving.stop()
    qtbot.wait(250)
    assert names(viewer) == ["image", "points", "other"]
    image, points = viewer.layers["image"], viewer.layers["points"]
    assert (image.visible, image.opacity) == (False, 0.7)
    assert points.text.visible
