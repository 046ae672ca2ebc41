"""DPC as a modality: ties settings, optics and normalisation to the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import Comparison, Drawing, RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.grids import Grid
from napari_nstm.core.settings import AcquisitionSettings, FitSettings, FrameRange, Preset, Region
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.dpc.settings import DpcSettings, ImageBackground

if TYPE_CHECKING:
    from napari_nstm.imaging.dpc.normalise import Contrast
    from napari_nstm.imaging.dpc.optics import TransferFunctions
    from napari_nstm.imaging.dpc.problem import DpcProblem


class Dpc:
    """Differential phase contrast: quantitative phase from frames with half of the aperture lit."""

    name: ClassVar[str] = "dpc"
    title: ClassVar[str] = "Differential phase contrast"
    menu_order: ClassVar[int] = 0
    Settings: ClassVar[type[AcquisitionSettings]] = DpcSettings
    raw_axes: ClassVar[str] = "tyx"
    simulation_options: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "target": ("usaf", "cells"),
        "forward": ("linear", "abbe"),
    }

    estimates: ClassVar[tuple[str, ...]] = ()
    inspections: ClassVar[Mapping[str, str]] = {}

    def defaults(self, preset: Preset, raw: RawData, settings: DpcSettings) -> FitSettings:
        """Return the fit settings of a preset for these data."""
        from napari_nstm.imaging.dpc import presets

        make = {"fast": presets.fast, "paper": presets.paper}[preset]
        return make(_grid(raw, settings), len(raw.frames), _n_conditions(raw, settings))

    def array_paths(self, settings: DpcSettings) -> dict[str, str]:
        """Files that the settings name, by the dotted name of the setting."""
        paths = {}
        if isinstance(settings.background, ImageBackground):
            paths["background.path"] = settings.background.path
        if settings.source_patterns is not None:
            paths["source_patterns"] = settings.source_patterns
        return paths

    def cropped(self, raw: RawData, settings: DpcSettings, region: Region) -> tuple[RawData, DpcSettings]:
        """Cut frames and background to a region; source patterns stay as they are."""
        from napari_nstm.imaging.region import crop

        return crop(raw, region, images=("background.path",)), settings

    def cut_frames(self, raw: RawData, settings: DpcSettings, frames: FrameRange) -> tuple[RawData, DpcSettings]:
        """Cut whole acquisitions, with the background of their frames."""
        from napari_nstm.imaging.dpc.frame_range import cut_frames

        return cut_frames(raw, settings, frames, _n_conditions(raw, settings))

    def for_tiles(self, raw: RawData, settings: DpcSettings) -> tuple[DpcSettings, dict[str, NDArray[Any]]]:
        """Give the background that is found in the whole frames: their means, or their blurred images."""
        from napari_nstm.imaging.dpc.tiles import for_tiles

        return for_tiles(raw, settings)

    def frames_each(self, raw: RawData, settings: DpcSettings) -> int:
        """Return the frames of one acquisition of a series."""
        return _n_conditions(raw, settings)

    def tile_reach_px(self, raw: RawData, settings: DpcSettings) -> tuple[int, int]:
        """Return how far the optics spread a point, and the largest displacement, in raw pixels."""
        from napari_nstm.imaging.dpc.layout import TILE_REACH

        return TILE_REACH * max(before for before, _ in _grid(raw, settings).padding), settings.max_displacement_px

    def check(self, raw: RawData, settings: DpcSettings) -> list[str]:
        """Raise `InputError` where raw and settings do not fit; return warnings, a sentence each."""
        from napari_nstm.imaging.dpc.check import check

        warnings = check(raw, settings)
        for _ in self._contrasts(raw, settings):
            pass  # it raises where a background does not fit
        return warnings

    def estimate(self, raw: RawData, settings: DpcSettings) -> tuple[DpcSettings, list[str]]:
        """Return the settings as they are: the frames of DPC do not tell anything they need."""
        return settings, []

    def inspect(self, name: str, raw: RawData, settings: DpcSettings) -> Drawing:
        """Raise `InputError`: there is nothing to draw."""
        raise InputError("inspection", repr(name), "nothing: DPC has none")

    def frame_times_ms(self, raw: RawData, settings: DpcSettings) -> tuple[float, ...]:
        """Mid-exposure times of the frames in ms."""
        if settings.timestamps_ms is not None:
            return settings.timestamps_ms
        return tuple(float(k) for k in range(len(raw.frames)))

    def moments_ms(self, raw: RawData, settings: DpcSettings) -> tuple[float, ...]:
        """Moments that a result shows: the frames' own."""
        return self.frame_times_ms(raw, settings)

    def contrast(self, raw: RawData, settings: DpcSettings) -> Contrast:
        """Normalise the frames: contrast, and what they were divided by."""
        from napari_nstm.imaging.dpc.normalise import contrast

        image = raw.extras.get("background.path")
        return contrast(raw.frames, settings.background, _n_conditions(raw, settings), image)

    def normalization(self, raw: RawData, settings: DpcSettings) -> dict[str, Any]:
        """Say what the frames are divided by (its mean, per frame) and what is subtracted then."""
        found = [(float(c.divisor.mean(dtype=np.float64)), c.subtracted) for c in self._contrasts(raw, settings)]
        divisors = [divisor for divisor, _ in found]
        return {"background": settings.background.kind, "divided_by": divisors, "subtracted": found[0][1]}

    def prepare(self, raw: RawData, settings: DpcSettings, level: int) -> DpcProblem:
        """Normalise and pad the frames, at a level of the pyramid.

        Raises
        ------
        InputError
            If there is no such level.
        """
        import jax.numpy as jnp

        from napari_nstm.imaging.dpc.layout import N_LEVELS
        from napari_nstm.imaging.dpc.normalise import frames_at_level
        from napari_nstm.imaging.dpc.problem import DpcProblem, field_weight

        if not 0 <= level < N_LEVELS:
            raise InputError("fit.advanced.pyramid", f"level {level}", f"levels from 0 to {N_LEVELS - 1}")
        padded, full_grid = self._padded(raw, settings)
        grid = full_grid.at_level(level)
        half = _transfer(raw, settings, grid).half_plane()
        times = np.asarray(self.frame_times_ms(raw, settings))
        return DpcProblem(
            frames=jnp.asarray(frames_at_level(padded, full_grid, level)),
            frame_times=jnp.asarray(2 * (times - times[0]) / (times[-1] - times[0]) - 1, jnp.float32),
            absorption_transfer=jnp.asarray(half.absorption),
            phase_transfer=jnp.asarray(half.phase),
            weight=jnp.asarray(field_weight(grid)),
            regularization_absorption=jnp.asarray(settings.regularization_absorption, jnp.float32),
            regularization_phase=jnp.asarray(settings.regularization_phase, jnp.float32),
            grid=grid,
            images_per_step=_n_conditions(raw, settings),
        )

    def conventional(self, raw: RawData, settings: DpcSettings) -> NDArray[np.float32]:
        """Reconstruct as if nothing moved: (2, y, x), absorption and phase in rad of zero mean."""
        from napari_nstm.imaging.dpc.conventional import tikhonov

        padded, grid = self._padded(raw, settings)
        solved = tikhonov(
            padded,
            _transfer(raw, settings, grid),
            settings.regularization_absorption,
            settings.regularization_phase_conventional,
        )
        field = solved[(slice(None), *grid.field_slices)].copy()
        field[1] -= field[1].mean(dtype=np.float64)
        return field

    def comparisons(self, raw: RawData, settings: DpcSettings) -> tuple[Comparison, ...]:
        """Return the conventional reconstruction: one for all frames, of the middle of the acquisition."""
        times = self.frame_times_ms(raw, settings)
        middle = (times[0] + times[-1]) / 2
        return (Comparison("conventional", (middle,), self.conventional(raw, settings)[None]),)

    def simulate(self, request: SimulationRequest) -> Simulation:
        """Simulate raw frames of a moving sample."""
        from napari_nstm.imaging.dpc.simulate import simulate

        return simulate(request)

    def _contrasts(self, raw: RawData, settings: DpcSettings) -> Iterator[Contrast]:
        from napari_nstm.imaging.dpc.normalise import contrasts

        image = raw.extras.get("background.path")
        return contrasts(raw.frames, settings.background, _n_conditions(raw, settings), image)

    def _padded(self, raw: RawData, settings: DpcSettings) -> tuple[NDArray[np.float32], Grid]:
        from napari_nstm.imaging.padding import pad_fading

        grid = _grid(raw, settings)
        return pad_fading(self.contrast(raw, settings).frames, grid), grid


def _grid(raw: RawData, settings: DpcSettings) -> Grid:
    from napari_nstm.imaging.dpc.layout import dpc_grid

    return dpc_grid((raw.frames.shape[1], raw.frames.shape[2]), settings)


def _n_conditions(raw: RawData, settings: DpcSettings) -> int:
    return len(settings.source_angles_deg) if settings.source == "half" else len(raw.extras["source_patterns"])


def _transfer(raw: RawData, settings: DpcSettings, grid: Grid) -> TransferFunctions:
    from napari_nstm.imaging.dpc.check import source_patterns
    from napari_nstm.imaging.dpc.optics import Optics, transfer_functions

    optics = Optics.from_settings(settings, source_patterns(raw, settings))
    rows, columns = grid.padded_shape
    return transfer_functions(optics, (rows, columns), settings.pixel_size_um * grid.step[-1])
