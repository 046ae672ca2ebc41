"""How a DiffuserCam image is fitted: the numbers behind the presets, all in one place."""

from __future__ import annotations

from napari_nstm.core.settings import EncodingSettings, FitSettings, NetworkSettings
from napari_nstm.imaging.diffusercam.layout import DiffuserCamLayout

# fast
FAST_STEPS = 2000
FAST_COARSE_TO_FINE = 0.5
FAST_PYRAMID = ((0, 1.0),)
FAST_SCENE_LEVELS = 8
FAST_SCENE_CELLS_PER_PX = (1 / 10, 0.9)
FAST_MOTION_LEVELS = 6
FAST_MOTION_CELLS = (1, 8)
FAST_TIME_CELLS = 12
# First and last moments are seen by a few rows only.
FAST_STEADINESS = 1e-5
FAST_RATES = (0.3, 0.1)
FAST_RATE_END = 0.03

# paper: Cao et al. 2024 (tennis); cells per pixel of a field of 270 x 320
PAPER_EPOCHS = 200
PAPER_SCENE_BASE_CELLS = 4.0
PAPER_SCENE_CELLS_PER_PX = 0.6
PAPER_MOTION_CELLS_PER_PX = 0.1
PAPER_TIME_CELLS = (1.0, 12.0)
PAPER_RATES = (1e-3, 1e-5)


def fast(layout: DiffuserCamLayout, n_batches: int) -> FitSettings:
    """Return the preset `fast`: dense levels read out by a sum, a canvas.

    Parameters
    ----------
    layout
        The grids at full size.
    n_batches
        Steps of an epoch.
    """
    grid = layout.grid
    coarse, fine = FAST_SCENE_CELLS_PER_PX
    first, last = FAST_MOTION_CELLS
    return FitSettings(
        epochs=max(1, round(FAST_STEPS / n_batches)),
        rendering="canvas",
        pyramid=FAST_PYRAMID,
        coarse_to_fine=FAST_COARSE_TO_FINE,
        learning_rate_end=FAST_RATE_END,
        scene_learning_rate=FAST_RATES[0],
        motion_learning_rate=FAST_RATES[1],
        scene_encoding=EncodingSettings(
            n_levels=FAST_SCENE_LEVELS,
            n_features=1,
            base_cells=tuple(n * coarse for n in grid.canvas_extent),
            fine_cells=tuple(n * fine for n in grid.canvas_extent),
        ),
        scene_network=NetworkSettings(kind="sum", output="softplus"),
        motion_encoding=EncodingSettings(
            n_levels=FAST_MOTION_LEVELS,
            n_features=grid.ndim,
            base_cells=(1,) + (first,) * grid.ndim,
            fine_cells=(FAST_TIME_CELLS,) + (last,) * grid.ndim,
        ),
        motion_network=NetworkSettings(kind="sum"),
        motion_unit="pixel",
        motion_steadiness=FAST_STEADINESS,
    )


def paper(layout: DiffuserCamLayout, n_batches: int) -> FitSettings:
    """Return the preset `paper`: the published networks, rates and schedule. Parameters as in `fast`."""
    h, w = layout.grid.shape
    time_base, time_fine = PAPER_TIME_CELLS
    return FitSettings(
        epochs=PAPER_EPOCHS,
        rendering="exact",
        pyramid=((0, 1.0),),
        coarse_to_fine=0.8,
        scene_learning_rate=PAPER_RATES[0],
        motion_learning_rate=PAPER_RATES[1],
        scene_encoding=EncodingSettings(
            n_levels=8,
            n_features=2,
            base_cells=(PAPER_SCENE_BASE_CELLS,) * 2,
            fine_cells=tuple(max(PAPER_SCENE_BASE_CELLS, PAPER_SCENE_CELLS_PER_PX * n) for n in (h, w)),
            hash_entries_log2=16,
        ),
        scene_network=NetworkSettings(kind="mlp", width=128, depth=2, activation="gelu", output="elu"),
        motion_encoding=EncodingSettings(
            n_levels=8,
            n_features=2,
            base_cells=(time_base, 1.0, 1.0),
            fine_cells=(time_fine, *(max(1.0, PAPER_MOTION_CELLS_PER_PX * n) for n in (h, w))),
            hash_entries_log2=16,
        ),
        motion_network=NetworkSettings(kind="mlp", width=32, depth=2, activation="elu"),
        motion_unit="field",
    )
