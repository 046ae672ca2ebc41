"""What another fit found is carried over exactly; a finer motion begins as the coarser one ended."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from tests.toy import moving_blobs, toy_problem, toy_settings

from napari_nstm.core.settings import EncodingSettings, NetworkSettings
from napari_nstm.fit.solver import Solver
from napari_nstm.fit.start import carried, possible_starts, start_from, with_finer_motion
from napari_nstm.model.encoding import level_cells


@pytest.fixture(scope="module")
def frames():
    return moving_blobs(48, 3.0)[0]


def solver_of(frames, **changes):
    return Solver(lambda level: toy_problem(frames, level), toy_settings(pyramid=((0, 1.0),), epochs=40, **changes))


@pytest.fixture(scope="module")
def fitted(frames):
    solver = solver_of(frames)
    state = solver.init()
    while int(state.step) < solver.n_steps:
        state, _ = solver.advance(state, 1.0)
    return solver, state


def test_a_start_shows_what_the_other_fit_ended_with(fitted, frames):
    old, state = fitted
    new = solver_of(frames, coarse_to_fine=0.0, seed=5)
    started = start_from(new.init(), old.save(state), old.settings, new.settings)
    assert int(started.step) == 0
    np.testing.assert_allclose(new.render(started, 0.3), old.render(state, 0.3), atol=1e-5)
    np.testing.assert_allclose(new.motion_lattice(started).values_px, old.motion_lattice(state).values_px, atol=1e-5)
    _, report = new.advance(started, 0.1)
    assert report.losses[0] < 2 * old.advance(state, 0.1)[1].losses[0]


def test_a_finer_motion_begins_as_the_coarser_one_ended(fitted, frames):
    old, state = fitted
    encoding = old.settings.motion_encoding
    finer = encoding.model_copy(update={"n_levels": 4, "fine_cells": (2.0, 8.0, 8.0)})
    new = solver_of(frames, coarse_to_fine=0.0, motion_encoding=finer)
    started = start_from(new.init(), old.save(state), old.settings, new.settings)
    there = np.stack(np.meshgrid(*[np.linspace(0, 47, 9, dtype=np.float32)] * 2, indexing="ij"))
    for t in (-1.0, 0.0, 1.0):
        was, now = (s.motion_lattice(st).pull_back(there, t) for s, st in ((old, state), (new, started)))
        # Corners of 4 and 8 cells coincide; those of the levels between do not, and are interpolated.
        assert np.abs(now - was).max() < 0.05 * np.abs(was).max() + 1e-6
    np.testing.assert_allclose(new.render(started, 0.0), old.render(state, 0.0), atol=0.05)


def test_levels_whose_corners_contain_the_old_ones_carry_a_field_exactly():
    rng = np.random.default_rng(0)
    old = [rng.normal(size=(2, 3, 3)), rng.normal(size=(2, 5, 5))]
    new = carried(old, [(2, 2), (4, 4)], [(1, 1), (4, 4), (8, 8)])

    where = rng.uniform(0, 1, (2, 50))

    def at(levels, cells):
        found = [[map_coordinates(v, where * n[0], order=1) for v in one] for one, n in zip(levels, cells, strict=True)]
        return np.sum(found, axis=0)

    np.testing.assert_allclose(at(new, [(1, 1), (4, 4), (8, 8)]), at(old, [(2, 2), (4, 4)]), atol=1e-5)
    assert not new[0].any()
    assert not new[2].any()


def test_another_model_is_refused(fitted, frames):
    old, state = fitted
    other = EncodingSettings(
        n_levels=6, n_features=1, base_cells=(4.0, 4.0), fine_cells=(48.0, 48.0), hash_entries_log2=8
    )
    new = solver_of(frames, scene_encoding=other)
    with pytest.raises(ValueError, match="its scene has other levels"):
        start_from(new.init(), old.save(state), old.settings, new.settings)


def test_what_is_missing_is_named(fitted, frames):
    old, state = fitted
    arrays = {name: value for name, value in old.save(state).items() if "level_2" not in name}
    with pytest.raises(ValueError, match="level_2 has shape nothing"):
        start_from(old.init(), arrays, old.settings, old.settings)
    assert jnp.isfinite(old.init().step)


def test_one_more_level_of_motion_leaves_the_others_and_the_field_as_they_are(fitted, frames):
    old, state = fitted
    finer = with_finer_motion(old.settings.motion_encoding)
    new = solver_of(frames, coarse_to_fine=0.0, motion_encoding=finer)
    assert level_cells(finer) == (*level_cells(old.settings.motion_encoding), (2, 8, 8))
    started = start_from(new.init(), old.save(state), old.settings, new.settings)
    where = np.stack(np.meshgrid(*[np.linspace(0, 47, 30, dtype=np.float32)] * 2, indexing="ij"))
    for t in (-1.0, 0.3, 1.0):
        was, now = (s.motion_lattice(st).pull_back(where, t) for s, st in ((old, state), (new, started)))
        assert np.abs(was).max() > 1
        np.testing.assert_allclose(now, was, atol=1e-4)
        np.testing.assert_allclose(new.render(started, t), old.render(state, t), atol=1e-4)


@pytest.mark.parametrize(
    ("cells", "n_levels"),
    [
        (((1, 1, 1), (2, 16, 16)), 6),
        (((1, 1, 1), (6, 16, 16)), 6),
        (((3, 4, 4), (3, 4, 4)), 1),
        (((1, 1, 2), (8, 3, 2)), 4),
    ],
)
def test_a_finer_level_follows_those_that_there_are(cells, n_levels):
    encoding = EncodingSettings(n_levels=n_levels, n_features=2, base_cells=cells[0], fine_cells=cells[1])
    *others, last = level_cells(with_finer_motion(encoding))
    assert tuple(others) == level_cells(encoding)
    assert all(a >= b for a, b in zip(last, others[-1], strict=True))
    assert last[1] > others[-1][1]


def test_a_motion_may_rest_where_it_ended_and_the_frames_tell(fitted, frames):
    old, state = fitted
    states = list(possible_starts(state, old.settings))
    where = np.stack(np.meshgrid(*[np.linspace(0, 47, 9, dtype=np.float32)] * 2, indexing="ij"))
    for held, moment in ((states[1], 1.0), (states[2], -1.0)):
        expected = old.motion_lattice(state).pull_back(where, moment)
        for t in (-1.0, 0.2, 1.0):
            np.testing.assert_allclose(old.motion_lattice(held).pull_back(where, t), expected, atol=1e-5)
    # The same frames tell for the motion as it was; those of a sample that stays where it came to, for its end.
    still = solver_of(np.repeat(frames[-1:], len(frames), axis=0))
    for solver, expected in ((old, 0), (still, 1)):
        misfits = [solver.misfit(one) for one in states]
        assert int(np.argmin(misfits)) == expected
        assert misfits[expected] < 0.5 * sorted(misfits)[1]


def test_a_scene_that_rests_stays_while_the_motion_is_fitted(fitted, frames):
    old, state = fitted
    new = solver_of(frames, coarse_to_fine=0.0, scene_rests=0.5)
    begun = start_from(new.init(), old.save(state), old.settings, new.settings)
    now = begun
    while int(now.step) < 20:
        new._seconds_per_step[0] = 1.0
        now, _ = new.advance(now, 20 - int(now.step))

    def changed(part, later):
        pairs = zip(jax.tree.leaves(begun.params[part]), jax.tree.leaves(later.params[part]), strict=True)
        return max(float(jnp.abs(a - b).max()) for a, b in pairs)

    assert changed("scene", now) == 0
    assert changed("motion", now) > 0
    later, _ = new.advance(now, 5)
    assert changed("scene", later) > 0


def test_levels_that_a_perceptron_did_not_know_count_nothing_at_first(frames):
    mlp = {
        "motion_network": NetworkSettings(kind="mlp", width=8, depth=1),
        "motion_encoding": EncodingSettings(
            n_levels=2, n_features=2, base_cells=(1.0,) * 3, fine_cells=(2.0, 4.0, 4.0), hash_entries_log2=6
        ),
    }
    old = solver_of(frames, **mlp, coarse_to_fine=0.0)
    drawn, rng = old.init(), np.random.default_rng(2)
    fitted = jax.tree.map(lambda x: jnp.asarray(rng.normal(0, 0.5, x.shape), x.dtype), drawn.params["motion"])
    state = replace(drawn, params={**drawn.params, "motion": fitted})
    finer = with_finer_motion(mlp["motion_encoding"])
    new = solver_of(frames, **{**mlp, "motion_encoding": finer}, coarse_to_fine=0.0, seed=3)
    started = start_from(new.init(), old.save(state), old.settings, new.settings)
    where = jnp.asarray([[3.0, 40.0], [20.0, 11.0], [31.0, 31.0]])
    times = jnp.asarray([-0.8, 0.1, 0.9])
    np.testing.assert_allclose(
        new.model.displacement_at(started.params, times, where),
        old.model.displacement_at(state.params, times, where),
        atol=1e-6,
    )
    assert list(possible_starts(started, new.settings)) == [started]
    with pytest.raises(ValueError, match="a perceptron knows only those"):
        start_from(old.init(), new.save(started), new.settings, old.settings)
