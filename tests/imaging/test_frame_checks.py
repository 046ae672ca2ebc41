import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.frame_checks import LEAST_PX, check_frames, other_pixel_size, saturation

GOOD = np.random.default_rng(0).normal(1000, 30, (5, 40, 48))


def _with(index, value, dtype=np.float32):
    frames = GOOD.astype(dtype)
    frames[index] = value
    return frames


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float16, np.float64])
def test_frames_that_show_something_pass(dtype):
    check_frames(GOOD.astype(dtype), least=5)
    check_frames(GOOD[:, :LEAST_PX].astype(dtype), least=1)


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (GOOD[0], r"got 2 axes \(40 x 48\); takes a stack of 2D frames"),
        (GOOD[None], r"got 4 axes \(1 x 5 x 40 x 48\)"),
        (GOOD[:0], "got 0 images; takes at least 2 images"),
        (GOOD[:1], "got 1 image; takes at least 2 images"),
        (GOOD[:, :31], "got frames of 31 x 48 pixels; takes at least 32"),
        (GOOD * 1j, "complex pixels"),
        (GOOD > 1000, "pixels of type bool"),
        (GOOD.astype(str), "pixels of type <U"),
        (_with((3, slice(0, 2), 7), np.nan), "got 2 pixels in image 3 that are NaN or infinite"),
        (_with((0, 0, 0), -np.inf), "got 1 pixels in image 0"),
        (_with(4, 70000.5), r"got image 4 with 70000.5 in every pixel; takes images that show something"),
        (_with(2, 9, np.uint8), "got image 2 with 9 in every pixel"),
    ],
)
def test_what_nothing_can_be_made_of_is_named_in_one_line(frames, says):
    with pytest.raises(InputError, match=says) as caught:
        check_frames(frames, least=2, noun="image")
    assert caught.value.field == "raw"
    assert "\n" not in str(caught.value)


def test_pixels_at_the_end_of_the_type_are_counted():
    frames = _with(([1, 3, 3], [2, 2, 3], 5), 65535, np.uint16)
    assert saturation(frames, "it is wrong there") == (
        "3 saturated pixels (0.031 %, at 65535) in frames 1, 3: it is wrong there."
    )
    one = _with((2, 0, 0), 65535, np.uint16)
    assert saturation(one, "lost", "image") == "1 saturated pixel (0.01 %, at 65535) in image 2: lost."


def test_of_many_frames_only_the_number_is_said():
    frames = np.tile(GOOD, (3, 1, 1)).astype(np.uint16)
    frames[:9, 0, 0] = 65535
    assert "in 9 frames: lost" in saturation(frames, "lost")


@pytest.mark.parametrize("scale", [1, 4, 16])
def test_a_detector_that_clips_below_the_type_shows_a_spike(scale):
    clipped = np.minimum(GOOD.astype(np.uint16), 1050) * scale
    n = np.count_nonzero(clipped == 1050 * scale)
    assert saturation(clipped, "lost").startswith(f"{n} saturated pixels")


def test_nothing_is_said_of_a_histogram_that_just_ends():
    assert saturation(GOOD.astype(np.uint16), "lost") is None
    assert saturation(np.zeros((2, 40, 40), np.uint16), "lost") is None
    # A few bright pixels that happen to be alike are no spike.
    assert saturation(_with((0, 0, slice(0, 9)), 3000, np.uint16), "lost") is None
    # Floating-point counts have been worked on: nobody knows where they end.
    assert saturation(np.minimum(GOOD, 1010), "lost") is None


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        (None, None),
        ((0.1, 0.1), None),
        ((0.1005, 0.1), None),
        ((3.0, 0.1, 0.1), None),
        ((0.12, 0.1), "e.tif states pixels of 0.12 x 0.1 um; the settings' 0.1 um is used."),
        ((3.0, 0.2, 0.2), "e.tif states pixels of 0.2 x 0.2 um; the settings' 0.1 um is used."),
    ],
)
def test_a_file_that_states_another_pixel_size_is_named(stated, says):
    assert other_pixel_size(RawData(GOOD, pixel_size_um=stated, name="e.tif"), 0.1) == says
