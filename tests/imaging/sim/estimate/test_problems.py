import dataclasses

import numpy as np
import pytest
from tests.imaging.sim.estimate.moving import TARGETS, moving

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.estimate import estimate_stripes
from napari_nstm.imaging.sim.frames import sim_frames
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.theory import theory_2d


def _found(sample, **given):
    return estimate_stripes(sample.frames, sample.settings, sample.table, **given)


@pytest.mark.parametrize("motion", ["none", "translation", "swirl"])
@pytest.mark.parametrize("target", TARGETS)
def test_frames_without_stripes_are_recognised(motion, target):
    found = _found(moving(motion, target, modulation_1=1e-6, modulation_2=1e-6))
    assert (found.vector_significance < 10).all()
    (problem,) = found.problems
    assert problem.startswith("The stripes of orientations 1, 2 and 3 do not stand out")


def test_stripes_stand_out_by_far():
    assert (_found(moving("translation", "beads")).vector_significance > 25).all()


def test_an_orientation_without_stripes_is_named():
    def without(images):
        images[5:10] = images[5:10].mean(axis=0)
        return images

    found = _found(moving("none", "beads", modify=without))
    assert "The stripes of orientation 2 do not stand out" in found.problems[0]
    assert found.vector_significance[1] < 10 < found.vector_significance[[0, 2]].min()


def test_a_frame_without_stripes_makes_its_orientation_doubtful():
    def one_even(images):
        images[7] = images[5:10].mean(axis=0)
        return images

    sample = moving("none", "beads", modify=one_even)
    found = _found(sample)
    assert any("of orientation 2" in problem for problem in found.problems)
    assert np.degrees(found.phase_errors_rad[[*range(5), *range(10, 15)]]).max() < 5
    honest = np.abs(sample.phase_errors_deg(found)) < 4 * np.degrees(found.phase_errors_rad)
    assert np.delete(honest, 7).all()


def test_faint_orders_are_named():
    found = _found(moving("none", "beads", modulation_2=0.01))
    assert any(p.startswith("Order 2 of orientations 1, 2 and 3 is faint: depths of 0.0") for p in found.problems)


def test_an_otf_that_is_too_sharp_makes_depths_uncertain():
    sample = moving("none", "filaments", wavelength_um=0.7, excitation_wavelength_um=0.66)
    wrong = sample.settings.model_copy(update={"wavelength_um": 0.5, "excitation_wavelength_um": 0.488})
    found = estimate_stripes(sample.frames, wrong, theory_2d(SimOptics.from_settings(wrong), 3))
    assert any("is the OTF right?" in problem for problem in found.problems)
    assert not any("OTF" in problem for problem in _found(sample).problems)


def test_the_same_stripes_twice_are_noticed():
    sample = moving("swirl", "beads")
    images = sample.images.copy()
    images[5:10] = images[:5]
    frames = sim_frames(RawData(images), sample.settings)
    found = estimate_stripes(frames, sample.settings, sample.table)
    assert "Orientations 1 and 2 show the same stripes." in found.problems


def test_images_that_show_nothing_are_refused():
    sample = moving("none", "beads")
    frames = dataclasses.replace(sample.frames, images=np.full((15, 64, 64), 300, np.float32))
    with pytest.raises(InputError, match="even all over") as caught:
        estimate_stripes(frames, sample.settings, sample.table)
    assert caught.value.field == "raw"
