import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Vectors

from napari_nstm._qt.layers.time_text import show_times

TIMES_MS = [10.0, 20.0, 45.0]


def result(**known):
    about = {"kind": "reconstruction", "times_ms": TIMES_MS, **known}
    return Image(np.zeros((3, 8, 9)), scale=(1, 0.25, 0.25), metadata={"napari_nstm": about})


@pytest.fixture
def viewer():
    return ViewerModel()


def test_the_text_follows_the_slider_with_true_times(viewer):
    show_times(viewer)
    text, bar = viewer.canvas.overlays.text, viewer.canvas.overlays.scale_bar
    assert not text.visible
    viewer.add_layer(result())
    seen = []
    for step in range(3):
        viewer.dims.set_current_step(0, step)
        seen.append(text.text)
    assert seen == ["10 ms", "20 ms", "45 ms"]
    assert text.visible
    assert bar.visible


def test_text_and_bar_are_there_only_with_a_layer_that_knows_its_times(viewer, qtbot):
    show_times(viewer)
    text, bar = viewer.canvas.overlays.text, viewer.canvas.overlays.scale_bar
    viewer.add_image(np.zeros((3, 8, 9)))
    assert (text.text, text.visible, bar.visible) == ("", False, False)
    layer = viewer.add_layer(result())
    layer.visible = False
    assert (text.text, text.visible, bar.visible) == ("", False, False)
    layer.visible = True
    assert (text.text, text.visible, bar.visible) == ("20 ms", True, True)
    viewer.layers.remove(layer)
    # Not before the canvas was drawn without the layer.
    assert (text.visible, bar.visible) == (True, True)
    qtbot.waitUntil(lambda: (text.text, text.visible, bar.visible) == ("", False, False))


def test_the_topmost_layer_counts_also_beside_more_dimensions(viewer):
    show_times(viewer)
    viewer.add_layer(result())
    upper = viewer.add_layer(result(times_ms=[1.0, 2.0, 3.0]))
    viewer.add_image(np.zeros((2, 5, 8, 9)))  # five frames: the slider goes on beyond the result
    text = viewer.canvas.overlays.text
    viewer.dims.set_current_step(1, 2)
    assert text.text == "3 ms"
    viewer.layers.move(viewer.layers.index(upper), 0)
    assert text.text == "45 ms"
    viewer.dims.set_current_step(1, 4)
    assert text.text == ""


def test_arrows_say_since_when_and_how_they_are_drawn(viewer):
    show_times(viewer)
    viewer.add_layer(result())
    known = {"kind": "motion", "times_ms": TIMES_MS, "since_ms": 10.0}
    arrows = Vectors(np.zeros((3, 2, 3)), length=5, metadata={"napari_nstm": known})
    viewer.add_layer(arrows)
    text = viewer.canvas.overlays.text
    assert text.text.splitlines()[1] == "arrows: since 10 ms, drawn 5x"
    arrows.length = 1
    assert text.text.splitlines()[1] == "arrows: since 10 ms"
    arrows.metadata = {"napari_nstm": {**known, "since_ms": None, "successive": True}}
    assert text.text.splitlines()[1] == "arrows: to the next moment"
    arrows.visible = False
    assert "arrows" not in text.text


def test_a_layer_of_one_moment_has_its_time(viewer):
    show_times(viewer)
    layer = viewer.add_layer(Image(np.zeros((8, 9)), metadata={"napari_nstm": {"kind": "preview", "time_ms": 12.5}}))
    assert viewer.canvas.overlays.text.text == "12.5 ms"
    layer.metadata = {"napari_nstm": {"kind": "preview", "time_ms": 30.0}}
    assert viewer.canvas.overlays.text.text == "30 ms"


def test_what_the_user_wrote_or_set_is_left_alone(viewer):
    text, bar = viewer.canvas.overlays.text, viewer.canvas.overlays.scale_bar
    text.text, text.visible, bar.visible = "my cells", True, True
    show_times(viewer)
    layer = viewer.add_layer(result())
    viewer.dims.set_current_step(0, 2)
    assert text.text == "my cells"
    viewer.layers.remove(layer)
    assert (text.text, text.visible, bar.visible) == ("my cells", True, True)


def test_what_the_user_hides_stays_hidden(viewer):
    show_times(viewer)
    viewer.add_layer(result())
    text, bar = viewer.canvas.overlays.text, viewer.canvas.overlays.scale_bar
    text.visible = bar.visible = False
    viewer.dims.set_current_step(0, 2)
    assert (text.text, text.visible, bar.visible) == ("45 ms", False, False)


def test_one_for_each_viewer_which_goes_with_it(make_napari_viewer_proxy):
    proxy = make_napari_viewer_proxy()
    assert show_times(proxy) is show_times(proxy)
    proxy.add_image(np.zeros((3, 8, 9)), metadata={"napari_nstm": {"times_ms": TIMES_MS}})
    assert proxy.canvas.overlays.text.text == "20 ms"
    viewer = ViewerModel()
    gone = weakref.ref(show_times(viewer))
    del viewer
    gc.collect()
    assert gone() is None
