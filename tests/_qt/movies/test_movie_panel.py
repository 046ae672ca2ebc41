"""Movies out of the window: what is chosen is what the file shows; the window goes on; nothing half-made is left."""

import itertools
import shutil
import threading

import imageio.v3 as iio
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QToolButton
from tests._qt.small_store import write_store
from tests._qt.video import decode

from napari_nstm._qt.movies import movie_panel as module
from napari_nstm._qt.movies.movie_panel import MoviePanel
from napari_nstm._qt.task_row import Outcome, TaskRow
from napari_nstm.core.errors import InputError


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """No enlargement: quick to encode."""
    monkeypatch.setattr("napari_nstm.io.movie.COMFORTABLE_PX", 120)
    monkeypatch.setattr("napari_nstm.io.movie.COMFORTABLE_GIF_PX", 120)


@pytest.fixture
def panel(background, qtbot, stored):
    made = MoviePanel(ViewerModel(), background)
    qtbot.addWidget(made)
    made.set_result(stored, "cells: no. 1")
    made.show()
    return made


class Writer:
    """Holds the thread that writes a movie before some of its frames, until it is let go on."""

    def __init__(self):
        self.gates = {0: threading.Event()}
        self.reached = {0: threading.Event()}

    def hold(self, frame):
        self.gates[frame], self.reached[frame] = threading.Event(), threading.Event()

    def wait(self, frame, should_stop):
        if frame in self.gates:
            self.reached[frame].set()
            while not self.gates[frame].wait(0.005):
                if should_stop():
                    return


@pytest.fixture
def slow(monkeypatch):
    """A movie that is held before its first frame."""
    writer = Writer()
    real = module.write_movie

    def write_movie(stored, path, *, should_stop, **options):
        frames = itertools.count()

        def ask():
            writer.wait(next(frames), should_stop)
            return should_stop()

        return real(stored, path, should_stop=ask, **options)

    monkeypatch.setattr(module, "write_movie", write_movie)
    yield writer
    for gate in writer.gates.values():
        gate.set()


def finish(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.busy, timeout=20_000)
    return said(panel)


def said(panel):
    return panel.task.message.text().replace("\u200b", "")


def problem(panel, field):
    return panel.form._rows[field].problem()


def left_behind(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if path.name != "result.zarr")


def test_a_movie_made_by_mouse_shows_the_sample_move(panel, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "moving"), "Video, H.264 (*.mp4)"))
    panel.form.time_points.setText("5")
    panel.form.arrows.setCurrentIndex(panel.form.arrows.findText("none"))
    with qtbot.waitSignal(panel.exported, timeout=20_000) as exported:
        qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
        assert not panel.button.isEnabled()
        assert panel.task.cancel_button.isVisible()
    info = exported.args[0]
    assert (info.path, info.n_frames) == (tmp_path / "moving.mp4", 5)
    frames = decode(info.path, info.size).astype(float)
    assert len(frames) == 5
    # The field is enlarged twice; its brightest point goes 1.5 px down and 3 px left.
    rows = slice(0, 15 + 40 * 2)
    first, last = (np.argwhere(frame[rows] > 0.97 * frame[rows].max()).mean(axis=0) for frame in frames[[0, -1]])
    np.testing.assert_allclose(last - first, [3, -6], atol=1.5)
    text = said(panel)
    assert "Saved: " in text
    assert "moving.mp4 (5 frames of" in text
    assert "than real time." in text
    assert panel.button.isEnabled()
    assert left_behind(tmp_path) == ["moving.mp4"]


def test_choices_reach_the_file(panel, qtbot, tmp_path):
    form = panel.form
    form.time_points.setText("4")
    form.fps.setText("10")
    form.loop.setCurrentIndex(form.loop.findText("there and back"))
    form.comparison.setCurrentIndex(form.comparison.findText("conventional"))
    panel.export_to(tmp_path / "a.gif")
    finish(qtbot, panel)
    both = iio.imread(tmp_path / "a.gif")
    assert len(both) == 6
    assert iio.immeta(tmp_path / "a.gif")["duration"] == 100
    np.testing.assert_array_equal(both[1], both[5])
    # On the left what is still, on the right what moves, with colours on its arrows.
    half = both.shape[2] // 2
    moving = np.abs(both[3, :90].astype(int) - both[0, :90].astype(int)).max(axis=-1)
    assert moving[:, :half].max() < 40 < moving[:, half:].max()
    vivid = np.ptp(both[3, :90].astype(int), axis=-1) > 60
    assert vivid[:, half:].sum() > 10 > vivid[:, :half].sum()
    form.arrows.setCurrentIndex(form.arrows.findText("none"))
    form.comparison.setCurrentIndex(0)
    panel.export_to(tmp_path / "b.gif")
    finish(qtbot, panel)
    alone = iio.imread(tmp_path / "b.gif")
    assert alone.shape[2] < both.shape[2]
    assert (np.ptp(alone[3, :90].astype(int), axis=-1) > 60).sum() == 0


def test_what_the_movie_will_be_is_said_before(panel, qtbot, tmp_path):
    # 35 ms are slowed down until one can watch them.
    assert panel.outlook.text() == "89 frames, 3.6 s, 101x slower than real time."
    panel.form.time_points.setText("8")
    panel.form.fps.setText("4")
    assert panel.outlook.text() == "8 frames, 2.0 s, 50x slower than real time."
    panel.export_to(tmp_path / "a.mp4")
    assert "8 frames of" in finish(qtbot, panel)
    assert ", 2.0 s)" in said(panel)


def test_the_last_channel_is_shown_unless_another_was_chosen(panel, qtbot, tmp_path):
    assert panel.form.channel.currentText() == "phase"
    panel.form.channel.setCurrentIndex(0)
    panel.form.time_points.setText("1")
    panel.export_to(tmp_path / "a.mp4")
    assert "absorption is shown from" in finish(qtbot, panel)
    panel.set_result(write_store(tmp_path / "other.zarr"), "another")
    assert panel.form.channel.currentText() == "absorption"


def test_planes_are_asked_for_in_volumes_only(panel, qtbot, tmp_path):
    assert not panel.form.plane.isVisible()
    panel.set_result(write_store(tmp_path / "volume.zarr", n_planes=4), "volume")
    panel.form.more.set_open()
    assert panel.form.plane.isVisible()
    assert "middle (2)" in panel.form.plane.placeholderText()
    panel.form.time_points.setText("1")
    panel.form.plane.setText("4")
    assert "give 0 to 3" in problem(panel, "plane")
    panel.form.plane.setText("3")
    panel.export_to(tmp_path / "a.mp4")
    assert "Plane 3 of 4 is shown." in finish(qtbot, panel)


def test_what_the_result_holds_can_stand_beside(panel, qtbot, tmp_path):
    choice = panel.form.comparison
    assert [choice.itemText(index) for index in range(choice.count())] == ["none", "conventional"]
    panel.set_result(write_store(tmp_path / "series.zarr", series=True), "series")
    choice.setCurrentIndex(choice.findText("widefield"))
    panel.form.time_points.setText("1")
    panel.form.size.setText("800")
    panel.export_to(tmp_path / "a.png")
    finish(qtbot, panel)
    both = iio.imread(tmp_path / "a.png")
    choice.setCurrentIndex(0)
    panel.export_to(tmp_path / "b.png")
    finish(qtbot, panel)
    alone = iio.imread(tmp_path / "b.png")
    bright = (both[100:250] > 240).all(axis=-1)
    assert min(bright[:, :400].sum(), bright[:, 400:].sum()) > 500
    assert not (alone[100:250] > 240).all(axis=-1)[:, :200].any()
    assert both.shape[0] < alone.shape[0] - 150


def test_no_comparison_where_the_result_holds_none(panel, tmp_path):
    panel.form.comparison.setCurrentIndex(1)
    panel.set_result(write_store(tmp_path / "without.zarr", conventional=False), "without")
    assert not panel.form.comparison.isEnabled()
    assert panel.form.wishes()["comparison"] is None
    assert "no conventional" in panel.form.comparison.toolTip()


def test_numbered_pictures_are_as_wide_as_asked_and_bare(panel, qtbot, tmp_path):
    panel.form.time_points.setText("3")
    panel.form.size.setText("640")
    panel.export_to(tmp_path / "full.png")
    assert "full-0001.png (the first of 3 frames of 640 x " in finish(qtbot, panel)
    for box in (panel.form.scale_bar, panel.form.time_stamp, panel.form.color_key):
        box.setChecked(False)
    panel.export_to(tmp_path / "bare.png")
    finish(qtbot, panel)
    full, bare = (iio.imread(tmp_path / f"{name}-0003.png") for name in ("full", "bare"))
    assert full.shape[1] == bare.shape[1] == 640
    assert full.shape[0] > bare.shape[0] + 20
    assert len(left_behind(tmp_path)) == 6
    panel.export_to(tmp_path / "bare.png")
    assert finish(qtbot, panel) == f"⚠ {tmp_path / 'bare-0001.png'} exists already."


def test_a_dialog_that_asked_about_one_name_allows_no_other(panel, qtbot, tmp_path, monkeypatch):
    panel.form.time_points.setText("2")
    (tmp_path / "a-0002.png").write_text("precious")
    chosen = (str(tmp_path / "a.png"), "Numbered pictures (*.png)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen)
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    assert finish(qtbot, panel) == f"⚠ {tmp_path / 'a-0002.png'} exists already."
    assert (tmp_path / "a-0002.png").read_text() == "precious"


@pytest.mark.parametrize(("kind", "first"), [("png", "Numbered"), ("gif", "Animated"), ("mp4", "Video")])
def test_the_dialog_proposes_the_preferred_format(panel, qtbot, monkeypatch, kind, first):
    asked = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: asked.append(arguments) or ("", ""))
    panel.set_default_format(kind)
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    _, _, path, kinds = asked[0]
    assert path.endswith(f"cells_no._1.{kind}")
    assert kinds.startswith(first)
    assert len(kinds.split(";;")) == 3


def test_what_rarely_matters_opens_where_it_is_wrong(panel, qtbot, tmp_path):
    form = panel.form
    assert not form.more.is_open()
    for edit, field in ((form.fps, "fps"), (form.size, "size")):
        form.more.set_open(False)
        edit.setText("0")
        assert form.more.is_open()
        assert problem(panel, field)
        edit.clear()
    form.size.setText("90")  # only who lays it out knows that this is too little
    panel.export_to(tmp_path / "a.mp4")
    assert "see what is marked above" in finish(qtbot, panel)
    assert "a width of at least" in problem(panel, "size")


def test_what_does_not_apply_to_the_canvas_rests_and_says_why(panel):
    form = panel.form
    drawn = (form.channel, form.arrows, form.comparison, form.scale_bar, form.time_stamp, form.color_key)
    assert all(widget.isEnabled() for widget in drawn)
    assert not form.moves.isEnabled()
    assert form.moves.toolTip() == "Of the canvas only."
    before = [widget.toolTip() for widget in drawn]
    form.picture.setCurrentIndex(1)
    assert not any(widget.isEnabled() for widget in drawn)
    assert all("canvas is taken" in widget.toolTip() for widget in drawn)
    assert form.moves.isEnabled()
    # Nothing is shown in this viewer: no movie, and the reason stands at its field.
    assert problem(panel, "moves") == "Nothing that is shown has more than one moment."
    assert not panel.button.isEnabled()
    form.picture.setCurrentIndex(0)
    assert [widget.toolTip() for widget in drawn] == before
    assert panel.button.isEnabled()


def test_the_tab_key_follows_the_form(panel, qtbot):
    form = panel.form
    form.more.set_open()
    panel.activateWindow()
    form.picture.setFocus()
    qtbot.waitUntil(form.picture.hasFocus)
    expected = [form.channel, form.arrows, form.comparison, form.scale_bar, form.time_stamp, form.color_key]
    expected += [form.time_points, form.more.findChild(QToolButton), form.fps, form.loop, form.size, panel.button]
    for widget in expected:
        qtbot.keyClick(panel.window().focusWidget(), Qt.Key.Key_Tab)
        assert panel.window().focusWidget() is widget
        assert widget.accessibleName() or widget.text()


def test_every_wrong_entry_is_said_at_its_field_and_nothing_is_made(panel, tmp_path):
    panel.form.time_points.setText("many")
    panel.form.fps.setText("-3")
    assert problem(panel, "frames") == "“many” does not do; give a whole number, or leave it empty."
    assert problem(panel, "fps") == "-3 does not do; give frames per second, over 0 and up to 240."
    assert panel.form.fps.accessibleDescription() == problem(panel, "fps")
    assert not panel.button.isEnabled()
    panel.export_to(tmp_path / "a.mp4")
    assert not panel.busy
    assert "see what is marked above" in said(panel)
    assert left_behind(tmp_path) == []
    for text, fault in (("0", "at least 1"), ("1e9", "whole number"), ("1000000000", "at most")):
        panel.form.time_points.setText(text)
        assert fault in problem(panel, "frames")
    panel.form.time_points.clear()
    panel.form.fps.setText("12.5")
    assert (problem(panel, "frames"), problem(panel, "fps")) == ("", "")
    assert panel.button.isEnabled()


def test_a_problem_found_on_the_way_stands_at_its_field(panel, qtbot, tmp_path, monkeypatch):
    def write_movie(*_args, **_options):
        raise InputError("fps", "77", "less")

    monkeypatch.setattr(module, "write_movie", write_movie)
    panel.export_to(tmp_path / "a.mp4")
    assert "see what is marked above" in finish(qtbot, panel)
    assert problem(panel, "fps") == "77 does not do; give less."


def test_files_are_replaced_only_where_the_dialog_asked(panel, qtbot, tmp_path, monkeypatch):
    panel.form.time_points.setText("1")
    precious = tmp_path / "a.gif"
    precious.write_text("precious")
    answers = iter([str(tmp_path / "a"), str(precious), ""])
    proposed = []

    def ask(_parent, _title, path, _kinds):
        proposed.append(path)
        return next(answers), "Animated picture (*.gif)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    # The dialog asked about "a", which does not exist: not about a.gif.
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    assert finish(qtbot, panel) == f"⚠ {precious} exists already."
    assert precious.read_text() == "precious"
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    assert "Saved: " in finish(qtbot, panel)
    assert precious.read_bytes()[:3] == b"GIF"
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)  # called off in the dialog
    assert not panel.busy
    assert [path.rpartition("/")[2] for path in proposed] == ["cells_no._1.mp4"] * 3
    assert proposed[1] == str(tmp_path / "cells_no._1.mp4")  # the folder of the last time


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_cancel_leaves_nothing(panel, qtbot, tmp_path, slow, name):
    panel.export_to(tmp_path / name)
    assert slow.reached[0].wait(20)
    qtbot.mouseClick(panel.task.cancel_button, Qt.MouseButton.LeftButton)
    assert finish(qtbot, panel) == "Cancelled; nothing was written."
    assert left_behind(tmp_path) == []
    assert not panel.task.bar.isVisible()
    assert panel.button.isEnabled()


def test_a_movie_that_waits_its_turn_is_cancelled_at_once(panel, background, qtbot, tmp_path):
    go, ran = threading.Event(), []
    background.submit(lambda: go.wait(5))
    panel.export_to(tmp_path / "a.mp4")
    panel.cancel()
    assert not panel.busy
    assert said(panel) == "Cancelled; nothing was written."
    go.set()
    background.submit(lambda: None, ran.append)
    qtbot.waitUntil(lambda: bool(ran))
    assert left_behind(tmp_path) == []


def test_progress_is_shown_and_the_form_rests_meanwhile(panel, qtbot, tmp_path, slow):
    slow.hold(17)
    panel.form.time_points.setText("40")
    panel.export_to(tmp_path / "a.mp4")
    assert slow.reached[0].wait(20)
    assert not panel.form.isEnabled()
    panel.set_result(write_store(tmp_path / "other.zarr"), "another")  # the movie in the making goes on
    panel.export_to(tmp_path / "b.mp4")  # one at a time
    slow.gates[0].set()
    assert slow.reached[17].wait(20)
    qtbot.waitUntil(lambda: "17 of 40 frames" in said(panel))
    bar = panel.task.bar
    assert bar.value() / bar.maximum() == pytest.approx(17 / 40, abs=0.001)
    assert panel.busy
    slow.gates[17].set()
    assert "a.mp4" in finish(qtbot, panel)
    assert panel.form.isEnabled()
    assert left_behind(tmp_path) == ["a.mp4", "other.zarr"]


def test_a_result_that_vanished_is_one_sentence(panel, qtbot, stored, tmp_path):
    _ = stored.canvas(), stored.reconstruction
    shutil.rmtree(stored.path)
    panel.export_to(tmp_path / "a.mp4")
    assert finish(qtbot, panel) == f"⚠ The result is no longer at {stored.path}: it was moved or removed."
    assert left_behind(tmp_path) == []


def test_files_that_cannot_be_are_one_sentence(panel, qtbot, tmp_path, monkeypatch):
    for name, sentence in (
        ("a.avi", "a.avi does not do; give a file ending in .mp4, .gif or .png."),
        ("no/a.mp4", "whose folder does not exist"),
    ):
        panel.export_to(tmp_path / name)
        assert sentence in finish(qtbot, panel)
        assert "--overwrite" not in said(panel)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_nstm.io.video.replace", full)
    panel.form.time_points.setText("1")
    panel.export_to(tmp_path / "a.mp4")
    assert finish(qtbot, panel) == f"⚠ {tmp_path / 'a.mp4'} cannot be written (No space left on device)."
    assert left_behind(tmp_path) == []


def test_what_nobody_expected_reaches_napari_and_the_panel_goes_on(panel, qtbot, tmp_path, monkeypatch):
    def write_movie(*_args, **_options):
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(module, "write_movie", write_movie)
    with qtbot.capture_exceptions() as raised:
        panel.export_to(tmp_path / "a.mp4")
        finish(qtbot, panel)
    assert [str(error) for _, error, _ in raised] == ["a fault of the program"]
    assert panel.button.isEnabled()


def test_without_a_result_nothing_can_be_asked_for(panel, tmp_path):
    panel.set_result(None, "")
    assert not panel.button.isEnabled()
    assert not panel.form.isEnabled()
    panel.export_to(tmp_path / "a.mp4")
    assert not panel.busy


def test_a_panel_that_is_deleted_ends_its_movie(background, qtbot, stored, tmp_path, slow):
    panel = MoviePanel(ViewerModel(), background)
    panel.set_result(stored, "cells")
    panel.export_to(tmp_path / "a.mp4")
    assert slow.reached[0].wait(20)
    after = []
    with qtbot.waitSignal(panel.destroyed):
        panel.deleteLater()
    background.submit(lambda: left_behind(tmp_path), after.append)
    qtbot.waitUntil(lambda: bool(after), timeout=20_000)
    assert after == [[]]


def test_one_task_at_a_time(background, qtbot, tmp_path):
    row = TaskRow(background)
    qtbot.addWidget(row)
    go = threading.Event()
    row.run("Waiting", lambda _task: go.wait(5), lambda _: Outcome("Waited.", tmp_path))
    with pytest.raises(RuntimeError, match="goes on"):
        row.run("Waiting", lambda _task: None, lambda _: Outcome("", tmp_path))
    go.set()
    qtbot.waitUntil(lambda: not row.busy)
    assert row.message.text() == "Waited."


def test_what_was_made_can_be_opened(background, qtbot, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or len(opened) == 1)
    row = TaskRow(background)
    qtbot.addWidget(row)
    row.show()
    assert not row.open_button.isVisible()
    row.say("Saved.", path=tmp_path)
    for _ in range(2):
        qtbot.mouseClick(row.open_button, Qt.MouseButton.LeftButton)
    assert opened == [str(tmp_path)] * 2
    assert "knows no program" in row.message.text()
    assert not row.open_button.isVisible()
