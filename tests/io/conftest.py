from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_nstm.core.data import Comparison
from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.store import StoredResult, StoreRecord, StoreWriter

SHAPE = (24, 31)  # odd on purpose
TIMES_MS = (10.0, 20.0, 45.0)
DRIFT_PX = (1.5, -3.0)  # u from the first to the last time


def blobs(y, x):
    """Two smooth channels, defined everywhere."""
    absorption = 0.1 * np.cos(0.4 * x) * np.sin(0.3 * y)
    phase = 0.5 * np.exp(-((y - 12) ** 2 + (x - 15) ** 2) / 30) + 0.2 * np.exp(-((y - 5) ** 2 + (x - 24) ** 2) / 8)
    return np.stack([absorption, phase])


@pytest.fixture
def canvas() -> Canvas:
    y, x = np.meshgrid(np.arange(-8, 32, 0.5), np.arange(-8, 40, 0.5), indexing="ij")
    return Canvas(blobs(y, x).astype(np.float32), (-8.0, -8.0), (0.5, 0.5), 1)


@pytest.fixture
def motion() -> MotionLattice:
    """A drift that is steady in time: the scene is looked up at x - u."""
    share = np.linspace(0, 1, 5, dtype=np.float32)[:, None, None, None]
    drift = np.reshape(DRIFT_PX, (2, 1, 1)).astype(np.float32)
    return MotionLattice(np.broadcast_to(-share * drift, (5, 2, 6, 7)).copy(), (-8.0, -8.0), (8.0, 8.0))


@pytest.fixture
def record() -> StoreRecord:
    return StoreRecord(
        run_id="run-1",
        job={"nstm": 1, "modality": "dpc", "raw": "raw.tif", "acquisition": {"pixel_size_um": 0.25}},
        fit={"rendering": "canvas", "canvas_samples_per_pixel": 1},
        shape=SHAPE,
        pixel_size_um=(0.25, 0.25),
        channels=(Channel("absorption", ""), Channel("phase", "rad")),
        presentation=(ChannelPresentation(scale=2.0, offset=1.0), ChannelPresentation(zero_mean=True)),
        frame_times_ms=TIMES_MS,
        times_ms=TIMES_MS,
        seed=3,
        device="a processor",
        versions={"napari-nstm": "0.1.0"},
        input_hashes={"raw": "ab" * 32},
        notices=("3 pixels are saturated.",),
        n_steps=100,
    )


@pytest.fixture
def state() -> dict[str, np.ndarray]:
    return {"params/scene/levels/0": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.asarray(40, np.int32)}


@pytest.fixture
def conventional() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32)


@pytest.fixture
def running(tmp_path: Path, record, canvas, motion, state) -> StoreWriter:
    """A store after its first checkpoint."""
    writer = StoreWriter.create(tmp_path / "running.zarr", record)
    writer.checkpoint(canvas, motion, state, step=40, loss_history=(3.0, 1.0))
    return writer


@pytest.fixture
def finished(tmp_path: Path, record, canvas, motion, state, conventional) -> StoredResult:
    writer = StoreWriter.create(tmp_path / "result.zarr", record)
    residual = np.arange(3 * 24 * 31, dtype=np.float32).reshape(3, *SHAPE)
    return writer.finish(
        "finished",
        canvas,
        motion,
        state,
        comparisons=[Comparison("conventional", (22.5,), conventional[None])],
        residual=residual,
        step=100,
        loss_history=(3.0, 1.0, 0.5),
        timings_s={"fit": 4.2},
        message="100 steps in 4.2 s.",
    )


@pytest.fixture
def region(tmp_path: Path, record, canvas, motion, conventional) -> StoredResult:
    """A result of a part of the field, which begins at row 8 and column 20."""
    job = {**record.job, "region": [8, 20, *SHAPE]}
    record = record.changed({"origin_um": (2.0, 5.0), "job": job})
    writer = StoreWriter.create(tmp_path / "region.zarr", record)
    residual = np.zeros((3, *SHAPE), np.float32)
    shown = [Comparison("conventional", (22.5,), conventional[None])]
    return writer.finish("finished", canvas, motion, {}, comparisons=shown, residual=residual, step=100)
