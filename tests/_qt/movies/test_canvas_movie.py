"""Movies of a real canvas: what is shown is in the file, and slider and camera are where they were."""

import threading

import imageio.v3 as iio
import numpy as np
import pytest
from qtpy.QtCore import QTimer
from tests._qt.video import decode

from napari_nstm._qt.movies.canvas_movie import CanvasMovie
from napari_nstm.core.errors import InputError

N = 32


def volume():
    """(t, z, y, x): a spot that is not on the axis, and grows brighter."""
    z, y, x = np.mgrid[:N, :N, :N]
    spot = np.exp(-((z - 8) ** 2 + (y - 16) ** 2 + (x - 24) ** 2) / 12)
    return np.stack([share * spot for share in (0.3, 0.5, 0.7, 0.9)]).astype(np.float32)


@pytest.fixture
def viewer(make_napari_viewer_proxy, qtbot):
    made = make_napari_viewer_proxy(show=True)
    made.window.resize(600, 440)
    made.add_image(volume(), axis_labels=("t", "z", "y", "x"), contrast_limits=(0, 1), name="spot")
    qtbot.wait(300)
    return made


@pytest.fixture
def movie(viewer):
    made = CanvasMovie(viewer)
    yield made
    made.shutdown()


def state(viewer):
    camera = viewer.scene.camera
    parts = (viewer.dims.point, viewer.dims.ndisplay, camera.center, camera.zoom, camera.angles)
    return np.hstack([np.ravel(part) for part in parts])


def make(qtbot, movie, path, **wishes):
    with qtbot.waitSignal(movie.finished, timeout=20_000) as done:
        movie.start(path, **wishes)
        assert movie.busy
    assert not movie.busy
    return done.args[0]


def brightness(frames):
    """Of the brightest spot in each picture: texts on the canvas are thin, so of a mean over some pixels."""
    return [float(np.sort(frame.ravel())[-400:].mean()) for frame in frames]


def test_the_slider_goes_through_time_and_back_to_where_it_was(viewer, movie, qtbot, tmp_path):
    viewer.dims.set_point((0, 1), (2, 8))
    before, told = state(viewer), []
    movie.progressed.connect(lambda done, n: told.append((done, n)))
    info = make(qtbot, movie, tmp_path / "a.mp4")
    np.testing.assert_allclose(state(viewer), before)
    frames = decode(info.path, info.size).astype(float)
    assert len(frames) == info.n_frames == 4
    canvas = viewer.screenshot(canvas_only=True, flash=False).shape[1::-1]
    assert info.size == tuple(n - n % 2 for n in canvas)
    assert ("edge was left out" in " ".join(info.notices)) == (info.size != canvas)
    seen = brightness(frames)
    assert np.all(np.diff(seen) > 20)
    assert told[-1] == (4, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_turn_shows_the_other_side_and_comes_back(viewer, movie, qtbot, tmp_path):
    viewer.dims.set_point(0, 3)
    before = state(viewer)
    info = make(qtbot, movie, tmp_path / "a.png", moves="turn", n_frames=20)
    np.testing.assert_allclose(state(viewer), before, atol=1e-6)
    assert viewer.dims.ndisplay == 2
    frames = [iio.imread(tmp_path / f"a-{number:04d}.png").astype(float) for number in range(1, 21)]
    difference = [np.abs(frame - frames[0]).mean() for frame in frames]
    assert info.n_frames == 20
    # One step before a full turn is nearly the beginning; the spot, right of the middle, is left half way.
    assert difference[-1] < 0.6 * difference[10]
    seen = [frame[..., :3].max(axis=-1).clip(100) - 100 for frame in (frames[0], frames[10])]
    columns = [np.average(np.arange(one.shape[1]), weights=one.sum(axis=0)) for one in seen]
    middle = frames[0].shape[1] / 2
    assert columns[0] > middle + 20
    assert columns[1] < middle - 20


def test_time_and_turn_at_once_from_where_the_user_looks(viewer, movie, qtbot, tmp_path):
    viewer.dims.ndisplay = 3
    viewer.scene.camera.angles = (20, 30, 10)
    viewer.scene.camera.zoom *= 1.3
    before = state(viewer)
    info = make(qtbot, movie, tmp_path / "a.gif", moves="both", n_frames=6, loop="boomerang", fps=10)
    np.testing.assert_allclose(state(viewer), before, atol=1e-6)
    frames = iio.imread(info.path).astype(float)
    assert len(frames) == info.n_frames == 10
    np.testing.assert_array_equal(frames[1], frames[9])
    assert brightness(frames)[5] > brightness(frames)[0] + 50


@pytest.mark.parametrize("width", [320, 900])
def test_any_width_shows_the_same_part_of_the_sample(viewer, movie, qtbot, tmp_path, width):
    viewer.dims.set_point((0, 1), (0, 8))
    shown = viewer.screenshot(canvas_only=True, flash=False)
    before = state(viewer)
    info = make(qtbot, movie, tmp_path / "a.png", n_frames=1, size_px=width)
    assert info.path.name == "a.png"
    assert "keep their size in pixels" in info.notices[-1]
    np.testing.assert_allclose(state(viewer), before)
    assert viewer.screenshot(canvas_only=True, flash=False).shape == shown.shape
    picture = iio.imread(info.path).astype(float)
    assert (picture.shape[1], info.size) == (width, picture.shape[1::-1])
    assert picture.shape[0] == pytest.approx(shown.shape[0] * width / shown.shape[1], abs=1)
    assert picture.shape[0] % 2 == 0
    # The sample covers the same share of the picture.
    shares = [(one[..., :3].max(axis=-1) > 20).mean() for one in (picture, shown)]
    assert shares[0] == pytest.approx(shares[1], rel=0.15)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.png"])
@pytest.mark.parametrize("after", [0, 3])
def test_cancel_leaves_no_file_and_puts_all_back(viewer, movie, qtbot, tmp_path, name, after):
    before = state(viewer)
    if after:
        movie.progressed.connect(lambda done, _: movie.cancel() if done >= after else None)
    with qtbot.waitSignal(movie.cancelled, timeout=20_000):
        movie.start(tmp_path / name, moves="both", n_frames=60)
        if not after:
            movie.cancel()
    np.testing.assert_allclose(state(viewer), before, atol=1e-6)
    qtbot.waitUntil(lambda: not list(tmp_path.iterdir()))
    assert not movie.busy


def test_the_window_goes_on_and_few_pictures_wait(viewer, movie, qtbot, tmp_path, monkeypatch):
    from napari_nstm._qt.movies import canvas_film

    gate, beats, taken = threading.Event(), [], []
    real = canvas_film.write_video

    def write_video(path, pictures, *arguments, **options):
        gate.wait(10)
        return real(path, pictures, *arguments, **options)

    monkeypatch.setattr(canvas_film, "write_video", write_video)
    take = movie._take
    monkeypatch.setattr(movie, "_take", lambda film: (taken.append(film), take(film)))
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(1))
    timer.start(5)
    with qtbot.waitSignal(movie.finished, timeout=20_000):
        movie.start(tmp_path / "a.mp4", n_frames=30)
        qtbot.wait(800)  # the thread does not come to write
        assert len(taken) <= 5
        assert len(beats) > 40
        gate.set()
    timer.stop()
    assert len(taken) == 30


def test_what_the_user_moves_meanwhile_is_not_in_the_movie(viewer, movie, qtbot, tmp_path):
    def disturb(done, _n):
        if done < 8:
            viewer.dims.set_point(0, 0)
            viewer.scene.camera.zoom *= 1.5

    before = state(viewer)
    movie.progressed.connect(disturb)
    info = make(qtbot, movie, tmp_path / "a.mp4", n_frames=16)
    np.testing.assert_allclose(state(viewer), before)
    seen = brightness(decode(info.path, info.size).astype(float))
    assert np.all(np.diff(seen) > -2)


def test_an_error_on_the_way_is_told_and_leaves_nothing(viewer, movie, qtbot, tmp_path, monkeypatch):
    before = state(viewer)

    def fail(*_args):
        raise ValueError("a fault")

    monkeypatch.setattr("napari_nstm._qt.movies.canvas_stage.turned", fail)
    with qtbot.waitSignal(movie.failed, timeout=20_000) as failed:
        movie.start(tmp_path / "a.mp4", moves="turn", n_frames=10)
    assert str(failed.args[0]) == "a fault"
    np.testing.assert_allclose(state(viewer), before, atol=1e-6)
    assert list(tmp_path.iterdir()) == []
    info = make(qtbot, movie, tmp_path / "b.mp4", n_frames=2)
    assert info.n_frames == 2


def test_a_file_that_cannot_be_written_is_told(viewer, movie, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_nstm.io._mp4._CODEC", "no_such_codec")
    before = state(viewer)
    with qtbot.waitSignal(movie.failed, timeout=20_000) as failed:
        movie.start(tmp_path / "a.mp4", n_frames=8)
    assert "could not be encoded" in str(failed.args[0])
    np.testing.assert_allclose(state(viewer), before)
    assert list(tmp_path.iterdir()) == []


def test_a_window_that_closes_calls_the_movie_off(viewer, movie, qtbot, tmp_path):
    closed = []
    movie.progressed.connect(lambda *_: closed or (closed.append(1), viewer.close()))
    with qtbot.waitSignal(movie.cancelled, timeout=20_000):
        movie.start(tmp_path / "a.mp4", n_frames=200)
    assert not movie.busy
    assert list(tmp_path.iterdir()) == []


def test_shut_down_in_the_middle_leaves_no_thread_that_waits(viewer, qtbot, tmp_path):
    movie = CanvasMovie(viewer)
    before = threading.active_count()
    with qtbot.waitSignal(movie.progressed, timeout=20_000):
        movie.start(tmp_path / "a.mp4", n_frames=200)
    movie.shutdown()
    movie.shutdown()
    qtbot.waitUntil(lambda: threading.active_count() <= before)
    assert list(tmp_path.iterdir()) == []


def test_wishes_that_do_not_do_are_said_before_anything_moves(viewer, movie, tmp_path):
    (tmp_path / "old.mp4").write_text("precious")
    wishes = [
        ("a.avi", {}, "out"),
        ("old.mp4", {}, "out"),
        ("a.mp4", {"n_frames": 0}, "frames"),
        ("a.mp4", {"fps": 0.0}, "fps"),
        ("a.mp4", {"size_px": 10}, "size"),
    ]
    for name, options, field in wishes:
        with pytest.raises(InputError) as caught:
            movie.prepare(tmp_path / name, **options)
        assert caught.value.field == field
        assert not movie.busy
    viewer.layers[0].visible = False
    with pytest.raises(InputError, match="visible layer") as caught:
        movie.prepare(tmp_path / "a.mp4")
    assert caught.value.field == "picture"
