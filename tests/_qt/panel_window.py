"""A real window with a small moving sample and the panel, and how tests drive it."""

from dataclasses import dataclass
from typing import Any

from napari_nstm._qt.panel import ReconstructPanel
from napari_nstm._qt.raw_layer import known_of


@dataclass
class Window:
    viewer: Any
    panel: ReconstructPanel


def kinds(viewer):
    return [known_of(layer).get("kind") for layer in viewer.layers]


def layer_of(viewer, kind, channel=None):
    """The newest layer of a kind."""
    found = [layer for layer in viewer.layers if known_of(layer).get("kind") == kind]
    return [layer for layer in found if channel is None or known_of(layer)["channel"] == channel][-1]


def run(window):
    window.panel.bar.button.click()
    assert window.panel.session.running


def ends(window, qtbot):
    qtbot.waitUntil(lambda: not window.panel.busy, timeout=120_000)
