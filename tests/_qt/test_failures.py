"""Whatever fails, the user reads one sentence, nothing is lost, and the next run goes."""

import os
import signal
import sys

import numpy as np
import pytest
from tests._qt.panel_window import ends, layer_of, run

pytestmark = pytest.mark.timeout(240)


def progress(window):
    bar = window.panel.bar.progress
    return bar.value() if bar.maximum() > 0 else 0


def long_run(window, qtbot, steps=30):
    fit = window.panel.form.fit
    fit.set_content({**fit.content(), "epochs": 5000})
    run(window)
    qtbot.waitUntil(lambda: progress(window) > steps, timeout=120_000)


def short_run_goes(window, qtbot):
    fit = window.panel.form.fit
    fit.set_content({**fit.content(), "epochs": 20})
    qtbot.waitUntil(window.panel.bar.button.isEnabled)
    run(window)
    ends(window, qtbot)
    return "20 steps in" in window.panel.bar.message.text()


def one_sentence(window):
    text = window.panel.bar.message.text()
    assert "\n" not in text
    assert "Traceback" not in text
    return text


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_killed_process(window, qtbot):
    panel = window.panel
    long_run(window, qtbot)
    os.kill(panel.session.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: not panel.session.running)
    assert "killed" in one_sentence(window)
    ends(window, qtbot)
    assert short_run_goes(window, qtbot)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_out_of_memory(window, qtbot):
    import psutil

    panel = window.panel
    qtbot.waitUntil(lambda: "free" in panel.card.words, timeout=60_000)
    child = psutil.Process(panel.session.process_id)
    # As if the machine had no more: what it has now, and a little for the way to the first compile.
    child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms + 2**26,) * 2)
    panel.bar.button.click()
    qtbot.waitUntil(lambda: not panel.session.running, timeout=60_000)
    assert one_sentence(window).startswith("⚠")
    assert "memory" in one_sentence(window)
    if child.is_running():
        child.kill()  # the limit stays with the process: the next run has another
        child.wait()
    assert short_run_goes(window, qtbot)


def test_a_full_disk(window, qtbot, tmp_path, small_disk):
    panel = window.panel
    panel.runs.path = small_disk(600)
    panel.bar.button.click()
    qtbot.waitUntil(lambda: not panel.session.running, timeout=120_000)
    text = one_sentence(window)
    assert "No space left" in text or "full" in text
    panel.runs.path = tmp_path / "runs"
    assert short_run_goes(window, qtbot)


def test_pixels_that_are_no_numbers_are_said_before_run(window, qtbot):
    panel, raw = window.panel, window.panel.form.raw.layer
    broken = raw.data.astype(np.float32)
    broken[1, 3, 4] = np.nan
    raw.data = broken
    qtbot.waitUntil(lambda: not panel.bar.button.isEnabled())
    assert "1 pixels in frame 1 that are NaN" in panel.form.raw.problem.text()
    raw.data = np.nan_to_num(broken, nan=1e4)
    qtbot.waitUntil(panel.bar.button.isEnabled)
    assert panel.form.raw.problem.isHidden()


def test_the_raw_layer_is_deleted_during_the_run(window, qtbot):
    panel = window.panel
    long_run(window, qtbot)
    window.viewer.layers.remove(panel.form.raw.layer)
    assert "raw layer was deleted" in one_sentence(window)
    panel.bar.button.click()
    ends(window, qtbot)
    assert layer_of(window.viewer, "reconstruction", "phase").data.std() > 0.001


def test_a_layer_of_the_run_is_deleted(window, qtbot):
    panel = window.panel
    long_run(window, qtbot)
    preview = next(layer for layer in window.viewer.layers if layer.name.startswith("phase"))
    window.viewer.layers.remove(preview)
    assert "will be added at the end" in one_sentence(window)
    before = progress(window)
    qtbot.waitUntil(lambda: progress(window) > before + 20, timeout=30_000)
    assert preview not in window.viewer.layers
    panel.bar.button.click()
    ends(window, qtbot)
    assert layer_of(window.viewer, "reconstruction", "phase") in window.viewer.layers


def test_the_raw_frames_are_changed_during_the_run(window, qtbot):
    panel = window.panel
    before = panel.form.raw.layer.data.copy()
    long_run(window, qtbot)
    panel.form.raw.layer.data = before[::-1].copy()
    assert "goes on with those it began with" in one_sentence(window)
    panel.bar.button.click()
    ends(window, qtbot)
    stored = layer_of(window.viewer, "reconstruction", "phase").metadata["napari_nstm"]["store"]
    np.testing.assert_array_equal(np.load(f"{stored}/raw.npy"), before)
