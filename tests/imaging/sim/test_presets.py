import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.imaging.sim import Sim, Sim3d
from napari_nstm.imaging.sim.layout import N_LEVELS, sim_layout


@pytest.fixture
def defaults(settings, volume):
    """Ask for a preset for so many raw pixels ([z,] y, x)."""

    def make(preset, shape=(200, 240), n_acquisitions=1, **changes):
        modality, made = (Sim(), settings) if len(shape) == 2 else (Sim3d(), volume)
        planes = shape[0] if len(shape) == 3 else 1
        if len(shape) == 3:
            changes["n_planes"] = planes
        frames = np.broadcast_to(np.float32(1), (15 * planes * n_acquisitions, *shape[-2:]))
        return modality.defaults(preset, RawData(frames), made(**changes))

    return make


def test_paper_is_what_was_published_for_beads(defaults):
    fit = defaults("paper")
    assert (fit.epochs, fit.pyramid, fit.rendering, fit.motion_unit) == (2000, ((0, 1.0),), "exact", "field")
    assert (fit.scene_learning_rate, fit.motion_learning_rate, fit.learning_rate_end) == (1e-3, 1e-5, 0.1)
    scene, motion = fit.scene_encoding, fit.motion_encoding
    assert (scene.n_levels, scene.n_features, scene.hash_entries_log2) == (8, 2, 16)
    assert (motion.n_levels, motion.n_features, motion.hash_entries_log2) == (8, 2, 16)
    # 25 and 250 cells for 320 pixels, over a box twice the field (of 300 x 360 pixels here).
    np.testing.assert_allclose(scene.base_cells, (2 * 300 * 25 / 320, 2 * 360 * 25 / 320))
    np.testing.assert_allclose(scene.fine_cells, (2 * 300 * 250 / 320, 2 * 360 * 250 / 320))
    assert (motion.base_cells, motion.fine_cells) == ((3, 1, 1), (15, 1, 1))
    assert (fit.scene_network.width, fit.scene_network.depth, fit.scene_network.activation) == (128, 2, "gelu")
    assert (fit.motion_network.width, fit.motion_network.depth, fit.motion_network.activation) == (32, 2, "elu")


def test_paper_for_volumes_moves_along_z_as_finely_as_it_shows(defaults):
    fit = defaults("paper", (20, 200, 240))
    assert (fit.epochs, fit.rendering) == (500, "exact")
    assert (fit.scene_learning_rate, fit.motion_learning_rate) == (1e-3, 1e-5)
    scene, motion = fit.scene_encoding, fit.motion_encoding
    assert scene.fine_cells[0] == pytest.approx(0.4 * 20)
    np.testing.assert_allclose(np.divide(scene.base_cells, scene.fine_cells), (0.3, 0.1, 0.1))
    assert (motion.base_cells[0], motion.fine_cells[0]) == (1, 5)
    # The scene's box is twice as wide as the field.
    np.testing.assert_allclose(motion.fine_cells[1:], np.multiply(scene.fine_cells, (0.95, 0.05, 0.05)))
    np.testing.assert_allclose(np.divide(motion.base_cells, motion.fine_cells)[1:], (1 / 3, 0.1, 0.1))


def test_fields_of_few_pixels_or_planes_have_a_cell_at_least(defaults):
    fit = defaults("paper", (1, 33, 40))
    for encoding in (fit.scene_encoding, fit.motion_encoding):
        assert min(encoding.base_cells) >= 1
        assert all(base <= fine for base, fine in zip(encoding.base_cells, encoding.fine_cells, strict=True))


@pytest.mark.parametrize("shape", [(200, 240), (8, 64, 96)])
def test_fast_has_cells_that_follow_the_canvas(defaults, settings, volume, shape):
    fit = defaults("fast", shape)
    grid = sim_layout(shape, (settings if len(shape) == 2 else volume)()).scene
    cells_per_sample = np.divide(fit.scene_encoding.fine_cells, grid.canvas_extent)
    np.testing.assert_allclose(cells_per_sample[-2:], cells_per_sample[-1])
    assert fit.scene_encoding.hash_entries_log2 is None
    assert fit.rendering == "canvas"
    assert len(fit.motion_encoding.fine_cells) == len(shape) + 1
    assert all(0 <= level < N_LEVELS for level, _ in fit.pyramid)


@pytest.mark.parametrize("preset", ["fast", "paper"])
@pytest.mark.parametrize("shape", [(200, 240), (8, 64, 64)])
def test_a_series_has_more_cells_in_time(defaults, preset, shape):
    one, three = (defaults(preset, shape, n).motion_encoding.fine_cells[0] for n in (1, 3))
    assert three == 3 * one


def test_fast_takes_fewer_epochs_where_an_epoch_has_more_steps(defaults):
    whole, parts = (defaults("fast", shape).epochs for shape in ((200, 240), (1024, 1024)))
    by_planes = defaults("fast", (8, 64, 64), times_of="plane").epochs
    assert whole > parts > 0
    assert defaults("fast", (8, 64, 64)).epochs > by_planes > 0
