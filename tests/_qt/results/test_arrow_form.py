"""The form says what is chosen, and tells when the user changes it."""

import pytest

from napari_nstm._qt.layers.motion import ArrowChoices
from napari_nstm._qt.results.arrow_form import ArrowForm


@pytest.fixture
def form(qtbot):
    made = ArrowForm()
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def told(form):
    seen = []
    form.changed.connect(lambda: seen.append(form.choices))
    return seen


def choose(combo, text):
    combo.setCurrentIndex(combo.findText(text))


def test_at_first_it_says_what_results_are_drawn_with(form):
    assert form.choices == ArrowChoices()


@pytest.mark.parametrize(
    "choices",
    [
        ArrowChoices(across=60, reference="last", stretch=0.5, color="speed", hidden_share=0.0),
        ArrowChoices(reference=-12.5, hidden_share=0.35),
        ArrowChoices(successive=True, stretch=20.0),
    ],
)
def test_it_shows_choices_without_telling(form, told, choices):
    form.set_choices(choices)
    assert form.choices == choices
    assert told == []
    form.set_choices(ArrowChoices())
    assert form.choices == ArrowChoices()


def test_every_change_of_the_user_is_told_once(form, told):
    form.density.setValue(33)
    choose(form.color, "speed")
    form.length.setValue(5)
    form.hidden.setValue(0)
    choose(form.reference, "last frame")
    choose(form.what, "to the next moment")
    assert len(told) == 6
    assert told[-1] == ArrowChoices(33, "last", True, 5.0, "speed", 0.0)


def test_a_number_being_typed_is_told_when_it_is_complete(form, told, qtbot):
    form.density.selectAll()
    qtbot.keyClicks(form.density, "45")
    assert told == []
    qtbot.keyClick(form.density, "\r")
    assert [choices.across for choices in told] == [45]


def test_this_moment_asks_where_the_slider_is(form, told, qtbot):
    with qtbot.waitSignal(form.now_asked):
        choose(form.reference, "this moment")
    assert told == []
    form.set_reference(42.5)
    assert told == [ArrowChoices(reference=42.5)]
    assert form.reference.currentText() == "time"
    # Again, where the slider is by then.
    with qtbot.waitSignal(form.now_asked):
        choose(form.reference, "this moment")


def test_what_does_not_count_cannot_be_changed(form):
    assert form.reference.isEnabled()
    assert not form.time.isVisible()
    choose(form.reference, "time")
    assert form.time.isVisible()
    assert form.time.isEnabled()
    choose(form.what, "to the next moment")
    assert not form.reference.isEnabled()
    assert not form.time.isEnabled()


def test_every_part_has_a_name_and_says_what_it_does_in_reading_order(form):
    parts = [form.what, form.reference, form.time, form.color, form.density, form.length, form.hidden]
    for part in parts:
        assert part.toolTip()
        assert part.accessibleName()
    at = []
    part = form.what
    while len(at) < len(parts):
        at += [part] * (part in parts)
        part = part.nextInFocusChain()
    assert at == parts
