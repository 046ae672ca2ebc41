"""A fit that starts from what another one found: the weights of one model carried into another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from napari_nstm.core.settings import EncodingSettings, FitSettings
from napari_nstm.fit.state import FitState
from napari_nstm.model.encoding import level_cells

Arrays = Mapping[str, NDArray[Any]]
Cells = Sequence[tuple[int, ...]]

_LEVEL = "params/features/level_"
# The layer that reads the features out: a perceptron without hidden layers has the last one only.
_FIRST_LAYERS = ("params/hidden_0/kernel", "params/last/kernel")


def start_from(state: FitState, found: Arrays, old: FitSettings, new: FitSettings) -> FitState:
    """Return a state whose scene and motion are those that another fit of the same field found, at granularity 1.

    The optimiser starts anew, and so does what was refined beside scene and motion: it belongs to the other frames.
    Where an encoding has other levels than before, levels of equal cells are taken as they are; what the others of a
    sum hold is added to the next finer level, and what a perceptron reads of further levels counts nothing at first.

    Parameters
    ----------
    state
        As the new fit would begin.
    found
        The other fit's state by name (`flatten_state`).
    old, new
        Settings of the other fit, and of this one.

    Raises
    ------
    ValueError
        If no weights of the new model give what the old one found.
    """
    params = dict(state.params)
    for part in ("scene", "motion"):
        if "given" in params[part]:
            continue  # a motion that is given stays
        was, now = getattr(old, f"{part}_encoding"), getattr(new, f"{part}_encoding")
        kind, kind_now = getattr(old, f"{part}_network"), getattr(new, f"{part}_network")
        if kind != kind_now:
            raise ValueError(f"its {part} has a network of another kind")
        prefix = f"params/{part}/"
        taken: Arrays = {name[len(prefix) :]: value for name, value in found.items() if name.startswith(prefix)}
        if "given" in taken:
            raise ValueError("its motion was that of another run")
        if was != now and kind.kind == "sum":
            taken = _other_sum(part, taken, was, now)
        elif was != now:
            taken = _more_levels(part, taken, was, now, params[part])
        params[part] = _replaced(params[part], taken, part)
    return replace(state, params=params)


def possible_starts(state: FitState, settings: FitSettings) -> Iterator[FitState]:
    """Give the states that a fit may well start from: the motion as it is, and at rest where it ended, or began.

    A later acquisition of the same sample begins where the one before has ended, not where that one began. Only a sum
    of levels can be held at a time; of perceptrons there is one state.

    Parameters
    ----------
    state
        From `start_from`.
    settings
        Of the fit that starts.
    """
    yield state
    encoding = settings.motion_encoding
    if "given" in state.params["motion"] or settings.motion_network.kind != "sum" or encoding.hash_entries_log2:
        return
    for moment in (-1, 0):
        held = jax.tree.map(partial(_held, moment=moment), state.params["motion"])
        yield replace(state, params={**state.params, "motion": held})


def _held(level: jax.Array, moment: int) -> jax.Array:
    """Repeat what a level (component, time, ...) has at its first or last time: corners of every level lie there."""
    return jnp.broadcast_to(level[:, moment][:, None], level.shape)


def with_finer_motion(encoding: EncodingSettings) -> EncodingSettings:
    """Add one level to a motion's encoding, finer along space by the factor that lies between its last two.

    The cells of all other levels stay, so that a motion is carried over as it is. Levels are geometric along time too:
    its finest cells stay, or grow by the least with which those of the other levels do.

    Parameters
    ----------
    encoding
        Its axes are (t, [z,] y, x).
    """
    n, cells = encoding.n_levels, level_cells(encoding)
    # Of one level there is no factor yet; it becomes the coarsest one.
    base = encoding.base_cells if n > 1 else encoding.fine_cells
    ratios = [(f / b) ** (1 / (n - 1)) if n > 1 else 2.0 for b, f in zip(base, encoding.fine_cells, strict=True)]
    space = [f * r for f, r in zip(encoding.fine_cells[1:], ratios[1:], strict=True)]
    changes = {"n_levels": n + 1, "base_cells": base}
    for share in np.linspace(0.0, 1.0, 65).tolist():
        fine = (encoding.fine_cells[0] * ratios[0] ** share, *space)
        finer = encoding.model_copy(update={**changes, "fine_cells": fine})
        if level_cells(finer)[:n] == cells:
            break
    return finer


def carried(old_levels: Sequence[NDArray[Any]], old_cells: Cells, new_cells: Cells) -> list[NDArray[np.float32]]:
    """Spread a sum of multilinear levels over other levels.

    It stays what it was where the cells of the new levels are the old ones, or parts of them; elsewhere it is
    smoothed by up to a cell.

    Parameters
    ----------
    old_levels
        Values at the corners of each level's cells: (feature, *corners).
    old_cells, new_cells
        Cells of the levels along each axis, from coarse to fine.

    Returns
    -------
    list
        Values at the corners of each new level.
    """
    n_features = old_levels[0].shape[0]
    new = [np.zeros((n_features, *(n + 1 for n in cells)), np.float32) for cells in new_cells]
    free = dict(enumerate(new_cells))
    for values, cells in zip(old_levels, old_cells, strict=True):
        same = next((k for k, other in free.items() if other == cells), None)
        if same is not None:
            # Each its own: levels whose cells are rounded to the same numbers stay as many.
            del free[same]
            new[same] += values
            continue
        finer = [k for k, other in enumerate(new_cells) if all(a >= b for a, b in zip(other, cells, strict=True))]
        target = finer[0] if finer else len(new) - 1
        axes = [np.linspace(0, n, m + 1) for n, m in zip(cells, new_cells[target], strict=True)]
        where = np.stack(np.meshgrid(*axes, indexing="ij"))
        new[target] += np.stack([map_coordinates(one, where, order=1, mode="nearest") for one in values])
    return new


def _other_sum(part: str, found: Arrays, old: EncodingSettings, new: EncodingSettings) -> Arrays:
    same_kind = old.hash_entries_log2 is None and new.hash_entries_log2 is None
    if not same_kind or len(old.base_cells) != len(new.base_cells):
        raise ValueError(f"its {part} has other levels, which are no sum over cells of the same axes")
    levels = [np.asarray(found[f"{_LEVEL}{k}"]) for k in range(old.n_levels)]
    spread = carried(levels, level_cells(old), level_cells(new))
    return {f"{_LEVEL}{k}": values for k, values in enumerate(spread)}


def _more_levels(part: str, found: Arrays, old: EncodingSettings, new: EncodingSettings, drawn: Any) -> Arrays:
    n = old.n_levels
    same_tables = (old.hash_entries_log2, old.n_features) == (new.hash_entries_log2, new.n_features)
    if not same_tables or level_cells(new)[:n] != level_cells(old):
        raise ValueError(f"its {part} has other levels, and a perceptron knows only those it was fitted with")
    taken = dict(found)
    tables = drawn["params"]["features"]
    taken |= {f"{_LEVEL}{k}": np.asarray(tables[f"level_{k}"]) for k in range(n, new.n_levels)}
    reads = next(name for name in _FIRST_LAYERS if name in found)
    further = np.zeros(((new.n_levels - n) * new.n_features, found[reads].shape[1]), found[reads].dtype)
    taken[reads] = np.concatenate([found[reads], further])
    return taken


def _replaced(tree: Any, found: Arrays, part: str) -> Any:
    leaves, shape = jax.tree_util.tree_flatten_with_path(tree)
    values = []
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name not in found or found[name].shape != leaf.shape:
            got = found[name].shape if name in found else "nothing"
            raise ValueError(f"its {part}/{name} has shape {got}, this model needs {leaf.shape}")
        if not math.isfinite(float(np.sum(found[name], dtype=np.float64))):
            raise ValueError(f"its {part} holds values that are no numbers")
        values.append(jnp.asarray(found[name], leaf.dtype))
    return jax.tree_util.tree_unflatten(shape, values)
