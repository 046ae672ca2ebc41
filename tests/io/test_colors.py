from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.io.colors import color_wheel, direction_colors, speed_colors


def test_colours_tell_directions_apart_and_look_equally_light():
    angles = np.linspace(-np.pi, np.pi, 13)[:-1]
    colors = direction_colors(angles).astype(float)
    distances = np.linalg.norm(colors - np.roll(colors, 1, axis=0), axis=1)
    assert distances.min() > 20
    luminance = (colors / 255) ** 2.2 @ [0.2126, 0.7152, 0.0722]
    assert np.ptp(luminance) < 0.16
    opposite = np.linalg.norm(direction_colors(np.array(0.0)).astype(float) - direction_colors(np.array(np.pi)))
    assert opposite > 120
    np.testing.assert_array_equal(direction_colors(angles[:1]), direction_colors(angles[:1] + 2 * np.pi))


def test_the_wheel_is_the_key_to_the_colours():
    wheel = color_wheel(41)
    assert wheel[20, 20, 3] == 255
    assert wheel[0, 0, 3] == 0
    for row, column, angle in ((20, 38, 0.0), (38, 20, np.pi / 2), (20, 2, np.pi), (2, 20, -np.pi / 2)):
        np.testing.assert_allclose(wheel[row, column, :3], direction_colors(np.array(angle)), atol=12)


# What eyes that lack a kind of cone see, in linear sRGB (Machado, Oliveira and Fernandes, 2009; full severity).
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]


@pytest.mark.parametrize("seen_by", [np.eye(3), DEUTERANOPIA, PROTANOPIA])
def test_speeds_differ_for_all_eyes_and_the_faster_is_the_lighter(seen_by):
    linear = (speed_colors(np.linspace(0, 1, 11)) / 255) ** 2.2
    luminance = np.clip(linear @ np.transpose(seen_by), 0, 1) @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(luminance) > 0.015)


def test_the_ramp_has_no_jumps_and_holds_its_ends():
    colors = speed_colors(np.linspace(0, 1, 101)).astype(float)
    assert np.abs(np.diff(colors, axis=0)).max() < 12
    np.testing.assert_array_equal(speed_colors(np.array([-1.0, 2.0])), colors[[0, -1]])
