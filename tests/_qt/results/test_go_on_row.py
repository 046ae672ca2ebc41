"""A run that has ended goes on: as far as it can, and for as many steps as the user says."""

from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_nstm._qt.results.go_on_row import GoOnRow
from napari_nstm.core.settings import Job
from napari_nstm.run.attempts import Attempt


@pytest.fixture
def row(qtbot):
    made = GoOnRow()
    qtbot.addWidget(made)
    return made


def attempt(status="finished", step=400, **compute):
    job = Job(modality="dpc", raw="raw.tif", acquisition={}, compute=compute)
    return Attempt("cells", Path("r.zarr"), "2026-11-25", status, step, 400, 3.0, None, None, job)


def test_a_finished_run_goes_on_for_a_number_of_steps(row, qtbot):
    row.offer(attempt(), possible=True)
    assert row.button.text() == "Go on for"
    assert row.steps.text() == "100 steps"  # a quarter of what it took
    row.steps.setValue(150)
    row.offer(attempt(), possible=True)
    assert row.steps.value() == 150, "what the user chose stays"
    row.show()
    with qtbot.waitSignal(row.asked) as asked:
        QTest.keyClick(row.button, Qt.Key.Key_Space)
    assert asked.args == [150]


def test_a_run_that_was_stopped_goes_on_to_its_end(row, qtbot):
    row.offer(attempt("stopped", 120), possible=True)
    assert row.button.text() == "Go on to its end"
    assert row.button.toolTip().startswith("280 steps of the fit are left.")
    assert row.steps.isHidden()
    with qtbot.waitSignal(row.asked) as asked:
        row.button.click()
    assert asked.args == [None]


@pytest.mark.parametrize(
    ("ended", "possible", "why"),
    [
        (attempt("diverged"), True, "diverged"),
        (attempt(tile_px=64), True, "more epochs"),
        (attempt(), False, "Another run"),
    ],
)
def test_where_it_cannot_it_says_why(row, ended, possible, why):
    row.offer(ended, possible=possible)
    assert not row.button.isEnabled()
    assert why in row.button.toolTip()


def test_the_rest_of_tiles_can_be_done(row):
    row.offer(attempt("stopped", 120, tile_px=64), possible=True)
    assert row.button.isEnabled()


def test_without_a_run_nothing_is_offered(row):
    row.offer(None, possible=True)
    assert row.isHidden()
