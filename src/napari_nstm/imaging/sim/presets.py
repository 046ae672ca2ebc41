"""How SIM is fitted: the numbers behind the presets, all in one place."""

from __future__ import annotations

import math

from napari_nstm.core.settings import EncodingSettings, FitSettings, NetworkSettings
from napari_nstm.imaging.sim.layout import SimLayout

# fast
# By the number of axes. Steps where a step sees every frame; where an epoch has n steps, sqrt(n) times as many: each of
# them knows less. A volume has more to learn, and takes longer with all its detail let in.
FAST_STEPS = {2: 250, 3: 350}
FAST_COARSE_TO_FINE = {2: 0.8, 3: 0.6}
FAST_PYRAMID = ((1, 0.7), (0, 0.3))
FAST_SCENE_LEVELS = 8
FAST_SCENE_CELLS_PER_PX = (1 / 22, 1.0)
FAST_MOTION_LEVELS = 6
FAST_MOTION_CELLS = (1, 16)
FAST_TIME_CELLS = 6
FAST_RATES = (3e-2, 0.05)
FAST_SYSTEM_RATE = 2e-2

# paper: Cao et al. 2024, beads (one plane)
PAPER_EPOCHS = 2000
PAPER_SCENE_CELLS_PER_PX = (25 / 320, 250 / 320)
PAPER_TIME_CELLS = (3, 15)
PAPER_RATES = (1e-3, 1e-5)
# paper, cells (volumes): per pixel or plane; the finest, and the coarsest as a part of it
PAPER_3D_EPOCHS = 500
PAPER_3D_SCENE_FINE_CELLS_PER_RAW_PX = 0.8
PAPER_3D_SCENE_PLANE = (0.4, 0.3)
PAPER_3D_MOTION_OF_SCENE = (0.1, 0.1)
PAPER_3D_MOTION_OF_SCENE_PLANE = (0.95, 1 / 3)
PAPER_3D_TIME_CELLS = (1, 5)


def fast(layout: SimLayout, n_acquisitions: int, n_batches: int) -> FitSettings:
    """Return the preset `fast`: dense levels read out by a sum, a canvas, a pyramid.

    Parameters
    ----------
    layout
        The grids at full size.
    n_acquisitions
        Acquisitions of the series.
    n_batches
        Steps of an epoch.
    """
    grid = layout.scene
    coarse, fine = FAST_SCENE_CELLS_PER_PX
    first, last = FAST_MOTION_CELLS
    return FitSettings(
        epochs=max(1, round(FAST_STEPS[grid.ndim] / math.sqrt(n_batches))),
        rendering="canvas",
        pyramid=FAST_PYRAMID,
        coarse_to_fine=FAST_COARSE_TO_FINE[grid.ndim],
        scene_learning_rate=FAST_RATES[0],
        motion_learning_rate=FAST_RATES[1],
        system_learning_rate=FAST_SYSTEM_RATE,
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
            fine_cells=(FAST_TIME_CELLS * n_acquisitions,) + (last,) * grid.ndim,
        ),
        motion_network=NetworkSettings(kind="sum"),
        motion_unit="pixel",
    )


def paper(layout: SimLayout, n_acquisitions: int, n_batches: int) -> FitSettings:
    """Return the preset `paper`: the published networks, rates and schedule (beads for a plane, cells for a volume).

    Parameters as in `fast`.
    """
    grid = layout.scene
    coarse, fine = PAPER_SCENE_CELLS_PER_PX
    if grid.ndim == 3:
        fine = PAPER_3D_SCENE_FINE_CELLS_PER_RAW_PX / layout.enlarge
        coarse = fine / 10
    # The scene's box is twice the field along y and x.
    scene_fine = [2 * n * fine for n in grid.shape[-2:]]
    scene_base = [2 * n * coarse for n in grid.shape[-2:]]
    motion_base, motion_fine = [1.0, 1.0], [1.0, 1.0]
    time_base, time_fine = PAPER_TIME_CELLS
    if grid.ndim == 3:
        part, base = PAPER_3D_MOTION_OF_SCENE
        motion_fine = [max(1.0, part * n * fine) for n in grid.shape[-2:]]
        motion_base = [max(1.0, base * n) for n in motion_fine]
        axial, axial_base = PAPER_3D_SCENE_PLANE
        of_scene, of_scene_base = PAPER_3D_MOTION_OF_SCENE_PLANE
        planes = max(1.0, axial * grid.shape[0])
        scene_fine, scene_base = [planes, *scene_fine], [max(1.0, axial_base * planes), *scene_base]
        motion_fine = [max(1.0, of_scene * planes), *motion_fine]
        motion_base = [max(1.0, of_scene_base * of_scene * planes), *motion_base]
        time_base, time_fine = PAPER_3D_TIME_CELLS
    return FitSettings(
        epochs=PAPER_EPOCHS if grid.ndim == 2 else PAPER_3D_EPOCHS,
        rendering="exact",
        pyramid=((0, 1.0),),
        coarse_to_fine=0.8,
        scene_learning_rate=PAPER_RATES[0],
        motion_learning_rate=PAPER_RATES[1],
        scene_encoding=EncodingSettings(
            n_levels=8,
            n_features=2,
            base_cells=tuple(scene_base),
            fine_cells=tuple(scene_fine),
            hash_entries_log2=16,
        ),
        scene_network=NetworkSettings(kind="mlp", width=128, depth=2, activation="gelu"),
        motion_encoding=EncodingSettings(
            n_levels=8,
            n_features=2,
            base_cells=(time_base, *motion_base),
            fine_cells=(time_fine * n_acquisitions, *motion_fine),
            hash_entries_log2=16,
        ),
        motion_network=NetworkSettings(kind="mlp", width=32, depth=2, activation="elu"),
        motion_unit="field",
    )
