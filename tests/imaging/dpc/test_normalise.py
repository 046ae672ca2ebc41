import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.dpc.layout import dpc_grid, reach_px
from napari_nstm.imaging.dpc.normalise import contrast, frames_at_level
from napari_nstm.imaging.dpc.optics import Optics
from napari_nstm.imaging.padding import pad_fading


@pytest.fixture
def signal():
    return 0.05 * np.random.default_rng(0).standard_normal((8, 40, 50))


def test_without_background_each_frame_is_divided_by_its_mean(settings, signal):
    level = np.arange(1, 9).reshape(-1, 1, 1) * 100.0
    found = contrast((level * (1 + signal)).astype(np.float32), settings().background, 4)
    centred = (1 + signal) / (1 + signal).mean(axis=(1, 2), keepdims=True) - 1
    np.testing.assert_allclose(found.frames, centred, atol=1e-5)
    np.testing.assert_allclose(found.divisor, level * (1 + signal).mean(axis=(1, 2), keepdims=True), rtol=1e-5)
    assert found.subtracted == 1


@pytest.mark.parametrize("n_values", [1, 4, 8])
def test_a_constant_belongs_to_all_frames_or_one_or_an_angle(settings, signal, n_values):
    values = np.resize(np.arange(1, n_values + 1) * 1000.0, 8)
    background = {"kind": "constant", "value": tuple(values[:n_values]) if n_values > 1 else values[0]}
    raw = np.rint(values[:, None, None] * (1 + signal)).astype(np.uint16)
    found = contrast(raw, settings(background=background).background, 4)
    np.testing.assert_allclose(found.frames, signal, atol=1e-3)
    np.testing.assert_array_equal(found.divisor[:, 0, 0], values)


@pytest.mark.parametrize("n_images", [0, 1, 4, 8])
def test_measured_images_are_divided_out(settings, signal, n_images):
    images = 500 + 400 * np.random.default_rng(1).random((max(n_images, 1), 40, 50))
    raw = np.resize(images, (8, 40, 50)) * (1 + signal)
    background = settings(background={"kind": "image", "path": "b.tif"}).background
    found = contrast(raw, background, 4, images[0] if n_images == 0 else images)
    np.testing.assert_allclose(found.frames, signal, atol=1e-5)


def test_a_wide_blur_is_the_gaussian_with_mirrored_edges(settings, signal):
    raw = 200 * (1 + signal[:2])
    background = settings(background={"kind": "blur", "sigma_px": 6}).background
    found = contrast(raw, background, 2)
    expected = np.stack([gaussian_filter(frame, 6, mode="reflect", truncate=8) for frame in raw])
    np.testing.assert_allclose(found.divisor, expected, rtol=1e-4)
    np.testing.assert_allclose(found.frames, raw / expected - 1, atol=1e-4)


def test_a_wide_blur_removes_an_uneven_lamp_and_keeps_small_parts(settings):
    y, x = np.mgrid[:200, :200]
    lamp = 1000 * (1 - 0.3 * ((y - 100) ** 2 + (x - 80) ** 2) / 2e4)
    spot = 0.1 * np.exp(-((y - 100) ** 2 + (x - 100) ** 2) / 18)
    background = settings(background={"kind": "blur", "sigma_px": 20}).background
    empty = contrast(lamp[None], background, 1).frames[0]
    assert np.ptp(empty) < 0.4 * np.ptp(lamp / lamp.mean())
    seen = contrast((lamp * (1 + spot))[None], background, 1).frames[0] - empty
    assert np.abs(seen - spot).max() < 0.005


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_frames_that_are_normalised_already_stay(settings, signal, level):
    found = contrast(level + signal, settings(background={"kind": "normalized", "level": level}).background, 4)
    np.testing.assert_allclose(found.frames, signal, atol=1e-6)
    assert found.subtracted == level


@pytest.mark.parametrize(
    ("background", "image", "field"),
    [
        ({"kind": "constant", "value": (1.0, 2.0)}, None, "background.value"),
        ({"kind": "image", "path": "b"}, None, "background.path"),
        ({"kind": "image", "path": "b"}, np.ones((50, 40)), "background.path"),
        ({"kind": "image", "path": "b"}, np.ones((3, 40, 50)), "background.path"),
        ({"kind": "image", "path": "b"}, np.full((40, 50), np.nan), "background.path"),
        ({"kind": "image", "path": "b"}, np.zeros((40, 50)), "background"),
    ],
)
def test_a_background_that_does_not_fit_is_named(settings, signal, background, image, field):
    with pytest.raises(InputError) as caught:
        contrast(1 + signal, settings(background=background).background, 4, image)
    assert caught.value.field == f"acquisition.{field}"


def test_frames_around_zero_have_no_mean_to_divide_by(settings, signal):
    with pytest.raises(InputError, match=r"^acquisition\.background: "):
        contrast(signal - 1, settings().background, 4)


def test_the_field_is_untouched_and_its_surroundings_fade_without_a_jump(settings):
    ramp = np.add.outer(np.arange(60.0), np.arange(70.0))[None].astype(np.float32)
    grid = dpc_grid((60, 70), settings())
    padded = pad_fading(ramp, grid)
    assert padded.shape == (1, *grid.padded_shape)
    np.testing.assert_array_equal(padded[(slice(None), *grid.field_slices)], ramp)
    assert np.abs(padded[0, 0]).max() < 0.03 * ramp.max()
    for axis in (1, 2):
        around = np.concatenate([padded, padded], axis)
        assert np.abs(np.diff(around, axis=axis)).max() < 0.15 * ramp.max()


def test_a_coarse_level_holds_every_second_sample_of_a_smooth_frame(settings, smooth):
    grid = dpc_grid((64, 80), settings())
    padded = smooth((2, *grid.padded_shape), sigma=(0, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(frames_at_level(padded, grid, 1), padded[:, ::2, ::2], atol=1e-3)
    assert frames_at_level(padded, grid, 0) is padded


def test_padding_reaches_as_far_as_the_optics_spread_unless_it_is_given(settings):
    auto = dpc_grid((256, 256), settings())
    reach = reach_px(Optics.from_settings(settings()), 0.454)
    assert reach * 0.454 >= 3.4 * 0.525 / 0.25
    assert min(min(pad) for pad in auto.padding) >= reach
    assert min(min(pad) for pad in dpc_grid((256, 256), settings(padding_px=50)).padding) >= 50
    assert min(dpc_grid((256, 256), settings(max_displacement_px=30)).margin) >= 30
