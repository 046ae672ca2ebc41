"""What the user says about a DPC acquisition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from napari_nstm.core.errors import InputError, input_error_from
from napari_nstm.core.settings import AcquisitionSettings, Settings


class NoBackground(Settings):
    """No background was measured: each frame is divided by its own mean."""

    kind: Literal["none"] = Field(default="none", description="Divide each frame by its own mean.")


class ConstantBackground(Settings):
    """The undisturbed intensity is known."""

    kind: Literal["constant"] = Field(default="constant", description="Divide by known intensities.")
    value: float | tuple[float, ...] = Field(
        description="Intensity without sample, in counts: one value, or one per frame (or source angle)."
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

    kind: Literal["image"] = Field(default="image", description="Divide by measured images without sample.")
    path: str = Field(
        min_length=1, description="File with one image (y, x), or one per frame or source angle; relative to the job."
    )


class BlurBackground(Settings):
    """The background is the wide blur of each frame itself."""

    kind: Literal["blur"] = Field(default="blur", description="Divide each frame by a wide blur of itself.")
    sigma_px: float = Field(
        default=80.0,
        ge=2,
        le=10_000,
        description="Sigma of the Gaussian blur, in pixels: wider than the sample's parts.",
    )


class NormalizedBackground(Settings):
    """The frames were normalised before."""

    kind: Literal["normalized"] = Field(default="normalized", description="Frames were divided by a background before.")
    level: float = Field(
        default=1.0, ge=0, le=1, description="Their value without sample: 1, or 0 if 1 was subtracted as well."
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


class DpcSettings(AcquisitionSettings):
    """Differential phase contrast: frames lit from different halves of the condenser's aperture."""

    wavelength_um: float = Field(gt=0, le=100, description="Wavelength of the light, in um.")
    na_objective: float = Field(gt=0, le=1.7, description="Numerical aperture of the objective.")
    na_illumination: float = Field(gt=0, le=1.7, description="Numerical aperture of the illumination (outer edge).")
    na_illumination_inner: float = Field(
        default=0.0, ge=0, le=1.7, description="Inner edge of a half annulus, as numerical aperture; 0: half disc."
    )
    source: Literal["half", "measured"] = Field(
        default="half",
        description="half: half discs or half annuli at the angles below; measured: patterns from a file.",
    )
    source_angles_deg: tuple[Annotated[float, Field(ge=-360, le=360)], ...] = Field(
        default=(),
        description="Middle of the lit half for each frame of one acquisition, in degrees from +fx (right) "
        "towards +fy (down): 0 lights the right, 90 the lower half. Later acquisitions repeat them.",
    )
    source_patterns: str | None = Field(
        default=None,
        description="File with measured source intensities (frame, fy, fx), one for each frame of one acquisition; "
        "rows run from -fy (up) to +fy (down), columns from -fx (left) to +fx (right).",
    )
    source_patterns_na_extent: float | None = Field(
        default=None,
        gt=0,
        le=4,
        description="Numerical aperture at the first and last row and column of the patterns: -extent to +extent.",
    )
    background: Background = Field(
        default_factory=NoBackground, description="What the frames are divided by before 1 is subtracted."
    )
    regularization_phase: float = Field(
        default=1e-5,
        gt=0,
        le=1e3,
        description="Weight of the mean squared phase (per rad^2) against the squared error, in the fit.",
    )
    regularization_phase_conventional: float = Field(
        default=1e-4,
        gt=0,
        le=1e3,
        description="The same in the conventional reconstruction, which has nothing else to hold noise down.",
    )
    regularization_absorption: float = Field(
        default=1e-2, gt=0, le=1e3, description="Weight of the mean squared absorption against the squared error."
    )
    padding_px: int | None = Field(
        default=None, ge=0, le=4096, description="Pixels added around the field; none: as far as the optics blur."
    )
    max_displacement_px: int = Field(
        default=24, ge=1, le=4096, description="Largest displacement to provide room for around the field, in pixels."
    )

    @field_validator("background", mode="before")
    @classmethod
    def _by_kind(cls, value: Any) -> Any:
        # Validated here so that an error names `background.value`, without pydantic's tag of the variant between.
        if isinstance(value, Mapping) and value.get("kind") in _KINDS:
            try:
                return _KINDS[value["kind"]].model_validate(dict(value))
            except ValidationError as error:
                raise input_error_from(error) from error
        return value

    @model_validator(mode="after")
    def _consistent(self) -> DpcSettings:
        inner, outer = self.na_illumination_inner, self.na_illumination
        if inner >= outer:
            raise InputError("na_illumination_inner", f"{inner:g}", f"less than na_illumination ({outer:g})")
        if self.source == "half":
            self._check_half()
        else:
            self._check_measured()
        return self

    def _check_half(self) -> None:
        inner = self.na_illumination_inner
        if inner >= self.na_objective:
            raise InputError(
                "na_illumination_inner",
                f"{inner:g}",
                f"less than na_objective ({self.na_objective:g}): no direct light would reach the detector",
            )
        if len(self.source_angles_deg) < 3:
            raise InputError(
                "source_angles_deg",
                f"{len(self.source_angles_deg)} angles",
                "at least 3, one for each frame of an acquisition",
            )
        for name in ("source_patterns", "source_patterns_na_extent"):
            if getattr(self, name) is not None:
                raise InputError(name, repr(getattr(self, name)), "a value only with source: measured")

    def _check_measured(self) -> None:
        for name in ("source_patterns", "source_patterns_na_extent"):
            if getattr(self, name) is None:
                raise InputError(name, "nothing", "a value, with source: measured")
        if self.source_angles_deg:
            raise InputError("source_angles_deg", "angles beside measured patterns", "nothing, with source: measured")
