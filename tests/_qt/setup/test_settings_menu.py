"""Settings taken elsewhere and brought back: what leaves is a job that runs, what is wrong harms nothing."""

import ast
import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from napari_nstm._qt.raw_layer import KEY
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm._qt.setup.settings_menu import SettingsMenu
from napari_nstm.core.settings import Job
from napari_nstm.run.job import load_job
from napari_nstm.run.plan import check_job

DPC = {
    "pixel_size_um": 0.5,
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "source_angles_deg": [90, 270, 0, 180],
}
FRAMES = np.random.default_rng(0).poisson(1000, (4, 64, 48)).astype(np.uint16)


@pytest.fixture
def viewer(npe2pm):
    """A viewer whose only plugin is napari's own: its readers."""
    with npe2pm.tmp_plugin(package="napari"):
        yield ViewerModel()


@pytest.fixture
def form(viewer, qtbot):
    made = JobForm(viewer)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()


@pytest.fixture
def menu(form, viewer, qtbot):
    made = SettingsMenu(form, viewer)
    qtbot.addWidget(made)
    made.heard = []
    made.said.connect(lambda *said: made.heard.append(said))
    yield made
    made.shutdown()


def hear(qtbot, menu, action):
    """What is said after an action; it is one sentence, once."""
    menu.heard.clear()
    action()
    qtbot.waitUntil(lambda: bool(menu.heard))
    assert len(menu.heard) == 1
    return menu.heard[0]


def clipboard():
    return QGuiApplication.clipboard().text()


def fill(form, **changes):
    form.acquisition.set_content({**DPC, **changes})
    form.fit.set_content({**form.fit.content(), "epochs": 60})


@pytest.fixture
def raw_file(tmp_path):
    tifffile.imwrite(tmp_path / "drift.tif", FRAMES, photometric="minisblack")
    return tmp_path / "drift.tif"


@pytest.fixture
def of_a_file(form, viewer, raw_file):
    """Frames that were opened from a file."""
    (layer,) = viewer.open(str(raw_file), plugin="napari")
    fill(form)
    return layer


# -- to a file ------------------------------------------------------------------


@pytest.mark.usefixtures("of_a_file")
def test_frames_of_a_file_are_named_from_the_job(menu, qtbot, tmp_path):
    assert hear(qtbot, menu, lambda: menu.save_file(tmp_path / "job.yml")) == (f"Saved: {tmp_path / 'job.yml'}.", False)
    content = yaml.safe_load((tmp_path / "job.yml").read_text())
    assert next(iter(content)) == "nstm"
    assert (content["raw"], content["output"]) == ("drift.tif", {"path": "job.zarr"})
    assert content["fit"] == {"preset": "fast", "epochs": 60}
    assert content["acquisition"] == DPC
    checked = check_job(*_loaded(tmp_path / "job.yml"))
    np.testing.assert_array_equal(checked.raw.frames, FRAMES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drift.tif", "job.yml"]
    # From another folder they are named in full.
    (tmp_path / "other").mkdir()
    hear(qtbot, menu, lambda: menu.save_file(tmp_path / "other" / "job.yml"))
    assert yaml.safe_load((tmp_path / "other" / "job.yml").read_text())["raw"] == str(tmp_path / "drift.tif")


def _loaded(path):
    job, folder = load_job(path)
    return job, None, folder


def test_frames_that_were_changed_are_not_those_of_the_file(menu, of_a_file, qtbot, tmp_path):
    of_a_file.data = FRAMES[:, :32]
    text, problem = hear(qtbot, menu, lambda: menu.save_file(tmp_path / "job.yml"))
    assert text.endswith("What was in no file is beside it: job-raw.tif.")
    assert not problem
    np.testing.assert_array_equal(check_job(*_loaded(tmp_path / "job.yml")).raw.frames, FRAMES[:, :32])


def test_frames_and_arrays_in_no_file_go_beside_the_job(menu, form, viewer, qtbot, tmp_path):
    viewer.add_image(np.full((64, 48), 900.0), name="empty")
    viewer.add_image(FRAMES[:, None], name="raw", axis_labels=("t", "z", "y", "x"))
    fill(form, background={"kind": "image", "path": "layer: empty"})
    form.raw.choose(viewer.layers["raw"])
    text, _ = hear(qtbot, menu, lambda: menu.save_file(tmp_path / "a.yml"))
    assert text.endswith("beside it: a-raw.tif and a-background.path.tif.")
    checked = check_job(*_loaded(tmp_path / "a.yml"))
    np.testing.assert_array_equal(checked.raw.frames, FRAMES)
    np.testing.assert_array_equal(checked.raw.extras["background.path"], 900.0)
    # The layer is known to be in that file now.
    assert hear(qtbot, menu, lambda: menu.open_file(tmp_path / "a.yml")) == ("Opened: a.yml.", False)
    assert form.raw.layer is viewer.layers["raw"]
    assert len(viewer.layers) == 2
    # Saved again, what is there is taken; what is not ours is never replaced.
    assert hear(qtbot, menu, lambda: menu.save_file(tmp_path / "a.yml")) == (f"Saved: {tmp_path / 'a.yml'}.", False)
    viewer.layers["raw"].data = FRAMES[:, None] + 1
    assert hear(qtbot, menu, lambda: menu.save_file(tmp_path / "a.yml"))[0].endswith("beside it: a-raw-2.tif.")
    np.testing.assert_array_equal(check_job(*_loaded(tmp_path / "a.yml")).raw.frames, FRAMES + 1)


def test_what_is_not_ready_is_not_saved(menu, form, viewer, qtbot, tmp_path):
    assert hear(qtbot, menu, lambda: menu.save_file(tmp_path / "job.yml")) == ("Choose raw frames first.", True)
    viewer.add_image(FRAMES, name="raw")
    assert hear(qtbot, menu, lambda: menu.save_file(tmp_path / "job.yml")) == ("Mend what is marked ⚠ first.", True)
    assert form.acquisition.problems()
    fill(form)
    text, problem = hear(qtbot, menu, lambda: menu.save_file(tmp_path / "none" / "job.yml"))
    assert "cannot be written" in text
    assert problem
    assert list(tmp_path.iterdir()) == []


# -- from a file ----------------------------------------------------------------


def write(path, **changes):
    content = {"nstm": 1, "modality": "dpc", "raw": "drift.tif", "acquisition": DPC, **changes}
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_job_file_comes_in_with_its_frames(menu, form, viewer, qtbot, raw_file):
    form.set_modality("sim")
    job = write(
        raw_file.with_name("job.yml"),
        axes="tyx",
        acquisition={**DPC, "timestamps_ms": [0, 1, 2, 4], "background": {"kind": "image", "path": "empty.tif"}},
        fit={"epochs": 33, "advanced": {"motion_learning_rate": 0.05}},
        output={"times": [0.5, 2.0]},
    )
    assert hear(qtbot, menu, lambda: menu.open_file(job)) == ("Opened: job.yml.", False)
    layer = form.raw.layer
    assert Path(layer.source.path) == raw_file
    assert tuple(layer.axis_labels) == ("t", "y", "x")
    np.testing.assert_allclose(layer.scale, (1, 0.5, 0.5))
    content = form.acquisition.content()
    assert form.modality.name == "dpc"
    assert (content["timestamps_ms"], content["pixel_size_um"]) == ([0, 1, 2, 4], 0.5)
    assert content["background"] == {"kind": "image", "path": str(raw_file.with_name("empty.tif"))}
    assert form.fit.content()["epochs"] == 33
    assert form.fit.content()["advanced"] == {"motion_learning_rate": 0.05}
    assert list(form.output.content()["times"]) == [0.5, 2.0]
    # Opened again, the layer is taken that came from the file.
    viewer.add_image(FRAMES, name="another")
    form.raw.choose(viewer.layers["another"])
    hear(qtbot, menu, lambda: menu.open_file(job))
    assert form.raw.layer is layer
    assert len(viewer.layers) == 2


@pytest.mark.usefixtures("of_a_file")
def test_files_are_asked_for(menu, qtbot, raw_file, monkeypatch):
    asked = []

    def ask(_parent, title, path, kinds):
        asked.append((title, path, kinds))
        return str(raw_file.with_name("mine")), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(raw_file.with_name("mine.yml")), ""))
    actions = {action.text().replace("&", ""): action for action in menu.entries.actions()}
    said, _ = hear(qtbot, menu, actions["Save to file…"].trigger)
    assert said == f"Saved: {raw_file.with_name('mine.yml')}."
    (title, path, _) = asked[0]
    assert "saved beside it as TIFF" in title
    assert path.endswith("/drift.yml")
    assert hear(qtbot, menu, actions["Open from file…"].trigger) == ("Opened: mine.yml.", False)


def test_what_is_saved_comes_back_the_same(menu, form, of_a_file, qtbot, tmp_path):
    form.compute.set_content({"tile_memory_gb": 2.5})
    before = form.values.fragment()
    hear(qtbot, menu, lambda: menu.save_file(tmp_path / "job.yml"))
    menu.reset()
    assert form.values.fragment() != before
    hear(qtbot, menu, lambda: menu.open_file(tmp_path / "job.yml"))
    assert form.values.fragment() == before
    assert form.raw.layer is of_a_file


def test_a_region_travels(menu, form, of_a_file, qtbot, tmp_path):
    form.region = (0, 8, 32, 40)
    hear(qtbot, menu, lambda: menu.save_file(tmp_path / "job.yml"))
    assert load_job(tmp_path / "job.yml")[0].region == (0, 8, 32, 40)
    form.region = None
    hear(qtbot, menu, lambda: menu.open_file(tmp_path / "job.yml"))
    assert form.region == (0, 8, 32, 40)


@pytest.mark.usefixtures("of_a_file")
def test_tiles_a_part_of_the_frames_and_the_run_to_start_from_travel(menu, form, qtbot, tmp_path):
    form.compute.set_content({"tile_px": 48, "tile_overlap_px": 24, "scheduler": "tcp://10.0.0.1:8786"})
    form.part.set_content({"frames": [1, 2]})
    form.fit.set_content({**form.fit.content(), "start_from": str(tmp_path / "before.zarr")})
    before = form.job(tmp_path / "r.zarr")
    hear(qtbot, menu, lambda: menu.save_file(tmp_path / "job.yml"))
    saved, _ = load_job(tmp_path / "job.yml")
    assert (saved.compute, saved.frames, saved.fit.start_from) == (before.compute, (1, 2), "before.zarr")
    menu.reset()
    fill(form)
    empty = form.job(tmp_path / "r.zarr")
    assert (empty.compute.in_tiles, empty.frames, form.fit.content().get("start_from")) == (False, None, None)
    hear(qtbot, menu, lambda: menu.open_file(tmp_path / "job.yml"))
    assert form.job(tmp_path / "r.zarr") == before
    # From a job that says nothing of them they go again.
    job = write(tmp_path / "other.yml")
    hear(qtbot, menu, lambda: menu.open_file(job))
    again = form.job(tmp_path / "r.zarr")
    assert (again.compute.in_tiles, again.frames, again.fit.start_from) == (False, None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modality: [", "not YAML"),
        ("nstm: 2", "nstm: got 2"),
        ("{modality: ptychography, raw: drift.tif, acquisition: {}}", "modality: got 'ptychography'"),
        (
            "{modality: dpc, raw: drift.tif, acquisition: {wavelength_um: green}}",
            "acquisition.wavelength_um: got 'green'",
        ),
        ("{modality: dpc, raw: drift.tif, acquisition: {colour: 3}}", "acquisition.colour: got an unknown key"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(menu, form, of_a_file, qtbot, tmp_path, text, said):
    (tmp_path / "job.yml").write_text(text)
    before = form.values.fragment()
    heard, problem = hear(qtbot, menu, lambda: menu.open_file(tmp_path / "job.yml"))
    assert heard.startswith("job.yml was not opened. ")
    assert said in heard
    assert problem
    assert (form.values.fragment(), form.raw.layer) == (before, of_a_file)


@pytest.mark.usefixtures("of_a_file")
def test_what_is_missing_is_left_to_the_form(menu, form, qtbot, raw_file, tmp_path):
    job = write(raw_file.with_name("job.yml"), acquisition={key: DPC[key] for key in DPC if key != "wavelength_um"})
    assert hear(qtbot, menu, lambda: menu.open_file(job)) == ("Opened: job.yml.", False)
    assert form.job(tmp_path / "r.zarr") is None
    assert list(form.acquisition.problems()) == ["wavelength_um"]


def test_frames_that_are_gone_are_named(menu, form, of_a_file, qtbot, tmp_path):
    job = write(tmp_path / "job.yml", raw="gone.tif", acquisition={**DPC, "wavelength_um": 0.7})
    heard, problem = hear(qtbot, menu, lambda: menu.open_file(job))
    assert (
        heard
        == f"Opened: job.yml. Its raw frames, {tmp_path / 'gone.tif'}, are not there: choose them among the layers."
    )
    assert problem
    assert form.acquisition.content()["wavelength_um"] == 0.7
    assert form.raw.layer is of_a_file


def test_frames_that_napari_cannot_read_are_named(menu, viewer, qtbot, tmp_path):
    (tmp_path / "frames.mrc").write_bytes(b"none")
    job = write(tmp_path / "job.yml", raw="frames.mrc")
    heard, _ = hear(qtbot, menu, lambda: menu.open_file(job))
    assert heard == f"Opened: job.yml. Its raw frames are in {tmp_path / 'frames.mrc'}: drop that onto the viewer."
    assert len(viewer.layers) == 0


def test_the_button_opens_from_the_keyboard(menu, qtbot):
    menu.show()
    menu.setFocus()
    qtbot.keyClick(menu, Qt.Key.Key_Space)
    assert menu.entries.isVisible()
    texts = [action.text().replace("&", "") for action in menu.entries.actions() if action.text()]
    assert texts == [
        "Open from file…",
        "Save to file…",
        "From the selected result",
        "Copy as command line",
        "Copy as Python script",
        "My presets",
        "Reset to defaults",
    ]
    keys = [action.text()[action.text().index("&") + 1] for action in menu.entries.actions() if action.text()]
    assert len(set(map(str.lower, keys))) == len(texts)
    menu.entries.close()


# -- from a result --------------------------------------------------------------


def test_settings_of_a_result_come_from_its_layer(menu, form, viewer, of_a_file, tmp_path):
    menu.entries.aboutToShow.emit()
    assert not menu.result_action.isEnabled()
    assert menu.result_action.toolTip() == "Select a layer of a result first."
    job = {
        "nstm": 1,
        "modality": "dpc",
        "raw": "raw.npy",
        "acquisition": {**DPC, "wavelength_um": 0.45, "background": {"kind": "image", "path": "background.path.npy"}},
        "fit": {"preset": "paper", "seed": 3},
        "output": {"path": "result.zarr", "times": 5},
    }
    known = {"kind": "reconstruction", "store": str(tmp_path / "r.zarr"), "job": job}
    result = viewer.add_image(np.zeros((4, 8, 8)), name="phase", metadata={KEY: known})
    viewer.layers.selection = {result}
    menu.entries.aboutToShow.emit()
    assert menu.result_action.isEnabled()
    menu.result_action.trigger()
    assert menu.heard == [("Settings of phase.", False)]
    content = form.acquisition.content()
    assert content["wavelength_um"] == 0.45
    assert content["background"]["path"] == str(tmp_path / "r.zarr" / "background.path.npy")
    assert (form.fit.content()["preset"], form.fit.content()["seed"]) == ("paper", 3)
    assert form.output.content() == {"times": 5}
    assert form.raw.layer is of_a_file


def test_a_layer_that_knows_only_its_store_asks_it(menu, form, viewer, stored):
    known = {"kind": "view", "store": str(stored.path)}
    menu.take_from(viewer.add_image(np.zeros((8, 8)), name="view", metadata={KEY: known}))
    assert menu.heard == [("Settings of view.", False)]
    assert form.acquisition.content()["pixel_size_um"] == 0.25


def test_a_result_that_is_gone_changes_nothing(menu, form, viewer, of_a_file, tmp_path):
    before = form.values.fragment()
    known = {"kind": "view", "store": str(tmp_path / "gone.zarr")}
    menu.take_from(viewer.add_image(np.zeros((8, 8)), metadata={KEY: known}))
    menu.take_from(of_a_file)
    assert [problem for _, problem in menu.heard] == [True, True]
    assert "gone.zarr" in menu.heard[0][0]
    assert form.values.fragment() == before


# -- to the clipboard -----------------------------------------------------------


@pytest.mark.usefixtures("of_a_file")
def test_a_command_line_writes_a_job_beside_the_frames(menu, qtbot, raw_file):
    (raw_file.parent / "drift-job.yml").write_text("mine")
    said, problem = hear(qtbot, menu, menu.copy_command_line)
    assert said == "Copied: lines for a terminal that write drift-job-2.yml beside the raw frames, and run it."
    assert not problem
    lines = clipboard().splitlines()
    assert shlex.split(lines[-1]) == ["napari-nstm", "reconstruct", str(raw_file.with_name("drift-job-2.yml"))]
    content = yaml.safe_load("\n".join(lines[1:-2]))
    assert content["raw"] == str(raw_file)
    assert content["output"]["path"] == str(raw_file.with_name("drift-result.zarr"))
    assert (raw_file.parent / "drift-job.yml").read_text() == "mine"


def test_a_job_file_that_says_the_same_is_what_runs(menu, form, of_a_file, qtbot, tmp_path):
    hear(qtbot, menu, lambda: menu.save_file(tmp_path / "my job.yml"))
    hear(qtbot, menu, menu.copy_command_line)
    assert shlex.split(clipboard()) == ["napari-nstm", "reconstruct", str(tmp_path / "my job.yml")]
    fill(form, wavelength_um=0.6)
    hear(qtbot, menu, menu.copy_command_line)
    assert "wavelength_um: 0.6" in clipboard()


@pytest.mark.usefixtures("of_a_file")
def test_a_script_holds_the_job(menu, qtbot, raw_file):
    assert hear(qtbot, menu, menu.copy_python) == ("Copied: a Python script.", False)
    tree = ast.parse(clipboard())
    value = next(node.value for node in tree.body if isinstance(node, ast.Assign))
    job = Job.model_validate(ast.literal_eval(value))
    assert (job.raw, job.fit.epochs) == (str(raw_file), 60)
    np.testing.assert_array_equal(check_job(job).raw.frames, FRAMES)


def test_frames_in_no_file_must_be_saved_first(menu, form, viewer, qtbot, tmp_path, monkeypatch):
    viewer.add_image(FRAMES, name="raw")
    fill(form)
    QGuiApplication.clipboard().setText("before")
    said, problem = hear(qtbot, menu, menu.copy_python)
    assert said == "raw: in no file. Save the settings to a file first (Settings ▾ Save to file…)."
    assert problem
    assert clipboard() == "before"
    # From the menu saving is offered, and then there is something to copy.
    monkeypatch.setattr(QMessageBox, "exec", lambda box: None)
    monkeypatch.setattr(QMessageBox, "clickedButton", lambda box: box.buttons()[0])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    (copy,) = [action for action in menu.entries.actions() if "Python" in action.text()]
    menu.heard.clear()
    copy.trigger()
    qtbot.waitUntil(lambda: len(menu.heard) == 2)
    assert menu.heard[1][0].startswith(f"Saved: {tmp_path / 'mine.yml'}.")
    hear(qtbot, menu, menu.copy_python)
    assert str(tmp_path / "mine-raw.tif") in clipboard()


# -- presets --------------------------------------------------------------------


def test_presets_are_kept_shown_and_deleted(menu, form, viewer, qtbot, monkeypatch):
    viewer.add_image(FRAMES, name="raw")
    fill(form)
    before = form.values.fragment()
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("20x & green", True))
    menu.presets_menu.aboutToShow.emit()
    texts = {action.text(): action for action in menu.presets_menu.actions()}
    assert list(texts) == ["", "&Save these settings as…", "&Delete"]
    assert not texts["&Delete"].isEnabled()
    texts["&Save these settings as…"].trigger()
    assert menu.presets() == ("20x & green",)
    form.set_modality("sim")
    menu.presets_menu.aboutToShow.emit()
    shown, *_ = menu.presets_menu.actions()
    assert shown.text() == "20x && green"
    shown.trigger()
    assert form.values.fragment() == before
    assert form.raw.layer.name == "raw"
    delete = menu.presets_menu.actions()[-1].menu()
    delete.actions()[0].trigger()
    assert menu.presets() == ()
    assert [text for text, _ in menu.heard] == [
        "Kept as “20x & green”.",
        "Settings of your preset “20x & green”.",
        "Your preset “20x & green” was deleted.",
    ]


def test_a_preset_that_cannot_be_used_changes_nothing(menu, form):
    fill(form)
    before = form.values.fragment()
    menu.save_preset("  ")
    menu.load_preset("none")
    folder = form.values.settings.path / "presets"
    folder.mkdir(parents=True)
    (folder / "other.yml").write_text("{modality: ptychography}")
    (folder / "bad.yml").write_text("[")
    menu.load_preset("other")
    assert menu.presets() == ("other",)
    assert [problem for _, problem in menu.heard] == [True] * 4
    assert "which is not installed" in menu.heard[2][0]
    assert menu.heard[3][0] == "The preset “bad” was skipped: it is damaged."
    assert form.values.fragment() == before


def test_defaults_come_back_with_what_the_layer_says(menu, form, viewer):
    viewer.add_image(FRAMES, name="raw", scale=(1, 0.2, 0.2), units=("pixel", "um", "um"))
    fill(form)
    form.region = (0, 32, 0, 32)
    menu.reset()
    assert menu.heard == [("The defaults are back.", False)]
    assert form.region is None
    assert form.acquisition.content()["pixel_size_um"] == pytest.approx(0.2)
    assert "wavelength_um" not in form.acquisition.content()
    assert "epochs" not in form.fit.content()
