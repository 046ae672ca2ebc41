from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image, ImageSequence
from tests.io.videos import decode, probe

from napari_nstm.core.data import Comparison
from napari_nstm.core.errors import InputError, NstmError, StoreError
from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.movie import write_movie
from napari_nstm.io.pace import movie_pace, movie_plan, speed_text
from napari_nstm.io.store import StoreWriter, open_result


@pytest.fixture
def small(monkeypatch):
    """No enlargement: quick to encode."""
    monkeypatch.setattr("napari_nstm.io.movie.COMFORTABLE_PX", 96)
    monkeypatch.setattr("napari_nstm.io.movie.COMFORTABLE_GIF_PX", 96)


def test_an_mp4_that_everything_plays_shows_the_sample_move(tmp_path, finished, small):
    seen = []
    path = tmp_path / "movie.mp4"
    info = write_movie(finished, path, n_frames=7, on_progress=lambda done, n: seen.append((done, n)))
    assert seen == [(done, 7) for done in range(1, 8)]
    frames = decode(path, info.size)
    assert len(frames) == info.n_frames == 7
    assert (info.size[0] % 2, info.size[1] % 2) == (0, 0)
    said = probe(path)
    assert "h264" in said
    assert "yuv420p" in said
    # The field is enlarged by a whole factor and otherwise untouched: find it, and look whether it moves.
    assert info.enlargement == 3
    differences = [np.abs(frame.astype(int) - frames[0]).mean() for frame in frames]
    assert differences == sorted(differences)
    assert differences[-1] > 2
    assert [p.name for p in tmp_path.glob("*movie*")] == ["movie.mp4"]


def test_the_brightest_spot_is_where_the_motion_took_it(tmp_path, finished, small):
    info = write_movie(finished, tmp_path / "movie.mp4", n_frames=2, arrows=False)
    first, last = (frame[:, :, 1].astype(float) for frame in decode(tmp_path / "movie.mp4", info.size))
    rows = slice(0, 15 + 24 * 3)  # without the key below

    def brightest(frame):
        return np.array(np.unravel_index(np.argmax(frame[rows]), frame[rows].shape))

    # 1.5 px down and 3 px left on the field.
    np.testing.assert_allclose(brightest(last) - brightest(first), [4.5, -9], atol=2.5)


def test_grey_levels_stay_the_same_over_the_movie_and_are_said(tmp_path, finished, small):
    info = write_movie(finished, tmp_path / "movie.mp4", n_frames=3)
    values = np.stack([finished.scene_at(t)[1] for t in (10.0, 27.5, 45.0)])
    assert info.limits == pytest.approx(tuple(np.percentile(values, (0.5, 99.5))), abs=1e-6)
    assert any("phase is shown from" in notice for notice in info.notices)
    other = write_movie(finished, tmp_path / "other.mp4", n_frames=3, channel="absorption")
    assert other.limits[0] > info.limits[0]


def test_a_gif_starts_over_and_a_boomerang_comes_back(tmp_path, finished, small):
    info = write_movie(finished, tmp_path / "movie.gif", n_frames=4, fps=10, loop="boomerang")
    with Image.open(tmp_path / "movie.gif") as gif:
        assert gif.n_frames == info.n_frames == 6
        assert (gif.info["loop"], gif.info["duration"], gif.size) == (0, 100, info.size)
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
    for there, back in ((1, 5), (2, 4)):
        np.testing.assert_array_equal(frames[there], frames[back])
    assert (frames[0] != frames[3]).any()
    # Colours of arrows survive the reduction to 256.
    assert (np.ptp(frames[3][:80].astype(int), axis=-1) > 60).sum() > 20


@pytest.mark.parametrize(("arrow_color", "hues"), [("direction", 6), ("speed", 4)])
def test_the_key_keeps_its_colours_in_a_gif(tmp_path, finished, arrow_color, hues):
    info = write_movie(finished, tmp_path / "movie.gif", n_frames=2, arrow_color=arrow_color)
    with Image.open(info.path) as gif:
        below = np.asarray(gif.convert("HSV"))[-90:].reshape(-1, 3)
    # All arrows go the same way; the key shows every other way too.
    hue = below[below[:, 1] > 70, 0]
    assert (np.histogram(hue, 8, (0, 256))[0] > 5).sum() >= hues


def test_side_by_side_has_the_still_conventional_image_on_the_left(tmp_path, finished, running, small):
    alone = write_movie(finished, tmp_path / "alone.mp4", n_frames=2)
    info = write_movie(finished, tmp_path / "both.mp4", n_frames=2, side_by_side=True)
    assert info.size[0] >= alone.size[0]
    first, last = decode(tmp_path / "both.mp4", info.size).astype(int)
    half = info.size[0] // 2
    rows = slice(0, info.size[1] - 70)
    assert np.abs(first - last)[rows, :half].max() <= 6  # the codec's noise
    assert np.abs(first - last)[rows, half:].max() > 60
    with pytest.raises(InputError, match="without a conventional reconstruction"):
        write_movie(open_result(running.path), tmp_path / "none.mp4", side_by_side=True)


@pytest.mark.parametrize("arrow_color", ["direction", "speed"])
def test_arrows_appear_as_points_move_away(tmp_path, finished, small, arrow_color):
    with_arrows = write_movie(finished, tmp_path / "a.mp4", n_frames=2, arrow_color=arrow_color)
    without = write_movie(finished, tmp_path / "b.mp4", n_frames=2, arrows=False)
    assert without.stretch is None
    assert with_arrows.stretch is not None
    rows = slice(0, 15 + 24 * 3)

    def colorful(path, info):
        return [(np.ptp(frame[rows].astype(int), axis=-1) > 50).sum() for frame in decode(path, info.size)]

    first, last = colorful(tmp_path / "a.mp4", with_arrows)
    assert first == 0
    assert last > 30
    assert colorful(tmp_path / "b.mp4", without) == [0, 0]


@pytest.fixture
def colorful(tmp_path, record):
    """A result in colours: red on the left, twice as bright green in the middle, blue on the right."""
    scene = np.zeros((3, 24, 31), np.float32)
    for index, (columns, value) in enumerate([(slice(2, 8), 0.5), (slice(12, 18), 1.0), (slice(22, 28), 0.75)]):
        scene[index, 6:18, columns] = value
    canvas = Canvas(scene, (0.0,) * 2, (1.0,) * 2, 1)
    motion = MotionLattice(np.zeros((2, 2, 3, 4), np.float32), (0.0,) * 2, (12.0,) * 2)
    channels = tuple(Channel(name, "counts") for name in ("red", "green", "blue"))
    changed = record.changed({"channels": channels, "presentation": (ChannelPresentation(),) * 3})
    still = Comparison("conventional", (22.5,), scene[None, ::-1])  # red and blue exchanged
    return StoreWriter.create(tmp_path / "rgb.zarr", changed).finish(
        "finished", canvas, motion, {}, comparisons=[still]
    )


def test_colours_are_shown_as_they_are_also_side_by_side(tmp_path, colorful, small):
    info = write_movie(colorful, tmp_path / "rgb.mp4", n_frames=1, side_by_side=True, arrows=False)
    assert "Each colour is shown from 0 (black) to 1 counts (full)." in info.notices
    frame = decode(tmp_path / "rgb.mp4", info.size)[0].astype(int)
    # Six patches in a row: the exchanged ones of the conventional image, and those of the scene.
    strong = np.ptp(frame[: info.size[1] - 70], axis=-1).max(axis=0)[:, None] > 90
    columns = np.flatnonzero(strong.any(axis=-1))
    patches = [part for part in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1) if len(part) > 8]
    # Of each its purest pixel: letters above are white.
    down = [frame[: info.size[1] - 70, int(part.mean())] for part in patches]
    middles = [column[np.ptp(column, axis=-1).argmax()] for column in down]
    assert [int(np.argmax(color)) for color in middles] == [2, 1, 0, 0, 1, 2]
    np.testing.assert_allclose([color.max() for color in middles], [127, 255, 191, 127, 255, 191], atol=14)


def test_one_colour_can_be_shown_alone(tmp_path, colorful, small):
    info = write_movie(colorful, tmp_path / "green.mp4", n_frames=1, channel="green")
    picture = decode(tmp_path / "green.mp4", info.size)[0].astype(int)
    assert np.ptp(picture[15:80], axis=-1).max() < 12, "grey"
    assert info.notices[0].startswith("green is shown from 0 (black) to 1 counts (white)")


def test_a_volume_shows_one_of_its_planes(tmp_path, record, small):
    planes = np.zeros((2, 4, 24, 31), np.float32)
    planes[1, 2, 8:16, 10:20] = 1.0
    canvas = Canvas(planes, (0.0,) * 3, (1.0,) * 3, 1)
    motion = MotionLattice(np.zeros((2, 3, 2, 3, 4), np.float32), (0.0,) * 3, (12.0,) * 3)
    volume = record.changed({"shape": (4, 24, 31), "pixel_size_um": (0.5, 0.25, 0.25)})
    result = StoreWriter.create(tmp_path / "volume.zarr", volume).finish("finished", canvas, motion, {})
    middle = write_movie(result, tmp_path / "middle.mp4", n_frames=1)
    assert "Plane 2 of 4 is shown." in middle.notices
    empty = write_movie(result, tmp_path / "empty.mp4", n_frames=1, plane=0)
    bright, dark = (
        (decode(tmp_path / name, info.size)[0][20:70] > 200).mean()
        for name, info in (("middle.mp4", middle), ("empty.mp4", empty))
    )
    assert bright > 0.02
    assert dark == 0
    with pytest.raises(InputError, match="0 to 3"):
        write_movie(result, tmp_path / "none.mp4", plane=4)


@pytest.mark.parametrize("name", ["movie.mp4", "movie.gif"])
def test_an_empty_scene_that_stands_still_is_a_movie_too(tmp_path, record, small, name):
    canvas = Canvas(np.zeros((2, 30, 36), np.float32), (-2.0, -2.0), (1.0, 1.0), 1)
    motion = MotionLattice(np.zeros((2, 2, 4, 5), np.float32), (0.0, 0.0), (8.0, 8.0))
    still = record.changed({"frame_times_ms": (10.0,), "times_ms": (10.0,)})
    result = StoreWriter.create(tmp_path / "empty.zarr", still).finish("stopped", canvas, motion, {})
    for color in ("direction", "speed"):
        info = write_movie(result, tmp_path / name, arrow_color=color, overwrite=True)
        assert (info.n_frames, info.stretch) == (1, 1.0)


def test_cancelling_leaves_no_file(tmp_path, finished, small):
    for name in ("movie.mp4", "movie.gif"):
        calls = iter([False, False, True])
        info = write_movie(finished, tmp_path / name, n_frames=9, should_stop=lambda calls=calls: next(calls))
        assert info.cancelled
        assert not list(tmp_path.glob("*movie*"))


def test_wrong_wishes_are_one_sentence_and_make_no_file(tmp_path, finished, record):
    (tmp_path / "old.mp4").write_text("precious")
    wishes = [
        ("movie.avi", {}, "out", "ending in .mp4, .gif or .png"),
        ("old.mp4", {}, "out", "--overwrite"),
        ("none/movie.mp4", {}, "out", "folder does not exist"),
        ("movie.mp4", {"channel": "colour"}, "channel", "one of absorption, phase"),
        ("movie.mp4", {"n_frames": 0}, "frames", "at least 1"),
        ("movie.mp4", {"fps": -1.0}, "fps", "over 0"),
    ]
    for name, options, field, said in wishes:
        with pytest.raises(InputError, match=said) as caught:
            write_movie(finished, tmp_path / name, **options)
        assert caught.value.field == field
    early = open_result(StoreWriter.create(tmp_path / "early.zarr", record).path)
    with pytest.raises(StoreError, match="has not reached a checkpoint"):
        write_movie(early, tmp_path / "movie.mp4")
    assert (tmp_path / "old.mp4").read_text() == "precious"
    assert not (tmp_path / "movie.mp4").exists()


def test_an_encoder_that_fails_is_one_sentence(tmp_path, finished, small, monkeypatch):
    monkeypatch.setattr("napari_nstm.io._mp4._CODEC", "no_such_codec")
    with pytest.raises(NstmError, match=r"movie could not be encoded: .*no_such_codec") as caught:
        write_movie(finished, tmp_path / "movie.mp4", n_frames=3)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*movie*"))


@pytest.mark.parametrize(
    ("duration_s", "n_frames", "fps", "gif", "expected"),
    [
        (4.0, None, None, False, (101, 25.0, 1.0)),  # real time
        (4.0, None, None, True, (101, 25.0, 1.0)),
        (4.0, 9, None, False, (9, 2.0, 1.0)),
        (0.075, 16, 10.0, False, (16, 10.0, 20.0)),
        (600.0, None, None, False, (301, 25.0, 0.02)),
        (0.0, None, None, False, (1, 1.0, 1.0)),
    ],
)
def test_movies_play_in_real_time_where_that_can_be_watched(duration_s, n_frames, fps, gif, expected):
    assert movie_pace(duration_s, n_frames, fps, gif) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("duration_s", [1e-5, 0.0006, 0.075, 0.3, 1.9, 2.1, 29.0, 31.0, 3600.0])
@pytest.mark.parametrize("gif", [False, True])
def test_every_acquisition_gives_a_movie_of_seconds_whose_speed_is_true(duration_s, gif):
    n_frames, fps, slowdown = movie_pace(duration_s, None, None, gif)
    assert 2 <= (n_frames - 1) / fps <= 30
    assert (n_frames - 1) / fps == pytest.approx(slowdown * duration_s)


def test_the_speed_is_said_in_words():
    assert speed_text(1.0) == "real time"
    assert speed_text(50.13) == "50x slower"
    assert speed_text(2.5) == "2.5x slower"
    assert speed_text(0.02) == "50x faster"


def test_a_plan_says_what_the_file_will_hold(tmp_path, finished, small):
    # 35 ms, four moments, there and back.
    plan = movie_plan(0.035, 4, 10.0, gif=True, boomerang=True)
    info = write_movie(finished, tmp_path / "movie.gif", n_frames=4, fps=10.0, loop="boomerang")
    assert (plan.n_moments, plan.n_frames, plan.fps) == (4, info.n_frames, info.fps)
    assert (plan.duration_s, plan.slowdown) == (info.duration_s, info.slowdown)
    assert movie_plan(0.0, 1, boomerang=True).n_frames == 1


def test_a_store_that_was_removed_is_one_sentence(tmp_path, finished, small):
    _ = finished.canvas(), finished.conventional
    shutil.rmtree(finished.path)
    with pytest.raises(StoreError, match="moved or removed"):
        write_movie(finished, tmp_path / "movie.mp4")
    assert not list(tmp_path.iterdir())


def white_runs(picture):
    """Lengths of white runs along rows."""
    rows = (picture > 220).all(axis=-1)
    return [len(run) for row in rows for run in "".join("#" if on else " " for on in row).split()]


@pytest.mark.parametrize("without", ["scale_bar", "time_stamp", "color_key"])
def test_what_is_switched_off_below_is_not_there(tmp_path, finished, without):
    def drawn(name, **options):
        info = write_movie(finished, tmp_path / f"{name}.png", n_frames=1, size_px=700, **options)
        with Image.open(info.path) as picture:
            return np.asarray(picture.convert("RGB")).astype(int)

    full, bare = drawn("full"), drawn("bare", **{without: False})
    assert full.shape == bare.shape
    top = full.shape[0] - 70
    field = slice(0, top - 20)
    np.testing.assert_array_equal(full[field], bare[field])
    below_full, below_bare = full[top:], bare[top:]
    bar = max(white_runs(below_full))
    if without == "scale_bar":
        assert bar > 60
        assert max(white_runs(below_bare)) < 30
    elif without == "color_key":
        colorful = [(np.ptp(below, axis=-1) > 60).sum() for below in (below_full, below_bare)]
        assert colorful[0] > 200
        assert colorful[1] == 0
        assert max(white_runs(below_bare)) == bar
    else:
        assert (below_full[:, :60] > 200).any()  # at the left: a number
        assert max(white_runs(below_bare)) == bar
        assert (below_bare > 200).sum() < (below_full > 200).sum()


def test_with_nothing_below_the_picture_is_the_field_in_its_margin(tmp_path, finished):
    nothing = {"scale_bar": False, "time_stamp": False, "color_key": False, "arrows": False}
    info = write_movie(finished, tmp_path / "a.png", n_frames=1, size_px=300, **nothing)
    field = np.array([31, 24]) * info.enlargement
    assert (np.array(info.size) - field < 30).all()
    assert info.size[0] == 300


@pytest.mark.parametrize(("size_px", "width"), [(480, 480), (641, 642), (900, 900)])
def test_pictures_are_as_wide_as_was_asked(tmp_path, finished, size_px, width):
    info = write_movie(finished, tmp_path / "a.mp4", n_frames=2, size_px=size_px)
    assert info.size[0] == width
    assert decode(tmp_path / "a.mp4", info.size).shape[1:3] == info.size[::-1]
    assert (any("even sizes" in notice for notice in info.notices)) == (width != size_px)
    assert f"Pixels are enlarged {info.enlargement:.3g} times (bicubic)." in info.notices
    assert info.enlargement == pytest.approx(width / 31, rel=0.15)


def test_a_field_can_be_made_smaller(tmp_path, record):
    stripes = np.zeros((1, 200, 2000), np.float32)
    stripes[..., ::2] = 1.0
    one = {"channels": (Channel("phase", "rad"),), "presentation": (ChannelPresentation(),)}
    wide = record.changed({"shape": (200, 2000), **one})
    canvas = Canvas(stripes, (0.0,) * 2, (1.0,) * 2, 1)
    motion = MotionLattice(np.zeros((2, 2, 3, 4), np.float32), (0.0,) * 2, (1000.0,) * 2)
    result = StoreWriter.create(tmp_path / "wide.zarr", wide).finish("finished", canvas, motion, {})
    info = write_movie(result, tmp_path / "a.png", n_frames=1, size_px=600, arrows=False)
    assert info.enlargement < 0.3
    assert any(notice.startswith("Pixels are reduced to 0.2") for notice in info.notices)
    with Image.open(info.path) as picture:
        middle = np.asarray(picture.convert("L"))[20:26, 30:-30].astype(int)
    # Stripes too fine to be seen are grey: none becomes a coarser one.
    assert np.ptp(middle) < 40
    assert 100 < middle.mean() < 155


def test_sizes_that_do_not_do_are_said_at_their_field(tmp_path, finished):
    for size in (0, 60, 100_000):
        with pytest.raises(InputError) as caught:
            write_movie(finished, tmp_path / "a.mp4", n_frames=1, size_px=size)
        assert caught.value.field == "size"
    assert not (tmp_path / "a.mp4").exists()


def test_any_comparison_can_stand_beside_and_follows_in_time(tmp_path, record, canvas, motion):
    images = np.zeros((2, 2, 24, 31), np.float32)
    images[0, :, :, :10], images[1, :, :, 21:] = 0.7, 0.7  # left at the first moment, right at the last
    others = [Comparison("widefield", (10.0, 45.0), images), Comparison("fista_tv", (10.0,), images[:1] * 0)]
    result = StoreWriter.create(tmp_path / "r.zarr", record).finish("finished", canvas, motion, {}, comparisons=others)
    info = write_movie(result, tmp_path / "a.png", n_frames=2, comparison="widefield", size_px=800, arrows=False)
    shown = []
    for number in (1, 2):
        with Image.open(tmp_path / f"a-{number:04d}.png") as picture:
            shown.append(np.asarray(picture.convert("L"))[80:250, :390].astype(int))
    assert info.n_frames == 2
    assert shown[0][:, 30:100].mean() > shown[1][:, 30:100].mean() + 100
    assert shown[1][:, 290:370].mean() > shown[0][:, 290:370].mean() + 100
    with pytest.raises(InputError, match="one of widefield, fista_tv") as caught:
        write_movie(result, tmp_path / "b.mp4", comparison="conventional")
    assert caught.value.field == "comparison"


def test_numbered_pictures_are_cancelled_and_replaced_as_a_whole(tmp_path, finished, small):
    calls = iter([False, False, True])
    assert write_movie(finished, tmp_path / "a.png", n_frames=5, should_stop=lambda: next(calls)).cancelled
    assert not list(tmp_path.glob("*a*.png*"))
    info = write_movie(finished, tmp_path / "a.png", n_frames=5, loop="boomerang")
    assert (info.path.name, info.n_frames, len(list(tmp_path.glob("a-*.png")))) == ("a-0001.png", 8, 8)
    with pytest.raises(InputError, match=r"a-0001.png, which exists already"):
        write_movie(finished, tmp_path / "a.png", n_frames=5)
    with pytest.raises(InputError, match=r"a-0006.png, which would seem to belong"):
        write_movie(finished, tmp_path / "a.png", n_frames=5, overwrite=True)
    write_movie(finished, tmp_path / "a.png", n_frames=8, overwrite=True)


def test_a_frame_takes_as_long_at_the_end_as_at_the_beginning(tmp_path, finished, small):
    rendered, written, at = [], [], []
    real = type(finished).scene_at
    counted = lambda self, time: rendered.append(time) or real(self, time)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(finished), "scene_at", counted)
        for n in (10, 40):
            rendered.clear()
            at.clear()
            write_movie(finished, tmp_path / f"{n}.png", n_frames=n, on_progress=lambda *_: at.append(len(rendered)))
            written.append(list(np.diff(at)))
    # Every frame renders the scene once, wherever it stands; what comes before the first does not depend on them.
    assert written == [[1] * 9, [1] * 39]
    assert at[0] < 12
