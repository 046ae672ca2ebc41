"""What every panel stands on: napari finds the plugin, and a real window draws what it is given."""

import os
import subprocess
import sys

import numpy as np
import pytest

_IMPORT_ALL_PANELS = """
import importlib, pkgutil, sys, napari_nstm._qt as room
for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    importlib.import_module(module.name)
print("jax" in sys.modules)
"""


def test_napari_finds_the_plugin():
    npe2 = pytest.importorskip("npe2")
    manager = npe2.PluginManager()
    manager.discover()
    assert manager.get_manifest("napari-nstm").display_name == "Neural space-time model"


def test_panels_open_without_jax():
    # jax takes seconds to import: a panel must not wait for it, only a fit needs it.
    done = subprocess.run([sys.executable, "-c", _IMPORT_ALL_PANELS], check=False, capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("False", 0), done.stderr


def test_binding_is_the_one_asked_for(qapp):
    qtpy = pytest.importorskip("qtpy")
    asked_for = os.environ.get("QT_API", qtpy.API)
    assert asked_for == qtpy.API
    assert type(qapp).__module__.partition(".")[0].lower() == asked_for


def test_a_window_draws_the_layer_it_is_given(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy(show=True)
    # The left half dark, the right half bright: asserted on pixels, since an empty canvas has a shape too.
    image = np.repeat(np.repeat(np.float32([[0, 1]]), 64, axis=0), 32, axis=1)
    viewer.add_image(image, contrast_limits=(0, 1), colormap="gray")
    viewer.reset_view()
    canvas = viewer.screenshot(canvas_only=True, flash=False)[..., 0].astype(float)
    middle = canvas[canvas.shape[0] // 2]
    dark, bright = middle[int(0.45 * middle.size)], middle[int(0.55 * middle.size)]
    assert dark < 20
    assert bright > 235
