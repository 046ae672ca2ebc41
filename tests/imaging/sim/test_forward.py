from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.imaging.sim.point import OPTICS, radial_psf
from tests.imaging.sim.rendering import all_at_once, forward, own_table, predict

from napari_nstm.core.data import RawData
from napari_nstm.imaging.sim.optics import given_vectors, stripes
from napari_nstm.imaging.sim.prepare import prepared, problem_at


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


TWO_BEAMS = {"n_beams": 2, "n_phases": 3, "modulation_2": None, "phases_rad": tuple(np.arange(9) * 0.7)}


@pytest.mark.parametrize(
    ("shape", "changes", "level", "n_own"),
    [
        ((33, 40), {}, 0, 0),
        ((33, 40), {}, 1, 3),
        ((40, 35), {"enlarge": 2.0, "offset": 20.0}, 0, 3),
        ((34, 33), {"enlarge": 1.0, "padding_px": 3}, 0, 0),
        ((33, 40), TWO_BEAMS, 0, 1),
        ((3, 33, 34), {}, 1, 0),
        ((3, 33, 34), {}, 0, 1),
        ((2, 34, 33), {"enlarge": 2.0, "padding_planes": 1}, 0, 3),
    ],
)
def test_points_are_imaged_as_the_direct_sum_over_waves_says(settings, volume, stack, shape, changes, level, n_own):
    made = (volume if len(shape) == 3 else settings)(**changes)
    n_images = made.n_orientations * made.n_phases * (shape[0] if len(shape) == 3 else 1)
    data = prepared(stack(n_images, shape[-2:]), made)
    if n_own:
        data = replace(data, table=own_table(data, n_own))
    problem = problem_at(data, made, level)
    if n_own:
        assert len(problem.groups) == data.light.n_orders
        assert jnp.iscomplexobj(problem.transfer) == (len(shape) == 3)
    at, amplitudes = _points(problem)
    found = predict(problem, _scene_of(problem, at, amplitudes))
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
    problem = problem_at(prepared(stack(), made), made, 0)
    at, _ = _points(problem, 1, seed=1)
    found = predict(problem, _scene_of(problem, at, [1.0]))[(slice(None), *problem.frame_field)]
    area_um2 = problem.grid.pixel_size_um[-1] ** 2
    place = _place_um(problem, at[0])
    y, x = ((np.arange(n) - n // 2) * 0.065 - p for n, p in zip((33, 40), place, strict=True))
    radius = np.hypot(y[:, None], x)
    profile = np.arange(0, radius.max() + 0.01, 0.002)
    image = area_um2 * np.interp(radius, profile, radial_psf(profile, 0.0))
    vectors = given_vectors(made)
    for frame in range(15):
        light = stripes(vectors[frame // 5], made.phases_rad[frame], np.array([1, 0.8, 0.5]), *place)
        np.testing.assert_allclose(found[frame], light * image, atol=0.01 * light * image.max())


def test_a_point_out_of_focus_keeps_the_axial_stripes_of_the_plane_in_focus(volume, stack):
    one = {"n_orientations": 1, "pattern": {"kind": "vectors", "ky_per_um": (2.0,), "kx_per_um": (-1.2,)}}
    phases = (0.0, 1.3, 2.5, 3.8, 5.0)
    made = volume(intensities="equal", modulation_2=0.5, padding_planes=6, phases_rad=phases, **one)
    problem = problem_at(prepared(stack(25, (40, 40)), made), made, 0)
    at = np.asarray([[problem.grid.field_slices[0].start + 1, *(np.asarray(problem.grid.padded_shape[1:]) // 2)]])
    found = predict(problem, _scene_of(problem, at, [1.0]))[(slice(None), *problem.frame_field)]
    place = _place_um(problem, at[0])
    y, x = ((np.arange(40) - 20) * 0.065 - p for p in place)
    radius = np.hypot(y[:, None], x)
    profile = np.arange(0, radius.max() + 0.01, 0.002)
    area_um2, brightest = problem.grid.pixel_size_um[-1] ** 2, radial_psf(np.zeros(1), 0.0)[0]
    kz = OPTICS.axial_frequency(float(np.hypot(2.0, 1.2)))
    for plane in range(5):
        depth = (plane - 1) * 0.15
        image = area_um2 * np.interp(radius, profile, radial_psf(profile, depth))
        for frame, phase in enumerate(phases):
            a = 2 * np.pi * (2.0 * place[0] - 1.2 * place[1]) + phase
            light = 1 + 0.8 * np.cos(a) * np.cos(2 * np.pi * kz * depth) + 0.5 * np.cos(2 * a)
            np.testing.assert_allclose(found[frame, plane], light * image, atol=0.01 * area_um2 * brightest)


@jax.jit
def _both_ways(problem, scene, frames):
    prediction, pull = jax.vjp(lambda s: forward(problem, s)[0], scene)
    return prediction, pull(frames)[0]


@pytest.mark.parametrize(
    ("shape", "level", "n_own", "changes"),
    [
        ((33, 40), 0, 0, {}),
        ((33, 40), 1, 3, {}),
        ((3, 33, 34), 1, 3, {}),
        ((3, 33, 34), 0, 0, {"times_of": "plane"}),
    ],
)
def test_the_gradient_is_the_adjoint_and_frames_add_up(settings, volume, stack, shape, level, n_own, changes):
    made = (volume if len(shape) == 3 else settings)(**changes)
    data = prepared(stack(15 * (shape[0] if len(shape) == 3 else 1), shape[-2:]), made)
    if n_own:
        data = replace(data, table=own_table(data, n_own))
    problem = all_at_once(problem_at(data, made, level))
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
    data = prepared(stack(), made)
    problem = problem_at(data, made, 0)
    found = predict(problem, np.full((1, 1, *problem.grid.padded_shape), 7.0))
    np.testing.assert_allclose(found.reshape(3, 5, *found.shape[1:]).mean(axis=1), 7.0, rtol=1e-5)
    middle = tuple((part.start + part.stop) // 2 for part in problem.frame_field)
    for frame in range(15):
        vector = data.light.vectors_per_um[frame // 5]
        passed = np.interp(
            np.hypot(*vector) * np.arange(3), np.linspace(0, OPTICS.cutoff, 1024), data.table.values[0, 0, :, 0]
        )
        expected = 7 * stripes(vector, made.phases_rad[frame], passed * (1, 0.8, 0.5), np.zeros(1), np.zeros(1))
        assert found[frame][middle] == pytest.approx(expected[0], rel=0.02)
    made = volume(intensities="equal")
    problem = problem_at(prepared(stack(45, (33, 34)), made), made, 0)
    in_one_plane = np.zeros((1, 1, *problem.grid.padded_shape))
    in_one_plane[:, :, 2] = 7.0
    found = predict(problem, in_one_plane)
    # Light out of focus is not lost: every plane gets all of it.
    np.testing.assert_allclose(found.reshape(3, 5, *found.shape[1:]).mean(axis=1), 7.0, rtol=1e-4)


def test_a_scene_of_low_frequencies_looks_the_same_at_half_the_size(settings, stack):
    made = settings()
    fine, coarse = (problem_at(prepared(stack(), made), made, level) for level in (0, 1))
    y, x = (np.arange(n) / n - 0.5 for n in fine.grid.padded_shape[-2:])
    # It ends within the field: stripes are not periodic. Its frequencies stay under 1 cycle/um.
    blob = np.exp(-0.5 * ((y[:, None] / 0.11) ** 2 + ((x - 0.03) / 0.1) ** 2))
    scene = np.broadcast_to(blob, (1, 1, *fine.grid.padded_shape))
    full, half = predict(fine, scene), predict(coarse, scene[..., ::2, ::2])
    # Three samples of the coarse frames are as long as four pixels.
    assert fine.layout.frame_shape[-1] / coarse.layout.frame_shape[-1] == pytest.approx(4 / 3)
    np.testing.assert_allclose(half[..., ::3, ::3], full[..., ::4, ::4], atol=2e-4 * np.abs(full).max())


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
        predict(uneven, scene), ratio[:, None, None] * predict(even, scene), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("n_own", [1, 3])
def test_planes_at_their_own_times_are_the_planes_of_a_volume_at_rest(volume, stack, n_own):
    raw = stack(45, (33, 34))
    timing = {"kind": "delays", "exposure_ms": 5, "taken_order": "time, orientation, plane, phase"}
    at_once, in_turn = (volume(timing=timing, times_of=of) for of in ("volume", "plane"))
    data = prepared(raw, at_once)
    data = replace(data, table=own_table(data, n_own))
    whole, single = (problem_at(data, made, 0) for made in (at_once, in_turn))
    scene = np.random.default_rng(0).random((1, 1, *whole.grid.padded_shape)).astype(np.float32)
    expected = predict(whole, scene)[(slice(None), whole.frame_field[0])]
    found = predict(single, scene)
    assert found.shape == single.frames.shape == (45, *whole.layout.frame_shape[1:])

    def one_by_one(frames):
        # Orientation by orientation, plane by plane, phase by phase.
        return frames.reshape(3, 5, 3, *frames.shape[2:]).swapaxes(1, 2).reshape(found.shape)

    np.testing.assert_allclose(found, one_by_one(expected), atol=1e-4 * found.max())
    measured = np.asarray(whole.frames)[:, whole.frame_field[0]]
    np.testing.assert_array_equal(single.frames, one_by_one(measured))
    np.testing.assert_allclose(single.frame_times, np.linspace(-1, 1, 45), atol=1e-6)
    np.testing.assert_array_equal(single.weight, whole.weight[whole.frame_field[0].start])
    assert single.frame_field == whole.frame_field[1:]
