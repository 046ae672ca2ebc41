"""Live layers follow previews in place, and leave alone what the user did."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from tests._qt.small_store import write_store

from napari_nstm._qt.layers.result import read_result
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.running.live import LiveLayers
from napari_nstm.core.events import Preview

PX = 0.5
TIMES_MS = (0.0, 10.0, 20.0)  # previews show the second


def show(live, *previews, share=0.1):
    """Show each often enough for all its layers to be made."""
    for one in previews:
        for _ in range(3):
            live.show(one, share, TIMES_MS)


def preview(size=64, step_px=1, low=0.0, u_px=3.0, step=1):
    """A bright square; everything moves to the right."""
    n = size // step_px
    phase = np.full((n, n), low, np.float32)
    phase[n // 4 : 3 * n // 4, n // 4 : 3 * n // 4] = low + 1
    motion = np.zeros((2, 8, 8), np.float32)
    motion[1] = u_px * PX
    scene = np.stack([0.1 * phase, phase])
    names = (("absorption", "phase"), ("", "rad"))
    return Preview("run", step, 0, 10.0, scene, motion, (step_px, step_px), (8, 8), (PX, PX), *names)


@pytest.fixture
def viewer():
    return ViewerModel()


def test_one_image_a_channel_and_one_layer_of_arrows(viewer):
    live = LiveLayers(viewer, "cells")
    show(live, preview(step_px=4))
    assert [layer.name for layer in viewer.layers] == ["absorption — cells", "phase — cells", "motion — cells"]
    assert [layer.visible for layer in viewer.layers] == [False, True, True]
    _, phase, motion = viewer.layers
    np.testing.assert_allclose(phase.scale, (2.0, 2.0))
    np.testing.assert_allclose(motion.scale, (1, PX, PX))
    assert (motion.data[:, 0, 0] == 1).all(), "they stand at the frame that is shown"
    assert [str(unit) for unit in phase.units] == ["micrometer", "micrometer"]


def in_colors(**more):
    one = preview(**more)
    scene = np.stack([0.5 * one.scene[1], one.scene[1], 0.25 * one.scene[1]])
    return replace(one, scene=scene, channels=("red", "green", "blue"), units=("counts",) * 3)


def test_colours_are_one_picture_from_the_first_preview_on(viewer):
    live = LiveLayers(viewer, "ball")
    live.show(in_colors(step_px=4), 0.0, TIMES_MS)
    assert [layer.name for layer in viewer.layers] == ["red — ball", "green — ball", "blue — ball"]
    assert [layer.blending for layer in viewer.layers] == ["opaque", "additive", "additive"]
    assert all(layer.visible for layer in viewer.layers)
    show(live, in_colors(low=2.0))
    limits = {tuple(layer.contrast_limits) for layer in list(viewer.layers)[:3]}
    assert limits == {(0.5, 3.0)}, "the darkest of all and the brightest"
    assert viewer.layers[-1].edge_color[:, 3].any()


def test_colours_that_were_deleted_come_back_in_their_order(viewer, tmp_path):
    live = LiveLayers(viewer, "ball")
    show(live, in_colors())
    viewer.layers.remove(viewer.layers["red — ball"])
    for _ in live.become(read_result(write_store(tmp_path / "a.zarr", in_colors=True))):
        pass
    assert [layer.name for layer in viewer.layers if layer.visible] == [
        *(f"{color} — ball" for color in ("red", "green", "blue")),
        "motion — ball",
    ]


def test_a_raw_image_that_is_larger_than_the_scene_makes_room(viewer):
    raw = viewer.add_image(np.zeros((128, 128)), scale=(PX, PX))
    same = viewer.add_image(np.zeros((64, 64)), scale=(PX, PX))
    elsewhere = viewer.add_image(np.zeros((128, 128)), scale=(PX, PX), translate=(100, 0))
    live = LiveLayers(viewer, "hand")
    show(live, preview(step_px=4))
    assert (raw.visible, same.visible, elsewhere.visible) == (False, True, True)
    assert viewer.scene.camera.center[-2:] == pytest.approx((64 * PX / 2,) * 2)
    raw.visible = True
    show(live, preview())
    assert raw.visible, "who wants to see it is not contradicted"


def test_of_one_raw_image_the_slider_has_all_moments(viewer):
    viewer.add_image(np.zeros((64, 64)), scale=(PX, PX))
    live = LiveLayers(viewer, "hand")
    show(live, preview(u_px=3))
    assert viewer.dims.nsteps[0] == len(TIMES_MS)
    assert viewer.dims.point[0] == 1, "the moment that is shown"
    motion = viewer.layers["motion — hand"]
    assert sorted(set(motion.data[:, 0, 0])) == [0, 1, 2]
    assert not motion.edge_color[motion.data[:, 0, 0] != 1, 3].any()
    n = len(motion.data)
    show(live, preview(u_px=6))
    assert len(motion.data) == n
    np.testing.assert_allclose(motion.data[motion.data[:, 0, 0] == 1][:, 1, 2], 6, atol=1e-5)


def test_layers_are_made_one_at_a_time_the_picture_first(viewer):
    live = LiveLayers(viewer, "cells")
    names = []
    for _ in range(4):
        live.show(preview(), 0.0, TIMES_MS)
        names.append([layer.name.partition(" ")[0] for layer in viewer.layers])
    assert names == [["phase"], ["phase", "motion"], *[["absorption", "phase", "motion"]] * 2]


def test_finer_pictures_come_into_the_same_layers(viewer):
    live = LiveLayers(viewer, "cells")
    show(live, preview(step_px=4))
    before, n = list(viewer.layers), len(viewer.layers[-1].data)
    show(live, preview(step_px=1, u_px=5))
    assert list(viewer.layers) == before
    assert viewer.layers["phase — cells"].data.shape == (64, 64)
    np.testing.assert_allclose(viewer.layers["phase — cells"].scale, (PX, PX))
    # The field stays where it is: sample 0 of every grid coincides.
    np.testing.assert_allclose(viewer.layers["phase — cells"].translate, 0)
    assert len(viewer.layers["motion — cells"].data) == n <= 2500


def test_arrows_have_the_length_of_the_motion_where_something_is_seen(viewer):
    live = LiveLayers(viewer, "cells")
    show(live, preview(u_px=3))
    show(live, preview(u_px=6))
    motion = viewer.layers["motion — cells"]
    np.testing.assert_allclose(motion.data[:, 1], np.tile([0, 0, 6], (len(motion.data), 1)), atol=1e-5)
    starts, alpha = motion.data[:, 0, 1:], motion.edge_color[:, 3]
    inside = (np.abs(starts + np.array([0, 6]) - 32) < 12).all(axis=1)  # where their tips are now
    corner = (starts < 6).all(axis=1)
    assert (alpha[inside] > 0.5).all()
    assert (alpha[corner] == 0).all()


def test_contrast_follows_then_stays(viewer):
    live = LiveLayers(viewer, "cells")
    phase = None
    for share in (0.0, 0.2, 0.4):
        show(live, preview(low=10 * share), share=share)
        phase = viewer.layers["phase — cells"]
        assert phase.contrast_limits[0] == pytest.approx(10 * share)
    show(live, preview(low=100), share=0.8)
    assert phase.contrast_limits[0] == pytest.approx(4)


def test_contrast_that_the_user_set_is_theirs(viewer):
    live = LiveLayers(viewer, "cells")
    show(live, preview())
    viewer.layers["phase — cells"].contrast_limits = (0.2, 0.8)
    show(live, preview(low=5))
    assert list(viewer.layers["phase — cells"].contrast_limits) == [0.2, 0.8]


def test_a_layer_that_the_user_deleted_does_not_come_back_before_the_end(viewer):
    live = LiveLayers(viewer, "cells")
    show(live, preview())
    viewer.layers.remove("phase — cells")
    show(live, preview(u_px=7))
    assert [layer.name for layer in viewer.layers] == ["absorption — cells", "motion — cells"]
    assert viewer.layers["motion — cells"].data[0, 1, 2] == pytest.approx(7)


def test_layers_of_an_earlier_run_are_left_alone(viewer):
    first = LiveLayers(viewer, "cells")
    show(first, preview(u_px=3))
    second = LiveLayers(viewer, "cells (2)")
    show(second, preview(low=9, u_px=9))
    assert viewer.layers["phase — cells"].data.min() == 0
    assert viewer.layers["motion — cells"].data[0, 1, 2] == pytest.approx(3)
    list(second.remove())
    assert [layer.name for layer in viewer.layers] == ["absorption — cells", "phase — cells", "motion — cells"]


def test_the_result_takes_their_place_and_keeps_what_the_user_chose(viewer, tmp_path):
    result = read_result(write_store(tmp_path / "result.zarr"))
    raw = viewer.add_image(np.zeros((len(result.times_ms), *result.reconstruction[0].shape[1:])), scale=(1, PX, PX))
    live = LiveLayers(viewer, "cells")
    show(live, preview())
    viewer.layers["phase — cells"].colormap = "magma"
    viewer.layers["motion — cells"].visible = False
    viewer.scene.camera.zoom = 3.0
    viewer.dims.set_current_step(0, 1)
    motion = viewer.layers["motion — cells"]
    made = list(live.become(result))
    assert viewer.layers[0] is raw
    assert [layer.name for layer in viewer.layers][1:] == [
        "conventional absorption — cells",
        "conventional phase — cells",
        "absorption — cells",
        "phase — cells",
        "motion — cells",
    ]
    assert set(made) == set(list(viewer.layers)[1:])
    assert viewer.layers["motion — cells"] is motion, "turned into the result, not made anew"
    assert len(motion.data) == len(motion.edge_color) == len(result.times_ms) * result.points.n
    phase = viewer.layers["phase — cells"]
    assert phase.data.shape == result.reconstruction[1].shape
    assert phase.colormap.name == "magma"
    assert not viewer.layers["motion — cells"].visible
    assert known_of(phase)["kind"] == "reconstruction"
    assert viewer.scene.camera.zoom == 3.0
    assert viewer.dims.current_step[0] == 1
