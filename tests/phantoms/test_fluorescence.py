from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import label
from scipy.spatial import cKDTree

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.phantoms._beads import Beads
from napari_nstm.phantoms._tubes import STEP_PX, HollowTube, Thread, Tubes
from napari_nstm.phantoms.fluorescence import (
    BEAD_DENSITY,
    BEAD_DIAMETER_PX,
    PAIR_DISTANCE_PX,
    FluorescentTarget,
    beads,
    filaments,
    render,
    tubule,
    usaf,
)
from napari_nstm.phantoms.motions import KnownMotion, known_motion
from napari_nstm.phantoms.targets import usaf1951

PLANE_PX = 2.0
FLAT, DEEP = (96, 128), (8, 40, 48)
MAKERS = [beads, filaments, tubule]


def fine(target: FluorescentTarget, shape: tuple[int, ...]) -> np.ndarray:
    """Point samples, four per raw pixel; along z four per plane, reaching beyond the field on every side."""
    samples = tuple(4 * (n + 4) for n in shape)
    return render(target, samples, (0.25,) * len(shape), samples=1, origin_px=(-2.0,) * len(shape))


def centroid(picture: np.ndarray, spacing: float = 1.0) -> np.ndarray:
    return (
        spacing * np.array([np.sum(i * picture, dtype=np.float64) for i in np.indices(picture.shape)]) / picture.sum()
    )


def straight(profile: Thread | HollowTube, n_axes: int, direction: np.ndarray, length_px: float = 30.0) -> Tubes:
    """One straight tube through the origin."""
    s = np.arange(-length_px / 2, length_px / 2, STEP_PX)
    return Tubes((np.outer(s, direction),), (np.ones(len(s)),), profile, PLANE_PX)


# --- every target


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("shape", [FLAT, DEEP])
def test_densities_are_relative_and_leave_the_border_free(make, shape):
    target = make(shape, seed=3)
    picture = fine(target, shape)
    assert picture.dtype == np.float32
    assert picture.min() == 0
    assert 0.95 < picture.max() <= 1.001
    inside = tuple(slice(round(4 * (2 + 0.1 * n - 0.5)), round(4 * (2 + 0.9 * n - 0.5)) + 1) for n in shape)
    everything = picture.sum(dtype=np.float64)
    assert picture[inside].sum(dtype=np.float64) == pytest.approx(everything, rel=1e-6)
    # And little more than that is free, along x, even with few things in a small field.
    columns = np.flatnonzero(picture.max(axis=tuple(range(picture.ndim - 1))) > 0.1)
    assert np.ptp(columns) > 0.75 * 0.8 * 4 * shape[-1]


@pytest.mark.parametrize("make", [*MAKERS, usaf])
def test_same_seed_same_sample(make):
    shape = (64, 64)
    picture = render(make(shape, seed=5), shape, (1, 1))
    np.testing.assert_array_equal(picture, render(make(shape, seed=5), shape, (1, 1)))
    assert np.abs(picture - render(make(shape, seed=6), shape, (1, 1))).max() > 0.1


@pytest.mark.parametrize("make", MAKERS)
def test_densities_at_any_shape_of_positions(make):
    target = make(DEEP)
    where = positions(DEEP)
    np.testing.assert_array_equal(target.density(where.reshape(3, 4, 2, -1)).ravel(), target.density(where).ravel())
    assert not np.any(target.density(np.array([[-1.0, 5, 5], [30, 2, 300], [40, 40, -3.0]], np.float32)))


@pytest.mark.parametrize("make", MAKERS)
def test_four_samples_per_pixel_do_not_alias(make):
    """They hold two cycles per pixel; what lies over that is under a hundredth of the sample's amplitude."""
    picture = render(make((64, 64)), (512, 512), (0.125, 0.125), samples=1)
    power = np.abs(np.fft.rfft2(picture)) ** 2
    f = 8 * np.maximum(np.abs(np.fft.fftfreq(512))[:, None], np.fft.rfftfreq(512))  # cycles per raw pixel
    assert power[f > 2].sum() < 1e-4 * power[f > 0].sum()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("shape", "message"), [((20, 64), "size: got 20"), ((1, 64, 64), "planes: got 1"), ((64,), "shape: got 1 axes")]
)
def test_fields_that_cannot_hold_a_sample_are_refused(make, shape, message):
    with pytest.raises(InputError, match=message):
        make(shape)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: beads((64, 64), diameter_px=0.2), "diameter_px"),
        (lambda: beads((64, 64), diameter_px=9), "diameter_px"),
        (lambda: beads((64, 64), density=0.6), "density"),
        (lambda: beads((8, 64, 64), density=0.4), "density"),
        (lambda: beads((8, 64, 64), plane_px=0.0), "plane_px"),
        (lambda: filaments((64, 64), fill=0), "fill"),
        (lambda: filaments((64, 64), width_px=math.nan), "width_px"),
        (lambda: filaments((64, 64), paired=1.5), "paired"),
        (lambda: usaf((8, 64, 64)), "shape"),
        (lambda: render(beads((64, 64)), (64, 64), (1, 1, 1)), "spacing_px"),
        (lambda: render(beads((64, 64)), (64, 64), (1, 1), origin_px=(0, 0, 0)), "origin_px"),
        (lambda: render(beads((64, 64)), (64, 64), (1, 1), samples=0), "samples"),
    ],
)
def test_what_cannot_be_is_refused(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field


# --- beads


@pytest.mark.parametrize("diameter", [1.6, 2.9, 6.0])
@pytest.mark.parametrize("n_axes", [2, 3])
def test_a_bead_is_as_large_as_its_diameter_says(diameter, n_axes):
    """Its spread is that of a sphere (in a plane: of its thickness) plus its soft edge's, along every axis."""
    bead = Beads(np.zeros((1, n_axes)), np.ones(1), diameter, PLANE_PX)
    n, step = 71, diameter / 35
    spacing = (step / PLANE_PX, step, step)[-n_axes:]
    picture = render(bead, (n,) * n_axes, spacing, samples=1, origin_px=[-(n // 2) * s for s in spacing])
    radius, total = diameter / 2, picture.sum(dtype=np.float64)
    offset = step * (np.arange(n) - n // 2)
    for axis in range(n_axes):
        profile = picture.sum(axis=tuple(a for a in range(n_axes) if a != axis), dtype=np.float64)
        assert np.sum(profile * offset**2) / total == pytest.approx(radius**2 / 5 + 0.2**2, rel=0.01)
    volume = 4 / 3 * math.pi * radius**3
    if n_axes == 3:
        middle = math.erf(radius / (0.2 * math.sqrt(2))) - math.sqrt(2 / math.pi) * radius / 0.2 * math.exp(
            -(radius**2) / (2 * 0.2**2)
        )
    else:  # the mean thickness 2 sqrt(R^2 - r^2) over the soft edge's Gaussian
        squared = np.minimum(-2 * 0.2**2 * np.log1p(-(np.arange(100_000) + 0.5) / 100_000), radius**2)
        middle = float(np.mean(2 * np.sqrt(radius**2 - squared)))
    assert total * step**n_axes == pytest.approx(volume / middle, rel=0.003)


@pytest.mark.parametrize("shape", [(96, 96), (12, 64, 64)])
def test_beads_touch_but_do_not_overlap_and_are_as_dense_as_asked(shape):
    sample = beads(shape)
    nearest = cKDTree(sample.centres_px).query(sample.centres_px, k=2)[0][:, 1]
    assert nearest.min() > BEAD_DIAMETER_PX * (1 - 1e-5)
    assert 0.3 < np.mean(nearest < 1.001 * BEAD_DIAMETER_PX) < 0.9
    radius = BEAD_DIAMETER_PX / 2
    one = math.pi * radius**2 if len(shape) == 2 else 4 / 3 * math.pi * radius**3
    extent = 0.8 * np.array(shape) * (PLANE_PX, 1, 1)[-len(shape) :]
    assert len(nearest) * one / np.prod(extent - 2 * 0.8) == pytest.approx(BEAD_DENSITY[len(shape)], rel=0.01)
    assert sample.brightness.max() == 1
    assert sample.brightness.min() > 0.5


@pytest.mark.parametrize(("shape", "diameter"), [((48, 48), 1.6), ((48, 48), 2.9), ((5, 32, 32), 1.6)])
def test_beads_add_up(shape, diameter):
    """The sample holds as much as its beads do one by one: none is hidden by those that it touches."""
    sample = beads(shape, diameter_px=diameter, density=0.25)
    alone = Beads(np.zeros((1, len(shape))), np.ones(1), diameter, PLANE_PX)
    step = (0.125, 0.25, 0.25)[-len(shape) :]
    n = 33
    one = render(alone, (n,) * len(shape), step, samples=1, origin_px=[-(n // 2) * s for s in step])
    size = [round(m / s) for m, s in zip(shape, step, strict=True)]
    together = render(sample, size, step, samples=1)
    assert together.sum(dtype=np.float64) == pytest.approx(sample.brightness.sum() * one.sum(), rel=1e-4)


# --- filaments


@pytest.mark.parametrize("width", [0.8, 1.5])
def test_a_filament_is_as_wide_as_asked_whatever_its_direction(width):
    profile = Thread(width)
    assert profile.at(np.array([0.0, width / 2, profile.reach_px])) == pytest.approx([1, 0.5, 0])
    offsets = np.linspace(-3, 3, 6001)
    direction = np.array([math.sin(0.4), math.cos(0.4)])
    across = np.outer([math.cos(0.4), -math.sin(0.4)], offsets) + 0.11 * direction[:, None]
    found = straight(profile, 2, direction).density(across)
    np.testing.assert_allclose(found, profile.at(np.abs(offsets)), atol=1e-4)
    assert found.sum() * 0.001 == pytest.approx(32 / 35 * profile.reach_px, rel=1e-3)


def test_a_filament_in_a_volume_is_round():
    profile = Thread(1.2)
    y, z = np.meshgrid(np.arange(-2, 2, 0.02), np.arange(-1, 1, 0.01), indexing="ij")
    found = straight(profile, 3, np.array([0.0, 0.0, 1.0])).density(np.stack([z, y, np.full_like(y, 1.23)]))
    np.testing.assert_allclose(found, profile.at(np.hypot(PLANE_PX * z, y)), atol=1e-4)
    assert found.sum() * 0.02 * 0.01 * PLANE_PX == pytest.approx(math.pi / 4 * profile.reach_px**2, rel=1e-3)


@pytest.mark.parametrize("shape", [(128, 128), (12, 96, 96)])
@pytest.mark.parametrize("gap", [1.8, PAIR_DISTANCE_PX])
def test_pairs_run_as_far_apart_as_asked(shape, gap):
    sample = filaments(shape, seed=2, pair_px=gap, paired=1.0)
    assert len(sample.curves_px) % 2 == 0
    for one, other in zip(sample.curves_px[::2], sample.curves_px[1::2], strict=True):
        distance, _ = cKDTree(one).query(other)
        np.testing.assert_allclose(distance, gap, atol=0.02)
    assert len(filaments(shape, seed=2, paired=0.0).curves_px) > 3


def test_a_pair_shows_as_two_lines():
    sample = filaments((128, 128), seed=2, paired=1.0, fill=0.02)
    one, other = sample.curves_px[:2]
    middle = len(one) // 2
    partner = other[cKDTree(other).query(one[middle])[1]]
    way = np.linspace(-0.5, 1.5, 201)
    found = sample.density((one[middle] + way[:, None] * (partner - one[middle])).T)
    peaks = way[1:-1][(found[1:-1] > found[:-2]) & (found[1:-1] >= found[2:])]
    np.testing.assert_allclose(peaks, (0, 1), atol=0.02)
    assert found[np.argmin(np.abs(way - 0.5))] < 0.01  # 1.1 px from both: where they end


@pytest.mark.parametrize("shape", [(128, 128), (12, 96, 96)])
def test_filaments_are_gently_curved_at_equal_steps_and_as_many_as_asked(shape):
    sample = filaments(shape, fill=0.15)
    for curve in sample.curves_px:
        steps = np.diff(curve, axis=0)
        np.testing.assert_allclose(np.linalg.norm(steps, axis=1), STEP_PX, rtol=0.01)
        bends = np.linalg.norm(np.diff(steps, axis=0), axis=1) / STEP_PX**2
        # Less than one in 8 px, but for the rounding of equal steps.
        assert np.convolve(bends, np.ones(9) / 9, "valid").max() < 1 / 8
    length = STEP_PX * sum(map(len, sample.curves_px))
    free = 0.64 * shape[-1] * shape[-2]
    assert 0.13 < length / free < 0.2


def test_filaments_cross():
    sample = filaments((128, 128), paired=0.0)
    pieces = label(render(sample, (256, 256), (0.5, 0.5)) > 0.3)[1]
    assert pieces < len(sample.curves_px) / 2


# --- tubule


def test_the_tubule_is_hollow_and_four_to_five_pixels_wide():
    profile = HollowTube(wall_radius_px=1.6, wall_width_px=1.1, inside=0.35)
    offsets = np.linspace(-4, 4, 8001)
    found = straight(profile, 2, np.array([0.0, 1.0])).density(np.stack([offsets, np.full(8001, 0.3)]))
    np.testing.assert_allclose(found, profile.at(np.abs(offsets)), atol=1e-4)
    walls = offsets[1:-1][(found[1:-1] > found[:-2]) & (found[1:-1] >= found[2:])]
    np.testing.assert_allclose(walls, (-1.6, 1.6), atol=0.002)
    assert np.ptp(offsets[found > 0.5]) == pytest.approx(4.3, abs=0.01)
    assert found[4000] == pytest.approx(0.35, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_one_tubule_reaches_the_right_half_and_others_rest_in_the_left(seed):
    picture = render(tubule((128, 128), seed), (128, 128), (1, 1)) > 0.02
    assert label(picture)[1] == 6  # the long one, another, and four fragments
    assert label(picture[:, 64:])[1] == 1
    widths = picture[:, 66:110].sum(axis=0)
    assert np.all((widths >= 5) & (widths <= 9))  # it crosses the right half along x


def test_the_tubule_is_uneven_along_its_wall():
    sample = tubule((192, 192))
    along = sample.brightness[0]
    assert along.std() > 0.1
    assert np.abs(np.diff(along)).max() / STEP_PX < 0.6  # per pixel


@pytest.mark.parametrize("shape", [(128, 128), (8, 64, 64)])
def test_a_bend_swings_the_free_end_only(shape):
    motion = known_motion("bend", shape, 8.0, (-1.0, 1.0))
    sample = tubule(shape)
    grid = tuple(2 * n for n in shape)
    before, after = (
        render(sample, grid, (0.5,) * len(shape), lambda x, t=t: motion.pull_back(x, t)) for t in (-1.0, 1.0)
    )
    n = shape[-1]
    np.testing.assert_array_equal(after[..., : n - 2], before[..., : n - 2])  # grid columns: half the field
    for x in (0.6 * n, 0.7 * n, 0.8 * n):
        column = round(2 * x)
        u = motion.displacement(np.full((len(shape), 1), column / 2, np.float32), 1.0)[:-1, 0]
        moved = centroid(after[..., column], 0.5) - centroid(before[..., column], 0.5)
        np.testing.assert_allclose(moved, u, atol=0.03)
        assert u[-1] > 0.3


# --- the resolution target


def test_usaf_is_that_of_the_phase_target():
    np.testing.assert_allclose(
        render(usaf((64, 80), seed=2), (64, 80), (1, 1), samples=4), usaf1951((64, 80), 2).phase.on_grid((64, 80)),
        atol=1e-6,
    )  # fmt: skip


# --- render


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("shape", [(48, 64), (4, 40, 48)])
def test_a_finer_grid_agrees_after_binning(make, shape):
    sample, rest = make(shape), (1,) * (len(shape) - 2)
    coarse = render(sample, shape, (1,) * len(shape), samples=2)
    finer = render(sample, (*shape[:-2], 2 * shape[-2], 2 * shape[-1]), (*rest, 0.5, 0.5), samples=1,
                   origin_px=(0,) * len(rest) + (-0.25, -0.25))  # fmt: skip
    binned = finer.reshape(*shape[:-2], shape[-2], 2, shape[-1], 2).mean(axis=(-3, -1))
    np.testing.assert_allclose(binned, coarse, atol=1e-6)


def test_more_samples_change_little():
    sample = filaments((64, 64))
    two, eight = (render(sample, (128, 128), (0.5, 0.5), samples=n) for n in (2, 8))
    assert np.linalg.norm(two - eight) < 0.02 * np.linalg.norm(eight)


def test_planes_are_averaged_where_asked():
    sample = beads((5, 40, 40))
    thick = render(sample, (5, 40, 40), (1, 1, 1), samples_along_z=4)
    thin = render(sample, (20, 40, 40), (0.25, 1, 1), origin_px=(-0.375, 0, 0))
    np.testing.assert_allclose(thin.reshape(5, 4, 40, 40).mean(axis=1), thick, atol=1e-6)


def test_the_origin_moves_the_grid_over_the_sample():
    for sample, shape in ((beads((40, 48)), (40, 48)), (beads((5, 40, 48)), (5, 40, 48))):
        pads = (2, 6, 5)[-len(shape) :]
        padded = tuple(n + 2 * p for n, p in zip(shape, pads, strict=True))
        wide = render(sample, padded, (1,) * len(shape), origin_px=[-p for p in pads])
        inner = tuple(slice(p, p + n) for p, n in zip(pads, shape, strict=True))
        np.testing.assert_allclose(wide[inner], render(sample, shape, (1,) * len(shape)), atol=1e-5)
        assert wide.sum() == pytest.approx(wide[inner].sum(), rel=1e-6)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("shape", [(64, 80), (8, 40, 48)])
def test_pull_back_moves_the_sample_by_the_displacement(make, shape):
    sample = make(shape)
    motion = KnownMotion("translation", shape, 2.6)
    size = tuple(n + 8 for n in shape)
    where = {"spacing_px": (1,) * len(shape), "origin_px": (-4,) * len(shape), "samples_along_z": 4}
    before = render(sample, size, **where)
    after = render(sample, size, pull_back=lambda x: motion.pull_back(x, 1.0), **where)
    moved = centroid(after) - centroid(before)
    np.testing.assert_allclose(
        moved, motion.displacement(positions(shape), 1.0).reshape(len(shape), -1)[:, 0], atol=0.02
    )
