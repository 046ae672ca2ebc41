"""The command says how far the frames are explained, a line for each."""

import shutil

import numpy as np
import pytest

from napari_nstm.analysis.residuals import residual_summary
from napari_nstm.cli.residuals import describe_residuals
from napari_nstm.core.errors import InputError
from napari_nstm.io._arrays import write_frames
from napari_nstm.io.store import open_result

SIGMA = 0.02


@pytest.fixture
def store(finished, tmp_path):
    """Write the residual of four frames into a copy of a result."""

    def write(residual):
        path = tmp_path / "result.zarr"
        shutil.copytree(finished, path)
        shutil.rmtree(path / "residual")
        if residual is not None:
            write_frames(path / "residual", residual.astype(np.float32), residual.shape, ("frame", "y", "x"))
        return path

    return write


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(0, SIGMA, (4, 128, 128))


def test_a_sentence_and_a_line_for_each_frame(store, noise):
    noise[2, 60:66, 16:112] += 8 * SIGMA
    path = store(noise)
    summary = residual_summary(open_result(path))
    sentence, head, *lines = describe_residuals(path).split("\n")
    assert sentence == summary.sentence()
    assert "frame 3 (20 ms, " in sentence
    assert head == "frame   time  residual, noise = 1"
    assert [line.split()[:3] for line in lines] == [[str(k + 1), str(10 * k), "ms"] for k in range(4)]
    assert [float(line.split()[3]) for line in lines] == [round(ratio, 2) for ratio in summary.ratios]
    assert [line.endswith("stands out") for line in lines] == [False, False, True, False]


def test_where_noise_is_unknown_figures_are_those_of_the_frames(store):
    x = np.broadcast_to(np.arange(128), (128, 128))
    path = store(np.stack([0.01 * np.sin(x / 9 + k) for k in range(4)]))
    sentence, head, *lines = describe_residuals(path).split("\n")
    assert "the noise cannot be told" in sentence
    assert head.endswith("residual, of what counts as 1")
    assert float(lines[0].split()[3]) == pytest.approx(0.01 / np.sqrt(2), rel=0.05)


def test_a_result_without_residual_is_refused(store):
    path = store(None)
    with pytest.raises(InputError, match="which has no residual"):
        describe_residuals(path)
