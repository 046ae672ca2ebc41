"""Takes the pictures of the pages on napari, from the real window driven through its own widgets.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py [FOLDER [SECTION ...]], such as dpc or tiles
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication, QScrollArea

from napari_nstm._qt.panel import PLUGIN, ReconstructPanel
from napari_nstm._qt.samples import simulation_layers
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.dpc.layout import CHANNELS
from napari_nstm.imaging.registry import modality

IMAGES = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images"
CHOSEN = sys.argv[2:]
SIZE = (1366, 768)
QUALITY = 72  # of 100: text stays sharp, and the files small
AT_MOST = 100_000  # bytes of a picture
TIMEOUT_S = 600
SAMPLE, CELLS_SAMPLE = "dpc_moving_target", "dpc_moving_cells"
SIM_SAMPLE, HAND_SAMPLE = "sim_moving_filaments", "diffusercam_waving_hand"
AT_MOST_OF_SMALL = 60_000
HAND_MOMENT = 18  # of 24: fingers and thumb are far from where they were
TILED_PX = 384
UPPER_LEFT = (68, 72)  # of the sample's cells: pixels (y, x)


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


def take(viewer: napari.Viewer, name: str, at_most: int = AT_MOST) -> None:
    spin(1)
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    path = IMAGES / f"napari-{name}.webp"
    quality = QUALITY
    picture.save(path, quality=quality, method=6)
    while path.stat().st_size > at_most:
        quality -= 4
        picture.save(path, quality=quality, method=6)


def open_empty() -> tuple[napari.Viewer, ReconstructPanel]:
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Reconstruct a moving sample")
    assert isinstance(panel, ReconstructPanel)
    spin(2)
    return viewer, panel


def open_window(sample: str) -> tuple[napari.Viewer, ReconstructPanel]:
    viewer, panel = open_empty()
    viewer.open_sample(PLUGIN, sample)
    viewer.reset_view()
    return viewer, panel


def until_checked(panel: ReconstructPanel) -> None:
    """Wait until the card says what a run needs."""
    until(lambda: "free" in panel.card.words)


def run(viewer: napari.Viewer, panel: ReconstructPanel, name: str) -> None:
    """Take a picture of a run that goes on, and wait for its result."""
    until_checked(panel)
    last = viewer.dims.nsteps[0] - 1
    viewer.dims.set_current_step(0, last)  # there the motion is largest
    panel.bar.button.click()
    bar = panel.bar.progress
    until(lambda: bar.maximum() > 0 and bar.value() > 0.72 * bar.maximum())
    take(viewer, name)
    until(lambda: not panel.busy)
    panel.tabs.setCurrentIndex(1)


def dpc() -> None:
    viewer, panel = open_empty()
    take(viewer, "empty", AT_MOST_OF_SMALL)
    viewer.open_sample(PLUGIN, SAMPLE)
    viewer.reset_view()
    until_checked(panel)
    take(viewer, "set-up")
    run(viewer, panel, "running")
    motion = panel.result.motion
    until(lambda: not motion.computing)
    take(viewer, "result")
    motion.form.color.setCurrentIndex(motion.form.color.findData("speed"))
    until(lambda: not motion.computing)
    take(viewer, "speed", AT_MOST_OF_SMALL)
    viewer.close()


def attempts() -> None:
    """Try a setting on a part of the field, and look at both results beside each other."""
    viewer, panel = open_window(CELLS_SAMPLE)
    until_checked(panel)
    panel.region.ask(128, 128)
    spin(1)
    until_checked(panel)
    take(viewer, "region", AT_MOST_OF_SMALL)
    for static in (True, False):
        panel.set_up(fit={"static": static})
        spin(1)
        panel.bar.button.click()
        until(lambda: not panel.busy)
    panel.tabs.setCurrentIndex(1)
    panel.result.groups["Time"].set_open(False)
    runs = panel.result.list
    for key in runs.keys:
        runs.set_shown(key, True)
    viewer.dims.set_current_step(0, viewer.dims.nsteps[0] - 1)
    runs.set_beside(True)
    take(viewer, "beside")
    viewer.close()


def tracks() -> None:
    """Follow points on cells, marked by the mouse's own way: a layer of the panel's, at the slider's last frame."""
    viewer, panel = open_window(CELLS_SAMPLE)
    until_checked(panel)
    panel.bar.button.click()
    until(lambda: not panel.busy and "finished" in panel.result.about.text())
    panel.tabs.setCurrentIndex(1)
    last = viewer.dims.nsteps[0] - 1
    viewer.dims.set_current_step(0, last)
    name = panel.result.about.text().partition(":")[0]
    viewer.layers[f"motion — {name}"].visible = False
    panel.result.tracks.mark_button.click()
    points = viewer.layers.selection.active
    phase = np.asarray(viewer.layers[f"phase — {name}"].data[last])
    points.add([[last, *where] for where in brightest(phase)])
    points.size = 1.5
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0.0, *np.multiply(UPPER_LEFT, points.scale[-2:])), 3.2 * camera.zoom
    panel.result.tracks.follow_button.click()
    until(panel.result.tracks.save_button.isEnabled)
    area = panel.tabs.widget(1)
    assert isinstance(area, QScrollArea)
    area.ensureWidgetVisible(panel.result.tracks)
    take(viewer, "tracks", AT_MOST_OF_SMALL)
    viewer.close()


def brightest(image: Any, n: int = 9, apart: int = 12, reach: int = 36) -> list[tuple[int, int]]:
    """Return the n brightest pixels about the middle of the upper left cell that are some way apart."""
    corner = np.subtract(UPPER_LEFT, reach)
    left, found = np.array(image[tuple(slice(k, k + 2 * reach) for k in corner)]), []
    for _ in range(n):
        y, x = (int(k) for k in np.unravel_index(left.argmax(), left.shape))
        found.append((y + int(corner[0]), x + int(corner[1])))
        left[max(0, y - apart) : y + apart, max(0, x - apart) : x + apart] = left.min()
    return found


def sim() -> None:
    viewer, panel = open_window(SIM_SAMPLE)
    panel.frames.find_button.click()
    until(lambda: panel.view.drawing is not None and panel.frames.find_button.isEnabled())
    spin(1)
    area = panel.tabs.widget(0)
    assert isinstance(area, QScrollArea)
    area.ensureWidgetVisible(panel.frames, 0, 120)
    take(viewer, "sim-spectrum")
    panel.view.back()
    run(viewer, panel, "sim-running")
    panel.result.views.time_button.click()
    until(panel.result.views.time_button.isEnabled)
    take(viewer, "sim-views")
    viewer.close()


def diffusercam() -> None:
    viewer, panel = open_window(HAND_SAMPLE)
    until_checked(panel)
    panel.bar.button.click()
    until(lambda: not panel.busy and "finished" in panel.result.about.text())
    viewer.dims.set_current_step(0, HAND_MOMENT)
    panel.tabs.setCurrentIndex(0)
    take(viewer, "diffusercam", AT_MOST_OF_SMALL)
    viewer.close()


def tiles() -> None:
    """Reconstruct a field in tiles that appear one after another, and look at their seams."""
    viewer, panel = open_empty()
    simulation = modality("dpc").simulate(SimulationRequest("rotation", 9.0, TILED_PX, options={"target": "cells"}))
    times_ms = [0.0, 25.0, 50.0, 75.0]
    for data, attributes, kind in simulation_layers(simulation, "dpc", CHANNELS, times_ms, "large field"):
        getattr(viewer, f"add_{kind}")(data, **attributes)
    viewer.reset_view()
    until_checked(panel)
    panel.set_up(compute={"tile_px": TILED_PX // 2, "tile_overlap_px": 72}, fit={"epochs": 120})
    spin(1)
    until(lambda: "Tiles" in panel.card.words)
    viewer.dims.set_current_step(0, viewer.dims.nsteps[0] - 1)
    panel.bar.button.click()
    area = panel.tabs.widget(0)
    assert isinstance(area, QScrollArea)
    spin(1)
    area.ensureWidgetVisible(panel.form.large)
    until(lambda: panel.bar.state.text().startswith("Tile 4") and panel.bar.progress.value() > 0)
    take(viewer, "tiles-running", AT_MOST_OF_SMALL)
    until(lambda: not panel.busy)
    panel.tabs.setCurrentIndex(1)
    until(lambda: not panel.result.motion.computing)
    panel.result.groups["Time"].set_open(False)
    panel.result.groups["Motion"].set_open(False)
    panel.result.views.show_seams()
    until(lambda: not panel.result.views.busy)
    take(viewer, "tiles", AT_MOST_OF_SMALL)
    viewer.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"NAPARI_NSTM_RUNS": folder, "NAPARI_NSTM_CONFIG": folder}
        for make in (
            (dpc, attempts, tracks, sim, diffusercam, tiles) if not CHOSEN else [globals()[name] for name in CHOSEN]
        ):
            make()
