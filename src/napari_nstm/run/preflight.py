"""What is said before the first step: what was understood of the data, and what the fit will need."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Prepared
from napari_nstm.core.settings import LEAST_REGION_PX
from napari_nstm.imaging.region import cropped
from napari_nstm.run.job import fit_settings
from napari_nstm.run.plan import CheckedJob, Plan

if TYPE_CHECKING:
    from napari_nstm.core.grids import Grid
    from napari_nstm.fit.solver import Solver

# Sides of a region that is offered are multiples of this (pixels).
_BLOCK_PX = 16


def prepared_event(plan: Plan, solver: Solver, run_id: str) -> Prepared:
    """Estimate what a fit will need, and say what was understood of its data."""
    from napari_nstm.fit.cost import estimate_cost, moments_per_step

    problem = solver.problem(0)
    grid, n_moments, per_step = problem.grid, len(problem.frame_times), moments_per_step(problem)
    cost = estimate_cost(grid, n_moments, problem.n_batches, plan.fit, plan.device, per_step)
    fits = None
    if cost.memory_free_bytes is not None and cost.memory_bytes > cost.memory_free_bytes:
        fits = _largest_part(plan, grid, n_moments, per_step, cost.memory_free_bytes)
    axes, n_frames, shape = described_axes(plan, grid)
    return Prepared(
        run_id,
        plan.summary,
        plan.device_words,
        cost.memory_bytes,
        cost.memory_free_bytes,
        cost.seconds,
        solver.n_steps,
        axes=axes,
        n_frames=n_frames,
        shape=shape,
        duration_ms=plan.frame_times_ms[-1] - plan.frame_times_ms[0],
        fits_px=fits,
    )


def described_axes(job: CheckedJob, grid: Grid) -> tuple[str, int, tuple[int, ...]]:
    """Return the axes in words, the number of frames, and the raw pixels of one, ([z,] y, x)."""
    n, *size = job.raw.frames.shape
    if job.modality.raw_axes.startswith("c"):
        return "colour, y, x" if n > 1 else "y, x", 1, tuple(size)
    if grid.ndim > len(size):
        # The planes of all frames stand in one row.
        return "frame, plane, y, x", n // grid.shape[0], (grid.shape[0], *size)
    return ", ".join(("frame", *("plane", "y", "x")[-len(size) :])), n, tuple(size)


def memory_of_part(plan: Plan, grid: Grid, n_moments: int, per_step: int, part: tuple[int, int]) -> int:
    """Count the bytes that the fit of a part of a field needs; nothing is prepared.

    Parameters
    ----------
    plan, grid, n_moments, per_step
        The run, its grid at full size, its moments, and those that a step renders.
    part
        Rows and columns of raw pixels.
    """
    from napari_nstm.fit.cost import memory_of_step

    height, width = plan.raw.frames.shape[-2:]
    fit = plan.fit
    if part[0] <= height and part[1] <= width:
        region = ((height - part[0]) // 2, (width - part[1]) // 2, *part)
        raw, settings = cropped(plan.modality, plan.raw, plan.settings, region)
        fit = fit_settings(plan.job, plan.modality, raw, settings)
    factors = [plan.settings.pixel_size_um / p for p in grid.pixel_size_um[-2:]]
    lateral = [math.ceil(n * f) for n, f in zip(part, factors, strict=True)]
    of_part = replace(grid, shape=(*grid.shape[:-2], *lateral))
    # A method that takes fewer frames of a large field in a step may take more of a small one.
    growth = math.prod(grid.padded_extent) / math.prod(of_part.padded_extent)
    chosen = per_step if plan.job.fit.images_per_step else min(n_moments, math.ceil(per_step * growth))
    return memory_of_step(of_part, n_moments, chosen, fit)


def _largest_part(plan: Plan, grid: Grid, n_moments: int, per_step: int, free: int) -> tuple[int, int] | None:
    """Look, by halving, for the largest part around the middle that needs no more than `free` bytes.

    Nothing is prepared: only sizes are counted.
    """
    height, width = plan.raw.frames.shape[-2:]

    def size(rows: int) -> tuple[int, int]:
        return rows, max(LEAST_REGION_PX, rows * width // height // _BLOCK_PX * _BLOCK_PX)

    def need(rows: int) -> int:
        return memory_of_part(plan, grid, n_moments, per_step, size(rows))

    fits, too_large = 0, height // _BLOCK_PX + 1
    try:
        while too_large - fits > 1:
            blocks = (fits + too_large) // 2
            if need(blocks * _BLOCK_PX) <= free:
                fits = blocks
            else:
                too_large = blocks
    except InputError:  # a region means nothing to this method
        return None
    return size(fits * _BLOCK_PX) if fits * _BLOCK_PX >= LEAST_REGION_PX else None
