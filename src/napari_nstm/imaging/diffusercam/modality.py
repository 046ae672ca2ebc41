"""DiffuserCam as a modality: ties settings, optics and reconstruction to the contract."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_nstm.core.data import Comparison, Drawing, RawData, SlowComparison, Watch
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import AcquisitionSettings, FitSettings, Preset, Region
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings, FistaTv, ImageBackground

if TYPE_CHECKING:
    from napari_nstm.imaging.diffusercam.problem import DiffuserCamProblem

N_MOMENTS = 24
"""Moments of a result where the job names none, evenly from the first exposure's start to the last one's end."""


class DiffuserCam:
    """Rolling-shutter DiffuserCam."""

    name: ClassVar[str] = "diffusercam"
    title: ClassVar[str] = "Rolling-shutter DiffuserCam"
    menu_order: ClassVar[int] = 3
    takes_regions: ClassVar[bool] = False
    Settings: ClassVar[type[AcquisitionSettings]] = DiffuserCamSettings
    raw_axes: ClassVar[str] = "cyx"
    simulation_options: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "target": ("hand", "ball", "text"),
        "shutter": ("dual", "dual_outward", "single", "single_reversed"),
        "colours": ("grey", "rgb"),
        "psf": (),
    }
    estimates: ClassVar[tuple[str, ...]] = ()
    inspections: ClassVar[Mapping[str, str]] = {"shutter": "When each row is exposed", "psf": "PSF and raw image"}

    def defaults(self, preset: Preset, raw: RawData, settings: DiffuserCamSettings) -> FitSettings:
        """Return the fit settings of a preset for these data."""
        from napari_nstm.imaging.diffusercam import presets
        from napari_nstm.imaging.diffusercam.prepare import n_batches, prepared

        data = prepared(raw, settings)
        make = {"fast": presets.fast, "paper": presets.paper}[preset]
        return make(data.layout, n_batches(data))

    def array_paths(self, settings: DiffuserCamSettings) -> dict[str, str]:
        """Files that the settings name, by the dotted name of the setting."""
        paths = {"psf": settings.psf}
        if isinstance(settings.background, ImageBackground):
            paths["background.path"] = settings.background.path
        return paths

    def cropped(
        self, raw: RawData, settings: DiffuserCamSettings, region: Region
    ) -> tuple[RawData, DiffuserCamSettings]:
        """Raise `InputError`: every pixel sees the whole scene."""
        raise InputError(
            "region",
            "a part of an image in which every pixel sees the whole scene",
            "nothing with DiffuserCam: more acquisition.binning or less acquisition.field_fraction makes it smaller",
        )

    def for_tiles(self, raw: RawData, settings: DiffuserCamSettings) -> tuple[DiffuserCamSettings, dict[str, Any]]:
        """Raise `InputError`: every pixel sees the whole scene."""
        raise InputError(
            "compute.tile_px", f"tiles with {self.title}", "nothing: every pixel of it sees the whole scene"
        )

    def check(self, raw: RawData, settings: DiffuserCamSettings) -> list[str]:
        """Raise `InputError` where raw image and settings do not fit; return warnings, a sentence each."""
        from napari_nstm.imaging.diffusercam.check import check
        from napari_nstm.imaging.diffusercam.prepare import prepared

        warnings = check(raw, settings)
        prepared(raw, settings)
        return warnings

    def estimate(self, raw: RawData, settings: DiffuserCamSettings) -> tuple[DiffuserCamSettings, list[str]]:
        """Return the settings as they are: nothing is measured in the image."""
        return settings, []

    def inspect(self, name: str, raw: RawData, settings: DiffuserCamSettings) -> Drawing:
        """Draw when each row is exposed (`shutter`), or PSF and raw image as they are used (`psf`)."""
        from napari_nstm.imaging.diffusercam.inspect import psf_drawing, shutter_drawing

        draw = {"shutter": shutter_drawing, "psf": psf_drawing}.get(name)
        if draw is None:
            raise InputError("inspection", repr(name), " or ".join(self.inspections))
        return draw(raw, settings)

    def prepare(self, raw: RawData, settings: DiffuserCamSettings, level: int) -> DiffuserCamProblem:
        """Normalise image and PSF, at a level of the pyramid."""
        from napari_nstm.imaging.diffusercam.prepare import prepared, problem_at

        return problem_at(prepared(raw, settings), settings, level)

    def normalization(self, raw: RawData, settings: DiffuserCamSettings) -> dict[str, Any]:
        """Say what is subtracted from image and PSF, and what counts as 1."""
        from napari_nstm.imaging.diffusercam.prepare import prepared

        data = prepared(raw, settings)
        return {
            "subtracted": data.subtracted[0],
            "subtracted_from_psf": data.subtracted[1],
            "divided_by": data.scale,
            "psf_sum": 1.0,
        }

    def frame_times_ms(self, raw: RawData, settings: DiffuserCamSettings) -> tuple[float, ...]:
        """Moments in ms that stand for frames: evenly from the first exposure's start to the last one's end.

        With a global shutter there is one, the middle of the exposure.
        """
        from napari_nstm.imaging.diffusercam.shutter import rolling_shutter

        if settings.shutter == "global":
            return (settings.exposure_ms / 2,)
        shutter = rolling_shutter(raw.frames.shape[-2], settings)
        return tuple(float(t) for t in np.linspace(0.0, shutter.duration_ms, N_MOMENTS))

    def moments_ms(self, raw: RawData, settings: DiffuserCamSettings) -> tuple[float, ...]:
        """Moments that a result shows: as `frame_times_ms`."""
        return self.frame_times_ms(raw, settings)

    def comparisons(self, raw: RawData, settings: DiffuserCamSettings) -> tuple[Comparison, ...]:
        """Deconvolve as if nothing moved: one image."""
        from napari_nstm.imaging.diffusercam.conventional import static_image
        from napari_nstm.imaging.diffusercam.prepare import prepared

        times = self.frame_times_ms(raw, settings)
        image = static_image(prepared(raw, settings), settings.static_weight)
        return (Comparison("conventional", ((times[0] + times[-1]) / 2,), image[None]),)

    def slow_comparisons(
        self, raw: RawData, settings: DiffuserCamSettings, times_ms: tuple[float, ...]
    ) -> tuple[SlowComparison, ...]:
        """Offer the original method, FISTA with total variation, where the settings ask for it."""
        if not isinstance(settings.compare_with, FistaTv) or settings.shutter == "global":
            return ()
        make = partial(_fista_tv, raw, settings, settings.compare_with, times_ms)
        return (SlowComparison("fista_tv", "FISTA-TV", make),)

    def simulate(self, request: SimulationRequest) -> Simulation:
        """Simulate the raw image of a moving scene."""
        from napari_nstm.imaging.diffusercam.simulate import simulate

        return simulate(request)


def _fista_tv(
    raw: RawData, settings: DiffuserCamSettings, how: FistaTv, times_ms: tuple[float, ...], watch: Watch
) -> Comparison:
    from napari_nstm.imaging.diffusercam.conventional import fista_tv_movie
    from napari_nstm.imaging.diffusercam.prepare import prepared

    data = prepared(raw, settings)
    movie = fista_tv_movie(
        data,
        2 * np.asarray(times_ms) / data.shutter.duration_ms - 1,
        (how.weight_time, how.weight_space),
        how.n_iterations,
        lambda done: watch("FISTA-TV", done, how.n_iterations),
    )
    return Comparison("fista_tv", times_ms, movie)
