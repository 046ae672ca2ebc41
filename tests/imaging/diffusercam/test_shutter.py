import numpy as np
import pytest
from tests.imaging.diffusercam.literal import mask_of

from napari_nstm.imaging.diffusercam.settings import ROLLING
from napari_nstm.imaging.diffusercam.shutter import overlaps, rolling_shutter, row_starts


@pytest.mark.parametrize(
    ("shutter", "n_rows", "starts"),
    [
        ("dual", 6, (0, 1, 2, 2, 1, 0)),
        ("dual", 7, (0, 1, 2, 3, 2, 1, 0)),
        ("dual_outward", 6, (2, 1, 0, 0, 1, 2)),
        ("dual_outward", 7, (3, 2, 1, 0, 1, 2, 3)),
        ("single", 5, (0, 1, 2, 3, 4)),
        ("single_reversed", 5, (4, 3, 2, 1, 0)),
        ("global", 5, (0, 0, 0, 0, 0)),
    ],
)
def test_rows_begin_one_after_the_other(settings, shutter, n_rows, starts):
    found = rolling_shutter(n_rows, settings(shutter=shutter))
    np.testing.assert_array_equal(found.starts[:, 0], starts)
    assert found.n_rows == n_rows


@pytest.mark.parametrize("shutter", ROLLING)
@pytest.mark.parametrize("n_rows", [20, 21])
@pytest.mark.parametrize("n", [1, 6, 9])
def test_each_row_takes_its_share_of_the_moments_at_which_the_mask_opens_it(settings, shutter, n_rows, n):
    found = rolling_shutter(n_rows, settings(shutter=shutter, exposure_us=10.0 * n))
    mask = mask_of(shutter, n_rows, n)
    assert found.n_cells == mask.shape[1]
    np.testing.assert_allclose(found.weights, mask / n, atol=1e-12)


@pytest.mark.parametrize("shutter", ROLLING)
@pytest.mark.parametrize(("binning", "n_raw_rows"), [(2, 24), (3, 27), (4, 42)])
def test_a_binned_row_is_the_mean_of_its_raw_rows(settings, shutter, binning, n_raw_rows):
    n_rows, n = n_raw_rows // binning, 8
    found = rolling_shutter(n_raw_rows, settings(shutter=shutter, binning=binning, exposure_us=10.0 * n))
    finest = rolling_shutter(
        n_raw_rows, settings(shutter=shutter, binning=binning, exposure_us=10.0 * n, time_step_rows=1 / binning)
    )
    kept = mask_of(shutter, n_raw_rows, n)[: n_rows * binning]
    kept = kept[:, np.flatnonzero(kept.any(axis=0))]  # what is left out may be what began, or ended
    assert found.n_rows == n_rows
    assert found.exposure == n / binning
    assert found.row_time_ms == pytest.approx(0.01 * binning)
    assert found.duration_ms == pytest.approx(0.01 * kept.shape[1])
    expected = kept.reshape(n_rows, binning, -1).mean(axis=1) / n
    np.testing.assert_allclose(finest.weights, expected, atol=1e-9)
    # A cell of a row time of binned rows holds as many of raw ones.
    coarse = np.pad(expected, ((0, 0), (0, -expected.shape[1] % binning)))
    np.testing.assert_allclose(found.weights, coarse.reshape(n_rows, -1, binning).sum(axis=2), atol=1e-9)


@pytest.mark.parametrize("shutter", ["dual", "dual_outward"])
@pytest.mark.parametrize("n_rows", [20, 21])
@pytest.mark.parametrize("shift", [3, -4, 0.5, 30])
def test_a_shift_moves_the_line_where_the_halves_meet(settings, shutter, n_rows, shift):
    starts = row_starts(n_rows, settings(shutter=shutter, shutter_shift_rows=shift))
    away = np.abs(np.arange(n_rows) - ((n_rows - 1) / 2 + shift))
    expected = -away if shutter == "dual" else away
    found = rolling_shutter(n_rows, settings(shutter=shutter, shutter_shift_rows=shift))
    np.testing.assert_allclose(starts - starts.min(), expected - expected.min(), atol=1e-12)
    np.testing.assert_allclose(found.starts[:, 0], expected - expected.min(), atol=1e-12)
    if shift == 30:  # below the image: only one half is in it
        single = row_starts(n_rows, settings(shutter="single" if shutter == "dual" else "single_reversed"))
        np.testing.assert_allclose(found.starts[:, 0], single, atol=1e-12)


@pytest.mark.parametrize("shutter", ROLLING)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"exposure_us": 73.0, "time_step_rows": None},
        {"exposure_us": 137.3, "binning": 3, "time_step_rows": 2.7},
        {"exposure_us": 4.0, "time_step_rows": None},
    ],
)
def test_every_exposure_is_complete_and_the_lattice_spans_the_acquisition(settings, shutter, changes):
    found = rolling_shutter(41, settings(shutter=shutter, **changes))
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-9)
    assert found.weights.min() >= 0
    assert found.starts.min() == 0
    assert found.duration == pytest.approx(found.starts.max() + found.exposure)
    # [-1, 1] spans the start of the first exposure to the end of the last, in cells of one step.
    times = found.times
    assert times.min() > -1
    assert times.max() <= 1
    np.testing.assert_allclose(times[0], found.step / found.duration - 1)
    np.testing.assert_allclose(np.diff(times)[:-1], 2 * found.step / found.duration)
    assert (found.n_cells - 1) * found.step < found.duration <= found.n_cells * found.step + 1e-6
    assert found.weights[:, 0].any()
    assert found.weights[:, -1].any()


def test_a_step_is_a_sixth_of_the_exposure_but_never_less_than_a_row(settings):
    for exposure_us, step in ((120, 2), (600, 10), (30, 1)):
        found = rolling_shutter(100, settings(exposure_us=exposure_us, time_step_rows=None))
        assert found.step == pytest.approx(step)


def test_a_global_shutter_has_one_moment_in_the_middle(settings):
    found = rolling_shutter(40, settings(shutter="global", exposure_us=500, binning=2))
    np.testing.assert_array_equal(found.times, [0])
    np.testing.assert_array_equal(found.weights, np.ones((20, 1)))
    assert found.duration_ms == 0.5


def test_overlaps_are_shares_of_an_exposure():
    edges = np.array([0.0, 1.0, 2.5, 4.0])
    found = overlaps(np.array([0.5, 2.0, 5.0, -3.0]), 2.0, edges)
    np.testing.assert_allclose(found, [[0.25, 0.75, 0], [0, 0.25, 0.75], [0, 0, 0], [0, 0, 0]])
