"""Quality and time of SIM reconstructions of a simulated moving sample, of one plane, beside the conventional ones.

python benchmarks/sim_quality.py [--motions swirl none] [--seeds 3] [--target usaf] [--noise 0.01] [--estimate]

PSNR is after one offset and scale per picture, margin of 10 samples of the result, averaged over the frames.
"unmoved" is NSTM of the same sample standing still; "Wiener" the conventional reconstruction of the frames that the
fit gets, with its own parameter and with the best one found by search; "resolved" how many elements of the resolution
target have 20 % contrast, in the first frame (NSTM) and unmoved (Wiener). With --estimate stripes, phases and depths
are found in the frames.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from napari_nstm.analysis.metrics import psnr_scaled
from napari_nstm.analysis.resolution import elements, finest_resolved
from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FitRequest, resolve_fit
from napari_nstm.core.warp import positions, render
from napari_nstm.fit.device import pick_device, use_compile_cache
from napari_nstm.fit.solver import Solver
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.sim import Sim, SimSettings
from napari_nstm.phantoms.targets import usaf1951_bars

PARAMETERS = np.geomspace(1e-5, 1e-1, 17)
Picture = NDArray[np.float32]


def score(pictures: list[Picture], simulation: Simulation) -> float:
    """Average the PSNR over the frames; one picture stands for all of them."""
    truth = simulation.truth[:, 0]
    found = pictures * len(truth) if len(pictures) == 1 else pictures
    return float(np.mean([psnr_scaled(a, b) for a, b in zip(found, truth, strict=True)]))


def wiener(simulation: Simulation, settings: SimSettings) -> tuple[Picture, float, float]:
    """Return the conventional picture, its PSNR, and that with the best parameter."""
    raw = RawData(simulation.raw)
    own = Sim().comparisons(raw, settings)[0].images[0, 0]
    tried = (settings.model_copy(update={"wiener": float(w)}) for w in PARAMETERS)
    best = max(score([Sim().comparisons(raw, one)[0].images[0, 0]], simulation) for one in tried)
    return own, score([own], simulation), best


def fit(simulation: Simulation, settings: SimSettings, request: FitRequest) -> tuple[list[Picture], float]:
    """Return a picture for each frame as the store shows it, and seconds of the whole fit."""
    raw, sim = RawData(simulation.raw), Sim()
    began = time.perf_counter()
    values = resolve_fit(sim.defaults(request.preset, raw, settings), request)
    device, _ = pick_device(request.device)
    solver = Solver(lambda level: sim.prepare(raw, settings, level), values, device)
    state = solver.init()
    while int(state.step) < solver.n_steps:
        state, report = solver.advance(state, 0.25)
        if report.diverged:
            raise SystemExit(report.message)
    seconds = time.perf_counter() - began
    canvas, motion = solver.canvas(state), solver.motion_lattice(state)
    where = positions(simulation.truth.shape[-2:])
    return [render(canvas, motion, t, where)[0] for t in solver.times], seconds


def resolved(picture: Picture, simulation: Simulation, seed: int) -> int:
    """Count the elements of the resolution target that an unmoved picture resolves."""
    size = simulation.raw.shape[-1]
    per_px = simulation.truth.shape[-1] / size
    truth = simulation.truth[0, 0]
    columns = np.stack([picture.ravel(), np.ones(picture.size)], axis=1)
    level = columns @ np.linalg.lstsq(columns, truth.ravel(), rcond=None)[0]
    return finest_resolved(elements(level.reshape(picture.shape), usaf1951_bars((size, size), seed), per_px))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--motions", nargs="+", default=["none", "translation", "rotation", "shear", "swirl"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--displacement", type=float, default=6.0)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--target", default="usaf")
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--cycles", default="1.25", help="of a vibration over the acquisition")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    use_compile_cache()

    def simulate(motion: str, seed: int) -> Simulation:
        request = SimulationRequest(
            motion,
            options.displacement,
            options.size,
            options.noise,
            seed,
            {"target": options.target, "cycles": options.cycles},
        )
        return Sim().simulate(request)

    def settings_of(simulation: Simulation) -> SimSettings:
        settings = simulation.settings
        if options.estimate:
            kept = settings.model_dump(exclude={"pattern", "phases_rad", "modulation_1", "modulation_2"})
            settings, notices = Sim().estimate(RawData(simulation.raw), SimSettings.model_validate(kept))
            print("   ", " ".join(notices))
        return settings

    print(f"{options.target}, displacement {options.displacement:g} px, noise {options.noise:g}, {pick_device()[1]}")
    names = ("widefield", "Wiener", "best W.", "NSTM", "unmoved", "below", "fit s", "resolved", "W. unm.")
    print(f"{'motion':12} seed " + " ".join(f"{name:>9}" for name in names))
    for seed in range(options.seeds):
        still = simulate("none", seed)
        kept, _, _ = wiener(still, settings_of(still))
        unmoved, seconds = fit(still, settings_of(still), FitRequest(seed=seed, device=options.device))
        reference = score(unmoved, still)
        for motion in options.motions:
            moved = simulate(motion, seed)
            settings = settings_of(moved)
            _, own, best = wiener(moved, settings)
            pictures = unmoved
            if motion != "none":
                pictures, seconds = fit(moved, settings, FitRequest(seed=seed, device=options.device))
            found = score(pictures, moved)
            wide = score([Sim().comparisons(RawData(moved.raw), settings)[1].images[0, 0]], moved)
            row = [wide, own, best, found, reference, reference - found, seconds]
            if options.target == "usaf":
                row += [resolved(pictures[0], moved, seed), resolved(kept, still, seed)]
            print(f"{motion:12} {seed:4} " + " ".join(f"{x:9.2f}" for x in row), flush=True)


if __name__ == "__main__":
    main()
