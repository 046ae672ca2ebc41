"""Settings: of the fit, of the output, and the job that holds them all.

One pydantic model is one YAML file is one form. A modality's own settings
derive from `AcquisitionSettings` and stand in the job under `acquisition`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, field_validator, model_validator

from napari_nstm.core.errors import InputError, input_error_from
from napari_nstm.core.hints import Hint

Preset = Literal["fast", "paper"]
Region = tuple[int, int, int, int]
FrameRange = tuple[int, int]
MotionKind = Literal["none", "translation", "rotation", "shear", "swirl", "bend", "vibration", "bounce", "wave"]

LEAST_REGION_PX = 32
"""Rows and columns that a region of the frames has at least: optics need room."""

# What no image needs, and no machine can do.
_MOST_LEVEL, _MOST_CELLS, _MOST_MOMENTS = 16, 1e6, 100_000


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values are finite and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Choice(Settings):
    """Base of what has several kinds: its kind is always written down, the default too, so that it can be read back."""

    def model_post_init(self, context: Any, /) -> None:
        """Count the kind as given."""
        self.model_fields_set.add("kind")


def of_its_kind(value: Any, kinds: Mapping[str, type[Settings]]) -> Any:
    """Validate a mapping by the kind it names, so that an error names `background.path`, not pydantic's tag of it.

    What names no known kind is returned as it is: the union's own error tells.
    """
    if isinstance(value, Mapping) and isinstance(value.get("kind"), str) and value["kind"] in kinds:
        try:
            return kinds[value["kind"]].model_validate(dict(value))
        except ValidationError as error:
            raise input_error_from(error) from error
    return value


class AcquisitionSettings(Settings):
    """What every modality needs to know about the raw frames."""

    pixel_size_um: float = Field(
        gt=0, le=1000, title="Pixel size", examples=[0.454], description="Size of a raw pixel on the sample, in um."
    )


class TimedAcquisition(AcquisitionSettings):
    """An acquisition whose frames are taken one after the other, each at a time of its own."""

    timestamps_ms: Annotated[tuple[float, ...] | None, Hint(per_frame=True, none_means="1 ms apart", order=1)] = Field(
        default=None,
        title="Frame times",
        description="Mid-exposure time of each frame, in ms, ascending. Without it frames count as 1 ms apart.",
    )

    @field_validator("timestamps_ms")
    @classmethod
    def _ascending(cls, times: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if times is not None:
            for before, after in itertools.pairwise(times):
                if after <= before:
                    raise InputError(
                        "timestamps_ms", f"{after:g} ms after {before:g} ms", "times in ascending order, in ms"
                    )
        return times


class EncodingSettings(Settings):
    """A multiresolution encoding: grids of features, from coarse to fine."""

    n_levels: int = Field(ge=1, le=32, description="Number of levels.")
    n_features: int = Field(ge=1, le=16, description="Features a level holds at each grid point.")
    base_cells: tuple[PositiveFloat, ...] = Field(description="Cells of the coarsest level along each axis.")
    fine_cells: tuple[PositiveFloat, ...] = Field(description="Cells of the finest level along each axis.")
    hash_entries_log2: int | None = Field(
        default=None, ge=4, le=24, description="Size of each level's hash table (log2); none: dense grids."
    )
    init_scale: float = Field(default=1e-4, ge=0, description="Initial features are uniform in [0, this).")

    @model_validator(mode="after")
    def _same_axes(self) -> EncodingSettings:
        if len(self.fine_cells) != len(self.base_cells):
            raise InputError("fine_cells", f"{len(self.fine_cells)} axes", f"the {len(self.base_cells)} of base_cells")
        for name in ("base_cells", "fine_cells"):
            for cells in getattr(self, name):
                if not 1 / _MOST_CELLS <= cells <= _MOST_CELLS:
                    raise InputError(name, f"{cells:g}", f"numbers from {1 / _MOST_CELLS:g} to {_MOST_CELLS:g}")
        return self


class NetworkSettings(Settings):
    """The readout that turns features into values."""

    kind: Literal["sum", "mlp"] = Field(description="Plain sum over the levels, or a multilayer perceptron.")
    width: int = Field(default=128, ge=1, le=4096, description="Units of a hidden layer.")
    depth: int = Field(default=2, ge=0, le=8, description="Number of hidden layers.")
    activation: Literal["gelu", "elu", "relu"] = Field(default="gelu", description="Activation of hidden layers.")
    output: Literal["linear", "elu", "softplus"] = Field(
        default="linear", description="Activation of the output; softplus is nowhere negative."
    )


class FitSettings(Settings):
    """How a fit is done; a preset gives every value, a job may change any of them."""

    epochs: int = Field(ge=1, le=1_000_000, description="Passes over all frames.")
    seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of the random numbers.")
    rendering: Literal["canvas", "exact"] = Field(
        default="canvas",
        description="canvas: evaluate the scene once a step and resample it; exact: at every pixel of every frame.",
    )
    canvas_samples_per_pixel: int = Field(
        default=2,
        ge=1,
        le=4,
        description="Samples of the canvas per pixel along y and x (one per plane along z): more keep fine detail at "
        "sub-pixel displacements.",
    )
    pyramid: tuple[tuple[int, float], ...] = Field(
        default=((0, 1.0),), description="(level, share of the epochs) in the order they run; level 0 is full size."
    )
    coarse_to_fine: float = Field(
        default=0.8, ge=0, le=1, description="Share of the epochs in which granularity grows; 0 switches it off."
    )
    scene_rests: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the epochs, the first ones, in which the scene stays as it began and the motion alone is "
        "fitted: for a fit that starts from another result.",
    )
    static: bool = Field(default=False, description="No motion: it is never updated and all times are zero.")
    scene_learning_rate: float = Field(gt=0, description="Initial learning rate of the scene (Adam).")
    motion_learning_rate: float = Field(gt=0, description="Initial learning rate of the motion (Adam).")
    system_learning_rate: float = Field(
        default=3e-3,
        gt=0,
        description="Learning rate of what a modality lets be refined (stripes of SIM), late in a run.",
    )
    learning_rate_end: float = Field(default=0.1, gt=0, le=1, description="Last learning rate over the first.")
    scene_encoding: EncodingSettings = Field(description="Encoding of the scene; axes are ([z,] y, x).")
    scene_network: NetworkSettings = Field(description="Readout of the scene.")
    motion_encoding: EncodingSettings = Field(description="Encoding of the motion; axes are (t, [z,] y, x).")
    motion_network: NetworkSettings = Field(description="Readout of the motion.")
    motion_steadiness: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the motion's squared change of velocity, in pixels from one time cell to the next: it "
        "holds moments that little was measured of.",
    )
    motion_unit: Literal["pixel", "field"] = Field(
        default="pixel", description="Unit of the motion network's output: raw pixels, or the size of the field."
    )

    @model_validator(mode="after")
    def _pyramid_adds_up(self) -> FitSettings:
        if any(not 0 <= level <= _MOST_LEVEL or not 0 <= share <= 1 for level, share in self.pyramid):
            takes = f"levels from 0 to {_MOST_LEVEL}, each with a share from 0 to 1"
            raise InputError("pyramid", repr(self.pyramid), takes)
        if abs(sum(share for _, share in self.pyramid) - 1) > 1e-6:
            raise InputError("pyramid", repr(self.pyramid), "shares that add up to 1")
        if self.pyramid[-1][0] != 0:
            raise InputError("pyramid", repr(self.pyramid), "level 0 (full size) as its last")
        return self


class FitRequest(Settings):
    """The `fit` part of a job: a preset, and what is to be different from it."""

    preset: Annotated[Preset, Hint(labels=("Fast (seconds)", "Published (slow)"))] = Field(
        default="fast", title="Preset", description="fast: pictures in seconds; paper: as published."
    )
    seed: Annotated[int, Hint(group="advanced")] = Field(
        default=0, ge=0, lt=2**31, title="Random seed", description="Seed of the random numbers."
    )
    epochs: Annotated[int | None, Hint(group="advanced", none_means="as the preset")] = Field(
        default=None, ge=1, le=1_000_000, title="Epochs", description="Passes over all frames."
    )
    static: Annotated[bool, Hint(group="advanced")] = Field(
        default=False, title="Nothing moves", description="No motion: the sample is taken to stand still."
    )
    coarse_to_fine: Annotated[bool, Hint(group="advanced")] = Field(
        default=True, title="Coarse to fine", description="Let detail in gradually (off: the paper's ablation)."
    )
    motion_from: Annotated[str | None, Hint(group="advanced", none_means="fitted")] = Field(
        default=None,
        min_length=1,
        title="Motion of another run",
        description="Result whose motion is taken, for another channel of the same sample; relative to the job.",
    )
    start_from: Annotated[str | None, Hint(group="advanced", none_means="anew")] = Field(
        default=None,
        min_length=1,
        title="Start from another run",
        description="Result whose scene and motion the fit starts from, of the same field; relative to the job. It "
        "helps where the sample moved alike and has not drifted.",
    )
    images_per_step: Annotated[int | None, Hint(group="advanced", none_means="as the method")] = Field(
        default=None,
        ge=1,
        title="Images in a step",
        description="Raw images rendered in one step of the fit: fewer need less memory, and make more steps.",
    )
    device: Annotated[str, Hint(choices=("auto", "cpu", "gpu"), labels=("Automatic", "CPU", "GPU"))] = Field(
        default="auto",
        title="Compute on",
        description="auto, cpu, gpu or gpu:1.",
    )
    advanced: Annotated[dict[str, Any], Hint(group="advanced")] = Field(
        default_factory=dict,
        title="Other values",
        examples=["motion_learning_rate: 0.05"],
        description="Any further value of the preset, by its name (see the documentation).",
    )

    @field_validator("device")
    @classmethod
    def _known(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|gpu(:\d+)?", device):
            raise InputError("device", repr(device), "auto, cpu, gpu or gpu:1")
        return device


class OutputSettings(Settings):
    """The `output` part of a job."""

    path: str = Field(
        default="result.zarr", min_length=1, title="Result", description="Where the result store is written."
    )
    times: Annotated[int | tuple[float, ...] | None, Hint(none_means="as the frames")] = Field(
        default=None,
        title="Time points",
        description="Moments to reconstruct: a number (evenly spaced) or a list in ms; none: the frames' own times.",
    )
    checkpoint_every_s: Annotated[float, Hint(group="advanced")] = Field(
        default=5.0, gt=0, title="Checkpoint every", description="Seconds between checkpoints."
    )
    preview_every_s: Annotated[float, Hint(group="advanced")] = Field(
        default=0.3, gt=0, title="Preview every", description="Least seconds between two previews."
    )

    @field_validator("times")
    @classmethod
    def _not_too_many(cls, times: int | tuple[float, ...] | None) -> int | tuple[float, ...] | None:
        if isinstance(times, int) and times > _MOST_MOMENTS:
            raise InputError("times", f"{times:.6g}" if times < 1e300 else "more", f"up to {_MOST_MOMENTS} moments")
        return times


class ComputeSettings(Settings):
    """The `compute` part of a job: how a field that is too large for one fit is divided, and who computes."""

    tile_px: Annotated[int | None, Hint(none_means="the whole field at once")] = Field(
        default=None,
        ge=LEAST_REGION_PX,
        title="Tiles of",
        description="Largest side of a tile of the result, in raw pixels; tiles are fitted one by one and blended.",
    )
    tile_memory_gb: Annotated[float | None, Hint(none_means="no limit")] = Field(
        default=None,
        gt=0,
        title="Memory of a tile",
        description="Tiles are made small enough that the fit of one needs no more than this, in GB.",
    )
    tile_overlap_px: Annotated[int | None, Hint(group="advanced", none_means="as optics and motion need")] = Field(
        default=None,
        ge=0,
        title="Overlap of tiles",
        description="By how much the frames of a tile reach beyond it on each side, in raw pixels; none: the reach of "
        "the optics, the largest motion and the band in which neighbours are blended.",
    )
    scheduler: Annotated[str | None, Hint(none_means="this computer")] = Field(
        default=None,
        min_length=1,
        title="Dask scheduler",
        examples=["tcp://127.0.0.1:8786"],
        description="Address (or scheduler file) of a Dask cluster that computes the tiles.",
    )

    @property
    def in_tiles(self) -> bool:
        """Whether the field is divided."""
        return self.tile_px is not None or self.tile_memory_gb is not None


class Job(Settings):
    """One reconstruction, whole: raw data, how they were taken, how to fit them, where to put the result."""

    nstm: Literal[1] = Field(default=1, description="Version of the job format.")
    modality: str = Field(description="dpc, sim, sim3d, diffusercam, or any registered modality.")
    raw: str = Field(min_length=1, description="Raw frames; relative to the job file.")
    axes: str | None = Field(
        default=None, pattern=r"^[tczyx]+$", description="Axes of the raw array, where the file does not say."
    )
    region: Annotated[Region | None, Hint(none_means="the whole field")] = Field(
        default=None,
        title="Region",
        description="First row, first column, rows and columns of the part of the raw frames that is reconstructed, in "
        "raw pixels; none: the whole field.",
    )
    frames: Annotated[FrameRange | None, Hint(none_means="all frames")] = Field(
        default=None,
        title="Frames",
        description="First frame (from 0) and number of frames of the part of the raw data that is reconstructed; "
        "none: all of them.",
    )
    acquisition: dict[str, Any] = Field(description="The modality's settings.")
    fit: FitRequest = Field(default_factory=FitRequest, description="How to fit them.")
    output: OutputSettings = Field(default_factory=OutputSettings, description="Where the result goes.")
    compute: ComputeSettings = Field(
        default_factory=ComputeSettings, description="How a large field is divided, and who computes."
    )

    @field_validator("frames")
    @classmethod
    def _some_frames(cls, frames: FrameRange | None) -> FrameRange | None:
        if frames is not None and (frames[0] < 0 or frames[1] < 1):
            raise InputError("frames", f"{frames[0]}, {frames[1]}", "the first frame, from 0, and how many, from 1")
        return frames

    @field_validator("region")
    @classmethod
    def _large_enough(cls, region: Region | None) -> Region | None:
        if region is not None and (min(region[:2]) < 0 or min(region[2:]) < LEAST_REGION_PX):
            got = ", ".join(map(str, region))
            takes = f"first row, first column, rows and columns, {LEAST_REGION_PX} or more of both"
            raise InputError("region", got, takes)
        return region


# A fit that starts from another result, as benchmarks/warm_start.py found: at first the scene rests while the motion
# settles on the new frames, from coarse to fine. Were the scene fitted at once, it would take on what is motion; and at
# half size it would lose detail, so that it rests for longer than that lasts.
_START_SHARE, _START_RESTS, _START_COARSE_TO_FINE = 0.4, 0.5, 0.3
_START_PYRAMID = ((1, 0.3), (0, 0.7))


def _of_a_start(defaults: FitSettings) -> dict[str, Any]:
    levels = {level for level, _ in defaults.pyramid}
    return {
        "epochs": max(1, round(_START_SHARE * defaults.epochs)),
        "pyramid": _START_PYRAMID if {1, 0} <= levels else ((0, 1.0),),
        "coarse_to_fine": _START_COARSE_TO_FINE,
        "scene_rests": _START_RESTS,
    }


def resolve_fit(defaults: FitSettings, request: FitRequest) -> FitSettings:
    """Apply a job's `fit` part to the settings a preset gives.

    Raises
    ------
    pydantic.ValidationError
        If `advanced` names an unknown setting or an inadmissible value.
    """
    changes: dict[str, Any] = {"seed": request.seed, "static": request.static}
    if request.start_from is not None:
        changes |= _of_a_start(defaults)
    changes |= request.advanced
    if request.epochs is not None:
        changes["epochs"] = request.epochs
    if not request.coarse_to_fine:
        changes["coarse_to_fine"] = 0.0
    return FitSettings.model_validate({**defaults.model_dump(), **changes})
