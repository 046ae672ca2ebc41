"""A whole session for each method, through the real widgets: from the sample to a movie, and closed during a run.

Where the environment variable NAPARI_NSTM_PICTURES names a folder, a picture of every step goes there, at the size
that NAPARI_NSTM_WINDOW names (1366x768).
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests._qt.panel_window import Window, layer_of
from tests._qt.video import decode

from napari_nstm._qt import samples
from napari_nstm._qt.panel import ReconstructPanel
from napari_nstm._qt.raw_layer import known_of
from napari_nstm.core.events import Paused, Progress
from napari_nstm.io.result import open_result
from napari_nstm.run.runs import RunFolder

pytestmark = pytest.mark.timeout(300)

PICTURES = os.environ.get("NAPARI_NSTM_PICTURES")
SIZE = tuple(map(int, os.environ.get("NAPARI_NSTM_WINDOW", "1366x768").split("x")))
SMALL = {
    "_DPC_SIZE_PX": 96,
    "_DPC_DISPLACEMENT_PX": 4.0,
    "_SIM_SIZE_PX": 96,
    "_VOLUME_SIZE_PX": 64,
    "_VOLUME_PLANES": 4,
    "_VOLUME_DISPLACEMENT_PX": 2.0,
    "_CAMERA_SIZE_PX": 96,
    "_CAMERA_DISPLACEMENT_PX": 4.0,
}


@dataclass(frozen=True)
class Method:
    """What differs between the methods in a session."""

    sample: str
    channel: str
    region: tuple[int, int] | None
    in_depth: bool = False
    epochs: int = 60


METHODS = {
    "dpc": Method("dpc_moving_cells", "phase", (64, 64)),
    "sim": Method("sim_moving_filaments", "fluorescence", (64, 64)),
    "sim3d": Method("sim3d_moving_tubule", "fluorescence", None, in_depth=True, epochs=12),
    "diffusercam": Method("diffusercam_waving_hand", "brightness", None),
}


class Session(Window):
    """A window, and the hand that drives it."""

    panel: ReconstructPanel

    def __init__(self, viewer, panel, qtbot, name):
        super().__init__(viewer, panel)
        self.qtbot, self.name, self.n_pictures = qtbot, name, 0
        self.heard = []
        panel.session.happened.connect(self.heard.append)

    def until(self, holds, timeout_s=120):
        self.qtbot.waitUntil(holds, timeout=1000 * timeout_s)

    def look(self, what):
        if PICTURES:
            self.n_pictures += 1
            self.qtbot.wait(700)
            name = f"{self.name}-{SIZE[0]}-{self.n_pictures:02d}-{what}.png"
            self.viewer.screenshot(str(Path(PICTURES) / name), canvas_only=False, flash=False)

    def canvas(self):
        return self.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)

    def run(self):
        self.until(self.panel.bar.button.isEnabled)
        self.heard.clear()
        self.panel.bar.button.click()

    def step(self, least=1):
        """Wait until the fit has done some steps."""
        self.until(lambda: any(isinstance(event, Progress) and event.step >= least for event in self.heard))

    def ends(self):
        self.until(lambda: not self.panel.busy)

    def result(self):
        """Return the newest result's image and arrows."""
        channel = METHODS[self.name].channel
        return layer_of(self.viewer, "reconstruction", channel), layer_of(self.viewer, "motion")


@pytest.fixture(params=METHODS)
def session(request, make_napari_viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_NSTM_RUNS", str(tmp_path / "runs"))
    for name, value in SMALL.items():
        monkeypatch.setattr(samples, name, value)
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(*SIZE)
    _, panel = viewer.window.add_plugin_dock_widget("napari-nstm", "Reconstruct a moving sample")
    yield Session(viewer, panel, qtbot, request.param)
    panel.shutdown()


def test_from_sample_to_movie_and_closed_during_a_run(session, tmp_path):
    viewer, panel, method = session.viewer, session.panel, METHODS[session.name]
    session.look("empty")
    panel.steps.sample_buttons[method.sample].click()
    viewer.reset_view()
    assert panel.form.modality.name == session.name
    assert not panel.steps.isVisible()
    session.until(lambda: "free" in panel.card.words)
    session.look("sample")

    if method.region is not None:
        tuned_on_a_region(session, method)
    paused_stopped_and_discarded(session)
    whole_field(session, method)
    moments_and_motion(session, method)
    other_views(session, method)
    movies(session, method, tmp_path)
    closed_during_a_run(session, tmp_path)


def tuned_on_a_region(session, method):
    panel = session.panel
    panel.region.ask(*method.region)
    session.until(lambda: panel.form.region is not None and "Region a part of it" in panel.card.words)
    session.look("region")
    panel.set_up(fit={"epochs": 20})
    session.run()
    session.ends()
    image, _ = session.result()
    rows, columns = panel.form.region[2:]
    um = panel.form.acquisition.content()["pixel_size_um"]
    np.testing.assert_allclose(np.multiply(image.data.shape[-2:], image.scale[-2:]), (rows * um, columns * um))
    np.testing.assert_allclose(image.translate[-2:], np.multiply(panel.form.region[:2], um))
    assert panel.region.again_button.isVisible()
    session.look("region-result")


def paused_stopped_and_discarded(session):
    panel = session.panel
    panel.set_up(fit={"epochs": 4000})
    session.run()
    if METHODS[session.name].region is not None:
        assert panel.form.region is not None
    session.step()
    session.look("running")
    panel.bar.pause_button.click()
    session.until(lambda: any(isinstance(event, Paused) for event in session.heard))
    assert "Paused at step" in panel.bar.state.text()
    session.look("paused")
    session.heard.clear()
    session.qtbot.wait(300)
    assert not any(isinstance(event, Progress) for event in session.heard)
    panel.bar.pause_button.click()
    session.step()
    n_before = len(session.viewer.layers)
    panel.bar.discard_button.click()
    session.until(lambda: "Discarded" in panel.bar.message.text())
    session.ends()
    session.until(lambda: len(session.viewer.layers) < n_before)

    session.run()
    session.step()
    panel.bar.button.click()  # Stop and keep
    session.ends()
    assert known_of(session.result()[0])["record"]["status"] == "stopped"


def whole_field(session, method):
    panel = session.panel
    panel.set_up(fit={"epochs": method.epochs})
    if method.region is not None:
        session.until(panel.region.again_button.isVisible)
        panel.region.again_button.click()
        assert panel.form.region is None
    else:
        session.run()
    session.ends()
    image, _ = session.result()
    assert known_of(image)["record"]["status"] == "finished"
    np.testing.assert_allclose(image.translate[-2:], 0)
    panel.tabs.setCurrentIndex(1)
    runs = panel.result.list
    session.until(lambda: len(runs.keys) >= 2)
    session.look("whole-field")
    if method.in_depth:
        return  # napari's grid of volumes is looked at in the tests of the list
    for key in runs.keys[-2:]:
        runs.set_shown(key, True)
    runs.set_beside(True)
    session.look("beside")
    runs.set_beside(False)
    for key in runs.keys[:-1]:
        runs.set_shown(key, False)


def moments_and_motion(session, method):
    viewer, panel = session.viewer, session.panel
    image, motion = session.result()
    store = open_result(known_of(image)["store"])
    time, arrows = panel.result.time, panel.result.motion
    n_before = len(known_of(image)["times_ms"])
    time.show_number(2 * n_before + 1)
    session.until(lambda: len(known_of(image)["times_ms"]) == 2 * n_before + 1)
    at = 3
    expected = store.scene_at(known_of(image)["times_ms"][at])[[c.name for c in store.channels].index(method.channel)]
    np.testing.assert_allclose(np.asarray(image.data[at]), expected, atol=1e-6)
    session.look("moments")

    viewer.dims.set_current_step(0, viewer.dims.nsteps[0] - 1)
    form = arrows.form
    since_first = motion.data[:, 1:].copy()
    form.reference.setCurrentIndex(form.reference.findData("last"))
    session.until(lambda: not arrows.computing)
    assert not np.allclose(motion.data[:, 1:], since_first)
    assert known_of(motion)["since_ms"] == store.frame_times_ms[-1]
    session.look("reference")
    n_arrows = len(motion.data)
    form.density.setValue(10)
    session.until(lambda: not arrows.computing and len(motion.data) < n_arrows)
    by_direction = motion.edge_color.copy()
    form.color.setCurrentIndex(form.color.findData("speed"))
    session.until(lambda: not arrows.computing and not np.array_equal(motion.edge_color, by_direction))
    session.until(lambda: any(known_of(layer).get("view") == "arrow key" for layer in viewer.layers))
    session.look("speed-colours")
    form.reference.setCurrentIndex(form.reference.findData("first"))
    session.until(lambda: not arrows.computing)
    arrows.speed_button.click()
    session.until(lambda: any(known_of(layer).get("view") == "speed" for layer in viewer.layers))
    session.look("speed-map")
    speed = next(layer for layer in viewer.layers if known_of(layer).get("view") == "speed")
    viewer.layers.remove(speed)
    session.qtbot.wait(150)

    tracks = panel.result.tracks
    tracks.mark_button.click()
    points = viewer.layers.selection.active
    middle = (np.array(image.data.shape[1:]) - 1) / 2
    points.add([[0, *middle]])
    tracks.follow_button.click()
    session.until(tracks.save_button.isEnabled)
    assert "1 point followed" in tracks.message.text()
    session.look("tracks")


def other_views(session, method):
    viewer, panel = session.viewer, session.panel
    image, _ = session.result()
    views = panel.result.views
    viewer.layers.selection.active = image
    before = session.canvas()
    views.compare_button.click()
    assert not image.visible
    assert np.abs(session.canvas() - before).max() > 10
    session.look("conventional")
    views.compare_button.click()
    assert image.visible
    for button, what in ((views.time_button, "time"), (views.spectra_button, "spectra"), (views.depth_button, "depth")):
        if button is views.depth_button and not method.in_depth:
            assert not button.isVisible()
            continue
        button.click()
        session.until(button.isEnabled)
        assert panel.view.isVisible()
        session.look(what)
        panel.view.back_button.click()
        session.qtbot.wait(400)
    residual = panel.result.residual
    panel.result.groups["Residual"].set_open()
    session.until(lambda: residual.summary is not None)
    assert residual.summary.overall > 0
    residual.map_button.click()
    session.until(panel.view.isVisible)
    session.look("residual")
    panel.view.back_button.click()
    session.qtbot.wait(400)


def movies(session, method, tmp_path):
    panel = session.panel
    panel.result.groups["Movie"].set_open()
    movie = panel.result.movie
    movie.form.time_points.setText("6")
    session.until(lambda: movie.form.plan is not None)
    with session.qtbot.waitSignal(movie.exported, timeout=120_000) as said:
        movie.export_to(tmp_path / "drawn.mp4")
    frames = decode(tmp_path / "drawn.mp4", said.args[0].size)
    assert len(frames) == 6
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 0.1
    movie.form.picture.setCurrentIndex(movie.form.picture.findData("canvas"))
    if method.in_depth:
        movie.form.moves.setCurrentIndex(movie.form.moves.findData("turn"))
    session.look("movie-form")
    with session.qtbot.waitSignal(movie.exported, timeout=120_000) as said:
        movie.export_to(tmp_path / "canvas.mp4")
    frames = decode(tmp_path / "canvas.mp4", said.args[0].size)
    assert len(frames) == 6
    assert np.abs(frames[0].astype(int) - frames[3]).mean() > 0.1
    assert session.viewer.dims.ndisplay == 2


def closed_during_a_run(session, tmp_path):
    panel = session.panel
    panel.set_up(fit={"epochs": 4000})
    session.run()
    session.step()
    process = psutil.Process(panel.session.process_id)
    panel.shutdown()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    offered = RunFolder(tmp_path / "runs").interrupted()
    assert len(offered) == 1
    assert offered[0].step > 0
