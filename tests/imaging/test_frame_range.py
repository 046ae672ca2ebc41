import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.diffusercam import DiffuserCam
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.imaging.frame_range import cut_frames

DPC = Dpc()


@pytest.fixture(scope="module")
def series():
    """Two acquisitions of four frames each."""
    one = DPC.simulate(SimulationRequest(motion="translation", size=64, noise=0.0))
    frames = np.concatenate([one.raw, np.roll(one.raw, 3, axis=-1)])
    times = tuple(10.0 * k for k in range(8))
    return RawData(frames), one.settings.model_copy(update={"timestamps_ms": times})


def test_a_part_is_prepared_as_if_it_were_a_file_of_its_own(series):
    raw, settings = series
    part, of_part = cut_frames(DPC, raw, settings, (4, 4))
    alone = RawData(raw.frames[4:]), settings.model_copy(update={"timestamps_ms": (40.0, 50.0, 60.0, 70.0)})
    assert DPC.frame_times_ms(part, of_part) == (40.0, 50.0, 60.0, 70.0)
    a, b = DPC.prepare(part, of_part, 0), DPC.prepare(*alone, 0)
    np.testing.assert_array_equal(a.frames, b.frames)
    np.testing.assert_array_equal(a.frame_times, b.frame_times)


def test_frames_without_times_count_from_the_first_of_all(series):
    raw, settings = series
    part, of_part = cut_frames(DPC, raw, settings.model_copy(update={"timestamps_ms": None}), (4, 4))
    assert DPC.frame_times_ms(part, of_part) == (4.0, 5.0, 6.0, 7.0)


def test_a_background_of_each_frame_is_cut_too(series):
    raw, settings = series
    values = tuple(1000.0 + k for k in range(8))
    background = settings.background.model_copy(update={"value": values})
    _, of_part = cut_frames(DPC, raw, settings.model_copy(update={"background": background}), (4, 4))
    assert of_part.background.value == values[4:]
    stack = np.arange(8.0)[:, None, None] * np.ones((8, 64, 64))
    part, _ = cut_frames(DPC, RawData(raw.frames, {"background.path": stack}), settings, (4, 4))
    np.testing.assert_array_equal(part.extras["background.path"][:, 0, 0], [4, 5, 6, 7])


def test_a_part_beyond_the_frames_is_refused(series):
    with pytest.raises(InputError, match=r"frames: got frames 6 to 9; takes a part of the 8 frames"):
        cut_frames(DPC, *series, (6, 4))


@pytest.mark.parametrize(
    ("frames", "n"), [((2, 4), 8), ((0, 3), 8), ((4, 2), 8), ((4, 4), 9)], ids=["first", "count", "both", "whole"]
)
def test_only_whole_acquisitions_are_cut(series, frames, n):
    raw, settings = series
    raw = RawData(np.concatenate([raw.frames, raw.frames])[:n])
    settings = settings.model_copy(update={"timestamps_ms": None})
    if n == 9:  # what is left over at the end is no hindrance
        part, _ = cut_frames(DPC, raw, settings, frames)
        assert len(part.frames) == 4
        return
    with pytest.raises(InputError, match=r"^frames: got \d, \d; takes whole acquisitions of 4 frames") as caught:
        cut_frames(DPC, raw, settings, frames)
    assert caught.value.field == "frames"


def test_values_of_the_part_alone_stay(series):
    raw, settings = series
    background = settings.background.model_copy(update={"value": (1.0, 2.0, 3.0, 4.0)})
    given = settings.model_copy(update={"background": background, "timestamps_ms": (40.0, 50.0, 60.0, 70.0)})
    stack = np.ones((4, 64, 64))
    part, same = cut_frames(DPC, RawData(raw.frames, {"background.path": stack}), given, (4, 4))
    assert same.timestamps_ms == given.timestamps_ms
    assert same.background.value == background.value
    assert part.extras["background.path"] is stack


def test_nothing_is_copied(series):
    part, _ = cut_frames(DPC, *series, (4, 4))
    assert np.shares_memory(part.frames, series[0].frames)


def test_a_method_of_a_single_image_refuses(series):
    with pytest.raises(InputError, match="frames: got 0, 4; takes nothing with"):
        cut_frames(DiffuserCam(), *series, (0, 4))
