import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.imaging.diffusercam.rendering import KEY, batch, batches, forward

from napari_nstm.core.warp import Canvas
from napari_nstm.imaging.diffusercam.prepare import prepared, problem_at
from napari_nstm.imaging.diffusercam.problem import EDGE_REGULARIZATION


def test_an_epoch_shows_every_row_of_the_image_once(settings, raw):
    made = settings(shutter="single")
    given = raw((70, 48), 3)
    problem = problem_at(prepared(given, made), made, 0)
    assert problem.n_batches == 4
    orders = []
    for key in (KEY, jax.random.key(5)):
        image = np.zeros(problem.image.shape)
        firsts = []
        for index in range(4):
            times, (target, _, rows, counted) = batch(problem, key, jnp.asarray(index))
            assert times.shape == (problem.times.shape[1],)
            firsts.append(float(times[0]))
            there = np.asarray(counted) > 0
            image[:, np.asarray(rows)[there]] += np.asarray(target)[:, there]
        np.testing.assert_array_equal(image, problem.image)
        orders.append(firsts)
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_rows_that_another_window_has_do_not_count(settings, raw):
    made = settings(shutter="single")
    problem = problem_at(prepared(raw((50, 48)), made), made, 0)
    weights = [forward(problem, jnp.ones((len(c), 1, *problem.grid.shape)), data)[2] for c, data in batches(problem)]
    assert {w.shape for w in weights} == {(1, 20, 1, 1)}
    assert sum(float(w.sum()) for w in weights) == 50


def test_what_is_put_together_of_differences_is_the_measured_image(settings, raw):
    made = settings()
    given = raw((41, 47), 3)
    data = prepared(given, made)
    problem = problem_at(data, made, 0)
    parts = [(of, np.asarray(of[0])) for _, of in batches(problem)]
    np.testing.assert_allclose(problem.gathered(parts) * data.scale, given.frames, rtol=1e-6)


def test_the_penalty_is_of_what_is_negative_and_of_squared_slopes(settings, raw):
    inside = np.zeros((4, 1, 20, 24), np.float32)
    inside[..., 4:-4, 4:-4] = 2.0
    made = settings(nonnegativity=0.3, smoothness=0.0)
    problem = problem_at(prepared(raw(), made), made, 0)
    assert float(problem.penalty(jnp.asarray(inside))) == 0
    inside[0] *= -0.25
    share = 12 * 16 / (20 * 24)
    assert float(problem.penalty(jnp.asarray(inside))) == pytest.approx(0.3 * 0.25 * share / 4, rel=1e-5)
    made = settings(nonnegativity=0.3, smoothness=0.2)
    problem = problem_at(prepared(raw(), made), made, 0)
    y, x = np.mgrid[:20, :24] - np.array([9.5, 11.5])[:, None, None]
    blob = np.exp(-(y**2 + x**2) / (2 * 2**2))
    # The integral of its squared slope is pi, whatever its width; a difference of samples sees a little less.
    found = float(problem.penalty(jnp.asarray(np.broadcast_to(blob, inside.shape))))
    assert found == pytest.approx(0.2 * np.pi / (20 * 24), rel=0.08)


@pytest.mark.parametrize(("level", "rim"), [(0, 3), (1, 1), (2, 1)])
def test_a_rim_of_the_scene_is_kept_dark(settings, raw, level, rim):
    made = settings()
    problem = problem_at(prepared(raw(), made), made, level)
    h, w = problem.grid.padded_shape
    inside = np.zeros((2, 1, h, w), np.float32)
    inside[..., rim : h - rim, rim : w - rim] = 2.0
    assert float(problem.penalty(jnp.asarray(inside))) == 0
    share = 1 - (h - 2 * rim) * (w - 2 * rim) / (h * w)
    everywhere = float(problem.penalty(jnp.full((2, 1, h, w), 2.0)))
    assert everywhere == pytest.approx(EDGE_REGULARIZATION * 4 * share, rel=1e-5)


def test_a_scene_is_presented_in_counts(settings, raw):
    data = prepared(raw(n_colours=3), settings())
    problem = problem_at(data, settings(), 0)
    scene = np.random.default_rng(0).random((3, *problem.grid.shape)).astype(np.float32)
    np.testing.assert_allclose(problem.present(scene), data.scale * scene, rtol=1e-5)
    assert len(problem.presentation) == 3
    canvas = Canvas(scene, (0.0, 0.0), (1.0, 1.0), 1)
    assert problem.finish(canvas) is canvas
    assert problem.tunable == problem.refined() == {}
    assert problem.tuned({}) is problem


def test_images_of_one_shape_share_a_program(settings, raw):
    traces = []

    @jax.jit
    def loss(problem):
        traces.append(1)
        _, data = problem.batch(KEY, jnp.asarray(0))
        scene = jnp.ones((problem.times.shape[1], 1, *problem.grid.padded_shape))
        return problem.penalty(scene) + problem.forward(scene, data)[0].sum()

    for seed, changes in ((0, {}), (1, {"nonnegativity": 0.7, "row_time_us": 11.0, "exposure_us": 66.0})):
        made = settings(**changes)
        loss(problem_at(prepared(raw(seed=seed), made), made, 0))
    assert len(traces) == 1
