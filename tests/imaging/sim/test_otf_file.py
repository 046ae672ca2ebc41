from dataclasses import replace

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose
from scipy import fft
from tests.imaging.sim.point import OPTICS, VECTORS

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.otf import depths_of
from napari_nstm.imaging.sim.otf_file import file_table, from_table, imaginary_share, to_makeotf
from napari_nstm.imaging.sim.theory import in_focus, theory_3d
from napari_nstm.io.raw import read_raw

# A stack of 128 x 128 pixels of 0.065 um, 41 planes 0.1 um apart.
KR_STEP, N_KR = 1 / (128 * 0.065), 65
N_KZ, KZ_STEP = 41, 1 / (41 * 0.1)
DEPTHS = depths_of(12, 0.15)
KR = np.linspace(0, 0.95 * OPTICS.cutoff, 70)


@pytest.fixture(scope="module")
def spectrum():
    return from_table(theory_3d(OPTICS, VECTORS, 3, depths_of(N_KZ, 0.1)), KR_STEP, N_KR)


def _table(array, depths=DEPTHS, n_orders=3):
    return file_table(array, KR_STEP, KZ_STEP, OPTICS, n_orders, depths)


def _assert_theory(table, depths=DEPTHS, n_orders=3):
    # A coarse step of kr stands for a small field: out of focus, not all light is in it.
    ideal = theory_3d(OPTICS, VECTORS, n_orders, depths)
    for order in range(n_orders):
        assert_allclose(table.lateral(order, 0, KR), ideal.lateral(order, 0, KR), atol=0.02)


def test_an_otf_written_as_tiff_pages_comes_back(spectrum, tmp_path):
    path = tmp_path / "otf.tif"
    pages = to_makeotf(spectrum)
    assert pages.shape == (3, N_KR, 2 * N_KZ)
    assert pages.dtype == np.float32
    assert_allclose(pages[1, 7, 6::2][:4] + 1j * pages[1, 7, 7::2][:4], spectrum[1, 7, 3:7], atol=1e-7)
    tifffile.imwrite(path, pages, photometric="minisblack")
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 3
    table = _table(read_raw(path)[0])
    assert table.values[0, 0, 0, 0] == pytest.approx(1)
    _assert_theory(table)


def test_the_sum_over_kz_is_one_plane(spectrum):
    table = _table(to_makeotf(spectrum), (0.0,))
    assert table.depths_um == (0.0,)
    for order in range(3):
        assert_allclose(table.transfer(order, 0, KR), in_focus(KR, OPTICS.cutoff), atol=0.01)
        summed = spectrum[order].sum(axis=-1).real
        kr = KR_STEP * np.arange(40)
        assert_allclose(table.transfer(order, 0, kr), summed[:40] / spectrum[0, 0].sum().real, atol=2e-3)


def test_the_published_array_has_orientations_first_and_orders_last(spectrum, tmp_path):
    other = theory_3d(OPTICS, np.array([[2.0, 0.0]]), 3, depths_of(N_KZ, 0.1))
    both = np.stack([spectrum, from_table(other, KR_STEP, N_KR)])
    path = tmp_path / "sample.npz"
    np.savez(path, OTF=np.moveaxis(both, 1, -1).astype(np.complex64))
    table = _table(read_raw(f"{path}:OTF")[0])
    assert table.values.shape[:2] == (2, 3)
    assert_allclose(table.values[1], _table(both[1]).values[0], atol=1e-5)
    assert np.abs(table.values[1, 1] - table.values[0, 1]).max() > 0.1
    _assert_theory(table)


def test_complex_orders_are_taken_as_they_are(spectrum):
    _assert_theory(_table(spectrum))


def test_phase_and_scale_of_an_order_are_left_to_the_depths(spectrum):
    factors = np.array([700 * np.exp(0.3j), 260 * np.exp(-2.1j), 90 * np.exp(1.2j)])
    scaled = _table(to_makeotf(spectrum * factors[:, None, None]))
    assert_allclose(scaled.values, _table(to_makeotf(spectrum)).values, atol=1e-5)
    _assert_theory(scaled)


def test_a_bead_beside_the_focus_gives_depths_of_the_right_sign(spectrum):
    # Its planes lie 0.2 um above the point: what was in focus is at depth +0.2.
    moved = spectrum * np.exp(-2j * np.pi * fft.fftfreq(N_KZ, 0.1) * 0.2)
    depths = depths_of(16, 0.1)
    found = _table(moved, depths).values[0, 0]
    sharpness = found[np.arange(found.shape[0]) > found.shape[0] // 4].sum(axis=0)
    assert depths[int(sharpness.argmax())] == pytest.approx(0.2)


def test_beyond_the_measured_stack_and_the_cutoff_there_is_nothing(spectrum):
    depths = depths_of(40, 0.15)
    wide = spectrum + 0.01 * np.abs(spectrum).max()
    found = _table(wide, depths)
    for place, depth in enumerate(depths):
        assert np.all(found.values[..., place] == 0) == (abs(depth) > 2.05)
    assert np.all(found.lateral(0, 0, OPTICS.cutoff * np.array([1.0, 1.2])) == 0)


def test_an_otf_of_one_plane_serves_one_plane_only():
    focus = in_focus(KR_STEP * np.arange(N_KR), OPTICS.cutoff)
    pages = to_makeotf(np.stack([focus, 0.4 * focus])[..., None] + 0j)
    assert pages.shape == (2, N_KR, 2)
    assert_allclose(_table(pages, (0.0,), 2).transfer(1, 0, KR), in_focus(KR, OPTICS.cutoff), atol=0.01)
    with pytest.raises(InputError, match=r"an OTF of one plane for a volume"):
        _table(pages, n_orders=2)


def test_what_is_left_out_is_told(spectrum):
    assert imaginary_share(to_makeotf(spectrum), KR_STEP, KZ_STEP, OPTICS, 3) < 1e-6
    turned = spectrum.copy()
    turned[2] *= np.exp(3j * KR_STEP * np.arange(N_KR))[:, None]
    assert imaginary_share(to_makeotf(turned), KR_STEP, KZ_STEP, OPTICS, 3) > 0.1


def _error(array, n_orders=3, kr_step=KR_STEP):
    with pytest.raises(InputError) as caught:
        file_table(array, kr_step, KZ_STEP, OPTICS, n_orders, DEPTHS)
    return caught.value


def test_what_is_no_otf_is_refused(spectrum):
    pages = to_makeotf(spectrum)
    rng = np.random.default_rng(0)
    psf = np.exp(-((np.arange(192)[:, None] - 96) ** 2 + (np.arange(192) - 96) ** 2) / 20.0)
    for array, words in (
        (rng.normal(size=(15, 192, 192)), "15 x 192 x 192 real"),
        (rng.integers(0, 999, (3, 192, 192), np.uint16), "whole numbers (uint16)"),
        (np.stack([psf] * 3), "not highest at kr = 0"),
        (psf, "192 x 192 real"),
        (pages[:2], "2 x 65 x 82 real"),
        (pages[..., :-1], "3 x 65 x 81 real"),
        (spectrum[..., None], "3 x 65 x 41 x 1 complex"),
        (spectrum[0], "65 x 41 complex"),
        (0 * pages, "not highest at kr = 0"),
        (np.where(pages == pages.max(), np.nan, pages), "NaN"),
    ):
        error = _error(array)
        assert error.field == "acquisition.otf.path"
        assert words in error.got
        assert error.takes


def test_orders_that_do_not_fit_the_beams_are_refused(spectrum):
    error = _error(to_makeotf(spectrum), n_orders=2)
    assert "3 x 65 x 82" in error.got
    assert error.takes.startswith("2 pages")


def test_an_order_that_is_dark_in_focus_is_refused(spectrum):
    # The bead lay where the axial stripes are dark.
    table = theory_3d(OPTICS, VECTORS, 3, depths_of(N_KZ, 0.1))
    stripes = OPTICS.axial_frequency(float(np.hypot(*VECTORS.T).mean()))
    values = table.values.copy()
    values[:, 1] = table.values[:, 0] * np.sin(2 * np.pi * stripes * np.asarray(table.depths_um))
    array = from_table(replace(table, values=values), KR_STEP, N_KR)
    assert "order 1 that is dark in focus" in _error(array).got
    empty = spectrum.copy()
    empty[2] = 0
    assert "order 2 that is dark in focus" in _error(empty).got


def test_a_step_that_holds_the_whole_otf_in_one_sample_is_refused(spectrum):
    error = _error(to_makeotf(spectrum), kr_step=10.0)
    assert error.field == "acquisition.otf.kr_step_per_um"
