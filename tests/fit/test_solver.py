from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.fit.samples import SIZE, TIMES, found_motion, losses_of, moving_frames, run, solver_of, texture
from tests.toy import ToyProblem, toy_problem

from napari_nstm.core.settings import EncodingSettings
from napari_nstm.core.warp import positions, render
from napari_nstm.fit.step import run_steps
from napari_nstm.phantoms.motions import KnownMotion

SHAPE = (SIZE, SIZE)
FLAT = {"pyramid": ((0, 1.0),)}


def leaves(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state.params, state.optimizer, state.step))]


def error_px(motion, frames, found, t=1.0):
    """Length of the error of u over the bright pixels of the first frame."""
    u = motion.displacement(positions(motion.shape), t)
    return np.linalg.norm(found - u, axis=0)[np.abs(frames[0]) > 0.3]


# What comes back


@pytest.mark.parametrize(
    ("kind", "amplitude", "tolerance"),
    [
        ("rotation", np.deg2rad(10), 0.15),
        ("rotation", -np.deg2rad(10), 0.15),
        ("shear", 0.15, 0.15),
        ("swirl", 0.35, 0.3),
        ("translation", 4.0, 0.15),
    ],
)
def test_a_known_motion_comes_back_with_its_sign(kind, amplitude, tolerance):
    motion = KnownMotion(kind, SHAPE, amplitude)
    frames = moving_frames(motion)
    solver = solver_of(frames)
    state, reports = run(solver)
    size = np.linalg.norm(motion.displacement(positions(SHAPE), 1.0), axis=0)[np.abs(frames[0]) > 0.3]
    assert np.median(size) > 1.4  # a motion of the other sign, or none, would be ten times off
    assert np.median(error_px(motion, frames, found_motion(solver, state))) < tolerance
    assert np.median(error_px(motion, frames, found_motion(solver, state, t=0.0), t=0.0)) < tolerance
    assert reports[-1].losses[-1] < 2e-3 * np.mean(frames**2)


def test_seen_from_the_last_moment_the_first_is_the_inverse_motion(fitted, rotating):
    solver, state, _ = fitted
    there = found_motion(solver, state, 1.0, -1.0)
    back = found_motion(solver, state, -1.0, 1.0)
    bright = np.abs(rotating[2]) > 0.3
    # A rotation by 10 degrees and its inverse: opposite, but for 1 - cos(10 degrees) = 1.5 % of the radius.
    assert np.median(np.linalg.norm(there + back, axis=0)[bright]) < 0.5
    assert np.median(np.linalg.norm(there - back, axis=0)[bright]) > 4


def test_the_scene_comes_back_between_the_frames_too(fitted):
    solver, state, _ = fitted
    motion = KnownMotion("rotation", SHAPE, np.deg2rad(10))
    where = positions(SHAPE)
    for t in (-1.0, -0.25, 0.6):
        truth = texture(where + motion.pull_back(where, t), SHAPE)
        shown = solver.render(state, t)
        assert shown.shape == (1, *SHAPE)
        assert np.sqrt(np.mean((shown[0] - truth) ** 2)) < 0.03 * np.ptp(truth)


def test_canvas_and_exact_agree_on_a_converged_fit(fitted):
    solver, state, _ = fitted
    grid, times = solver.problem(0).grid, np.float32(TIMES)
    both = jax.jit(lambda p: (solver.model.render_canvas(p, times, grid), solver.model.render_exact(p, times, grid)))
    canvas, exact = (np.asarray(x)[(..., *grid.field_slices)] for x in both(state.params))
    assert np.sqrt(np.mean((canvas - exact) ** 2)) < 0.01 * np.ptp(exact)


def test_an_exact_fit_finds_the_same_as_a_canvas(fitted, rotating):
    solver, state, _ = fitted
    exact = solver_of(rotating, rendering="exact", epochs=100, **FLAT)
    exact_state, _ = run(exact)
    ours, theirs = solver.render(state, 0.5), exact.render(exact_state, 0.5)
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.02 * np.ptp(theirs)
    motion = KnownMotion("rotation", SHAPE, np.deg2rad(10))
    assert np.median(error_px(motion, rotating, found_motion(exact, exact_state))) < 0.15


def test_a_stack_moves_along_all_three_axes():
    shape, u = (6, 20, 20), np.array([1.0, 1.5, -2.0])
    where = positions(shape)
    frames = np.stack([texture(where - u.reshape(3, 1, 1, 1) * (t + 1) / 2, shape) for t in (-1, 0, 1)])
    solver = solver_of(
        frames.astype(np.float32),
        epochs=100,
        canvas_samples_per_pixel=1,
        scene_encoding=EncodingSettings(n_levels=5, n_features=1, base_cells=(4.0,) * 3, fine_cells=(24.0, 36.0, 36.0)),
    )
    state, reports = run(solver)
    bright = np.abs(frames[0]) > 0.3
    found = np.median(found_motion(solver, state)[:, bright], axis=1)
    np.testing.assert_allclose(found, u, atol=0.15)
    assert reports[-1].losses[-1] < 0.01 * np.mean(frames**2)
    assert solver.render(state, 0.0).shape == (1, *shape)
    assert solver.canvas(state).coefficients.shape[1:] == solver.model.canvas_shape(solver.problem(0).grid)


# Ways to fit


def test_a_static_fit_gives_the_mean_of_the_frames_and_no_motion(rotating):
    solver = solver_of(rotating, static=True)
    state, _ = run(solver)
    assert solver.times == (0.0,) * len(TIMES)
    assert np.abs(found_motion(solver, state)).max() < 1e-5
    np.testing.assert_array_equal(
        jax.tree.leaves(state.params["motion"])[0], jax.tree.leaves(solver.init().params["motion"])[0]
    )
    mean = rotating.mean(axis=0)
    for t in (-1.0, 0.3):
        assert np.sqrt(np.mean((solver.render(state, t)[0] - mean) ** 2)) < 0.01 * np.ptp(mean)


def test_without_coarse_to_fine_all_detail_is_there_at_once(rotating):
    at_once = solver_of(rotating, coarse_to_fine=0.0)
    state, reports = run(at_once, steps=4)
    assert reports[-1].granularity == 1.0
    assert float(at_once.alpha(at_once.init())) == 1.0
    gradual = solver_of(rotating)
    _, gradual_reports = run(gradual, steps=4)
    assert gradual_reports[-1].granularity == pytest.approx(4 / (0.8 * 300))
    # Detail of a pixel or two is in the one and cannot be in the other.
    fine = np.abs(np.diff(at_once.render(state, 0.0)[0], n=2)).mean()
    assert fine > 0.01
    assert reports[-1].losses[-1] < 0.9 * gradual_reports[-1].losses[-1]


def test_frames_in_several_steps_an_epoch():
    motion = KnownMotion("translation", SHAPE, 4.0)
    frames = moving_frames(motion, np.linspace(-1, 1, 6))
    solver = solver_of(frames, n_batches=3, epochs=80, **FLAT)
    assert solver.n_steps == 240
    state, _ = run(solver)
    assert np.median(error_px(motion, frames, found_motion(solver, state))) < 0.3
    # Every frame has its residual, in the order of their times.
    residual = solver.residual(state)
    assert residual.shape == frames.shape
    shown = np.stack([solver.render(state, t)[0] for t in np.linspace(-1, 1, 6)])
    np.testing.assert_allclose(residual, frames - shown, atol=1e-4)


def test_the_residual_of_a_stopped_fit_is_that_of_the_picture_it_shows(rotating):
    solver = solver_of(rotating)
    state, reports = run(solver, steps=180)
    assert reports[-1].granularity == pytest.approx(0.75)
    shown = np.stack([solver.render(state, t)[0] for t in TIMES])
    np.testing.assert_allclose(solver.residual(state), rotating - shown, atol=1e-4)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gathering(ToyProblem):
    """A camera whose measurements are put together by the problem itself: here by what was measured."""

    def gathered(self, parts):
        together = np.full(self.frames.shape, np.nan, np.float32)
        for measured, difference in parts:
            for frame, rest in zip(measured, difference, strict=True):
                together[np.argmin(np.abs(self.frames - frame).sum(axis=(1, 2)))] = rest
        return together[::-1]


def test_what_is_no_frame_is_put_together_by_the_problem(rotating):
    def gathering(frames, level, n_batches):
        return Gathering(**vars(toy_problem(frames, level, n_batches)))

    frames = rotating[:4]
    plain = solver_of(frames, n_batches=2)
    state = plain.init()
    found = solver_of(frames, n_batches=2, problem=gathering).residual(state)
    grid = plain.problem(0).grid
    # As the problem gives it: whole, and here in the opposite order.
    assert found.shape == (4, *grid.padded_shape)
    expected = plain.residual(state)
    np.testing.assert_allclose(found[(slice(None, None, -1), *grid.field_slices)], expected, atol=1e-6)


def test_what_is_stored_renders_as_the_fit_did(fitted):
    solver, state, _ = fitted
    canvas, motion = solver.canvas(state), solver.motion_lattice(state)
    for t in (-1.0, 0.37, 1.0):
        stored = render(canvas, motion, t, positions(SHAPE))
        # Stored times are a sixteenth apart: between them the motion is interpolated, as its cells are.
        np.testing.assert_allclose(stored, solver.render(state, t), atol=2e-3)


def test_reports_follow_the_pyramid(fitted):
    _, _, reports = fitted
    steps = [report.step for report in reports]
    assert steps[-1] == reports[-1].n_steps == 300
    assert [report.level for report in reports] == [1 if step <= 150 else 0 for step in steps]
    assert 150 in steps  # no call crosses a stage
    assert len(losses_of(reports)) == 300
    assert reports[0].loss == pytest.approx(np.mean(reports[0].losses))
    assert not any(report.diverged or report.message for report in reports)


# The same again


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(rotating, fitted):
    _, state, reports = fitted
    again, again_reports = run(solver_of(rotating))
    assert all(np.array_equal(a, b) for a, b in zip(leaves(state), leaves(again), strict=True))
    np.testing.assert_array_equal(losses_of(reports), losses_of(again_reports))
    other = solver_of(rotating, seed=1).init()
    assert not np.array_equal(leaves(other)[0], leaves(solver_of(rotating).init())[0])


@pytest.mark.parametrize("stop_at", [64, 192])  # 192: the steps of a call are not those of the whole fit
def test_a_fit_goes_on_from_a_file_as_if_it_had_never_stopped(rotating, fitted, tmp_path, stop_at):
    _, whole, reports = fitted
    first = solver_of(rotating)
    state, _ = run(first, steps=stop_at)
    np.savez(tmp_path / "weights.npz", **first.save(state))
    second = solver_of(rotating)
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as arrays:
        loaded = second.load(dict(arrays))
    assert int(loaded.step) == stop_at
    end, rest = run(second, loaded)
    assert all(np.array_equal(a, b) for a, b in zip(leaves(whole), leaves(end), strict=True))
    np.testing.assert_array_equal(losses_of(rest), losses_of(reports)[stop_at:])


def test_how_many_steps_a_call_does_changes_nothing(rotating, fitted):
    _, _, reports = fitted
    _, in_sevens = run(solver_of(rotating), steps=50, chunk=7)
    np.testing.assert_allclose(losses_of(in_sevens), losses_of(reports)[:50], rtol=1e-5)


def test_a_state_of_another_model_is_refused(rotating, fitted):
    solver, state, _ = fitted
    arrays = solver.save(state)
    coarser = EncodingSettings(n_levels=4, n_features=2, base_cells=(1.0,) * 3, fine_cells=(1.0, 4.0, 4.0))
    with pytest.raises(ValueError, match=r"^weights: params/motion/params/features/level_\d has shape"):
        solver_of(rotating, motion_encoding=coarser).load(arrays)
    del arrays["step"]
    with pytest.raises(ValueError, match=r"^weights: step has shape nothing"):
        solver.load(arrays)


def test_numbers_of_a_fit_compile_nothing(rotating, fitted):
    before = run_steps._cache_size()
    for changes in (
        {"seed": 3},
        {"epochs": 77},
        {"scene_learning_rate": 0.01, "motion_learning_rate": 0.3, "learning_rate_end": 0.5},
        {"coarse_to_fine": 0.0},
        {"static": True},
        {"pyramid": ((1, 0.2), (0, 0.8))},
    ):
        run(solver_of(rotating, **changes), steps=2)
    run(solver_of(rotating * 2), steps=2)
    assert run_steps._cache_size() == before


def test_a_call_takes_about_as_long_as_it_may(rotating, fitted):
    solver = solver_of(rotating, epochs=100_000)
    state = solver.init()
    done = [0]
    for _ in range(4):
        state, report = solver.advance(state, seconds=0.05)
        done.append(report.step)
    assert done[1] == 2  # the first call of a level may compile: it tries only two
    assert done[2] == 2 + 1  # the next measures: a step of a large field may be long
    assert done[4] > done[3] > done[2]


# When it breaks


def keeps_its_last_good_state(state, report, step):
    assert report.diverged
    assert int(state.step) == report.step == step
    assert all(np.isfinite(leaf).all() for leaf in leaves(state))


@pytest.mark.parametrize(("pixel", "kept", "broken_at"), [((30, 30), 0, 1), ((30, 31), 128, 151)])
def test_data_that_are_no_numbers_end_the_fit_with_a_sentence(rotating, fitted, pixel, kept, broken_at):
    frames = rotating.copy()
    frames[(2, *pixel)] = np.nan  # the second one is seen at full size only, from step 150 on
    solver = solver_of(frames)
    state, reports = run(solver)
    keeps_its_last_good_state(state, reports[-1], step=kept)
    assert reports[-1].message == f"The loss was no longer a number at step {broken_at}; the last good state is kept."


@pytest.mark.parametrize("chunk", [1, 2, 64])
def test_too_large_a_learning_rate_ends_the_fit_with_a_sentence(rotating, fitted, chunk):
    solver = solver_of(rotating, scene_learning_rate=1e12, coarse_to_fine=0.0)
    state, reports = run(solver, chunk=chunk)
    # The step that spoilt the weights was the first, whatever the number of steps in a call.
    keeps_its_last_good_state(state, reports[-1], step=0)
    assert reports[-1].message.startswith("The loss grew to ")
    assert reports[-1].message.endswith(
        "times its best value; the last good state is kept. A lower learning rate may help."
    )


def test_weights_that_overflow_end_the_fit(rotating, fitted):
    solver = solver_of(rotating, scene_learning_rate=1e30, coarse_to_fine=0.0)
    state, reports = run(solver, chunk=1)
    keeps_its_last_good_state(state, reports[-1], step=0)
    assert "no longer a number" in reports[-1].message


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SteepProblem(ToyProblem):
    """Its loss is finite, the slope of its loss is not."""

    def penalty(self, scene):
        return jnp.sqrt(jnp.sum(scene**2) * 0.0)


def test_a_slope_that_is_no_number_ends_the_fit_before_it_spoils_the_weights():
    frames = np.ones((2, 16, 16), np.float32)

    def steep(frames, level, n_batches):
        return SteepProblem(**vars(toy_problem(frames, level, n_batches)))

    coarse = EncodingSettings(n_levels=1, n_features=1, base_cells=(2.0, 2.0), fine_cells=(2.0, 2.0))
    solver = solver_of(frames, problem=steep, scene_encoding=coarse, epochs=1, **FLAT)
    state, reports = run(solver)
    keeps_its_last_good_state(state, reports[-1], step=0)


def test_a_level_that_shows_more_than_the_one_before_is_no_divergence(rotating, fitted):
    # A flat picture is fitted to rounding errors; then there is something to see, and the loss rises by any factor.
    def flat_at_first(frames, level, n_batches):
        return toy_problem(np.ones_like(frames) if level else frames, level, n_batches)

    solver = solver_of(rotating, problem=flat_at_first, coarse_to_fine=0.0)
    state, reports = run(solver)
    losses = losses_of(reports)
    assert losses[150] > 1e4 * losses[:150].min()
    assert not reports[-1].diverged
    assert int(state.step) == 300
