from dataclasses import replace

import numpy as np
import pytest
from tests.imaging.diffusercam.literal import literal_image, mask_of

from napari_nstm.imaging.diffusercam.conventional.operators import RollingOperator, StaticOperator, largest_gain
from napari_nstm.imaging.diffusercam.prepare import prepared
from napari_nstm.imaging.diffusercam.settings import ROLLING

SHAPES = [((40, 48), 0.5, 1, 1), ((41, 47), 1.0, 3, 1), ((43, 49), 0.5, 3, 3)]


@pytest.mark.parametrize("shutter", ROLLING)
@pytest.mark.parametrize(("shape", "fraction", "n_colours", "n_psf_colours"), SHAPES)
def test_a_rolling_shutter_makes_the_literal_sum(settings, raw, shutter, shape, fraction, n_colours, n_psf_colours):
    data = prepared(raw(shape, n_colours, n_psf_colours), settings(shutter=shutter, field_fraction=fraction))
    operator = RollingOperator.of(data)
    mask = mask_of(shutter, shape[0], 6)
    assert operator.movie_shape == (mask.shape[1], n_colours, *data.layout.grid.shape)
    movie = np.random.default_rng(1).random(operator.movie_shape, np.float32)
    expected = literal_image(movie, data.psf, mask / 6)
    np.testing.assert_allclose(operator.forward(movie), expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize(("shape", "fraction", "n_colours", "n_psf_colours"), SHAPES)
def test_a_scene_at_rest_makes_the_literal_image(settings, raw, shape, fraction, n_colours, n_psf_colours):
    data = prepared(raw(shape, n_colours, n_psf_colours), settings(field_fraction=fraction))
    operator = StaticOperator.of(data)
    scene = np.random.default_rng(1).random(operator.movie_shape, np.float32)
    assert scene.shape == (1, n_colours, *data.layout.grid.shape)
    expected = literal_image(scene, data.psf, np.ones((shape[0], 1)))
    np.testing.assert_allclose(operator.forward(scene), expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize("kind", [*ROLLING, "static"])
@pytest.mark.parametrize(("shape", "fraction", "n_colours", "n_psf_colours"), SHAPES)
def test_adjoints_are_adjoints(settings, raw, kind, shape, fraction, n_colours, n_psf_colours):
    given = raw(shape, n_colours, n_psf_colours)
    if kind == "static":
        operator = StaticOperator.of(prepared(given, settings(field_fraction=fraction)))
    else:
        # A shift and a step that leave rows alone, and the last cell half empty.
        changes = {"shutter_shift_rows": 1.25} if kind.startswith("dual") else {}
        made = settings(shutter=kind, field_fraction=fraction, exposure_us=75, time_step_rows=2, **changes)
        operator = RollingOperator.of(prepared(given, made))
    rng = np.random.default_rng(3)
    movie = rng.standard_normal(operator.movie_shape).astype(np.float32)
    image = rng.standard_normal((n_colours, *shape)).astype(np.float32)
    there, back = operator.forward(movie), operator.adjoint(image)
    assert back.shape == movie.shape
    size = np.linalg.norm(there) * np.linalg.norm(image)
    assert abs(np.vdot(there, image) - np.vdot(movie, back)) < 1e-5 * size


@pytest.mark.parametrize("kind", ["rolling", "static"])
def test_the_largest_gain_is_that_of_the_whole_matrix(settings, raw, kind):
    data = prepared(raw((12, 13)), settings(field_fraction=0.4, exposure_us=30))
    operator = RollingOperator.of(data) if kind == "rolling" else StaticOperator.of(data)
    shape = operator.movie_shape
    units = np.eye(np.prod(shape), dtype=np.float32).reshape(-1, *shape)
    matrix = np.stack([operator.forward(unit).ravel() for unit in units], axis=1)
    largest = np.linalg.norm(matrix.astype(float), 2) ** 2
    # From below, and so near that a tenth more is above.
    assert largest / 1.1 < largest_gain(operator) < largest * (1 + 1e-4)


def test_a_longer_step_is_a_coarser_movie(settings, raw):
    data = prepared(raw(), settings())
    operator = RollingOperator.of(replace(data, shutter=replace(data.shutter, step=data.shutter.duration / 5)))
    assert operator.movie_shape[0] == 5
    np.testing.assert_allclose(operator.weights.sum(axis=1), 1, atol=1e-6)
