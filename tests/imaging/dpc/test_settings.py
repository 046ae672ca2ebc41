import subprocess
import sys

import pytest
from pydantic import ValidationError

from napari_nstm.core.errors import input_error_from, input_errors_from
from napari_nstm.imaging.dpc import DpcSettings


def _field_at_fault(settings, **changes):
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    return input_error_from(caught.value, "acquisition")


def test_every_setting_says_what_it_is():
    def undescribed(schema, path):
        for name, part in schema.get("properties", {}).items():
            if not part.get("description"):
                yield f"{path}.{name}"

    schema = DpcSettings.model_json_schema()
    models = {"DpcSettings": schema, **schema["$defs"]}
    assert [name for path, part in models.items() for name in undescribed(part, path)] == []


def test_problems_that_do_not_depend_on_each_other_are_found_at_once():
    with pytest.raises(ValidationError) as caught:
        DpcSettings.model_validate({"na_objective": -1, "background": {"kind": "constant", "value": 0}})
    fields = {error.field for error in input_errors_from(caught.value)}
    assert {"na_objective", "background.value", "source_angles_deg", "wavelength_um"} <= fields
    with pytest.raises(ValidationError) as caught:
        DpcSettings.model_validate({"source": "measured"})
    assert {"source_patterns", "source_patterns_na_extent"} < {e.field for e in input_errors_from(caught.value)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"na_objective": -0.25}, "na_objective"),
        ({"na_objective": 1.8}, "na_objective"),
        ({"na_illumination": 0}, "na_illumination"),
        ({"na_illumination_inner": 0.25}, "na_illumination_inner"),
        ({"na_illumination": 0.5, "na_illumination_inner": 0.3}, "na_illumination_inner"),
        ({"wavelength_um": 0}, "wavelength_um"),
        ({"pixel_size_um": float("nan")}, "pixel_size_um"),
        ({"source_angles_deg": (0, 180)}, "source_angles_deg"),
        ({"source_angles_deg": ()}, "source_angles_deg"),
        ({"source_angles_deg": (0, 90, 720)}, "source_angles_deg.2"),
        ({"source": "measured"}, "source_patterns"),
        ({"source": "measured", "source_patterns": "s.tif", "source_patterns_na_extent": 0.3}, "source_angles_deg"),
        ({"source_patterns": "s.tif"}, "source_patterns"),
        ({"background": {"kind": "constant", "value": 0}}, "background.value"),
        ({"background": {"kind": "constant", "value": (1, -2, 3)}}, "background.value"),
        ({"background": {"kind": "constant", "value": ()}}, "background.value"),
        ({"background": {"kind": "constant"}}, "background.value"),
        ({"background": {"kind": "image", "path": ""}}, "background.path"),
        ({"background": {"kind": "blur", "sigma_px": -1}}, "background.sigma_px"),
        ({"background": {"kind": "blur", "sigma": 3}}, "background.sigma"),
        ({"background": {"kind": "mean"}}, "background"),
        ({"background": "blur"}, "background"),
        ({"regularization_phase": 0}, "regularization_phase"),
        ({"max_displacement_px": 0}, "max_displacement_px"),
        ({"timestamps_ms": (0, 2, 1, 3)}, "timestamps_ms"),
        ({"na_objectiv": 0.2}, "na_objectiv"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(settings, changes, field):
    error = _field_at_fault(settings, **changes)
    assert error.field == f"acquisition.{field}"
    assert "\n" not in str(error)


def test_settings_survive_the_way_through_a_job_file(settings):
    made = settings(background={"kind": "constant", "value": (1.0, 2.0, 3.0, 4.0)}, timestamps_ms=(0, 1, 2, 3))
    assert DpcSettings.model_validate(made.model_dump(mode="json")) == made


def test_settings_and_optics_need_no_jax():
    code = (
        "import sys; import napari_nstm.imaging.dpc as d; import napari_nstm.imaging.dpc.optics;"
        "d.Dpc(); assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
