"""Views of a result: moments and depths in colours, spectra on one scale."""

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from tests._qt.small_store import BLOB, PIXEL_UM, SHAPE, TIMES_MS, write_store
from tests._qt.turning_store import write_turning

from napari_nstm._qt.layers.views import depth_view, spectra_view, time_view
from napari_nstm.io.store import StoreWriter

LIMITS = (0.0, 1.0)


def made(layers):
    return [Layer.create(*one) for one in layers]


def test_what_drifts_is_coloured_and_what_is_dark_is_black(tmp_path):
    stored = write_store(tmp_path / "a.zarr", drift_px=(0.0, -12.0))
    picture, key = made(time_view(stored, "cells", LIMITS))
    assert (picture.name, key.name) == ("coloured by time — cells", "coloured by time, key — cells")
    assert picture.rgb
    assert picture.data.shape == (*SHAPE, 3)
    row = picture.data[BLOB[0]].astype(int)
    # It goes to the left: the first moment, red, is the rightmost; the last, blue, is the leftmost.
    red, green, blue = (np.average(np.arange(60), weights=row[:, k] ** 3 + 1e-9) for k in range(3))
    assert blue + 1 < green < red - 1
    assert picture.data[2, 2].max() < 5
    still = write_store(tmp_path / "b.zarr", drift_px=(0.0, 0.0))
    grey = made(time_view(still, "cells", LIMITS))[0].data.astype(int)
    assert np.ptp(grey, axis=-1).max() <= 2
    assert grey.max() > 240


def test_the_number_of_moments_can_be_chosen_and_is_told(tmp_path):
    stored = write_store(tmp_path / "a.zarr")
    three, five = (made(time_view(stored, "cells", LIMITS, n))[0] for n in (3, 5))
    assert three.metadata["napari_nstm"]["time_text"] == "3 moments, 10 ms to 45 ms"
    assert five.metadata["napari_nstm"]["time_text"].startswith("5 moments, ")
    assert not np.array_equal(three.data, five.data)
    json.dumps(three.metadata["napari_nstm"])


def test_views_lie_upon_the_result(tmp_path):
    stored = write_store(tmp_path / "a.zarr", n_planes=4)
    picture, key = made(time_view(stored, "cells", LIMITS))
    assert picture.data.shape == (4, *SHAPE, 3)
    np.testing.assert_allclose(picture.scale, PIXEL_UM)
    np.testing.assert_allclose(picture.translate, 0)
    assert key.extent.world[1][0] < picture.extent.world[0][1]


def test_views_of_a_region_lie_upon_it(tmp_path):
    whole, region = (
        made(time_view(write_turning(tmp_path / name, origin_um=origin), "cells", LIMITS))
        for name, origin in (("a.zarr", ()), ("b.zarr", (3.0, 5.0)))
    )
    for one, other in zip(whole, region, strict=True):  # the picture and its key
        np.testing.assert_allclose(other.translate - one.translate, (3, 5))


@pytest.fixture
def volume(tmp_path):
    """A store whose phase is brightest in plane 3 at the first moment; the blob drifts within the plane."""
    stored = write_store(tmp_path / "v.zarr", n_planes=5)
    canvas, motion = stored.canvas(), stored.motion()
    weights = np.float32([0.2, 0.2, 0.2, 1.0, 0.2])[None, :, None, None]
    scene = canvas.__class__(canvas.coefficients * weights, canvas.origin_px, canvas.spacing_px, canvas.order)
    writer = StoreWriter.create(tmp_path / "deep.zarr", stored.record.changed({"status": "running"}))
    return writer.finish("finished", scene, motion, {"step": np.asarray(1)}, step=100)


def test_depth_is_the_hue_at_every_moment_and_at_every_plane(volume):
    picture, key = made(depth_view(volume, "cells", LIMITS))
    assert picture.data.shape == (len(TIMES_MS), 1, *SHAPE, 3)
    color = picture.data[0, 0, *BLOB].astype(int)
    # Plane 3 of 5: between green and red.
    assert color[0] > 100
    assert color[1] > 100
    assert color[2] < 30
    assert key.rgb
    # The slider's z: seen from the first plane to the last.
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 5, *SHAPE)), scale=(1, *(PIXEL_UM,) * 3))
    viewer.add_layer(picture)
    for plane in range(5):
        viewer.dims.set_point(1, plane * PIXEL_UM)
        assert np.asarray(picture._data_view).max() > 100, plane
    # And it scrubs through time.
    first = np.array(picture._data_view)
    viewer.dims.set_point(0, 2)
    assert not np.array_equal(first, picture._data_view)


def test_depths_of_a_region_lie_upon_it(volume):
    region = volume.__class__(volume.path, volume.record.changed({"origin_um": (1.0, 3.0, 5.0)}))
    for one, other in zip(made(depth_view(volume, "c", LIMITS)), made(depth_view(region, "c", LIMITS)), strict=True):
        np.testing.assert_allclose((other.translate - one.translate)[-2:], (3, 5))
    # The picture is as thick as the region: its middle is that of the planes.
    picture = made(depth_view(region, "c", LIMITS))[0]
    assert picture.extent.world[0, 1] == pytest.approx(1.0 + 2 * PIXEL_UM)


def test_spectra_leave_out_raw_frames_that_are_gone(tmp_path):
    stored = write_store(tmp_path / "a.zarr")
    job = {**stored.record.job, "acquisition": ACQUISITION}
    stored = stored.__class__(stored.path, stored.record.changed({"job": job}))
    drawing = spectra_view(stored, "cells")
    assert drawing.panels == ("conventional", "reconstruction")
    assert "raw frames are not shown" in drawing.note
    np.save(stored.path / "raw.npy", np.random.default_rng(0).random((3, 40, 60)))
    stored = stored.__class__(stored.path, stored.record.changed({"job": {**job, "raw": "raw.npy", "axes": "tyx"}}))
    drawing = spectra_view(stored, "cells")
    assert drawing.panels == ("raw frames", "conventional", "reconstruction")
    assert drawing.images.shape[0] == 3
    assert drawing.unit == "1/um"
    # Noise has power everywhere, a smooth blob only in the middle.
    edge = drawing.images[:, 10:30, 10:30].mean(axis=(1, 2))
    assert edge[0] > edge[1] + 2


ACQUISITION = {
    "pixel_size_um": PIXEL_UM,
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "source_angles_deg": [90, 270, 0],
}


def test_circles_of_the_modality_are_drawn(tmp_path, monkeypatch):
    from napari_nstm._qt.layers import views
    from napari_nstm.core.data import Circle
    from napari_nstm.imaging.registry import modality

    class WithCircles(type(modality("dpc"))):
        def support_circles(self, settings):
            return (Circle((0.0, 0.0), 2 * settings.na_objective / settings.wavelength_um, "reach"),)

    monkeypatch.setattr(views, "modality", lambda _: WithCircles())
    stored = write_store(tmp_path / "a.zarr")
    stored = stored.__class__(
        stored.path, stored.record.changed({"job": {**stored.record.job, "acquisition": ACQUISITION}})
    )
    drawing = spectra_view(stored, "cells")
    assert [circle.radius for circle in drawing.circles] == pytest.approx([2 * 0.25 / 0.525])
    assert -drawing.origin[0] == pytest.approx(1.1 * 2 * 0.25 / 0.525)
