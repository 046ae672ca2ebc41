"""What a window needs: a Qt binding and, on Linux, a screen."""

import os
import sys
from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True, scope="session")
def _screen():
    if not any(find_spec(name) for name in ("PyQt6", "PySide6")):
        pytest.skip("no Qt binding is installed")
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        pytest.fail('no screen: run under xvfb-run -a -s "-screen 0 1600x1000x24"', pytrace=False)


@pytest.fixture(autouse=True)
def _own_settings(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's presets and last values, or another test's."""
    monkeypatch.setenv("NAPARI_NSTM_CONFIG", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def window(make_napari_viewer_proxy, qtbot, tmp_path, monkeypatch):
    """A viewer with a small moving sample and the panel, opened as the menu does."""
    from tests._qt.panel_window import Window

    from napari_nstm._qt.samples import simulation_layers
    from napari_nstm.core.grids import Channel
    from napari_nstm.imaging.base import SimulationRequest
    from napari_nstm.imaging.registry import modality

    monkeypatch.setenv("NAPARI_NSTM_RUNS", str(tmp_path / "runs"))
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(1300, 760)
    simulation = modality("dpc").simulate(SimulationRequest(size=96, displacement_px=4))
    channels = (Channel("absorption", ""), Channel("phase", "rad"))
    for data, attributes, kind in simulation_layers(simulation, "dpc", channels, [0.0, 25.0, 50.0, 75.0], "sample"):
        getattr(viewer, f"add_{kind}")(data, **attributes)
    _, panel = viewer.window.add_plugin_dock_widget("napari-nstm", "Reconstruct a moving sample")
    panel.form.fit.set_content({**panel.form.fit.content(), "epochs": 200})
    qtbot.waitUntil(panel.bar.button.isEnabled)
    yield Window(viewer, panel)
    panel.shutdown()


@pytest.fixture
def background(qapp):
    from napari_nstm._qt.background import Background

    made = Background()
    yield made
    made.close(wait=True)


@pytest.fixture
def stored(tmp_path):
    from tests._qt.small_store import write_store

    return write_store(tmp_path / "result.zarr")
