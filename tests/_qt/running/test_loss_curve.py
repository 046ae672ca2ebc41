"""The loss of a run as a small picture: logarithmic, with the sizes at work, and in words for screen readers."""

import numpy as np
import pytest
from qtpy.QtGui import QColor, QPalette

from napari_nstm._qt.running.loss_curve import POINTS, LossCurve
from napari_nstm.core.events import Progress


@pytest.fixture
def curve(qtbot):
    made = LossCurve()
    qtbot.addWidget(made)
    made.resize(340, made.height())
    made.show()
    return made


def progress(step, loss, level=0, n_steps=100):
    return Progress("r", step, n_steps, level, 1.0, loss, 1.0, 1.0)


def drawn(curve, share=0.8):
    """Pixels of the curve, (row, column): those that have this share of the contrast of its words and ground."""
    picture = curve.grab().toImage()
    ink = curve.palette().color(QPalette.ColorRole.WindowText)
    ground = curve.palette().color(QPalette.ColorRole.Window)
    contrast = abs(ink.lightness() - ground.lightness())
    found = np.zeros((picture.height(), picture.width()), bool)
    for row in range(picture.height()):
        for column in range(picture.width()):
            difference = abs(QColor(picture.pixel(column, row)).lightness() - ground.lightness())
            found[row, column] = difference > share * contrast
    return found


def test_the_axis_is_logarithmic(curve):
    for step in range(1, 101):
        curve.add(progress(step, 10.0 ** (-3 * step / 100)))
    rows, columns = np.nonzero(drawn(curve))
    inside = (columns > 80) & (columns < 250)
    slope, offset = np.polyfit(columns[inside], rows[inside], 1)
    assert slope > 0.1, "it falls from left to right"
    assert np.abs(rows[inside] - (slope * columns[inside] + offset)).max() < 4, "exponential decay is a straight line"


def test_its_points_do_not_grow_with_the_steps(curve):
    for step in range(1, 5001):
        curve.add(progress(step, 1 / step, n_steps=5000))
    steps, losses = curve.points()
    assert len(steps) == POINTS
    assert steps[-1] == 5000
    np.testing.assert_allclose(losses, 1 / steps)


def test_sizes_begin_where_they_did(curve):
    curve.add(progress(1, 1.0, level=2), "64 × 64 px")
    curve.add(progress(40, 0.5, level=1), "128 × 128 px")
    assert curve.levels == ((0, "64 × 64 px"), (40, "128 × 128 px"))


def test_words_tell_the_newest(curve):
    assert curve.accessibleDescription() == "No loss yet"
    curve.add(progress(12, 3.1e-3))
    assert curve.accessibleDescription() == "loss 0.0031 at step 12 of 100"


def test_what_is_no_number_leaves_a_gap_and_another_run_begins_anew(curve):
    curve.add(progress(1, 1.0))
    curve.add(progress(2, float("nan")))
    assert curve.points()[0].tolist() == [1]
    curve.add(progress(1, 5.0, n_steps=50))
    assert curve.points()[1].tolist() == [5.0]
    curve.clear()
    assert curve.empty


def test_the_history_of_a_stored_run_is_the_same_curve(curve):
    curve.set_history([1.0, None, 0.25], n_steps=10)
    steps, losses = curve.points()
    assert (steps.tolist(), losses.tolist()) == ([1, 3], [1.0, 0.25])
    assert curve.accessibleDescription() == "loss 0.25 at step 3 of 10"


def test_the_size_of_a_run_that_is_resumed_begins_where_it_goes_on(curve):
    curve.set_history([1.0, 0.5], n_steps=100)
    assert curve.resumed
    curve.add(progress(3, 0.25, level=1), "128 × 128 px")
    assert curve.levels == ((3, "128 × 128 px"),)
    assert curve.points()[0].tolist() == [1, 2, 3]
    curve.clear()
    assert not curve.resumed


def test_a_loss_that_does_not_change_is_a_level_line(curve):
    for step in range(1, 101):
        curve.add(progress(step, 1 + 1e-6 * step))
    rows, columns = np.nonzero(drawn(curve, 0.5))  # it may run between two rows
    inside = (columns > 150) & (columns < 230)
    assert np.ptp(rows[inside]) <= 2


def test_of_tiles_each_has_a_line_of_its_own(curve):
    """The loss of a tile begins high again: a line from the end of the one before would not be a fit's."""
    curve.set_tiles(at_once=False)
    for step in range(1, 101):
        tile, at = divmod(step - 1, 50)
        curve.add(progress(step, 10.0 ** (-3 * at / 50), level=1 if at < 25 else 0), f"Tile {tile + 1} of 2")
    assert curve.levels == ((0, "Tile 1 of 2"), (51, "Tile 2 of 2"))
    # Between the end of the first and the begin of the second nothing is drawn from bottom to top.
    assert drawn(curve, share=0.5)[:, 80:].sum(axis=0).max() < 20
    assert len(curve.points()[0]) == 100


def test_steps_of_tiles_may_be_more_than_was_thought(curve):
    curve.set_tiles(at_once=True)
    curve.add(progress(10, 1.0, n_steps=100), "0 of 2 tiles done")
    curve.add(progress(20, 0.5, n_steps=120), "0 of 2 tiles done")
    assert curve.points()[0].tolist() == [10, 20]
    curve.clear()
    curve.add(progress(1, 1.0), "64 × 64 px")
    curve.add(progress(1, 5.0, n_steps=50), "64 × 64 px")
    assert curve.points()[1].tolist() == [5.0], "a run that is not in tiles begins anew"
