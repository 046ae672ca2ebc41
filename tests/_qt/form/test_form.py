"""The form as its user meets it: typing, choosing, problems at their rows."""

from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import BaseModel, Field
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QLabel, QScrollArea
from tests.toy import ToySettings

from napari_nstm._qt.form import SettingsForm
from napari_nstm._qt.form.collapsible import Collapsible
from napari_nstm.core.settings import FitRequest, OutputSettings
from napari_nstm.imaging.dpc.settings import DpcSettings
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings

FILLED = {
    "pixel_size_um": 0.454,
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "source_angles_deg": [90, 270, 0, 180],
}


class Layer:
    """What a form asks of an image layer."""

    multiscale = False

    def __init__(self, name):
        self.name, self.data = name, np.full((4, 8, 8), len(name))


@pytest.fixture
def form_of(qtbot):
    """Show the form of a model in a dock's width."""

    def make(model, fields=None):
        area = QScrollArea()
        qtbot.addWidget(area)
        form = SettingsForm(model, fields)
        area.setWidgetResizable(True)
        area.setWidget(form)
        area.resize(360, 400)
        area.show()
        qtbot.waitExposed(area)
        form.area = area  # an attribute of Python: keeps it alive
        return form

    return make


def type_into(form, field, text):
    editor = form.editor(field)
    editor.clear()
    QTest.keyClicks(editor, text)


def choose(form, field, label):
    """Choose an item as a click in the list does."""
    editor = form.editor(field)
    editor.setCurrentIndex(editor.findText(label))
    editor.activated.emit(editor.currentIndex())


def test_what_is_typed_becomes_the_settings(form_of):
    form = form_of(DpcSettings)
    for field in ("pixel_size_um", "wavelength_um", "na_objective", "na_illumination"):
        type_into(form, field, str(FILLED[field]))
    type_into(form, "source_angles_deg", "90, 270, 0, 180")
    type_into(form, "regularization_phase", "2e-6")
    settings = form.validate()
    assert settings == DpcSettings(**FILLED, regularization_phase=2e-6)
    assert DpcSettings.model_validate(form.content()) == settings
    assert "timestamps_ms" not in form.content()
    assert "padding_px" not in form.content()


def test_content_goes_in_and_out_unchanged(form_of):
    form = form_of(DpcSettings)
    content = {
        **FILLED,
        "timestamps_ms": [0, 25.5, 50],
        "background": {"kind": "blur", "sigma_px": 33.3},
        "na_illumination_inner": 0.1,
        "regularization_phase": 1e-7,
        "padding_px": 0,
    }
    assert form.set_content(content) == ()
    assert form.content() == DpcSettings(**content).model_dump(mode="json", exclude_none=True)
    assert form.set_content({**FILLED, "colour": "red"}) == ("colour",)
    assert form.content() == DpcSettings(**FILLED).model_dump(mode="json", exclude_none=True)


def test_one_edit_is_one_signal(form_of):
    form = form_of(DpcSettings)
    heard = []
    form.changed.connect(lambda: heard.append(1))
    form.set_content(FILLED)
    assert len(heard) == 1
    QTest.keyClicks(form.editor("na_objective"), "1")
    assert len(heard) == 2
    choose(form, "background", "Blurred frames")
    assert len(heard) == 3
    form.set_layers([Layer("raw")])
    assert len(heard) == 3


def test_every_problem_stands_at_its_own_row_until_it_is_edited(form_of):
    form = form_of(DpcSettings)
    form.set_content(
        {**FILLED, "na_objective": -1, "wavelength_um": "0,525", "source_angles_deg": [90, "left"], "padding_px": 2.5}
        | {"background": {"kind": "constant", "value": 0}, "timestamps_ms": [0, 25, 20]}
    )
    assert form.validate() is None
    assert form.problems() == {
        "wavelength_um": "Write decimals with a point: 0.525",
        "na_objective": "Got -1; needs a number over 0.",
        "source_angles_deg": "Got 'left'; needs a number.",
        "background.value": "Got 0; needs a positive number of counts, or one per frame.",
        "timestamps_ms": "Got 20 ms after 25 ms; needs times in ascending order, in ms.",
        "padding_px": "Got 2.5; needs a whole number.",
    }
    seen = [label.text() for label in form.findChildren(QLabel) if label.isVisible()]
    assert set(form.problems().values()) <= set(seen)
    assert form.editor("na_objective").accessibleDescription() == "Got -1; needs a number over 0."

    type_into(form, "na_objective", "0.25")
    assert "na_objective" not in form.problems()
    assert "padding_px" in form.problems()
    form.clear_problems()
    assert form.problems() == {}


def test_an_untouched_form_can_be_asked_quietly(form_of):
    form = form_of(DpcSettings)
    assert form.validate(show=False) is None
    assert form.problems() == {}
    assert form.validate() is None
    assert set(form.problems()) == set(FILLED)


def test_a_problem_between_two_settings_calls_them_by_their_labels(form_of):
    form = form_of(DpcSettings)
    form.set_content({**FILLED, "na_illumination_inner": 0.3})
    assert form.validate() is None
    assert form.problems() == {"na_illumination_inner": "Got 0.3; needs less than “Illumination NA” (0.25)."}


def test_a_problem_opens_its_group_and_is_scrolled_to(form_of, qtbot):
    form = form_of(DpcSettings)
    group = form.findChild(Collapsible)
    assert not form.editor("padding_px").isVisible()
    assert form.show_problem("padding_px", "Too much.")
    assert group.is_open()
    editor = form.editor("padding_px")
    inside = form.area.viewport()
    qtbot.waitUntil(lambda: inside.rect().contains(editor.mapTo(inside, editor.rect().center())))


def test_a_problem_without_a_row_is_refused(form_of):
    form = form_of(DpcSettings)
    assert not form.show_problem(None, "Something.")
    assert not form.show_problem("raw", "Something.")
    assert not form.show_problem("source_patterns", "Not shown with half sources.")
    assert form.show_problem("source_angles_deg.2", "Got 720.")
    assert form.problems() == {"source_angles_deg": "Got 720."}


def test_a_problem_inside_a_mapping_names_its_key(form_of):
    form = form_of(FitRequest)
    assert form.show_problem("advanced.pyramid", "Got 2; needs shares that add up to 1.")
    assert form.problems() == {"advanced": "pyramid: Got 2; needs shares that add up to 1."}


def test_patterns_and_angles_are_asked_for_only_where_they_apply(form_of):
    form = form_of(DpcSettings)
    form.set_content(FILLED)
    form.findChild(Collapsible).set_open()
    angles = form.editor("source_angles_deg")
    assert angles.isVisible()
    choose(form, "source", "Measured patterns")
    assert not angles.isVisible()
    assert "source_angles_deg" not in form.content()
    assert form.editor("source_patterns").isVisible()
    assert form.validate() is None
    assert set(form.problems()) == {"source_patterns", "source_patterns_na_extent"}
    choose(form, "source", "Half apertures")
    # What had been typed is still there.
    assert form.content()["source_angles_deg"] == [90, 270, 0, 180]
    assert form.validate() is not None


def test_only_the_kinds_there_are_are_offered(form_of):
    form = form_of(DpcSettings)
    kinds = form.editor("background")
    assert [kinds.itemText(index) for index in range(kinds.count())] == [
        "Not measured",
        "Known intensity",
        "Measured image",
        "Blurred frames",
        "Already removed",
    ]


def test_a_background_shows_the_rows_of_its_kind(form_of):
    form = form_of(DpcSettings)
    form.set_content(FILLED)
    choose(form, "background", "Known intensity")
    type_into(form, "background.value", "1000")
    assert form.content()["background"] == {"kind": "constant", "value": 1000}
    choose(form, "background", "Blurred frames")
    assert form.content()["background"] == {"kind": "blur", "sigma_px": 80}
    with pytest.raises(KeyError):
        form.editor("background.value")


def test_times_go_on_to_the_number_of_frames(form_of):
    form = form_of(DpcSettings)
    form.set_content(FILLED)
    type_into(form, "timestamps_ms", "0, 25, ...")
    assert form.validate() is None
    assert form.problems()["timestamps_ms"] == "“...” goes on to the last frame: choose the raw frames first."
    heard = []
    form.changed.connect(lambda: heard.append(1))
    form.n_frames = 6
    assert len(heard) == 1
    assert form.validate().timestamps_ms == (0, 25, 50, 75, 100, 125)
    type_into(form, "source_angles_deg", "0, 90, ...")
    form.validate()
    assert form.problems()["source_angles_deg"] == "Write all numbers: “...” does not work here."


def test_an_array_comes_from_a_layer(form_of):
    form = form_of(DpcSettings)
    raw, empty = Layer("raw"), Layer("empty")
    form.set_content({**FILLED, "background": {"kind": "image"}})
    form.set_layers([raw, empty])
    assert form.arrays() == {}
    assert form.validate() is None
    choose(form, "background.path", "empty")
    assert form.arrays()["background.path"] is empty.data
    assert form.content()["background"] == {"kind": "image", "path": "layer: empty"}
    assert form.validate() is not None

    form.set_layers([empty, Layer("new")])
    assert form.arrays()["background.path"] is empty.data
    empty.name = "renamed"
    form.set_layers([empty])
    assert form.content()["background"]["path"] == "layer: renamed"
    form.set_layers([raw])
    assert form.arrays() == {}
    assert "path" not in form.content()["background"]


def test_settings_that_name_a_layer_find_it_or_say_so(form_of):
    form = form_of(DpcSettings)
    form.set_content({**FILLED, "background": {"kind": "image", "path": "layer: empty"}})
    assert form.validate() is None
    assert form.problems() == {"background.path": "There is no layer “empty”: choose another, or a file."}
    layer = Layer("empty")
    form.set_layers([layer])
    assert form.validate() is not None
    assert form.arrays()["background.path"] is layer.data


def test_an_array_comes_from_a_file(form_of, monkeypatch):
    form = form_of(DpcSettings)
    form.set_content({**FILLED, "background": {"kind": "image"}})
    answers = ["", "/data/empty.tif"]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_args: (answers.pop(0), ""))
    choose(form, "background.path", "File…")
    # The dialog was closed without a choice.
    assert form.editor("background.path").currentText() == "Choose…"
    choose(form, "background.path", "File…")
    assert form.editor("background.path").currentText() == "empty.tif"
    assert form.content()["background"]["path"] == "/data/empty.tif"
    assert form.arrays() == {}


def test_a_request_for_the_fit_is_filled_in(form_of):
    form = form_of(FitRequest)
    assert form.validate() == FitRequest()
    choose(form, "preset", "Published (slow)")
    type_into(form, "epochs", "12")
    type_into(form, "advanced", "rendering: exact, scene_learning_rate: 0.1")
    form.editor("device").setEditText("gpu:1")
    assert form.validate() == FitRequest(
        preset="paper", epochs=12, device="gpu:1", advanced={"rendering": "exact", "scene_learning_rate": 0.1}
    )
    choose(form, "device", "CPU")
    assert form.content()["device"] == "cpu"
    form.set_content({"device": "gpu:2"})
    assert form.content() == {"preset": "fast", "seed": 0, "static": False, "coarse_to_fine": True, "device": "gpu:2"}


@pytest.mark.parametrize(("text", "times"), [("", None), ("24", 24), ("0, 12.5", (0.0, 12.5))])
def test_output_times_are_a_number_or_a_list(form_of, text, times):
    form = form_of(OutputSettings, ["times"])
    type_into(form, "times", text)
    assert form.validate().times == times


def test_a_modality_without_hints_gets_a_form(form_of):
    form = form_of(ToySettings)
    type_into(form, "pixel_size_um", "1")
    type_into(form, "gain", "2.5")
    assert form.validate() == ToySettings(pixel_size_um=1.0, gain=2.5)
    assert "Gain" in [label.text() for label in form.findChildren(QLabel)]


class Lens(BaseModel):
    na: float
    diameter_um: float = 10.0


class Led(BaseModel):
    kind: Literal["led"]
    power: float


class Laser(BaseModel):
    kind: Literal["laser"]
    line_nm: int


class Nested(BaseModel):
    lens: Lens
    light: Annotated[Led | Laser, Field(discriminator="kind")]
    limit: int


def test_nested_models_and_unions_of_a_third_party(form_of):
    form = form_of(Nested)
    type_into(form, "lens.na", "x")
    choose(form, "light", "Laser")
    type_into(form, "light.line_nm", "many")
    assert form.validate() is None
    assert form.problems() == {
        "lens.na": "Got 'x'; needs a number.",
        "light.line_nm": "Got 'many'; needs a whole number.",
        "limit": "A value is needed here.",
    }
    type_into(form, "lens.na", "0.5")
    type_into(form, "light.line_nm", "532")
    type_into(form, "limit", "3")
    assert form.validate() == Nested.model_validate(form.content())
    assert form.content()["light"] == {"kind": "laser", "line_nm": 532}


def test_a_problem_of_a_field_that_is_not_shown_is_shown_below(form_of):
    form = form_of(Nested, ["limit"])
    type_into(form, "limit", "3")
    assert form.validate() is None
    seen = [label.text() for label in form.findChildren(QLabel) if label.isVisible()]
    assert "lens: A value is needed here.\nlight: A value is needed here." in seen


def test_the_wheel_changes_nothing_without_focus(form_of):
    form = form_of(FitRequest)
    combo = form.editor("preset")
    here = QPointF(5, 5)
    event = QWheelEvent(
        here,
        combo.mapToGlobal(QPoint(5, 5)).toPointF(),
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    assert not combo.hasFocus()
    QApplication.sendEvent(combo, event)
    assert form.content()["preset"] == "fast"


def test_tab_goes_from_top_to_bottom(form_of):
    form = form_of(DpcSettings)
    form.findChild(Collapsible).set_open()
    choose(form, "background", "Known intensity")
    fields = [row.dotted for row in form._section.rows()]
    first = form.editor(fields[0])
    chain = [first]
    while (following := chain[-1].nextInFocusChain()) is not first:
        chain.append(following)
    heights = [widget.mapTo(form, QPoint(0, 0)).y() for widget in chain if widget in map(form.editor, fields)]
    assert len(heights) == len(fields)
    assert heights == sorted(heights)


@pytest.mark.parametrize(
    ("model", "choices"),
    [
        (DpcSettings, {"background": "Known intensity"}),
        (SimSettings, {"pattern": "Given as vectors", "otf": "From a measured PSF", "timing": "Exposure and delays"}),
        (Sim3dSettings, {"pattern": "Given as period and angle", "otf": "From an OTF file"}),
    ],
)
def test_columns_line_up_and_nothing_is_cut_off_in_a_dock(form_of, model, choices):
    form = form_of(model)
    form.findChild(Collapsible).set_open()
    for field, label in choices.items():
        choose(form, field, label)
    form.validate()
    QApplication.processEvents()
    shown = [row for row in form._section.rows() if row.isVisible()]
    edges = {(row.editor.mapTo(form, QPoint(0, 0)).x(), row.editor.width()) for row in shown if row.spec.kind != "bool"}
    assert len(edges) == 1
    assert form.width() <= 360
    for label in form.findChildren(QLabel):
        if label.isVisible() and label.text():
            assert label.height() >= label.heightForWidth(label.width()), label.text()


# -- structured illumination ---------------------------------------------------

SIM = {
    "pixel_size_um": 0.065,
    "wavelength_um": 0.515,
    "excitation_wavelength_um": 0.488,
    "na_objective": 1.28,
    "refractive_index": 1.33,
}


def test_content_of_structured_illumination_goes_in_and_out_unchanged(form_of):
    form = form_of(Sim3dSettings)
    content = {
        **SIM,
        "plane_spacing_um": 0.15,
        "n_planes": 12,
        "image_order": "time, plane, phase, orientation",
        "pattern": {"kind": "vectors", "ky_per_um": [2.1, -1.9, 0.2], "kx_per_um": [1.1, 1.4, 2.4]},
        "phases_rad": [0.1 * k for k in range(15)],
        "modulation_1": 0.8,
        "modulation_2": [0.5, 0.4, 0.3],
        "otf": {"kind": "file", "path": "otf.tif", "kr_step_per_um": 0.0962, "kz_step_per_um": 0.099},
        "timing": {
            "kind": "delays",
            "exposure_ms": 5,
            "phase_delay_ms": 20,
            "taken_order": "time, orientation, plane, phase",
        },
        "n_beams": 3,
        "times_of": "plane",
    }
    assert form.set_content(content) == ()
    expected = Sim3dSettings.model_validate(content).model_dump(mode="json", exclude_none=True)
    assert Sim3dSettings.model_validate(form.content()).model_dump(mode="json", exclude_none=True) == expected
    assert form.validate() is not None


def test_an_order_may_be_chosen_or_typed_and_shows_its_beginning(form_of):
    form = form_of(SimSettings)
    form.set_content(SIM)
    choose(form, "image_order", "time, orientation, plane, phase (fastest)")
    assert form.content()["image_order"] == "time, orientation, plane, phase"
    editor = form.editor("image_order")
    assert editor.lineEdit().cursorPosition() == 0
    editor.setEditText("phase, plane")
    assert form.validate() is None
    assert "phase, plane" in form.problems()["image_order"]
    editor.setEditText("orientation > phase")
    assert form.validate().image_order == "orientation, phase"


def test_problems_of_a_variant_stand_at_its_rows(form_of):
    form = form_of(SimSettings)
    form.set_content({**SIM, "pattern": {"kind": "vectors", "ky_per_um": [1, 2, 3], "kx_per_um": [1, 2]}})
    assert form.validate() is None
    assert "pattern.kx_per_um" in form.problems()
    form.set_content({**SIM, "otf": {"kind": "psf"}})
    assert form.validate() is None
    assert form.problems() == {"otf.path": "A value is needed here."}


def test_some_fields_can_be_left_out_of_account(form_of):
    form = form_of(SimSettings)
    form.set_content({**SIM, "pattern": {"kind": "vectors"}, "modulation_1": "deep"})
    assert form.validate(show=False) is None
    settings = form.validate(without=("pattern", "modulation_1"))
    assert (settings.pattern.kind, settings.modulation_1) == ("estimate", None)
    assert form.problems() == {}
    form.set_content({**SIM, "na_objective": 9, "modulation_1": "deep"})
    assert form.validate(without=("modulation_1",)) is None
    assert set(form.problems()) == {"na_objective"}


def test_a_widget_stands_below_the_last_of_some_fields(form_of, qtbot):
    for fields, above, below in (
        (("phases_rad", "pattern"), "phases_rad", "modulation_1"),
        (("no such field",), "timing.interval_ms", None),
    ):
        form = form_of(SimSettings)
        widget = QLabel("here")
        form.insert_below(fields, widget)
        qtbot.waitUntil(widget.isVisible)
        QApplication.processEvents()
        assert top(form, form.editor(above)) < top(form, widget)
        following = form.findChild(Collapsible) if below is None else form.editor(below)
        assert top(form, widget) < top(form, following)


def top(form, widget):
    return widget.mapTo(form, QPoint(0, 0)).y()


def test_what_a_field_is_called_and_how_it_begins_is_known(form_of):
    form = form_of(SimSettings)
    assert form.label("pattern") == "Stripes"
    assert form.label("nothing") == ""
    assert form.default_kind("pattern") == {"kind": "estimate"}
    assert form.default_kind("phases_rad") is None
