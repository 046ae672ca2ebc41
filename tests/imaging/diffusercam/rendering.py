"""Images of a movie as a problem renders them: window by window, as a fit does."""

import jax
import jax.numpy as jnp
import numpy as np

KEY = jax.random.key(0)


@jax.jit
def forward(problem, scene, data):
    return problem.forward(scene, data)


@jax.jit
def batch(problem, key, index):
    return problem.batch(key, index)


def batches(problem):
    """Give each window's moments, as indices of the lattice, and its data, in the order of an epoch."""
    for index in range(problem.n_batches):
        times, data = batch(problem, KEY, jnp.asarray(index))
        yield np.argmin(np.abs(np.asarray(problem.moments)[:, None] - np.asarray(times)), axis=0), data


def predict(problem, movie):
    """Render the image (colour, y, x) of a movie (moment of the lattice, colour, y, x)."""
    parts = []
    for cells, data in batches(problem):
        prediction, _, _ = forward(problem, jnp.asarray(movie[cells], jnp.float32), data)
        parts.append((data, np.asarray(prediction)))
    return problem.gathered(parts)
