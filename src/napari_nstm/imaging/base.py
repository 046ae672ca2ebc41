"""What a modality is: the contract between physics, fit and everything that is shown.

Others implement it too: an object that satisfies `Modality`, registered under the
entry point group `napari_nstm.modalities`, gets a form, a command and a store for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import Comparison, Drawing, RawData
from napari_nstm.core.grids import Grid
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.settings import AcquisitionSettings, FitSettings, MotionKind, Preset
from napari_nstm.core.warp import Canvas

if TYPE_CHECKING:
    import jax


class Problem(Protocol):
    """A reconstruction in normalised units: all that a fit knows of a modality.

    It is a pytree (`jax.tree_util.register_dataclass`): arrays are leaves, so that data of the
    same shape share one compiled program; `grid` and other static facts are metadata.

    Two more methods may be there: where a measurement is not a frame for each time, `gathered(parts)`, which puts the
    differences of all batches of an epoch, pairs of a batch's data and what `forward` rendered of it (measured less
    rendered), together to images (frame, [z,] y, x); and `in_steps_of(images)`, the problem with so many raw images in
    each batch, or an `InputError` of the field `fit.images_per_step`.
    """

    @property
    def grid(self) -> Grid:
        """The field at this problem's pyramid level."""

    @property
    def frame_times(self) -> jax.Array:
        """Times of all frames, (frame,), in [-1, 1]."""

    @property
    def frame_field(self) -> tuple[slice, ...]:
        """Where the field of view lies in a measurement that `forward` renders, ([z,] y, x)."""

    @property
    def n_batches(self) -> int:
        """Steps in an epoch."""

    def batch(self, key: jax.Array, index: jax.Array) -> tuple[jax.Array, Any]:
        """Return (times, data) of step `index` of the epoch that `key` shuffles; can be traced."""

    @property
    def tunable(self) -> dict[str, Any]:
        """What a fit may refine beside scene and motion, as it starts: arrays by name, all 0; mostly none."""

    def tuned(self, changes: dict[str, Any]) -> Self:
        """Return the problem with `tunable` as far as it was refined; can be traced."""

    def refined(self) -> dict[str, Any]:
        """Return the values that `tuned` changed, in physical units and as plain JSON."""

    def forward(self, scene: jax.Array, data: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Render measurements.

        Parameters
        ----------
        scene
            (time, c, *padded_shape): the scene at the batch's times.
        data
            What `batch` gave.

        Returns
        -------
        prediction, target, weight
            Broadcastable arrays of one shape; weights are 0 where a pixel must not count.
        """

    def penalty(self, scene: jax.Array) -> jax.Array:
        """Regularisation of `scene` (time, c, *padded_shape): a scalar, in the loss's units."""

    @property
    def presentation(self) -> tuple[ChannelPresentation, ...]:
        """What `present` does, per channel, as data: it goes into the store, so that showing needs no modality."""

    def present(self, scene: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (c, *shape), normalised, into physical units (numpy; any shape that covers the field)."""

    def finish(self, canvas: Canvas) -> Canvas:
        """Turn the scene on its lattice into what is stored and shown of it, still normalised (numpy).

        Here a modality takes away what its measurements say nothing of, before `presentation` is applied.
        """


@dataclass(frozen=True)
class SimulationRequest:
    """What to simulate.

    Parameters
    ----------
    motion
        Kind of motion.
    displacement_px
        99th percentile of |u| over the field and the acquisition, raw pixels.
    size
        Raw pixels along y and x (along x, where a modality's images are not square).
    noise
        Gaussian sigma as a fraction of the background (DPC) or of the largest clean value.
    seed
        Seed of noise and of random targets.
    options
        Further choices of the modality (`target`, `forward`), as text.
    extras
        Arrays read from the files that further options name (`psf`).
    """

    motion: MotionKind = "swirl"
    displacement_px: float = 6.0
    size: int = 256
    noise: float = 0.005
    seed: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


@dataclass(frozen=True)
class Simulation:
    """Simulated raw frames with their truth.

    Parameters
    ----------
    raw
        (frame, [z,] y, x) detector counts.
    truth
        (frame, c, [z,] y, x) in physical units, on the grid of a result's reconstruction.
    motion_px
        u from the first frame, (frame, component, [z,] y, x), pixels of `truth`.
    settings
        Settings that describe the acquisition.
    truth_pixel_size_um
        Pixel size of `truth`, ([z,] y, x); None: that of the raw frames.
    extras
        Arrays that the settings name as files in the same folder, by the dotted name of the setting
        (`Modality.array_paths`).
    """

    raw: NDArray[np.generic]
    truth: NDArray[np.float32]
    motion_px: NDArray[np.float32]
    settings: AcquisitionSettings
    truth_pixel_size_um: tuple[float, ...] | None = None
    extras: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


class Modality(Protocol):
    """One kind of computational microscope.

    `simulation_options` are the choices of each further option; one without any names a file with an array.
    `raw_axes` are the letters of the axes of raw frames; `*yx` takes any number of axes before y and x as one.
    `estimates` names the settings that `estimate` can fill in; `inspections` what `inspect` can draw: a title by name.
    More methods may be there: `moved(name, mark, position, settings)`, the settings after a mark of a drawing was
    dragged; `support_circles(settings)`, circles to draw on spectra; `slow_comparisons(raw, settings, times_ms)`,
    which returns at once a `SlowComparison` for each further way to reconstruct that takes minutes and that the
    settings ask for, at the moments of the result: a run makes them once the fit is stored; and
    `cropped(raw, settings, region)`, raw data and settings of a part of the field (without it `region.crop` cuts frames
    and whatever has their size), with `uncropped(settings, size, region)`, which turns settings that were completed for
    a region into those of whole frames of a size (y, x), where the two differ (of large data `raw` holds images in
    their files, which are sliced as arrays are: `frames[first:last]`, `frames[..., rows, columns]`);
    `cut_frames(raw, settings, frames)`, likewise for a part of the frames in time, given as the first and their number
    (without it `frame_range.cut` cuts frames and what there is for each); `for_tiles(raw, settings)`, settings in
    which all that is otherwise found in the whole field (a background, brightness, stripes) is given, with the arrays
    that they name, by the dotted name of the setting; `tile_reach_px(raw, settings)`, how far the optics spread a point
    and the largest motion, in raw pixels (without it the borders of the grid tell); and `tile_block_px(settings)`, what
    regions must begin at multiples of, so that samples of frames and result coincide (without it 8). An attribute
    `menu_order` says where a method stands among others in a menu (without it, after those that have one);
    `takes_regions`, where it is False, that `cropped` refuses.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    Settings: ClassVar[type[AcquisitionSettings]]
    raw_axes: ClassVar[str]
    simulation_options: ClassVar[Mapping[str, tuple[str, ...]]]
    estimates: ClassVar[tuple[str, ...]]
    inspections: ClassVar[Mapping[str, str]]

    def defaults(self, preset: Preset, raw: RawData, settings: Any) -> FitSettings:
        """Return the fit settings of a preset for these data."""

    def array_paths(self, settings: Any) -> dict[str, str]:
        """Files that the settings name, by the dotted name of the setting; they become `RawData.extras`."""

    def check(self, raw: RawData, settings: Any) -> list[str]:
        """Raise `InputError` where raw and settings do not fit; return warnings, a sentence each."""

    def estimate(self, raw: RawData, settings: Any) -> tuple[Any, list[str]]:
        """Return settings with what can be measured from the frames themselves filled in, and a sentence for each."""

    def inspect(self, name: str, raw: RawData, settings: Any) -> Drawing:
        """Draw one of `inspections`, so that what was understood of the frames can be seen; numpy only."""

    def prepare(self, raw: RawData, settings: Any, level: int) -> Problem:
        """Normalise and pad the frames, at a level of the pyramid."""

    def normalization(self, raw: RawData, settings: Any) -> dict[str, Any]:
        """Say what `prepare` divides the frames by and subtracts, as plain JSON: it is recorded in the store."""

    def frame_times_ms(self, raw: RawData, settings: Any) -> tuple[float, ...]:
        """Mid-exposure times of the frames in ms."""

    def moments_ms(self, raw: RawData, settings: Any) -> tuple[float, ...]:
        """Moments that a result shows where the job names none, in ms; mostly the frames' own."""

    def comparisons(self, raw: RawData, settings: Any) -> tuple[Comparison, ...]:
        """Reconstruct as if nothing moved (the first, called `conventional`), and in other simple ways; numpy only."""

    def simulate(self, request: SimulationRequest) -> Simulation:
        """Simulate raw frames of a moving sample."""
