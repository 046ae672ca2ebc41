"""A field in tiles, and a result that goes on, in a real window with real fits."""

import numpy as np
import pytest
from tests._qt.panel_window import ends, kinds, layer_of, run

from napari_nstm._qt.raw_layer import known_of
from napari_nstm.core.events import PartDone, Preview
from napari_nstm.io.result import open_result

pytestmark = pytest.mark.timeout(300)


def test_tiles_appear_as_they_finish_and_make_one_result(window, qtbot):
    panel = window.panel
    panel.form.region = (0, 0, 40, 96)
    panel.set_up(compute={"tile_px": 48}, fit={"epochs": 60})
    qtbot.waitUntil(lambda: "Tiles 2 of 40 × 48 px" in panel.card.words, timeout=60_000)
    heard, states = [], set()
    panel.session.happened.connect(heard.append)
    panel.session.happened.connect(lambda _: states.add(panel.bar.state.text().split(" · ")[0]))
    run(window)
    ends(window, qtbot)
    assert {"Tile 1 of 2", "Tile 2 of 2"} <= states
    parts = [event for event in heard if isinstance(event, PartDone)]
    assert [(part.done, part.status) for part in parts] == [(1, "finished"), (2, "finished")]
    # Every picture is of the whole field.
    assert {preview.scene.shape[-2:] for preview in heard if isinstance(preview, Preview)} == {(40, 96)}
    phase = layer_of(window.viewer, "reconstruction", "phase")
    stored = open_result(known_of(phase)["store"])
    assert (stored.status, phase.data.shape) == ("finished", (4, 40, 96))
    np.testing.assert_array_equal(phase.data, np.asarray(stored.reconstruction)[:, 1])
    assert len(panel.bar.curve.levels) == 2
    assert panel.result.about.text().startswith("sample: finished at step")
    assert "2 tiles" in panel.result.about.text()
    # What the tab offers of it.
    panel.result.views.show_seams()
    qtbot.waitUntil(lambda: not panel.result.views.busy)
    assert "Root mean square" in panel.view.note.text()
    assert not panel.result.list.go_on.button.isEnabled()


def test_a_result_goes_on_and_is_never_lost(window, qtbot):
    panel, viewer = window.panel, window.viewer
    panel.set_up(fit={"epochs": 60})
    run(window)
    ends(window, qtbot)
    before = open_result(known_of(layer_of(viewer, "reconstruction", "phase"))["store"])
    losses = before.record.loss_history
    panel.tabs.setCurrentIndex(1)
    row = panel.result.list.go_on
    qtbot.waitUntil(row.button.isVisible)
    assert row.button.text() == "Go on for"
    row.steps.setValue(40)
    row.button.click()
    assert panel.session.running
    assert not panel.bar.discard_button.isVisible()
    ends(window, qtbot)
    after = open_result(before.path)
    assert (after.status, after.record.step) == ("finished", before.record.step + 40)
    assert after.record.loss_history[: len(losses)] == losses
    assert kinds(viewer).count("motion") == 1, "its layers gave way to the new ones"
    phase = layer_of(viewer, "reconstruction", "phase")
    assert phase.name == "phase — sample"
    np.testing.assert_array_equal(phase.data, np.asarray(after.reconstruction)[:, 1])
