"""Arrows as the user wants them: their reference, their density, and in place in the layer that is there."""

import json

import numpy as np
import pytest
from napari.layers import Layer
from tests._qt.result_in_viewer import recolor
from tests._qt.small_store import write_store
from tests._qt.turning_store import ANGLE_RAD, FRAME_TIMES_MS, MIDDLE, PIXEL_UM, SIZE, turn, write_turning

from napari_nstm._qt.layers.arrows import AT_MOST_IN_ALL
from napari_nstm._qt.layers.moments import even_moments
from napari_nstm._qt.layers.motion import ArrowChoices, choices_of, coarse_scene, read_arrows, show_arrows
from napari_nstm._qt.layers.result import result_layers
from napari_nstm.io.channels import brightness

END = FRAME_TIMES_MS[-1]


@pytest.fixture(scope="module")
def turning(tmp_path_factory):
    return write_turning(tmp_path_factory.mktemp("turning") / "a.zarr")


def motion_layer(stored, **kwargs):
    return Layer.create(*result_layers(stored, "cells", **kwargs)[-1])


def inside(points_px):
    """Points that stay within what the lattice knows, however they turn."""
    return np.hypot(*(points_px - MIDDLE)) < MIDDLE


@pytest.mark.parametrize(
    ("reference", "since_ms"), [("first", 0.0), ("last", END), (20.0, 20.0), (-5.0, 0.0), (1000.0, END)]
)
def test_arrows_go_from_the_reference_to_each_moment(turning, reference, since_ms):
    made = read_arrows(turning, FRAME_TIMES_MS, ArrowChoices(reference=reference))
    assert made.since_ms == since_ms
    near = inside(made.points.points_px)
    for time, u_px in zip(FRAME_TIMES_MS, made.u_px, strict=True):
        expected = turn(made.points.points_px, ANGLE_RAD * (time - since_ms) / END)
        np.testing.assert_allclose(u_px[:, near], expected[:, near], atol=0.02)


def test_from_the_last_frame_the_first_is_a_turn_the_other_way(turning):
    forth = read_arrows(turning, FRAME_TIMES_MS, ArrowChoices())
    back = read_arrows(turning, FRAME_TIMES_MS, ArrowChoices(reference="last"))
    near = inside(forth.points.points_px)
    # The arrow that ends a turn forth begins the turn back: there it is its opposite.
    ends = forth.points.points_px + forth.u_px[-1]
    np.testing.assert_allclose(turn(ends, -ANGLE_RAD)[:, near], -forth.u_px[-1][:, near], atol=0.02)
    expected = turn(back.points.points_px, -ANGLE_RAD)
    np.testing.assert_allclose(back.u_px[0][:, near], expected[:, near], atol=0.02)


def test_between_moments_arrows_go_to_the_next_and_those_of_the_last_nowhere(turning):
    made = read_arrows(turning, FRAME_TIMES_MS, ArrowChoices(successive=True))
    assert made.since_ms is None
    near = inside(made.points.points_px)
    for k, step in enumerate(np.diff(FRAME_TIMES_MS)):
        expected = turn(made.points.points_px, ANGLE_RAD * step / END)
        np.testing.assert_allclose(made.u_px[k][:, near], expected[:, near], atol=0.02)
    assert not np.any(made.u_px[-1])
    assert made.about["successive"]


def test_between_moments_arrows_stand_where_the_sample_is_then(tmp_path):
    stored = write_store(tmp_path / "a.zarr", drift_px=(0.0, 20.0))
    made = read_arrows(stored, stored.times_ms, ArrowChoices(successive=True))
    middles = [made.points.points_px[1, seen].mean() for seen in made.visible]
    np.testing.assert_allclose(np.diff(middles), 20 * np.diff(stored.times_ms) / 35, atol=3)


@pytest.mark.parametrize("across", [5, 20, 60])
def test_as_many_arrows_as_were_asked_for_or_as_there_is_room_for(turning, across):
    made = read_arrows(turning, (0.0, END), ArrowChoices(across=across))
    per_row = len(np.unique(made.points.points_px[1]))
    assert per_row == min(across, SIZE // 2)  # no closer than two pixels
    assert not made.thinned
    many = read_arrows(turning, even_moments(FRAME_TIMES_MS, 400), ArrowChoices(across=across))
    assert len(many.data) <= AT_MOST_IN_ALL
    assert many.thinned == (across > 12)


def test_length_is_that_of_the_user_and_the_data_stay_true(turning):
    automatic = read_arrows(turning, FRAME_TIMES_MS, ArrowChoices())
    chosen = read_arrows(turning, FRAME_TIMES_MS, ArrowChoices(stretch=3.0))
    assert chosen.style["length"] == 3.0 != automatic.style["length"]
    np.testing.assert_array_equal(chosen.data, automatic.data)


def test_arrows_are_hidden_under_the_share_that_was_chosen(turning):
    shown = [
        read_arrows(turning, FRAME_TIMES_MS, ArrowChoices(hidden_share=share)).visible.sum()
        for share in (0.0, 0.05, None, 0.6, 1.0)
    ]
    assert shown[0] == 20**2
    assert shown == sorted(shown, reverse=True)
    assert shown[0] > shown[2] > shown[3] > shown[4]


def test_the_fastest_is_in_um_a_second(tmp_path):
    stored = write_turning(tmp_path / "a.zarr", drift_px=(3.0, 4.0))
    for choices in (ArrowChoices(), ArrowChoices(reference="last"), ArrowChoices(successive=True)):
        made = read_arrows(stored, FRAME_TIMES_MS, choices)
        assert made.about["fastest"] == pytest.approx(5 * PIXEL_UM / (END / 1000), rel=1e-3)


def test_a_coarse_scene_is_every_nth_sample(turning):
    image, step = coarse_scene(turning, 30.0, (17.0, 33.0))
    assert step == (2.0, 4.0)
    names = [channel.name for channel in turning.channels]
    np.testing.assert_allclose(image, brightness(turning.scene_at(30.0), names)[::2, ::4], atol=1e-5)


def test_other_arrows_come_into_the_layer_with_their_own_colours(turning):
    layer = motion_layer(turning)
    layer.opacity, layer.visible = 0.5, False
    for choices in (ArrowChoices(across=40), ArrowChoices(across=8, color="speed"), ArrowChoices(successive=True)):
        made = read_arrows(turning, FRAME_TIMES_MS, choices)
        show_arrows(layer, made, {})
        np.testing.assert_array_equal(layer.data, made.data)
        np.testing.assert_allclose(layer.edge_color, made.style["edge_color"], atol=1e-6)
        assert layer.edge_width == pytest.approx(made.points.width_px)
        assert choices_of(layer) == choices
    assert (layer.opacity, layer.visible) == (0.5, False)
    known = layer.metadata["napari_nstm"]
    json.dumps(known)
    assert (known["kind"], known["since_ms"], known["successive"]) == ("motion", None, True)
    assert known["store"] == str(turning.path)


def test_a_new_layer_says_how_it_was_drawn(turning):
    assert choices_of(motion_layer(turning)) == ArrowChoices()
    assert choices_of(motion_layer(turning, arrow_color="speed")) == ArrowChoices(color="speed")


def test_recolouring_also_of_successive_arrows_is_what_would_have_been_drawn(turning):
    layer = motion_layer(turning)
    show_arrows(layer, read_arrows(turning, FRAME_TIMES_MS, ArrowChoices(successive=True)), {})
    recolor(layer, "speed")
    expected = read_arrows(turning, FRAME_TIMES_MS, ArrowChoices(successive=True, color="speed"))
    np.testing.assert_allclose(layer.edge_color, expected.style["edge_color"], atol=1e-6)
    assert layer.metadata["napari_nstm"]["fastest"] == pytest.approx(expected.about["fastest"], rel=1e-5)
    assert choices_of(layer).color == "speed"
