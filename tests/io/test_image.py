from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import yaozarrs
import zarr

from napari_nstm.core.grids import Channel
from napari_nstm.io import _arrays, _image
from napari_nstm.io._image import ImageWriter, write_image

CHANNELS = (Channel("absorption", ""), Channel("phase", "rad"))


def written(path, images, pixel_size_um, origin_um=()):
    """Write an image (t, c, [z,] y, x) and return its levels and what other programs read of it."""
    n, channels = len(images), CHANNELS[: images.shape[1]]
    write_image(path, images, channels, images.shape[2:], pixel_size_um, range(n), origin_um)
    image = yaozarrs.validate_zarr_store(path).ome_metadata()
    datasets = image.multiscales[0].datasets
    assert [one.path for one in datasets] == [str(level) for level in range(len(datasets))]
    assert sorted(one.name for one in path.iterdir()) == [one.path for one in datasets] + ["zarr.json"]
    levels = [zarr.open_array(path / one.path, mode="r") for one in datasets]
    return levels, datasets, image


def pooled(image, factors):
    """Means of blocks by brute force; blocks at the end may be cut."""
    shape = tuple(-(-n // f) for n, f in zip(image.shape, factors, strict=True))
    found = np.empty(shape)
    for index in np.ndindex(shape):
        found[index] = image[tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, factors, strict=True))].mean()
    return found


def random(shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_a_small_image_keeps_one_level_in_a_chunk_per_moment_and_channel(tmp_path):
    (level,), (dataset,), image = written(tmp_path / "image", random((2, 2, 40, 1024)), (0.5, 0.25))
    assert level.chunks == (1, 1, 40, 1024)
    assert dataset.scale_transform.scale == [1, 1, 0.5, 0.25]
    assert dataset.translation_transform is None
    assert [channel.label for channel in image.omero.channels] == ["absorption", "phase"]


def test_a_large_image_has_coarser_levels_whose_samples_lie_in_the_middle_of_their_pixels(tmp_path):
    images = random((1, 2, 35, 2051))
    levels, datasets, _ = written(tmp_path / "image", images, (0.5, 0.25), (10.0, 20.0))
    assert [level.shape for level in levels] == [(1, 2, 35, 2051), (1, 2, 18, 1026), (1, 2, 9, 513)]
    assert levels[0].chunks == (1, 1, 35, 1024)
    np.testing.assert_array_equal(levels[0][...], images)
    for level in (1, 2):
        means = pooled(np.asarray(levels[level - 1][...], np.float64), (1, 1, 2, 2))
        np.testing.assert_allclose(levels[level][...], means, atol=1e-6)
        assert datasets[level].scale_transform.scale == [1, 1, 0.5 * 2**level, 0.25 * 2**level]
        shift = (2**level - 1) / 2
        expected = [0, 0, 10 + 0.5 * shift, 20 + 0.25 * shift]
        np.testing.assert_allclose(datasets[level].translation_transform.translation, expected)
    assert datasets[0].translation_transform.translation == [0, 0, 10, 20]


def test_a_point_lies_at_the_same_place_on_every_level(tmp_path):
    """The centre of mass in um, as another program computes it from scales and translations."""
    y, x = np.ogrid[:64, :2304]
    spot = np.exp(-((y - 31.3) ** 2 + (x - 1500.7) ** 2) / 60)[None, None]
    levels, datasets, _ = written(tmp_path / "image", spot, (0.5, 0.25))
    for level, dataset in zip(levels, datasets, strict=True):
        values = np.asarray(level[0, 0], np.float64)
        start = dataset.translation_transform.translation if dataset.translation_transform else [0] * 4
        for axis, expected in ((0, 31.3 * 0.5), (1, 1500.7 * 0.25)):
            where = start[axis + 2] + dataset.scale_transform.scale[axis + 2] * np.arange(values.shape[axis])
            found = (values.sum(axis=1 - axis) * where).sum() / values.sum()
            assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("z_um", "steps"),
    [(0.05, (2, 4)), (0.25, (2, 4)), (0.4, (1, 2)), (1.0, (1, 1))],  # the pixels of level 1 are 0.5 um
)
def test_planes_are_averaged_only_while_they_are_no_further_apart_than_pixels(tmp_path, z_um, steps):
    images = random((1, 1, 6, 20, 2060))
    levels, datasets, _ = written(tmp_path / "image", images, (z_um, 0.25, 0.25))
    expected, before = images.astype(np.float64), 1
    for level, step in enumerate(steps, start=1):
        expected, before = pooled(expected, (1, 1, step // before, 2, 2)), step
        np.testing.assert_allclose(levels[level][...], expected, atol=1e-5)
        assert datasets[level].scale_transform.scale == [1, 1, z_um * step, 0.25 * 2**level, 0.25 * 2**level]
        shift = datasets[level].translation_transform.translation[2]
        assert shift == pytest.approx(z_um * (step - 1) / 2)


def test_a_single_plane_stays_where_it_is(tmp_path):
    _, datasets, _ = written(tmp_path / "image", random((1, 1, 1, 20, 1030)), (0.1, 0.25, 0.25))
    assert datasets[1].scale_transform.scale == [1, 1, 0.1, 0.5, 0.5]
    assert datasets[1].translation_transform.translation == [0, 0, 0, 0.125, 0.125]


def test_display_windows_leave_out_what_was_not_reconstructed(tmp_path):
    images = np.linspace(-1, 1, 2 * 2 * 32 * 32, dtype=np.float32).reshape(2, 2, 32, 32)
    images[:, 0, :16] = np.nan
    images[:, 1] = np.nan
    _, _, image = written(tmp_path / "image", images, (0.5, 0.5))
    first, second = (channel.window for channel in image.omero.channels)
    assert (first.min, first.max) == (pytest.approx(np.nanmin(images[:, 0])), pytest.approx(np.nanmax(images[:, 0])))
    assert first.min < first.start < first.end < first.max
    assert (second.min, second.max) == (0, 1)  # there is no number at all


def test_levels_are_made_a_chunk_at_a_time(tmp_path, monkeypatch):
    for module in (_arrays, _image):
        monkeypatch.setattr(module, "LARGEST_CHUNK_PX", 128)
    peaks = []
    for side in (512, 2048):
        path = tmp_path / str(side)
        writer = ImageWriter.create(path, CHANNELS[:1], (side, side), (0.5, 0.5), (0.0,), (), (128, 128))
        writer.array[...] = 1.0
        tracemalloc.start()
        writer.finish()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(list(path.iterdir())) == np.log2(side / 128) + 2
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] < 2048**2 * 4 / 4
