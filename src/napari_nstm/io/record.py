"""What a result store says about itself: its attribute `nstm`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveFloat, PositiveInt, ValidationError

from napari_nstm.core.errors import StoreError
from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.tiles import TilePlan
from napari_nstm.io.migrate import migrated

FORMAT = 2
StoreStatus = Literal["running", "stopped", "finished", "diverged"]


def now() -> str:
    """Return the time of day in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Session(BaseModel):
    """One session of work on a store."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: str = Field(description="began, resumed, or continued.")
    at: str = Field(default_factory=now, description="When, in UTC.")
    step: int = Field(default=0, description="The step at which it began.")
    device: str = ""
    versions: dict[str, str] = Field(default_factory=dict)


class StoreRecord(BaseModel):
    """How a result was made and what its arrays mean.

    Loss is in units of the normalised measurement, squared; a loss that is no number is None.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int = FORMAT
    status: StoreStatus = "running"
    message: str = ""
    run_id: str
    created: str = Field(default_factory=now)
    updated: str = Field(default_factory=now)
    job: dict[str, Any]
    fit: dict[str, Any] = Field(default_factory=dict, description="Every value of the fit, the preset's included.")
    shape: tuple[PositiveInt, ...] = Field(min_length=2, max_length=3, description="Pixels of the field, ([z,] y, x).")
    pixel_size_um: tuple[PositiveFloat, ...] = Field(description="Pixel size of the reconstruction, ([z,] y, x).")
    origin_um: tuple[FiniteFloat, ...] = Field(
        default=(), description="Where pixel 0 lies in the whole field, ([z,] y, x), of a region; empty: at 0."
    )
    channels: tuple[Channel, ...] = Field(min_length=1)
    presentation: tuple[ChannelPresentation, ...] = Field(description="From the canvas to physical units, per channel.")
    frame_times_ms: tuple[FiniteFloat, ...] = Field(min_length=1, description="Mid-exposure times of the raw frames.")
    times_ms: tuple[FiniteFloat, ...] = Field(min_length=1, description="Moments of the reconstruction.")
    seed: int = 0
    device: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    input_hashes: dict[str, str] = Field(default_factory=dict, description="SHA-256 of raw data and further arrays.")
    normalization: dict[str, Any] = Field(default_factory=dict, description="What was subtracted and divided by.")
    refined: dict[str, Any] = Field(default_factory=dict, description="What the fit changed beside scene and motion.")
    notices: tuple[str, ...] = ()
    comparisons: tuple[str, ...] = Field(
        default=("conventional",), description="What else the frames gave: images beside the reconstruction."
    )
    awaits_comparisons: bool = Field(
        default=False, description="Whether slow comparisons are still to be made of a finished run."
    )
    history: tuple[Session, ...] = Field(default=(), description="Every session of work on it, the first one first.")
    tiles: TilePlan | None = Field(
        default=None, description="How the field was divided; the tiles are results of their own, below `tiles/`."
    )
    tile_offsets: tuple[tuple[FiniteFloat, ...], ...] = Field(
        default=(), description="What is added to each channel of each tile, where only differences are measured."
    )
    seam_rms: dict[str, float] = Field(
        default_factory=dict, description="How far tiles differ where they overlap: rms by channel, and motion_um."
    )
    step: int = 0
    n_steps: int = 0
    loss_history: tuple[float | None, ...] = Field(default=(), description="Loss of every step.")
    timings_s: dict[str, float] = Field(default_factory=dict)

    def changed(self, changes: Mapping[str, Any]) -> StoreRecord:
        """Return the record with some entries changed and checked; the time of the change is noted.

        Raises
        ------
        TypeError
            If there is no such entry.
        """
        unknown = set(changes) - set(type(self).model_fields)
        if unknown:
            raise TypeError(f"a store's record has no {', '.join(sorted(unknown))}")
        return StoreRecord.model_validate({**dict(self), "updated": now(), **changes})

    def with_session(self, what: str, device: str = "", versions: Mapping[str, str] | None = None) -> StoreRecord:
        """Return the record with one more session of work, which begins at its present step."""
        session = Session(what=what, step=self.step, device=device, versions=dict(versions or {}))
        return self.changed({"history": (*self.history, session)})

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON: no NaN, no tuples."""
        content: dict[str, Any] = json.loads(self.model_dump_json())
        return content

    @property
    def losses(self) -> list[float]:
        """Loss of every step; NaN where it was no number."""
        return [math.nan if loss is None else loss for loss in self.loss_history]

    def normalized_time(self, time_ms: float) -> float:
        """Turn a time in ms into the model's, in [-1, 1] from the first frame to the last."""
        first, last = self.frame_times_ms[0], self.frame_times_ms[-1]
        return 0.0 if last == first else 2 * (time_ms - first) / (last - first) - 1


def record_from_json(content: object, where: str) -> StoreRecord:
    """Check a record that was read.

    Raises
    ------
    StoreError
        If it is from a newer version, or damaged.
    """
    if not isinstance(content, Mapping) or type(content.get("format")) is not int:
        raise StoreError(f"{where} is damaged: its attribute nstm has no format number.")
    if content["format"] > FORMAT:
        raise StoreError(
            f"{where} has store format {content['format']}, of a newer napari-nstm; this version reads up to {FORMAT}."
        )
    try:
        record = StoreRecord.model_validate(migrated(content, FORMAT))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = " ".join(".".join(str(part) for part in first["loc"]).split())  # a key may hold line breaks
        raise StoreError(f"{where} is damaged: its attribute nstm.{name} cannot be read ({first['msg']}).") from error
    ndim = len(record.shape)
    consistent = len(record.pixel_size_um) == ndim and len(record.origin_um) in (0, ndim)
    if not consistent or len(record.presentation) != len(record.channels):
        raise StoreError(f"{where} is damaged: its attribute nstm contradicts itself.")
    return record
