"""Spectra of images of different pixels stand on one scale."""

import numpy as np

from napari_nstm.analysis.spectra import side_by_side
from napari_nstm.core.data import Circle


def wave(ky, kx, n, pixel_um):
    y, x = np.meshgrid(*(pixel_um * np.arange(n),) * 2, indexing="ij")
    return np.cos(2 * np.pi * (ky * y + kx * x))


def brightest(drawing, panel):
    """Frequency (ky, kx) of the brightest sample with kx > 0."""
    image = drawing.images[panel].copy()
    image[:, : image.shape[1] // 2] = image.min()
    place = np.unravel_index(image.argmax(), image.shape)
    return [o + s * p for o, s, p in zip(drawing.origin, drawing.step, place, strict=True)]


def test_one_wave_is_at_one_place_whatever_the_pixels():
    noise = 0.01 * np.random.default_rng(0).normal(size=(200, 200))
    images = {
        "raw": (wave(1.0, 2.0, 100, 0.1) + noise[:100, :100], 0.1),
        "result": (wave(1.0, 2.0, 200, 0.05) + noise, 0.05),
    }
    drawing = side_by_side(images)
    assert drawing.panels == ("raw", "result")
    assert drawing.unit == "1/um"
    for panel in (0, 1):
        np.testing.assert_allclose(brightest(drawing, panel), (1.0, 2.0), atol=0.08)
    # The finer one reaches twice as far; beyond its own frequencies the coarse one is dark.
    assert drawing.origin[0] == -10
    corner = drawing.images[:, 2:10, 2:10]
    assert corner[0].max() == drawing.images.min()
    assert corner[1].min() > corner[0].max()


def test_with_circles_the_scale_ends_a_little_beyond_the_largest():
    circles = (Circle((0.0, 0.0), 2.0, "a"), Circle((0.0, 0.0), 4.0, "b"))
    drawing = side_by_side({"result": (wave(1.0, 2.0, 200, 0.05), 0.05)}, circles)
    assert drawing.circles == circles
    assert 4.0 < -drawing.origin[0] < 5.0
    np.testing.assert_allclose(brightest(drawing, 0), (1.0, 2.0), atol=0.08)


def test_an_image_that_is_all_alike_is_dark_and_planes_are_averaged():
    drawing = side_by_side({"flat": (np.ones((64, 64)), 0.1), "volume": (np.stack([wave(1, 2, 64, 0.1)] * 3), 0.1)})
    assert np.isfinite(drawing.images).all()
    assert drawing.images[0].max() == drawing.images.min()
    np.testing.assert_allclose(brightest(drawing, 1), (1.0, 2.0), atol=0.1)
