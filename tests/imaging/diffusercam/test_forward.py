import jax
import numpy as np
import pytest
from tests.imaging.diffusercam.literal import literal_image, mask_of
from tests.imaging.diffusercam.rendering import batches, predict

from napari_nstm.core.data import RawData
from napari_nstm.imaging.diffusercam.conventional.operators import RollingOperator
from napari_nstm.imaging.diffusercam.prepare import prepared, problem_at


def _movie(problem, seed=1):
    shape = (len(problem.moments), len(problem.grid.channels), *problem.grid.padded_shape)
    return np.random.default_rng(seed).random(shape)


@pytest.mark.parametrize(
    ("shutter", "shape", "fraction", "n_colours", "n_psf_colours"),
    [
        ("dual", (40, 48), 0.5, 1, 1),
        ("dual", (41, 47), 1.0, 3, 1),
        ("dual", (43, 49), 0.5, 3, 3),
        ("dual_outward", (40, 47), 1.0, 3, 3),
        ("single", (41, 47), 0.5, 1, 1),
        ("single_reversed", (40, 49), 0.5, 3, 3),
        ("dual", (40, 48), 0.1, 1, 1),
    ],
)
def test_rows_are_those_of_the_literal_sum(settings, raw, shutter, shape, fraction, n_colours, n_psf_colours):
    """All windows put together are the image that a mask makes of every moment, convolved as a whole."""
    made = settings(shutter=shutter, field_fraction=fraction)
    data = prepared(raw(shape, n_colours, n_psf_colours), made)
    problem = problem_at(data, made, 0)
    movie = _movie(problem)
    image = predict(problem, movie)
    expected = literal_image(movie, data.psf, mask_of(shutter, shape[0], 6) / 6)
    assert image.shape == (n_colours, *shape)
    np.testing.assert_allclose(image, expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize(("shape", "n_colours", "n_psf_colours"), [((41, 47), 1, 1), ((43, 48), 3, 3)])
def test_a_global_shutter_sees_one_scene_as_a_whole(settings, raw, shape, n_colours, n_psf_colours):
    made = settings(shutter="global", field_fraction=1.0)
    data = prepared(raw(shape, n_colours, n_psf_colours), made)
    problem = problem_at(data, made, 0)
    assert (problem.n_batches, problem.moments.tolist()) == (1, [0.0])
    movie = _movie(problem)
    expected = literal_image(movie, data.psf, np.ones((shape[0], 1)))
    np.testing.assert_allclose(predict(problem, movie), expected, atol=1e-5 * expected.max())
    # As a rolling shutter would see what rests.
    rolling = problem_at(prepared(raw(shape, n_colours, n_psf_colours), settings(field_fraction=1.0)), settings(), 0)
    still = np.broadcast_to(movie, (len(rolling.moments), *movie.shape[1:]))
    np.testing.assert_allclose(predict(rolling, still), expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize("changes", [{"shutter_shift_rows": 2.5}, {"exposure_us": 83.0, "time_step_rows": None}])
def test_other_exposures_are_shares_of_moments_all_the_same(settings, raw, changes):
    made = settings(**changes)
    data = prepared(raw((41, 48)), made)
    problem = problem_at(data, made, 0)
    movie = _movie(problem)
    expected = literal_image(movie, data.psf, data.shutter.weights)
    np.testing.assert_allclose(predict(problem, movie), expected, atol=1e-5 * expected.max())


def test_a_point_in_the_middle_makes_the_psf_as_it_was_measured(settings, raw):
    for shutter in ("dual", "global"):
        made = settings(shutter=shutter)
        data = prepared(raw((41, 47)), made)
        problem = problem_at(data, made, 0)
        movie = np.zeros((len(problem.moments), 1, *problem.grid.shape))
        movie[:, :, problem.grid.shape[0] // 2, problem.grid.shape[1] // 2] = 1
        np.testing.assert_allclose(predict(problem, movie), data.psf, atol=1e-5 * data.psf.max())


@pytest.mark.parametrize(
    ("shutter", "n_psf_colours", "level"), [("dual", 1, 1), ("single", 1, 2), ("global", 3, 1), ("global", 1, 2)]
)
def test_a_coarse_scene_makes_the_image_of_the_fine_one(settings, shutter, n_psf_colours, level):
    """A scene and a PSF without frequencies beyond the coarsest samples'."""
    shape, rng = (72, 80), np.random.default_rng(0)
    at = np.mgrid[: shape[0], : shape[1]].astype(float)
    # At the coarsest Nyquist limit, 1/8 of a cycle per pixel, a Gaussian of s pixels has exp(-0.31 s^2) of its whole:
    # 2e-5 for the scene (s 6, 5 s from the edges), 7e-3 for the PSF (s 4). What the limit cuts is the product of both;
    # what is left of the PSF beyond the sensor once it is smoothed weighs more, some hundredth of its 7e-3.
    psf = np.zeros((n_psf_colours, *shape))
    for colour in range(n_psf_colours):
        for y, x in rng.uniform(20, 52, (12, 2)):
            psf[colour] += np.exp(-((at[0] - y) ** 2 + (at[1] - x) ** 2) / (2 * 4**2))
    image = np.ones((n_psf_colours, *shape)) + psf
    made = settings(shutter=shutter, field_fraction=1.0, exposure_us=200, time_step_rows=4)
    data = prepared(RawData(image.astype(np.float32), {"psf": psf}), made)
    fine, coarse = problem_at(data, made, 0), problem_at(data, made, level)
    middles = rng.uniform(32, 40, (len(fine.moments), 2))
    movie = np.exp(-sum((at[k] - middles[:, k, None, None]) ** 2 for k in (0, 1)) / (2 * 6**2))[:, None]
    movie = np.repeat(movie, n_psf_colours, axis=1)
    step = 2**level
    expected = predict(fine, movie)
    assert coarse.image.shape == fine.image.shape
    np.testing.assert_allclose(predict(coarse, movie[..., ::step, ::step]), expected, atol=1e-3 * expected.max())


@jax.jit
def _pulled_back(problem, scene, data, image):
    """Return the rows of an image that a window holds, what it renders, and the gradient of their product."""
    _, _, rows, counted = data
    rendered, pull = jax.vjp(lambda scene: problem.forward(scene, data)[0], scene)
    given = image[:, rows] * counted[None, :, :, None]
    return given, rendered, pull(given)[0]


@pytest.mark.parametrize(("shutter", "level"), [("dual", 0), ("dual", 2), ("single_reversed", 0), ("global", 1)])
def test_the_gradient_goes_by_the_adjoint(settings, raw, shutter, level):
    made = settings(shutter=shutter, field_fraction=0.5)
    data = prepared(raw((41, 48), 3, 3), made)
    problem = problem_at(data, made, level)
    image = np.random.default_rng(2).standard_normal(problem.image.shape).astype(np.float32)
    movie = _movie(problem).astype(np.float32)
    back = np.zeros(movie.shape)
    for cells, window in batches(problem):
        given, rendered, found = map(np.asarray, _pulled_back(problem, movie[cells], window, image))
        size = np.linalg.norm(given) * np.linalg.norm(rendered)
        assert abs(np.vdot(found, movie[cells]) - np.vdot(given, rendered)) < 1e-5 * size
        back[cells] += found
    if shutter != "global" and level == 0:
        # Written by hand, with numpy.
        expected = RollingOperator.of(data).adjoint(image)
        np.testing.assert_allclose(back, expected, atol=1e-5 * np.abs(expected).max())
