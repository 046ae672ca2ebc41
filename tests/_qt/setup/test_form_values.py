"""Values of the last run come back in the next session, are said to be, and give way to what the data say."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nstm._qt.raw_layer import KEY
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm._qt.setup.kept_values import BROUGHT_BACK
from napari_nstm.core.settings import FitRequest
from napari_nstm.imaging.registry import modality as used
from napari_nstm.run.user_settings import Fragment, UserSettings

DPC = {
    "pixel_size_um": 0.5,
    "wavelength_um": 0.6,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "source_angles_deg": [90, 270, 0, 180],
}


@pytest.fixture
def session(qtbot):
    """Opens a form as a new panel does, in a new viewer or another."""
    forms = []

    def opened(viewer=None, **more):
        form = JobForm(viewer or ViewerModel(), **more)
        qtbot.addWidget(form)
        forms.append(form)
        form.heard = []
        form.said.connect(lambda *said: form.heard.append(said))
        return form

    yield opened
    for form in forms:
        form.disconnect_viewer()


def remember(form, qtbot):
    before = form.values.settings.last_used().fragments
    form.remember()
    qtbot.waitUntil(lambda: form.values.settings.last_used().fragments != before)


def filled(session, qtbot, **changes):
    form = session()
    form.acquisition.set_content({**DPC, **changes})
    form.fit.set_content({**form.fit.content(), "epochs": 77, "motion_from": "other.zarr", "start_from": "r.zarr"})
    form.output.set_content({"times": 9})
    form.compute.set_content({"tile_px": 512})
    form.part.set_content({"frames": [0, 2]})
    form.region = (0, 8, 32, 32)
    remember(form, qtbot)
    return form


def frames(viewer, n=4, **more):
    return viewer.add_image(np.random.default_rng(0).random((n, 32, 40)), name="raw", **more)


def test_a_first_session_has_the_defaults_and_says_nothing(session, qtbot):
    form = session()
    qtbot.wait(20)
    assert form.modality.name == "dpc"
    assert form.heard == []


def test_the_last_values_come_back_and_are_said_to_be(session, qtbot):
    filled(session, qtbot)
    form = session()
    assert {key: form.acquisition.content()[key] for key in DPC} == DPC
    assert form.fit.content()["epochs"] == 77
    assert form.output.content() == {"times": 9}
    assert form.compute.content() == {"tile_px": 512}
    assert form.large.is_open()
    # What belongs to those frames does not come back.
    assert not {"motion_from", "start_from"} & set(form.fit.content())
    assert form.part.content() == {}
    assert form.region is None
    qtbot.waitUntil(lambda: form.heard == [(BROUGHT_BACK, False)])
    form.reset()
    fresh = session()
    fresh.reset()
    assert form.values.fragment() == fresh.values.fragment()
    assert form.values.fragment().fit == {"preset": "fast"}
    assert "wavelength_um" not in form.acquisition.content()


def test_each_method_has_its_own_and_the_last_one_is_chosen(session, qtbot):
    form = filled(session, qtbot)
    form.set_modality("sim")
    form.acquisition.set_content({**form.acquisition.content(), "pixel_size_um": 0.07})
    form.fit.set_content({**form.fit.content(), "epochs": 123})
    remember(form, qtbot)
    again = session()
    assert again.modality.name == "sim"
    assert (again.acquisition.content()["pixel_size_um"], again.fit.content()["epochs"]) == (0.07, 123)
    again.set_modality("dpc")
    assert (again.acquisition.content()["wavelength_um"], again.fit.content()["epochs"]) == (0.6, 77)


def test_a_sample_says_its_own(session, qtbot):
    filled(session, qtbot)
    viewer = ViewerModel()
    own = {**DPC, "wavelength_um": 0.4, "pixel_size_um": 0.3}
    frames(viewer, metadata={KEY: {"kind": "raw", "modality": "dpc", "acquisition": own}})
    form = session(viewer)
    assert (form.acquisition.content()["wavelength_um"], form.acquisition.content()["pixel_size_um"]) == (0.4, 0.3)
    # Of the acquisition nothing came back: it is not said, but the fit is.
    qtbot.waitUntil(lambda: len(form.heard) == 1)
    assert form.heard[0][0].startswith("Fit and output as in your last run")


def test_the_layer_says_its_pixel_size(session, qtbot):
    filled(session, qtbot)
    viewer = ViewerModel()
    frames(viewer, scale=(1, 0.2, 0.2), units=("pixel", "um", "um"))
    form = session(viewer)
    assert form.acquisition.content()["pixel_size_um"] == pytest.approx(0.2)
    assert form.acquisition.content()["wavelength_um"] == 0.6
    qtbot.waitUntil(lambda: form.heard == [(BROUGHT_BACK, False)])


@pytest.mark.parametrize(("n", "kept"), [(4, [0, 25, 50, 75]), (8, None)])
def test_times_come_back_only_for_as_many_frames(session, qtbot, n, kept):
    filled(session, qtbot, timestamps_ms=[0, 25, 50, 75])
    viewer = ViewerModel()
    form = session(viewer)
    assert form.acquisition.content()["timestamps_ms"] == [0, 25, 50, 75]
    frames(viewer, n)
    assert form.acquisition.content().get("timestamps_ms") == kept
    assert form.acquisition.content()["wavelength_um"] == 0.6


def test_times_that_the_user_wrote_stay(session, qtbot):
    filled(session, qtbot, timestamps_ms=[0, 25, 50, 75])
    viewer = ViewerModel()
    form = session(viewer)
    form.acquisition.set_content({**form.acquisition.content(), "timestamps_ms": [0, 30, 60, 90]})
    frames(viewer, 8)
    assert form.acquisition.content()["timestamps_ms"] == [0, 30, 60, 90]


def test_an_array_comes_back_while_its_layer_is_there(session, qtbot):
    viewer = ViewerModel()
    viewer.add_image(np.ones((32, 40)), name="empty")
    frames(viewer)
    form = session(viewer)
    image = {"kind": "image", "path": "layer: empty"}
    form.acquisition.set_content({**DPC, "background": image})
    assert form.acquisition.content()["background"] == image
    remember(form, qtbot)
    assert session(viewer).acquisition.content()["background"] == image
    alone = session()
    assert alone.acquisition.content()["background"] == {"kind": "none"}
    assert alone.acquisition.content()["wavelength_um"] == 0.6


def test_the_device_of_the_preferences_is_the_default(session, qtbot):
    form = session(device="cpu")
    assert form.fit.content()["device"] == "cpu"
    remember(form, qtbot)
    assert session(device="gpu").fit.content()["device"] == "gpu"
    other = session(device="gpu")
    other.fit.set_content({**other.fit.content(), "device": "cpu"})
    remember(other, qtbot)
    assert session(device="gpu").fit.content()["device"] == "cpu"
    other.reset()
    assert other.fit.content()["device"] == "gpu"


def test_damaged_values_are_said_and_left_out(session, qtbot):
    path = UserSettings().path
    path.mkdir(exist_ok=True)
    (path / "last.yml").write_text("latest: [")
    form = session()
    qtbot.waitUntil(lambda: form.heard == [("The values of your last runs were skipped: it is damaged.", True)])
    assert form.modality.name == "dpc"


@pytest.mark.parametrize(
    "value", [float("inf"), 10**400, True, "x", [None], {"kind": [1]}, {"kind": "image"}, {"a": {}}]
)
@pytest.mark.parametrize("modality", ["dpc", "sim", "sim3d", "diffusercam"])
def test_values_that_make_no_sense_are_shown_to_be_mended(session, tmp_path, modality, value):
    settings = used(modality).Settings
    acquisition = dict.fromkeys([*settings.model_fields, "colour"], value)
    UserSettings().remember(Fragment(modality, acquisition, dict.fromkeys(FitRequest.model_fields, value)))
    viewer = ViewerModel()
    frames(viewer)
    form = session(viewer)
    assert form.modality.name == modality
    assert form.job(tmp_path / "r.zarr") is None
    assert form.acquisition.problems()
    form.reset()
    assert form.fit.validate() is not None


def test_a_folder_that_cannot_be_written_is_said(session, qtbot, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAPARI_NSTM_CONFIG", str(tmp_path / "file"))
    form = session()
    form.remember()
    qtbot.waitUntil(lambda: len(form.heard) == 1)
    assert form.heard[0][0].startswith("Your settings cannot be kept in ")
    assert form.heard[0][1]
