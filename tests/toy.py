"""A toy modality: a camera that sees the scene as it is. It shows that `fit` and `run` know only the contract."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from napari_nstm.core.data import Comparison, SlowComparison
from napari_nstm.core.errors import InputError
from napari_nstm.core.grids import Channel, Grid, padded_grid
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.settings import (
    AcquisitionSettings,
    EncodingSettings,
    FitSettings,
    NetworkSettings,
    TimedAcquisition,
)
from napari_nstm.imaging.base import Simulation, SimulationRequest


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ToyProblem:
    frames: jax.Array
    frame_times: jax.Array
    weight: jax.Array
    grid: Grid = field(metadata={"static": True})
    n_batches: int = field(default=1, metadata={"static": True})

    def batch(self, key, index):
        n = self.frames.shape[0] // self.n_batches
        order = jax.random.permutation(key, self.frames.shape[0])
        chosen = jax.lax.dynamic_slice(order, (index * n,), (n,)) if self.n_batches > 1 else jnp.arange(n)
        return self.frame_times[chosen], self.frames[chosen]

    def forward(self, scene, data):
        return scene[:, 0], data, self.weight

    def penalty(self, scene):
        return 0.0 * jnp.sum(scene[0, 0, :1])

    @property
    def presentation(self):
        return (ChannelPresentation(),)

    def present(self, scene):
        return np.asarray(scene)

    @property
    def tunable(self):
        return {}

    def tuned(self, changes):
        return self

    def refined(self):
        return {}

    def finish(self, canvas):
        return canvas

    @property
    def frame_field(self):
        return self.grid.field_slices


def toy_settings(ndim: int = 2, **changes: Any) -> FitSettings:
    """A small fast preset."""
    values: dict[str, Any] = {
        "epochs": 150,
        "pyramid": ((1, 0.5), (0, 0.5)) if ndim == 2 else ((0, 1.0),),
        "scene_learning_rate": 3e-2,
        "motion_learning_rate": 0.1,
        "scene_encoding": EncodingSettings(
            n_levels=6, n_features=1, base_cells=(4.0,) * ndim, fine_cells=(48.0,) * ndim
        ),
        "scene_network": NetworkSettings(kind="sum"),
        "motion_encoding": EncodingSettings(
            n_levels=3, n_features=ndim, base_cells=(1.0,) * (ndim + 1), fine_cells=(2.0,) + (4.0,) * ndim
        ),
        "motion_network": NetworkSettings(kind="sum"),
    }
    return FitSettings.model_validate({**values, **changes})


def toy_problem(frames: np.ndarray, level: int = 0, n_batches: int = 1, pad: int = 4, margin: int = 8) -> ToyProblem:
    """Frames (time, [z,] y, x) of a moving scene, as a problem at a pyramid level."""
    ndim = frames.ndim - 1
    grid = padded_grid(
        frames.shape[1:], (1.0,) * ndim, (Channel("value", "a.u."),), (pad,) * ndim, (margin,) * ndim, 2
    ).at_level(level)
    padded = np.pad(frames, [(0, 0), *grid.padding], mode="edge")
    weight = np.pad(np.ones(frames.shape[1:]), grid.padding)
    stride = tuple(slice(None, None, s) for s in grid.step)
    return ToyProblem(
        jnp.asarray(padded[(slice(None), *stride)], jnp.float32),
        jnp.linspace(-1, 1, len(frames)),
        jnp.asarray(weight[stride], jnp.float32),
        grid,
        n_batches,
    )


class ToySettings(TimedAcquisition):
    gain: float = 1.0


class ToyModality:
    """The whole contract, without any physics."""

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy camera"
    Settings: ClassVar[type[AcquisitionSettings]] = ToySettings
    raw_axes: ClassVar[str] = "tyx"
    simulation_options: ClassVar[dict[str, tuple[str, ...]]] = {}
    estimates: ClassVar[tuple[str, ...]] = ()
    inspections: ClassVar[dict[str, str]] = {}

    def defaults(self, preset, raw, settings):
        return toy_settings(raw.frames.ndim - 1)

    def array_paths(self, settings):
        return {}

    def check(self, raw, settings):
        if len(raw.frames) < 2:
            raise InputError("raw", f"{len(raw.frames)} frame", "at least 2 frames")
        return []

    def estimate(self, raw, settings):
        return settings, []

    def normalization(self, raw, settings):
        return {"multiplied_by": settings.gain}

    def prepare(self, raw, settings, level):
        return toy_problem(np.asarray(raw.frames, np.float32) * settings.gain, level)

    def frame_times_ms(self, raw, settings):
        return settings.timestamps_ms or tuple(float(i) for i in range(len(raw.frames)))

    def moments_ms(self, raw, settings):
        return self.frame_times_ms(raw, settings)

    def comparisons(self, raw, settings):
        mean = np.asarray(raw.frames, np.float32).mean(axis=0, keepdims=True) * settings.gain
        return (Comparison("conventional", (1.5,), mean[None]),)

    def simulate(self, request: SimulationRequest) -> Simulation:
        frames, motion = moving_blobs(request.size, request.displacement_px)
        return Simulation(frames, frames[:, None], motion, ToySettings(pixel_size_um=1.0))


class SlowToySettings(ToySettings):
    iterations: int = 40
    iteration_s: float = 0.02
    fails_at: int | None = None


class SlowToy(ToyModality):
    """Asks for a comparison that takes its time; it tells by its brightness how many iterations were done."""

    name: ClassVar[str] = "slow"
    Settings: ClassVar[type[AcquisitionSettings]] = SlowToySettings

    def slow_comparisons(self, raw, settings, times_ms):
        if not settings.iterations:
            return ()
        return (SlowComparison("counted", "Counting", partial(count, raw.frames.shape[1:], settings, times_ms)),)


def count(shape, settings, times_ms, watch):
    """Make the images of `SlowToy`, (t, 1, y, x): iterations done."""
    done, wanted = 0, True
    while wanted and done < settings.iterations:
        time.sleep(settings.iteration_s)
        done += 1
        if done == settings.fails_at:
            raise MemoryError
        wanted = watch("Counting slowly", done, settings.iterations)
    return Comparison("counted", times_ms, np.full((len(times_ms), 1, *shape), done, np.float32))


def moving_blobs(size: int = 48, displacement_px: float = 3.0, n_frames: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian blobs that drift along +x and half as far along +y: frames (t, y, x) and u (t, component, y, x)."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(0.25 * size, 0.75 * size, (6, 2))
    y, x = np.mgrid[:size, :size].astype(float)
    frames, motion = [], []
    for k in range(n_frames):
        shift = displacement_px * k / (n_frames - 1)
        blobs = [np.exp(-((y - cy - shift / 2) ** 2 + (x - cx - shift) ** 2) / (2 * 2.5**2)) for cy, cx in centres]
        frames.append(np.sum(blobs, axis=0))
        motion.append(np.stack([np.full((size, size), shift / 2), np.full((size, size), shift)]))
    return np.asarray(frames, np.float32), np.asarray(motion, np.float32)
