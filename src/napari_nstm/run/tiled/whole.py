"""A job in tiles from its first check to its store: the same stream of events as any other run."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_nstm.core.data import Comparison
from napari_nstm.core.errors import InputError, NstmError
from napari_nstm.core.events import (
    Checkpointed,
    Event,
    Failed,
    Finished,
    Notice,
    PartDone,
    Paused,
    Prepared,
    Preview,
    Progress,
    Status,
)
from napari_nstm.core.settings import Job
from napari_nstm.core.tiles import Tile, TilePlan, tile_path
from napari_nstm.io.result import StoredResult, open_result
from napari_nstm.io.store import StoreRecord
from napari_nstm.run.execute import estimate
from napari_nstm.run.parts import Part, run_parts
from napari_nstm.run.patience import Controls
from napari_nstm.run.plan import RawInput, input_hashes_of
from napari_nstm.run.raw_use import check_unchanged
from napari_nstm.run.result import Result
from napari_nstm.run.tiled.picture import WholePicture
from napari_nstm.run.tiled.plan import TiledPlan, create_store, lay_out
from napari_nstm.run.tiled.run import blend, missing_tiles, read_tiled

# Of larger fields no conventional image is made whole: memory must not grow with the field.
_LARGEST_SHOWN_PX = 1024 * 1024


def iter_tiled(
    job: Job, raw: RawInput, base_dir: Path, controls: Controls, *, overwrite: bool
) -> Generator[Event, None, None]:
    """Divide a job's field, reconstruct the tiles and blend them; the last event is `Finished`.

    Parameters and errors as `reconstruct.iter_reconstruct`.
    """
    plan = lay_out(job, raw, base_dir, overwrite=overwrite)
    yield from _announced(plan, controls.run_id)
    if controls.should_stop():
        yield Finished(controls.run_id, "stopped", None, "Stopped before the first step; nothing was written.")
        return
    store = create_store(plan, controls.run_id, overwrite=overwrite)
    yield from _carry_out(store, job.compute.scheduler, controls, conventional=_conventional(plan))


def iter_tiled_estimate(
    job: Job, raw: RawInput, base_dir: Path, run_id: str, *, overwrite: bool
) -> Generator[Event, None, None]:
    """Say what a job in tiles would need: notices, and `Prepared` as the last."""
    yield from _announced(lay_out(job, raw, base_dir, overwrite=overwrite), run_id)


def resume_tiled(
    store: Path, raw: RawInput, controls: Controls, *, device: str | None = None
) -> Generator[Event, None, None]:
    """Go on with the tiles of a store that are not done; parameters and errors as `reconstruct.iter_resume`."""
    record, _ = read_tiled(store)
    job = Job.model_validate(record.job)
    if raw is not None:
        raise InputError("raw", "arrays", "nothing: a result in tiles reads its frames from where they were")
    check_unchanged(record.input_hashes, input_hashes_of(job, store))
    yield from _carry_out(store, job.compute.scheduler, controls, device=device)


def _announced(plan: TiledPlan, run_id: str) -> Iterator[Event]:
    """Pass on what is said of the first tile, and what that means for the whole."""
    n, (height, width) = len(plan.tiles.tiles), plan.tiles.size_px
    if n > 1 and plan.tiles.tiles[0].fitted[2:] == plan.tiles.field_px:
        text = f"Each of the {n} tiles is fitted from the whole field: what surrounds them is as large as they are."
        yield Notice(run_id, f"{text} Larger tiles, or none, take less time.")
    for event in estimate(plan.first, run_id):
        if not isinstance(event, Prepared):
            yield event
            continue
        whole = plan.whole.summary.rstrip(".")
        yield replace(
            event,
            summary=f"{whole}; in {n} tile{'s' * (n != 1)} of {height} x {width} pixels.",
            expected_s=None if event.expected_s is None else n * event.expected_s,
            n_steps=n * event.n_steps,
            shape=(*event.shape[:-2], *plan.tiles.field_px),
            fits_px=None,
            n_tiles=n,
            tile_px=(height, width),
        )


def _conventional(plan: TiledPlan) -> Comparison | None:
    """Make what the frames give if nothing moved, to be seen until tiles begin; None where it would be too large."""
    whole = plan.whole
    if math.prod(plan.tiles.field_px) > _LARGEST_SHOWN_PX:
        return None
    return whole.modality.comparisons(whole.raw, whole.settings)[0]


def _carry_out(
    store: Path,
    scheduler: str | None,
    controls: Controls,
    *,
    device: str | None = None,
    conventional: Comparison | None = None,
) -> Generator[Event, None, None]:
    record, plan = read_tiled(store)
    missing = missing_tiles(store)
    whole = _Whole(store, record, plan, controls, conventional, n_done=len(plan.tiles) - len(missing))
    if len(missing) < whole.n:
        yield Notice(controls.run_id, f"Of {whole.n} tiles, {whole.n - len(missing)} done already.")
    if conventional is not None or whole.is_begun:
        yield whole.shown()
    command = {"do": "tile", "store": str(store)} | ({} if device is None else {"device": device})
    parts = [Part(whole.name(tile), {**command, "index": tile.index}) for tile in missing]
    for part_event in run_parts(parts, controls, scheduler):
        yield from whole.take(missing[part_event.index], part_event.event)
    if whole.failed:
        first = next(iter(whole.failed.items()))
        names = ", ".join(str(index + 1) for index in sorted(whole.failed))
        raise NstmError(
            f"Of {whole.n} tiles these failed: {names} (tile {first[0] + 1}: {first[1].rstrip('.')}). The others are "
            f"kept; a resume tries these again."
        )
    yield from _ended(store, whole, controls)


def _ended(store: Path, whole: _Whole, controls: Controls) -> Generator[Event, None, None]:
    run_id = controls.run_id
    stopped = bool(missing_tiles(store))
    if stopped and not whole.can_be_blended:
        yield Finished(run_id, "stopped", str(store), "Stopped before the first tile reached anything.")
        return
    result = yield from blend(store, controls, allow_missing=stopped)
    if result is None:
        yield Finished(run_id, "stopped", str(store), "Stopped while tiles were blended; all of them are kept.")
        return
    if whole.diverged:
        names = ", ".join(str(index + 1) for index in sorted(whole.diverged))
        yield Notice(run_id, f"The fit of these tiles diverged, and what they had reached is shown: {names}.")
    status: Status = "stopped" if result.status == "stopped" else "finished"
    losses = np.asarray(whole.losses)
    kept = Result(store, status, result.record.message, result.times_ms, losses)
    yield Finished(run_id, status, str(store), result.record.message, kept)


class _Whole:
    """What is known of all tiles while they are fitted."""

    def __init__(
        self,
        store: Path,
        record: StoreRecord,
        plan: TilePlan,
        controls: Controls,
        conventional: Comparison | None,
        n_done: int,
    ) -> None:
        self._store, self._record, self._plan, self._controls = store, record, plan, controls
        self.n, self._n_done = len(plan.tiles), n_done
        self.failed: dict[int, str] = {}
        self.diverged: set[int] = set()
        self.losses: list[float] = []
        self._picture = WholePicture(record, plan)
        if conventional is not None:
            nearest = int(np.argmin(np.abs(np.asarray(conventional.times_ms) - self._shown_ms)))
            self._picture.begin(conventional.images[nearest])
        self._steps: dict[int, int] = {}
        self._began = time.monotonic()
        for tile in plan.tiles:
            stored = self._result(tile)
            if stored is not None:
                self._put(tile, stored)
        self._begun_steps = self._step

    @property
    def is_begun(self) -> bool:
        """Whether something of a tile can be shown."""
        return bool(self._steps)

    @property
    def can_be_blended(self) -> bool:
        """Whether a tile has ended with something to show."""
        found = (self._result(tile) for tile in self._plan.tiles)
        return any(stored is not None and stored.status != "running" for stored in found)

    @property
    def _step(self) -> int:
        return sum(self._steps.values())

    @property
    def _shown_ms(self) -> float:
        times, wish = self._record.frame_times_ms, self._controls.preview_time()
        return times[len(times) // 2] if wish is None else min(max(wish, times[0]), times[-1])

    def shown(self) -> Preview:
        """Return the picture as it is."""
        return self._picture.preview(self._controls.run_id, self._step, self._shown_ms)

    def take(self, tile: Tile, event: Event) -> Iterator[Event]:
        """Turn an event of a tile into those of the whole."""
        run_id = self._controls.run_id
        if isinstance(event, Progress):
            self._steps[tile.index] = event.step
            yield self._progress(event)
        elif isinstance(event, Preview):
            self._picture.put(tile, event)
            yield self._picture.preview(run_id, self._step, event.time_ms)
        elif isinstance(event, Paused):
            yield replace(event, run_id=run_id, step=self._step, n_steps=self._record.n_steps)
        elif isinstance(event, Checkpointed):
            yield Checkpointed(run_id, self._step)
        elif isinstance(event, Failed):
            self.failed[tile.index] = event.message
            yield PartDone(run_id, self.name(tile), self._n_done, self.n, None, event.message, "failed")
        elif isinstance(event, Finished):
            yield from self._finished(tile, event)
        elif not isinstance(event, Prepared) and getattr(event, "message", "") not in self._record.notices:
            yield replace(event, run_id=run_id)  # what is to be noticed of all was said once

    def _progress(self, event: Progress) -> Progress:
        """Say how far all are: the loss is that of the tile at work."""
        elapsed = time.monotonic() - self._began
        done = self._step - self._begun_steps
        total = max(self._record.n_steps, self._step)
        remaining = elapsed * (total - self._step) / done if done > 0 else None
        self.losses.append(event.loss)
        return replace(
            event,
            run_id=self._controls.run_id,
            step=self._step,
            n_steps=total,
            elapsed_s=elapsed,
            remaining_s=remaining,
        )

    def _finished(self, tile: Tile, event: Finished) -> Iterator[Event]:
        run_id, stored = self._controls.run_id, self._result(tile)
        if stored is not None:
            self._put(tile, stored)
            yield self.shown()
        self._n_done += event.status != "stopped"
        yield PartDone(run_id, self.name(tile), self._n_done, self.n, event.path, event.message, event.status)

    def name(self, tile: Tile) -> str:
        """Return what the user knows a tile as."""
        return f"tile {tile.index + 1} of {self.n}"

    def _put(self, tile: Tile, stored: StoredResult) -> None:
        self._steps[tile.index] = stored.record.step
        self._picture.put_result(tile, stored, self._shown_ms)
        if stored.status == "diverged":
            self.diverged.add(tile.index)

    def _result(self, tile: Tile) -> StoredResult | None:
        try:
            stored = open_result(tile_path(self._store, tile.index))
            stored.check_shown()
        except NstmError:
            return None  # it has not begun, or has reached no checkpoint
        return stored
