import numpy as np
import pytest
from scipy.optimize import minimize

from napari_nstm.core.data import RawData
from napari_nstm.imaging.diffusercam.conventional.fista import denoise, fista
from napari_nstm.imaging.diffusercam.conventional.operators import RollingOperator, StaticOperator
from napari_nstm.imaging.diffusercam.prepare import prepared

WEIGHTS = (0.2, 0.1, 0.15)


def _variation(movie, weights):
    axes = zip(weights, (0, 2, 3), strict=True)
    return sum(weight * np.abs(np.diff(np.asarray(movie, float), axis=axis)).sum() for weight, axis in axes)


def _denoised(noisy, weights, n_steps):
    return denoise(noisy, weights, [np.zeros_like(noisy) for _ in weights], n_steps)


def _brute(noisy, weights):
    """Minimise as a quadratic programme: a bound for every difference, whose weighted sum is added."""
    n = noisy.size
    index = np.arange(n).reshape(noisy.shape)
    rows, costs = [], []
    for weight, axis in zip(weights, (0, 2, 3), strict=True):
        before = np.moveaxis(index, axis, 0)[:-1].ravel()
        after = np.moveaxis(index, axis, 0)[1:].ravel()
        for a, b in zip(before, after, strict=True):
            row = np.zeros(n)
            row[a], row[b] = -1, 1
            rows.append(row)
            costs.append(weight)
    differences, costs = np.array(rows), np.array(costs)
    m = len(costs)
    bounded = np.block([[-differences, np.eye(m)], [differences, np.eye(m)]])
    target = noisy.ravel().astype(float)
    start = np.maximum(target, 0)
    found = minimize(
        lambda z: 0.5 * np.sum((z[:n] - target) ** 2) + costs @ z[n:],
        np.concatenate([start, np.abs(differences @ start)]),
        jac=lambda z: np.concatenate([z[:n] - target, costs]),
        bounds=[(0, None)] * (n + m),
        constraints={"type": "ineq", "fun": lambda z: bounded @ z, "jac": lambda z: bounded},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    assert found.success
    return found.x[:n].reshape(noisy.shape)


def test_denoising_finds_what_a_general_minimiser_finds():
    noisy = np.random.default_rng(0).normal(0.4, 0.6, (2, 1, 3, 3)).astype(np.float32)
    expected = _brute(noisy, WEIGHTS)
    found = _denoised(noisy, WEIGHTS, 400)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert found.min() == 0
    assert np.abs(found - np.maximum(noisy, 0)).max() > 0.1


def test_nothing_near_a_denoised_movie_is_better():
    rng = np.random.default_rng(1)
    noisy = rng.normal(0.3, 0.5, (5, 3, 8, 9)).astype(np.float32)

    def cost(movie):
        return 0.5 * np.sum((np.asarray(movie, float) - noisy) ** 2) + _variation(movie, WEIGHTS)

    found = _denoised(noisy, WEIGHTS, 400)
    for size in (1e-2, 1e-1, 1.0):
        for _ in range(10):
            other = np.maximum(found + size * rng.standard_normal(found.shape), 0)
            assert cost(other) > cost(found)
    for other in (noisy.clip(0), np.full_like(noisy, noisy.mean()), 0.999 * found, 1.001 * found):
        assert cost(other) > cost(found) - 1e-5


def test_denoising_goes_on_from_where_it_ended():
    noisy = np.random.default_rng(1).normal(0.3, 0.5, (5, 1, 8, 9)).astype(np.float32)
    best = _denoised(noisy, WEIGHTS, 2000)
    dual = [np.zeros_like(noisy) for _ in WEIGHTS]
    off = [np.linalg.norm(denoise(noisy, WEIGHTS, dual) - best) for _ in range(12)]
    assert (np.diff(off) < 0).all()
    assert off[-1] < 0.25 * off[0]
    assert all(np.abs(part).max() <= weight + 1e-7 for part, weight in zip(dual, WEIGHTS, strict=True))


@pytest.mark.parametrize("weights", [(0.0, 0.0, 0.0), (0.0, 0.2, 0.0)])
def test_an_axis_without_a_weight_is_left_alone(weights):
    noisy = np.random.default_rng(2).normal(0.3, 0.5, (3, 1, 6, 7)).astype(np.float32)
    found = _denoised(noisy, weights, 300)
    if not any(weights):
        np.testing.assert_array_equal(found, np.maximum(noisy, 0))
        return
    alone = np.concatenate(
        [_denoised(noisy[t : t + 1, ..., x : x + 1], weights, 300) for t in range(3) for x in range(7)]
    )
    expected = alone.reshape(3, 7, 1, 6).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_very_large_weight_leaves_the_mean():
    noisy = np.random.default_rng(3).uniform(1, 2, (1, 1, 5, 6)).astype(np.float32)
    np.testing.assert_allclose(_denoised(noisy, (0.0, 50.0, 50.0), 3000), noisy.mean(), rtol=1e-3)


@pytest.fixture
def camera(settings):
    """A PSF of points, and a scene of a bright and a dim box: data without noise, the scene, and the settings."""
    rng = np.random.default_rng(0)
    psf = np.zeros((40, 48), np.float32)
    psf[rng.integers(8, 32, 25), rng.integers(8, 40, 25)] = 1
    made = settings(time_step_rows=None)
    scene = np.zeros((1, 1, 20, 24), np.float32)
    scene[..., 6:14, 5:12] = 900
    scene[..., 3:17, 15:20] = 400
    blank = prepared(RawData(np.ones((1, 40, 48), np.float32), {"psf": psf}), made)
    return prepared(RawData(StaticOperator.of(blank).forward(scene), {"psf": psf}), made), scene


def test_the_cost_goes_down(camera):
    data, _ = camera
    operator = RollingOperator.of(data)
    image = data.image / np.float32(data.scale)
    weights, costs = (1e-3, 1e-4, 1e-4), []

    def look(done, movie):
        assert movie.min() >= 0
        costs.append(0.5 * np.sum((operator.forward(movie) - image) ** 2) + _variation(movie, weights))
        return True

    fista(operator, image, weights, 60, look)
    assert len(costs) == 60
    at_zero = 0.5 * np.sum(image**2)
    marks = [at_zero, *(costs[k] for k in (0, 4, 14, 29, 59))]
    assert (np.diff(marks) < 0).all()
    assert costs[-1] < 0.02 * at_zero


def test_a_scene_at_rest_comes_back(camera):
    data, scene = camera
    found = fista(StaticOperator.of(data), data.image, (0.0, 0.02, 0.02), 300)
    assert found.shape == scene.shape
    assert found.min() >= 0
    # Of 900 counts; to see every pixel for itself it would have to be told from its neighbours by 40 x 48 numbers.
    assert np.sqrt(np.mean((found - scene) ** 2)) < 0.02 * scene.max()


def test_it_ends_when_it_is_told_to(camera):
    data, _ = camera
    operator, told = StaticOperator.of(data), []

    def go_on(done, movie):
        told.append(done)
        return done < 3

    stopped = fista(operator, data.image, (0.0, 0.1, 0.1), 50, go_on)
    assert told == [1, 2, 3]
    np.testing.assert_array_equal(stopped, fista(operator, data.image, (0.0, 0.1, 0.1), 3))
