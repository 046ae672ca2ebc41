"""Everything that is checked before a run makes anything: settings, raw data, times, device, output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import AcquisitionSettings, FitSettings, Job
from napari_nstm.imaging import registry
from napari_nstm.imaging.base import Modality
from napari_nstm.imaging.frame_range import cut_frames
from napari_nstm.imaging.region import cropped, uncropped
from napari_nstm.io.result import read_record
from napari_nstm.io.store import check_output
from napari_nstm.run.given_motion import GivenMotion, read_motion
from napari_nstm.run.job import acquisition_settings, fit_settings, store_path, with_absolute_paths
from napari_nstm.run.raw_use import RawInput, for_use, hashes_of, hashes_of_use, open_frames, read_frames
from napari_nstm.run.start import Start, read_start

if TYPE_CHECKING:
    import jax

__all__ = ["CheckedJob", "Plan", "RawInput", "check_job", "input_hashes_of", "make_plan", "read_frames"]


@dataclass(frozen=True)
class CheckedJob:
    """A job that fits its raw data; no device was asked for yet.

    Parameters
    ----------
    job
        The job, with absolute paths.
    modality, settings, raw
        What was measured, and how; of a job with a region or with some of the frames, in this part of them.
    whole_raw
        All raw data; large ones that are of no use whole stay in their file.
    raw_is_file
        Whether the job's path leads to the raw data; otherwise they were given as arrays.
    fit
        Every value of the fit.
    store_path
        Where the result goes.
    frame_times_ms, output_times_ms
        Mid-exposure times of the frames, and the moments to reconstruct.
    notices
        Sentences for the user.
    given_motion
        The motion of another run that is taken; None: it is fitted.
    start
        Another run that the fit starts from; None: it begins anew.
    """

    job: Job
    modality: Modality
    settings: AcquisitionSettings
    raw: RawData
    whole_raw: RawData
    raw_is_file: bool
    fit: FitSettings
    store_path: Path
    frame_times_ms: tuple[float, ...]
    output_times_ms: tuple[float, ...]
    notices: tuple[str, ...]
    given_motion: GivenMotion | None
    start: Start | None

    def normalised_time(self, time_ms: float) -> float:
        """Turn a time in ms into the model's, in [-1, 1]."""
        first, last = self.frame_times_ms[0], self.frame_times_ms[-1]
        return 0.0 if last == first else 2 * (time_ms - first) / (last - first) - 1

    @property
    def ndim(self) -> int:
        """Axes in space."""
        return len(self.fit.scene_encoding.base_cells)

    @property
    def origin_um(self) -> tuple[float, ...]:
        """Where the first pixel of the region lies in the whole field, ([z,] y, x); zeros without one."""
        region = (0, 0) if self.job.region is None else self.job.region[:2]
        return (0.0,) * (self.ndim - 2) + tuple(n * self.settings.pixel_size_um for n in region)

    @property
    def summary(self) -> str:
        """Frames, size and duration in words."""
        n, *shape = self.raw.frames.shape
        size = " x ".join(map(str, shape))
        part = "" if self.job.region is None else f" (of {' x '.join(map(str, self.whole_raw.frames.shape[1:]))})"
        if self.modality.raw_axes.startswith("c"):
            what = f"1 image of {size} pixels{part}" + f" in {n} colours" * (n > 1)
        else:
            of_all = "" if self.job.frames is None else f" of {len(self.whole_raw.frames)}"
            what = f"{n}{of_all} frame{'s' * (n != 1 or of_all != '')} of {size} pixels{part}"
        first, last = self.frame_times_ms[0], self.frame_times_ms[-1]
        return f"{self.modality.title}: {what}, {first:g} to {last:g} ms."


@dataclass(frozen=True)
class Plan(CheckedJob):
    """A job that can run: a device is there, and the raw data are known by their hashes.

    Parameters
    ----------
    device, device_words
        jax device, and its name in words.
    input_hashes
        SHA-256 of the raw frames and of every further array, by the setting's name. Of a job with a region, or with
        some of the frames, that is of the part that it uses: `raw.region`, or `raw.frames`; `raw` is there as well
        where the whole is small.
    n_steps
        Steps in all, where a run goes on beyond its epochs; None: those of its epochs.
    """

    device: jax.Device
    device_words: str
    input_hashes: Mapping[str, str]
    n_steps: int | None = None


def check_job(
    job: Job,
    raw: RawInput = None,
    base_dir: str | Path = ".",
    *,
    overwrite: bool = False,
    resumed_store: Path | None = None,
) -> CheckedJob:
    """Check all of a job that needs no jax; nothing is written.

    Parameters
    ----------
    job, base_dir
        As `load_job` gives them.
    raw
        Raw data that stand in for the job's path.
    overwrite
        Whether an existing store may be replaced.
    resumed_store
        Store of a run that goes on; it exists.

    Raises
    ------
    InputError
        Names the first thing that cannot be used.
    """
    folder = Path(base_dir).absolute()
    modality = registry.modality(job.modality)
    settings = acquisition_settings(job, modality)
    if job.compute.scheduler is not None and not job.compute.in_tiles:
        takes = "nothing without tiles (compute.tile_px): a field that is fitted at once is one piece of work"
        raise InputError("compute.scheduler", job.compute.scheduler, takes)
    if job.compute.in_tiles and not getattr(modality, "takes_regions", True):
        field = "compute.tile_px" if job.compute.tile_px is not None else "compute.tile_memory_gb"
        raise InputError(field, f"tiles with {modality.title}", "nothing: every pixel of it sees the whole scene")
    whole = frames = open_frames(job, modality, settings, raw, folder)
    if job.frames is not None:
        frames, settings = cut_frames(modality, frames, settings, job.frames)
    if job.region is not None:
        frames, settings = cropped(modality, frames, settings, job.region)
    frames = for_use(frames, whole, keep_mapped=job.compute.in_tiles)
    if job.frames is None and job.region is None:
        whole = frames
    given = settings
    settings, found = modality.estimate(frames, given)
    if settings is not given:
        # What was found is what the run is made with: its store says so, and a resumed run need not look again.
        described = settings
        if job.region is not None:
            height, width = whole.frames.shape[-2:]
            described = uncropped(modality, settings, (height, width), job.region)
        job = job.model_copy(update={"acquisition": described.model_dump(mode="json", exclude_unset=True)})
    notices = [*found, *modality.check(frames, settings)]
    fit = fit_settings(job, modality, frames, settings)
    frame_times = tuple(float(t) for t in modality.frame_times_ms(frames, settings))
    motion = None if job.fit.motion_from is None else read_motion(folder / Path(job.fit.motion_from).expanduser())
    start = None
    if job.fit.start_from is not None and resumed_store is None:
        start = read_start(folder / Path(job.fit.start_from).expanduser())
        notices.append(f"The fit starts from the result of run {start.stored.record.run_id}.")
    if resumed_store is None:
        check_output(store_path(job, folder), overwrite)
    return CheckedJob(
        job=with_absolute_paths(job, folder, modality.array_paths(settings)),
        modality=modality,
        settings=settings,
        raw=frames,
        whole_raw=whole,
        raw_is_file=raw is None,
        fit=fit,
        store_path=resumed_store or store_path(job, folder),
        frame_times_ms=frame_times,
        output_times_ms=_output_times(job.output.times, frame_times, modality.moments_ms(frames, settings)),
        notices=tuple(notices),
        given_motion=motion,
        start=start,
    )


def make_plan(
    job: Job,
    raw: RawInput = None,
    *,
    base_dir: str | Path,
    overwrite: bool = False,
    resumed_store: Path | None = None,
) -> Plan:
    """Check a whole job, its device too; nothing is written. Parameters and errors as `check_job`."""
    checked = check_job(job, raw, base_dir, overwrite=overwrite, resumed_store=resumed_store)

    from napari_nstm.fit.device import pick_device

    device, device_words = pick_device(job.fit.device)
    # Records of older versions have the hash of all raw data, whatever part is used.
    asked = {} if resumed_store is None else read_record(resumed_store).input_hashes
    return Plan(
        **{entry.name: getattr(checked, entry.name) for entry in fields(checked)},
        device=device,
        device_words=device_words,
        input_hashes=hashes_of_use(checked.job, checked.whole_raw, checked.raw, asked),
    )


def input_hashes_of(job: Job, base_dir: Path) -> dict[str, str]:
    """Read all data that a job names, and return the SHA-256 of each, by the setting's name."""
    modality = registry.modality(job.modality)
    return hashes_of(read_frames(job, modality, acquisition_settings(job, modality), None, base_dir))


def _output_times(
    wish: int | tuple[float, ...] | None, frames_ms: tuple[float, ...], default_ms: tuple[float, ...]
) -> tuple[float, ...]:
    first, last = frames_ms[0], frames_ms[-1]
    if wish is None:
        return tuple(float(t) for t in default_ms)
    if isinstance(wish, int):
        if wish < 1:
            raise InputError("output.times", str(wish), "a number of at least 1, or a list of times in ms")
        return tuple(float(t) for t in np.linspace(first, last, wish))
    if not wish:
        raise InputError("output.times", "an empty list", "at least one time in ms")
    slack = 1e-6 * max(abs(first), abs(last), 1.0)
    for time_ms in wish:
        if not first - slack <= time_ms <= last + slack:
            takes = f"times within the acquisition, {first:g} to {last:g} ms"
            raise InputError("output.times", f"{time_ms:g} ms", takes)
    return tuple(wish)
