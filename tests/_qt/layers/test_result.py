import json

import numpy as np
import pytest
from napari.layers import Layer
from tests._qt.result_in_viewer import recolor
from tests._qt.small_store import BLOB, DRIFT_PX, PIXEL_UM, SHAPE, TIMES_MS, write_store
from tests._qt.turning_store import write_turning

from napari_nstm._qt.layers import result as result_module
from napari_nstm._qt.layers.result import on_slider, read_result, result_layers
from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.io.colors import direction_colors
from napari_nstm.io.result import StoredResult
from napari_nstm.io.store import StoreWriter


def made(stored, **kwargs):
    """Layers by name."""
    layers = [Layer.create(*layer) for layer in result_layers(stored, "cells", **kwargs)]
    return {layer.name: layer for layer in layers}


def test_layers_are_named_ordered_and_shown_as_a_user_expects(tmp_path):
    layers = made(write_store(tmp_path / "a.zarr"))
    assert {name: layer.visible for name, layer in layers.items()} == {
        "conventional absorption — cells": False,
        "conventional phase — cells": False,
        "absorption — cells": False,
        "phase — cells": True,
        "motion — cells": True,
    }
    assert list(layers)[-2:] == ["phase — cells", "motion — cells"]  # topmost last


def test_layers_lie_upon_each_other_in_um(tmp_path):
    layers = made(write_store(tmp_path / "a.zarr"))
    for layer in layers.values():
        in_time = layer.ndim == 3
        assert tuple(layer.scale) == (1.0,) * in_time + (PIXEL_UM, PIXEL_UM)
        assert [str(unit) for unit in layer.units] == ["pixel"] * in_time + ["micrometer"] * 2
        assert layer.axis_labels == ("t",) * in_time + ("y", "x")
    np.testing.assert_allclose(layers["phase — cells"].extent.world[:, 0], [0, 2])


def test_images_hold_the_reconstruction(tmp_path):
    stored = write_store(tmp_path / "a.zarr")
    layers = made(stored)
    phase = layers["phase — cells"]
    assert phase.data.shape == (3, *SHAPE)
    for index, time in enumerate(TIMES_MS):
        np.testing.assert_allclose(phase.data[index], stored.scene_at(time)[1], atol=1e-5)
    np.testing.assert_array_equal(layers["conventional phase — cells"].data, stored.conventional[1])
    low, high = phase.contrast_limits
    assert 0 <= low < 0.05
    assert 0.7 < high <= 1
    assert layers["conventional phase — cells"].contrast_limits == phase.contrast_limits


def test_colours_add_up_to_one_picture(tmp_path):
    layers = made(write_store(tmp_path / "a.zarr", in_colors=True))
    # The lowest covers what lies below it, the others are added to it.
    assert list(layers) == [
        *(f"conventional {color} — cells" for color in ("red", "green", "blue")),
        *(f"{color} — cells" for color in ("red", "green", "blue")),
        "motion — cells",
    ]
    for kind, visible in (("conventional ", False), ("", True)):
        found = [layers[f"{kind}{color} — cells"] for color in ("red", "green", "blue")]
        assert [layer.colormap.name for layer in found] == ["red", "green", "blue"]
        assert [layer.blending for layer in found] == ["opaque", "additive", "additive"]
        assert [layer.visible for layer in found] == [visible] * 3
        # White stays white: what is brightest of all is full.
        assert len({tuple(layer.contrast_limits) for layer in found}) == 1
        assert 0.7 < found[0].contrast_limits[1] <= 1


def test_the_window_shows_the_colours_of_the_scene(tmp_path, make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.add_image(np.full((80, 120), 255, np.uint8), scale=(PIXEL_UM, PIXEL_UM), name="white, below")
    layers = result_layers(write_store(tmp_path / "a.zarr", in_colors=True), "cells")
    for layer in layers[:-1]:
        viewer.add_layer(Layer.create(*layer))
    viewer.layers["white, below"].visible = True
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0.0, *(PIXEL_UM * n for n in BLOB)), 300 / (SHAPE[0] * PIXEL_UM)
    viewer.dims.set_current_step(0, 0)
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    middle = picture[tuple(n // 2 for n in picture.shape[:2])]
    np.testing.assert_allclose(middle / middle[1], (0.5, 1.0, 0.25), atol=0.06)


def test_other_comparisons_lie_hidden_below_with_times_of_their_own(tmp_path):
    layers = made(write_store(tmp_path / "a.zarr", series=True))
    names = list(layers)
    assert names.index("widefield phase — cells") < names.index("phase — cells")
    widefield, phase = layers["widefield phase — cells"], layers["phase — cells"]
    assert not widefield.visible
    assert widefield.contrast_limits == phase.contrast_limits
    assert widefield.axis_labels == ("t", "y", "x")
    known = widefield.metadata["napari_nstm"]
    assert (known["kind"], known["comparison"], known["channel"]) == ("comparison", "widefield", "phase")
    assert known["times_ms"] == [TIMES_MS[0], TIMES_MS[-1]]
    # The slider counts frames: the second image stands where the last frame does.
    assert (widefield.translate[0], widefield.scale[0]) == (0, 2)
    np.testing.assert_allclose(widefield.data[1], 2 * widefield.data[0])
    np.testing.assert_allclose(widefield.scale[1:], phase.scale[1:])
    # A single image is there at every moment.
    assert layers["conventional phase — cells"].ndim == 2


@pytest.mark.parametrize(
    ("times", "frames", "expected"),
    [
        ([0, 25, 50], [0, 25, 50], (0, 1)),
        ([0, 50], [0, 25, 50], (0, 2)),
        ([12.5, 37.5], [0, 25, 50], (0.5, 1)),
        ([0, 1, 50], [0, 25, 50], (0, 1)),  # neither evenly spaced nor few
        ([7, 22, 37], range(45), (7, 15)),
        ([7, 22, 38], range(45), (7, 15.5)),  # few: each about where it belongs
        ([25], [0, 25, 50], (0, 1)),
    ],
)
def test_moments_stand_on_the_slider_that_counts_frames(times, frames, expected):
    assert on_slider(times, list(frames)) == pytest.approx(expected)


def test_arrows_hold_the_motion_in_pixels_and_hide_where_nothing_is(tmp_path):
    layer = made(write_store(tmp_path / "a.zarr"))["motion — cells"]
    last = layer.data[:, 0, 0] == 2
    np.testing.assert_allclose(layer.data[last, 1, 1:], np.broadcast_to(DRIFT_PX, (last.sum(), 2)), atol=1e-3)
    first = layer.data[:, 0, 0] == 0
    assert not np.any(layer.edge_color[first, 3])  # nothing has moved yet
    distance = np.hypot(*(layer.data[last, 0, 1:] - BLOB).T)
    alpha = layer.edge_color[last, 3]
    assert alpha[distance < 6].all()
    assert not alpha[distance > 22].any()
    direction = direction_colors(np.arctan2(*DRIFT_PX)) / 255
    np.testing.assert_allclose(layer.edge_color[last][alpha > 0, :3].mean(axis=0), direction, atol=0.01)


def test_small_motion_is_drawn_longer_and_its_data_stay_true(tmp_path):
    layer = made(write_store(tmp_path / "a.zarr", drift_px=(0.0, 0.1)))["motion — cells"]
    assert layer.length > 5
    assert np.abs(layer.data[:, 1, 2]).max() == pytest.approx(0.1, abs=1e-3)


def test_colour_can_tell_speed_and_be_changed(tmp_path):
    stored = write_store(tmp_path / "a.zarr")
    by_direction, by_speed = made(stored)["motion — cells"], made(stored, arrow_color="speed")["motion — cells"]
    assert not np.allclose(by_direction.edge_color, by_speed.edge_color)
    recolor(by_speed, "direction")
    seen = by_direction.edge_color[:, 3] > 0
    np.testing.assert_allclose(by_speed.edge_color[seen], by_direction.edge_color[seen], atol=1e-6)
    np.testing.assert_array_equal(by_speed.edge_color[:, 3], by_direction.edge_color[:, 3])


def test_metadata_say_what_a_layer_is_and_where_it_comes_from(tmp_path):
    stored = write_store(tmp_path / "a.zarr")
    layers = made(stored)
    known = {name: layer.metadata["napari_nstm"] for name, layer in layers.items()}
    kinds = [about["kind"] for about in known.values()]
    assert kinds == ["conventional", "conventional", "reconstruction", "reconstruction", "motion"]
    phase = known["phase — cells"]
    assert (phase["channel"], phase["unit"], phase["run_id"]) == ("phase", "rad", "run-1")
    assert phase["store"] == str(stored.path)
    assert phase["times_ms"] == list(TIMES_MS)
    assert phase["job"]["modality"] == "dpc"
    assert phase["record"]["status"] == "finished"
    json.dumps(known)


def test_a_large_result_stays_on_the_disk(tmp_path, monkeypatch):
    stored = write_store(tmp_path / "a.zarr")
    in_memory = made(stored)["phase — cells"]
    monkeypatch.setattr(result_module, "LARGE_BYTES", 1)
    lazy = made(stored)["phase — cells"]
    assert isinstance(in_memory.data, np.ndarray)
    assert not isinstance(lazy.data, np.ndarray)
    np.testing.assert_array_equal(np.asarray(lazy.data), in_memory.data)
    assert lazy.contrast_limits == in_memory.contrast_limits


@pytest.mark.parametrize("status", ["running", "stopped", "diverged"])
def test_what_an_unfinished_run_reached_is_shown(tmp_path, status):
    finished = made(write_store(tmp_path / "finished.zarr"))
    layers = made(write_store(tmp_path / "a.zarr", status, conventional=False))
    assert list(layers) == ["absorption — cells", "phase — cells", "motion — cells"]
    np.testing.assert_allclose(layers["phase — cells"].data, finished["phase — cells"].data, atol=1e-5)
    np.testing.assert_allclose(layers["motion — cells"].data, finished["motion — cells"].data, atol=1e-5)
    assert layers["phase — cells"].metadata["napari_nstm"]["record"]["status"] == status


def test_a_volume_has_arrows_in_its_planes(tmp_path):
    layers = made(write_store(tmp_path / "a.zarr", n_planes=5))
    assert layers["phase — cells"].data.shape == (3, 5, *SHAPE)
    arrows = layers["motion — cells"]
    assert arrows.ndim == 4
    assert arrows.axis_labels == ("t", "z", "y", "x")
    np.testing.assert_array_equal(arrows.data[:, 0, 1], np.rint(arrows.data[:, 0, 1]))
    assert np.any(arrows.edge_color[:, 3])


def test_nothing_to_show_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_result(tmp_path / "none.zarr")
    record = write_store(tmp_path / "a.zarr").record.changed({"status": "running"})
    StoreWriter.create(tmp_path / "young.zarr", record)
    with pytest.raises(StoreError, match="nothing to show yet"):
        read_result(tmp_path / "young.zarr")


def test_a_window_draws_picture_and_arrows_at_each_moment(tmp_path, make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(800, 700)
    for data, attributes, kind in result_layers(write_store(tmp_path / "a.zarr"), "cells"):
        viewer.add_layer(Layer.create(data, attributes, kind))
    viewer.reset_view()

    def canvas(step):
        viewer.dims.set_current_step(0, step)
        shown = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        return shown, np.ptp(shown, axis=-1) > 60  # coloured: arrows

    (first, no_arrows), (last, arrows) = canvas(0), canvas(2)
    assert first.max() > 200  # the blob is bright
    assert not no_arrows.any()
    assert arrows.sum() > 100
    rows, columns = np.nonzero(arrows)
    middle = np.array(last.shape[:2]) / 2  # of the canvas, where the blob is
    assert np.all(np.abs([rows.mean(), columns.mean()] - middle) < 0.15 * middle)
    color = last[arrows].mean(axis=0)
    np.testing.assert_allclose(color, direction_colors(np.arctan2(*DRIFT_PX)), atol=45)
    # The drift is seen: the picture's brightest place moves to the left.
    grey = [np.where(np.ptp(c, axis=-1) < 20, c.mean(axis=-1), 0) for c in (first, last)]
    columns = [np.average(np.arange(g.shape[1]), weights=(g**3).sum(axis=0)) for g in grey]
    assert columns[1] < columns[0] - 2


def test_layers_of_a_region_lie_where_it_lies(tmp_path):
    whole = made(write_turning(tmp_path / "a.zarr"))
    region = made(write_turning(tmp_path / "b.zarr", origin_um=(3.0, 5.0)))
    for name, layer in region.items():
        np.testing.assert_allclose(layer.translate[-2:] - whole[name].translate[-2:], (3, 5), err_msg=name)
        np.testing.assert_allclose(layer.scale, whole[name].scale)


def test_a_part_of_the_frames_stands_where_they_were_taken(stored):
    """The slider counts raw frames: of a run that began with the sixth, the first moment is there."""
    part = StoredResult(stored.path, stored.record.changed({"job": {**stored.record.job, "frames": [5, 3]}}))
    for (_, whole, _), (_, cut, _) in zip(result_layers(stored, "a"), result_layers(part, "a"), strict=True):
        in_time = len(whole["axis_labels"]) == 3
        assert cut["translate"][0] - whole["translate"][0] == (5 if in_time else 0)
        assert cut["translate"][-2:] == whole["translate"][-2:]
    assert on_slider((0.0, 10.0), (0.0, 10.0), 5) == (5.0, 1.0)
    assert on_slider((0.0, 5.0, 10.0), (0.0, 10.0), 5) == (5.0, 0.5)
