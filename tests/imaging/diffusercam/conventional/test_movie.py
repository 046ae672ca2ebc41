import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.imaging.diffusercam.conventional import fista_tv_movie, static_image
from napari_nstm.imaging.diffusercam.conventional.operators import RollingOperator
from napari_nstm.imaging.diffusercam.prepare import prepared


@pytest.fixture
def seen(settings):
    """Expose a movie (moment of the lattice, colour, y, x) that a function of the times draws, through points."""

    def make(draw, n_colours=1):
        rng = np.random.default_rng(0)
        psf = np.zeros((40, 48), np.float32)
        psf[rng.integers(8, 32, 25), rng.integers(8, 40, 25)] = 1
        blank = prepared(RawData(np.ones((n_colours, 40, 48), np.float32), {"psf": psf}), settings())
        movie = np.stack([draw(t) for t in blank.shutter.times]).astype(np.float32)
        return prepared(RawData(RollingOperator.of(blank).forward(movie), {"psf": psf}), settings())

    return make


def _box(t, n_colours=1, height=900.0):
    """Fades in from 0 to its height over the acquisition."""
    scene = np.zeros((n_colours, 20, 24))
    scene[:, 6:14, 8:16] = height * (t + 1) / 2 * np.arange(1, n_colours + 1)[:, None, None]
    return scene


def test_what_rests_comes_back_in_counts_of_every_colour(seen):
    data = seen(lambda t: _box(1.0, 3), 3)
    found = static_image(data, 1e-5, 200)
    assert found.shape == (3, 20, 24)
    np.testing.assert_allclose(found[:, 7:13, 9:15].mean(axis=(1, 2)), [900, 1800, 2700], rtol=0.02)
    assert np.abs(found[:, :4]).max() < 100
    assert found.min() >= 0


def test_the_weight_of_a_static_image_is_the_same_for_bright_and_dim_images(seen):
    bright, dim = (static_image(seen(lambda t, h=h: _box(1.0, height=h)), 1e-3, 50) for h in (900, 9))
    np.testing.assert_allclose(bright, 100 * dim, rtol=1e-3, atol=1)


def test_a_movie_tells_moments_apart(seen):
    data = seen(_box)
    times = np.linspace(-1, 1, 8)
    movie = fista_tv_movie(data, times, (3e-5, 3e-5), 150)
    assert movie.shape == (8, 1, 20, 24)
    assert movie.min() >= 0
    level = movie[:, 0, 8:12, 10:14].mean(axis=(1, 2))
    # Its first and last moments are seen by few rows: in the middle it grows by 450 a unit of time.
    slope = np.polyfit(times[2:-2], level[2:-2], 1)[0]
    assert slope == pytest.approx(450, rel=0.15)
    assert (np.diff(level) > -1).all()


def test_moments_between_those_that_are_reconstructed_are_between_them(seen):
    data = seen(_box)
    middles = (np.arange(4) + 0.5) / 2 - 1
    at = fista_tv_movie(data, middles, (1e-4, 1e-4), 10)
    between = fista_tv_movie(data, np.array([-1.0, -0.5, 0.125, 1.0]), (1e-4, 1e-4), 10)
    expected = np.stack([at[0], 0.5 * (at[0] + at[1]), 0.25 * at[1] + 0.75 * at[2], at[3]])
    np.testing.assert_allclose(between, expected, atol=1e-3)
    assert np.abs(at[0] - at[3]).max() > 10
    # One is between two.
    assert fista_tv_movie(data, np.array([0.0]), (1e-4, 1e-4), 2).shape == (1, 1, 20, 24)


def test_it_gives_what_it_has_reached_when_it_is_told_to_end(seen):
    data, told = seen(_box), []

    def go_on(done):
        told.append(done)
        return done < 4

    times = np.linspace(-1, 1, 5)
    stopped = fista_tv_movie(data, times, (1e-4, 1e-4), 100, go_on)
    assert told == [1, 2, 3, 4]
    np.testing.assert_array_equal(stopped, fista_tv_movie(data, times, (1e-4, 1e-4), 4))
    assert stopped.max() > 0


def test_both_weights_are_used_where_they_belong(seen):
    data = seen(_box)
    times = np.linspace(-1, 1, 6)
    still = fista_tv_movie(data, times, (1.0, 0.0), 40)
    flat = fista_tv_movie(data, times, (0.0, 1.0), 40)
    in_time, in_space = ([np.abs(np.diff(movie, axis=a)).sum() for movie in (still, flat)] for a in (0, 2))
    assert in_time[0] < 0.05 * in_time[1]
    assert in_space[1] < 0.25 * in_space[0]
