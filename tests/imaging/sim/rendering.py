"""Frames of a scene as a problem renders them, and an OTF like none of theory."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from napari_nstm.imaging.sim.otf import OtfTable

KEY = jax.random.key(0)


@jax.jit
def forward(problem, scene):
    return problem.forward(scene, problem.batch(KEY, jnp.asarray(0))[1])


def all_at_once(problem):
    return replace(problem, images_per_step=len(problem.frames))


def predict(problem, scene):
    """Render all frames, in their order, of a scene that is given once or for each of them."""
    return np.asarray(forward(all_at_once(problem), jnp.asarray(scene, jnp.float32))[0])


def own_table(data, n_tables, seed=0):
    """A table like none of theory: another one for each orientation and order, lopsided in depth."""
    rng = np.random.default_rng(seed)
    theory = data.table
    shape = (n_tables, data.light.n_orders, *theory.values.shape[2:])
    ramp = 1 + 0.5 * rng.standard_normal((*shape[:2], 1, 1)) * np.linspace(0, 1, shape[2])[:, None]
    return OtfTable(
        theory.values[:1, :1] * ramp * rng.uniform(0.3, 1, (*shape[:2], 1, shape[3])),
        theory.kr_step_per_um,
        theory.depths_um,
    )
