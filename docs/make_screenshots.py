"""Takes the pictures of the pages on napari, from the real window driven through its own widgets.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_nstm._qt.panel import PLUGIN, SAMPLE, ReconstructPanel

IMAGES = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images"
SIZE = (1366, 768)
QUALITY = 72  # of 100: text stays sharp, and the files small
TIMEOUT_S = 180


def until(holds: Callable[[], bool]) -> None:
    """Process events until something holds."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        QApplication.processEvents()
        time.sleep(0.005)


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end)


def take(viewer: napari.Viewer, name: str) -> None:
    spin(0.3)
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    picture.save(IMAGES / f"napari-{name}.webp", quality=QUALITY, method=6)


def main() -> None:
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Reconstruct a moving sample")
    assert isinstance(panel, ReconstructPanel)
    spin(2)
    viewer.open_sample(PLUGIN, SAMPLE)
    viewer.reset_view()
    until(lambda: "free" in panel.bar.outlook.text())
    take(viewer, "set-up")
    viewer.dims.set_current_step(0, 3)  # the last frame: there the motion is largest
    panel.bar.button.click()
    bar = panel.bar.progress
    until(lambda: bar.maximum() > 0 and bar.value() > 0.72 * bar.maximum())
    take(viewer, "running")
    until(lambda: not panel.busy)
    spin(1)
    panel.tabs.setCurrentIndex(1)
    take(viewer, "result")
    viewer.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_NSTM_RUNS"] = folder
        main()
