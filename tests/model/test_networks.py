from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from napari_nstm.core.settings import EncodingSettings, NetworkSettings
from napari_nstm.model.encoding import level_weights
from napari_nstm.model.networks import FieldNetwork

AXES = [np.linspace(0, 1, n, dtype=np.float32) for n in (6, 5)]
POINTS = np.stack(np.meshgrid(*AXES, indexing="ij"), axis=-1)


def field_network(kind, hashed=None, output="linear", n_outputs=2, n_features=2, init_scale=1.0):
    encoding = EncodingSettings(
        n_levels=4,
        n_features=n_features,
        base_cells=(1.0, 1.0),
        fine_cells=(8.0, 8.0),
        hash_entries_log2=hashed,
        init_scale=init_scale,
    )
    network = NetworkSettings(kind=kind, width=8, depth=2, activation="gelu", output=output)
    field = FieldNetwork(encoding, network, n_outputs)
    weights = jax.jit(field.init)(jax.random.key(0), jnp.zeros((1, 2)), 1.0)
    compiled = jax.jit(field.apply, static_argnames=("method",))
    return lambda *args, **kwargs: np.asarray(compiled(*args, **kwargs)), weights


def features_of(field, x):
    return field.features(x)


@pytest.mark.parametrize("hashed", [None, 8])
@pytest.mark.parametrize("kind", ["sum", "mlp"])
def test_a_lattice_equals_its_points(kind, hashed):
    apply, weights = field_network(kind, hashed)
    for alpha in (0.0, 0.4, 1.0):
        values = apply(weights, POINTS, alpha)
        lattice = apply(weights, AXES, alpha, method="on_lattice")
        assert values.shape == (6, 5, 2)
        np.testing.assert_allclose(np.moveaxis(lattice, 0, -1), values, atol=1e-5)


def test_a_sum_adds_the_open_levels():
    apply, weights = field_network("sum")
    levels = apply(weights, POINTS, method=features_of)
    for alpha in (0.0, 0.3, 1.0):
        expected = np.einsum("...lf,l->...f", levels, level_weights(alpha, 4))
        np.testing.assert_allclose(apply(weights, POINTS, alpha), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["sum", "mlp"])
def test_no_detail_before_granularity_grows(kind):
    apply, weights = field_network(kind)
    assert np.ptp(apply(weights, POINTS, 0.0)) < 1e-6
    assert np.ptp(apply(weights, POINTS, 0.26)[..., 0]) > 0.01
    # While only the first level of one cell is open, the field is bilinear: its second differences vanish.
    apply, weights = field_network("sum")
    coarse = np.asarray(apply(weights, POINTS, 0.25))
    np.testing.assert_allclose(np.diff(coarse, n=2, axis=0), 0, atol=1e-5)


def test_the_perceptron_is_the_one_that_was_asked_for():
    apply, weights = field_network("mlp")
    w = jax.tree.map(np.asarray, weights["params"])
    assert w["hidden_0"]["kernel"].shape == (8, 8)  # 4 levels x 2 features -> width
    assert w["hidden_1"]["kernel"].shape == (8, 8)
    assert w["last"]["kernel"].shape == (8, 2)
    x = apply(weights, POINTS, method=features_of).reshape(6, 5, 8)
    for name in ("hidden_0", "hidden_1"):
        x = np.asarray(jax.nn.gelu(np.asarray(x @ w[name]["kernel"] + w[name]["bias"])))
    expected = x @ w["last"]["kernel"] + w["last"]["bias"]
    np.testing.assert_allclose(apply(weights, POINTS, 1.0), expected, atol=1e-5)


def test_an_elu_at_the_end_keeps_values_above_minus_1():
    apply, weights = field_network("sum", output="elu")
    linear, _ = field_network("sum")
    plain = np.asarray(linear(weights, POINTS, 1.0)) - 2.0
    shifted = {"params": {"features": dict(weights["params"]["features"])}}
    shifted["params"]["features"]["level_0"] = weights["params"]["features"]["level_0"] - 2.0
    bent = np.asarray(apply(shifted, POINTS, 1.0))
    np.testing.assert_allclose(bent, np.where(plain > 0, plain, np.expm1(plain)), atol=1e-5)
    assert (bent > -1).all()


@pytest.mark.parametrize("kind", ["sum", "mlp"])
def test_a_softplus_at_the_end_keeps_values_positive(kind):
    apply, weights = field_network(kind, output="softplus")
    linear, _ = field_network(kind)
    lowered = {"params": jax.tree.map(np.array, weights["params"])}
    part, name = ("features", "level_0") if kind == "sum" else ("last", "bias")
    lowered["params"][part][name] -= 2.0
    weights, plain = lowered, linear(lowered, POINTS, 1.0)
    assert plain.min() < -0.5
    for alpha in (0.0, 0.4, 1.0):
        assert apply(weights, POINTS, alpha).min() > 0
        assert apply(weights, AXES, alpha, method="on_lattice").min() > 0
    np.testing.assert_allclose(apply(weights, POINTS, 1.0), np.logaddexp(plain, 0), atol=1e-5)


def test_what_is_fitted_starts_at_almost_nothing():
    apply, weights = field_network("sum", init_scale=1e-4)
    assert np.abs(apply(weights, POINTS, 1.0)).max() < 4e-4
