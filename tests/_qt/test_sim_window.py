"""Structured illumination in a real window: stripes found in the frames, seen upon their spectrum, moved by mouse."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_nstm._qt import samples

pytestmark = pytest.mark.timeout(240)

# What is simulated; a vector and its opposite are the same stripes.
KY, KX = np.array([-2.330876, -0.577393, -1.646804]), np.array([0.499742, 2.311434, -1.723903])


@pytest.fixture
def sim(make_napari_viewer, qtbot, tmp_path, monkeypatch):
    """A viewer with a small sample under stripes, and the panel."""
    monkeypatch.setenv("NAPARI_NSTM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(samples, "_SIM_SIZE_PX", 96)
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    _, panel = viewer.window.add_plugin_dock_widget("napari-nstm", "Reconstruct a moving sample")
    viewer.open_sample("napari-nstm", "sim_moving_filaments")
    viewer.reset_view()
    yield viewer, panel
    panel.shutdown()


def find(panel, qtbot):
    panel.frames.find_button.click()
    qtbot.waitUntil(lambda: panel.view.drawing is not None, timeout=60_000)
    qtbot.wait(300)  # the canvas takes its size


def vectors(panel):
    pattern = panel.form.acquisition.content()["pattern"]
    return np.stack([pattern["ky_per_um"], pattern["kx_per_um"]], axis=-1)


def test_the_sample_fills_the_form_and_its_stripes_are_found(sim, qtbot):
    viewer, panel = sim
    assert panel.form.modality.name == "sim"
    assert panel.form.acquisition.editor("pattern").currentText() == "Found in the frames"
    find(panel, qtbot)
    assert panel.form.acquisition.editor("pattern").currentText() == "Given as vectors"
    found, truth = vectors(panel), np.stack([KY, KX], axis=-1)
    signs = np.sign(np.sum(found * truth, axis=1, keepdims=True))
    np.testing.assert_allclose(signs * found, truth, atol=0.02)
    assert len(panel.form.acquisition.content()["phases_rad"]) == 15
    assert "um apart" in panel.frames.message.text()

    # On the canvas every ring of order 1 lies upon something bright.
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    points = viewer.layers[-1]
    grey = np.where(np.ptp(picture, axis=-1) < 30, picture.mean(axis=-1), 0)
    for (mark, _), place in zip(panel.view._layout.marks, points.data, strict=True):
        if mark.label in ("+1", "-1"):
            x, y = on_canvas(viewer, place)
            assert grey[y - 3 : y + 4, x - 3 : x + 4].max() > 200

    # What Run would do is known, with nothing to find any more.
    qtbot.waitUntil(lambda: "free" in panel.card.words, timeout=60_000)
    assert "15 of 96 × 96 px" in panel.card.words
    assert "found" not in panel.card.words


def on_canvas(viewer, place):
    """Pixel (x, y) of the canvas at which a place (y, x) is drawn."""
    camera = viewer.scene.camera
    middle = np.asarray(viewer.canvas.size) / 2
    y, x = (np.asarray(place) - camera.center[-2:]) * camera.zoom + middle
    return round(x), round(y)


def test_a_ring_that_is_dragged_by_mouse_moves_its_vector(sim, qtbot):
    viewer, panel = sim
    find(panel, qtbot)
    before = vectors(panel)
    points = viewer.layers[-1]
    index = next(i for i, (mark, panel_) in enumerate(panel.view._layout.marks) if (mark.label, panel_) == ("+1", 1))
    canvas = viewer.window._qt_viewer.canvas.native
    start = QPoint(*on_canvas(viewer, points.data[index]))
    end = start + QPoint(24, -16)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.3, 0.6, 1.0):
        QTest.mouseMove(canvas, start + (end - start) * share)
        qtbot.wait(30)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    expected = before.copy()
    expected[1] += np.array([-16, 24]) / viewer.scene.camera.zoom
    np.testing.assert_allclose(vectors(panel), expected, atol=1.5 / viewer.scene.camera.zoom)
    # Phases and depths were those of other stripes.
    assert "phases_rad" not in panel.form.acquisition.content()
    # The others of its orientation follow.
    qtbot.waitUntil(lambda: panel.view.drawing.marks[5].position == pytest.approx(tuple(-vectors(panel)[1])))


def test_which_frame_is_which_is_seen_and_the_frames_come_back(sim, qtbot):
    viewer, panel = sim
    raw = viewer.layers["moving filaments"]
    panel.frames.inspect_buttons["frames"].click()
    qtbot.waitUntil(lambda: panel.view.drawing is not None, timeout=30_000)
    assert panel.view.isVisible()
    assert "15 images: 1 time x 1 plane x 3 orientations x 5 phases, 0 to 350 ms." in panel.view.note.text()
    assert len(viewer.layers[-1].data) == 15
    assert not raw.visible
    panel.view.back_button.click()
    assert raw.visible
    assert not panel.view.isVisible()
    qtbot.waitUntil(lambda: viewer.layers[-1] is raw, timeout=5000)


def test_another_order_is_drawn_at_once(sim, qtbot):
    _, panel = sim
    panel.frames.inspect_buttons["frames"].click()
    qtbot.waitUntil(lambda: panel.view.drawing is not None, timeout=30_000)
    assert "image 2," in panel.view.drawing.marks[1].label
    panel.form.acquisition.editor("image_order").setEditText("time, plane, phase, orientation")
    qtbot.waitUntil(lambda: "image 4," in panel.view.drawing.marks[1].label, timeout=10_000)
