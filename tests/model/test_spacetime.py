from __future__ import annotations

import jax
import numpy as np
import pytest
from tests.toy import toy_settings

from napari_nstm.core.grids import Channel, padded_grid
from napari_nstm.core.settings import EncodingSettings, NetworkSettings
from napari_nstm.core.warp import Canvas, MotionLattice, positions
from napari_nstm.core.warp import render as render_with_numpy
from napari_nstm.model.architecture import build_architecture
from napari_nstm.model.spacetime import SpaceTimeModel, motion_spacing_px, padded_positions

GRID = padded_grid((40, 52), (1.0, 1.0), (Channel("a", ""), Channel("b", "")), (4, 6), (8, 8), 2)
STACK = padded_grid((4, 20, 24), (1.0,) * 3, (Channel("a", ""),), (1, 4, 4), (2, 8, 8), 2)
TIMES = np.float32([-1.0, 0.3, 1.0])
# Motion levels of 1, 2 and 4 cells: all their corners lie on the lattice of 2 x 4 on which the motion is evaluated.
SMOOTH = {
    "scene_encoding": EncodingSettings(n_levels=3, n_features=1, base_cells=(2.0, 2.0), fine_cells=(5.0, 5.0)),
    "motion_encoding": EncodingSettings(
        n_levels=3, n_features=2, base_cells=(1.0, 1.0, 1.0), fine_cells=(2.0, 4.0, 4.0)
    ),
}


def model_of(grid=GRID, scene=1.0, motion=3.0, **changes):
    """A model with random weights: features uniform in [-scene, scene) and [-motion, motion) pixels."""
    settings = toy_settings(grid.ndim, **(changes if grid.ndim == 3 else {**SMOOTH, **changes}))
    model = SpaceTimeModel(build_architecture(grid, settings))
    weights = jax.jit(model.init)(jax.random.key(0))
    rng = np.random.default_rng(0)

    def random(leaf, size):
        return rng.uniform(-size, size, leaf.shape).astype(np.float32)

    return model, {
        "scene": jax.tree.map(lambda leaf: random(leaf, scene), weights["scene"]),
        "motion": jax.tree.map(lambda leaf: random(leaf, motion), weights["motion"]),
    }


@pytest.fixture(scope="module")
def smooth():
    return model_of()


def moving_uniformly(weights, dx):
    """Set the motion to the same dx everywhere: all in its first level, the rest zero."""
    motion = jax.tree.map(np.zeros_like, weights["motion"])
    levels = motion["params"]["features"]
    levels["level_0"] = np.ones_like(levels["level_0"]) * np.float32(dx).reshape(-1, *(1,) * (len(dx) + 1))
    return {**weights, "motion": motion}


@pytest.mark.parametrize("level", [0, 1])
def test_the_enlarged_motion_lattice_agrees_with_asking_every_pixel(smooth, level):
    model, weights = smooth
    grid = GRID.at_level(level)
    dense = np.asarray(jax.jit(lambda w, t: model.displacement(w, t, grid))(weights, TIMES))
    assert dense.shape == (3, 2, *grid.padded_shape)
    where = np.moveaxis(np.asarray(padded_positions(grid)), 0, -1)
    ask = jax.jit(model.displacement_at)
    for k, t in enumerate(TIMES):
        asked = np.asarray(ask(weights, np.full(where.shape[:-1], t, np.float32), where))
        np.testing.assert_allclose(dense[k], np.moveaxis(asked, -1, 0), atol=1e-4)
    assert np.abs(dense).max() > 1  # the weights do move something


def test_the_motion_lattice_is_the_same_at_every_level(smooth):
    model, weights = smooth
    half_grid = GRID.at_level(1)
    full = jax.jit(lambda w: model.motion_lattice(w, TIMES, GRID))(weights)
    half = jax.jit(lambda w: model.motion_lattice(w, TIMES, half_grid))(weights)
    assert full.shape == (3, 2, 9, 9)
    np.testing.assert_array_equal(full, half)
    assert motion_spacing_px(model, GRID) == tuple((n - 1) / 8 for n in GRID.padded_extent)


def test_a_displacement_of_1_is_the_whole_field_where_the_unit_says_so():
    model, weights = model_of(motion_unit="field")
    weights = moving_uniformly(weights, (0.25, -0.5))
    where = np.zeros((1, 2), np.float32)
    found = jax.jit(model.displacement_at)(weights, np.zeros(1, np.float32), where)
    np.testing.assert_allclose(found, [[0.25 * 40, -0.5 * 52]], rtol=1e-5)
    lattice = np.asarray(jax.jit(lambda w: model.motion_lattice(w, TIMES, GRID))(weights))
    np.testing.assert_allclose(lattice[:, 0], 10, rtol=1e-5)
    np.testing.assert_allclose(lattice[:, 1], -26, rtol=1e-5)


@pytest.mark.parametrize("rendering", ["canvas", "exact"])
def test_what_is_shown_at_x_comes_from_x_plus_dx(rendering):
    model, weights = model_of(rendering=rendering)
    shifted = moving_uniformly(weights, (3.0, -5.0))
    render = jax.jit(lambda w: model.render(w, TIMES, GRID))
    still = np.asarray(render(moving_uniformly(weights, (0.0, 0.0))))
    moved = np.asarray(render(shifted))
    np.testing.assert_allclose(moved[:, :, :-3, 5:], still[:, :, 3:, :-5], atol=1e-4)
    assert np.abs(still[:, :, 3:] - still[:, :, :-3]).max() > 0.1


def test_canvas_and_exact_agree_while_the_scene_is_smooth(smooth):
    model, weights = smooth
    for alpha in (0.6, 1.0):
        canvas = np.asarray(jax.jit(lambda w, a: model.render_canvas(w, TIMES, GRID, a))(weights, alpha))
        exact = np.asarray(jax.jit(lambda w, a: model.render_exact(w, TIMES, GRID, a))(weights, alpha))
        assert canvas.shape == (3, 2, *GRID.padded_shape)
        # A multilinear scene differs from its canvas in the canvas's cells that a corner of the scene falls into.
        assert np.sqrt(np.mean((canvas - exact) ** 2)) < 0.003 * np.ptp(exact)
        assert np.abs(canvas - exact).max() < 0.05 * np.ptp(exact)


def test_a_finer_canvas_comes_closer_to_exact():
    errors = []
    for samples in (1, 3):
        model, weights = model_of(
            scene_encoding=EncodingSettings(n_levels=1, n_features=1, base_cells=(40.0, 40.0), fine_cells=(40.0, 40.0)),
            canvas_samples_per_pixel=samples,
        )
        both = jax.jit(lambda w, m=model: (m.render_canvas(w, TIMES, GRID), m.render_exact(w, TIMES, GRID)))
        canvas, exact = map(np.asarray, both(weights))
        errors.append(np.sqrt(np.mean((canvas - exact) ** 2)))
    assert errors[0] > 2 * errors[1]


def test_level_1_is_every_second_sample_of_level_0(smooth):
    model, weights = smooth
    half = GRID.at_level(1)
    fine = np.asarray(jax.jit(lambda w: model.render_exact(w, TIMES, GRID))(weights))
    coarse = np.asarray(jax.jit(lambda w: model.render_exact(w, TIMES, half))(weights))
    assert coarse.shape == (3, 2, *half.padded_shape)
    np.testing.assert_allclose(coarse, fine[:, :, ::2, ::2], atol=1e-4)
    fine = np.asarray(jax.jit(lambda w: model.canvas(w, GRID))(weights))
    coarse = np.asarray(jax.jit(lambda w: model.canvas(w, half))(weights))
    np.testing.assert_allclose(coarse, fine[:, ::2, ::2], atol=1e-5)


def test_the_canvas_holds_the_scene_at_its_samples(smooth):
    model, weights = smooth
    canvas = np.asarray(jax.jit(lambda w: model.canvas(w, GRID))(weights))
    assert canvas.shape == (2, *model.canvas_shape(GRID)) == (2, *(2 * n for n in GRID.canvas_shape))
    assert model.canvas_spacing(GRID) == (0.5, 0.5)
    # Its first samples of every pixel are what is shown at rest.
    still = np.asarray(jax.jit(lambda w: model.render_exact(w, TIMES[:1], GRID))(moving_uniformly(weights, (0, 0))))
    margin = tuple(slice(2 * m, -2 * m, 2) for m in GRID.margin)
    np.testing.assert_allclose(canvas[(slice(None), *margin)], still[0], atol=1e-4)


def test_numpy_renders_the_same_from_canvas_and_lattice(smooth):
    model, weights = smooth
    rendered = np.asarray(jax.jit(lambda w: model.render_canvas(w, TIMES, GRID))(weights))
    canvas = Canvas(
        np.asarray(jax.jit(lambda w: model.canvas(w, GRID))(weights)),
        GRID.canvas_origin,
        model.canvas_spacing(GRID),
        order=1,
    )
    stored = np.linspace(-1, 1, 21, dtype=np.float32)  # 0.3 is one of them
    lattice = MotionLattice(
        np.asarray(jax.jit(lambda w: model.motion_lattice(w, stored, GRID))(weights)),
        GRID.padded_origin,
        motion_spacing_px(model, GRID),
    )
    for k, t in enumerate(TIMES):
        shown = render_with_numpy(canvas, lattice, float(t), positions(GRID.shape))
        np.testing.assert_allclose(shown, rendered[(k, slice(None), *GRID.field_slices)], atol=2e-3)


def test_a_stack_moves_along_all_three_axes():
    grid = STACK.at_level(1)
    model, weights = model_of(STACK, rendering="exact")
    shift = (1, 2, -4)
    moved = moving_uniformly(weights, shift)
    still = moving_uniformly(weights, (0, 0, 0))
    for draw in (model.render_canvas, model.render_exact):
        render = jax.jit(lambda w, draw=draw: draw(w, TIMES[:2], grid))
        a, b = np.asarray(render(moved))[:, 0], np.asarray(render(still))[:, 0]
        np.testing.assert_allclose(a[:, :-1, :-1, 2:], b[:, 1:, 1:, :-2], atol=1e-4)
        assert a.shape[1] == STACK.padded_extent[0]  # z is whole at every level


def test_the_published_networks_render_the_same_on_a_lattice_and_point_by_point():
    def hashed(ndim):
        return EncodingSettings(
            n_levels=2, n_features=2, base_cells=(1.0,) * ndim, fine_cells=(4.0,) * ndim, hash_entries_log2=8
        )

    model, weights = model_of(
        scene=0.5,
        motion=0.3,
        scene_encoding=hashed(2),
        motion_encoding=hashed(3),
        scene_network=NetworkSettings(kind="mlp", width=8, activation="gelu"),
        motion_network=NetworkSettings(kind="mlp", width=4, activation="elu"),
        motion_unit="field",
        rendering="exact",
    )
    weights = jax.tree.map(lambda w: w * 0.5, weights)
    both = jax.jit(lambda w: (model.render_canvas(w, TIMES, GRID), model.render_exact(w, TIMES, GRID)))
    canvas, exact = map(np.asarray, both(weights))
    assert np.ptp(exact) > 0.05
    assert np.sqrt(np.mean((canvas - exact) ** 2)) < 0.02 * np.ptp(exact)
