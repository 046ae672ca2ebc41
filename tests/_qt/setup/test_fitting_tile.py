"""The tile that is offered fits: with what its fit reaches beyond it, it is no larger than the part that does."""

import math
from pathlib import Path

import numpy as np

from napari_nstm._qt.setup.fitting_tile import tile_that_fits
from napari_nstm.core.data import RawData
from napari_nstm.core.events import Prepared
from napari_nstm.core.settings import Job
from napari_nstm.run.plan import check_job
from napari_nstm.run.tiled.plan import lay_out

GB = 1_000_000_000
DPC = {
    "pixel_size_um": 0.5,
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "source_angles_deg": [90, 270, 0, 180],
}
FRAMES = np.random.default_rng(0).poisson(1000, (4, 1024, 1024)).astype(np.uint16)


def checked(**compute):
    job = Job(modality="dpc", raw="raw", acquisition=DPC, compute=compute, fit={"device": "cpu"})
    return check_job(job, RawData(FRAMES), Path())


def prepared(**more):
    known = {"fits_px": (512, 512), "shape": (1024, 1024), **more}
    return Prepared("r", "DPC.", "CPU", 4 * GB, 1 * GB, 1.0, 100, **known)


def test_a_tile_leaves_room_for_its_surroundings(tmp_path):
    side = tile_that_fits(checked(), prepared())
    assert side % 8 == 0
    # As the plan lays tiles out, what is fitted for one is no larger than the part that fits, and nearly as large.
    job = Job(modality="dpc", raw="raw", acquisition=DPC, compute={"tile_px": side}, fit={"device": "cpu"})
    plan = lay_out(job, RawData(FRAMES), tmp_path, overwrite=False).tiles
    assert all(max(tile.fitted[2:]) <= 512 for tile in plan.tiles)
    assert side + 2 * (plan.reach_px + plan.motion_px + plan.blend_px) > 0.85 * 512


def test_a_wish_for_the_overlap_counts():
    assert tile_that_fits(checked(tile_px=256, tile_overlap_px=32), prepared()) == math.floor((486.4 - 64) / 8) * 8


def test_tiles_that_are_too_large_become_smaller():
    job = checked(tile_px=512)
    side = tile_that_fits(job, prepared(fits_px=None, n_tiles=4))
    assert 32 <= side < 512


def test_where_nothing_fits_nothing_is_offered():
    assert tile_that_fits(checked(), prepared(fits_px=(64, 64))) is None
    assert tile_that_fits(checked(), prepared(fits_px=None)) is None
