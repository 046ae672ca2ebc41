from __future__ import annotations

import pytest
from tests.toy import toy_settings

from napari_nstm.core.errors import InputError
from napari_nstm.core.grids import Channel, padded_grid
from napari_nstm.core.settings import EncodingSettings
from napari_nstm.model.architecture import Architecture, build_architecture

GRID = padded_grid((40, 60), (1.0, 1.0), (Channel("a", ""), Channel("b", "")), (4, 4), (8, 8), 2)


def hashed(ndim):
    return EncodingSettings(
        n_levels=2, n_features=2, base_cells=(1.0,) * ndim, fine_cells=(4.0,) * ndim, hash_entries_log2=8
    )


def test_dense_levels_cover_what_they_are_asked_for():
    architecture = build_architecture(GRID, toy_settings())
    assert architecture.n_channels == 2
    assert architecture.ndim == 2
    assert architecture.scene_box.origin == GRID.canvas_origin
    assert architecture.scene_box.extent == tuple(map(float, GRID.canvas_extent))
    # The motion's cells end at the first and last sample of the padded field.
    assert architecture.motion_box.origin == GRID.padded_origin
    assert architecture.motion_box.extent == tuple(n - 1.0 for n in GRID.padded_extent)
    assert architecture.motion_scale_px == (1.0, 1.0)


def test_hashed_levels_have_the_published_boxes_and_units():
    settings = toy_settings(scene_encoding=hashed(2), motion_encoding=hashed(3), motion_unit="field")
    architecture = build_architecture(GRID, settings)
    assert architecture.scene_box.origin == (-20.0, -30.0)
    assert architecture.scene_box.extent == (80.0, 120.0)
    assert architecture.motion_box.origin == (0.0, 0.0)
    assert architecture.motion_box.extent == (40.0, 60.0)
    assert architecture.motion_scale_px == (40.0, 60.0)


def test_the_scene_of_a_stack_is_not_enlarged_along_z():
    grid = padded_grid((5, 40, 60), (1.0,) * 3, (Channel("a", ""),), (1, 4, 4), (1, 8, 8), 2)
    architecture = build_architecture(grid, toy_settings(3, scene_encoding=hashed(3)))
    assert architecture.scene_box.origin == (0.0, -20.0, -30.0)
    assert architecture.scene_box.extent == (5.0, 80.0, 120.0)


def test_seeds_rates_and_lengths_are_no_part_of_it():
    plain = build_architecture(GRID, toy_settings())
    for changes in (
        {"seed": 4},
        {"epochs": 7},
        {"scene_learning_rate": 1.0},
        {"coarse_to_fine": 0.0},
        {"static": True},
    ):
        assert build_architecture(GRID, toy_settings(**changes)) == plain
        assert hash(build_architecture(GRID, toy_settings(**changes))) == hash(plain)
    assert build_architecture(GRID, toy_settings(rendering="exact")) != plain


def test_it_survives_json():
    plain = build_architecture(GRID, toy_settings())
    assert Architecture.model_validate_json(plain.model_dump_json()) == plain


@pytest.mark.parametrize("which", ["scene_encoding", "motion_encoding"])
def test_an_encoding_of_other_axes_than_the_data_is_named(which):
    wrong = EncodingSettings(n_levels=2, n_features=2, base_cells=(1.0,) * 5, fine_cells=(4.0,) * 5)
    with pytest.raises(InputError, match=rf"^fit\.advanced\.{which}: got cells along 5 axes; takes cells along"):
        build_architecture(GRID, toy_settings(**{which: wrong}))
