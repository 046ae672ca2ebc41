"""A small result with a known drift, made without a fit."""

from pathlib import Path

import numpy as np

from napari_nstm.core.data import Comparison
from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.result import StoredResult, open_result
from napari_nstm.io.store import StoreRecord, StoreWriter

SHAPE = (40, 60)
PIXEL_UM = 0.25
TIMES_MS = (10.0, 20.0, 45.0)
DRIFT_PX = (1.5, -3.0)  # u along (y, x) at the last time, in proportion to time before
BLOB = (20, 30)  # of the phase, at the first time

_MARGIN = 8


def write_store(
    path: Path,
    status: str = "finished",
    *,
    n_planes: int = 0,
    conventional: bool = True,
    series: bool = False,
    in_colors: bool = False,
    drift_px=DRIFT_PX,
) -> StoredResult:
    """Write a result: a bright blob in the dark that drifts.

    Parameters
    ----------
    path
        Of the store.
    status
        `running`: with a checkpoint only.
    n_planes
        Of a volume; 0: an image.
    conventional
        Whether a conventional reconstruction is stored.
    series
        Whether a widefield series is stored too: one image at the first time, and one, twice as bright, at the last.
    in_colors
        Whether it holds red, green and blue, green twice as bright as red and four times as blue.
    drift_px
        u along (y, x).
    """
    y, x = np.meshgrid(*(np.arange(-_MARGIN, n + _MARGIN) for n in SHAPE), indexing="ij")
    phase = np.exp(-((y - BLOB[0]) ** 2 + (x - BLOB[1]) ** 2) / 60)
    names, units = (("red", "green", "blue"), ("counts",) * 3) if in_colors else (("absorption", "phase"), ("", "rad"))
    scene = np.stack([share * phase for share in ((0.5, 1.0, 0.25) if in_colors else (0.1, 1.0))])
    share = np.linspace(0, 1, 8)[:, None, None, None]  # the drift is steady in time
    pull_back = -share * np.reshape(drift_px, (2, 1, 1)) * np.ones((2, 8, 12))
    origin, spacing, shape = (-float(_MARGIN),) * 2, (8.0, 8.0), SHAPE
    if n_planes:
        scene = np.repeat(scene[:, None], n_planes, axis=1)
        pull_back = np.pad(pull_back, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :, None].repeat(2, axis=2)
        origin, spacing, shape = (0.0, *origin), (float(n_planes), *spacing), (n_planes, *SHAPE)
    canvas = Canvas(scene.astype(np.float32), origin, (1.0,) * len(shape), 1)
    motion = MotionLattice(pull_back.astype(np.float32), origin, spacing)
    record = StoreRecord(
        run_id="run-1",
        job={"nstm": 1, "modality": "dpc", "raw": "raw.tif", "acquisition": {"pixel_size_um": PIXEL_UM}},
        shape=shape,
        pixel_size_um=(PIXEL_UM,) * len(shape),
        channels=tuple(map(Channel, names, units)),
        presentation=(ChannelPresentation(),) * len(names),
        frame_times_ms=TIMES_MS,
        times_ms=TIMES_MS,
        n_steps=100,
    )
    writer = StoreWriter.create(path, record)
    state = {"step": np.asarray(40, np.int32)}
    if status == "running":
        writer.checkpoint(canvas, motion, state, step=40)
        return open_result(path)
    field = canvas.at(np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(np.float32))
    images = [Comparison("conventional", (sum(TIMES_MS) / len(TIMES_MS),), field[None])] if conventional else []
    if series:
        images.append(Comparison("widefield", (TIMES_MS[0], TIMES_MS[-1]), np.stack([field, 2 * field])))
    return writer.finish(status, canvas, motion, state, comparisons=images, step=100)
