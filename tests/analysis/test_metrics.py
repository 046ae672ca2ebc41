from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.analysis.metrics import best_constant_psnr, psnr, ssim


@pytest.fixture
def truth():
    """Two frames (y, x) with values from 0 to 2."""
    y, x = np.mgrid[:64, :80]
    frame = 1 + np.sin(2 * np.pi * x / 20) * np.cos(2 * np.pi * y / 16)
    return np.stack([frame, np.roll(frame, 3, axis=1)])


def test_an_error_of_a_hundredth_of_the_range_is_40_db(truth):
    checker = np.where(np.add(*np.mgrid[:64, :80]) % 2, 1.0, -1.0)
    assert psnr(truth + 0.02 * checker, truth) == pytest.approx(40.0, abs=0.01)
    assert psnr(truth, truth) == float("inf")


def test_each_frame_may_have_an_offset_of_its_own_where_means_are_matched(truth):
    shifted = truth + np.reshape([5.0, -3.0], (2, 1, 1))
    assert psnr(shifted, truth) > 200
    assert psnr(shifted, truth, match_mean=False) == pytest.approx(10 * np.log10(4 / 17), abs=1e-6)


def test_volumes_are_matched_as_a_whole_not_plane_by_plane(truth):
    volume = truth[None]
    shifted = volume + np.reshape([1.0, -1.0], (1, 2, 1, 1))
    assert psnr(shifted, volume, ndim=3) == pytest.approx(10 * np.log10(4 / 1), abs=1e-3)
    assert psnr(shifted, volume, ndim=2) > 200


def test_the_margin_does_not_count(truth):
    spoiled = truth.copy()
    spoiled[:, :20] = spoiled[:, -20:] = spoiled[:, :, :20] = spoiled[:, :, -20:] = 100.0
    assert psnr(spoiled, truth) == float("inf")
    assert psnr(spoiled, truth, margin=19) < 0
    assert ssim(spoiled, truth) == pytest.approx(1.0)


def test_the_best_constant_is_as_far_as_the_truth_varies(truth):
    inside = truth[:, 20:-20, 20:-20]
    centred = inside - inside.mean(axis=(1, 2), keepdims=True)
    expected = 10 * np.log10(4 / np.mean(centred**2))
    assert best_constant_psnr(truth) == pytest.approx(expected, abs=0.01)
    assert psnr(np.full_like(truth, 0.3), truth) == pytest.approx(best_constant_psnr(truth))


def test_structure_is_lost_with_noise_and_not_with_an_offset(truth):
    noise = np.random.default_rng(0).normal(size=truth.shape)
    values = [ssim(truth + sigma * noise, truth) for sigma in (0.0, 0.1, 0.5)]
    assert values[0] == pytest.approx(1.0)
    assert values[0] > values[1] > values[2] > 0
    assert ssim(truth + 0.7, truth) == pytest.approx(1.0)
    assert ssim(truth[0], truth[0]) == pytest.approx(1.0)  # one frame


def test_what_cannot_be_compared_is_said(truth):
    with pytest.raises(ValueError, match="shapes"):
        psnr(truth[:1], truth)
    with pytest.raises(ValueError, match="leaves nothing"):
        psnr(truth, truth, margin=32)
    with pytest.raises(ValueError, match="constant"):
        psnr(truth, np.ones_like(truth))
