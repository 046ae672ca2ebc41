import subprocess
import sys

import numpy as np
import pytest

from napari_nstm.imaging.dpc.settings import DpcSettings

_NO_JAX = """
import sys
from napari_nstm._qt.samples import moving_cells
assert len(moving_cells()) == 4
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


def test_samples_need_no_jax():
    done = subprocess.run([sys.executable, "-c", _NO_JAX], check=False, capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("False", 0), done.stderr
