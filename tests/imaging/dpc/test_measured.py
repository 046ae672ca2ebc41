import numpy as np
import pytest
import tifffile
from tests.measured import CELLS, cell_settings

from napari_nstm.core.data import RawData
from napari_nstm.imaging.dpc import Dpc

# Positions (y, x) well inside cells and well outside, read from the picture.
INSIDE = [(170, 300), (255, 275), (545, 290), (480, 240)]
OUTSIDE = [(100, 60), (120, 560), (420, 60), (330, 520), (600, 500)]


@pytest.fixture(scope="module")
def cells():
    if not CELLS.exists():
        pytest.skip(f"measured DPC frames of cells are not there ({CELLS})")
    raw = RawData(tifffile.imread(CELLS))
    settings = cell_settings()
    return raw, settings, Dpc().conventional(raw, settings)[1]


def _mean_around(phase, centres, half=15):
    return np.array([phase[y - half : y + half, x - half : x + half].mean() for y, x in centres])


def test_cells_are_of_positive_phase(cells):
    *_, phase = cells
    assert _mean_around(phase, INSIDE).min() > _mean_around(phase, OUTSIDE).max() + 0.1


def test_opposite_angles_would_turn_them_negative(cells):
    raw, settings, phase = cells
    turned = settings.model_copy(update={"source_angles_deg": (90, 270, 0, 180)})
    np.testing.assert_allclose(Dpc().conventional(raw, turned)[1], -phase, atol=1e-3)


def test_the_edges_show_no_band(cells):
    *_, phase = cells
    band = np.concatenate([phase[:12].ravel(), phase[-12:].ravel(), phase[:, :12].ravel(), phase[:, -12:].ravel()])
    assert np.abs(band).max() < np.abs(phase[40:-40, 40:-40]).max()
    assert band.std() < phase.std()


def test_saturation_is_noticed_and_nothing_else(cells):
    raw, settings, _ = cells
    timed = settings.model_copy(update={"timestamps_ms": (0.0, 1.0, 2.0, 3.0)})
    (warning,) = Dpc().check(raw, timed)
    assert warning.startswith(f"{np.count_nonzero(raw.frames == 255)} saturated pixels")
