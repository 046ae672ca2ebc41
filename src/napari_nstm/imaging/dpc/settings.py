"""What the user says about a DPC acquisition."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from napari_nstm.core.errors import InputError
from napari_nstm.core.hints import Hint
from napari_nstm.core.settings import Settings, TimedAcquisition, of_its_kind


class NoBackground(Settings):
    """No background was measured: each frame is divided by its own mean."""

    model_config = ConfigDict(title="Not measured")

    kind: Literal["none"] = Field(default="none", description="Divide each frame by its own mean.")


class ConstantBackground(Settings):
    """The undisturbed intensity is known."""

    model_config = ConfigDict(title="Known intensity")

    kind: Literal["constant"] = Field(default="constant", description="Divide by known intensities.")
    value: Annotated[float | tuple[float, ...], Hint(unit="counts")] = Field(
        title="Intensity",
        examples=[1000],
        description="Intensity without sample, in counts: one value, or one per frame (or source angle).",
    )

    @field_validator("value")
    @classmethod
    def _positive(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        values = value if isinstance(value, tuple) else (value,)
        if not values or min(values) <= 0:
            got = f"{min(values):g}" if values else "an empty list"
            raise InputError("value", got, "a positive number of counts, or one per frame")
        return value


class ImageBackground(Settings):
    """Frames without sample were taken."""

    model_config = ConfigDict(title="Measured image")

    kind: Literal["image"] = Field(default="image", description="Divide by measured images without sample.")
    path: Annotated[str, Hint(array=True)] = Field(
        min_length=1,
        title="Image",
        description="File with one image (y, x), or one per frame or source angle; relative to the job.",
    )


class BlurBackground(Settings):
    """The background is the wide blur of each frame itself."""

    model_config = ConfigDict(title="Blurred frames")

    kind: Literal["blur"] = Field(default="blur", description="Divide each frame by a wide blur of itself.")
    sigma_px: float = Field(
        default=80.0,
        ge=2,
        le=10_000,
        title="Blur (sigma)",
        description="Sigma of the Gaussian blur, in pixels: wider than the sample's parts.",
    )


class NormalizedBackground(Settings):
    """The frames were normalised before."""

    model_config = ConfigDict(title="Already removed")

    kind: Literal["normalized"] = Field(default="normalized", description="Frames were divided by a background before.")
    level: float = Field(
        default=1.0,
        ge=0,
        le=1,
        title="Empty value",
        description="Their value without sample: 1, or 0 if 1 was subtracted as well.",
    )


Background = Annotated[
    NoBackground | ConstantBackground | ImageBackground | BlurBackground | NormalizedBackground,
    Field(discriminator="kind"),
]

_KINDS: dict[str, type[Settings]] = {
    "none": NoBackground,
    "constant": ConstantBackground,
    "image": ImageBackground,
    "blur": BlurBackground,
    "normalized": NormalizedBackground,
}


class DpcSettings(TimedAcquisition):
    """Differential phase contrast: frames lit from different halves of the condenser's aperture."""

    wavelength_um: float = Field(
        gt=0, le=100, title="Wavelength", examples=[0.525], description="Wavelength of the light, in um."
    )
    na_objective: float = Field(
        gt=0, le=1.7, title="Objective NA", examples=[0.25], description="Numerical aperture of the objective."
    )
    na_illumination: float = Field(
        gt=0,
        le=1.7,
        title="Illumination NA",
        examples=[0.25],
        description="Numerical aperture of the illumination (outer edge).",
    )
    na_illumination_inner: Annotated[float, Hint(group="advanced", when=("source", "half"))] = Field(
        default=0.0,
        ge=0,
        le=1.7,
        title="Inner illumination NA",
        description="Inner edge of a half annulus, as numerical aperture; 0: half disc.",
    )
    source: Annotated[
        Literal["half", "measured"], Hint(group="advanced", labels=("Half apertures", "Measured patterns"))
    ] = Field(
        default="half",
        title="Light source",
        description="half: half discs or half annuli at the angles below; measured: patterns from a file.",
    )
    source_angles_deg: Annotated[
        tuple[Annotated[float, Field(ge=-360, le=360)], ...], Hint(when=("source", "half"))
    ] = Field(
        default=(),
        validate_default=True,
        title="Source angles",
        examples=["90, 270, 0, 180"],
        description="Middle of the lit half for each frame of one acquisition, in degrees from +fx (right) "
        "towards +fy (down): 0 lights the right, 90 the lower half. Later acquisitions repeat them.",
    )
    source_patterns: Annotated[str | None, Hint(group="advanced", when=("source", "measured"), array=True)] = Field(
        default=None,
        validate_default=True,
        title="Source patterns",
        description="File with measured source intensities (frame, fy, fx), one for each frame of one acquisition; "
        "rows run from -fy (up) to +fy (down), columns from -fx (left) to +fx (right).",
    )
    source_patterns_na_extent: Annotated[float | None, Hint(group="advanced", when=("source", "measured"))] = Field(
        default=None,
        gt=0,
        le=4,
        validate_default=True,
        title="NA at pattern edge",
        examples=[0.6],
        description="Numerical aperture at the first and last row and column of the patterns: -extent to +extent.",
    )
    background: Background = Field(
        default_factory=NoBackground,
        title="Background",
        description="What the frames are divided by before 1 is subtracted.",
    )
    regularization_phase: Annotated[float, Hint(group="advanced", unit="rad⁻²")] = Field(
        default=1e-5,
        gt=0,
        le=1e3,
        title="Phase regularisation",
        description="Weight of the mean squared phase (per rad^2) against the squared error, in the fit.",
    )
    regularization_phase_conventional: Annotated[float, Hint(group="advanced", unit="rad⁻²")] = Field(
        default=1e-4,
        gt=0,
        le=1e3,
        title="Phase regularisation, conventional",
        description="The same in the conventional reconstruction, which has nothing else to hold noise down.",
    )
    regularization_absorption: Annotated[float, Hint(group="advanced")] = Field(
        default=1e-2,
        gt=0,
        le=1e3,
        title="Absorption regularisation",
        description="Weight of the mean squared absorption against the squared error.",
    )
    padding_px: Annotated[int | None, Hint(group="advanced", none_means="automatic")] = Field(
        default=None,
        ge=0,
        le=4096,
        title="Padding",
        description="Pixels added around the field; none: as far as the optics blur.",
    )
    max_displacement_px: Annotated[int, Hint(group="advanced")] = Field(
        default=24,
        ge=1,
        le=4096,
        title="Largest displacement",
        description="Largest displacement to provide room for around the field, in pixels.",
    )

    @field_validator("background", mode="before")
    @classmethod
    def _by_kind(cls, value: Any) -> Any:
        # Validated here so that an error names `background.value`, without pydantic's tag of the variant between.
        return of_its_kind(value, _KINDS)

    # What is wrong by itself is found field by field, so that a form can name every problem at once.
    @field_validator("source_angles_deg")
    @classmethod
    def _enough_angles(cls, angles: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        if info.data.get("source") == "half" and len(angles) < 3:
            raise InputError(
                "source_angles_deg",
                f"{len(angles)} angle{'s' * (len(angles) != 1)}",
                "at least 3, one for each frame of an acquisition",
            )
        return angles

    @field_validator("source_patterns", "source_patterns_na_extent")
    @classmethod
    def _patterns_if_measured(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("source") == "measured" and value is None:
            raise InputError(str(info.field_name), "nothing", "a value, with source: measured")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> DpcSettings:
        inner, outer = self.na_illumination_inner, self.na_illumination
        if inner >= outer:
            raise InputError("na_illumination_inner", f"{inner:g}", f"less than na_illumination ({outer:g})")
        if self.source == "measured":
            if self.source_angles_deg:
                raise InputError(
                    "source_angles_deg", "angles beside measured patterns", "nothing, with source: measured"
                )
            return self
        if inner >= self.na_objective:
            raise InputError(
                "na_illumination_inner",
                f"{inner:g}",
                f"less than na_objective ({self.na_objective:g}): no direct light would reach the detector",
            )
        for name in ("source_patterns", "source_patterns_na_extent"):
            if getattr(self, name) is not None:
                raise InputError(name, repr(getattr(self, name)), "a value only with source: measured")
        return self
