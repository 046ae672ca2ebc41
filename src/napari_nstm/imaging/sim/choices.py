"""The settings of SIM that have several kinds: stripes, OTF and timing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveFloat, model_validator

from napari_nstm.core.errors import InputError
from napari_nstm.core.hints import Hint
from napari_nstm.core.settings import Choice, Settings

# -- stripes ----------------------------------------------------------------


class EstimatedPattern(Choice):
    """The stripes are found in the frames."""

    model_config = ConfigDict(title="Found in the frames")

    kind: Literal["estimate"] = Field(default="estimate", description="Found in the frames.")
    line_spacing_um: Annotated[float | None, Hint(none_means="any that the objective passes")] = Field(
        default=None,
        gt=0,
        le=100,
        title="Period, about",
        examples=[0.42],
        description="Distance between two lines of order 1, in um, to within 10 %: looked for around it.",
    )

    @property
    def n_orientations(self) -> int | None:
        """Orientations that are given."""
        return None


class VectorPattern(Choice):
    """The stripes are known as vectors."""

    model_config = ConfigDict(title="Given as vectors")

    kind: Literal["vectors"] = Field(default="vectors", description="Given as vectors of order 1.")
    ky_per_um: Annotated[tuple[float, ...], Hint(unit="1/µm")] = Field(
        title="Vectors, y", examples=["2.1, -1.9, 0.2"], description="y (down) of each orientation, cycles per um."
    )
    kx_per_um: Annotated[tuple[float, ...], Hint(unit="1/µm")] = Field(
        title="Vectors, x", examples=["1.1, 1.4, 2.4"], description="x (right) of each orientation, cycles per um."
    )

    @model_validator(mode="after")
    def _pairs(self) -> VectorPattern:
        if len(self.ky_per_um) != len(self.kx_per_um):
            raise InputError("kx_per_um", f"{len(self.kx_per_um)} values", f"the {len(self.ky_per_um)} of ky_per_um")
        if any(y == 0 and x == 0 for y, x in zip(self.ky_per_um, self.kx_per_um, strict=True)):
            raise InputError("ky_per_um", "a vector of length 0", "vectors that are not 0")
        return self

    @property
    def n_orientations(self) -> int | None:
        """Orientations that are given."""
        return len(self.ky_per_um)


class LinePattern(Choice):
    """The stripes are known by their period and direction."""

    model_config = ConfigDict(title="Given as period and angle")

    kind: Literal["lines"] = Field(default="lines", description="Given as period and direction.")
    line_spacing_um: tuple[PositiveFloat, ...] = Field(
        title="Period", examples=["0.42, 0.42, 0.42"], description="Distance between two lines of order 1, in um."
    )
    angles_deg: tuple[float, ...] = Field(
        title="Direction",
        examples=["10, 70, 130"],
        description="Direction across the lines, in degrees from +x (right) towards +y (down).",
    )

    @model_validator(mode="after")
    def _pairs(self) -> LinePattern:
        if len(self.angles_deg) != len(self.line_spacing_um):
            got, takes = f"{len(self.angles_deg)} values", f"the {len(self.line_spacing_um)} of line_spacing_um"
            raise InputError("angles_deg", got, takes)
        return self

    @property
    def n_orientations(self) -> int | None:
        """Orientations that are given."""
        return len(self.angles_deg)


Pattern = Annotated[EstimatedPattern | VectorPattern | LinePattern, Field(discriminator="kind")]
PATTERN_KINDS: dict[str, type[Settings]] = {
    "estimate": EstimatedPattern,
    "vectors": VectorPattern,
    "lines": LinePattern,
}

# -- OTF --------------------------------------------------------------------


class TheoryOtf(Choice):
    """The OTF of an ideal objective."""

    model_config = ConfigDict(title="From theory")

    kind: Literal["theory"] = Field(default="theory", description="Of an ideal objective (scalar pupil).")


class PsfOtf(Choice):
    """The OTF of a measured point spread function."""

    model_config = ConfigDict(title="From a measured PSF")

    kind: Literal["psf"] = Field(default="psf", description="From a measured point spread function (a bead).")
    path: Annotated[str, Hint(array=True)] = Field(
        min_length=1,
        title="PSF",
        description="File with the image of a point, (y, x) or (z, y, x), under even light; relative to the job.",
    )
    pixel_size_um: PositiveFloat = Field(title="Pixel size of it", examples=[0.065], description="Pixel size, in um.")
    plane_spacing_um: PositiveFloat | None = Field(
        default=None, title="Distance of its planes", description="Distance between its planes, in um; of a stack."
    )
    offset: Annotated[float | None, Hint(unit="counts", none_means="from its rim")] = Field(
        default=None, title="Its background", description="Counts to subtract; none: the median of its rim."
    )


class FileOtf(Choice):
    """A radially averaged OTF, as cudasirecon's makeotf writes it."""

    model_config = ConfigDict(title="From an OTF file")

    kind: Literal["file"] = Field(
        default="file", description="A radially averaged OTF (makeotf), or of the published code."
    )
    path: Annotated[str, Hint(array=True)] = Field(
        min_length=1,
        title="OTF",
        description="TIFF with a page for each order (kr, kz), or file.npz:OTF (orientation, kr, kz, order); "
        "relative to the job.",
    )
    kr_step_per_um: Annotated[PositiveFloat, Hint(unit="1/µm")] = Field(
        title="Step of kr",
        examples=[0.0962],
        description="Lateral distance of its samples, cycles per um: 1 / (pixels x pixel size) of the measured PSF.",
    )
    kz_step_per_um: Annotated[PositiveFloat, Hint(unit="1/µm")] = Field(
        title="Step of kz",
        examples=[0.099],
        description="Axial distance of its samples, cycles per um: 1 / (planes x plane spacing) of the measured PSF.",
    )


Otf = Annotated[TheoryOtf | PsfOtf | FileOtf, Field(discriminator="kind")]
OTF_KINDS: dict[str, type[Settings]] = {"theory": TheoryOtf, "psf": PsfOtf, "file": FileOtf}

# -- timing -----------------------------------------------------------------


class EvenTiming(Choice):
    """The images follow each other evenly."""

    model_config = ConfigDict(title="Even")

    kind: Literal["even"] = Field(default="even", description="One image after the other, in the order of the stack.")
    interval_ms: PositiveFloat = Field(default=1.0, title="Interval", description="From one image to the next, in ms.")


class DelayTiming(Choice):
    """The images follow each other with delays that depend on what changes between them."""

    model_config = ConfigDict(title="Exposure and delays")

    kind: Literal["delays"] = Field(default="delays", description="From the exposure and the delay of each change.")
    exposure_ms: PositiveFloat = Field(title="Exposure", examples=[5], description="Exposure of an image, in ms.")
    phase_delay_ms: NonNegativeFloat = Field(
        default=0.0, title="Delay of a phase", description="Between two images of different phase, in ms."
    )
    plane_delay_ms: NonNegativeFloat = Field(
        default=0.0, title="Delay of a plane", description="When the focus moves, in ms."
    )
    orientation_delay_ms: NonNegativeFloat = Field(
        default=0.0, title="Delay of an orientation", description="When the stripes turn, in ms."
    )
    time_delay_ms: NonNegativeFloat = Field(
        default=0.0, title="Delay of a time point", description="Between two acquisitions of a series, in ms."
    )
    taken_order: str = Field(
        default="",
        title="Order of taking",
        examples=["time, orientation, plane, phase"],
        description="Order in which the images were taken, the slowest first; empty: that of the stack.",
    )


Timing = Annotated[EvenTiming | DelayTiming, Field(discriminator="kind")]
TIMING_KINDS: dict[str, type[Settings]] = {"even": EvenTiming, "delays": DelayTiming}
