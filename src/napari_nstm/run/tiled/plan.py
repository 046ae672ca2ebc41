"""The plan of a field in tiles: what is global is settled once, then nothing changes any more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.grids import Grid
from napari_nstm.core.settings import LEAST_REGION_PX, ComputeSettings, Job, Region
from napari_nstm.core.tiles import LEAST_BLEND_PX, Tile, TilePlan, blend_px, plan_tiles, tile_path
from napari_nstm.imaging.region import cropped, uncropped
from napari_nstm.imaging.tiles import block_px, for_tiles, reach_px
from napari_nstm.io._atomic import reason, write_bytes
from napari_nstm.io.store import StoreRecord
from napari_nstm.run.environment import versions
from napari_nstm.run.execute import record_of
from napari_nstm.run.job import fit_settings, job_from_text, replace_dotted
from napari_nstm.run.plan import Plan, RawInput, make_plan
from napari_nstm.run.preflight import memory_of_part
from napari_nstm.run.protocol import write_array
from napari_nstm.run.raw_copy import keep_raw

if TYPE_CHECKING:
    from napari_nstm.imaging.base import Problem

# Neighbours are mixed over as wide a band as this share of a tile, where that much is fitted of both.
_BAND_SHARE = 0.25
# What a process was seen to take at its peak (480 to 1024 pixels, CPU): libraries and programs, and more than a step's
# arrays, because the next level is compiled meanwhile.
_OF_A_PROCESS_BYTES, _OF_A_FIT = 0.3e9, 2.0
# A part that tells how a method lays out its grids, without preparing all of a large field.
_PROBE_PX = 256


@dataclass(frozen=True)
class TiledPlan:
    """A job in tiles that can run; nothing is written yet.

    Parameters
    ----------
    whole
        The job as it was checked, whole.
    tiles
        How its field is divided.
    settings
        The settings of tiles, of frames as large as the raw ones: what is estimated from a whole field is given.
    arrays
        Arrays that they name, by the dotted name of the setting.
    first
        The job of the first tile: all that a fit of one needs is like it.
    problem
        What a fit of it works on.
    """

    whole: Plan
    tiles: TilePlan
    settings: Any
    arrays: Mapping[str, NDArray[Any]]
    first: Plan
    problem: Problem

    @property
    def job(self) -> Job:
        """The job, whole, with absolute paths."""
        return self.whole.job


def lay_out(job: Job, raw: RawInput, base_dir: Path, *, overwrite: bool) -> TiledPlan:
    """Check a job and divide its field; nothing is written.

    Raises
    ------
    InputError
        Names the first thing that cannot be used.
    """
    from napari_nstm.fit.cost import moments_per_step

    whole = make_plan(job, raw, base_dir=base_dir, overwrite=overwrite)
    settings, arrays = for_tiles(whole.modality, whole.raw, whole.settings)
    part = replace(whole, raw=replace(whole.raw, extras={**whole.raw.extras, **arrays}), settings=settings)
    field = whole.raw.frames.shape[-2], whole.raw.frames.shape[-1]
    block = block_px(whole.modality, settings)
    probe = _of_part(part, (0, 0, min(field[0], _PROBE_PX), min(field[1], _PROBE_PX)))
    problem = _prepared(probe)
    grid = problem.grid
    reach, motion = reach_px(whole.modality, whole.raw, settings) or _asked(grid)
    reach, motion, blend = _overlap(job.compute, reach, motion)
    size = job.compute.tile_px or max(field)
    if job.compute.tile_memory_gb is not None:
        per_step = moments_per_step(problem)

        def need(side: int) -> int:
            around = 2 * (reach + motion + blend)
            sides = min(field[0], side + around), min(field[1], side + around)
            counted = memory_of_part(part, grid, len(problem.frame_times), per_step, sides)
            return round(_OF_A_PROCESS_BYTES + _OF_A_FIT * counted)

        least = max(LEAST_REGION_PX, 2 * blend, block)
        size = _largest(need, job.compute.tile_memory_gb, least, min(size, max(field)), block)
    # Neighbours differ most in what is slow: mixed over as wide a band as is fitted of both, no edge of it shows.
    band = min(max(blend, reach), max(blend, round(_BAND_SHARE * size)))
    reach += blend - band
    tiles = plan_tiles(field, size, reach_px=reach, motion_px=motion, blend_px=band, block_px=block)
    first = _of_part(part, tiles.tiles[0].fitted)
    if whole.job.region is not None:
        height, width = whole.whole_raw.frames.shape[-2:]
        settings = uncropped(whole.modality, settings, (height, width), whole.job.region)
        arrays = {name: _embedded(array, field, (height, width), whole.job.region) for name, array in arrays.items()}
    return TiledPlan(whole, tiles, settings, arrays, first, _prepared(first))


def create_store(plan: TiledPlan, run_id: str, *, overwrite: bool) -> Path:
    """Make the store of the whole, with all that a tile's job needs, and return its path.

    Raises
    ------
    InputError, StoreError
        If it cannot be written.
    """
    whole = plan.whole
    record = _record(plan, run_id).with_session("began", whole.device_words, versions())
    writer = keep_raw(whole, record, overwrite=overwrite)
    folder = writer.path / "tiles"
    kept = writer.record.job
    job: dict[str, Any] = {**kept, "output": {**kept.get("output", {}), "times": list(whole.output_times_ms)}}
    job.pop("compute", None)
    job.pop("region", None)
    acquisition = plan.settings.model_dump(mode="json", exclude_unset=True)
    for name in whole.modality.array_paths(plan.settings):
        if name in plan.arrays:
            acquisition = replace_dotted(acquisition, name, f"{name}.npy")
        elif not whole.raw_is_file:
            acquisition = replace_dotted(acquisition, name, f"../{name}.npy")
        else:
            acquisition = replace_dotted(acquisition, name, _dotted(kept["acquisition"], name))
    job["acquisition"] = acquisition
    if not whole.raw_is_file:
        job["raw"] = f"../{job['raw']}"
    try:
        folder.mkdir()
        for name, array in plan.arrays.items():
            write_array(folder / f"{name}.npy", array)
        write_bytes(folder / "job.yml", yaml.safe_dump(job, sort_keys=False, allow_unicode=True, width=120).encode())
    except OSError as error:
        writer.discard()
        raise StoreError(f"The plan could not be written to {writer.path}: {reason(error)}.") from error
    return writer.path


def tile_job(store: Path, record: StoreRecord, tile: Tile) -> Job:
    """Return the job that reconstructs a tile; its paths are relative to the folder `tiles` of the store."""
    path = store / "tiles" / "job.yml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{store} is damaged: its tiles/job.yml cannot be read ({reason(error)}).") from error
    job = job_from_text(text, str(path))
    top, left = _origin(record)
    region = (tile.fitted[0] + top, tile.fitted[1] + left, *tile.fitted[2:])
    output = job.output.model_copy(update={"path": str(tile_path(store, tile.index))})
    return job.model_copy(update={"region": region, "output": output})


def _origin(record: StoreRecord) -> tuple[int, int]:
    region = record.job.get("region") or (0, 0)
    return int(region[0]), int(region[1])


def _of_part(plan: Plan, region: Region) -> Plan:
    """Return the plan of a part of its field."""
    raw, settings = cropped(plan.modality, plan.raw, plan.settings, region)
    job = plan.job.model_copy(update={"region": region, "compute": ComputeSettings()})
    fit = fit_settings(plan.job, plan.modality, raw, settings)
    return replace(plan, job=job, raw=raw, settings=settings, fit=fit)


def _prepared(plan: Plan) -> Problem:
    return plan.modality.prepare(plan.raw, plan.settings, 0)


def _asked(grid: Grid) -> tuple[int, int]:
    """Take reach and motion of a method that does not say from the borders of its grids."""
    return max(before for before, _ in grid.padding[-2:]), max(grid.margin[-2:])


def _overlap(compute: ComputeSettings, reach: int, motion: int) -> tuple[int, int, int]:
    """Return reach, motion and half the width of the blending band, as wished or as it suits."""
    wish = compute.tile_overlap_px
    if wish is None:
        return reach, motion, blend_px(reach + motion)
    if wish < reach + LEAST_BLEND_PX:
        takes = f"{reach + LEAST_BLEND_PX} pixels or more: the reach of the optics, and a band to blend in"
        raise InputError("compute.tile_overlap_px", f"{wish} pixels", takes)
    blend = min(blend_px(min(wish, reach + motion)), wish - reach)
    return reach, wish - reach - blend, blend


def _largest(need: Callable[[int], int], memory_gb: float, least: int, most: int, block: int) -> int:
    """Return the largest side of a tile whose fit needs no more than so much memory, by halving."""
    low, high = math.ceil(least / block), max(math.ceil(most / block), math.ceil(least / block))
    if need(low * block) > memory_gb * 1e9:
        takes = f"{need(low * block) / 1e9:.2g} GB or more: what the smallest tile needs"
        raise InputError("compute.tile_memory_gb", f"{memory_gb:g} GB", takes)
    while high > low:
        middle = (low + high + 1) // 2
        if need(middle * block) <= memory_gb * 1e9:
            low = middle
        else:
            high = middle - 1
    return min(low * block, max(most, least))


def _embedded(array: NDArray[Any], field: tuple[int, int], size: tuple[int, int], region: Region) -> NDArray[Any]:
    """Put an image of a region into one of the whole frames; elsewhere it is 1, and never looked at."""
    if array.shape[-2:] != field:
        return array
    whole = np.ones((*array.shape[:-2], *size), array.dtype)
    whole[..., region[0] : region[0] + region[2], region[1] : region[1] + region[3]] = array
    return whole


def _dotted(content: Any, name: str) -> Any:
    for part in name.split("."):
        content = content[part]
    return content


def _record(plan: TiledPlan, run_id: str) -> StoreRecord:
    whole, grid = plan.whole, plan.problem.grid
    per_px = [whole.settings.pixel_size_um / p for p in grid.pixel_size_um[-2:]]
    lateral = [math.ceil(round(n * f, 6)) for n, f in zip(plan.tiles.field_px, per_px, strict=True)]
    n_steps = len(plan.tiles.tiles) * plan.first.fit.epochs * plan.problem.n_batches
    own = {"fit": plan.first.fit.model_dump(mode="json"), "shape": (*grid.shape[:-2], *lateral), "tiles": plan.tiles}
    return record_of(whole, plan.problem, run_id, n_steps).changed(own)
