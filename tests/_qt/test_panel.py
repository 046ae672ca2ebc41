"""The whole way through the panel's own widgets, in a real window, with real fits."""

import time

import numpy as np
import psutil
import pytest
from tests._qt.panel_window import ends, kinds, layer_of, run
from tests._qt.video import decode

from napari_nstm._qt.raw_layer import is_of_a_run, known_of
from napari_nstm.io.result import open_result

pytestmark = pytest.mark.timeout(240)


def canvas(viewer):
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def test_from_run_to_movie(window, qtbot, tmp_path):  # noqa: PLR0915 -- one session, step by step
    panel = window.panel
    # What will happen is said before Run.
    qtbot.waitUntil(lambda: "free" in panel.card.words, timeout=60_000)
    assert "4 of 96 × 96 px" in panel.card.words

    # The picture changes while the run goes on.
    window.viewer.dims.set_current_step(0, 3)
    run(window)
    assert panel.bar.button.text() == "Stop and keep"
    qtbot.waitUntil(lambda: "preview" in kinds(window.viewer), timeout=60_000)
    first = canvas(window.viewer)
    qtbot.waitUntil(lambda: panel.bar.progress.value() > 20 or not panel.session.running, timeout=60_000)
    ends(window, qtbot)
    assert panel.bar.button.text() == "Run"
    at_the_end = canvas(window.viewer)
    assert np.abs(at_the_end - first).mean() > 3

    # The result scrubs with the slider, and says what it is.
    phase = layer_of(window.viewer, "reconstruction", "phase")
    assert phase.data.shape == (4, 96, 96)
    np.testing.assert_allclose(phase.scale[1:], 0.454)
    assert known_of(phase)["job"]["modality"] == "dpc"
    pictures = []
    for frame in (0, 3):
        window.viewer.dims.set_current_step(0, frame)
        pictures.append(canvas(window.viewer))
    assert np.abs(pictures[0] - pictures[1]).mean() > 0.5
    # What stood there when the run ended was the slider's frame, too.
    assert np.abs(pictures[1] - at_the_end).mean() < 0.1 < np.abs(pictures[0] - at_the_end).mean()
    assert not layer_of(window.viewer, "conventional", "phase").visible

    # The arrows tell speed as well as direction, and a key on the canvas says which.
    motion, form = layer_of(window.viewer, "motion"), panel.result.motion.form
    by_direction = motion.edge_color.copy()
    form.color.setCurrentIndex(form.color.findData("speed"))
    qtbot.waitUntil(lambda: not panel.result.motion.computing)
    shown = by_direction[:, 3] > 0
    assert np.abs(motion.edge_color[shown] - by_direction[shown]).max() > 0.2
    np.testing.assert_array_equal(motion.edge_color[:, 3] > 0, shown)
    form.color.setCurrentIndex(form.color.findData("direction"))
    qtbot.waitUntil(lambda: not panel.result.motion.computing)
    np.testing.assert_allclose(motion.edge_color, by_direction, atol=1e-6)
    assert any(layer.name.startswith("arrows, key") for layer in window.viewer.layers)

    # It is better than what ignores the motion.
    truth = next(layer.data for layer in window.viewer.layers if layer.name.startswith("true phase"))
    conventional = layer_of(window.viewer, "conventional", "phase").data
    assert rms(phase.data - truth) < 0.7 * rms(conventional - truth)

    # Another run beside it; the first result stays as it was.
    before = phase.data.copy()
    panel.form.fit.set_content({**panel.form.fit.content(), "seed": 5, "epochs": 60})
    run(window)
    ends(window, qtbot)
    assert kinds(window.viewer).count("motion") == 2
    np.testing.assert_array_equal(phase.data, before)
    assert not phase.visible

    # A movie of it.
    qtbot.waitUntil(panel.result.movie.isEnabled)
    path = tmp_path / "movie.mp4"
    with qtbot.waitSignal(panel.result.movie.exported, timeout=60_000) as said:
        panel.result.movie.export_to(path)
    frames = decode(path, said.args[0].size)
    assert len(frames) == said.args[0].n_frames > 4
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 0.3


def rms(values):
    return float(np.sqrt(np.mean((values - values.mean()) ** 2)))


def test_stop_keeps_what_was_reached(window, qtbot):
    panel = window.panel
    panel.form.fit.set_content({**panel.form.fit.content(), "epochs": 1000})
    run(window)
    qtbot.waitUntil(lambda: panel.bar.progress.maximum() > 0 and panel.bar.progress.value() > 300, timeout=120_000)
    panel.bar.button.click()
    ends(window, qtbot)
    assert "Stopped at step" in panel.bar.message.text()
    store = known_of(layer_of(window.viewer, "reconstruction", "phase"))["store"]
    assert open_result(store).status == "stopped"
    assert layer_of(window.viewer, "reconstruction", "phase").data.std() > 0.01


def test_stop_while_it_compiles_is_answered_at_once(window, qtbot):
    panel = window.panel
    # A size of its own: nothing of it is compiled yet.
    panel.form.fit.set_content({**panel.form.fit.content(), "advanced": {"scene_learning_rate": 0.0123}})
    run(window)
    qtbot.waitUntil(lambda: "ompiling" in panel.bar.state.text(), timeout=60_000)
    asked = time.monotonic()
    panel.bar.button.click()
    qtbot.waitUntil(lambda: not panel.session.running, timeout=5000)
    assert time.monotonic() - asked < 3.0  # half a second where nothing else runs; figures are in the benchmark
    assert panel.bar.button.isEnabled()
    # Nothing was reached: what was shown goes, and the canvas can still be drawn (napari may crash here).
    ends(window, qtbot)
    qtbot.wait(300)
    assert not any(is_of_a_run(layer) for layer in window.viewer.layers)
    assert canvas(window.viewer).std() > 5


def test_closing_the_window_during_a_run_leaves_no_process(window, qtbot):
    panel = window.panel
    panel.form.fit.set_content({**panel.form.fit.content(), "epochs": 5000})
    run(window)
    qtbot.waitUntil(lambda: panel.bar.progress.maximum() > 0 and panel.bar.progress.value() > 5, timeout=120_000)
    process = panel.session.process_id
    window.viewer.close()
    assert not psutil.pid_exists(process)
    interrupted = panel.runs.interrupted()
    assert len(interrupted) == 1
    assert interrupted[0].step > 5


def test_an_interrupted_run_is_offered_and_goes_on(window, qtbot):
    panel = window.panel
    panel.form.fit.set_content({**panel.form.fit.content(), "epochs": 1000})
    run(window)
    qtbot.waitUntil(lambda: panel.bar.progress.maximum() > 0 and panel.bar.progress.value() > 100, timeout=120_000)
    process = panel.session.process_id
    window.viewer.window.remove_dock_widget(panel)  # what the cross of its dock does
    qtbot.waitUntil(lambda: panel.session.process_id is None, timeout=10_000)
    assert process not in psutil.pids()

    _, second = window.viewer.window.add_plugin_dock_widget("napari-nstm", "Reconstruct a moving sample")
    window.panel = second
    qtbot.waitUntil(second.banner.isVisible, timeout=10_000)
    assert "sample was interrupted at step" in second.banner.text.text()
    reached = panel.runs.interrupted()[0].step
    second.banner.resume_button.click()
    qtbot.waitUntil(lambda: second.bar.progress.value() > reached and "preview" in kinds(window.viewer), timeout=60_000)
    second.bar.button.click()
    ends(window, qtbot)
    assert "Stopped at step" in second.bar.message.text()
    assert known_of(layer_of(window.viewer, "reconstruction", "phase"))["record"]["step"] > reached
    assert not second.banner.isVisible()
    second.shutdown()
