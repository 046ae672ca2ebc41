"""SIM through the contract that everything else uses."""

import dataclasses

import numpy as np
import pytest
import yaml

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import FitRequest, resolve_fit
from napari_nstm.imaging import registry
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.sim import Sim, Sim3d, Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.optics import given_vectors


@pytest.fixture(scope="module")
def found():
    """A simulated acquisition whose stripes are not told, and the one that tells them."""
    options = {"target": "filaments", "stripes": "found"}
    request = SimulationRequest("swirl", 3.0, 96, 0.01, 0, options)
    return Sim().simulate(request), Sim().simulate(dataclasses.replace(request, options={"target": "filaments"}))


def test_both_are_registered_under_their_names():
    assert isinstance(registry.modality("sim"), Sim)
    assert isinstance(registry.modality("sim3d"), Sim3d)


def test_what_is_not_told_is_found_in_the_frames_and_can_be_read_back(found):
    hidden, told = found
    np.testing.assert_array_equal(hidden.raw, told.raw)
    assert given_vectors(hidden.settings) is None
    settings, notices = Sim().estimate(RawData(hidden.raw), hidden.settings)
    assert any(notice.startswith("Stripes found in the frames: 0.4") for notice in notices)
    ours, true = given_vectors(settings), given_vectors(told.settings)
    signs = np.sign(np.sum(ours * true, axis=1))
    np.testing.assert_allclose(ours * signs[:, None], true, atol=0.05 / (96 * 0.065))
    turned = np.asarray(settings.phases_rad).reshape(3, 5) * signs[:, None]
    off = np.angle(np.exp(1j * (turned - np.asarray(told.settings.phases_rad).reshape(3, 5))))
    assert np.degrees(np.abs(off)).max() < 6
    again = SimSettings.model_validate(
        yaml.safe_load(yaml.safe_dump(settings.model_dump(mode="json", exclude_unset=True)))
    )
    assert again == settings
    # What was found is not looked for again.
    assert Sim().estimate(RawData(hidden.raw), again) == (again, [])


def test_a_series_is_compared_with_windows_that_move_by_an_orientation():
    simulation = Sim().simulate(SimulationRequest("translation", 3.0, 64, 0.01, 0, {"acquisitions": "2"}))
    raw, settings = RawData(simulation.raw), simulation.settings
    conventional, widefield = Sim().comparisons(raw, settings)
    assert (conventional.name, widefield.name) == ("conventional", "widefield")
    assert conventional.images.shape == widefield.images.shape == (4, 1, 96, 96)
    np.testing.assert_allclose(conventional.times_ms, [175, 300, 425, 550])
    assert len(Sim().frame_times_ms(raw, settings)) == len(Sim().moments_ms(raw, settings)) == 30
    fit = resolve_fit(Sim().defaults("fast", raw, settings), FitRequest())
    alone = Sim().defaults("fast", RawData(simulation.raw[:15]), settings)
    assert fit.motion_encoding.fine_cells[0] == 2 * alone.motion_encoding.fine_cells[0]


def test_planes_have_times_of_their_own_only_where_they_are_told_apart(volume):
    raw = RawData(np.zeros((15 * 6, 32, 32), np.uint16))
    at_once, apart = (volume(n_planes=6, times_of=times_of) for times_of in ("volume", "plane"))
    assert len(Sim3d().frame_times_ms(raw, at_once)) == 15
    times = Sim3d().frame_times_ms(raw, apart)
    assert len(times) == 90
    assert list(times) == sorted(times)
    # A result shows as many moments either way.
    assert Sim3d().moments_ms(raw, apart) == Sim3d().moments_ms(raw, at_once) == Sim3d().frame_times_ms(raw, at_once)


def test_what_was_done_to_the_counts_is_said(found):
    simulation = found[1]
    said = Sim().normalization(RawData(simulation.raw), simulation.settings)
    assert said["subtracted"] == simulation.settings.offset
    assert said["divided_by"] > 1000
    assert len(said["brightness"]) == 15
    assert said["brightness"][0] == pytest.approx(1, abs=0.1)


def test_an_apodised_scene_is_for_the_published_networks(found):
    simulation = found[1]
    settings = simulation.settings.model_copy(update={"apodised": True})
    raw = RawData(simulation.raw)
    with pytest.raises(InputError, match=r"^acquisition.apodised: got true with the preset fast; takes"):
        Sim().defaults("fast", raw, settings)
    assert Sim().defaults("paper", raw, settings).rendering == "exact"


def test_only_measured_otfs_are_files():
    otf = {"kind": "psf", "path": "bead.tif", "pixel_size_um": 0.065}
    base = {"pixel_size_um": 0.065, "wavelength_um": 0.515, "excitation_wavelength_um": 0.488, "na_objective": 1.28}
    assert Sim().array_paths(SimSettings(**base)) == {}
    assert Sim().array_paths(SimSettings(**base, otf=otf)) == {"otf.path": "bead.tif"}
    volume = Sim3dSettings(**base, otf=otf, plane_spacing_um=0.15)
    assert Sim3d().array_paths(volume) == {"otf.path": "bead.tif"}


@pytest.mark.parametrize(
    ("modality", "options", "field"),
    [
        (Sim(), {"acquisitions": "many"}, "acquisitions"),
        (Sim3d(), {"planes": "0"}, "planes"),
        (Sim3d(), {"taken": "twice"}, "taken"),
    ],
)
def test_unknown_choices_of_a_simulation_are_one_sentence(modality, options, field):
    with pytest.raises(InputError, match=f"^{field}: got "):
        modality.simulate(SimulationRequest("none", 0.0, 64, 0.0, 0, options))


def test_an_unknown_drawing_is_one_sentence(found):
    simulation = found[1]
    with pytest.raises(InputError, match=r"^inspection: got 'face'; takes frames or spectrum"):
        Sim().inspect("face", RawData(simulation.raw), simulation.settings)
