import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.diffusercam import DiffuserCam
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.imaging.frame_range import cut_frames
from napari_nstm.imaging.sim import Sim

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


@pytest.mark.parametrize("modality", [Sim(), DiffuserCam()])
def test_methods_whose_images_are_no_series_refuse(modality, series):
    with pytest.raises(InputError, match="frames: got 0, 4; takes nothing with"):
        cut_frames(modality, *series, (0, 4))
