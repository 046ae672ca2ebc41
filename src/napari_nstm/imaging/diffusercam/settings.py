"""What the user says about a raw image of a rolling-shutter DiffuserCam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    field_validator,
    model_validator,
)

from napari_nstm.core.errors import InputError
from napari_nstm.core.hints import Hint
from napari_nstm.core.settings import AcquisitionSettings, Choice, Settings, of_its_kind

Shutter = Literal["dual", "dual_outward", "single", "single_reversed", "global"]
ROLLING: tuple[Shutter, ...] = ("dual", "dual_outward", "single", "single_reversed")


class CornerBackground(Choice):
    """The background is the mean of a corner of the PSF."""

    model_config = ConfigDict(title="Corner of the PSF")

    kind: Literal["corner"] = Field(
        default="corner", description="Mean of the upper left corner of the PSF, subtracted from both images."
    )
    size_px: int = Field(
        default=5, ge=1, le=1000, title="Corner", description="Side of that corner, in pixels of the file."
    )


class ConstantBackground(Choice):
    """The background is known."""

    model_config = ConfigDict(title="Known counts")

    kind: Literal["constant"] = Field(default="constant", description="Known counts.")
    value: Annotated[float, Hint(unit="counts")] = Field(
        default=0.0, title="Of the raw image", description="Counts of the raw image without light; 0: none."
    )
    psf_value: Annotated[float | None, Hint(unit="counts", none_means="the same")] = Field(
        default=None, title="Of the PSF", description="Counts of the PSF without light; none: as of the raw image."
    )


class ImageBackground(Choice):
    """The background was measured."""

    model_config = ConfigDict(title="Dark image")

    kind: Literal["image"] = Field(default="image", description="A dark image, subtracted from both images.")
    path: Annotated[str, Hint(array=True)] = Field(
        min_length=1,
        title="Dark image",
        description="Image taken without light, of the size of the raw image; relative to the job.",
    )


Background = Annotated[CornerBackground | ConstantBackground | ImageBackground, Field(discriminator="kind")]


class StaticOnly(Choice):
    """No further comparison."""

    model_config = ConfigDict(title="Static only")

    kind: Literal["static"] = Field(default="static", description="Static deconvolution only.")


class FistaTv(Choice):
    """The original method is run as well."""

    model_config = ConfigDict(title="Static, and FISTA-TV")

    kind: Literal["fista_tv"] = Field(
        default="fista_tv", description="Static deconvolution, and a movie by FISTA with total variation (minutes)."
    )
    weight_space: NonNegativeFloat = Field(
        default=1e-5,
        title="Weight in space",
        description="Weight of the total variation along y and x; 1 stands for the brightest part of the raw image.",
    )
    weight_time: NonNegativeFloat = Field(
        default=1e-4, title="Weight in time", description="Weight of the total variation from moment to moment."
    )
    n_iterations: int = Field(default=200, ge=1, le=100_000, title="Iterations", description="Iterations of FISTA.")


OtherMethod = Annotated[StaticOnly | FistaTv, Field(discriminator="kind")]

_KINDS: Mapping[str, Mapping[str, type[Settings]]] = {
    "background": {"corner": CornerBackground, "constant": ConstantBackground, "image": ImageBackground},
    "compare_with": {"static": StaticOnly, "fista_tv": FistaTv},
}


class DiffuserCamSettings(AcquisitionSettings):
    """A lensless camera with a diffuser and a rolling shutter: one raw image, and the image of a point."""

    pixel_size_um: float = Field(
        gt=0,
        le=1000,
        title="Pixel size",
        examples=[6.5],
        description="Size of a raw pixel, in um: of the sensor, or on the sample where the magnification is known.",
    )
    psf: Annotated[str, Hint(array=True)] = Field(
        min_length=1,
        title="PSF",
        description="Image of a point in the middle of the scene (the caustic), of the size of the raw image, grey or "
        "of its colours; relative to the job.",
    )
    shutter: Annotated[
        Shutter,
        Hint(
            labels=(
                "Dual, inwards",
                "Dual, outwards",
                "Single, downwards",
                "Single, upwards",
                "Global",
            )
        ),
    ] = Field(
        default="dual",
        title="Shutter",
        description="In which order the rows are exposed: dual (from the top and bottom edges towards the middle), "
        "dual_outward, single (from the top down), single_reversed, or global (all at once: one moment).",
    )
    row_time_us: Annotated[float | None, Hint(none_means="needed for a rolling shutter")] = Field(
        default=None,
        gt=0,
        le=1e6,
        title="Row time",
        examples=[27.52],
        description="Time from the start of one row's exposure to the next one's, in us.",
    )
    exposure_us: Annotated[float | None, Hint(none_means="needed for a rolling shutter")] = Field(
        default=None, gt=0, le=1e9, title="Exposure", examples=[1320], description="Exposure of each row, in us."
    )
    binning: int = Field(
        default=1,
        ge=1,
        le=64,
        title="Binning",
        description="Raw image and PSF are averaged over squares of this many pixels; 1: as they are.",
    )
    background: Background = Field(
        default_factory=CornerBackground,
        title="Background",
        description="What both images have without light: it is subtracted.",
    )
    field_fraction: float = Field(
        default=0.5,
        gt=0,
        le=1,
        title="Scene's part of the field",
        description="Side of the scene over side of the sensor: 0.5, or 1 for a static scene that fills the field.",
    )
    shutter_shift_rows: Annotated[float, Hint(group="advanced")] = Field(
        default=0.0,
        title="Shift of the shutter",
        description="Raw rows by which the line where the two halves of a dual shutter meet lies below the middle.",
    )
    roll_px: Annotated[int, Hint(group="advanced")] = Field(
        default=0,
        title="Horizontal roll",
        description="Raw columns by which the raw image is rolled to the right before anything else.",
    )
    static_weight: Annotated[NonNegativeFloat, Hint(group="advanced")] = Field(
        default=1e-4,
        title="Static deconvolution",
        description="Weight of the total variation of the conventional reconstruction; 1 stands for the brightest part "
        "of the raw image.",
    )
    compare_with: Annotated[OtherMethod, Hint(group="advanced")] = Field(
        default_factory=StaticOnly,
        title="Compare with",
        description="What the image gives in other ways, to be seen beside the result.",
    )
    time_step_rows: Annotated[float | None, Hint(group="advanced", none_means="a sixth of the exposure")] = Field(
        default=None,
        gt=0,
        title="Time step",
        description="Row times (of binned rows) between two moments that the fit renders.",
    )
    nonnegativity: Annotated[PositiveFloat, Hint(group="advanced")] = Field(
        default=1e-1, title="Non-negativity", description="Weight of what is below 0 in the scene, squared."
    )
    smoothness: Annotated[NonNegativeFloat, Hint(group="advanced")] = Field(
        default=0.0, title="Smoothness", description="Weight of the squared gradient of the scene."
    )
    max_displacement_px: Annotated[int, Hint(group="advanced")] = Field(
        default=32,
        ge=0,
        le=4096,
        title="Largest displacement",
        description="Room for what moves into the field, in pixels of the result.",
    )

    @field_validator("background", "compare_with", mode="before")
    @classmethod
    def _by_kind(cls, value: Any, info: Any) -> Any:
        return of_its_kind(value, _KINDS[info.field_name])

    @model_validator(mode="after")
    def _consistent(self) -> DiffuserCamSettings:
        if self.shutter == "global":
            return self
        for name in ("row_time_us", "exposure_us"):
            if getattr(self, name) is None:
                raise InputError(name, "nothing", f"a time in us, or shutter: global (shutter is {self.shutter})")
        if self.shutter_shift_rows and not self.shutter.startswith("dual"):
            raise InputError(
                "shutter_shift_rows",
                f"{self.shutter_shift_rows:g} with shutter: {self.shutter}",
                "0: only the halves of a dual shutter can be shifted against the image",
            )
        return self

    @property
    def exposure_rows(self) -> float:
        """Length of an exposure in raw row times; 1 with a global shutter."""
        if self.exposure_us is None or self.row_time_us is None:
            return 1.0
        return self.exposure_us / self.row_time_us

    @property
    def exposure_ms(self) -> float:
        """Length of an exposure; 1 where it is not given."""
        return 1.0 if self.exposure_us is None else 1e-3 * self.exposure_us

    @property
    def row_time_of_binned_us(self) -> float:
        """Time from one binned row to the next; 1 where it is not given."""
        return 1.0 if self.row_time_us is None else self.row_time_us * self.binning
