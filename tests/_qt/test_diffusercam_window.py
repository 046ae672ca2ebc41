"""One raw image of a DiffuserCam in a real window: from the sample, or from layers of one's own, to a movie."""

import numpy as np
import pytest
from tests._qt.panel_window import Window, ends, kinds, layer_of, run

from napari_nstm._qt import samples
from napari_nstm._qt.layers.compare import toggle_comparison
from napari_nstm._qt.raw_layer import known_of
from napari_nstm.io.result import open_result

pytestmark = pytest.mark.timeout(240)

SIZE, SCENE, PIXEL_UM = (72, 96), (36, 48), 26.0
COLORS = ("red", "green", "blue")


@pytest.fixture
def camera(make_napari_viewer, qtbot, tmp_path, monkeypatch):
    """Open a small sample beside the panel."""
    monkeypatch.setenv("NAPARI_NSTM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(samples, "_CAMERA_SIZE_PX", SIZE[1])
    monkeypatch.setattr(samples, "_CAMERA_DISPLACEMENT_PX", 4.0)
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    _, panel = viewer.window.add_plugin_dock_widget("napari-nstm", "Reconstruct a moving sample")
    window = Window(viewer, panel)

    def opened(key):
        viewer.open_sample("napari-nstm", key)
        viewer.reset_view()
        assert panel.form.modality.name == "diffusercam"
        return window

    yield opened
    panel.shutdown()


def shorten(window, epochs):
    window.panel.form.fit.set_content({**window.panel.form.fit.content(), "epochs": epochs})


def is_checked(window, qtbot):
    qtbot.waitUntil(lambda: "free" in window.panel.card.words, timeout=60_000)


def canvas(viewer):
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def test_the_sample_is_ready_to_run_and_ends_as_a_movie(camera, qtbot):
    window = camera("diffusercam_waving_hand")
    viewer, panel = window.viewer, window.panel
    form = panel.form.acquisition
    assert panel.form.raw.layer.name == "waving hand"
    assert form.editor("psf").currentText() == "PSF — waving hand"
    is_checked(window, qtbot)
    assert "72 × 96 px" in panel.card.words
    assert not panel.region.draw_button.isEnabled(), "every pixel sees the whole scene"

    form.set_content({**form.content(), "compare_with": {"kind": "fista_tv", "n_iterations": 5}})
    shorten(window, 12)
    run(window)
    # The raw image, which shows no place of the scene, makes room for it.
    qtbot.waitUntil(lambda: "preview" in kinds(viewer), timeout=60_000)
    raw = viewer.layers["waving hand"]
    assert not raw.visible
    ends(window, qtbot)

    hand, motion = layer_of(viewer, "reconstruction"), layer_of(viewer, "motion")
    assert hand.data.shape == (24, *SCENE)
    np.testing.assert_allclose(hand.scale, (1, PIXEL_UM, PIXEL_UM))
    np.testing.assert_allclose(raw.scale, (PIXEL_UM, PIXEL_UM))
    assert viewer.dims.nsteps[0] == 24
    assert motion.edge_color[:, 3].any()
    fista = layer_of(viewer, "comparison")
    assert (known_of(fista)["comparison"], fista.data.shape, fista.visible) == ("fista_tv", (24, *SCENE), False)

    # It moves as the slider does, and what is shown in its place does not.
    pictures = []
    for moment in (4, 18):
        viewer.dims.set_current_step(0, moment)
        pictures.append(canvas(viewer))
    assert np.abs(pictures[0] - pictures[1]).mean() > 0.5
    assert toggle_comparison(viewer)
    still = layer_of(viewer, "conventional")
    assert (still.data.shape, still.visible, hand.visible) == (SCENE, True, False)
    assert open_result(known_of(hand)["store"]).record.status == "finished"


def test_when_each_row_is_exposed_is_drawn(camera, qtbot):
    window = camera("diffusercam_waving_hand")
    panel = window.panel
    panel.frames.inspect_buttons["shutter"].click()
    qtbot.waitUntil(lambda: panel.view.drawing is not None, timeout=30_000)
    qtbot.wait(300)  # the canvas takes its size
    assert "Each row is open for 1.32 ms" in panel.view.note.text()
    picture = canvas(window.viewer).max(axis=-1) > 200
    rows, columns = np.nonzero(picture)
    # Both halves begin together, and meet in the middle at the end.
    last = rows[columns == columns.max()]
    assert abs(last.mean() - (rows.min() + rows.max()) / 2) < 0.05 * np.ptp(rows)
    panel.frames.inspect_buttons["psf"].click()
    qtbot.waitUntil(lambda: "corners of the scene's field" in panel.view.note.text(), timeout=30_000)
    panel.view.back_button.click()
    assert window.viewer.layers["waving hand"].visible


def test_a_psf_of_another_size_is_marked_at_its_row(camera, qtbot):
    window = camera("diffusercam_waving_hand")
    panel = window.panel
    is_checked(window, qtbot)
    window.viewer.add_image(np.ones((60, 96), np.uint16), name="small")
    editor = panel.form.acquisition.editor("psf")
    editor.setCurrentText("small")
    editor.activated.emit(editor.currentIndex())
    qtbot.waitUntil(lambda: "psf" in panel.form.acquisition.problems(), timeout=30_000)
    assert "72 x 96 pixels, as the raw image" in panel.form.acquisition.problems()["psf"]
    assert not panel.bar.button.isEnabled()
    assert panel.form.raw.layer.name == "waving hand"


def test_a_ball_in_colours_stays_so_when_it_is_stopped_too_and_in_its_movie(camera, qtbot):
    window = camera("diffusercam_bouncing_ball")
    viewer, panel = window.viewer, window.panel
    assert panel.form.raw.about.text() == "72 × 96 (y, x) in colours, uint16"
    is_checked(window, qtbot)
    assert "72 × 96 px" in panel.card.words
    assert "The PSF is grey" in panel.card.words
    shorten(window, 100_000)
    run(window)
    qtbot.waitUntil(lambda: panel.bar.progress.maximum() > 0 and panel.bar.progress.value() > 60, timeout=90_000)
    panel.bar.button.click()
    ends(window, qtbot)
    found = [layer_of(viewer, "reconstruction", color) for color in COLORS]
    assert all(layer.visible and layer.data.shape == (24, *SCENE) for layer in found)
    assert len({tuple(layer.contrast_limits) for layer in found}) == 1
    assert [viewer.layers.index(layer) for layer in found] == sorted(viewer.layers.index(layer) for layer in found)
    # What is seen in the middle of the scene are its three colours there.
    layer_of(viewer, "motion").visible = False
    picture, moment = canvas(viewer), viewer.dims.current_step[0]
    seen = picture[tuple(n // 2 for n in picture.shape[:2])]
    low, high = found[0].contrast_limits
    there = [(layer.data[moment, SCENE[0] // 2, SCENE[1] // 2] - low) / (high - low) for layer in found]
    np.testing.assert_allclose(seen, np.clip(255 * np.asarray(there), 0, 255), atol=3)
    assert seen.max() > 60
    movie = panel.result.movie.form
    assert (movie.channel.currentText(), movie.wishes()["channel"]) == ("all colours", None)
    movie.channel.setCurrentText("green")
    assert movie.wishes()["channel"] == 1
