"""Interrupted runs are offered one after another."""

from pathlib import Path

import pytest

from napari_nstm._qt.running.interrupted import InterruptedBanner
from napari_nstm.run.runs import InterruptedRun

OLD = InterruptedRun(Path("old.zarr"), "cells", "2026-11-20T08:00:00+00:00", 30, 300)
NEW = InterruptedRun(Path("new.zarr"), "target", "2026-11-22T21:03:10+00:00", 120, 300)


@pytest.fixture
def banner(qtbot):
    made = InterruptedBanner()
    qtbot.addWidget(made)
    return made


def test_hidden_while_there_is_none(banner):
    banner.offer([])
    assert banner.isHidden()


def test_the_newest_comes_first_and_says_how_far_it_was(banner):
    banner.offer([OLD, NEW])
    assert not banner.isHidden()
    assert banner.text.text() == ("A run of target was interrupted at step 120 of 300 (2026-11-22 21:03 UTC) (1 more).")


def test_one_click_does_not_throw_a_run_away(banner, qtbot):
    banner.offer([OLD, NEW])
    with qtbot.assertNotEmitted(banner.discard_asked):
        banner.discard_button.click()
    assert banner.discard_button.text() == "Discard for good"
    with qtbot.waitSignal(banner.discard_asked) as said:
        banner.discard_button.click()
    assert said.args == [NEW]
    assert "cells" in banner.text.text()
    assert banner.discard_button.text() == "Discard", "the next one has not been asked about"


@pytest.mark.parametrize("what", ["resume", "open"])
def test_each_answer_goes_on_to_the_next(banner, qtbot, what):
    banner.offer([OLD, NEW])
    button = getattr(banner, f"{what}_button")
    with qtbot.waitSignal(getattr(banner, f"{what}_asked")) as said:
        button.click()
    assert said.args == [NEW]
    assert "cells" in banner.text.text()
    button.click()
    assert banner.isHidden()


def test_it_cannot_go_on_while_another_run_does(banner):
    banner.offer([NEW])
    banner.set_resumable(False)
    assert not banner.resume_button.isEnabled()
    assert banner.discard_button.isEnabled()
