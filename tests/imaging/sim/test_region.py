"""The stripes of a region are those of the same place in the whole field."""

import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import Job
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.sim import Sim, Sim3d, SimSettings
from napari_nstm.imaging.sim.optics import carrier, given_vectors
from napari_nstm.imaging.sim.region import cropped, uncropped
from napari_nstm.run.plan import check_job

# Even first row and column: there the samples of a result that is 1.5 times finer coincide.
REGION = (12, 30, 48, 40)
SIZE = (80, 90)


def light(problem):
    """The stripes of every frame on the field of view, as a fit multiplies a scene with them: (frame, order, y, x)."""
    chosen = problem.orientation
    orders = problem._orders(problem.vectors[chosen], problem.phases[problem.shot], problem.depths.shape[-1])
    inside = problem.grid.field_slices[-2:]
    return np.stack([np.asarray(order)[:, inside[0], inside[1]] for order in orders[1:]], axis=1)


@pytest.mark.parametrize("volumes", [False, True])
def test_a_region_has_the_stripes_of_its_place(settings, volume, stack, volumes):
    modality, given = (Sim3d(), volume(enlarge=1.5)) if volumes else (Sim(), settings(enlarge=1.5))
    raw = stack(60 if volumes else 15, SIZE)
    whole = modality.prepare(raw, given, 0)
    part_raw, part_settings = modality.cropped(raw, given, REGION)
    part = modality.prepare(part_raw, part_settings, 0)
    top, left, rows, columns = (n * 3 // 2 for n in REGION)
    expected = light(whole)[..., top : top + rows, left : left + columns]
    found = light(part)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-4)
    np.testing.assert_array_equal(part_raw.frames, raw.frames[:, 12:60, 30:70])
    # It makes a difference: without it the stripes lie elsewhere.
    wrong = light(modality.prepare(part_raw, given, 0))
    assert np.abs(wrong - expected).max() > 0.5


def test_a_series_with_a_phase_for_every_image(settings, stack):
    rng = np.random.default_rng(2)
    given = settings(phases_rad=tuple(rng.uniform(-3, 3, 30)), enlarge=1.5)
    raw = stack(30, SIZE)
    part_raw, part_settings = cropped(raw, given, REGION)
    top, left, rows, columns = (n * 3 // 2 for n in REGION)
    expected = light(Sim().prepare(raw, given, 0))[..., top : top + rows, left : left + columns]
    np.testing.assert_allclose(light(Sim().prepare(part_raw, part_settings, 0)), expected, atol=2e-4)


def test_there_and_back_are_the_same_phases(settings, stack):
    given = settings()
    _, moved = cropped(stack(15, SIZE), given, REGION)
    assert not np.allclose(moved.phases_rad, given.phases_rad, atol=0.1)
    back = uncropped(moved, SIZE, REGION)
    turns = (np.asarray(back.phases_rad) - given.phases_rad) / (2 * np.pi)
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)


def test_what_is_left_open_stays_open_and_an_otf_whole(settings, stack):
    open_ = settings(phases_rad=None)
    psf = np.ones(SIZE)
    part, same = cropped(RawData(stack(15, SIZE).frames, {"otf.path": psf}), open_, REGION)
    assert same is open_
    assert part.extras["otf.path"] is psf
    with pytest.raises(InputError, match=r"^region: got .*phases are given, but not their stripes"):
        cropped(part, settings(pattern={"kind": "estimate"}), (0, 0, 32, 32))


def given_stripes(settings, size=(112, 112)):
    """Order 1 of every image on the raw pixels of a whole field, as the settings give it: (image, y, x)."""
    y, x = (settings.pixel_size_um * (np.arange(n) - n // 2) for n in size)
    vectors = given_vectors(settings)
    return np.stack(
        [
            np.cos(carrier(vectors[k // settings.n_phases], y[:, None], x) + phase)
            for k, phase in enumerate(settings.phases_rad)
        ]
    )


def test_stripes_that_are_found_in_a_region_hold_for_the_whole(tmp_path):
    simulated = Sim().simulate(SimulationRequest(motion="none", size=112, options={"stripes": "found"}))
    truth = Sim().simulate(SimulationRequest(motion="none", size=112)).settings
    job = Job(
        modality="sim",
        raw="raw",
        region=(10, 20, 80, 72),
        acquisition=simulated.settings.model_dump(mode="json", exclude_unset=True),
        output={"path": str(tmp_path / "r.zarr")},
    )
    found = check_job(job, simulated.raw, tmp_path)
    told = SimSettings.model_validate(found.job.acquisition)
    expected, wrong = given_stripes(truth), given_stripes(found.settings)
    inside = np.s_[:, 10:90, 20:92]
    assert np.abs(given_stripes(told)[inside] - expected[inside]).max() < 0.25
    assert np.abs(wrong[inside] - expected[inside]).max() > 1
    # Read back with the region, they are what they were found to be.
    again = check_job(found.job, simulated.raw, tmp_path)
    np.testing.assert_allclose(again.settings.phases_rad, found.settings.phases_rad, atol=1e-9)
    assert again.job.acquisition == found.job.acquisition
