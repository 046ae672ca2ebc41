"""The picture as it is now: from the fit, from a checkpoint, or what the frames give if nothing moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_nstm.core.data import Comparison
from napari_nstm.core.events import Preview
from napari_nstm.core.grids import Grid
from napari_nstm.core.warp import Float, MotionLattice, positions
from napari_nstm.run.plan import CheckedJob

if TYPE_CHECKING:
    from napari_nstm.fit.solver import Solver
    from napari_nstm.fit.state import FitState
    from napari_nstm.io.result import StoredResult

# Samples of a preview's motion along the longest axis.
_MOTION_SAMPLES = 32


def shown_time(job: CheckedJob, wish_ms: float | None) -> float:
    """Return the moment to show: the wish, within the acquisition; without one the middle frame's."""
    times = job.frame_times_ms
    if wish_ms is None:
        return times[len(times) // 2]
    return min(max(wish_ms, times[0]), times[-1])


def make_preview(
    solver: Solver, state: FitState, job: CheckedJob, run_id: str, level: int, time_ms: float | None = None
) -> Preview:
    """Render a moment at a pyramid level, and the motion since the first frame.

    Parameters
    ----------
    solver, state
        The fit as it is.
    job, run_id
        What is fitted.
    level
        Level of the pyramid.
    time_ms
        The moment; None: the middle frame's.
    """
    shown_ms = shown_time(job, time_ms)
    problem = solver.problem(level)
    scene = problem.present(solver.render(state, job.normalised_time(shown_ms), level))
    motion = _motion_um(solver.motion_lattice(state), job, problem.grid, shown_ms)
    return _preview(job, run_id, int(state.step), problem.grid, shown_ms, scene, motion)


def stored_preview(stored: StoredResult, job: CheckedJob, grid: Grid, run_id: str, time_ms: float | None) -> Preview:
    """Render a moment from a checkpoint, at full size and without compiling anything."""
    shown_ms = shown_time(job, time_ms)
    motion = _motion_um(stored.motion(), job, grid, shown_ms)
    return _preview(job, run_id, stored.record.step, grid, shown_ms, stored.scene_at(shown_ms), motion)


def conventional_preview(
    conventional: Comparison, job: CheckedJob, grid: Grid, run_id: str, time_ms: float | None
) -> Preview:
    """Show what the frames give if nothing moved, before the first step; of several images the nearest in time."""
    still = np.zeros((grid.ndim, *_where(grid)[1].shape[1:]), np.float32)
    shown_ms = shown_time(job, time_ms)
    nearest = int(np.argmin(np.abs(np.asarray(conventional.times_ms) - shown_ms)))
    return _preview(job, run_id, 0, grid, shown_ms, conventional.images[nearest], still)


def _preview(
    job: CheckedJob, run_id: str, step: int, grid: Grid, time_ms: float, scene: Float, motion_um: Float
) -> Preview:
    return Preview(
        run_id=run_id,
        step=step,
        level=grid.level,
        time_ms=time_ms,
        scene=np.asarray(scene, np.float32),
        motion_um=motion_um,
        spacing_px=grid.step,
        motion_spacing_px=_where(grid)[0],
        pixel_size_um=grid.pixel_size_um,
        channels=tuple(channel.name for channel in grid.channels),
        units=tuple(channel.unit for channel in grid.channels),
        origin_um=job.origin_um,
    )


def _motion_um(motion: MotionLattice, job: CheckedJob, grid: Grid, time_ms: float) -> Float:
    t, t_first = job.normalised_time(time_ms), job.normalised_time(job.frame_times_ms[0])
    size = np.asarray(grid.pixel_size_um, np.float32).reshape(-1, *(1,) * grid.ndim)
    return motion.displacement(_where(grid)[1], t, t_first) * size


def _where(grid: Grid) -> tuple[tuple[int, ...], Float]:
    """Spacing of the motion's samples, and their positions: the same at every level."""
    stride = max(1, -(-max(grid.shape) // _MOTION_SAMPLES))
    spacing = tuple(1 if grid.ndim == 3 and axis == 0 else stride for axis in range(grid.ndim))
    shape = tuple(-(-n // s) for n, s in zip(grid.shape, spacing, strict=True))
    return spacing, positions(shape, tuple(float(s) for s in spacing))
