"""Quality and time of a movie from one simulated DiffuserCam image, beside static deconvolution and FISTA-TV.

python benchmarks/diffusercam_quality.py [--displacements 3 6 12] [--seeds 1] [--psf psf.tif] [--no-fista]

PSNR is after one offset and scale per moment, averaged over 24 moments from the first exposure's start to the last
one's end. Static deconvolution and FISTA-TV are given as the best of a search over their weights: neither could choose
so without the truth. "u off" is the mean error of the displacement from a quarter to three quarters of the acquisition
over its mean length, where the scene is bright.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_nstm.analysis.metrics import psnr_scaled
from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FitRequest, resolve_fit
from napari_nstm.core.warp import MotionLattice, positions, render
from napari_nstm.fit.device import pick_device, use_compile_cache
from napari_nstm.fit.solver import Solver
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.diffusercam import DiffuserCam
from napari_nstm.imaging.diffusercam.conventional import fista_tv_movie, static_image
from napari_nstm.imaging.diffusercam.prepare import prepared

CASES = ("hand-wave", "ball-bounce", "text-rotation", "hand-translation")
STATIC_WEIGHTS = np.geomspace(1e-5, 3e-3, 6)
TV_WEIGHTS = tuple(itertools.product((3e-5, 1e-4, 3e-4), (3e-6, 1e-5, 3e-5)))
TV_SEARCH, TV_WHOLE = 200, 400
Movie = NDArray[np.float32]


def score(movie: Movie, truth: Movie) -> float:
    """Average the PSNR over the moments; one picture stands for all of them."""
    return float(np.mean([psnr_scaled(a, b) for a, b in zip(np.broadcast_to(movie, truth.shape), truth, strict=True)]))


def fit(simulation: Simulation, raw: RawData, request: FitRequest) -> tuple[Movie, MotionLattice, float]:
    """Return the movie as the store shows it, its motion, and seconds of the whole fit."""
    camera, settings = DiffuserCam(), simulation.settings
    began = time.perf_counter()
    values = resolve_fit(camera.defaults(request.preset, raw, settings), request)
    device, _ = pick_device(request.device)
    solver = Solver(lambda level: camera.prepare(raw, settings, level), values, device)
    state = solver.init()
    while int(state.step) < solver.n_steps:
        state, report = solver.advance(state, 0.25)
        if report.diverged:
            raise SystemExit(report.message)
    seconds = time.perf_counter() - began
    canvas, motion = solver.canvas(state), solver.motion_lattice(state)
    where = positions(simulation.truth.shape[-2:])
    times = np.linspace(-1, 1, len(simulation.truth))
    return np.stack([render(canvas, motion, float(t), where)[0] for t in times]), motion, seconds


def displacement_error(motion: MotionLattice, simulation: Simulation) -> float:
    """Return the mean error over the mean length of u, from a quarter to three quarters of the acquisition."""
    n = len(simulation.truth)
    times, (begin, end) = np.linspace(-1, 1, n), (n // 4, 3 * n // 4)
    bright = simulation.truth[0, 0] > 0.3 * simulation.truth[0, 0].max()
    there = positions(simulation.truth.shape[-2:]) + simulation.motion_px[begin]
    true = simulation.motion_px[end] - simulation.motion_px[begin]
    found = motion.displacement(there, float(times[end]), float(times[begin]))
    lengths = [np.linalg.norm(u, axis=0)[bright].mean() for u in (found - true, true)]
    return float(lengths[0] / max(lengths[1], 1e-9))


def best_static(simulation: Simulation, raw: RawData, truth: Movie) -> float:
    """Return the PSNR of static deconvolution with its best weight."""
    data = prepared(raw, simulation.settings)
    return max(score(static_image(data, float(weight))[0], truth) for weight in STATIC_WEIGHTS)


def best_fista(simulation: Simulation, raw: RawData, truth: Movie) -> tuple[float, tuple[float, float], float]:
    """Return the PSNR of FISTA-TV with its best weights (time, space) of a shorter search, these, and seconds."""
    data, times = prepared(raw, simulation.settings), np.linspace(-1, 1, len(truth))
    found = {w: score(fista_tv_movie(data, times, w, TV_SEARCH)[:, 0], truth) for w in TV_WEIGHTS}
    best = max(found, key=lambda w: found[w])
    began = time.perf_counter()
    whole = score(fista_tv_movie(data, times, best, TV_WHOLE)[:, 0], truth)
    return max(whole, found[best]), best, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=CASES, help="scene-motion")
    parser.add_argument("--displacements", nargs="+", type=float, default=[3.0, 6.0, 12.0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--psf", type=Path, help="a measured one; default: drawn")
    parser.add_argument("--no-fista", action="store_true")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--save", type=Path, help="folder for movies and truths as .npy")
    options = parser.parse_args()
    use_compile_cache()
    extras = {} if options.psf is None else {"psf": tifffile.imread(options.psf)}
    which = "drawn" if options.psf is None else "measured"
    print(f"PSF {which}, width {options.size} px, noise {options.noise:g}, {pick_device()[1]}")
    print(
        f"{'scene':6} {'motion':12} {'px':>3} seed    NSTM  static  FISTA  u off  fit s  FISTA s  weights (time, space)"
    )
    for seed, case, px in itertools.product(range(options.seeds), options.cases, options.displacements):
        target, motion = case.split("-")
        request = SimulationRequest(motion, px, options.size, options.noise, seed, {"target": target}, extras)
        simulation = DiffuserCam().simulate(request)
        raw, truth = RawData(simulation.raw, dict(simulation.extras)), simulation.truth[:, 0]
        movie, lattice, seconds = fit(simulation, raw, FitRequest(seed=seed, device=options.device))
        if options.save:
            np.save(options.save / f"{target}-{motion}-{px:g}-{seed}.npy", np.stack([movie, truth]))
        row = f"{target:6} {motion:12} {px:3g} {seed:4}  {score(movie, truth):6.2f}"
        row += f"  {best_static(simulation, raw, truth):6.2f}"
        fista, weights, fista_s = (0.0, (0.0, 0.0), 0.0) if options.no_fista else best_fista(simulation, raw, truth)
        row += f" {fista:6.2f} {displacement_error(lattice, simulation):6.3f} {seconds:6.1f} {fista_s:8.1f}"
        print(f"{row}  {weights[0]:g}, {weights[1]:g}", flush=True)


if __name__ == "__main__":
    main()
