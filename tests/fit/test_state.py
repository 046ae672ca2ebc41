from __future__ import annotations

import jax
import numpy as np
import pytest
from tests.toy import toy_problem, toy_settings

from napari_nstm.fit.state import flatten_state, unflatten_state
from napari_nstm.fit.step import init_state
from napari_nstm.model.architecture import build_architecture

ARCHITECTURE = build_architecture(toy_problem(np.zeros((2, 16, 16))).grid, toy_settings())


@pytest.fixture(scope="module")
def state():
    return init_state(ARCHITECTURE, 7)


def test_names_are_paths_and_values_are_plain_arrays(state):
    arrays = flatten_state(state)
    assert {"step", "key", "params/scene/params/features/level_0"} <= set(arrays)
    assert {name.split("/")[0] for name in arrays} == {"params", "optimizer", "key", "step"}
    assert all(type(a) is np.ndarray and a.dtype.kind in "fiu" for a in arrays.values())


def test_what_was_flattened_comes_back(state, tmp_path):
    np.savez(tmp_path / "state.npz", **flatten_state(state))
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        again = unflatten_state(dict(arrays), like=init_state(ARCHITECTURE, 0))
    assert jax.tree.structure(again) == jax.tree.structure(state)
    for name, array in flatten_state(again).items():
        np.testing.assert_array_equal(array, flatten_state(state)[name])
        assert array.dtype == flatten_state(state)[name].dtype
    # The key is a key again: it draws the same numbers.
    np.testing.assert_array_equal(jax.random.bits(again.key, (3,)), jax.random.bits(state.key, (3,)))


def test_weights_start_small_and_depend_on_the_seed_alone(state):
    first, again, other = (flatten_state(init_state(ARCHITECTURE, seed)) for seed in (7, 7, 8))
    weights = [name for name in first if name.startswith("params")]
    for name in weights:
        np.testing.assert_array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
        assert first[name].min() >= 0
        assert first[name].max() < 1e-4
    assert int(first["step"]) == 0
    # Levels are not copies of each other.
    a, b = (first[f"params/scene/params/features/level_{k}"].ravel()[:20] for k in (0, 1))
    assert not np.array_equal(a, b)


def test_a_missing_array_and_one_of_another_shape_are_named(state):
    arrays = flatten_state(state)
    name = "params/scene/params/features/level_2"
    shape = arrays[name].shape
    with pytest.raises(ValueError, match=rf"^weights: {name} has shape \(2, 2\), this model needs \({shape[0]}, "):
        unflatten_state({**arrays, name: np.zeros((2, 2))}, like=state)
    del arrays[name]
    with pytest.raises(ValueError, match=rf"^weights: {name} has shape nothing, this model needs"):
        unflatten_state(arrays, like=state)
