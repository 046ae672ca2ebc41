"""How DPC is fitted: the numbers behind the presets, all in one place."""

from __future__ import annotations

from napari_nstm.core.grids import Grid
from napari_nstm.core.settings import EncodingSettings, FitSettings, NetworkSettings

# fast
FAST_EPOCHS = 300
FAST_PYRAMID = ((2, 0.4), (1, 0.42), (0, 0.18))
FAST_SCENE_LEVELS = 8
FAST_SCENE_CELLS_PER_PX = (1 / 22, 0.8)
FAST_MOTION_LEVELS = 6
FAST_MOTION_CELLS = (1, 16)
FAST_RATES = (3e-2, 0.1)
# A coarse level must still show something of the field.
LEAST_SAMPLES_AT_A_LEVEL = 32

# paper: Cao et al. 2024, as published for C. elegans
PAPER_EPOCHS = 5000
PAPER_SCENE_CELLS_PER_PX = (0.05, 0.4)
PAPER_MOTION_FINE_CELLS_PER_PX = 0.012
PAPER_RATES = (1e-3, 1e-5)


def fast(grid: Grid, n_frames: int, n_conditions: int) -> FitSettings:
    """Return the preset `fast`: dense levels read out by a sum, a canvas, a pyramid.

    Parameters
    ----------
    grid
        The field at level 0.
    n_frames, n_conditions
        Frames in all, and in one acquisition.
    """
    coarse, fine = FAST_SCENE_CELLS_PER_PX
    first, last = FAST_MOTION_CELLS
    time_cells = _time_cells(n_frames, n_conditions)
    return FitSettings(
        epochs=FAST_EPOCHS,
        rendering="canvas",
        pyramid=_pyramid(grid),
        coarse_to_fine=0.8,
        scene_learning_rate=FAST_RATES[0],
        motion_learning_rate=FAST_RATES[1],
        scene_encoding=EncodingSettings(
            n_levels=FAST_SCENE_LEVELS,
            n_features=1,
            base_cells=tuple(n * coarse for n in grid.canvas_extent),
            fine_cells=tuple(n * fine for n in grid.canvas_extent),
        ),
        scene_network=NetworkSettings(kind="sum"),
        motion_encoding=EncodingSettings(
            n_levels=FAST_MOTION_LEVELS,
            n_features=grid.ndim,
            base_cells=(1,) + (first,) * grid.ndim,
            fine_cells=(time_cells,) + (last,) * grid.ndim,
        ),
        motion_network=NetworkSettings(kind="sum"),
        motion_unit="pixel",
    )


def paper(grid: Grid, n_frames: int, n_conditions: int) -> FitSettings:
    """Return the preset `paper`: the published networks, rates and schedule; parameters as in `fast`."""
    coarse, fine = PAPER_SCENE_CELLS_PER_PX
    time_cells = _time_cells(n_frames, n_conditions)
    return FitSettings(
        epochs=PAPER_EPOCHS,
        rendering="exact",
        pyramid=((0, 1.0),),
        coarse_to_fine=0.8,
        scene_learning_rate=PAPER_RATES[0],
        motion_learning_rate=PAPER_RATES[1],
        # The scene's box is twice the field along each axis.
        scene_encoding=EncodingSettings(
            n_levels=8,
            n_features=2,
            base_cells=tuple(2 * n * coarse for n in grid.shape),
            fine_cells=tuple(2 * n * fine for n in grid.shape),
            hash_entries_log2=16,
        ),
        scene_network=NetworkSettings(kind="mlp", width=128, depth=2, activation="gelu"),
        motion_encoding=EncodingSettings(
            n_levels=8,
            n_features=2,
            base_cells=(1,) * (1 + grid.ndim),
            fine_cells=(time_cells, *(max(1.0, n * PAPER_MOTION_FINE_CELLS_PER_PX) for n in grid.shape)),
            hash_entries_log2=16,
        ),
        motion_network=NetworkSettings(kind="mlp", width=32, depth=2, activation="elu"),
        motion_unit="field",
    )


def _time_cells(n_frames: int, n_conditions: int) -> float:
    # Two cells over one acquisition, as published; as many for each that follows.
    return 2.0 * max(1, n_frames // n_conditions)


def _pyramid(grid: Grid) -> tuple[tuple[int, float], ...]:
    kept = [(k, share) for k, share in FAST_PYRAMID if min(grid.shape) >> k >= LEAST_SAMPLES_AT_A_LEVEL or k == 0]
    total = sum(share for _, share in kept)
    return tuple((k, share / total) for k, share in kept)
