import numpy as np
import pytest

from napari_nstm.imaging.diffusercam.layout import N_LEVELS, channels, diffusercam_layout


@pytest.mark.parametrize(
    ("shape", "changes", "field"),
    [
        ((40, 48), {}, (20, 24)),
        ((41, 47), {}, (20, 24)),
        ((300, 400), {"field_fraction": 1.0}, (300, 400)),
        ((43, 49), {"field_fraction": 1.0}, (44, 48)),
        ((300, 400), {"binning": 2}, (76, 100)),
        ((40, 48), {"field_fraction": 0.01}, (4, 4)),
    ],
)
def test_the_scene_is_a_part_of_the_sensor_that_every_level_divides(settings, shape, changes, field):
    made = settings(**changes)
    layout = diffusercam_layout((1, *shape), made)
    assert layout.sensor == tuple(n // made.binning for n in shape)
    assert layout.grid.shape == layout.grid.padded_extent == field
    assert layout.centre == (field[0] // 2, field[1] // 2)
    assert layout.grid.pixel_size_um == (6.5 * made.binning,) * 2
    for level in range(N_LEVELS):
        coarse = layout.at_level(level)
        assert coarse.grid.padded_shape == tuple(n // 2**level for n in field)
        assert coarse.sensor == layout.sensor
        assert coarse.centre == layout.centre


@pytest.mark.parametrize("shape", [(40, 48), (41, 47), (300, 401)])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 1.0])
def test_what_a_transform_wraps_around_does_not_reach_the_sensor(settings, shape, fraction):
    layout = diffusercam_layout((1, *shape), settings(field_fraction=fraction))
    for n, sensor, field, centre in zip(
        (layout.transform_height, layout.transform_length), layout.sensor, layout.grid.shape, layout.centre, strict=True
    ):
        assert n % 2 ** (N_LEVELS - 1) == 0
        reached = np.arange(sensor + field - 1)
        wrapped = reached[reached >= n] - n
        assert not ((wrapped >= centre) & (wrapped < centre + sensor)).any()
        assert n >= centre + sensor


def test_room_around_the_scene_is_in_whole_pixels_of_the_coarsest_level(settings):
    for asked, margin in ((0, 0), (1, 4), (4, 4), (30, 32)):
        layout = diffusercam_layout((1, 40, 48), settings(max_displacement_px=asked))
        assert layout.grid.margin == (margin, margin)


def test_a_scene_has_the_colours_of_its_image():
    assert [channel.name for channel in channels(1)] == ["brightness"]
    assert [channel.name for channel in channels(3)] == ["red", "green", "blue"]
    assert {channel.unit for channel in (*channels(1), *channels(3))} == {"counts"}
