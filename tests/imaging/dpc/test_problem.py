import jax
import jax.numpy as jnp
import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.imaging.dpc.abbe import abbe
from napari_nstm.imaging.dpc.optics import Optics, transfer_functions
from napari_nstm.imaging.dpc.problem import MARGIN_PX, OUTSIDE_REGULARIZATION
from napari_nstm.imaging.fourier import fourier_resample

KEY = jax.random.key(0)


def _raw(n_frames=4, shape=(64, 72), seed=0):
    return RawData(1 + 0.01 * np.random.default_rng(seed).standard_normal((n_frames, *shape)).astype(np.float32))


@pytest.fixture
def problem(settings):
    return Dpc().prepare(_raw(), settings(), 0)


def _scene(problem, smooth, sigma=3.0):
    shape = problem.grid.padded_shape
    return np.stack([smooth((2, *shape), sigma=(0, sigma, sigma), rms=0.1, seed=k) for k in range(4)]).astype(
        np.float32
    )


def _predict(problem, scene):
    return np.asarray(problem.forward(jnp.asarray(scene), problem.batch(KEY, jnp.asarray(0))[1])[0])


def test_forward_is_the_sum_of_both_filtered_channels(problem, smooth):
    scene = _scene(problem, smooth)
    transfer = transfer_functions(Optics(0.525, 0.25, 0.25, 0.0, (90, 270, 0, 180)), problem.grid.padded_shape, 0.454)
    spectrum = np.fft.fft2(scene)
    expected = np.fft.ifft2(transfer.absorption * spectrum[:, 0]) + np.fft.ifft2(1j * transfer.phase * spectrum[:, 1])
    np.testing.assert_allclose(_predict(problem, scene), expected.real, atol=1e-5 * np.abs(expected).max())


def test_forward_agrees_with_the_sum_over_source_points(problem, smooth):
    weak = 0.02 * _scene(problem, smooth)
    optics = Optics(0.525, 0.25, 0.25, 0.0, (90, 270, 0, 180))
    exact = np.concatenate([abbe(weak[k, 1], weak[k, 0], optics, 0.454, (k,)) for k in range(4)]) - 1
    assert np.sqrt(np.mean((_predict(problem, weak) - exact) ** 2)) < 0.01 * exact.std()


def test_the_gradient_is_the_adjoint(problem):
    rng = np.random.default_rng(3)
    shape = problem.grid.padded_shape
    scene = jnp.asarray(rng.standard_normal((4, 2, *shape)), jnp.float32)
    frames = jnp.asarray(rng.standard_normal((4, *shape)), jnp.float32)
    data = problem.batch(KEY, jnp.asarray(0))[1]
    prediction, pull = jax.vjp(lambda s: problem.forward(s, data)[0], scene)
    (back,) = pull(frames)
    assert float(jnp.vdot(prediction, frames)) == pytest.approx(float(jnp.vdot(scene, back)), rel=1e-3)


@pytest.mark.parametrize("level", [1, 2])
def test_a_coarse_level_shows_the_same_as_the_fine_one(settings, smooth, level):
    raw, step = _raw(), 2**level
    fine, coarse = (Dpc().prepare(raw, settings(), k) for k in (0, level))
    rough = _scene(fine, smooth, sigma=1.0)
    scene = fourier_resample(fourier_resample(rough, coarse.grid.padded_shape), fine.grid.padded_shape)
    low_pass = fourier_resample(_predict(fine, scene), coarse.grid.padded_shape)
    found = _predict(coarse, scene[..., ::step, ::step])
    np.testing.assert_allclose(found, low_pass, atol=1e-5 * np.abs(low_pass).max())
    assert coarse.frames.shape == found.shape == coarse.batch(KEY, jnp.asarray(0))[1][0].shape


def test_only_pixels_inside_the_margin_count(settings):
    for level in (0, 1, 2):
        problem = Dpc().prepare(_raw(), settings(), level)
        *_, weight = problem.forward(
            jnp.zeros((4, 2, *problem.grid.padded_shape)), problem.batch(KEY, jnp.asarray(0))[1]
        )
        assert weight.shape == problem.frames.shape
        inside = np.asarray(weight)[(slice(None), *problem.grid.field_slices)]
        margin = max(2, -(-MARGIN_PX // 2**level))
        assert inside[:, margin:-margin, margin:-margin].min() == 1
        assert float(weight.sum()) == inside[:, margin:-margin, margin:-margin].size


def test_a_motionless_scene_may_be_given_once(problem, smooth):
    once = _scene(problem, smooth)[:1]
    np.testing.assert_allclose(_predict(problem, once), _predict(problem, np.repeat(once, 4, axis=0)), atol=1e-6)


def test_times_run_from_minus_one_to_one(settings):
    problem = Dpc().prepare(_raw(), settings(timestamps_ms=(10, 20, 40, 50)), 0)
    np.testing.assert_allclose(problem.frame_times, [-1, -0.5, 0.5, 1])
    np.testing.assert_allclose(Dpc().prepare(_raw(), settings(), 0).frame_times, [-1, -1 / 3, 1 / 3, 1], atol=1e-6)


def test_an_epoch_of_several_acquisitions_shows_every_frame_once_with_its_own_light(settings):
    problem = Dpc().prepare(_raw(12), settings(), 0)
    assert problem.n_batches == 3

    @jax.jit
    def epoch(problem, key):
        batches = [problem.batch(key, jnp.asarray(i)) for i in range(3)]
        return jnp.concatenate([t for t, _ in batches]), *(
            jnp.concatenate([d[k] for _, d in batches]) for k in range(3)
        )

    times, frames, absorption, phase = (np.asarray(a) for a in epoch(problem, KEY))
    order = [int(np.argmin(np.abs(np.asarray(problem.frame_times) - t))) for t in times]
    assert sorted(order) == list(range(12))
    assert order != list(range(12))
    np.testing.assert_array_equal(frames, np.asarray(problem.frames)[order])
    conditions = np.asarray(order) % 4
    np.testing.assert_array_equal(absorption, np.asarray(problem.absorption_transfer)[conditions])
    np.testing.assert_array_equal(phase, np.asarray(problem.phase_transfer)[conditions])
    other, *_ = epoch(problem, jax.random.key(1))
    assert not np.array_equal(other, times)


def test_data_of_one_shape_share_a_program(settings):
    traces = []

    @jax.jit
    def loss(problem):
        traces.append(1)
        return problem.penalty(jnp.ones((4, 2, *problem.grid.padded_shape)))

    loss(Dpc().prepare(_raw(), settings(), 0))
    loss(Dpc().prepare(_raw(seed=1), settings(regularization_phase=0.5, wavelength_um=0.53), 0))
    assert len(traces) == 1


def test_the_penalty_weighs_mean_squares_per_pixel_of_the_field(settings):
    problem = Dpc().prepare(_raw(), settings(regularization_phase=0.01, regularization_absorption=0.03), 0)
    scene = np.zeros((4, 2, *problem.grid.padded_shape), np.float32)
    counts = np.asarray(problem.weight) == 1
    share = counts.sum() / np.prod(problem.grid.field_shape)
    scene[:, 0, counts] = 0.5
    assert float(problem.penalty(jnp.asarray(scene))) == pytest.approx(0.03 * 0.25 * share, rel=1e-5)
    scene[:, 1, counts] = -2
    assert float(problem.penalty(jnp.asarray(scene))) == pytest.approx((0.03 * 0.25 + 0.01 * 4) * share, rel=1e-5)


def test_what_no_pixel_tells_of_is_penalised_more(settings):
    problem = Dpc().prepare(_raw(), settings(regularization_phase=0.01), 0)
    scene = np.zeros((4, 2, *problem.grid.padded_shape), np.float32)
    scene[:, 1, np.asarray(problem.weight) == 0] = 1
    outside = scene[0, 1].sum() / np.prod(problem.grid.field_shape)
    expected = (0.01 + OUTSIDE_REGULARIZATION) * outside
    assert float(problem.penalty(jnp.asarray(scene))) == pytest.approx(expected, rel=1e-5)


def test_phase_is_presented_with_zero_mean_and_absorption_as_it_is(problem):
    scene = np.random.default_rng(0).random((2, 30, 40)).astype(np.float32)
    shown = problem.present(scene)
    np.testing.assert_array_equal(shown[0], scene[0])
    np.testing.assert_allclose(shown[1], scene[1] - scene[1].mean(), atol=1e-6)


def test_a_level_that_does_not_exist_is_refused(settings):
    with pytest.raises(InputError, match="levels from 0 to 3"):
        Dpc().prepare(_raw(), settings(), 4)


def test_a_step_of_one_frame_renders_it_under_its_own_source(problem, smooth):
    scene = jnp.asarray(_scene(problem, smooth))
    together = _predict(problem, scene)
    single = problem.in_steps_of(1)
    assert single.n_batches == 4
    for index in range(4):
        times, data = single.batch(KEY, jnp.asarray(index))
        frame = int(np.argmin(np.abs(problem.frame_times - times[0])))
        alone = single.forward(scene[frame : frame + 1], data)
        np.testing.assert_allclose(alone[0][0], together[frame], atol=1e-6)
        np.testing.assert_array_equal(alone[1][0], problem.frames[frame])
    with pytest.raises(InputError, match=r"^fit.images_per_step: got 3 of 4 frames; takes 1 or 2 or 4$"):
        problem.in_steps_of(3)
