"""Readouts: from weighted features to values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from napari_nstm.core.settings import EncodingSettings, NetworkSettings
from napari_nstm.model.encoding import Axis, MultiresolutionEncoding, level_weights

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": jax.nn.gelu,
    "elu": jax.nn.elu,
    "relu": jax.nn.relu,
}
_OUTPUTS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
}


class FieldNetwork(nn.Module):
    """A field over the unit box: a multiresolution encoding and its readout.

    Parameters
    ----------
    encoding, network
        Their settings. With the readout `sum`, each level holds one feature per output.
    n_outputs
        Values at each position.
    """

    encoding: EncodingSettings
    network: NetworkSettings
    n_outputs: int

    def setup(self) -> None:
        """Create the encoding and, for a multilayer perceptron, its layers."""
        settings = self.encoding
        if self.network.kind == "sum":
            settings = settings.model_copy(update={"n_features": self.n_outputs})
        self.features = MultiresolutionEncoding(settings)
        if self.network.kind == "mlp":
            glorot = nn.initializers.glorot_uniform()
            self.hidden = [nn.Dense(self.network.width, kernel_init=glorot) for _ in range(self.network.depth)]
            self.last = nn.Dense(self.n_outputs, kernel_init=glorot)

    def draw(self) -> Float[Array, "1 output"]:
        """Create every weight without a query, which would take far longer to trace: for `init`."""
        n_levels = len(self.features.levels)
        if self.network.kind == "sum":
            return jnp.zeros((1, self.n_outputs))
        return self._read_out(jnp.zeros((1, n_levels * self.encoding.n_features)))

    def __call__(self, x: Float[Array, "... axis"], alpha: Float[Array, ""] | float) -> Float[Array, "... output"]:
        """Evaluate at positions `x` of the unit box with granularity `alpha`."""
        features = self.features(x) * level_weights(alpha, self.encoding.n_levels)[:, None]
        if self.network.kind == "sum":
            return self._finish(features.sum(axis=-2))
        return self._read_out(features.reshape(*features.shape[:-2], -1))

    def on_lattice(self, axes: Sequence[Axis], alpha: Float[Array, ""] | float) -> Float[Array, "output ..."]:
        """Evaluate on the product of `axes` (coordinates in the unit box)."""
        weights = level_weights(alpha, self.encoding.n_levels)
        if self.network.kind == "sum":
            return self._finish(self.features.sum_on_lattice(axes, weights))
        levels = [w * f for w, f in zip(weights, self.features.on_lattice(axes), strict=True)]
        features = jnp.moveaxis(jnp.concatenate(levels, axis=0), 0, -1)
        return jnp.moveaxis(self._read_out(features), -1, 0)

    def _read_out(self, x: Float[Array, "... feature"]) -> Float[Array, "... output"]:
        for layer in self.hidden:
            x = _ACTIVATIONS[self.network.activation](layer(x))
        return self._finish(self.last(x))

    def _finish(self, x: Array) -> Array:
        return _OUTPUTS[self.network.output](x)
