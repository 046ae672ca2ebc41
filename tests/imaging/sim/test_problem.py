from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.imaging.sim.point import OPTICS, radial_psf

from napari_nstm.core.data import RawData
from napari_nstm.core.warp import Canvas
from napari_nstm.imaging.fourier import fourier_resample
from napari_nstm.imaging.sim.optics import given_vectors, stripes
from napari_nstm.imaging.sim.otf import OtfTable
from napari_nstm.imaging.sim.prepare import prepared, problem_at
from napari_nstm.imaging.sim.problem import MARGIN_PX, OUTSIDE_REGULARIZATION

KEY = jax.random.key(0)


@jax.jit
def _forward(problem, scene):
    return problem.forward(scene, problem.batch(KEY, jnp.asarray(0))[1])


def _all_at_once(problem):
    return replace(problem, images_per_step=len(problem.frames))


def _predict(problem, scene):
    """Render all frames, in their order, of a scene that is given once or for each of them."""
    return np.asarray(_forward(_all_at_once(problem), jnp.asarray(scene, jnp.float32))[0])


def _points(problem, n=4, seed=0):
    """Samples of the padded scene within the field, and how bright they are."""
    rng = np.random.default_rng(seed)
    at = np.stack([rng.integers(part.start, part.stop, n) for part in problem.grid.field_slices], axis=-1)
    return at, rng.uniform(0.5, 2, n)


def _scene_of(problem, at, amplitudes):
    scene = np.zeros((1, 1, *problem.grid.padded_shape), np.float32)
    np.add.at(scene[0, 0], tuple(at.T), amplitudes)
    return scene


def _place_um(problem, sample):
    """Place (y, x) of a sample of the padded scene, from the middle pixel of the field."""
    grid, (rows, columns) = problem.grid, problem.layout.raw.shape[-2:]
    raw_px = np.asarray([rows // 2, columns // 2])
    own_px = np.asarray(grid.padded_origin[-2:]) + np.asarray(grid.step[-2:]) * sample[-2:]
    return own_px * grid.pixel_size_um[-1] - raw_px * problem.layout.raw.pixel_size_um[-1]


def _point_image(problem, table, order, orientation, sample):
    """Image of one point: the sum of all waves that a padded frame holds, each as strong as the OTF passes it."""
    layout = problem.layout
    extent_um = np.asarray(layout.raw.padded_extent[-2:]) * layout.raw.pixel_size_um[-1]
    waves, phasors = [], []
    for axis, n in enumerate(layout.frame_shape[-2:]):
        k = np.arange(-((n - 1) // 2), (n - 1) // 2 + 1) / extent_um[axis]
        at_um = np.arange(n) * extent_um[axis] / n
        point_um = sample[axis - 2] * extent_um[axis] / problem.grid.padded_shape[axis - 2]
        waves.append(k)
        phasors.append(np.exp(2j * np.pi * np.outer(at_um - point_um, k)))
    kr = np.hypot(waves[0][:, None], waves[1])
    values = table.values[orientation if len(table.values) > 1 else 0, order]
    n_planes = layout.frame_shape[0] if len(layout.frame_shape) == 3 else 1
    images = []
    for plane in range(n_planes):
        depth = (plane - sample[0]) % n_planes if n_planes > 1 else 0
        passed = np.interp(kr, table.kr_step_per_um * np.arange(values.shape[0]), values[:, depth], right=0)
        images.append((phasors[0] @ passed @ phasors[1].T).real)
    # A scene sample's share of the extent.
    images = np.stack(images) / np.prod(problem.grid.padded_shape[-2:])
    return images if len(layout.frame_shape) == 3 else images[0]


def _direct(data, problem, at, amplitudes, frames):
    """The light on each point, summed over orders, times its image."""
    light, found = data.light, []
    for frame in frames:
        d, total = int(data.frames.orientation[frame]), 0.0
        for sample, amplitude in zip(at, amplitudes, strict=True):
            a = 2 * np.pi * light.vectors_per_um[d] @ _place_um(problem, sample) + light.phases_rad[frame]
            for order, depth in enumerate(light.depths[d]):
                image = _point_image(problem, data.table, order, d, sample)
                total = total + amplitude * depth * np.cos(order * a) * image
        found.append(light.intensities[frame] * total)
    return np.stack(found)


def _own_table(data, n_tables, seed=0):
    """A table like none of theory: another one for each orientation and order, lopsided in depth."""
    rng = np.random.default_rng(seed)
    theory = data.table
    shape = (n_tables, data.light.n_orders, *theory.values.shape[2:])
    ramp = 1 + 0.5 * rng.standard_normal((*shape[:2], 1, 1)) * np.linspace(0, 1, shape[2])[:, None]
    return OtfTable(
        theory.values[:1, :1] * ramp * rng.uniform(0.3, 1, (*shape[:2], 1, shape[3])),
        theory.kr_step_per_um,
        theory.depths_um,
    )


TWO_BEAMS = {"n_beams": 2, "n_phases": 3, "modulation_2": None, "phases_rad": tuple(np.arange(9) * 0.7)}


@pytest.mark.parametrize(
    ("shape", "changes", "level", "n_own"),
    [
        ((33, 40), {}, 0, 0),
        ((33, 40), {}, 1, 3),
        ((40, 35), {"enlarge": 2.0, "offset": 20.0}, 0, 3),
        ((34, 33), {"enlarge": 1.0, "padding_px": 3}, 0, 0),
        ((33, 40), TWO_BEAMS, 0, 1),
        ((3, 33, 34), {}, 0, 0),
        ((3, 33, 34), {}, 1, 1),
        ((2, 34, 33), {"enlarge": 2.0, "padding_planes": 1}, 0, 3),
    ],
)
def test_points_are_imaged_as_the_direct_sum_over_waves_says(settings, volume, stack, shape, changes, level, n_own):
    made = (volume if len(shape) == 3 else settings)(**changes)
    n_images = made.n_orientations * made.n_phases * (shape[0] if len(shape) == 3 else 1)
    data = prepared(stack(n_images, shape[-2:]), made)
    if n_own:
        data = replace(data, table=_own_table(data, n_own))
    problem = problem_at(data, made, level)
    if n_own:
        assert len(problem.groups) == data.light.n_orders
        assert jnp.iscomplexobj(problem.transfer) == (len(shape) == 3)
    at, amplitudes = _points(problem)
    found = _predict(problem, _scene_of(problem, at, amplitudes))
    frames = (0, 4, 8)
    expected = _direct(data, problem, at, amplitudes, frames)
    np.testing.assert_allclose(found[list(frames)], expected, atol=3e-5 * np.abs(expected).max())


def test_orders_that_are_imaged_alike_share_a_transform(settings, volume, stack):
    flat = problem_at(prepared(stack(), settings()), settings(), 0)
    assert flat.groups == ((0, 1, 2),)
    made = volume()
    deep = problem_at(prepared(stack(45, (33, 40)), made), made, 0)
    # Axial stripes set order 1 apart.
    assert deep.groups == ((0, 2), (1,))
    assert deep.transfer.shape[:2] == (1, 2)


def test_a_point_in_one_plane_is_as_bright_and_wide_as_optics_make_it(settings, stack):
    """Against the amplitude behind the pupil, which knows of no grid."""
    made = settings(intensities="equal", modulation_1=0.8, modulation_2=0.5)
    problem = problem_at(prepared(stack(15, (40, 41)), made), made, 0)
    at, _ = _points(problem, 1, seed=1)
    found = _predict(problem, _scene_of(problem, at, [1.0]))[(slice(None), *problem.frame_field)]
    area_um2 = problem.grid.pixel_size_um[-1] ** 2
    place = _place_um(problem, at[0])
    y, x = ((np.arange(n) - n // 2) * 0.065 - p for n, p in zip((40, 41), place, strict=True))
    radius = np.hypot(y[:, None], x)
    profile = np.arange(0, radius.max() + 0.01, 0.002)
    image = area_um2 * np.interp(radius, profile, radial_psf(profile, 0.0))
    vectors = given_vectors(made)
    for frame in range(15):
        light = stripes(vectors[frame // 5], made.phases_rad[frame], np.array([1, 0.8, 0.5]), *place)
        np.testing.assert_allclose(found[frame], light * image, atol=0.01 * light * image.max())


def test_a_point_out_of_focus_keeps_the_axial_stripes_of_the_plane_in_focus(volume, stack):
    made = volume(intensities="equal", modulation_2=0.5, padding_planes=6)
    problem = problem_at(prepared(stack(75, (48, 48)), made), made, 0)
    at = np.asarray([[problem.grid.field_slices[0].start + 1, *(np.asarray(problem.grid.padded_shape[1:]) // 2)]])
    found = _predict(problem, _scene_of(problem, at, [1.0]))[(slice(None), *problem.frame_field)]
    place, vectors = _place_um(problem, at[0]), given_vectors(made)
    y, x = ((np.arange(48) - 24) * 0.065 - p for p in place)
    radius = np.hypot(y[:, None], x)
    profile = np.arange(0, radius.max() + 0.01, 0.002)
    area_um2, focus = problem.grid.pixel_size_um[-1] ** 2, None
    for plane in range(5):
        depth = (plane - 1) * 0.15
        image = area_um2 * np.interp(radius, profile, radial_psf(profile, depth))
        focus = image.max() if plane == 1 else focus
        for frame in (0, 7, 14):
            a = 2 * np.pi * vectors[frame // 5] @ place + made.phases_rad[frame]
            kz = OPTICS.axial_frequency(float(np.hypot(*vectors.T).mean()))
            light = 1 + 0.8 * np.cos(a) * np.cos(2 * np.pi * kz * depth) + 0.5 * np.cos(2 * a)
            np.testing.assert_allclose(found[frame, plane], light * image, atol=0.02 * area_um2 * 11)


@jax.jit
def _both_ways(problem, scene, frames):
    prediction, pull = jax.vjp(lambda s: _forward(problem, s)[0], scene)
    return prediction, pull(frames)[0]


@pytest.mark.parametrize(
    ("shape", "level", "n_own", "changes"),
    [
        ((33, 40), 0, 0, {}),
        ((33, 40), 1, 3, {}),
        ((33, 40), 2, 0, {}),
        ((3, 33, 34), 0, 3, {}),
        ((3, 33, 34), 0, 0, {"times_of": "plane"}),
    ],
)
def test_the_gradient_is_the_adjoint_and_frames_add_up(settings, volume, stack, shape, level, n_own, changes):
    made = (volume if len(shape) == 3 else settings)(**changes)
    data = prepared(stack(15 * (shape[0] if len(shape) == 3 else 1), shape[-2:]), made)
    if n_own:
        data = replace(data, table=_own_table(data, n_own))
    problem = _all_at_once(problem_at(data, made, level))
    rng = np.random.default_rng(3)
    shape = (len(problem.frames), 1, *problem.grid.padded_shape)
    one, two = (jnp.asarray(rng.standard_normal(shape), jnp.float32) for _ in range(2))
    frames = jnp.asarray(rng.standard_normal(problem.frames.shape), jnp.float32)
    of_one, back = _both_ways(problem, one, frames)
    assert float(jnp.vdot(of_one, frames)) == pytest.approx(float(jnp.vdot(one, back)), rel=1e-3)
    of_two, of_both = (_both_ways(problem, scene, frames)[0] for scene in (two, 2 * one - 3 * two))
    np.testing.assert_allclose(of_both, 2 * of_one - 3 * of_two, atol=1e-4 * float(jnp.abs(of_both).max()))


def test_light_alike_everywhere_gives_frames_of_the_same_counts(settings, volume, stack):
    """Each frame shows the stripes as the OTF passes them; all phases together are even."""
    made = settings(intensities="equal", modulation_1=0.8, modulation_2=0.5)
    data = prepared(stack(15, (48, 48)), made)
    problem = problem_at(data, made, 0)
    found = _predict(problem, np.full((1, 1, *problem.grid.padded_shape), 7.0))
    np.testing.assert_allclose(found.reshape(3, 5, *found.shape[1:]).mean(axis=1), 7.0, rtol=1e-5)
    middle = tuple((part.start + part.stop) // 2 for part in problem.frame_field)
    for frame in range(15):
        vector = data.light.vectors_per_um[frame // 5]
        passed = np.interp(np.hypot(*vector) * np.arange(3), np.linspace(0, OPTICS.cutoff, 1024), data.table.values[0, 0, :, 0])
        expected = 7 * stripes(vector, made.phases_rad[frame], passed * (1, 0.8, 0.5), np.zeros(1), np.zeros(1))
        assert found[frame][middle] == pytest.approx(expected[0], rel=0.02)
    made = volume(intensities="equal")
    problem = problem_at(prepared(stack(45, (33, 40)), made), made, 0)
    in_one_plane = np.zeros((1, 1, *problem.grid.padded_shape))
    in_one_plane[:, :, 2] = 7.0
    found = _predict(problem, in_one_plane)
    # Light out of focus is not lost: every plane gets all of it.
    np.testing.assert_allclose(found.reshape(3, 5, *found.shape[1:]).mean(axis=1), 7.0, rtol=1e-4)


def test_brightness_scales_a_frame(settings, stack):
    raw = stack()
    dimmed = raw.frames * np.repeat((1.0, 0.5, 2.0), 5)[:, None, None]
    made = settings()
    even, uneven = (
        problem_at(prepared(RawData(frames.astype(np.float32)), made), made, 0) for frames in (raw.frames, dimmed)
    )
    scene = np.random.default_rng(0).random((1, 1, *even.grid.padded_shape))
    ratio = np.asarray(uneven.intensities / even.intensities)
    np.testing.assert_allclose(ratio, np.repeat((1.0, 0.5, 2.0), 5), rtol=1e-5)
    np.testing.assert_allclose(
        _predict(uneven, scene), ratio[:, None, None] * _predict(even, scene), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("shape", [(48, 48), (2, 48, 48)])
def test_a_scene_of_low_frequencies_looks_the_same_at_half_the_size(settings, volume, stack, shape):
    made = (volume if len(shape) == 3 else settings)()
    raw = stack(15 * (shape[0] if len(shape) == 3 else 1), shape[-2:])
    fine, coarse = (problem_at(prepared(raw, made), made, level) for level in (0, 1))
    y, x = (np.arange(n) / n - 0.5 for n in fine.grid.padded_shape[-2:])
    # It ends within the field: stripes are not periodic. Its frequencies stay under 1 cycle/um.
    blob = np.exp(-0.5 * ((y[:, None] / 0.11) ** 2 + ((x - 0.03) / 0.1) ** 2))
    scene = np.broadcast_to(blob, (1, 1, *fine.grid.padded_shape))
    full, half = _predict(fine, scene), _predict(coarse, scene[..., ::2, ::2])
    # Three samples of the coarse frames are as long as four pixels.
    assert fine.layout.frame_shape[-1] / coarse.layout.frame_shape[-1] == pytest.approx(4 / 3)
    np.testing.assert_allclose(half[..., ::3, ::3], full[..., ::4, ::4], atol=2e-4 * np.abs(full).max())


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
    data = replace(data, table=_own_table(data, 3))
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


def test_a_scene_is_presented_in_counts(settings, stack):
    data = prepared(stack(), settings())
    problem = problem_at(data, settings(), 0)
    scene = np.random.default_rng(0).random((1, 30, 40)).astype(np.float32)
    np.testing.assert_allclose(problem.present(scene), data.scale * scene, rtol=1e-6)


@pytest.mark.parametrize("shape", [(33, 40), (3, 33, 40)])
def test_what_is_shown_keeps_what_frames_carry_and_loses_what_none_does(settings, volume, stack, shape):
    made = (volume if len(shape) == 3 else settings)()
    problem = problem_at(prepared(stack(15 * (shape[0] if len(shape) == 3 else 1)), made), made, 0)
    spacing = tuple(0.5 if axis >= len(shape) - 2 else 1.0 for axis in range(len(shape)))
    n = (7, 96, 96)[-len(shape) :]
    pixel = problem.grid.pixel_size_um[-1] / 2
    y, x = (np.arange(96) - 48) * pixel, (np.arange(96) - 48) * pixel
    window = np.exp(-0.5 * (y[:, None] ** 2 + x**2) / 0.3**2) * np.ones(n)
    kept, lost = 5.0, 11.0  # cycles per um: stripes of 2.38 carry up to 4.97 + 4.76
    for frequency, remains in ((kept, 1.0), (lost, 0.0)):
        wave = (window * np.cos(2 * np.pi * frequency * x)).astype(np.float32)
        finished = problem.finish(Canvas(wave[None], (0.0,) * len(shape), spacing, order=1))
        assert (finished.order, finished.spacing_px) == (3, spacing)
        index = np.stack(np.meshgrid(*(np.arange(m, dtype=np.float32) for m in n), indexing="ij"))
        at = index * np.asarray(spacing, np.float32).reshape(-1, *(1,) * len(shape))
        shown = finished.at(at)[0]
        middle = (n[0] // 2,) * (len(shape) - 2)
        np.testing.assert_allclose(shown[middle], remains * wave[middle], atol=0.03)


# -- refined, and plane by plane ----------------------------------------------------------------


def test_planes_at_their_own_times_are_the_planes_of_a_volume_at_rest(volume, stack):
    raw = stack(45, (33, 34))
    timing = {"kind": "delays", "exposure_ms": 5, "taken_order": "time, orientation, plane, phase"}
    whole, single = (
        problem_at(prepared(raw, made), made, 0)
        for made in (volume(timing=timing, times_of=of) for of in ("volume", "plane"))
    )
    scene = np.random.default_rng(0).random((1, 1, *whole.grid.padded_shape)).astype(np.float32)
    expected = _predict(whole, scene)[(slice(None), whole.frame_field[0])]
    found = _predict(single, scene)
    assert found.shape == (45, *whole.layout.frame_shape[1:])
    # Orientation by orientation, plane by plane, phase by phase.
    in_turn = expected.reshape(3, 5, 3, *found.shape[1:]).swapaxes(1, 2).reshape(found.shape)
    np.testing.assert_allclose(found, in_turn, atol=1e-4 * found.max())
    np.testing.assert_allclose(single.frame_times, np.linspace(-1, 1, 45), atol=1e-6)


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
    expected = _predict(problem_at(prepared(raw, other), other, 0), scene)
    np.testing.assert_allclose(_predict(tuned, scene), expected, atol=1e-4 * expected.max())
    refined = tuned.refined()
    if "shifts" in names:
        np.testing.assert_allclose(refined["phases_rad"], phases, atol=1e-5)
    if "scales" in names:
        np.testing.assert_allclose(refined["modulation_1"], depths[:, 0], atol=1e-5)
        np.testing.assert_allclose(refined["modulation_2"], depths[:, 1], atol=1e-5)
    assert bool(refined) == bool(names)
