from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import label

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.phantoms.fluorescence import render
from napari_nstm.phantoms.motions import known_motion
from napari_nstm.phantoms.scenes import Channel, Scene, ball, hand, text

MAKERS = [ball, hand, text]
SHAPES = [(75, 100), (150, 200)]
FINE = 4  # samples per pixel


def fine(scene: Scene, shape: tuple[int, int], beyond: int = 0) -> np.ndarray:
    """Point samples, four per raw pixel, from the field's edge or some pixels beyond it."""
    samples = tuple(FINE * (n + 2 * beyond) for n in shape)
    first = 0.5 / FINE - 0.5 - beyond
    return render(scene, samples, (1 / FINE, 1 / FINE), samples=1, origin_px=(first, first))


def runs(values: np.ndarray) -> int:
    """Number of times a line of samples enters what is bright."""
    lit = np.concatenate([[False], values > 0.3])
    return int(np.sum(lit[1:] & ~lit[:-1]))


# --- every scene


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_brightness_is_relative_and_leaves_a_tenth_free(make, shape, seed):
    picture = fine(make(shape, seed), shape, beyond=2)
    assert picture.dtype == np.float32
    assert picture.min() == 0
    assert 0.8 < picture.max() <= 1
    y, x = np.nonzero(picture)
    for found, n in ((y, shape[0]), (x, shape[1])):
        assert found.min() / FINE - 2 >= 0.1 * n
        assert found.max() / FINE - 2 <= 0.9 * n


@pytest.mark.parametrize(("make", "low", "high"), [(ball, 0.13, 0.17), (hand, 0.24, 0.3), (text, 0.13, 0.2)])
@pytest.mark.parametrize("shape", SHAPES)
def test_they_fill_their_part_of_the_field(make, low, high, shape):
    for seed in range(3):
        assert low < np.mean(render(make(shape, seed), shape, (1, 1)) > 0.1) < high


@pytest.mark.parametrize("make", MAKERS)
def test_edges_rise_over_about_a_pixel_at_every_size(make):
    steepest = []
    for shape in SHAPES:
        y, x = np.gradient(fine(make(shape), shape), 1 / FINE)
        steepest.append(np.hypot(y, x).max())
    # The cubic's slope is 1 where it is steepest; a nail or a stripe next to an edge adds to it.
    assert max(steepest) < 1.5
    assert min(steepest) > 0.5


@pytest.mark.parametrize("make", MAKERS)
def test_there_is_texture_inside(make):
    """Away from edges brightness varies over a few pixels, or along the whole letter: motion can be seen there."""
    picture = render(make((75, 100), 1), (75, 100), (1, 1))
    inside = picture > 0.3
    spread = np.std(picture[inside]) / np.mean(picture[inside])
    assert spread > 0.1


@pytest.mark.parametrize("make", MAKERS)
def test_same_seed_same_scene(make):
    shape = (75, 100)
    picture, other = (render(make(shape, seed), shape, (1, 1)) for seed in (5, 6))
    np.testing.assert_array_equal(picture, render(make(shape, 5), shape, (1, 1)))
    assert np.abs(picture - other).max() > 0.1


@pytest.mark.parametrize("make", MAKERS)
def test_brightness_at_any_shape_of_positions(make):
    scene, where = make((75, 100)), positions((75, 100))
    np.testing.assert_array_equal(scene.density(where.reshape(2, -1)), scene.density(where).ravel())
    np.testing.assert_array_equal(scene.colour(where.reshape(2, -1)), scene.colour(where).reshape(3, -1))
    assert not np.any(scene.density(np.array([[-30.0, 200.0, 37.0], [50.0, 50.0, -90.0]], np.float32)))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        *((ball, kind) for kind in ("bounce", "translation", "rotation", "shear", "swirl", "wave")),
        *((hand, kind) for kind in ("wave", "rotation", "swirl", "translation")),
        *((text, kind) for kind in ("rotation", "swirl", "wave", "translation")),
    ],
)
def test_nothing_leaves_the_field_at_12_pixels(make, kind):
    shape, times = (75, 100), np.linspace(-1, 1, 24)
    motion = known_motion(kind, shape, 12.0, times)
    scene = make(shape)
    around = positions((77, 102)) - 1
    rim = np.ones((77, 102), bool)
    rim[2:-2, 2:-2] = False
    for t in times:
        assert scene.density(around + motion.pull_back(around, t))[rim].max() < 0.02


@pytest.mark.parametrize(("make", "kind"), [(ball, "bounce"), (hand, "wave"), (text, "rotation")])
def test_scenes_keep_their_brightness_when_they_move(make, kind):
    """These motions are rigid: the same scene is somewhere else."""
    shape = (75, 100)
    motion, scene = known_motion(kind, shape, 12.0, np.linspace(-1, 1, 24)), make(shape)
    rest, moved = (render(scene, shape, (1, 1), lambda x, t=t: motion.pull_back(x, t)) for t in (-1.0, -0.4))
    assert moved.sum() == pytest.approx(rest.sum(), rel=2e-3)
    assert np.abs(moved - rest).max() > 0.5


# --- colours


@pytest.mark.parametrize("make", MAKERS)
def test_colours_are_shares_of_the_brightness(make):
    shape = (75, 100)
    scene, where = make(shape), positions((75, 100))
    colour = scene.colour(where)
    assert colour.shape == (3, *shape)
    assert colour.dtype == np.float32
    assert colour.min() >= 0
    assert colour.max() <= 1
    for i in range(3):
        np.testing.assert_array_equal(Channel(scene, i).density(where), scene.density(where) * colour[i])


def hues(scene: Scene, shape: tuple[int, int]) -> np.ndarray:
    """(n, 3) colours of the bright pixels."""
    where = positions(shape)
    return scene.colour(where)[:, scene.density(where) > 0.3].T


def test_parts_differ_in_colour():
    shape = (150, 200)
    felt = np.median(hues(ball(shape), shape), axis=0)
    assert felt[1] > felt[0] > 2 * felt[2]  # yellow-green,
    assert np.any(np.all(hues(ball(shape), shape) > 0.98, axis=1))  # with a white seam
    skin = np.median(hues(hand(shape), shape), axis=0)
    assert skin[0] > skin[1] > skin[2]
    found = hues(hand(shape), shape)
    assert np.any(found[:, 2] > found[:, 0])  # the sleeve is blue
    assert np.mean((found[:, 2] > found[:, 1]) & (found[:, 0] > 0.9)) > 0.01  # nails are pink
    assert len(np.unique(hues(text(shape), shape), axis=0)) == 4


# --- ball


@pytest.mark.parametrize("shape", SHAPES)
def test_the_ball_is_round_and_in_the_middle(shape):
    outline = fine(ball(shape, 3), shape) > 0.05
    y, x = np.nonzero(outline)
    assert np.ptp(y) == pytest.approx(np.ptp(x), abs=2)
    assert outline.sum() == pytest.approx(math.pi / 4 * (np.ptp(x) + 1) ** 2, rel=0.02)
    np.testing.assert_allclose((y.mean(), x.mean()), [(FINE * n - 1) / 2 for n in shape], atol=FINE)


def test_the_ball_is_lit_from_the_upper_left():
    pictures = np.mean([render(ball((75, 100), seed), (75, 100), (1, 1)) for seed in range(8)], axis=0)
    assert pictures[25:37, 38:50].mean() > 1.4 * pictures[38:50, 51:63].mean()


@pytest.mark.parametrize("seed", range(4))
def test_the_seam_parts_the_felt(seed):
    """Cut along the seam, what is seen of the felt falls into two or three pieces (both panels, one of them twice)."""
    shape = (150, 200)
    scene, where = ball(shape, seed), positions(shape)
    felt = (scene.colour(where)[2] < 0.6) & (scene.density(where) > 0.1)
    pieces, n = label(felt)
    large = np.sum(np.bincount(pieces.ravel())[1:] > 100) if n else 0
    assert 2 <= large <= 3


def test_in_an_oblong_field_the_ball_leaves_room():
    picture = render(ball((64, 400)), (64, 400), (1, 1))
    rows = np.flatnonzero(picture.max(axis=1))
    assert rows[0] >= 0.18 * 64
    assert rows[-1] <= 0.82 * 64


# --- hand


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(6))
def test_the_hand_has_five_fingers(shape, seed):
    """Counted along an arc around the palm; and four along a line above the thumb."""
    scene = hand(shape, seed)
    y = np.nonzero(fine(scene, shape) > 0.1)[0]
    low, high = y.min() / FINE, y.max() / FINE
    height = high - low
    middle = scene.foot_px[1]
    angles = np.radians(np.linspace(-100, 100, 2000))
    arc = np.stack([low + 0.64 * height - 0.46 * height * np.cos(angles), middle + 0.46 * height * np.sin(angles)])
    assert runs(scene.density(arc.astype(np.float32))) == 5
    across = np.linspace(0, shape[1], 2000)
    assert runs(scene.density(np.stack([np.full(2000, low + 0.24 * height), across]).astype(np.float32))) == 4
    wrist = np.stack([np.full(2000, low + 0.84 * height), across]).astype(np.float32)
    assert runs(scene.density(wrist)) == 1


def test_there_are_left_and_right_hands():
    sides = set()
    for seed in range(8):
        scene = hand((75, 100), seed)
        picture = render(scene, (75, 100), (1, 1))
        columns = np.flatnonzero(picture.max(axis=0) > 0.1)
        # The thumb sticks out furthest from the sleeve.
        sides.add(columns[-1] - scene.foot_px[1] > scene.foot_px[1] - columns[0])
        pieces = label(picture > 0.05)[1]
        assert pieces == 1
    assert sides == {True, False}


def test_a_hand_has_five_nails():
    shape = (150, 200)
    scene, where = hand(shape, 0), positions(shape)
    red, green, blue = scene.colour(where)
    assert label((blue > green + 0.02) & (red > 0.9) & (scene.density(where) > 0.5))[1] == 5


# --- text


@pytest.mark.parametrize("shape", [*SHAPES, (64, 64)])
@pytest.mark.parametrize("seed", range(3))
def test_the_word_is_four_letters_that_can_be_read(shape, seed):
    picture = render(text(shape, seed), shape, (1, 1)) > 0.25
    letters, n = label(picture)
    assert n == 4
    # From left to right, how often lines across at 30, 50 and 75 % of the height enter strokes.
    rows = np.flatnonzero(picture.any(axis=1))
    order = sorted(range(1, 5), key=lambda i: np.nonzero(letters == i)[1].mean())
    scene = fine(text(shape, seed), shape) > 0.3
    found = []
    for i in order:
        columns = np.nonzero(letters == i)[1]
        own = scene[:, FINE * columns.min() : FINE * (columns.max() + 1)]
        heights = [FINE * (rows[0] + part * (rows[-1] + 1 - rows[0])) for part in (0.3, 0.5, 0.75)]
        found.append([runs(own[round(at)].astype(float)) for at in heights])
    assert [counts[1] for counts in found] == [3, 1, 1, 3]
    assert [counts[2] for counts in found[1:]] == [1, 1, 2]


def test_each_letter_has_an_extent_of_its_own():
    """N and M reach both lower corners, T none, S both in its last stroke."""
    shape = (150, 200)
    picture = render(text(shape), shape, (1, 1)) > 0.25
    letters, _ = label(picture)
    order = sorted(range(1, 5), key=lambda i: np.nonzero(letters == i)[1].mean())
    lower = []
    for i in order:
        y, x = np.nonzero(letters == i)
        box = (letters == i)[y.min() : y.max() + 1, x.min() : x.max() + 1]
        lower.append((bool(box[-3, 2]), bool(box[-3, box.shape[1] // 2]), bool(box[-3, -3])))
    assert lower == [(True, False, True), (True, True, True), (False, True, False), (True, False, True)]


# --- bad input


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("shape", "message"), [((20, 64), "size: got 20"), ((4, 64, 64), "shape: got 3 axes"), ((64,), "shape: got 1 axes")]
)
def test_fields_that_cannot_hold_a_scene_are_refused(make, shape, message):
    with pytest.raises(InputError, match=message):
        make(shape)
