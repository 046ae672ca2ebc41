import numpy as np
import pytest

from napari_nstm.imaging.diffusercam.settings import ROLLING
from napari_nstm.imaging.diffusercam.shutter import rolling_shutter
from napari_nstm.imaging.diffusercam.windows import windows

CASES = [
    ("dual", 40, {}),
    ("dual", 41, {"exposure_us": 55.0}),
    ("dual", 40, {"shutter_shift_rows": 3}),
    ("dual", 41, {"shutter_shift_rows": -2.25}),
    ("dual", 90, {"binning": 2}),
    ("dual", 91, {"binning": 2, "shutter_shift_rows": 1.0}),
    ("dual_outward", 41, {"time_step_rows": None, "exposure_us": 150.0}),
    ("dual_outward", 80, {"binning": 2, "shutter_shift_rows": -7}),
    ("single", 37, {}),
    ("single_reversed", 74, {"binning": 2, "time_step_rows": 1.5}),
    ("global", 40, {}),
]


@pytest.mark.parametrize(("kind", "n_rows", "changes"), CASES)
@pytest.mark.parametrize("exposures", [1, 7, 20, 1000])
def test_every_row_is_in_one_window_with_its_whole_exposure(settings, kind, n_rows, changes, exposures):
    shutter = rolling_shutter(n_rows, settings(shutter=kind, **changes))
    made = windows(shutter, exposures)
    rows = made.rows[made.counted > 0]
    np.testing.assert_array_equal(np.sort(rows), np.arange(shutter.n_rows))
    np.testing.assert_allclose(made.weights.sum(axis=2), 1, atol=1e-6)
    for times, weights, of, counted in zip(made.times, made.weights, made.rows, made.counted, strict=True):
        cells = np.argmin(np.abs(shutter.times[:, None] - times), axis=0)
        np.testing.assert_allclose(shutter.times[cells], times, atol=1e-6)
        assert (np.diff(cells) == 1).all()
        for exposure, row in zip(*np.nonzero(counted), strict=True):
            expected = shutter.weights[of[exposure, row]]
            np.testing.assert_allclose(weights[exposure], expected[cells], atol=1e-6)
            np.testing.assert_allclose(np.delete(expected, cells), 0, atol=1e-9)


@pytest.mark.parametrize("binning", [1, 2])
def test_both_halves_of_a_dual_shutter_are_seen_together(settings, binning):
    shutter = rolling_shutter(40 * binning, settings(shutter="dual", binning=binning))
    made = windows(shutter, 8)
    assert made.rows.shape == (3, 8, 2)
    np.testing.assert_array_equal(made.rows.sum(axis=2), 39)
    # A window follows the other in time.
    assert (np.diff(made.times[:, 0]) > 0).all()


@pytest.mark.parametrize("kind", ROLLING)
def test_what_a_window_sees_does_not_grow_with_the_image(settings, kind):
    sizes = [windows(rolling_shutter(n_rows, settings(shutter=kind)), 20).times.shape[1] for n_rows in (100, 200, 2000)]
    # 20 exposures of 6 rows, each a row later.
    assert sizes == [25, 25, 25]
