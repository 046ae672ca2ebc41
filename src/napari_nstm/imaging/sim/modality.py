"""SIM as two modalities, of one plane and of a volume: ties settings, optics and reconstruction to the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import Circle, Comparison, Drawing, Mark, RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import AcquisitionSettings, FitSettings, FrameRange, Preset, Region
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.sim.choices import FileOtf, PsfOtf
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings

if TYPE_CHECKING:
    from napari_nstm.imaging.sim.problem import SimProblem


class Sim:
    """Structured illumination of one plane."""

    name: ClassVar[str] = "sim"
    title: ClassVar[str] = "Structured illumination"
    menu_order: ClassVar[int] = 1
    Settings: ClassVar[type[AcquisitionSettings]] = SimSettings
    raw_axes: ClassVar[str] = "*yx"
    simulation_options: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "target": ("usaf", "beads", "filaments", "tubule"),
        "acquisitions": ("1", "2", "3", "4"),
        "stripes": ("given", "found"),
        "cycles": ("0.5", "1.25", "2.5", "5"),
    }
    estimates: ClassVar[tuple[str, ...]] = ("pattern", "phases_rad", "modulation_1", "modulation_2")
    inspections: ClassVar[Mapping[str, str]] = {
        "frames": "Which frame is which",
        "spectrum": "Spectrum and stripes",
    }

    def defaults(self, preset: Preset, raw: RawData, settings: SimSettings) -> FitSettings:
        """Return the fit settings of a preset for these data.

        Raises
        ------
        InputError
            Where an apodised scene is asked for with a canvas: between its samples detail is lost that the filter would
            have to bring back.
        """
        if settings.apodised and preset == "fast":
            raise InputError(
                "acquisition.apodised", "true with the preset fast", "false, or true with fit.preset: paper"
            )
        from napari_nstm.imaging.sim import presets
        from napari_nstm.imaging.sim.frames import arrangement
        from napari_nstm.imaging.sim.layout import sim_layout
        from napari_nstm.imaging.sim.prepare import images_per_step

        plan = arrangement(len(raw.frames), settings)
        planes = (plan.n_planes,) if isinstance(settings, Sim3dSettings) else ()
        layout = sim_layout((*planes, *raw.frames.shape[1:]), settings)
        n_frames = len(self.frame_times_ms(raw, settings))
        n_batches = n_frames // images_per_step(layout, n_frames)
        make = {"fast": presets.fast, "paper": presets.paper}[preset]
        return make(layout, plan.n_acquisitions, n_batches)

    def array_paths(self, settings: SimSettings) -> dict[str, str]:
        """Files that the settings name, by the dotted name of the setting."""
        return {"otf.path": settings.otf.path} if isinstance(settings.otf, PsfOtf | FileOtf) else {}

    def cropped(self, raw: RawData, settings: SimSettings, region: Region) -> tuple[RawData, SimSettings]:
        """Cut images to a region; given phases are counted from its middle."""
        from napari_nstm.imaging.sim.region import cropped

        return cropped(raw, settings, region)

    def uncropped(self, settings: SimSettings, size: tuple[int, int], region: Region) -> SimSettings:
        """Count phases from the middle of whole images again."""
        from napari_nstm.imaging.sim.region import uncropped

        return uncropped(settings, size, region)

    def cut_frames(self, raw: RawData, settings: SimSettings, frames: FrameRange) -> tuple[RawData, SimSettings]:
        """Cut whole acquisitions, with the phases and the brightness that are given for them."""
        from napari_nstm.imaging.sim.frame_range import cut_frames

        return cut_frames(raw, settings, frames)

    def for_tiles(self, raw: RawData, settings: SimSettings) -> tuple[SimSettings, dict[str, NDArray[Any]]]:
        """Give the brightness of the whole images, and the smoothness that their noise asks for."""
        from napari_nstm.imaging.sim.tiles import for_tiles

        return for_tiles(raw, settings), {}

    def frames_each(self, raw: RawData, settings: SimSettings) -> int | None:
        """Return the images of one acquisition of a series; None where its planes are not told."""
        planes = settings.n_planes_of_stack
        return None if planes is None else settings.n_orientations * settings.n_phases * planes

    def tile_reach_px(self, raw: RawData, settings: SimSettings) -> tuple[int, int]:
        """Return how far the optics spread a point, and the largest displacement, in raw pixels."""
        from napari_nstm.imaging.sim.layout import reach_px

        reach = reach_px(settings) if settings.padding_px is None else settings.padding_px
        return reach, settings.max_displacement_px

    def tile_block_px(self, settings: SimSettings) -> int:
        """Return the least multiple of 8 raw pixels after which a sample of the result lies on one again."""
        from napari_nstm.imaging.sim.tiles import block_px

        return block_px(settings)

    def check(self, raw: RawData, settings: SimSettings) -> list[str]:
        """Raise `InputError` where raw and settings do not fit; return warnings, a sentence each."""
        from napari_nstm.imaging.sim.check import check
        from napari_nstm.imaging.sim.prepare import prepared

        warnings = check(raw, settings)
        prepared(raw, settings)
        return warnings

    def estimate(self, raw: RawData, settings: SimSettings) -> tuple[SimSettings, list[str]]:
        """Find stripes, phases and depths in the frames, where the settings do not give them."""
        from napari_nstm.imaging.sim.found import with_found

        return with_found(raw, settings)

    def inspect(self, name: str, raw: RawData, settings: SimSettings) -> Drawing:
        """Draw the frames as a contact sheet (`frames`), or their spectra with the stripes (`spectrum`)."""
        from napari_nstm.imaging.sim.inspect import contact_sheet, spectrum

        draw = {"frames": contact_sheet, "spectrum": spectrum}.get(name)
        if draw is None:
            raise InputError("inspection", repr(name), " or ".join(self.inspections))
        return draw(raw, settings)

    def support_circles(self, settings: SimSettings) -> tuple[Circle, ...]:
        """Return how far frames and reconstruction reach in frequency, in cycles per um."""
        from napari_nstm.imaging.sim.inspect import support_circles

        return support_circles(settings)

    def moved(self, name: str, mark: Mark, position: tuple[float, float], settings: SimSettings) -> SimSettings:
        """Return settings whose stripes put a mark of the drawing `spectrum` at (ky, kx); phases are open again."""
        from napari_nstm.imaging.sim.inspect import moved

        return moved(settings, mark, position)

    def prepare(self, raw: RawData, settings: SimSettings, level: int) -> SimProblem:
        """Normalise and pad the frames, at a level of the pyramid."""
        from napari_nstm.imaging.sim.prepare import prepared, problem_at

        return problem_at(prepared(raw, settings), settings, level)

    def normalization(self, raw: RawData, settings: SimSettings) -> dict[str, Any]:
        """Say what is subtracted, what counts as 1, and how bright each frame's light is taken to be."""
        from napari_nstm.imaging.sim.prepare import prepared

        data = prepared(raw, settings)
        return {
            "subtracted": settings.offset,
            "divided_by": data.scale,
            "brightness": [float(b) for b in data.light.intensities],
        }

    def frame_times_ms(self, raw: RawData, settings: SimSettings) -> tuple[float, ...]:
        """Mid-exposure times in ms, in the order of time: of frames, or of their planes where these are told apart."""
        from napari_nstm.imaging.sim.frames import arrangement

        plan = arrangement(len(raw.frames), settings)
        if isinstance(settings, Sim3dSettings) and settings.times_of == "plane":
            return tuple(float(t) for t in np.sort(plan.times_ms.ravel()))
        return self.moments_ms(raw, settings)

    def moments_ms(self, raw: RawData, settings: SimSettings) -> tuple[float, ...]:
        """Moments that a result shows: the mean time of each orientation and phase, in the order of time."""
        from napari_nstm.imaging.sim.frames import arrangement, shot_times_ms

        return tuple(float(t) for t in np.sort(shot_times_ms(arrangement(len(raw.frames), settings))))

    def comparisons(self, raw: RawData, settings: SimSettings) -> tuple[Comparison, ...]:
        """Reconstruct as if nothing moved (generalised Wiener filter), and average the frames (widefield).

        Of a series one image for each window of as many frames as an acquisition has, at steps of an orientation.
        """
        from napari_nstm.imaging.sim.conventional import widefield_series, wiener_series
        from napari_nstm.imaging.sim.prepare import prepared

        data = prepared(raw, settings)
        times, images = wiener_series(data.frames, data.light, data.table, data.layout, settings)
        wide_times, wide = widefield_series(data.frames, data.light, data.layout, settings)
        return (
            Comparison("conventional", tuple(map(float, times)), images[:, None]),
            Comparison("widefield", tuple(map(float, wide_times)), wide[:, None]),
        )

    def simulate(self, request: SimulationRequest) -> Simulation:
        """Simulate raw frames of a moving sample; the settings give their stripes, or leave them to be found."""
        from napari_nstm.imaging.sim.simulate import simulate, simulated_settings

        return _told(simulate(request, simulated_settings()), request)


class Sim3d(Sim):
    """Structured illumination of a volume."""

    name: ClassVar[str] = "sim3d"
    title: ClassVar[str] = "Structured illumination, 3D"
    menu_order: ClassVar[int] = 2
    Settings: ClassVar[type[AcquisitionSettings]] = Sim3dSettings
    simulation_options: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "target": ("tubule", "beads", "filaments"),
        "planes": ("8", "12", "16", "20"),
        "acquisitions": ("1", "2", "3", "4"),
        "stripes": ("given", "found"),
        "taken": ("volume", "plane"),
    }

    def simulate(self, request: SimulationRequest) -> Simulation:
        """Simulate raw frames of a moving volume; taken `plane` by plane, or each volume at once."""
        from napari_nstm.imaging.sim.simulate import simulate, simulated_settings, whole_number

        taken = request.options.get("taken", "volume")
        if taken not in self.simulation_options["taken"]:
            raise InputError("taken", repr(taken), " or ".join(self.simulation_options["taken"]))
        settings = simulated_settings(whole_number(request, "planes", 8), times_of=taken)
        return _told(simulate(request, settings), request)


def _told(simulation: Simulation, request: SimulationRequest) -> Simulation:
    if request.options.get("stripes", "given") == "given":
        return simulation
    settings = simulation.settings
    kept = settings.model_dump(exclude=set(Sim.estimates), exclude_unset=True)
    return replace(simulation, settings=type(settings).model_validate(kept))
