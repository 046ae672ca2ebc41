"""What another fit found is carried over exactly; a finer motion begins as the coarser one ended."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from tests.toy import moving_blobs, toy_problem, toy_settings

from napari_nstm.core.settings import EncodingSettings
from napari_nstm.fit.solver import Solver
from napari_nstm.fit.start import carried, start_from


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
