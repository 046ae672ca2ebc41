"""Every view is a click: its layers come, are shown alone, and the result comes back."""

import threading

import numpy as np
import pytest
from tests._qt.layers.test_views import ACQUISITION
from tests._qt.result_in_viewer import offer
from tests._qt.small_store import BLOB, write_store

from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.results import views_panel as module
from napari_nstm._qt.results.views_panel import ViewsPanel
from napari_nstm.io.result import StoredResult


def with_settings(stored):
    job = {**stored.record.job, "acquisition": ACQUISITION}
    return StoredResult(stored.path, stored.record.changed({"job": job}))


@pytest.fixture
def panel(viewer, view, background, qtbot):
    made = ViewsPanel(viewer, view, background)
    qtbot.addWidget(made)
    made.show()
    return made


def press(button, qtbot):
    button.click()
    qtbot.waitUntil(button.isEnabled)


def shown(viewer):
    return [layer.name for layer in viewer.layers if layer.visible and layer.opacity > 0]


def said(panel):
    return panel.message.text().replace("\u200b", "")


def test_time_as_colour_is_shown_alone_with_its_key_and_the_result_comes_back(panel, viewer, view, qtbot, tmp_path):
    offer(panel, viewer, write_store(tmp_path / "a.zarr"))
    before = shown(viewer)
    press(panel.time_button, qtbot)
    assert shown(viewer) == ["coloured by time — cells", "coloured by time, key — cells"]
    assert viewer.canvas.overlays.text.text == "3 moments, 10 ms to 45 ms"
    assert "colour of its moment" in view.note.text()
    view.back_button.click()
    assert shown(viewer) == before
    # With other numbers it comes into the same layers.
    n = len(viewer.layers)
    panel.moments.setValue(5)
    press(panel.time_button, qtbot)
    assert len(viewer.layers) == n
    assert viewer.canvas.overlays.text.text.startswith("5 moments, ")


def test_the_contrast_is_that_of_the_layer(panel, viewer, qtbot, tmp_path):
    offer(panel, viewer, write_store(tmp_path / "a.zarr", drift_px=(0, 0)))
    viewer.layers["phase — cells"].contrast_limits = (0.0, 4.0)
    press(panel.time_button, qtbot)
    peak = viewer.layers["coloured by time — cells"].data[BLOB].max()
    assert peak == pytest.approx(255 / 4, abs=4)


def test_depth_is_offered_for_volumes_only(panel, viewer, view, qtbot, tmp_path):
    assert not panel.depth_button.isVisible()
    offer(panel, viewer, write_store(tmp_path / "a.zarr"))
    assert not panel.depth_button.isVisible()
    offer(panel, viewer, write_store(tmp_path / "v.zarr", n_planes=4), "volume")
    assert panel.depth_button.isVisible()
    press(panel.depth_button, qtbot)
    assert shown(viewer) == ["coloured by depth — volume", "coloured by depth, key — volume"]
    assert viewer.canvas.overlays.text.text == "10 ms"
    viewer.dims.set_current_step(0, 2)
    assert viewer.canvas.overlays.text.text == "45 ms"
    assert view.title.text() == "Coloured by depth"


def test_spectra_are_a_drawing(panel, viewer, view, qtbot, tmp_path):
    stored = with_settings(write_store(tmp_path / "a.zarr"))
    offer(panel, viewer, stored)
    before = shown(viewer)
    press(panel.spectra_button, qtbot)
    assert view.drawing.panels == ("conventional", "reconstruction")
    assert all(name.startswith("Spectra of cells") for name in shown(viewer))
    view.back()
    assert shown(viewer) == before


def test_conventional_and_result_change_places(panel, viewer, qtbot, tmp_path):
    offer(panel, viewer, write_store(tmp_path / "a.zarr"))
    panel.compare_button.click()
    assert "conventional phase — cells" in shown(viewer)
    assert "phase — cells" not in shown(viewer)
    panel.compare_button.click()
    assert "phase — cells" in shown(viewer)
    panel.set_result(write_store(tmp_path / "b.zarr", conventional=False), "without")
    assert not panel.compare_button.isEnabled()


def test_views_are_made_in_a_thread_of_their_own_one_at_a_time(panel, viewer, qtbot, tmp_path, monkeypatch):
    offer(panel, viewer, write_store(tmp_path / "a.zarr"))
    threads, go = [], threading.Event()
    real = module.time_view

    def slow(*args, **kwargs):
        threads.append(threading.current_thread())
        assert go.wait(10)
        return real(*args, **kwargs)

    monkeypatch.setattr(module, "time_view", slow)
    panel.time_button.click()
    assert not panel.spectra_button.isEnabled()
    assert said(panel) == "Drawing…"
    panel.show_depths()
    go.set()
    qtbot.waitUntil(panel.time_button.isEnabled)
    assert threads != [threading.main_thread()]
    assert len(threads) == 1
    assert said(panel) == ""


def test_a_result_that_vanished_is_one_sentence(panel, viewer, qtbot, tmp_path):
    import shutil

    stored = write_store(tmp_path / "a.zarr")
    offer(panel, viewer, stored)
    shutil.rmtree(stored.path)
    press(panel.time_button, qtbot)
    assert said(panel) == f"⚠ The result is no longer at {stored.path}: it was moved or removed."


def test_without_a_result_nothing_can_be_asked_for(panel):
    for button in (panel.time_button, panel.spectra_button, panel.compare_button):
        assert not button.isEnabled()
    panel.show_times()
    assert said(panel) == ""


def test_a_window_draws_time_as_colour(make_napari_viewer_proxy, background, qtbot, tmp_path):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(900, 700)
    view = DrawingView(viewer)
    panel = ViewsPanel(viewer, view, background)
    for widget in (view, panel):
        qtbot.addWidget(widget)
    offer(panel, viewer, write_store(tmp_path / "a.zarr", drift_px=(0.0, -12.0)))
    viewer.layers["motion — cells"].visible = False
    viewer.reset_view()

    def vivid():
        qtbot.wait(200)
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        return (np.ptp(picture, axis=-1) > 80).mean()

    assert vivid() < 0.0005
    press(panel.time_button, qtbot)
    assert vivid() > 0.01
    view.back()
    assert vivid() < 0.0005
    view.disconnect_viewer()
