import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.dpc import Dpc

GOOD = np.random.default_rng(0).normal(10_000, 100, (4, 40, 48))
TIMED = {"timestamps_ms": (0, 25, 50, 75)}


def _with(index, value, dtype=np.float32):
    frames = GOOD.astype(dtype)
    frames[index] = value
    return frames


def test_good_frames_pass_without_a_word(settings):
    assert Dpc().check(RawData(GOOD.astype(np.uint16)), settings(**TIMED)) == []
    assert Dpc().check(RawData(np.tile(GOOD, (3, 1, 1))), settings(timestamps_ms=tuple(range(12)))) == []


@pytest.mark.parametrize(
    ("frames", "changes", "field", "says"),
    [
        (GOOD[0], {}, "raw", "2 axes"),
        (GOOD[:, None], {}, "raw", "4 axes"),
        (GOOD[:2], {}, "raw", "2 frames"),
        (GOOD[:3], {}, "acquisition.source_angles_deg", "4 angles for 3 frames"),
        (GOOD[:, :20], {}, "raw", "20 x 48"),
        (GOOD + 1j, {}, "raw", "complex"),
        (GOOD > 1e4, {}, "raw", "bool"),
        (_with((1, 2, 3), np.nan), {}, "raw", "frame 1"),
        (_with((2, 2, 3), np.inf), {}, "raw", "frame 2"),
        (_with(3, 700), {}, "raw", "frame 3 with 700"),
        (GOOD, {"timestamps_ms": (0, 1, 2)}, "acquisition.timestamps_ms", "3 times for 4 frames"),
        (GOOD, {"source_angles_deg": (0, 120, 240)}, "acquisition.source_angles_deg", "3 angles for 4 frames"),
        (GOOD, {"background": {"kind": "constant", "value": (1, 2, 3)}}, "acquisition.background.value", "3 for 4"),
        (GOOD - 10_000, {}, "acquisition.background", "counts"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(settings, frames, changes, field, says):
    with pytest.raises(InputError, match=says) as caught:
        Dpc().check(RawData(frames), settings(**changes))
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_saturated_pixels_of_the_type_are_counted(settings):
    frames = _with((2, slice(0, 3), 5), 65535, np.uint16)
    (warning,) = Dpc().check(RawData(frames), settings(**TIMED))
    assert warning.startswith("3 saturated pixels")
    assert "frame 2" in warning


@pytest.mark.parametrize("scale", [1, 16])
def test_a_detector_that_clips_below_the_type_is_noticed(settings, scale):
    counts = np.minimum(GOOD.astype(np.uint16) // 4 + 1570, 4095) * scale
    n = np.count_nonzero(counts == 4095 * scale)
    (warning,) = Dpc().check(RawData(counts), settings(**TIMED))
    assert warning.startswith(f"{n} saturated pixels")


def test_a_pixel_too_wide_for_the_optics_is_said_with_what_is_lost(settings):
    (warning,) = Dpc().check(RawData(GOOD), settings(pixel_size_um=1.0, **TIMED))
    assert "0.5 to 0.952 cycles/um" in warning


def test_missing_times_and_another_pixel_size_in_the_file_are_said(settings):
    raw = RawData(GOOD, pixel_size_um=(0.1, 0.1), name="embryo.tif")
    size, times = Dpc().check(raw, settings())
    assert "embryo.tif states pixels of 0.1 x 0.1 um" in size
    assert "1 ms apart" in times


MEASURED = {"source": "measured", "source_angles_deg": (), "source_patterns": "s.tif", "source_patterns_na_extent": 0.3}


@pytest.mark.parametrize(
    ("patterns", "says"),
    [
        (None, "no array"),
        (np.ones((21, 21)), "21 x 21"),
        (np.ones((3, 21, 21)), "3 patterns for 4 frames"),
        (-np.ones((4, 21, 21)), "negative"),
        (np.ones((4, 21, 21)) * 1j, "complex"),
        (np.zeros((4, 21, 21)), "pattern 0 dark"),
    ],
)
def test_measured_patterns_that_cannot_be_used_are_named(settings, patterns, says):
    raw = RawData(GOOD, {} if patterns is None else {"source_patterns": patterns})
    with pytest.raises(InputError, match=says) as caught:
        Dpc().check(raw, settings(**MEASURED))
    assert caught.value.field == "acquisition.source_patterns"


def test_measured_patterns_that_fit_are_used(settings):
    patterns = np.zeros((4, 21, 21))
    patterns[0, 11:], patterns[1, :10], patterns[2, :, 11:], patterns[3, :, :10] = 1, 1, 1, 1
    raw = RawData(GOOD, {"source_patterns": patterns})
    made = settings(**MEASURED, **TIMED)
    assert Dpc().check(raw, made) == []
    assert Dpc().array_paths(made) == {"source_patterns": "s.tif"}
    halves = Dpc().conventional(raw, settings(**TIMED))
    found = Dpc().conventional(raw, made)
    assert np.corrcoef(found[1].ravel(), halves[1].ravel())[0, 1] > 0.95
