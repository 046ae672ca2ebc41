"""Found in the frames, written into the form; drawn in the viewer, moved by hand: off the window's thread."""

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtTest import QTest
from tests._qt.striped import offer

from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.setup.frames_tools import FramesTools
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm.core.errors import InputError

KY = 1.25


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def striped(monkeypatch):
    return offer(monkeypatch)


@pytest.fixture
def form(viewer, qtbot, striped):
    made = JobForm(viewer)
    qtbot.addWidget(made)
    made.set_modality("striped")
    yield made
    made.disconnect_viewer()


@pytest.fixture
def view(viewer, qtbot):
    made = DrawingView(viewer)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()


@pytest.fixture
def tools(form, view, background, tmp_path, qtbot):
    made = FramesTools(form, view, background, tmp_path)
    form.show()
    qtbot.waitExposed(form)
    return made


@pytest.fixture
def raw(viewer, form):
    layer = viewer.add_image(np.full((2, 3, 8, 10), KY, np.float32), name="raw")
    form.acquisition.set_content({"pixel_size_um": 0.1})
    return layer


def said(tools):
    return tools.message.text().replace("\u200b", "")


def finds(tools, qtbot):
    tools.find_button.click()
    qtbot.waitUntil(tools.find_button.isEnabled)


def draws(tools, qtbot, name):
    tools.inspect_buttons[name].click()
    qtbot.waitUntil(tools.find_button.isEnabled)


def content(form):
    return form.acquisition.content()


def top(form, widget):
    return widget.mapTo(form, widget.rect().topLeft()).y()


def named(viewer, end):
    return next(layer for layer in reversed(viewer.layers) if layer.name.endswith(end))


# -- found in the frames ------------------------------------------------------


def test_what_is_found_is_written_into_the_form_and_can_be_edited(tools, form, raw, striped, qtbot):
    finds(tools, qtbot)
    assert content(form)["lines"] == {"kind": "known", "ky_per_um": [KY, 0.5], "kx_per_um": [0.25, KY]}
    assert content(form)["depth"] == 0.75
    assert form.acquisition.editor("lines").currentText() == "Given"
    assert said(tools) == "Lines were found.\nSo was their depth."
    # As a run does: all axes before y and x are one.
    assert striped.asked[0][0] == (6, 8, 10)
    editor = form.acquisition.editor("lines.ky_per_um")
    editor.clear()
    QTest.keyClicks(editor, "2, 3")
    assert content(form)["lines"]["ky_per_um"] == [2, 3]


def test_frames_are_looked_at_in_a_thread_of_their_own(tools, raw, striped, qtbot):
    striped.gate.clear()
    tools.find_button.click()
    assert not tools.find_button.isEnabled()
    assert said(tools) == "Looking at the frames…"
    qtbot.waitUntil(lambda: bool(striped.threads))
    striped.gate.set()
    qtbot.waitUntil(tools.find_button.isEnabled)
    draws(tools, qtbot, "sheet")
    assert threading.main_thread() not in striped.threads


def test_what_was_found_before_does_not_count_but_the_wish_how_to_look_does(tools, form, raw, striped, qtbot):
    form.acquisition.set_content({"pixel_size_um": 0.1, "lines": {"kind": "unknown", "about_per_um": 1.2}, "depth": 9})
    for _ in range(2):
        finds(tools, qtbot)
    for _, settings in striped.asked:
        assert (settings.lines.kind, settings.lines.about_per_um) == ("unknown", 1.2)
        assert settings.depth is None
    assert len(striped.asked) == 2
    tools.clear_button.click()
    assert content(form)["lines"] == {"kind": "unknown", "about_per_um": 1.2}
    assert "depth" not in content(form)
    assert said(tools) == ""
    assert not tools.clear_button.isEnabled()


def test_text_that_is_no_value_in_the_fields_to_be_found_is_in_nobodys_way(tools, form, raw, qtbot):
    QTest.keyClicks(form.acquisition.editor("depth"), "deep")
    finds(tools, qtbot)
    assert content(form)["depth"] == 0.75
    assert form.acquisition.problems() == {}


def test_other_problems_are_shown_first_and_nothing_is_looked_at(tools, form, raw, striped):
    form.acquisition.set_content({"pixel_size_um": 0.1, "gain": -1})
    tools.find_button.click()
    assert set(form.acquisition.problems()) == {"gain"}
    assert "Mend what is marked" in said(tools)
    assert striped.asked == []


def test_without_frames_it_is_said(tools):
    tools.find_button.click()
    assert said(tools) == "⚠ Choose raw frames first."


def test_what_the_modality_cannot_use_stands_at_its_field(tools, form, raw, striped, qtbot):
    striped.error = InputError("acquisition.gain", "2", "less")
    finds(tools, qtbot)
    assert form.acquisition.problems() == {"gain": "Takes less; got 2."}
    striped.error = InputError("raw", "6 images", "a multiple of 4 images")
    finds(tools, qtbot)
    assert "multiple of 4" in form.raw.problem.text()
    striped.error = RuntimeError("a fault of the program")
    finds(tools, qtbot)
    assert said(tools) == "⚠ An unexpected RuntimeError: a fault of the program"
    assert "depth" not in content(form)


def test_an_answer_that_the_settings_have_outrun_is_dropped(tools, form, raw, striped, qtbot):
    striped.gate.clear()
    tools.find_button.click()
    qtbot.waitUntil(lambda: bool(striped.asked))
    form.acquisition.set_content({**content(form), "gain": 2})
    striped.gate.set()
    qtbot.waitUntil(tools.find_button.isEnabled)
    assert "changed meanwhile" in said(tools)
    assert content(form)["lines"] == {"kind": "unknown"}


def test_clear_calls_off_what_is_looked_for(tools, form, raw, striped, qtbot):
    finds(tools, qtbot)
    striped.gate.clear()
    tools.find_button.click()
    qtbot.waitUntil(lambda: len(striped.asked) == 2)
    tools.clear_button.click()
    assert tools.find_button.isEnabled()
    striped.gate.set()
    qtbot.wait(100)
    assert content(form)["lines"] == {"kind": "unknown"}


def test_methods_that_find_nothing_have_no_buttons(tools, form, raw, qtbot):
    assert tools.isVisible()
    form.set_modality("dpc")
    assert not tools.isVisible()
    form.set_modality("striped")
    qtbot.waitUntil(tools.isVisible)
    assert [button.text() for button in tools.inspect_buttons.values()] == ["All frames", "Spectrum"]
    # Below the last of the settings that they fill in, above the next.
    assert top(form, form.acquisition.editor("depth")) < top(form, tools)
    assert top(form, tools) < top(form, form.acquisition.editor("offset_counts"))


# -- looked at ----------------------------------------------------------------


def test_a_drawing_takes_the_place_of_the_frames_until_they_are_asked_for(tools, view, viewer, raw, qtbot):
    draws(tools, qtbot, "sheet")
    assert not raw.visible
    assert view.isVisibleTo(None)
    assert (view.title.text(), view.note.text()) == ("All frames", "A note.")
    assert named(viewer, "All frames").data.shape[1] >= 60
    assert len(named(viewer, ": marks").data) == 6
    view.back_button.click()
    assert raw.visible
    qtbot.waitUntil(lambda: list(viewer.layers) == [raw], timeout=3000)


def test_after_finding_the_last_inspection_shows_it(tools, view, raw, qtbot):
    finds(tools, qtbot)
    qtbot.waitUntil(lambda: view.drawing is not None)
    assert view.drawing.name == "Spectrum"
    assert view.drawing.marks[0].position == (KY, 0.25)
    # One that is shown already stays, drawn anew.
    draws(tools, qtbot, "sheet")
    finds(tools, qtbot)
    qtbot.wait(100)
    assert view.drawing.name == "All frames"


def test_a_mark_that_is_moved_moves_its_setting(tools, form, view, viewer, raw, qtbot):
    finds(tools, qtbot)
    qtbot.waitUntil(lambda: view.drawing is not None)
    points = named(viewer, ": marks")
    shift = points.data[2] - np.array([0.5, KY])  # the second panel's
    dragged = points.data.copy()
    dragged[3] = np.array([-0.75, -1.5]) + shift
    points.data = dragged
    lines = content(form)["lines"]
    np.testing.assert_allclose([lines["ky_per_um"], lines["kx_per_um"]], [[KY, 0.75], [0.25, 1.5]], atol=1e-5)
    assert "depth" not in content(form)
    # Its opposite follows, in the same layer.
    qtbot.waitUntil(lambda: np.allclose(points.data[2] - shift, (0.75, 1.5), atol=1e-5))
    assert points in viewer.layers


def test_a_setting_that_is_changed_moves_its_mark(tools, form, view, viewer, raw, qtbot):
    finds(tools, qtbot)
    qtbot.waitUntil(lambda: view.drawing is not None)
    points = named(viewer, ": marks")
    before = points.data.copy()
    editor = form.acquisition.editor("lines.ky_per_um")
    editor.clear()
    QTest.keyClicks(editor, f"{KY + 0.5}, 0.5")
    qtbot.waitUntil(lambda: not np.allclose(points.data, before))
    np.testing.assert_allclose(points.data - before, [[0.5, 0], [-0.5, 0], [0, 0], [0, 0]], atol=1e-9)


def test_a_mark_that_cannot_be_there_goes_back(tools, form, view, viewer, raw, qtbot):
    finds(tools, qtbot)
    qtbot.waitUntil(lambda: view.drawing is not None)
    points, before = named(viewer, ": marks"), content(form)
    where = points.data.copy()
    points.data = where - np.outer([1, 0, 0, 0], [KY, 0.25])
    assert "a direction" in said(tools)
    assert content(form) == before
    qtbot.waitUntil(lambda: np.allclose(points.data, where))


def test_other_frames_are_drawn_in_place_of_those_before(tools, view, viewer, raw, qtbot):
    draws(tools, qtbot, "sheet")
    raw.data = raw.data + 1
    qtbot.waitUntil(lambda: named(viewer, "All frames").data.max() == pytest.approx(KY + 1))


def test_another_method_brings_the_frames_back(tools, form, view, viewer, raw, qtbot):
    draws(tools, qtbot, "sheet")
    form.set_modality("dpc")
    assert raw.visible
    assert view.drawing is None


def test_problems_of_a_drawing_are_said(tools, form, raw, striped, qtbot):
    striped.error = InputError("acquisition.gain", "2", "less")
    draws(tools, qtbot, "spectrum")
    assert form.acquisition.problems() == {"gain": "Takes less; got 2."}
    form.acquisition.set_content({"pixel_size_um": -1})
    tools.inspect_buttons["spectrum"].click()
    assert set(form.acquisition.problems()) == {"pixel_size_um"}
