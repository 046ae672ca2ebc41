"""A series: acquisitions one after the other in one stack of frames, each reconstructed from where its neighbour ended.

All its moments become one image. What lies in the folder of a series are ordinary results, a batch as any other.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Event, Failed, Finished, Notice, Working
from napari_nstm.core.settings import Job
from napari_nstm.imaging import registry
from napari_nstm.imaging.base import Modality
from napari_nstm.io._atomic import remove_folder, replace
from napari_nstm.io._image import ImageWriter
from napari_nstm.io.result import is_store, open_result
from napari_nstm.io.store import StoredResult
from napari_nstm.run.batch import BatchJob, Outcome, check_batch, run_batch
from napari_nstm.run.failures import in_plain_words
from napari_nstm.run.job import JobSource, acquisition_settings, load_job, store_path, with_fit
from napari_nstm.run.patience import Controls
from napari_nstm.run.raw_use import open_frames
from napari_nstm.run.scripts import with_paths

RECONSTRUCTION = "reconstruction.zarr"
_EACH = "frames_each"


@in_plain_words
def run_series(
    job: JobSource,
    controls: Controls | None = None,
    *,
    base_dir: str | Path | None = None,
    frames_each: int | None = None,
    out: str | Path | None = None,
    warm_start: bool = True,
    scheduler: str | None = None,
    overwrite: bool = False,
) -> Generator[Event, None, list[Outcome]]:
    """Reconstruct every acquisition of a series, and put their moments into one image; returns how each ended.

    Yields the events of each, a `PartDone` as it ends, and `Finished` (or `Failed`) with the image at last. What is
    done already is left alone, what was interrupted goes on.

    Parameters
    ----------
    job, base_dir
        As for `load_job`: its raw data, or the part of them that `frames` says, are the series.
    controls
        What can be asked of it.
    frames_each
        Frames of an acquisition; None: as the modality knows.
    out
        Folder for the results, `0001.zarr` and so on, and for the image; None: beside the job's result.
    warm_start
        Start each from the result of the one before, on a cluster from that of the first.
    scheduler
        Dask scheduler whose workers compute; None: what the job says, or this computer.
    overwrite
        Replace results of other jobs.

    Raises
    ------
    InputError
        If something cannot be used; nothing was written then.
    """
    asked, folder = load_job(job, base_dir)
    controls = Controls(uuid4().hex[:12]) if controls is None else controls
    target = series_folder(asked, folder) if out is None else Path(out).absolute()
    scheduler = asked.compute.scheduler if scheduler is None else scheduler
    jobs = acquisitions(
        asked, folder, target, frames_each=frames_each, warm_start=warm_start, in_turn=scheduler is None
    )
    with _folder(target, overwrite=overwrite):
        for problem in check_batch(jobs, overwrite=overwrite):
            if problem is not None:
                raise problem
    if warm_start and asked.compute.in_tiles:
        yield Notice(controls.run_id, "Every acquisition begins anew: a fit cannot start from a result in tiles.")
    outcomes = yield from run_batch(jobs, controls, scheduler=scheduler, overwrite=overwrite)
    yield from _ended(target, jobs, outcomes, controls)
    return outcomes


def series_folder(job: Job, base_dir: Path) -> Path:
    """Return where the results of a series go by default: beside the result that its job names."""
    path = store_path(job, base_dir)
    return path.with_name(f"{path.stem}-series")


def acquisitions(
    job: Job, base_dir: Path, folder: Path, *, frames_each: int | None, warm_start: bool, in_turn: bool
) -> list[BatchJob]:
    """Divide a series into a job for each acquisition.

    Parameters
    ----------
    job, base_dir
        As `load_job` gives them.
    folder
        Where the results go.
    frames_each, warm_start
        As for `run_series`.
    in_turn
        Whether each starts from the one before it; otherwise all start from the first one.

    Raises
    ------
    InputError
        If the frames are no whole number of acquisitions; field `frames_each`.
    """
    modality = registry.modality(job.modality)
    raw = _raw(job, modality, base_dir)
    first, count = job.frames or (0, len(raw.frames))
    each = _frames_each(job, modality, raw) if frames_each is None else frames_each
    if not 1 <= each <= count or count % each:
        takes = f"a number of which the {count} frames are a multiple"
        raise InputError(_EACH, str(each), takes)
    if isinstance(job.output.times, tuple):
        raise InputError("output.times", "a list", "a number of moments, which is that of each acquisition")
    whole, n = with_paths(job, base_dir, relative=False), count // each
    is_warm = warm_start and not job.compute.in_tiles
    jobs: list[BatchJob] = []
    for k in range(n):
        output = whole.output.model_copy(update={"path": str(folder / f"{k + 1:04d}.zarr")})
        one = whole.model_copy(update={"frames": (first + k * each, each), "output": output})
        after = None
        if is_warm and k > 0:
            after = k - 1 if in_turn else 0
            one = with_fit(one, start_from=jobs[after].job.output.path)
        jobs.append(BatchJob(f"acquisition {k + 1} of {n}", one, base_dir, after, or_anew=after is not None))
    return jobs


def join(path: Path, results: Sequence[StoredResult], controls: Controls) -> Generator[Event, None, bool]:
    """Write the moments of results one after the other as one OME-Zarr image; an image of that name is replaced.

    Parameters
    ----------
    path
        The image.
    results
        Of one field, in the order of time.
    controls
        A stop leaves what is there as it is.

    Returns
    -------
    bool
        Whether it was written.
    """
    what, head = "Putting all moments into one image", results[0]
    times = [time_ms for stored in results for time_ms in stored.times_ms]
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        record = head.record
        image = ImageWriter.create(beside, record.channels, record.shape, record.pixel_size_um, times, record.origin_um)
        done = 0
        for stored in results:
            for moment in stored.reconstruction:
                if controls.should_stop():
                    return False
                image.array[done] = np.asarray(moment, np.float32)
                done += 1
                yield Working(controls.run_id, what, done=done, total=len(times))
        image.finish()
        remove_folder(path)
        replace(beside, path)
    finally:
        remove_folder(beside)
    return True


def _ended(
    folder: Path, jobs: Sequence[BatchJob], outcomes: Sequence[Outcome], controls: Controls
) -> Generator[Event, None, None]:
    run_id, n = controls.run_id, len(jobs)
    shown = [one for one in outcomes if one.path is not None and one.status in ("finished", "diverged")]
    if controls.should_stop():
        yield Finished(run_id, "stopped", None, f"Stopped; {len(shown)} of {n} acquisitions are done.")
        return
    if not shown:
        yield Failed(run_id, None, f"No acquisition left a result. {outcomes[0].message}")
        return
    missing = [one.name for one in outcomes if one not in shown]
    if missing:
        yield Notice(run_id, f"Their moments are missing in the image of all: {', '.join(missing)}.")
    path = folder / RECONSTRUCTION
    written = yield from join(path, [open_result(str(one.path)) for one in shown], controls)
    if not written:
        yield Finished(run_id, "stopped", None, "Stopped while the moments were put into one image.")
        return
    some = f"{len(shown)} of {n} acquisitions" if missing else f"all {n} acquisitions" if n > 1 else "the acquisition"
    yield Finished(run_id, "finished", str(path), f"{path} has the moments of {some}.")


@contextmanager
def _folder(path: Path, *, overwrite: bool) -> Iterator[None]:
    """Make the folder of a series, and take it away again where nothing comes of it."""
    image, is_new = path / RECONSTRUCTION, not path.exists()
    if not is_new and (not path.is_dir() or is_store(path)):
        raise InputError("out", f"{path}, which is no folder for results", "a folder, or a path that does not exist")
    if image.exists() and not (image / "0").is_dir() and not overwrite:
        raise InputError("out", f"{image}, which exists and is no image of a series", "another folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        got = f"{path}, which cannot be made ({error.strerror})"
        raise InputError("out", got, "a path in a folder that can be written") from error
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                path.rmdir()
        raise


def _raw(job: Job, modality: Modality, base_dir: Path) -> RawData:
    """Open the frames without reading them, and what else the settings name."""
    raw = open_frames(job, modality, acquisition_settings(job, modality), None, base_dir)
    if not modality.raw_axes.startswith(("t", "*")):
        raise InputError("modality", job.modality, "a method whose frames are taken one after the other")
    return raw


def _frames_each(job: Job, modality: Modality, raw: RawData) -> int:
    known = getattr(modality, "frames_each", None)
    found: int | None = None if known is None else known(raw, acquisition_settings(job, modality))
    if found is None:
        raise InputError(_EACH, "nothing", "the number of frames of an acquisition")
    return found
