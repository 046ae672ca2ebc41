"""What the panel makes of a run's events: sizes of the result, not of the frames; the slider's moment in any field."""

import threading

import numpy as np
import pytest

from napari_nstm._qt.panel import ReconstructPanel
from napari_nstm._qt.running import session as session_module
from napari_nstm._qt.running.session import RunEnd
from napari_nstm._qt.setup import form_check as check_module
from napari_nstm.core.events import Failed, Preview, Progress
from napari_nstm.imaging.registry import modality

TIMES_MS = tuple(25.0 * k for k in range(15))


class Silent:
    """A fitting process that never says anything."""

    alive, pid = True, None

    def __init__(self, environment, grace_s):
        self.shown = []

    def start(self):
        return self

    def share(self, raw):
        return raw

    def release(self, shared):
        pass

    def run(self, job, base_dir, raw):
        return "run-1"

    def estimate(self, job, base_dir, raw):
        return "estimate-1"

    def show(self, run_id, time_ms):
        self.shown.append(time_ms)

    def poll(self):
        return []

    def kill(self):
        self.alive = False

    close = kill


@pytest.fixture
def panel(make_napari_viewer_proxy, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_NSTM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(session_module, "Child", Silent)
    viewer = make_napari_viewer_proxy()
    made = ReconstructPanel(viewer)
    made.viewer = viewer
    yield made
    made.shutdown()
    made.deleteLater()


def settings(name, **changes):
    """Settings in which nothing is left to be found."""
    used = modality(name)
    given = {
        "pixel_size_um": 0.065,
        "wavelength_um": 0.515,
        "excitation_wavelength_um": 0.488,
        "na_objective": 1.28,
        "refractive_index": 1.33,
        "pattern": {"kind": "vectors", "ky_per_um": [2.3, 0.6, -1.65], "kx_per_um": [-0.55, -2.3, -1.71]},
        "phases_rad": [0.4 + 1.25664 * k for k in range(15)],
        "modulation_1": 0.8,
        "modulation_2": 0.5,
        "timing": {"kind": "even", "interval_ms": 25},
        **changes,
    }
    return used.Settings.model_validate(given).model_dump(mode="json", exclude_none=True)


def add(panel, qtbot, data, name, **more):
    """Add raw frames and fill the form in, as a sample does; wait until a run could begin."""
    known = {"kind": "raw", "modality": name, "acquisition": settings(name, **more)}
    layer = panel.viewer.add_image(data, name="raw", metadata={"napari_nstm": known})
    qtbot.waitUntil(
        lambda: panel.check.checked is not None and panel.check.checked.modality.name == name, timeout=20_000
    )
    return layer


def start(panel, qtbot):
    panel.run()
    qtbot.waitUntil(lambda: panel.session._run is not None and panel.session._run.run_id is not None)
    return panel.session._child


def preview(shape, spacing, pixel_um, time_ms=0.0):
    ndim = len(shape)
    scene = np.zeros((1, *shape), np.float32)
    scene[..., shape[-2] // 3 : shape[-2] // 2, shape[-1] // 3 : shape[-1] // 2] = 1
    motion = np.zeros((ndim, *(1,) * (ndim - 2), 4, 4), np.float32)
    names = (("fluorescence",), ("counts",))
    return Preview("run-1", 0, 0, time_ms, scene, motion, spacing, (1,) * (ndim - 2) + (24, 24), pixel_um, *names)


def frames(*shape):
    return np.random.default_rng(0).poisson(1000, shape).astype(np.uint16)


def size_said(panel, level):
    panel.session.happened.emit(Progress("run-1", 3, 10, level, 0.5, 0.1, 1.0, 2.0))
    return panel.bar.state.text().partition(" px")[0]


def test_sizes_are_those_of_the_result(panel, qtbot):
    add(panel, qtbot, frames(15, 64, 70), "sim")
    start(panel, qtbot)
    assert size_said(panel, 1).startswith("Level 1 · step 3 of 10")  # nothing is known yet
    panel.session.happened.emit(preview((96, 105), (1, 1), (0.065 / 1.5,) * 2))
    assert size_said(panel, 1) == "48 × 53"
    panel.session.happened.emit(preview((48, 53), (2, 2), (0.065 / 1.5,) * 2))
    assert size_said(panel, 0) == "96 × 105"
    # The result lies upon the frames, in finer pixels.
    raw, live = panel.viewer.layers["raw"], panel.viewer.layers["fluorescence — raw"]
    assert raw.axis_labels == ("t", "y", "x")
    np.testing.assert_allclose(raw.scale, (1, 0.065, 0.065))
    np.testing.assert_allclose(live.scale, 2 * 0.065 / 1.5)
    np.testing.assert_allclose(live.translate, 0)


def test_the_sliders_moment_is_shown_before_any_picture(panel, qtbot):
    add(panel, qtbot, frames(15, 64, 64), "sim")
    panel.viewer.dims.set_current_step(0, 9)
    child = start(panel, qtbot)
    qtbot.waitUntil(lambda: child.shown == [TIMES_MS[9]])
    panel.viewer.dims.set_current_step(0, 2)
    assert child.shown[-1] == TIMES_MS[2]


def test_planes_are_no_moments(panel, qtbot):
    """Raw frames (image, y, x) of a volume: the slider stands for planes until there is an axis of time."""
    raw = add(panel, qtbot, frames(60, 64, 64), "sim3d", plane_spacing_um=0.2, n_planes=4)
    panel.viewer.dims.set_current_step(0, 30)
    child = start(panel, qtbot)
    assert child.shown == []
    assert raw.axis_labels == ("-3", "y", "x")
    shown = preview((4, 96, 96), (1, 1, 1), (0.2, 0.065 / 1.5, 0.065 / 1.5))
    for _ in range(2):
        panel.session.happened.emit(shown)
    # The stack shares the planes' slider, in their unit: napari would say that units differ.
    np.testing.assert_allclose(raw.scale[0], 4 * 0.2 / 60)
    assert panel.viewer.layers.units is not None
    assert panel.viewer.dims.ndim == 4
    # Another plane is no other moment.
    panel.viewer.dims.set_current_step(1, 2)
    assert len(set(child.shown)) == 1
    assert size_said(panel, 1) == "4 × 48 × 48"


def test_a_run_brings_the_frames_back_first(panel, qtbot):
    raw = add(panel, qtbot, frames(15, 64, 64), "sim")
    panel.frames.inspect_buttons["frames"].click()
    qtbot.waitUntil(lambda: panel.view.drawing is not None, timeout=20_000)
    assert not raw.visible
    start(panel, qtbot)
    assert raw.visible
    assert panel.view.drawing is None
    panel.session.ended.emit(RunEnd("failed", None, "It failed."))


def test_checks_that_were_outrun_are_not_made(panel, qtbot, monkeypatch):
    add(panel, qtbot, frames(15, 64, 64), "sim")
    made = []
    real = check_module.check_job

    def check(job, raw, folder):
        made.append(job.acquisition["wavelength_um"])
        return real(job, raw, folder)

    monkeypatch.setattr(check_module, "check_job", check)
    go = threading.Event()
    panel._background.submit(lambda: go.wait(10))
    for wavelength in (0.52, 0.53, 0.54):
        panel.form.acquisition.set_content({**panel.form.acquisition.content(), "wavelength_um": wavelength})
        panel.check.now()
    go.set()
    qtbot.waitUntil(lambda: bool(made) and panel.check.checked.settings.wavelength_um == 0.54)
    assert made == [0.54]


# -- large data, and a part of the frames ------------------------------------------


def test_the_slider_counts_all_frames_also_where_a_part_is_reconstructed(panel, qtbot):
    add(panel, qtbot, frames(15, 64, 64), "sim")
    panel.form.part.set_content({"frames": [0, 15]})
    panel.viewer.dims.set_current_step(0, 6)
    child = start(panel, qtbot)
    qtbot.waitUntil(lambda: child.shown == [TIMES_MS[6]])
    panel._watch._watched.live.first_frame = 4  # as if it had begun with the fifth
    panel.viewer.dims.set_current_step(0, 7)
    qtbot.waitUntil(lambda: child.shown[-1] == TIMES_MS[3])
    panel.viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: child.shown[-1] == TIMES_MS[0])


def test_what_the_fitting_process_refuses_stands_at_its_field_and_cannot_run(panel, qtbot):
    add(panel, qtbot, frames(15, 64, 64), "sim")
    panel.set_up(compute={"tile_px": 64})
    qtbot.waitUntil(panel.bar.button.isEnabled)
    takes = "nothing: every pixel of the camera sees all of the scene"
    panel.session.estimated.emit(
        Failed("estimate-1", "compute.tile_px", f"compute.tile_px: got 64 pixels; takes {takes}")
    )
    assert panel.form.compute.problems() == {"tile_px": f"Takes {takes}; got 64 pixels."}
    assert not panel.bar.button.isEnabled()
    panel.form.compute.editor("tile_px").setText("")
    qtbot.waitUntil(panel.bar.button.isEnabled)
    assert panel.form.compute.problems() == {}


def test_tiles_that_are_offered_are_filled_in(panel, qtbot):
    add(panel, qtbot, frames(15, 64, 64), "sim")
    panel.card.tiles_asked.emit(48)
    assert panel.form.compute.content() == {"tile_px": 48}
    assert panel.form.large.is_open()
    assert panel.form.job(panel.runs.new_path()).compute.in_tiles
