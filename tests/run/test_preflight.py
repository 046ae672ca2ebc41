"""What is said before the first step."""

import time

import jax
import numpy as np
import pytest
from tests.toy import toy_problem

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.fit import device as device_module
from napari_nstm.fit.solver import Solver
from napari_nstm.imaging import registry
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.imaging.sim import Sim3d
from napari_nstm.run.job import load_job
from napari_nstm.run.plan import make_plan
from napari_nstm.run.preflight import described_axes, prepared_event
from napari_nstm.run.reconstruct import iter_estimate

OPTICS = {
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "pixel_size_um": 0.454,
    "source_angles_deg": [90, 270, 0, 180],
    "timestamps_ms": [0, 25, 50, 80],
}


def estimated(frames, tmp_path, **changes):
    job = {"modality": "dpc", "raw": "r", "acquisition": OPTICS, "output": {"path": str(tmp_path / "r.zarr")}}
    return list(iter_estimate({**job, **changes}, frames))[-1]


@pytest.fixture
def frames():
    return np.random.default_rng(0).uniform(900, 1100, (4, 256, 320)).astype(np.float32)


def free(monkeypatch, n_bytes):
    monkeypatch.setattr(device_module, "_free", lambda device: n_bytes)


def test_axes_frames_size_and_duration_are_told(frames, tmp_path):
    told = estimated(frames, tmp_path)
    assert (told.axes, told.n_frames, told.shape, told.duration_ms) == ("frame, y, x", 4, (256, 320), 80.0)
    assert told.fits_px is None
    told = estimated(frames, tmp_path, region=[16, 32, 96, 128])
    assert (told.n_frames, told.shape) == (4, (96, 128))
    assert told.summary.endswith("4 frames of 96 x 128 pixels (of 256 x 320), 0 to 80 ms.")


def test_the_part_that_fits_is_the_largest(frames, tmp_path, monkeypatch):
    whole = estimated(frames, tmp_path)
    available = whole.memory_bytes // 2
    free(monkeypatch, available)
    told = estimated(frames, tmp_path)
    rows, columns = told.fits_px
    assert rows % 16 == columns % 16 == 0
    assert abs(columns / rows - 320 / 256) < 16 / rows
    inside = estimated(frames, tmp_path, region=[0, 0, rows, columns])
    assert inside.memory_bytes <= available
    assert inside.fits_px is None
    # Two blocks more do not fit: what is counted and what a run needs differ by the padding alone.
    larger = estimated(frames, tmp_path, region=[0, 0, rows + 32, min(320, columns + 48)])
    assert larger.memory_bytes > available
    free(monkeypatch, 1000)
    assert estimated(frames, tmp_path).fits_px is None
    free(monkeypatch, None)
    assert estimated(frames, tmp_path).fits_px is None


def test_looking_for_it_takes_no_time(tmp_path, monkeypatch):
    frames = np.broadcast_to(np.random.default_rng(0).uniform(900, 1100, (4, 1, 2048)), (4, 2048, 2048))
    plan = make_plan(
        load_job({"modality": "dpc", "raw": "r", "acquisition": OPTICS, "output": {"path": str(tmp_path / "r.zarr")}})[
            0
        ],
        RawData(frames.astype(np.uint16)),
        base_dir=tmp_path,
    )
    from napari_nstm.imaging.dpc.layout import dpc_grid
    from napari_nstm.run.preflight import _largest_part

    grid = dpc_grid((2048, 2048), plan.settings)
    _largest_part(plan, grid, 4, 4, 10**9)
    began = time.perf_counter()
    found = _largest_part(plan, grid, 4, 4, 10**9)
    assert time.perf_counter() - began < 0.05
    assert found is not None
    assert 256 < found[0] == found[1] < 2048


def test_a_method_that_knows_no_region_offers_none(toy, job, tmp_path, monkeypatch):
    def refuse(raw, settings, region):
        raise InputError("region", "a part", "nothing")

    frames = np.random.default_rng(0).uniform(size=(4, 96, 96)).astype(np.float32)
    free(monkeypatch, 10**6)
    plan = make_plan(load_job(job)[0], frames, base_dir=tmp_path)
    solver = Solver(lambda level: toy_problem(frames, level), plan.fit, jax.devices("cpu")[0])
    monkeypatch.setattr(type(toy), "cropped", staticmethod(refuse), raising=False)
    assert prepared_event(plan, solver, "r").fits_px is None


def test_volumes_colours_and_single_images_are_named(toy, job, frames, tmp_path, monkeypatch):
    plan = make_plan(load_job(job)[0], frames, base_dir=tmp_path)
    grid = toy.prepare(plan.raw, plan.settings, 0).grid
    assert described_axes(plan, grid) == ("frame, y, x", 4, (256, 320))
    monkeypatch.setattr(type(toy), "raw_axes", "cyx")
    assert described_axes(plan, grid) == ("colour, y, x", 1, (256, 320))
    stack = np.ones((30, 40, 48), np.float32) * np.linspace(1, 2, 48, dtype=np.float32)
    volumes = toy_problem(np.ones((3, 10, 40, 48), np.float32)).grid
    monkeypatch.setattr(type(toy), "raw_axes", "*yx")
    plan = make_plan(load_job(job)[0], stack, base_dir=tmp_path)
    assert described_axes(plan, volumes) == ("frame, plane, y, x", 3, (10, 40, 48))


@pytest.mark.parametrize(("images", "n_steps"), [(None, 300), (2, 600), (1, 1200)])
def test_fewer_images_in_a_step_need_less_and_make_more_steps(frames, tmp_path, images, n_steps):
    usual = estimated(frames, tmp_path)
    told = estimated(frames, tmp_path, fit={"images_per_step": images})
    assert told.n_steps == n_steps
    assert (told.memory_bytes < usual.memory_bytes) == (images is not None)


def test_images_in_a_step_must_be_whole_steps(frames, tmp_path, toy_alone):
    with pytest.raises(InputError, match=r"^fit.images_per_step: got 3 of 4 frames; takes 1 or 2 or 4$"):
        estimated(frames, tmp_path, fit={"images_per_step": 3})
    with pytest.raises(InputError, match=r"^fit.images_per_step: got 2; takes nothing with Toy camera"):
        estimated(frames, tmp_path, modality="toy", acquisition={"pixel_size_um": 1}, fit={"images_per_step": 2})


@pytest.fixture
def toy_alone(monkeypatch):
    """The toy camera beside the registered methods."""
    from tests.toy import ToyModality

    known = {"toy": ToyModality(), "dpc": Dpc(), "sim3d": Sim3d()}
    monkeypatch.setattr(registry, "modality", known.__getitem__)
