"""What a series saves by starting each acquisition from its neighbour's result.

    python benchmarks/warm_start.py [--size 192] [--drift 0 4]

Six acquisitions of one sample, each with its own motion and noise, and each a drift further than the one before. Every
one is fitted anew, and from the result of the one before; told are the steps to within 0.1 dB of what the fit that
began anew reaches at its end, and what both reach.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from napari_nstm.analysis.metrics import psnr
from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FitRequest, FitSettings, resolve_fit
from napari_nstm.fit.solver import Solver
from napari_nstm.fit.start import start_from
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.dpc.modality import Dpc

DPC, N, PHASE, MOTIONS = Dpc(), 6, 1, ("swirl", "translation", "rotation")


def acquisitions(size: int, drift_px: float) -> list[Simulation]:
    """Simulate the acquisitions of a series: the sample drifts along y and x from one to the next."""
    made = []
    for k in range(N):
        request = SimulationRequest(motion=MOTIONS[k % 3], displacement_px=5.0, size=size, noise=0.0, seed=0)
        one = DPC.simulate(request)
        shift = (round(0.5 * k * drift_px), round(k * drift_px))
        raw, truth = (np.roll(array, shift, axis=(-2, -1)) for array in (one.raw.astype(np.float64), one.truth))
        noise = np.random.default_rng(k).normal(0, 0.005 * np.median(raw), raw.shape)
        made.append(replace(one, raw=(raw + noise).astype(np.float32), truth=truth))
    return made


def fit(simulation: Simulation, request: FitRequest, before: tuple[dict, FitSettings] | None = None):
    """Fit one; return its end as a start for others, PSNR after each block of steps, and seconds of fitting."""
    raw = RawData(simulation.raw, {}, None, "raw")
    settings = resolve_fit(DPC.defaults("fast", raw, simulation.settings), request)
    solver = Solver(lambda level: DPC.prepare(raw, simulation.settings, level), settings)
    state = solver.init()
    if before is not None:
        state = start_from(state, before[0], before[1], settings)
    course, seconds = [], 0.0
    while int(state.step) < solver.n_steps:
        began = time.perf_counter()
        state, report = solver.advance(state, 0.25)
        seconds += time.perf_counter() - began
        shown = solver.problem(0).present(solver.render(state, solver.times[2]))
        course.append((report.step, psnr(shown[PHASE], simulation.truth[2][PHASE])))
    return (solver.save(state), settings), course, seconds


def steps_to(course: list[tuple[int, float]], wanted_db: float) -> int | None:
    """Return the steps after which a quality is reached and kept."""
    for index, (step, _) in enumerate(course):
        if all(db >= wanted_db for _, db in course[index:]):
            return step
    return None


def main() -> None:
    """Print a table for each drift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--drift", type=float, nargs="+", default=[0.0, 4.0], help="pixels from one to the next")
    options = parser.parse_args()
    for drift in options.drift:
        print(f"drift {drift:g} px per acquisition, {options.size} x {options.size}")
        before, rows = None, []
        for k, simulation in enumerate(acquisitions(options.size, drift)):
            cold_end, cold, cold_s = fit(simulation, FitRequest())
            if before is None:
                before = cold_end
                continue
            before, warm, warm_s = fit(simulation, FitRequest(start_from="before"), before)
            wanted = cold[-1][1] - 0.1
            row = steps_to(cold, wanted), steps_to(warm, wanted)
            rows.append(row)
            print(
                f"  {k + 1}: anew {cold[-1][1]:.2f} dB in {cold[-1][0]} steps ({cold_s:.1f} s), there at {row[0]}; from "
                f"its neighbour {warm[-1][1]:.2f} dB in {warm[-1][0]} steps ({warm_s:.1f} s), there at {row[1]}"
            )
        reached = [warm for _, warm in rows if warm is not None]
        print(f"  median steps: {np.median([cold for cold, _ in rows]):.0f} anew", end="")
        print(f", {np.median(reached):.0f} from a neighbour ({len(reached)} of {len(rows)} got there)" if reached else "")


if __name__ == "__main__":
    main()
