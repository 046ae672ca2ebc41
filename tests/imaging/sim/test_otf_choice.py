import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tests.imaging.sim.point import OPTICS, VECTORS, point_stack

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.choices import FileOtf, PsfOtf
from napari_nstm.imaging.sim.otf import depths_of
from napari_nstm.imaging.sim.otf_choice import check_otf, otf_table
from napari_nstm.imaging.sim.otf_file import from_table, to_makeotf
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.theory import in_focus, theory_2d, theory_3d

PIXEL, SPACING, SIZE, N_PLANES = 0.065, 0.1, 64, 31
PSF = PsfOtf(path="psf.tif", pixel_size_um=PIXEL, plane_spacing_um=SPACING)
KR_STEP, KZ_STEP = 1 / (128 * PIXEL), 1 / (41 * SPACING)
FILE = FileOtf(path="otf.tif", kr_step_per_um=KR_STEP, kz_step_per_um=KZ_STEP)
KR = np.linspace(0.2, 0.95 * OPTICS.cutoff, 60)
N_PADDED = 12
DEPTHS = depths_of(N_PADDED, 0.15)


def _settings(volume=False, **changes):
    optics = {
        "wavelength_um": OPTICS.wavelength_um,
        "excitation_wavelength_um": OPTICS.excitation_wavelength_um,
        "na_objective": OPTICS.na_objective,
        "refractive_index": OPTICS.refractive_index,
        "pixel_size_um": 0.08,
    }
    if volume:
        return Sim3dSettings(**optics, plane_spacing_um=0.15, **changes)
    return SimSettings(**optics, **changes)


@pytest.fixture(scope="module")
def stack():
    planes = (np.arange(N_PLANES) - N_PLANES // 2) * SPACING
    return 1e7 * point_stack(SIZE, PIXEL, planes, (SIZE / 2 + 0.3, SIZE / 2)) + 100


@pytest.fixture(scope="module")
def pages():
    return to_makeotf(from_table(theory_3d(OPTICS, VECTORS, 3, depths_of(41, SPACING)), KR_STEP, 65))


def test_theory_is_that_of_one_plane_or_of_a_volume():
    plane = otf_table(_settings(), {}, VECTORS, None)
    assert plane.depths_um == (0.0,)
    assert_array_equal(plane.values, theory_2d(OPTICS, 3).values)
    volume = otf_table(_settings(volume=True), {}, VECTORS, N_PADDED)
    assert volume.depths_um == DEPTHS
    assert_array_equal(volume.values, theory_3d(OPTICS, VECTORS, 3, DEPTHS).values)
    assert otf_table(_settings(volume=True), {}, VECTORS, 1).depths_um == (0.0,)


def test_two_beams_have_two_orders():
    for volume, n_planes in ((False, None), (True, N_PADDED)):
        assert otf_table(_settings(volume, n_beams=2), {}, VECTORS, n_planes).n_orders == 2


def test_the_array_beside_the_settings_is_used(stack, pages):
    for otf, array, tolerance in ((PSF, stack, 0.02), (FILE, pages, 0.02)):
        extras = {"otf.path": array}
        focus = otf_table(_settings(otf=otf), extras, VECTORS, None)
        for order in range(3):
            assert_allclose(focus.transfer(order, 0, KR), in_focus(KR, OPTICS.cutoff), atol=tolerance)
        volume = otf_table(_settings(volume=True, otf=otf), extras, VECTORS, N_PADDED)
        ideal = theory_3d(OPTICS, VECTORS, 3, DEPTHS)
        for order in range(3):
            assert_allclose(volume.lateral(order, 0, KR), ideal.lateral(order, 0, KR), atol=tolerance)


def test_without_an_array_the_path_is_named():
    for otf in (PSF, FILE):
        with pytest.raises(InputError, match=r"acquisition\.otf\.path: got no array"):
            otf_table(_settings(otf=otf), {}, VECTORS, None)


def test_an_otf_has_one_orientation_or_all(pages):
    published = np.moveaxis(pages[..., ::2] + 1j * pages[..., 1::2], 0, -1)
    extras = {"otf.path": np.stack([published] * 2)}
    with pytest.raises(InputError, match=r"an OTF of 2 orientations; takes one, or 3"):
        otf_table(_settings(otf=FILE), extras, VECTORS, None)
    assert len(otf_table(_settings(otf=FILE, n_orientations=2), extras, VECTORS[:2], None).values) == 2


def _warnings(otf, array, volume=False, n_planes=None):
    return check_otf(_settings(volume, otf=otf), {"otf.path": array}, n_planes)


def test_a_good_otf_has_no_warnings(stack, pages):
    for otf, array in ((PSF, stack), (FILE, pages)):
        assert _warnings(otf, array) == []
        assert _warnings(otf, array, volume=True, n_planes=N_PADDED) == []
    assert check_otf(_settings(), {}, None) == []


def test_a_wrong_scale_is_noticed(stack, pages):
    (sharp,) = _warnings(PSF.model_copy(update={"pixel_size_um": 0.03}), stack)
    assert "sharper than this objective makes it" in sharp
    assert "otf.pixel_size_um" in sharp
    (sharp,) = _warnings(FILE.model_copy(update={"kr_step_per_um": 2 * KR_STEP}), pages)
    assert "sharper" in sharp
    blurred, ends = _warnings(FILE.model_copy(update={"kr_step_per_um": KR_STEP / 2}), pages)
    assert "blurred" in blurred
    # By theory 0.02 is passed at 0.93 of the cutoff, here of half of it.
    assert "ends at 2.3" in ends
    assert "otf.kr_step_per_um" in ends


def test_a_background_that_was_left_in_is_noticed(stack):
    warnings = _warnings(PSF.model_copy(update={"offset": -9000.0}), stack)
    assert any("background is too high" in warning for warning in warnings)


def test_a_stack_that_is_too_short_for_the_volume_is_noticed(stack, pages):
    (warning,) = _warnings(PSF, stack, volume=True, n_planes=24)
    assert "at depths of -1.5, +1.5 um only, the volume needs -1.8, +1.65 um" in warning
    (warning,) = _warnings(FILE, pages, volume=True, n_planes=40)
    assert "the volume needs -3, +2.85 um" in warning


def test_a_bead_beside_the_middle_of_its_stack_is_noticed(pages):
    kz = np.fft.fftfreq(41, SPACING)
    moved = (pages[..., ::2] + 1j * pages[..., 1::2]) * np.exp(-2j * np.pi * kz * 0.3)
    warnings = _warnings(FILE, moved, volume=True, n_planes=N_PADDED)
    assert any("sharpest +0.3 um from its focus" in warning for warning in warnings)


def test_a_part_that_is_left_out_is_noticed(pages):
    turned = pages[..., ::2] + 1j * pages[..., 1::2]
    turned[2] *= np.exp(3j * KR_STEP * np.arange(65))[:, None]
    (warning,) = _warnings(FILE, turned)
    assert "is imaginary" in warning


def test_coarse_pixels_or_planes_of_the_psf_are_noticed(stack):
    coarse = 1e7 * point_stack(40, 0.125, [0.0], (20.0, 20.3)) + 100
    (warning,) = _warnings(PSF.model_copy(update={"pixel_size_um": 0.125}), coarse)
    assert "hold frequencies up to 4 cycles/um" in warning
    far = stack[::3]
    (warning,) = _warnings(PSF.model_copy(update={"plane_spacing_um": 0.3}), far, volume=True, n_planes=N_PADDED)
    assert "Planes 0.3 um apart are too far" in warning
