import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.imaging.dpc import Dpc


@pytest.fixture
def defaults(settings):
    def make(preset, n_frames=4, shape=(320, 1000)):
        return Dpc().defaults(preset, RawData(np.ones((n_frames, *shape), np.float32)), settings())

    return make


def test_paper_is_what_was_published_for_c_elegans(defaults):
    fit = defaults("paper")
    assert (fit.epochs, fit.pyramid, fit.rendering, fit.motion_unit) == (5000, ((0, 1.0),), "exact", "field")
    assert (fit.scene_learning_rate, fit.motion_learning_rate, fit.learning_rate_end) == (1e-3, 1e-5, 0.1)
    scene, motion = fit.scene_encoding, fit.motion_encoding
    assert (scene.n_levels, scene.n_features, scene.hash_entries_log2) == (8, 2, 16)
    # 0.05 and 0.4 cells per pixel over a box twice the field.
    np.testing.assert_allclose(scene.base_cells, (32, 100))
    np.testing.assert_allclose(scene.fine_cells, (256, 800))
    np.testing.assert_allclose(motion.base_cells, (1, 1, 1))
    np.testing.assert_allclose(motion.fine_cells, (2, 3.84, 12))
    assert (fit.scene_network.width, fit.scene_network.activation) == (128, "gelu")
    assert (fit.motion_network.width, fit.motion_network.activation) == (32, "elu")


def test_fast_has_cells_that_follow_the_canvas(defaults, settings):
    fit = defaults("fast", shape=(256, 512))
    raw = RawData(np.ones((4, 256, 512), np.float32))
    grid = Dpc().prepare(raw, settings(background={"kind": "normalized"}), 0).grid
    cells_per_px = np.array(fit.scene_encoding.fine_cells) / grid.canvas_extent
    assert cells_per_px[0] == pytest.approx(cells_per_px[1])
    assert fit.scene_encoding.hash_entries_log2 is None
    assert fit.rendering == "canvas"


def test_small_fields_are_not_taken_down_to_nothing(defaults):
    assert len(defaults("fast", shape=(256, 256)).pyramid) > 1
    assert defaults("fast", shape=(48, 48)).pyramid == ((0, 1.0),)


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_more_acquisitions_get_more_cells_in_time(defaults, preset):
    one, three = (defaults(preset, n).motion_encoding.fine_cells[0] for n in (4, 12))
    assert three == 3 * one
