"""Parts one after another in this process: whatever happens to one, the others have their turn."""

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Failed, Finished, Notice
from napari_nstm.run import parts as module
from napari_nstm.run.parts import Part, events_of, run_parts
from napari_nstm.run.patience import Controls

CONTROLS = Controls("run")


def carried_out(monkeypatch, parts, controls=CONTROLS, **raises):
    """Return the events of parts whose commands say how they end."""
    begun = []

    def begin(command, controls):
        begun.append(command["name"])
        yield Notice(controls.run_id, "begun")
        if command["name"] in raises:
            raise raises[command["name"]]
        yield Finished(controls.run_id, "finished", None, "done")

    monkeypatch.setattr(module, "_begin", begin)
    return list(run_parts(parts, controls)), begun


def part(name, after=None, **command):
    return Part(name, {"name": name, **command}, after)


def last_of(found):
    return {event.index: event.event for event in found}


def test_events_of_a_part_come_in_order_and_carry_its_index(monkeypatch):
    found, begun = carried_out(monkeypatch, [part("a"), part("b")])
    assert begun == ["a", "b"]
    assert [(one.index, type(one.event)) for one in found] == [(0, Notice), (0, Finished), (1, Notice), (1, Finished)]


def test_the_field_at_fault_is_passed_on_and_a_defect_is_one_sentence(monkeypatch):
    wrong, defect = InputError("raw", "nothing", "frames"), ZeroDivisionError("a\nb")
    found, begun = carried_out(monkeypatch, [part("a"), part("b"), part("c")], a=wrong, b=defect)
    assert begun == ["a", "b", "c"]
    last = last_of(found)
    assert last[0] == Failed("run", "raw", str(wrong))
    assert last[1] == Failed("run", None, "An unexpected ZeroDivisionError: a b")
    assert isinstance(last[2], Finished)


def test_what_needs_a_part_that_failed_does_not_begin_nor_what_needs_that(monkeypatch):
    parts = [part("a"), part("b", after=0), part("c", after=1), part("d")]
    found, begun = carried_out(monkeypatch, parts, a=InputError("raw", "nothing", "frames"))
    assert begun == ["a", "d"]
    assert [found[k].event.message for k in (2, 3)] == [
        "Not begun, because a failed.",
        "Not begun, because b failed.",
    ]


def test_what_can_begin_anew_does(monkeypatch):
    parts = [part("a"), part("b", after=0, or_anew=True)]
    found, begun = carried_out(monkeypatch, parts, a=InputError("raw", "nothing", "frames"))
    assert begun == ["a", "b"]
    assert isinstance(last_of(found)[1], Finished)


def test_after_a_stop_no_other_begins(monkeypatch):
    begun = []
    controls = Controls("run", should_stop=lambda: len(begun) == 2)
    monkeypatch.setattr(module, "_begin", lambda command, _: iter([begun.append(command["name"])]))
    list(run_parts([part("a"), part("b"), part("c")], controls))
    assert begun == ["a", "b"]


def test_a_stop_before_the_first_begins_none(monkeypatch):
    assert carried_out(monkeypatch, [part("a")], Controls("run", should_stop=lambda: True)) == ([], [])


def test_a_command_that_nobody_knows_is_a_failure_not_the_end():
    (last,) = events_of({"do": "nothing"}, CONTROLS)
    assert isinstance(last, Failed)
