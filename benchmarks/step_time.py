"""Time per step of the presets and of the forward model's transforms alone, in one run.

python benchmarks/step_time.py [--size 256]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.core.settings import FitRequest, Preset, resolve_fit
from napari_nstm.fit.device import pick_device
from napari_nstm.fit.solver import Solver
from napari_nstm.fit.step import run_steps
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.dpc import Dpc

REPEATS = 7


def best_seconds(work: Callable[[], Any]) -> float:
    """Run once to compile, then take the fastest of some repeats."""
    jax.block_until_ready(work())
    best = np.inf
    for _ in range(REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(work())
        best = min(best, time.perf_counter() - began)
    return float(best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    simulation = Dpc().simulate(SimulationRequest(size=options.size))
    raw, dpc = RawData(simulation.raw), Dpc()
    device, words = pick_device(options.device)

    def solver_of(preset: Preset) -> Solver:
        fit = resolve_fit(dpc.defaults(preset, raw, simulation.settings), FitRequest(preset=preset))
        return Solver(lambda level: dpc.prepare(raw, simulation.settings, level), fit, device)

    fast = solver_of("fast")
    problem = fast.problem(0)
    shape = problem.grid.padded_shape
    scene = jax.device_put(jnp.ones((len(raw.frames), 2, *shape)), device)
    _, data = problem.batch(jax.random.key(0), jnp.asarray(0))
    forward = jax.jit(lambda s, d: jax.grad(lambda x: jnp.sum(problem.forward(x, d)[0] ** 2))(s))
    seconds = {"forward model and its gradient (transforms), full size": best_seconds(lambda: forward(scene, data))}
    for name, solver, levels, n_steps in (("fast", fast, (0, 1, 2), 4), ("paper", solver_of("paper"), (0,), 2)):
        state = solver.init()
        for level in levels:

            def steps(solver: Solver = solver, level: int = level, n: int = n_steps, state: Any = state) -> Any:
                architecture = solver.model.architecture
                return run_steps(solver.problem(level), state, solver.rates, jnp.asarray(n), architecture=architecture)

            seconds[f"{name}, step at level {level}"] = best_seconds(steps) / n_steps
    unit = next(iter(seconds.values()))
    print(f"{len(raw.frames)} x {options.size} x {options.size}, padded to {shape[0]} x {shape[1]}; {words}")
    for name, value in seconds.items():
        print(f"{name:56} {value * 1e3:8.1f} ms   {value / unit:6.1f} x the transforms")


if __name__ == "__main__":
    main()
