from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, PositiveFloat

from napari_nstm._qt.form.fields import field_specs, variant_specs
from napari_nstm.core.hints import Hint
from napari_nstm.core.settings import FitSettings, OutputSettings
from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings
from napari_nstm.imaging.dpc.settings import DpcSettings
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings


class Optics(BaseModel):
    na_objective: float = 0.5


class Anything(BaseModel):
    """A model of every kind of field, as a third party might write it."""

    wavelength_um: float
    offset_px: int | None = None
    lit: bool = True
    maybe: bool | None = None
    mode: Literal["sum", "mean"] = "sum"
    phases_rad: tuple[float, ...] = ()
    corner: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)
    counts: float | list[float] = 1.0
    name: str = "a"
    optics: Optics = Optics()
    extra: dict[str, Any] = Field(default_factory=dict)
    shape: tuple[tuple[int, float], ...] = ()
    gain: Annotated[float, Field(ge=0, le=4), Hint(unit="V", order=-1)] = Field(default=1.0, description="Gain.")


@pytest.fixture
def specs():
    return {spec.name: spec for spec in field_specs(Anything)}


def test_every_type_gets_its_editor(specs):
    kinds = {name: spec.kind for name, spec in specs.items()}
    assert kinds == {
        "gain": "number",
        "wavelength_um": "number",
        "offset_px": "number",
        "lit": "bool",
        "maybe": "yaml",
        "mode": "choice",
        "phases_rad": "numbers",
        "corner": "numbers",
        "counts": "numbers",
        "name": "text",
        "optics": "model",
        "extra": "yaml",
        "shape": "yaml",
    }
    assert (specs["counts"].scalar, specs["corner"].scalar) == (True, False)


def test_names_become_labels_with_units(specs):
    assert (specs["wavelength_um"].label, specs["wavelength_um"].unit) == ("Wavelength", "µm")
    assert (specs["phases_rad"].label, specs["phases_rad"].unit) == ("Phases", "rad")
    assert (specs["gain"].label, specs["gain"].unit) == ("Gain", "V")
    (inner,) = field_specs(specs["optics"].variants[""])
    assert (inner.label, inner.unit) == ("NA objective", "")


def test_order_comes_from_the_model_and_the_hints(specs):
    assert list(specs)[:3] == ["gain", "wavelength_um", "offset_px"]
    assert [spec.name for spec in field_specs(Anything, ["name", "lit"])] == ["name", "lit"]
    assert [spec.name for spec in field_specs(DpcSettings)][-1] == "timestamps_ms"


def test_help_says_meaning_range_and_default(specs):
    assert specs["gain"].help == "Gain.\nRange: 0 to 4.\nDefault: 1."
    dpc = {spec.name: spec for spec in field_specs(DpcSettings)}
    assert "Range: over 0, up to 1.7." in dpc["na_objective"].help
    assert "Range: -360 to 360." in dpc["source_angles_deg"].help
    assert "Left empty: automatic." in dpc["padding_px"].help
    assert "“0, 25, ...” goes on" in dpc["timestamps_ms"].help


def test_an_empty_editor_says_what_it_is_for(specs):
    dpc = {spec.name: spec for spec in field_specs(DpcSettings)}
    assert specs["wavelength_um"].placeholder == "required"
    assert specs["offset_px"].placeholder == "none"
    assert specs["gain"].placeholder == "1"
    assert dpc["wavelength_um"].placeholder == "e.g. 0.525"
    assert dpc["source_angles_deg"].placeholder == "e.g. 90, 270, 0, 180"
    assert dpc["timestamps_ms"].placeholder == "1 ms apart"


def test_kinds_of_background_are_called_by_their_titles():
    background = next(spec for spec in field_specs(DpcSettings) if spec.name == "background")
    assert (background.kind, background.discriminator) == ("union", "kind")
    assert dict(background.choices)["image"] == "Measured image"
    assert background.default == {"kind": "none"}


def test_models_of_this_project_have_no_field_that_only_yaml_can_show():
    kinds = {spec.name: spec.kind for spec in (*field_specs(FitSettings), *field_specs(OutputSettings))}
    assert [name for name, kind in kinds.items() if kind == "yaml"] == ["pyramid"]


def test_frequencies_and_counts_have_their_units():
    class Stripes(BaseModel):
        ky_per_um: tuple[float, ...] = ()
        offset_counts: float = 0.0
        per_um: float = 1.0

    specs = {spec.name: (spec.label, spec.unit) for spec in field_specs(Stripes)}
    assert specs == {"ky_per_um": ("Ky", "1/µm"), "offset_counts": ("Offset", "counts"), "per_um": ("Per", "µm")}


def test_a_diffusercam_needs_no_yaml_and_its_times_have_units():
    specs = {spec.name: spec for spec in field_specs(DiffuserCamSettings)}
    assert "yaml" not in {spec.kind for spec in specs.values()}
    assert {name for name, spec in specs.items() if spec.kind == "union"} == {"background", "compare_with"}
    assert (specs["row_time_us"].label, specs["row_time_us"].unit) == ("Row time", "µs")
    units = {name: specs[name].unit for name in ("exposure_us", "shutter_shift_rows", "roll_px", "pixel_size_um")}
    assert units == {"exposure_us": "µs", "shutter_shift_rows": "rows", "roll_px": "px", "pixel_size_um": "µm"}
    assert specs["psf"].kind == "array"
    assert len(specs["shutter"].choices) == 5


@pytest.mark.parametrize("model", [SimSettings, Sim3dSettings])
def test_structured_illumination_needs_no_yaml(model):
    specs = {spec.name: spec for spec in field_specs(model)}
    assert "yaml" not in {spec.kind for spec in specs.values()}
    assert {name for name, spec in specs.items() if spec.kind == "union"} == {"pattern", "otf", "timing"}
    assert (specs["modulation_1"].kind, specs["modulation_1"].scalar) == ("numbers", True)
    assert (specs["image_order"].kind, specs["image_order"].editable) == ("choice", True)
    assert specs["n_beams"].choices == ((3, "Three"), (2, "Two"))
    assert (specs["phases_rad"].unit, specs["offset"].unit) == ("rad", "counts")
    for spec in specs.values():
        for kind, variant in spec.variants.items():
            inner = variant_specs(variant, spec.discriminator)
            assert "yaml" not in {one.kind for one in inner}, kind
    vectors = variant_specs(specs["pattern"].variants["vectors"], "kind")
    assert [spec.unit for spec in vectors] == ["1/µm", "1/µm"]
