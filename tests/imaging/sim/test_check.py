import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim import Sim, Sim3d

GOOD = np.random.default_rng(0).normal(1000, 100, (15, 40, 48))
TIMED = {"timestamps_ms": tuple(range(15))}
LINES = {"kind": "lines", "angles_deg": (10, 70, 130)}
FILE = {"kind": "file", "path": "o.tif", "kr_step_per_um": 0.0962, "kz_step_per_um": 0.099}
PSF = {"kind": "psf", "path": "p.tif", "pixel_size_um": 0.065}


def _with(index, value, dtype=np.float32):
    frames = GOOD.astype(dtype)
    frames[index] = value
    return frames


def test_good_images_pass_without_a_word(settings, volume):
    assert Sim().check(RawData(GOOD.astype(np.uint16)), settings(**TIMED)) == []
    series = RawData(np.tile(GOOD, (4, 1, 1)))
    assert Sim().check(series, settings(timestamps_ms=tuple(range(60)))) == []
    assert Sim3d().check(series, volume(timestamps_ms=tuple(range(60)))) == []


@pytest.mark.parametrize(
    ("frames", "changes", "field", "says"),
    [
        (GOOD[0], {}, "raw", "2 axes"),
        (GOOD.reshape(3, 5, 40, 48), {}, "raw", "4 axes"),
        (GOOD[:14], {}, "raw", "got 14 images; takes at least 15 images"),
        (np.concatenate([GOOD, GOOD[:1]]), {}, "raw", "16 images; takes a multiple of 15"),
        (GOOD, {"n_orientations": 2, "modulation_2": 0.5, "pattern": {"kind": "estimate"}}, "raw", "multiple of 10"),
        (GOOD[:, :31], {}, "raw", "31 x 48 pixels"),
        (GOOD * 1j, {}, "raw", "complex"),
        (_with((1, 2, 3), np.nan), {}, "raw", "image 1 that are NaN"),
        (_with(3, 700), {}, "raw", "image 3 with 700 in every pixel"),
        (GOOD, {"offset": 5000}, "acquisition.offset", "5000 counts, above the images"),
        (GOOD, {"offset": 1050}, "acquisition.offset", "more than a frame's mean"),
        (GOOD, {"timestamps_ms": (0, 1, 2)}, "acquisition.timestamps_ms", "3 times for 15 images"),
        (GOOD, {"timestamps_ms": (*range(14), 3)}, "acquisition.timestamps_ms", "the same time twice"),
        # Cutoff 4.97 cycles/um: half of it needs 0.2 um.
        (GOOD, {"pixel_size_um": 0.21}, "acquisition.pixel_size_um", "pixels under 0.201 um"),
        (GOOD, {"pixel_size_um": 65}, "acquisition.pixel_size_um", "samples up to 0.00769"),
        (GOOD, {"phases_rad": (0.0,) * 14}, "acquisition.phases_rad", "14 phases; takes 15"),
        (
            GOOD,
            {"pattern": {**LINES, "line_spacing_um": (0.42, 0.21, 0.42)}},
            "acquisition.pattern.line_spacing_um",
            "0.21 um apart in orientation 2, finer than this objective can make; takes at least 0.381 um.*order 2",
        ),
        (
            GOOD,
            {"pattern": {"kind": "vectors", "ky_per_um": (2, 2, 2), "kx_per_um": (0, 0, 2.1)}},
            "acquisition.pattern.ky_per_um",
            "0.345 um apart in orientation 3",
        ),
        (GOOD, {"otf": FILE}, "acquisition.otf.path", "no array"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(settings, frames, changes, field, says):
    with pytest.raises(InputError, match=says) as caught:
        Sim().check(RawData(frames), settings(**changes))
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("n_beams", "spacing_um", "passes"),
    [(3, 0.385, True), (3, 0.36, False), (2, 0.36, True), (2, 0.193, True), (2, 0.18, False)],
)
def test_two_beams_make_lines_half_as_far_apart(settings, n_beams, spacing_um, passes):
    changes = {"pattern": {**LINES, "line_spacing_um": (spacing_um,) * 3}, **TIMED}
    if n_beams == 2:
        changes |= {"n_beams": 2, "modulation_2": None}
    if passes:
        assert Sim().check(RawData(GOOD), settings(**changes)) == []
    else:
        with pytest.raises(InputError, match="finer than this objective can make"):
            Sim().check(RawData(GOOD), settings(**changes))


def test_stripes_whose_order_does_not_meet_the_middle_of_the_spectrum_are_refused(settings):
    """Possible where the emission is of more than twice the wavelength of the excitation."""
    optics = {"wavelength_um": 0.8, "excitation_wavelength_um": 0.3, "n_beams": 2, "modulation_2": None, **TIMED}
    for spacing, passes in ((0.17, True), (0.15, False)):
        made = settings(pattern={**LINES, "line_spacing_um": (0.2, 0.2, spacing)}, **optics)
        if passes:
            assert Sim().check(RawData(GOOD), made) == []
        else:
            with pytest.raises(InputError, match="beyond the OTF's support in orientation 3") as caught:
                Sim().check(RawData(GOOD), made)
            assert caught.value.field == "acquisition.pattern.line_spacing_um"


@pytest.mark.parametrize(
    ("otf", "array", "says"),
    [
        (PSF, None, "no array"),
        (PSF, np.ones(40), "an array of 40; takes an image of a point"),
        (PSF, np.zeros((32, 32)), "0 in every pixel"),
        (PSF, np.full((32, 32), np.nan), "NaN"),
        (FILE, np.ones((40, 40)), "40 x 40 real numbers; takes 3 pages, one for each order"),
        (FILE, np.zeros((3, 65, 202)), "not highest at kr = 0"),
        (FILE, np.ones((2, 65, 9, 3), complex), "an OTF of 2 orientations; takes one, or 3"),
    ],
)
def test_an_otf_that_cannot_be_used_is_named(settings, otf, array, says):
    raw = RawData(GOOD, {} if array is None else {"otf.path": array})
    with pytest.raises(InputError, match=says) as caught:
        Sim().check(raw, settings(otf=otf))
    assert caught.value.field.startswith("acquisition.otf")
    assert "\n" not in str(caught.value)


def test_saturated_pixels_are_counted(settings):
    frames = _with((2, slice(0, 3), 5), 65535, np.uint16)
    (warning,) = Sim().check(RawData(frames), settings(**TIMED))
    assert warning.startswith("3 saturated pixels")
    assert "in image 2: the reconstruction there is wrong" in warning


def test_a_pixel_too_wide_for_the_optics_is_said_with_what_is_lost(settings):
    (warning,) = Sim().check(RawData(GOOD), settings(pixel_size_um=0.12, **TIMED))
    assert "passes 4.97 cycles/um, a pixel of 0.12 um samples up to 4.17" in warning


@pytest.mark.parametrize(("offset", "n"), [(0, 0), (900, 0), (950, 0), (999, 1)])
def test_an_offset_that_leaves_much_below_zero_is_doubted(settings, offset, n):
    warnings = Sim().check(RawData(GOOD), settings(offset=offset, **TIMED))
    assert len(warnings) == n
    assert all("darker than the camera offset" in warning for warning in warnings)


def test_missing_times_and_another_pixel_size_in_the_file_are_said(settings):
    raw = RawData(GOOD, pixel_size_um=(0.1, 0.1), name="cell.tif")
    size, times = Sim().check(raw, settings())
    assert "cell.tif states pixels of 0.1 x 0.1 um" in size
    assert "1 ms apart" in times
    for timing in ({"kind": "even", "interval_ms": 1}, {"kind": "delays", "exposure_ms": 5}):
        assert Sim().check(RawData(GOOD), settings(timing=timing)) == []


def test_a_volume_of_hardly_any_planes_is_doubted(volume):
    series = RawData(np.tile(GOOD, (2, 1, 1)))
    (two,) = Sim3d().check(series, volume(timestamps_ms=tuple(range(30))))
    assert two.startswith("2 planes only")
    (one,) = Sim3d().check(series, volume(n_planes=1, timestamps_ms=tuple(range(30)), phases_rad=(0.0,) * 15))
    assert one.startswith("1 plane only")


def test_stripes_that_are_still_to_be_found_are_not_looked_at(settings):
    from napari_nstm.imaging.sim.check import check

    open_ = {"pattern": {"kind": "estimate"}, "phases_rad": None, "modulation_1": None, "modulation_2": None}
    assert check(RawData(GOOD), settings(**open_, **TIMED)) == []


def test_files_that_the_settings_name_are_read_into_what_check_and_prepare_use(settings):
    assert Sim().array_paths(settings()) == {}
    assert Sim().array_paths(settings(otf=FILE)) == {"otf.path": "o.tif"}
    assert Sim().array_paths(settings(otf=PSF)) == {"otf.path": "p.tif"}
