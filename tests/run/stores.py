"""Small stores, written without a fit."""

import os
import time

import numpy as np

from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.store import StoreRecord, StoreWriter

CANVAS = Canvas(np.ones((1, 16, 16), np.float32), (0.0, 0.0), (1.0, 1.0), order=1)
MOTION = MotionLattice(np.zeros((3, 2, 4, 4), np.float32), (0.0, 0.0), (4.0, 4.0))


def make_store(
    path, status="finished", step=30, created="2026-01-01T10:00:00+00:00", age_days=0.0, ballast=0, **changes
):
    """Write a store; of `running` ones with a checkpoint at `step`, or none for step 0; `changes` are the record's."""
    record = StoreRecord(
        run_id="r",
        created=created,
        job={"modality": "toy", "raw": "raw.npy", "acquisition": {"pixel_size_um": 1.0}},
        shape=(12, 12),
        pixel_size_um=(1.0, 1.0),
        channels=(Channel("value", ""),),
        presentation=(ChannelPresentation(),),
        frame_times_ms=(0.0, 1.0),
        times_ms=(0.0, 1.0),
        n_steps=60,
    )
    writer = StoreWriter.create(path, record)
    state = {"weights": np.zeros(ballast, np.uint8)}
    if status == "running":
        if step:
            writer.checkpoint(CANVAS, MOTION, state, step=step)
    else:
        writer.finish(status, CANVAS, MOTION, state, step=step, **changes)
    then = time.time() - 86_400 * age_days
    for file in (path, *path.iterdir()):
        os.utime(file, (then, then))
    return path
