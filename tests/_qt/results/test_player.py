"""Playing moves the slider in true time, and leaves moments out rather than lag."""

import time

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtWidgets import QWidget
from tests._qt.turning_store import FRAME_TIMES_MS, write_turning

from napari_nstm._qt.layers.result import result_layers
from napari_nstm._qt.results.player import Player, moment_at

TIMES_S = np.array([0.0, 0.01, 0.02, 0.04, 0.06])


@pytest.mark.parametrize(
    ("played_s", "index"),
    [(0.0, 0), (0.09, 1), (0.21, 2), (0.35, 3), (0.45, 3), (0.55, 4), (0.7, 4), (0.99, 4), (1.02, 0)],
)
def test_moments_come_in_true_time_and_the_last_stays_a_while(played_s, index):
    assert moment_at(TIMES_S, played_s, 10.0, there_and_back=False) == index


@pytest.mark.parametrize(
    ("played_s", "index"), [(0.0, 0), (0.6, 4), (0.65, 4), (0.85, 3), (1.0, 2), (1.19, 0), (1.3, 1)]
)
def test_there_and_back_runs_backward_after_the_last(played_s, index):
    assert moment_at(TIMES_S, played_s, 10.0, there_and_back=True) == index


def test_times_need_not_begin_at_nought():
    assert moment_at(TIMES_S + 5, 0.35, 10.0, there_and_back=False) == 3


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def stored(viewer, tmp_path):
    made = write_turning(tmp_path / "a.zarr")
    for one in result_layers(made, "cells"):
        viewer.add_layer(Layer.create(*one))
    viewer.dims.set_point(0, 0)
    return made


@pytest.fixture
def window(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def player(viewer, window):
    made = Player(viewer, window)
    yield made
    made.stop()


def played(viewer, seconds, qtbot):
    """Positions of the slider, as they followed each other."""
    seen = []

    def note(_):
        seen.append(viewer.dims.point[0])

    viewer.dims.events.point.connect(note)
    qtbot.wait(round(1000 * seconds))
    viewer.dims.events.point.disconnect(note)
    return seen


def test_the_slider_goes_through_all_moments_in_order(viewer, stored, player, qtbot):
    player.set_pace(10.0, there_and_back=False)
    assert player.start(stored)
    seen = played(viewer, 0.8, qtbot)
    assert player.playing
    assert seen == [1, 2, 3, 4]
    player.stop()
    assert played(viewer, 0.5, qtbot) == []


def test_there_and_back(viewer, stored, player, qtbot):
    player.set_pace(5.0, there_and_back=True)
    player.start(stored)
    seen = played(viewer, 0.75, qtbot)
    assert seen[:7] == [1, 2, 3, 4, 3, 2, 1]


def test_moments_are_left_out_where_drawing_is_slow(viewer, stored, player, qtbot):
    viewer.dims.events.point.connect(lambda _: time.sleep(0.25))
    player.set_pace(10.0, there_and_back=False)
    player.start(stored)
    begun = time.perf_counter()
    seen = played(viewer, 0.1, qtbot) + played(viewer, 0.1, qtbot) + played(viewer, 0.1, qtbot)
    assert time.perf_counter() - begun < 1.5
    assert 1 <= len(seen) <= 3  # of four
    assert seen == sorted(seen)


def test_it_goes_on_from_where_the_user_moves_the_slider(viewer, stored, player, qtbot):
    player.set_pace(50.0, there_and_back=False)
    player.start(stored)
    qtbot.wait(60)
    viewer.dims.set_point(0, 3)
    qtbot.wait(60)
    assert viewer.dims.point[0] == 3
    assert played(viewer, 1.2, qtbot)[:1] == [4]


def test_from_the_last_moment_it_begins_anew(viewer, stored, player, qtbot):
    viewer.dims.set_point(0, 4)
    player.set_pace(10.0, there_and_back=False)
    player.start(stored)
    assert played(viewer, 0.15, qtbot)[:2] == [0, 1]


def test_it_stops_by_itself_where_its_layers_or_its_window_go(viewer, stored, player, window, qtbot):
    player.start(stored)
    with qtbot.waitSignal(player.stopped, timeout=2000):
        viewer.layers.clear()
    assert not player.playing
    assert not player.start(stored)
    for one in result_layers(stored, "cells"):
        viewer.add_layer(Layer.create(*one))
    assert player.start(stored)
    with qtbot.waitSignal(player.stopped, timeout=2000):
        window.close()
    assert not player.playing


def test_one_moment_cannot_be_played(viewer, tmp_path, player):
    one = write_turning(tmp_path / "one.zarr", times_ms=FRAME_TIMES_MS[:1])
    for made in result_layers(one, "still"):
        viewer.add_layer(Layer.create(*made))
    assert not player.start(one)
    assert not player.start(None)
