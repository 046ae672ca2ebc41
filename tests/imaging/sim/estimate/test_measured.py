import numpy as np
import pytest
import tifffile
from tests.measured import CELLS

from napari_nstm.core.data import RawData
from napari_nstm.imaging.sim import SimSettings
from napari_nstm.imaging.sim.estimate import carrier_power, check_order, estimate_stripes
from napari_nstm.imaging.sim.frames import sim_frames
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.theory import theory_2d

MICROTUBULES = CELLS.parents[1] / "sim_microtubules" / "raw.tif"
# Order 2, (ky, kx) in cycles per pixel of the enlarged frames, as the README beside the data gives it.
SECOND_ORDER = np.array([(0.0295, 0.1184), (-0.0867, 0.0855), (0.1162, 0.0326)])


@pytest.fixture(scope="module")
def microtubules():
    if not MICROTUBULES.exists():
        pytest.skip(f"measured SIM frames of microtubules are not there ({MICROTUBULES})")
    enlarged = tifffile.imread(MICROTUBULES).astype(np.float32)
    images = enlarged.reshape(15, 128, 2, 128, 2).mean(axis=(2, 4))
    # NA and wavelengths were not published: these are guesses.
    settings = SimSettings(
        pixel_size_um=0.06, na_objective=1.49, wavelength_um=0.525, excitation_wavelength_um=0.488, offset=100
    )
    frames = sim_frames(RawData(images), settings)
    return frames, settings, estimate_stripes(frames, settings, theory_2d(SimOptics.from_settings(settings), 3))


def test_vectors_are_found_without_a_start(microtubules):
    _, _, found = microtubules
    expected = SECOND_ORDER / 2 / 0.030
    apart = np.linalg.norm(found.vectors_per_um - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert apart.max() < 0.005
    assert (found.vector_significance > 15).all()


def test_phases_advance_by_some_72_degrees(microtubules):
    _, _, found = microtubules
    phases = found.phases_rad.reshape(3, 5)
    steps = np.degrees(np.diff(phases, axis=1, append=phases[:, :1])) % 360
    print("phase steps:", np.round(steps).tolist())
    np.testing.assert_allclose(steps.mean(axis=1), 72, atol=1e-6)  # once around, in one direction
    errors = np.degrees(np.hypot(found.phase_errors_rad, np.roll(found.phase_errors_rad, -1))).reshape(3, 5)
    assert (np.abs(steps - 72.5) < 14.5 + 2 * errors).all()  # 58 to 87
    assert errors.max() < 12


def test_a_guessed_otf_makes_depths_doubtful(microtubules):
    _, _, found = microtubules
    assert any("is the OTF right?" in problem for problem in found.problems)


def test_the_images_are_in_order(microtubules):
    frames, settings, found = microtubules
    assert check_order(frames, found.vectors_per_um, settings) is None
    power = carrier_power(frames, found.vectors_per_um, settings)
    own = power[np.arange(15), frames.orientation]
    assert own.min() > 0.4
    assert (np.argmax(power, axis=1) == frames.orientation).all()
    exchanged = settings.model_copy(update={"image_order": "time, phase, orientation"})
    frames = sim_frames(RawData(frames.images + 100), exchanged)
    vectors = estimate_stripes(frames, exchanged, theory_2d(SimOptics.from_settings(settings), 3)).vectors_per_um
    assert "they fit 'orientation, phase'" in check_order(frames, vectors, exchanged)
