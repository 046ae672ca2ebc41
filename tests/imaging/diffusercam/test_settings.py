import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError

from napari_nstm.core.errors import InputError, input_error_from
from napari_nstm.imaging.diffusercam import DiffuserCam, DiffuserCamSettings

BASE = {"pixel_size_um": 6.5, "psf": "psf.tif", "row_time_us": 27.52, "exposure_us": 1320}


def _fault(**changes):
    with pytest.raises((ValidationError, InputError)) as caught:
        DiffuserCamSettings(**{**BASE, **changes})
    error = caught.value
    return error if isinstance(error, InputError) else input_error_from(error, "acquisition")


def test_every_setting_says_what_it_is():
    schema = DiffuserCamSettings.model_json_schema()
    models = {"DiffuserCamSettings": schema, **schema["$defs"]}
    missing = [
        f"{path}.{name}"
        for path, part in models.items()
        for name, field in part.get("properties", {}).items()
        if not field.get("description")
    ]
    assert missing == []


def test_little_is_required():
    assert set(DiffuserCamSettings.model_json_schema()["required"]) == {"pixel_size_um", "psf"}
    made = DiffuserCamSettings(**BASE)
    assert made.exposure_rows == pytest.approx(1320 / 27.52)
    assert made.exposure_ms == 1.32
    assert made.field_fraction == 0.5


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        (
            {"row_time_us": None},
            "row_time_us",
            r"got nothing; takes a time in us, or shutter: global \(shutter is dual",
        ),
        ({"exposure_us": None, "shutter": "single"}, "exposure_us", "shutter is single"),
        ({"row_time_us": 0}, "row_time_us", "greater than 0"),
        ({"exposure_us": -1}, "exposure_us", "greater than 0"),
        ({"shutter": "double"}, "shutter", "double"),
        ({"shutter": "single", "shutter_shift_rows": 2}, "shutter_shift_rows", "2 with shutter: single; takes 0: only"),
        ({"shutter": "single_reversed", "shutter_shift_rows": -2}, "shutter_shift_rows", "-2 with"),
        ({"binning": 0}, "binning", "greater than or equal to 1"),
        ({"field_fraction": 1.2}, "field_fraction", "less than or equal to 1"),
        ({"field_fraction": 0}, "field_fraction", "greater than 0"),
        ({"psf": ""}, "psf", "at least 1"),
        ({"background": {"kind": "image"}}, "background.path", "a value"),
        ({"background": {"kind": "image", "path": ""}}, "background.path", "at least 1"),
        ({"background": {"kind": "corner", "size_px": 0}}, "background.size_px", "greater than or equal to 1"),
        ({"background": {"kind": "median"}}, "background", "median"),
        ({"compare_with": {"kind": "fista_tv", "n_iterations": 0}}, "compare_with.n_iterations", "equal to 1"),
        ({"compare_with": {"kind": "fista_tv", "weight_time": -1}}, "compare_with.weight_time", "equal to 0"),
        ({"pixel_size_um": float("nan")}, "pixel_size_um", "finite|greater"),
        ({"time_step_rows": 0}, "time_step_rows", "greater than 0"),
        ({"gain": 2}, "gain", "unknown key"),
    ],
)
def test_wrong_settings_are_named(changes, field, says):
    error = _fault(**changes)
    assert error.field == f"acquisition.{field}"
    assert "\n" not in str(error)
    with pytest.raises(InputError, match=says):
        raise error


def test_a_global_shutter_needs_no_times():
    made = DiffuserCamSettings(pixel_size_um=6.5, psf="p.tif", shutter="global")
    assert (made.exposure_rows, made.exposure_ms, made.row_time_of_binned_us) == (1.0, 1.0, 1.0)
    assert DiffuserCamSettings(**BASE, binning=4).row_time_of_binned_us == pytest.approx(4 * 27.52)


def test_settings_are_what_their_file_says():
    made = DiffuserCamSettings(
        **BASE, background={"kind": "image", "path": "dark.tif"}, compare_with={"kind": "fista_tv", "n_iterations": 7}
    )
    text = yaml.safe_dump(made.model_dump(mode="json", exclude_unset=True))
    assert DiffuserCamSettings.model_validate(yaml.safe_load(text)) == made


def test_files_that_settings_name():
    assert DiffuserCam().array_paths(DiffuserCamSettings(**BASE)) == {"psf": "psf.tif"}
    dark = DiffuserCamSettings(**BASE, background={"kind": "image", "path": "dark.tif"})
    assert DiffuserCam().array_paths(dark) == {"psf": "psf.tif", "background.path": "dark.tif"}


def test_settings_need_no_jax():
    code = "import sys, napari_nstm.imaging.diffusercam; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
