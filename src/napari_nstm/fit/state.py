"""The state of a fit: immutable, and nothing else is needed to go on from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from napari_nstm.model.spacetime import Params


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FitState:
    """Weights, optimiser and position of a fit.

    Parameters
    ----------
    params
        Weights of scene and motion.
    optimizer
        State of Adam.
    key
        Key of the run; a step's randomness depends on it and on the step alone.
    step
        Steps done (a scalar array).
    """

    params: Params
    optimizer: Any
    key: jax.Array
    step: jax.Array


@dataclass(frozen=True)
class FitReport:
    """What `Solver.advance` says of the steps it did.

    Parameters
    ----------
    step, n_steps
        Steps done, and in all.
    level
        Level of the pyramid of the last step.
    granularity
        alpha of the last step.
    loss
        Mean loss of these steps.
    losses
        Loss of each of these steps.
    diverged, message
        Whether the fit broke down, and a sentence that says how.
    """

    step: int
    n_steps: int
    level: int
    granularity: float
    loss: float
    losses: tuple[float, ...]
    diverged: bool = False
    message: str | None = None


def flatten_state(state: FitState) -> dict[str, NDArray[np.generic]]:
    """Turn a state into arrays whose names are '/'-joined paths in its tree."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {_name(path): _to_numpy(leaf) for path, leaf in leaves}


def unflatten_state(arrays: dict[str, NDArray[np.generic]], like: FitState) -> FitState:
    """Rebuild a state of the same shape as `like`.

    Raises
    ------
    ValueError
        If an array is missing or has another shape.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    rebuilt = []
    for path, leaf in leaves:
        name = _name(path)
        expected = _to_numpy(leaf)
        if name not in arrays or arrays[name].shape != expected.shape:
            found = arrays[name].shape if name in arrays else "nothing"
            raise ValueError(f"weights: {name} has shape {found}, this model needs {expected.shape}")
        value = np.asarray(arrays[name], expected.dtype)
        is_key = jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        rebuilt.append(jax.random.wrap_key_data(jax.numpy.asarray(value)) if is_key else jax.numpy.asarray(value))
    state: FitState = jax.tree_util.tree_unflatten(tree, rebuilt)
    return state


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _to_numpy(leaf: jax.Array) -> NDArray[np.generic]:
    if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)
