"""Quality and time of DPC reconstructions of a simulated moving target, beside the conventional ones.

python benchmarks/dpc_quality.py [--motions swirl shear] [--seeds 5] [--displacement 6] [--forward linear] [--size 256]

PSNR is that of the phase: mean of each frame matched to the truth's, margin of 20 px, range of the
truth, averaged over the frames. "unmoved" is the best conventional reconstruction (over Tikhonov weights) of the
same target standing still, "conventional" the best one of the frames that the fit gets.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_nstm.analysis.metrics import best_constant_psnr, psnr
from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FitRequest, resolve_fit
from napari_nstm.fit.device import pick_device, use_compile_cache
from napari_nstm.fit.solver import Solver
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.dpc import Dpc

WEIGHTS = np.geomspace(1e-6, 1e-1, 16)
PHASE = 1


def phase_psnr(found: Callable[[int], NDArray[np.float32]], simulation: Simulation) -> float:
    """Average over the frames the PSNR of the phase that `found` gives for a frame."""
    return float(np.mean([psnr(found(k)[PHASE], truth[PHASE]) for k, truth in enumerate(simulation.truth)]))


def best_conventional(simulation: Simulation) -> float:
    """Search the Tikhonov weight of the phase."""
    raw, best = RawData(simulation.raw), -np.inf
    for weight in WEIGHTS:
        settings = simulation.settings.model_copy(update={"regularization_phase_conventional": float(weight)})
        scene = Dpc().conventional(raw, settings)
        best = max(best, phase_psnr(lambda _, scene=scene: scene, simulation))
    return best


def fit(simulation: Simulation, request: FitRequest) -> tuple[float, float]:
    """Return PSNR, and seconds of the whole fit: preparation, compiling (or loading compiled programs), steps."""
    raw, dpc = RawData(simulation.raw), Dpc()
    began = time.perf_counter()
    settings = resolve_fit(dpc.defaults(request.preset, raw, simulation.settings), request)
    device, _ = pick_device(request.device)
    solver = Solver(lambda level: dpc.prepare(raw, simulation.settings, level), settings, device)
    state = solver.init()
    while int(state.step) < solver.n_steps:
        state, report = solver.advance(state, 0.25)
        if report.diverged:
            raise SystemExit(report.message)
    seconds = time.perf_counter() - began
    present = solver.problem(0).present
    return phase_psnr(lambda k: present(solver.render(state, solver.times[k])), simulation), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--motions", nargs="+", default=["none", "translation", "rotation", "shear", "swirl"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--displacement", type=float, default=6.0)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--noise", type=float, default=0.005)
    parser.add_argument("--forward", default="linear")
    parser.add_argument("--target", default="usaf")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    use_compile_cache()

    def simulate(motion: str, seed: int) -> Simulation:
        choices = {"forward": options.forward, "target": options.target}
        request = SimulationRequest(motion, options.displacement, options.size, options.noise, seed, choices)
        return Dpc().simulate(request)

    print(f"displacement {options.displacement:g} px, {options.forward}, {pick_device(options.device)[1]}")
    print(f"{'motion':12} seed  unmoved  NSTM   below  conventional  constant  fit s")
    below_all = []
    for motion in options.motions:
        rows = []
        for seed in range(options.seeds):
            unmoved, moved = best_conventional(simulate("none", seed)), simulate(motion, seed)
            found, seconds = fit(moved, FitRequest(seed=seed, device=options.device))
            conventional = best_conventional(moved)
            constant = float(np.mean([best_constant_psnr(t[PHASE]) for t in moved.truth]))
            rows.append((unmoved, found, unmoved - found, conventional, constant, seconds))
            print(f"{motion:12} {seed:4}  " + "  ".join(f"{x:6.2f}" for x in rows[-1]), flush=True)
        print(f"{motion:12}  med  " + "  ".join(f"{x:6.2f}" for x in np.median(rows, axis=0)), flush=True)
        if motion not in ("none", "vibration"):
            below_all += [row[2] for row in rows]
    if below_all:
        print(f"below the unmoved conventional: median {np.median(below_all):.2f} dB, worst {max(below_all):.2f} dB")


if __name__ == "__main__":
    main()
