"""What the user says about a SIM acquisition, of one plane or of a volume."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from napari_nstm.core.errors import InputError
from napari_nstm.core.hints import Hint
from napari_nstm.core.settings import TimedAcquisition, of_its_kind
from napari_nstm.imaging.sim.choices import (
    OTF_KINDS,
    PATTERN_KINDS,
    TIMING_KINDS,
    DelayTiming,
    EstimatedPattern,
    EvenTiming,
    Otf,
    Pattern,
    TheoryOtf,
    Timing,
)

IMAGE_AXES = ("time", "plane", "orientation", "phase")
"""What the images of a stack may differ in."""

Numbers = tuple[float, ...] | None


class SimSettings(TimedAcquisition):
    """Structured illumination of one plane: every orientation of the stripes at several phases."""

    timestamps_ms: Annotated[Numbers, Hint(per_frame=True, none_means="by the timing", order=1)] = Field(
        default=None,
        title="Frame times",
        description="Mid-exposure time of each image in the order of the stack, in ms (or of each orientation and "
        "phase, for all planes alike). Without it the timing counts.",
    )
    wavelength_um: float = Field(
        gt=0, le=10, title="Emission wavelength", examples=[0.515], description="Wavelength of the emission, in um."
    )
    excitation_wavelength_um: float = Field(
        gt=0,
        le=10,
        title="Excitation wavelength",
        examples=[0.488],
        description="Wavelength of the light that makes the stripes, in um.",
    )
    na_objective: float = Field(
        gt=0, le=1.7, title="Objective NA", examples=[1.4], description="Numerical aperture of the objective."
    )
    refractive_index: float = Field(
        default=1.515,
        ge=1,
        le=2.5,
        title="Refractive index",
        description="Of the immersion: 1.515 oil, 1.33 water, 1 air.",
    )
    image_order: Annotated[
        str,
        Hint(
            choices=(
                "time, plane, orientation, phase",
                "time, orientation, plane, phase",
                "time, orientation, phase, plane",
            ),
            labels=(
                "time, plane, orientation, phase (fastest)",
                "time, orientation, plane, phase (fastest)",
                "time, orientation, phase, plane (fastest)",
            ),
        ),
    ] = Field(
        default="time, plane, orientation, phase",
        title="Order of images",
        description="In which order the stack holds its images, the slowest first: time, plane, orientation, phase.",
    )
    n_orientations: int = Field(
        default=3, ge=1, le=99, title="Orientations", description="Orientations of the stripes."
    )
    n_phases: int = Field(default=5, ge=3, le=99, title="Phases", description="Phases of every orientation.")
    n_beams: Annotated[Literal[3, 2], Hint(labels=("Three", "Two"))] = Field(
        default=3,
        title="Beams",
        description="Beams that interfere: three make stripes of two orders, two of one.",
    )
    offset: Annotated[float, Hint(unit="counts")] = Field(
        default=0.0, title="Camera offset", description="Counts of the camera without light; they are subtracted."
    )
    pattern: Pattern = Field(
        default_factory=EstimatedPattern,
        title="Stripes",
        description="Period and direction of the stripes: found in the frames, or given.",
    )
    phases_rad: Annotated[Numbers, Hint(none_means="found in the frames")] = Field(
        default=None,
        title="Phases of the stripes",
        description="Phase of order 1 of each image of one acquisition (orientation by orientation) or of all, in rad, "
        "at the pixel in the middle of the field (row height // 2, column width // 2).",
    )
    modulation_1: Annotated[float | Numbers, Hint(none_means="found in the frames")] = Field(
        default=None,
        title="Depth of order 1",
        description="m1 in 1 + m1 cos(a) + m2 cos(2 a): one value, or one per orientation.",
    )
    modulation_2: Annotated[float | Numbers, Hint(none_means="found in the frames")] = Field(
        default=None, title="Depth of order 2", description="m2, likewise; with two beams there is none."
    )
    intensities: Annotated[
        Literal["orientation", "equal"], Hint(group="advanced", labels=("By orientation", "Equal"))
    ] = Field(
        default="orientation",
        title="Brightness",
        description="orientation: each orientation (of each acquisition) counts as lit in proportion to its mean; "
        "equal: all alike.",
    )
    brightness: Annotated[Numbers, Hint(group="advanced", none_means="from the frames")] = Field(
        default=None,
        title="Brightness given",
        description="Brightness of each orientation (of each acquisition, one after another) relative to the first; "
        "none: as Brightness says.",
    )
    scale_counts: Annotated[float | None, Hint(group="advanced", none_means="from the frames")] = Field(
        default=None,
        gt=0,
        title="Bright counts",
        description="Counts that stand for 1 in the fit; none: the brightest parts of the frames' mean.",
    )
    otf: Otf = Field(
        default_factory=TheoryOtf, title="OTF", description="How the microscope blurs: from theory, or as measured."
    )
    timing: Annotated[Timing, Hint(order=1)] = Field(
        default_factory=EvenTiming,
        title="Timing",
        description="When the images were taken, where no frame times are given.",
    )
    enlarge: Annotated[float | None, Hint(group="advanced", none_means="automatic")] = Field(
        default=None,
        ge=1,
        le=4,
        title="Enlargement",
        description="Samples of the result per raw pixel, in halves; none: 1.5, or more where the resolution needs it.",
    )
    apodised: Annotated[bool, Hint(group="advanced")] = Field(
        default=False,
        title="Apodised scene",
        description="Learn the scene through a filter that lets fine detail come as fast as coarse, as published; with "
        "the preset paper only.",
    )
    nonnegativity: Annotated[float, Hint(group="advanced")] = Field(
        default=5e-3,
        ge=0,
        le=1e3,
        title="Non-negativity",
        description="Weight of the mean of max(-scene, 0) against the squared error, in units of the brightest value.",
    )
    smoothness: Annotated[float | None, Hint(group="advanced", none_means="from the noise")] = Field(
        default=None,
        ge=0,
        le=1e3,
        title="Smoothness",
        description="Weight of the scene's mean squared gradient (per sample of the result) against the squared error; "
        "none: from the frames' noise over signal in fine detail.",
    )
    wiener: Annotated[float | None, Hint(group="advanced", none_means="from the noise")] = Field(
        default=None,
        gt=0,
        le=10,
        title="Wiener parameter",
        description="Of the conventional reconstruction: noise over signal, squared; none: from the frames' noise.",
    )
    padding_px: Annotated[int | None, Hint(group="advanced", none_means="automatic")] = Field(
        default=None,
        ge=0,
        le=4096,
        title="Padding",
        description="Raw pixels added around the field; none: as far as the optics blur.",
    )
    max_displacement_px: Annotated[int, Hint(group="advanced")] = Field(
        default=16,
        ge=1,
        le=4096,
        title="Largest displacement",
        description="Largest displacement to provide room for around the field, in raw pixels.",
    )
    refine: Annotated[
        Literal["nothing", "modulation", "phases", "both"],
        Hint(group="advanced", labels=("Nothing", "Depths", "Phases", "Depths and phases")),
    ] = Field(
        default="nothing",
        title="Refine in the fit",
        description="What of the stripes the fit may change while it goes on.",
    )

    @property
    def n_planes_of_stack(self) -> int | None:
        """Planes that the stack holds; None: as many as there are images for."""
        return 1

    @property
    def axes_of_stack(self) -> tuple[str, ...]:
        """All four of `IMAGE_AXES`, the slowest first; what the order does not name stands in front."""
        named = axes_in(self.image_order)
        return (*(axis for axis in IMAGE_AXES if axis not in named), *named)

    @property
    def n_orders(self) -> int:
        """Orders of the stripes, the even light (order 0) counted."""
        return self.n_beams

    @field_validator("timestamps_ms", mode="after")
    @classmethod
    def _ascending(cls, times: tuple[float, ...] | None) -> tuple[float, ...] | None:
        # A stack need not hold its images in the order in which they were taken.
        return times

    @field_validator("image_order")
    @classmethod
    def _known_order(cls, order: str) -> str:
        return _checked_order("image_order", order)

    @field_validator("timing")
    @classmethod
    def _known_taken_order(cls, timing: Timing) -> Timing:
        if isinstance(timing, DelayTiming) and timing.taken_order:
            _checked_order("taken_order", timing.taken_order)
        return timing

    @field_validator("pattern", "otf", "timing", mode="before")
    @classmethod
    def _by_kind(cls, value: Any, info: Any) -> Any:
        return of_its_kind(value, {"pattern": PATTERN_KINDS, "otf": OTF_KINDS, "timing": TIMING_KINDS}[info.field_name])

    @model_validator(mode="after")
    def _consistent(self) -> SimSettings:
        if self.n_phases < 2 * self.n_beams - 1:
            raise InputError(
                "n_phases",
                f"{self.n_phases} phases with {self.n_beams} beams",
                f"at least {2 * self.n_beams - 1} phases with {self.n_beams} beams",
            )
        if self.na_objective >= self.refractive_index:
            raise InputError(
                "na_objective", f"{self.na_objective:g}", f"less than refractive_index ({self.refractive_index:g})"
            )
        if self.excitation_wavelength_um > self.wavelength_um:
            raise InputError(
                "excitation_wavelength_um",
                f"{self.excitation_wavelength_um:g} um, longer than wavelength_um ({self.wavelength_um:g} um)",
                "a wavelength shorter than that of the emission (were the two swapped?)",
            )
        for name in ("modulation_1", "modulation_2"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.n_orientations:
                raise InputError(name, f"{len(value)} values", f"one, or {self.n_orientations}: one per orientation")
            for depth in () if value is None else (value if isinstance(value, tuple) else (value,)):
                if not 0 < depth <= 2:
                    got = "a depth of 0: stripes that are not there" if depth == 0 else f"{depth:g}"
                    raise InputError(name, got, "depths over 0 and up to 2")
        if self.n_beams == 2 and self.modulation_2 is not None:
            raise InputError("modulation_2", "a value with two beams", "nothing: two beams make no order 2")
        if self.enlarge is not None and (2 * self.enlarge) % 1:
            raise InputError("enlarge", f"{self.enlarge:g}", "1, 1.5, 2, 2.5, 3, 3.5 or 4")
        n = self.pattern.n_orientations
        if n is not None and n != self.n_orientations:
            raise InputError("pattern", f"{n} orientations", f"the {self.n_orientations} of n_orientations")
        return self


class Sim3dSettings(SimSettings):
    """Structured illumination of a volume: all orientations and phases at every plane."""

    plane_spacing_um: PositiveFloat = Field(
        le=100, title="Distance of planes", examples=[0.125], description="Distance between two planes, in um."
    )
    n_planes: Annotated[int | None, Hint(none_means="all images: one time point")] = Field(
        default=None, ge=1, le=4096, title="Planes", description="Planes of one time point."
    )
    times_of: Annotated[Literal["volume", "plane"], Hint(labels=("All planes at once", "Plane by plane"))] = Field(
        default="volume",
        title="Motion within a stack",
        description="volume: the planes of one orientation and phase count as taken at once (fast); plane: each at its "
        "own time (as many times slower as there are planes).",
    )
    padding_planes: Annotated[int, Hint(group="advanced")] = Field(
        default=4, ge=0, le=256, title="Padding in z", description="Planes added above and below the stack."
    )

    @property
    def n_planes_of_stack(self) -> int | None:
        """Planes that the stack holds; None: as many as there are images for."""
        return self.n_planes


def _checked_order(name: str, order: str) -> str:
    axes = axes_in(order)
    if not set(axes) <= set(IMAGE_AXES) or len(set(axes)) != len(axes) or not {"orientation", "phase"} <= set(axes):
        takes = "time, plane, orientation and phase in any order, the slowest first (time and plane may be left out)"
        raise InputError(name, repr(order), takes)
    return ", ".join(axes)


def axes_in(order: str) -> tuple[str, ...]:
    """Return the words of an order (`time, plane, orientation, phase`), the slowest first."""
    return tuple(word for word in re.split(r"[\s,;>-]+", order.strip().lower()) if word)
