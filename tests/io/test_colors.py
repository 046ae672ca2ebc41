from __future__ import annotations

import numpy as np

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


def test_the_ramp_grows_lighter_then_warmer_without_jumps():
    colors = speed_colors(np.linspace(0, 1, 101)).astype(float)
    assert np.abs(np.diff(colors, axis=0)).max() < 12
    np.testing.assert_array_equal(speed_colors(np.array([-1.0, 2.0])), colors[[0, -1]])
