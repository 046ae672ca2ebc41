import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_nstm.core.data import RawData
from napari_nstm.imaging.diffusercam.prepare import prepared
from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings
from napari_nstm.imaging.dpc.settings import DpcSettings
from napari_nstm.imaging.registry import modality
from napari_nstm.imaging.sim.frames import sim_frames

_NO_JAX = """
import sys
from napari_nstm._qt.samples import moving_cells, moving_filaments
assert len(moving_cells()) == 4
assert len(moving_filaments()) == 3
print("jax" in sys.modules)
"""


@pytest.mark.parametrize(
    ("key", "name"), [("dpc_moving_target", "moving target"), ("dpc_moving_cells", "moving cells")]
)
def test_a_sample_brings_frames_settings_and_truth(make_napari_viewer_proxy, key, name):
    viewer = make_napari_viewer_proxy()
    viewer.open_sample("napari-nstm", key)
    assert [layer.name for layer in viewer.layers if layer.visible] == [name]
    raw = viewer.layers[name]
    assert raw.data.shape == (4, 256, 256)
    assert raw.data.dtype == np.uint16
    known = raw.metadata["napari_nstm"]
    assert (known["kind"], known["modality"]) == ("raw", "dpc")
    settings = DpcSettings.model_validate(known["acquisition"])
    assert tuple(raw.scale) == (1, settings.pixel_size_um, settings.pixel_size_um)
    assert [str(unit) for unit in raw.units] == ["pixel", "micrometer", "micrometer"]
    assert raw.axis_labels == ("t", "y", "x")
    assert viewer.canvas.overlays.text.text.endswith("ms")

    phase, motion = viewer.layers[f"true phase — {name}"], viewer.layers[f"true motion — {name}"]
    for layer in (phase, motion):
        np.testing.assert_array_equal(layer.scale, raw.scale)
        assert layer.metadata["napari_nstm"]["kind"] == "truth"
    assert phase.data.shape == raw.data.shape
    lengths = np.linalg.norm(motion.data[motion.data[:, 0, 0] == 3][:, 1], axis=1)
    assert 4 < lengths.max() < 7
    # Where an arrow is seen, the truth at its tail and, later, at its tip is the same point of the sample.
    shown = motion.edge_color[:, 3] > 0
    last = motion.data[shown & (motion.data[:, 0, 0] == 3)][:, :, 1:]
    tails = np.rint(last[:, 0]).astype(int).T
    tips = np.rint(last.sum(axis=1)).astype(int).T
    moved = np.corrcoef(phase.data[0][tuple(tails)], phase.data[3][tuple(tips)])[0, 1]
    stayed = np.corrcoef(phase.data[0][tuple(tails)], phase.data[3][tuple(tails)])[0, 1]
    assert moved > stayed + 0.1


@pytest.mark.parametrize(
    ("key", "method", "name", "axes"),
    [
        ("sim_moving_filaments", "sim", "moving filaments", "tyx"),
        ("sim3d_moving_tubule", "sim3d", "moving tubule", "tzyx"),
    ],
)
def test_a_sample_under_stripes_leaves_them_to_be_found(make_napari_viewer_proxy, key, method, name, axes):
    viewer = make_napari_viewer_proxy()
    viewer.open_sample("napari-nstm", key)
    assert [layer.name for layer in viewer.layers if layer.visible] == [name]
    raw, truth = viewer.layers[name], viewer.layers[f"true fluorescence — {name}"]
    assert raw.axis_labels == truth.axis_labels == tuple(axes)
    assert raw.data.dtype == np.uint16
    known = raw.metadata["napari_nstm"]
    assert (known["kind"], known["modality"], len(known["times_ms"])) == ("raw", method, 15)
    for left in ("phases_rad", "modulation_1", "modulation_2"):
        assert left not in known["acquisition"]
    used = modality(method)
    settings = used.Settings.model_validate(known["acquisition"])
    assert settings.pattern.kind == "estimate"
    # The truth is sampled more finely; sample 0 coincides, and so does what is seen.
    np.testing.assert_allclose(raw.translate, truth.translate)
    assert raw.scale[-1] > 1.4 * truth.scale[-1]
    np.testing.assert_allclose(raw.scale[:-2], truth.scale[:-2])
    middles = [centre_of_mass_um(layer) for layer in (raw, truth)]
    np.testing.assert_allclose(*middles, atol=raw.scale[-1])
    # The frames, as a run arranges them, are the layer's.
    flat = raw.data.reshape(-1, *raw.data.shape[-2:])
    frames = sim_frames(RawData(flat), settings)
    np.testing.assert_array_equal(frames.images, raw.data.astype(np.float32) - settings.offset)
    np.testing.assert_allclose(frames.times_ms, known["times_ms"])
    # What moves, moves by as much as it is said to.
    motion = viewer.layers[f"true motion — {name}"]
    last = motion.data[motion.data[:, 0, 0] == 14][:, 1, 1:]
    assert 2 < np.linalg.norm(last * truth.scale[1:], axis=1).max() / raw.scale[-1] < 6


@pytest.mark.parametrize(
    ("key", "name", "colors"),
    [
        ("diffusercam_waving_hand", "waving hand", ("brightness",)),
        ("diffusercam_bouncing_ball", "bouncing ball", ("red", "green", "blue")),
    ],
)
def test_a_sample_of_one_raw_image_brings_its_psf(make_napari_viewer_proxy, key, name, colors):
    viewer = make_napari_viewer_proxy()
    viewer.open_sample("napari-nstm", key)
    assert [layer.name for layer in viewer.layers if layer.visible] == [name]
    raw, psf = viewer.layers[name], viewer.layers[f"PSF — {name}"]
    truth = [viewer.layers[f"true {color} — {name}"] for color in colors]
    assert (raw.axis_labels, raw.rgb) == (("y", "x"), len(colors) == 3)
    assert raw.data.shape[:2] == psf.data.shape == (150, 200)
    assert raw.data.dtype == psf.data.dtype == np.uint16
    assert raw.data.max() < 65535, "nothing is saturated"
    known = raw.metadata["napari_nstm"]
    settings = DiffuserCamSettings.model_validate(known["acquisition"])
    assert settings.psf == f"layer: {psf.name}"
    assert known["times_ms"][-1] == pytest.approx(1e-3 * (74 * 110.08 + 1320))
    assert tuple(raw.scale) == tuple(truth[0].scale[1:]) == (26, 26)
    assert [layer.data.shape for layer in truth] == [(24, 76, 100)] * len(colors)
    # The light on the sensor is that of the scene, as far as it falls onto it.
    frames = np.moveaxis(np.atleast_3d(raw.data), -1, 0)
    data = prepared(RawData(frames, {"psf": psf.data}), settings)
    scene = np.mean([layer.data.mean(axis=0).sum() for layer in truth])
    assert 0.5 < data.image.sum(axis=(1, 2)).mean() / scene < 1.1


def centre_of_mass_um(layer):
    """Of what is bright, in y and x, over all frames and planes."""
    mean = layer.data.reshape(-1, *layer.data.shape[-2:]).mean(axis=0, dtype=float)
    bright = np.maximum(mean - np.percentile(mean, 60), 0)
    grid = np.meshgrid(*(s * np.arange(n) for s, n in zip(layer.scale[-2:], mean.shape, strict=True)), indexing="ij")
    return [float((axis * bright).sum() / bright.sum()) for axis in grid]


def test_the_window_goes_on_while_a_sample_is_made(make_napari_viewer_proxy, monkeypatch):
    from napari_nstm._qt import samples

    viewer = make_napari_viewer_proxy()
    threads, turned, told = [], [], []
    begun = threading.Event()
    real = samples._dpc

    def slow(request, name):
        threads.append(threading.current_thread())
        begun.set()
        told.append(viewer.status)
        for _ in range(200):
            if turned:
                return real(request, name)
            time.sleep(0.02)
        raise AssertionError("the window stood still")

    monkeypatch.setattr(samples, "_dpc", slow)
    timer = QTimer()
    timer.timeout.connect(lambda: turned.append(1) if begun.is_set() else None)
    timer.start(10)
    viewer.open_sample("napari-nstm", "dpc_moving_target")
    timer.stop()
    assert threads != [threading.main_thread()]
    assert "Simulating" in told[0]
    assert "moving target" in viewer.layers


def test_samples_need_no_jax():
    done = subprocess.run([sys.executable, "-c", _NO_JAX], check=False, capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("False", 0), done.stderr
