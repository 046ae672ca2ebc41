from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.imaging.sim.rendering import KEY, own_table, predict

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import Canvas
from napari_nstm.imaging.fourier import fourier_resample
from napari_nstm.imaging.sim.prepare import prepared, problem_at
from napari_nstm.imaging.sim.problem import MARGIN_PX, OUTSIDE_REGULARIZATION


def test_frames_of_a_coarse_level_hold_what_the_fine_ones_do(settings, stack):
    made = settings()
    data = prepared(stack(15, (48, 48)), made)
    fine, coarse = (problem_at(data, made, level) for level in (0, 1))
    expected = fourier_resample(np.asarray(fine.frames), coarse.layout.frame_shape)
    np.testing.assert_allclose(coarse.frames, expected, atol=1e-6)
    inside = np.asarray(fine.frames)[(slice(None), *fine.frame_field)]
    np.testing.assert_allclose(inside * data.scale, data.frames.images, rtol=1e-5)


@pytest.mark.parametrize("shape", [(33, 40), (3, 33, 40)])
@pytest.mark.parametrize("level", [0, 1])
def test_pixels_count_within_the_field_but_for_a_band_along_its_edges(settings, volume, stack, shape, level):
    made = (volume if len(shape) == 3 else settings)()
    problem = problem_at(prepared(stack(15 * (shape[0] if len(shape) == 3 else 1)), made), made, level)
    weight = problem.weight
    assert weight.shape == problem.frames.shape[1:]
    for axis, (part, step) in enumerate(zip(problem.frame_field, problem.layout.frame_spacing_px, strict=True)):
        counts = np.flatnonzero(np.asarray(weight).any(axis=tuple({*range(len(shape))} - {axis})))
        margin = 0 if len(shape) == 3 and axis == 0 else max(2, MARGIN_PX / step)
        assert counts[0] - part.start == part.stop - 1 - counts[-1] == margin
    assert set(np.unique(weight)) == {0, 1}


def test_frame_times_run_from_minus_one_to_one(settings, stack):
    times = (0, 10, 20, 40, *range(100, 110), 200)
    problem = problem_at(prepared(stack(), settings(timestamps_ms=times)), settings(timestamps_ms=times), 0)
    np.testing.assert_allclose(problem.frame_times, np.asarray(times) / 100 - 1, atol=1e-6)


def test_an_epoch_shows_every_frame_once_with_its_own_light(settings, stack):
    made = settings(phases_rad=tuple(np.arange(30) / 5), modulation_1=(0.8, 0.7, 0.6))
    data = prepared(stack(30), made)
    data = replace(data, table=own_table(data, 3))
    problem = replace(problem_at(data, made, 0), images_per_step=5)
    assert problem.n_batches == 6

    @jax.jit
    def epoch(problem, key):
        batches = [problem.batch(key, jnp.asarray(i)) for i in range(6)]
        return jax.tree.map(lambda *parts: jnp.concatenate(parts), *batches)

    times, (frames, (vectors, phases, depths, brightness), transfer) = epoch(problem, KEY)
    order = [int(np.argmin(np.abs(np.asarray(problem.frame_times) - t))) for t in np.asarray(times)]
    assert sorted(order) == list(range(30))
    assert order != list(range(30))
    of = np.asarray(problem.orientation)[order]
    np.testing.assert_array_equal(frames, np.asarray(problem.frames)[order])
    np.testing.assert_array_equal(phases, np.asarray(problem.phases)[order])
    np.testing.assert_array_equal(brightness, np.asarray(problem.intensities)[order])
    np.testing.assert_array_equal(vectors, np.asarray(problem.vectors)[of])
    np.testing.assert_array_equal(depths, np.asarray(problem.depths)[of])
    np.testing.assert_array_equal(transfer, np.asarray(problem.transfer)[of])
    assert not np.array_equal(epoch(problem, jax.random.key(1))[0], times)


@pytest.mark.parametrize("shape", [(33, 40), (3, 33, 40)])
def test_the_penalty_is_of_what_is_negative_and_of_what_lies_outside(settings, volume, stack, shape):
    made = (volume if len(shape) == 3 else settings)(nonnegativity=0.3)
    problem = problem_at(prepared(stack(15 * (shape[0] if len(shape) == 3 else 1)), made), made, 0)
    field = (..., *problem.grid.field_slices)
    inside = np.zeros((4, 1, *problem.grid.padded_shape), np.float32)
    inside[field] = 2.0
    assert float(problem.penalty(jnp.asarray(inside))) == 0
    inside[0][field] = -0.5
    assert float(problem.penalty(jnp.asarray(inside))) == pytest.approx(0.3 * 0.5 / 4, rel=1e-5)
    outside = np.full_like(inside, 2.0)
    outside[field] = 0
    share = np.count_nonzero(outside) / 4 / np.prod(problem.grid.field_shape)
    assert float(problem.penalty(jnp.asarray(outside))) == pytest.approx(4 * OUTSIDE_REGULARIZATION * share, rel=1e-5)


@pytest.mark.parametrize(("shape", "level"), [((33, 40), 0), ((33, 40), 1), ((3, 33, 40), 0)])
def test_the_penalty_is_of_squared_slopes_per_sample_of_the_result(settings, volume, stack, shape, level):
    made = (volume if len(shape) == 3 else settings)(smoothness=0.2, nonnegativity=0)
    problem = problem_at(prepared(stack(15 * (shape[0] if len(shape) == 3 else 1)), made), made, level)
    grid = problem.grid
    at = [np.arange(n) * step for n, step in zip(grid.padded_shape, grid.step, strict=True)]
    # Within the field, and gone before its edges, lest what lies outside be weighed as well.
    y, x = (a - p[0] - n / 2 for a, p, n in zip(at[-2:], grid.padding[-2:], grid.shape[-2:], strict=True))
    blob = np.exp(-0.5 * (y[:, None] ** 2 + x**2) / 6**2)
    scene = np.zeros((2, 1, *grid.padded_shape))
    scene[..., *((3,) * (len(shape) - 2)), :, :] = blob
    # The integral of its squared slope is pi, that of its square pi sigma^2, in samples at full size.
    uneven = np.pi
    if len(shape) == 3:
        uneven += 2 * np.pi * 6**2 / (0.15 / grid.pixel_size_um[-1]) ** 2
    expected = 0.2 * uneven / np.prod(grid.shape)
    assert float(problem.penalty(jnp.asarray(scene))) == pytest.approx(expected, rel=0.03)


def test_data_of_one_shape_share_a_program(settings, stack):
    traces = []

    @jax.jit
    def loss(problem, key):
        traces.append(1)
        _, data = problem.batch(key, jnp.asarray(0))
        scene = jnp.ones((15, 1, *problem.grid.padded_shape))
        return problem.penalty(scene) + problem.forward(scene, data)[0].sum()

    for seed, changes in ((0, {}), (1, {"modulation_1": 0.5, "nonnegativity": 0.1, "phases_rad": tuple(range(15))})):
        made = settings(**changes)
        loss(problem_at(prepared(stack(seed=seed), made), made, 0), KEY)
    assert len(traces) == 1


def test_a_scene_is_presented_in_counts_without_what_no_frame_carries(settings, stack):
    data = prepared(stack(), settings())
    problem = problem_at(data, settings(), 0)
    y, x = np.mgrid[:30, :40]
    smooth = 2 + np.cos(np.pi * (y + 0.5) / 15) * np.cos(np.pi * (x + 0.5) / 20)  # no edge when mirrored
    finest = 0.3 * np.cos(np.pi * (x + y))  # 11.5 cycles/um along each axis, beyond every support
    shown = problem.present((smooth + finest)[None].astype(np.float32))
    np.testing.assert_allclose(shown[0, 4:-4, 4:-4], data.scale * smooth[4:-4, 4:-4], rtol=0.03)


@pytest.mark.parametrize("shape", [(33, 40), (3, 33, 34)])
def test_an_apodised_scene_is_the_scene_behind_its_filter(settings, volume, stack, shape):
    made = (volume if len(shape) == 3 else settings)(enlarge=1.5)
    raw = stack(15 * (1 if len(shape) == 2 else shape[0]), shape[-2:])
    plain = problem_at(prepared(raw, made), made, 0)
    made = made.model_copy(update={"apodised": True})
    apodised = problem_at(prepared(raw, made), made, 0)
    learned = np.random.default_rng(0).random((1, *plain.grid.padded_shape)).astype(np.float32)
    axes = tuple(range(-len(shape), 0))
    spectrum = np.fft.rfftn(learned, axes=axes)
    scene = np.fft.irfftn(spectrum * np.asarray(apodised.sharpening), s=plain.grid.padded_shape, axes=axes)
    np.testing.assert_allclose(predict(apodised, learned), predict(plain, scene), atol=2e-3)
    gain = np.asarray(apodised.sharpening)
    assert gain.flat[0] == 1
    assert gain.max() == pytest.approx(100, rel=1e-3)


@pytest.mark.parametrize("shape", [(33, 40), (3, 33, 40)])
def test_what_is_shown_keeps_what_frames_carry_and_loses_what_none_does(settings, volume, stack, shape):
    made = (volume if len(shape) == 3 else settings)()
    problem = problem_at(prepared(stack(15 * (shape[0] if len(shape) == 3 else 1)), made), made, 0)
    spacing = tuple(0.5 if axis >= len(shape) - 2 else 1.0 for axis in range(len(shape)))
    n = (7, 96, 96)[-len(shape) :]
    pixel = problem.grid.pixel_size_um[-1] / 2
    y, x = (np.arange(96) - 48) * pixel, (np.arange(96) - 48) * pixel
    window = np.exp(-0.5 * (y[:, None] ** 2 + x**2) / 0.3**2) * np.ones(n)
    # Stripes of 2.38 cycles per um carry up to 9.4 along x.
    for frequency, remains in ((8.0, 1.0), (11.0, 0.0)):
        wave = (window * np.cos(2 * np.pi * frequency * x)).astype(np.float32)
        finished = problem.finish(Canvas(wave[None], (0.0,) * len(shape), spacing, order=1))
        assert (finished.order, finished.spacing_px) == (3, spacing)
        for shift in (0.0, 0.5):
            index = np.stack(np.meshgrid(*(np.arange(m, dtype=np.float32) for m in n), indexing="ij"))
            index[-1] += shift
            shown = finished.at(index * np.asarray(spacing, np.float32).reshape(-1, *(1,) * len(shape)))[0]
            moved = x + shift * pixel
            expected = np.exp(-0.5 * (y[:, None] ** 2 + moved**2) / 0.3**2) * np.cos(2 * np.pi * frequency * moved)
            middle = (n[0] // 2,) * (len(shape) - 2)
            np.testing.assert_allclose(shown[middle], remains * expected, atol=0.02)


@pytest.mark.parametrize(
    ("refine", "names"),
    [
        ("nothing", set()),
        ("phases", {"shifts"}),
        ("modulation", {"scales"}),
        ("both", {"shifts", "scales"}),
    ],
)
def test_what_is_refined_is_the_light_of_the_frames(settings, stack, refine, names):
    made = settings(refine=refine, modulation_2=0.5)
    raw = stack()
    problem = problem_at(prepared(raw, made), made, 0)
    assert set(problem.tunable) == names
    assert all(float(jnp.abs(values).max()) == 0 for values in problem.tunable.values())
    changes = {
        name: jnp.asarray(np.random.default_rng(0).normal(0, 0.1, values.shape), jnp.float32)
        for name, values in problem.tunable.items()
    }
    tuned = problem.tuned(changes)
    shifts, scales = (np.asarray(changes.get(name, 0.0)) for name in ("shifts", "scales"))
    phases = np.asarray(made.phases_rad) + shifts
    depths = np.broadcast_to((0.8, 0.5), (3, 2)) * (1 + scales)
    other = settings(
        phases_rad=tuple(phases), modulation_1=tuple(depths[:, 0]), modulation_2=tuple(depths[:, 1]), refine=refine
    )
    scene = np.random.default_rng(1).random((1, 1, *problem.grid.padded_shape))
    expected = predict(problem_at(prepared(raw, other), other, 0), scene)
    np.testing.assert_allclose(predict(tuned, scene), expected, atol=1e-4 * expected.max())
    refined = tuned.refined()
    if "shifts" in names:
        np.testing.assert_allclose(refined["phases_rad"], phases, atol=1e-5)
    if "scales" in names:
        np.testing.assert_allclose(refined["modulation_1"], depths[:, 0], atol=1e-5)
        np.testing.assert_allclose(refined["modulation_2"], depths[:, 1], atol=1e-5)
    assert bool(refined) == bool(names)


def test_fewer_images_in_a_step_show_every_frame_once(settings, stack):
    made = settings()
    problem = problem_at(prepared(stack(15), made), made, 0).in_steps_of(5)
    assert problem.n_batches == 3
    times = [problem.batch(jax.random.key(3), jnp.asarray(k))[0] for k in range(3)]
    np.testing.assert_array_equal(np.sort(np.concatenate(times)), problem.frame_times)
    with pytest.raises(InputError, match=r"^fit.images_per_step: got 4 of 15 frames; takes 1 or 3 or 5 or 15$"):
        problem.in_steps_of(4)
