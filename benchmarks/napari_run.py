"""What a run costs napari's window: gaps of its event loop, and waits from a click to what follows.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/napari_run.py [--runs 10] [--size 256] [--result-size 512]

Gaps are between ticks of a 5 ms timer. Beside those of a run stand those of the same updates of the same layers with
arrays that are ready, and no run: what is above them is the run's own share. Of a result: what a step of the slider
takes until it is drawn, at moments that are rendered for it, what a change of the arrows takes, and movies.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import napari
import numpy as np
import psutil
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_nstm._qt.panel import ReconstructPanel
from napari_nstm._qt.raw_layer import is_of_a_run
from napari_nstm._qt.running.live import LiveLayers
from napari_nstm._qt.samples import simulation_layers
from napari_nstm.core.events import Preview, Progress
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.dpc.layout import CHANNELS
from napari_nstm.imaging.registry import modality

TIMEOUT_S = 90
TIMES_MS = (0.0, 25.0, 50.0, 75.0)
N_MOMENTS = 60


class Window:
    """A napari window with a sample and the panel."""

    def __init__(self, size: int) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1366, 768)
        simulation = modality("dpc").simulate(SimulationRequest(size=size))
        for data, attributes, kind in simulation_layers(simulation, "dpc", CHANNELS, list(TIMES_MS), "sample"):
            getattr(self.viewer, f"add_{kind}")(data, **attributes)
        self.panel = ReconstructPanel(self.viewer)
        self.viewer.window.add_dock_widget(self.panel, area="right")
        self.heard: list[tuple[float, object]] = []
        self.panel.session.happened.connect(lambda event: self.heard.append((time.perf_counter(), event)))

    def until(self, holds: Callable[[], bool]) -> float:
        """Process events until something holds; returns the time of day then."""
        deadline = time.perf_counter() + TIMEOUT_S
        while not holds():
            if time.perf_counter() > deadline:
                raise TimeoutError
            QApplication.processEvents()
            time.sleep(0.001)
        return time.perf_counter()

    def spin(self, seconds: float) -> None:
        """Process events for a while."""
        end = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() > end)

    def click(self) -> float:
        """Press Run or Stop."""
        self.until(self.panel.bar.button.isEnabled)
        self.heard.clear()
        clicked = time.perf_counter()
        self.panel.bar.button.click()
        return clicked

    def idle(self) -> bool:
        """Whether there is neither a run nor a result on its way."""
        return not self.panel.busy

    def first(self, kind: type, also: Callable[[object], bool] = lambda _: True) -> float:
        """Wait for the first event of a kind; returns the time of day it came."""
        self.until(lambda: any(isinstance(event, kind) and also(event) for _, event in self.heard))
        return next(at for at, event in self.heard if isinstance(event, kind) and also(event))

    def drop_results(self) -> None:
        """Remove what runs have added."""
        for layer in [layer for layer in self.viewer.layers if is_of_a_run(layer)]:
            self.viewer.layers.remove(layer)


@contextmanager
def gaps() -> Iterator[list[float]]:
    """Collect the gaps of the event loop, in ms."""
    found: list[float] = []
    last = [time.perf_counter()]

    def tick() -> None:
        now = time.perf_counter()
        found.append(1e3 * (now - last[0]))
        last[0] = now

    timer = QTimer()
    timer.setInterval(5)
    timer.timeout.connect(tick)
    timer.start()
    yield found
    timer.stop()


def words(found: list[float]) -> str:
    """Largest gap, and percentiles."""
    p50, p99 = np.percentile(found, [50, 99])
    return f"median {p50:5.1f}  p99 {p99:6.1f}  largest {max(found):6.1f} ms  ({len(found)} ticks)"


def replay(window: Window, previews: list[tuple[float, Preview]]) -> list[float]:
    """Update the same layers with the same arrays at the same times, without a run."""
    live = LiveLayers(window.viewer, "replay")
    began, first = time.perf_counter(), previews[0][0]
    with gaps() as found:
        for k, (at, preview) in enumerate(previews):
            window.until(lambda at=at: time.perf_counter() - began >= at - first)
            live.show(preview, k / len(previews), TIMES_MS)
        window.spin(0.5)
    for _ in live.remove():
        window.spin(0.1)  # drawn between two: napari crashes otherwise
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=10)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--result-size", type=int, default=512)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"NAPARI_NSTM_RUNS": f"{folder}/runs", "JAX_COMPILATION_CACHE_DIR": f"{folder}/compiled"}
        measure(chosen.size, chosen.runs)
        measure_result(chosen.result_size, folder)


def measure(size: int, n_runs: int) -> None:
    """Print the figures."""
    window = Window(size)
    panel, me = window.panel, psutil.Process()
    clicked = window.click()
    picture = window.first(Preview)
    fitted = window.first(Preview, lambda preview: preview.step > 0)
    window.until(window.idle)
    waits = f"first picture {picture - clicked:.2f} s, first of the fit {fitted - clicked:.2f} s"
    print(f"cold, process just started: {waits}")

    window.drop_results()
    window.spin(1)
    previews: list[tuple[float, Preview]] = []
    panel.session.happened.connect(lambda e: isinstance(e, Preview) and previews.append((time.perf_counter(), e)))
    with gaps() as during:
        clicked = window.click()
        picture = window.first(Preview)
        fitted = window.first(Preview, lambda preview: preview.step > 0)
        ended = window.until(lambda: not panel.session.running)
    with gaps() as showing:
        shown = window.until(window.idle)
        window.spin(0.5)
    print(f"warm: first picture {picture - clicked:.2f} s, first of the fit {fitted - clicked:.2f} s")
    print(f"warm: end after {ended - clicked:.2f} s, result shown {shown - ended:.2f} s later")
    print(f"previews: {len(previews)}, {len(previews) / (ended - clicked):.1f} a second")
    copies = [(at, copy_of(preview)) for at, preview in previews]
    window.drop_results()
    print("gaps, run              ", words(during))
    print("gaps, same updates only", words(replay(window, copies)))
    print("gaps, result shown     ", words(showing))

    for share in (0.05, 0.3, 0.6, 0.9):
        clicked = window.click()
        window.first(Progress, lambda event, share=share: event.step > share * event.n_steps)
        stopped = window.click()
        free = window.until(lambda: not panel.session.running)
        kept = window.until(window.idle)
        print(f"Stop at {share:.0%}: free after {free - stopped:.2f} s, result shown after {kept - stopped:.2f} s")
        window.drop_results()

    for k in range(n_runs):
        window.click()
        window.until(window.idle)
        if k in (0, n_runs - 1):
            child = psutil.Process(panel.session.process_id)
            mine, theirs = me.memory_info().rss / 1e6, child.memory_info().rss / 1e6
            print(f"after run {k + 1}: napari {mine:.0f} MB, fitting process {theirs:.0f} MB")
    window.viewer.close()
    print("processes left:", [process.name() for process in me.children(recursive=True)] or "none")


def measure_result(size: int, folder: str) -> None:
    """Print what looking at a result of `size` x `size` pixels takes."""
    window = Window(size)
    panel = window.panel
    panel.set_up(fit={"epochs": 30})
    window.click()
    window.until(window.idle)
    time_panel, motion = panel.result.time, panel.result.motion
    time_panel.show_number(N_MOMENTS)
    window.until(lambda: not time_panel.busy and window.viewer.dims.nsteps[0] >= N_MOMENTS)
    window.spin(1)
    for what in ("cold", "again"):
        steps = [timed_step(window, k) for k in range(1, N_MOMENTS, 2)]
        middle, p95 = np.percentile(steps, [50, 95])
        print(f"slider step, {size} x {size}, {what}: median {middle:.0f}, p95 {p95:.0f}, largest {max(steps):.0f} ms")
    began = time.perf_counter()
    motion.form.color.setCurrentIndex(motion.form.color.findData("speed"))
    changed = window.until(lambda: not motion.computing) - began
    print(f"arrows of {N_MOMENTS} moments coloured by speed after {1e3 * changed:.0f} ms")
    form = panel.result.movie.form
    form.time_points.setText(str(N_MOMENTS))
    for picture in ("drawn", "canvas"):
        form.picture.setCurrentIndex(form.picture.findData(picture))
        written: list[object] = []
        panel.result.movie.exported.connect(written.append)
        window.spin(0.5)
        with gaps() as found:
            began = time.perf_counter()
            panel.result.movie.export_to(f"{folder}/{picture}.mp4")
            took = window.until(lambda written=written: bool(written)) - began
        panel.result.movie.exported.disconnect(written.append)
        print(f"movie, {picture}: {N_MOMENTS / took:.1f} frames a second; gaps {words(found)}")
    window.viewer.close()


def timed_step(window: Window, index: int) -> float:
    """Move the slider, and return how long it took until that was drawn, in ms."""
    began = time.perf_counter()
    window.viewer.dims.set_current_step(0, index)
    QApplication.processEvents()
    took = 1e3 * (time.perf_counter() - began)
    window.spin(0.02)
    return took


def copy_of(preview: Preview) -> Preview:
    """Return a preview that holds its arrays itself."""
    return Preview(**{name: np.array(v) if isinstance(v, np.ndarray) else v for name, v in vars(preview).items()})


if __name__ == "__main__":
    main()
