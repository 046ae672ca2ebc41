import re
import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError

from napari_nstm.core.errors import input_error_from, input_errors_from
from napari_nstm.imaging.sim import Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.settings import IMAGE_AXES, axes_in

VECTORS = {"kind": "vectors", "ky_per_um": (2.3, 0.6), "kx_per_um": (-0.5, -2.31)}
FILE = {"kind": "file", "path": "o.tif", "kr_step_per_um": 0.1, "kz_step_per_um": 0.1}


def _fault(make, **changes):
    with pytest.raises(ValidationError) as caught:
        make(**changes)
    return input_error_from(caught.value, "acquisition")


@pytest.mark.parametrize("model", [SimSettings, Sim3dSettings])
def test_every_setting_says_what_it_is(model):
    schema = model.model_json_schema()
    models = {model.__name__: schema, **schema["$defs"]}
    missing = [
        f"{path}.{name}"
        for path, part in models.items()
        for name, field in part.get("properties", {}).items()
        if not field.get("description")
    ]
    assert missing == []


def test_little_is_required():
    required = {"pixel_size_um", "wavelength_um", "excitation_wavelength_um", "na_objective"}
    assert set(SimSettings.model_json_schema()["required"]) == required
    assert set(Sim3dSettings.model_json_schema()["required"]) == {*required, "plane_spacing_um"}


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"wavelength_um": 0}, "wavelength_um", "greater than 0"),
        ({"wavelength_um": 515}, "wavelength_um", "less than or equal to 10"),
        ({"excitation_wavelength_um": 0.6}, "excitation_wavelength_um", "swapped"),
        ({"wavelength_um": 0.488, "excitation_wavelength_um": 0.515}, "excitation_wavelength_um", "swapped"),
        ({"na_objective": 1.33}, "na_objective", r"less than refractive_index \(1\.33\)"),
        ({"refractive_index": 0.9}, "refractive_index", "greater than or equal to 1"),
        ({"pixel_size_um": float("nan")}, "pixel_size_um", "finite"),
        ({"n_orientations": 0}, "n_orientations", "greater than or equal to 1"),
        ({"n_phases": 4}, "n_phases", "at least 5 phases with 3 beams"),
        ({"n_beams": 2, "n_phases": 2}, "n_phases", "greater than or equal to 3"),
        ({"n_beams": 4}, "n_beams", "3 or 2"),
        ({"n_beams": 2}, "modulation_2", "two beams make no order 2"),
        ({"image_order": "time, plane, angle, phase"}, "image_order", "'time, plane, angle, phase'"),
        ({"image_order": "time, plane, phase"}, "image_order", "orientation and phase"),
        ({"image_order": "orientation, phase, phase"}, "image_order", "'orientation, phase, phase'"),
        ({"image_order": ""}, "image_order", "in any order"),
        ({"modulation_1": 0}, "modulation_1", "depth of 0: stripes that are not there"),
        ({"modulation_1": (0.8, 0, 0.8)}, "modulation_1", "depth of 0"),
        ({"modulation_1": -0.5}, "modulation_1", "got -0.5"),
        ({"modulation_2": (0.5, 0.5)}, "modulation_2", "2 values; takes one, or 3: one per orientation"),
        ({"modulation_2": 2.5}, "modulation_2", "up to 2"),
        ({"enlarge": 1.6}, "enlarge", "got 1.6; takes 1, 1.5, 2"),
        ({"enlarge": 0.5}, "enlarge", "greater than or equal to 1"),
        ({"enlarge": 4.5}, "enlarge", "less than or equal to 4"),
        ({"pattern": VECTORS}, "pattern", "2 orientations; takes the 3 of n_orientations"),
        ({"n_orientations": 2}, "modulation_2", "3 values"),
        ({"pattern": {"kind": "vector"}}, "pattern", "'estimate', 'vectors', 'lines'"),
        ({"pattern": {"line_spacing_um": 0.4}}, "pattern", "kind"),
        ({"pattern": "estimate"}, "pattern", "a mapping"),
        ({"pattern": {**VECTORS, "kx_per_um": (1.0,)}}, "pattern.kx_per_um", "1 values; takes the 2 of ky_per_um"),
        ({"pattern": {**VECTORS, "phase": 1}}, "pattern.phase", "unknown key"),
        ({"pattern": {"kind": "vectors", "ky_per_um": (1,)}}, "pattern.kx_per_um", "it is required"),
        ({"otf": {**FILE, "path": ""}}, "otf.path", "at least 1 character"),
        ({"otf": {"kind": "psf", "path": "p.tif"}}, "otf.pixel_size_um", "it is required"),
        ({"otf": {"kind": "theory", "path": "p.tif"}}, "otf.path", "unknown key"),
        ({"otf": {**FILE, "kr_step_per_um": -1}}, "otf.kr_step_per_um", "greater than 0"),
        ({"timing": {"kind": "even", "interval_ms": 0}}, "timing.interval_ms", "greater than 0"),
        ({"timing": {"kind": "delays"}}, "timing.exposure_ms", "it is required"),
        (
            {"timing": {"kind": "delays", "exposure_ms": 5, "taken_order": "phase, rotation"}},
            "timing.taken_order",
            "'phase, rotation'",
        ),
        ({"timestamps_ms": (0, "x")}, "timestamps_ms.1", "number"),
        ({"na_objectiv": 0.2}, "na_objectiv", "unknown key"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(settings, changes, field, says):
    error = _fault(settings, **changes)
    assert error.field == f"acquisition.{field}"
    assert "\n" not in str(error)
    assert re.search(says, str(error)), str(error)


@pytest.mark.parametrize("change", [{"plane_spacing_um": 0}, {"n_planes": 0}, {"times_of": "phase"}])
def test_a_volume_has_settings_of_its_own(volume, change):
    assert _fault(volume, **change).field == f"acquisition.{next(iter(change))}"


def test_problems_that_do_not_depend_on_each_other_are_found_at_once():
    with pytest.raises(ValidationError) as caught:
        SimSettings.model_validate({"na_objective": -1, "otf": {**FILE, "path": ""}, "image_order": "phase"})
    fields = {error.field for error in input_errors_from(caught.value)}
    assert {"na_objective", "otf.path", "image_order", "wavelength_um"} <= fields


@pytest.mark.parametrize(
    ("order", "axes"),
    [
        ("time, plane, orientation, phase", ("time", "plane", "orientation", "phase")),
        ("Phase > Orientation > Plane > Time", ("phase", "orientation", "plane", "time")),
        ("plane;orientation;phase", ("time", "plane", "orientation", "phase")),
        ("phase orientation", ("time", "plane", "phase", "orientation")),
        ("orientation-time-phase", ("plane", "orientation", "time", "phase")),
    ],
)
def test_an_order_is_read_in_several_spellings_and_what_it_leaves_out_stands_in_front(settings, order, axes):
    made = settings(image_order=order)
    assert made.axes_of_stack == axes
    assert set(axes) == set(IMAGE_AXES)
    assert axes_in(made.image_order) == axes_in(order.lower())


def test_times_need_not_ascend_since_the_stack_need_not_be_in_the_order_of_time(settings):
    assert settings(timestamps_ms=(3, 1, 2)).timestamps_ms == (3, 1, 2)


def test_every_half_from_1_to_4_is_an_enlargement(settings):
    for halves in range(2, 9):
        assert settings(enlarge=halves / 2).enlarge == halves / 2


def test_two_beams_make_one_order_of_three_phases(settings):
    assert settings().n_orders == 3
    assert settings(n_beams=2, n_phases=3, modulation_2=None).n_orders == 2


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"otf": {**FILE}, "timestamps_ms": (3.0, 1.0), "enlarge": 2.5, "image_order": "plane, phase, orientation"},
        {
            "pattern": {"kind": "lines", "line_spacing_um": (0.42,) * 3, "angles_deg": (10, 70, 130)},
            "otf": {"kind": "psf", "path": "p.tif", "pixel_size_um": 0.065},
            "timing": {"kind": "delays", "exposure_ms": 5, "taken_order": "orientation, plane, phase"},
            "modulation_1": (0.8, 0.7, 0.6),
        },
        {"pattern": {"kind": "estimate", "line_spacing_um": 0.42}, "phases_rad": None, "modulation_1": None},
    ],
)
def test_settings_survive_the_way_through_a_job_file(settings, volume, changes):
    for made in (settings(**changes), volume(**changes, n_planes=4)):
        for content in (made.model_dump(mode="json"), made.model_dump(mode="json", exclude_unset=True)):
            assert type(made).model_validate(yaml.safe_load(yaml.safe_dump(content))) == made


def test_settings_and_optics_need_no_jax():
    code = (
        "import sys; import napari_nstm.imaging.sim as s; import napari_nstm.imaging.sim.check;"
        "import napari_nstm.imaging.sim.layout; s.Sim(), s.Sim3d(); assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
