"""Results taken home: the copy is the result, the file is what others read, and nothing half-made is left."""

import errno
import shutil
import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from tests._qt.small_store import PIXEL_UM, write_store

from napari_nstm._qt.results import save_panel as module
from napari_nstm._qt.results.save_panel import SavePanel
from napari_nstm.io.raw import read_raw
from napari_nstm.io.store import open_result


@pytest.fixture
def panel(background, qtbot, stored):
    made = SavePanel(background)
    qtbot.addWidget(made)
    made.set_result(stored, "cells/1")
    made.show()
    return made


def finish(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.busy, timeout=20_000)
    return panel.task.message.text().replace("\u200b", "")


def left_behind(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if path.name != "result.zarr")


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_copy_holds_all_of_the_result(panel, qtbot, stored, tmp_path, monkeypatch):
    proposed = []

    def ask(_parent, _title, path, _kinds):
        proposed.append(path)
        return str(tmp_path / "mine"), "Result (*.zarr)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    before = content(stored.path)
    with qtbot.waitSignal(panel.saved, timeout=20_000) as saved:
        click(qtbot, panel.save_button)
        assert not panel.save_button.isEnabled()
        assert not panel.tiff_button.isEnabled()
    assert saved.args == [tmp_path / "mine.zarr"]
    assert proposed[0].endswith("/cells_1.zarr")
    assert content(tmp_path / "mine.zarr") == before == content(stored.path)
    np.testing.assert_array_equal(open_result(tmp_path / "mine.zarr").scene_at(20.0), stored.scene_at(20.0))
    assert finish(qtbot, panel) == f"Saved: {tmp_path / 'mine.zarr'}."
    # What has a name already is never replaced: a store is a folder.
    click(qtbot, panel.save_button)
    assert finish(qtbot, panel) == f"⚠ {tmp_path / 'mine.zarr'} exists already."
    assert left_behind(tmp_path) == ["mine.zarr"]


def test_an_ome_tiff_is_what_others_read(panel, qtbot, stored, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), "OME-TIFF (*.ome.tif)"))
    with qtbot.waitSignal(panel.exported, timeout=20_000) as exported:
        click(qtbot, panel.tiff_button)
    assert exported.args == [tmp_path / "mine.ome.tif"]
    array, axes, size = read_raw(tmp_path / "mine.ome.tif")
    np.testing.assert_array_equal(array, stored.reconstruction.compute())
    assert (axes, size) == ("tcyx", (PIXEL_UM, PIXEL_UM))
    assert finish(qtbot, panel) == f"Saved: {tmp_path / 'mine.ome.tif'}."


def test_a_tiff_is_replaced_only_where_the_dialog_asked(panel, qtbot, tmp_path, monkeypatch):
    precious = tmp_path / "a.ome.tif"
    precious.write_text("precious")
    answers = iter([str(tmp_path / "a"), str(precious)])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (next(answers), ""))
    click(qtbot, panel.tiff_button)
    assert finish(qtbot, panel) == f"⚠ {precious} exists already."
    assert precious.read_text() == "precious"
    click(qtbot, panel.tiff_button)
    assert "Saved: " in finish(qtbot, panel)
    assert read_raw(precious)[1] == "tcyx"


@pytest.mark.parametrize(("way", "name"), [("save_to", "a.zarr"), ("export_to", "a.tif")])
def test_cancel_leaves_nothing(panel, qtbot, tmp_path, monkeypatch, way, name):
    begun, reached = threading.Event(), []
    real = {"save_to": module.save_as, "export_to": module.export_ome_tiff}[way]

    def until_told(*values, should_stop, **options):
        def ask():
            reached.append(left_behind(tmp_path))
            begun.set()
            while not should_stop():
                threading.Event().wait(0.002)
            return True

        return real(*values, should_stop=ask, **options)

    monkeypatch.setattr(module, real.__name__, until_told)
    getattr(panel, way)(tmp_path / name)
    assert begun.wait(20)
    click(qtbot, panel.task.cancel_button)
    assert finish(qtbot, panel) == "Cancelled; nothing was written."
    assert reached[0] != []  # it had begun to write
    assert left_behind(tmp_path) == []
    assert panel.save_button.isEnabled()


@pytest.mark.parametrize(("way", "name"), [("save_to", "a.zarr"), ("export_to", "a.tif")])
def test_a_result_that_vanished_is_one_sentence(panel, qtbot, stored, tmp_path, way, name):
    _ = stored.reconstruction  # as the layers hold it
    shutil.rmtree(stored.path)
    getattr(panel, way)(tmp_path / name)
    assert finish(qtbot, panel) == f"⚠ The result is no longer at {stored.path}: it was moved or removed."
    assert left_behind(tmp_path) == []


def test_a_full_disk_is_one_sentence(panel, qtbot, tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_nstm.run.save._copy", full)
    panel.save_to(tmp_path / "a.zarr")
    assert finish(qtbot, panel) == f"⚠ The result could not be saved to {tmp_path / 'a.zarr'}: the disk is full."
    monkeypatch.setattr("napari_nstm.io.export.replace", full)
    panel.export_to(tmp_path / "a.tif")
    assert finish(qtbot, panel) == f"⚠ {tmp_path / 'a.tif'} cannot be written (No space left on device)."
    assert left_behind(tmp_path) == []


def test_places_that_cannot_be_are_one_sentence(panel, qtbot, stored, tmp_path):
    for way, path, sentence in (
        ("save_to", tmp_path / "no" / "a.zarr", "whose folder does not exist"),
        ("save_to", stored.path / "inside.zarr", "is the result itself"),
        ("export_to", tmp_path / "no" / "a.tif", "No such file or directory"),
        ("export_to", tmp_path / "a.png", "a.png does not do; give a file ending in .ome.tif or .tif."),
    ):
        getattr(panel, way)(path)
        text = finish(qtbot, panel)
        assert sentence in text
        assert "\n" not in text
        assert "--overwrite" not in text


def test_without_a_result_nothing_can_be_asked_for(panel, tmp_path):
    panel.set_result(None, "")
    assert not panel.save_button.isEnabled()
    assert not panel.tiff_button.isEnabled()
    panel.save_to(tmp_path / "a.zarr")
    panel.export_to(tmp_path / "a.tif")
    assert not panel.busy


def test_what_was_said_of_one_result_is_not_said_of_another(panel, qtbot, stored, tmp_path):
    panel.export_to(tmp_path / "a.tif")
    finish(qtbot, panel)
    panel.set_result(open_result(stored.path), "cells/1")  # its layer was selected again
    assert "a.tif" in panel.task.message.text()
    panel.set_result(write_store(tmp_path / "other.zarr"), "another")
    assert panel.task.message.text() == ""
