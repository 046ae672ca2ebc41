"""Who has no raw frames is told what to do; who has some is not."""

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel

from napari_nstm._qt.page_reader import PageReader
from napari_nstm._qt.raw_layer import KEY
from napari_nstm._qt.setup.first_steps import FirstSteps
from napari_nstm._qt.setup.raw_picker import RawPicker


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def steps(viewer, qtbot):
    raw = RawPicker(viewer)
    made = FirstSteps(raw)
    for widget in (raw, made):
        qtbot.addWidget(widget)
    yield made
    raw.disconnect_viewer()


def test_three_steps_are_said(steps):
    words = [label.text() for label in steps.findChildren(QLabel)]
    assert [text[:2] for text in words if text[:1].isdigit()] == ["1.", "2.", "3."]
    assert "drop the files onto the viewer" in " ".join(words)


def test_hidden_while_there_are_raw_frames(viewer, steps):
    assert not steps.isHidden()
    viewer.add_image(np.zeros((8, 8)), metadata={KEY: {"kind": "reconstruction"}})
    assert not steps.isHidden()  # a result is none
    raw = viewer.add_image(np.zeros((4, 8, 8)))
    assert steps.isHidden()
    viewer.layers.remove(raw)
    assert not steps.isHidden()


def test_every_sample_of_the_manifest_has_a_button(steps, qtbot):
    from napari_nstm import __file__ as package

    samples = PluginManifest.from_file(package.replace("__init__.py", "napari.yaml")).contributions.sample_data
    assert list(steps.sample_buttons) == [sample.key for sample in samples]
    for sample in samples:
        button = steps.sample_buttons[sample.key]
        assert sample.display_name.startswith(button.text())
        with qtbot.waitSignal(steps.sample_asked) as asked:
            button.click()
        assert asked.args == [sample.key]


def test_pages_of_the_documentation_open_from_the_keyboard(steps, qtbot):
    assert set(steps.page_buttons) == {"napari", "dpc", "sim", "diffusercam"}
    steps.show()
    qtbot.waitExposed(steps)
    steps.page_buttons["sim"].setFocus()
    QTest.keyClick(steps.page_buttons["sim"], Qt.Key.Key_Space)
    (reader,) = steps.findChildren(PageReader)
    assert reader.isVisible()
    assert "Structured illumination" in reader.page.toPlainText()
    reader.close()
    qtbot.waitUntil(lambda: not steps.findChildren(PageReader))


def test_without_pages_there_is_no_empty_line(viewer, qtbot, monkeypatch):
    monkeypatch.setattr("napari_nstm._qt.setup.first_steps.page_url", lambda page: None)
    raw = RawPicker(viewer)
    steps = FirstSteps(raw)
    for widget in (raw, steps):
        qtbot.addWidget(widget)
    assert steps.page_buttons == {}
    assert not [label for label in steps.findChildren(QLabel) if "Read on" in label.text() and not label.isHidden()]
    raw.disconnect_viewer()
