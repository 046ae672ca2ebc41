"""A form's settings as a job that stands on its own: the frames it needs are found in files, or written to one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_nstm._qt.file_names import file_name
from napari_nstm._qt.raw_layer import array_axes_of, array_of
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm.core.errors import StoreError
from napari_nstm.core.settings import Job
from napari_nstm.io._atomic import reason, write_bytes
from napari_nstm.io.frames import shape_in, write_frames
from napari_nstm.run.job import replace_dotted
from napari_nstm.run.scripts import as_job_file, with_paths

RAW = "raw"


@dataclass(frozen=True)
class Source:
    """An array that a job needs, as a layer holds it.

    Parameters
    ----------
    title
        What the user knows it as.
    array, axes
        May be lazy; a letter per axis, or None.
    path
        The file that the layer came from, as far as it knows.
    """

    title: str
    array: Any
    axes: str | None
    path: Path | None

    def read(self) -> NDArray[Any]:
        """Return the array itself; call it off the window's thread."""
        return np.asarray(self.array)


@dataclass(frozen=True)
class Portable:
    """A job whose paths lead to files.

    Parameters
    ----------
    job
        The job; paths are absolute.
    homeless
        Names of what is in no file.
    written
        Files that were written for it.
    """

    job: Job
    homeless: tuple[str, ...] = ()
    written: tuple[Path, ...] = ()


def sources_of(form: JobForm) -> dict[str, Source]:
    """Return the arrays of a form that are layers: `raw`, and others by the dotted name of their setting."""
    sources = {RAW: _source(form.raw.layer)}
    for dotted in form.acquisition.arrays():
        sources[dotted] = _source(form.acquisition.editor(dotted).layer())
    return sources


def source_path(layer: Image) -> Path | None:
    """Return the file or folder that a layer came from, as far as it is there."""
    path = layer.source.path
    return Path(path).absolute() if path and Path(path).exists() else None


def locate(job: Job, sources: Mapping[str, Source], beside: Path | None = None) -> Portable:
    """Let a job name files in place of layers; call it off the window's thread.

    A file counts only if it holds just the numbers that the layer does.

    Parameters
    ----------
    job
        As the form gives it.
    sources
        Of the form.
    beside
        Job file beside which to write what is in no file; None: it stays homeless.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    content = job.model_dump(mode="json", exclude_unset=True)
    homeless, written = [], []
    for name, source in sources.items():
        array = source.read()
        path = source.path
        shape = None if path is None else shape_in(path, array)
        if shape is None:
            path, is_new = _home(name, source, array, beside, job.acquisition.get("pixel_size_um"))
            if path is None:
                homeless.append(source.title)
                continue
            written += [path] * is_new
            shape = shape_in(path, array)
        if name == RAW:
            content["raw"] = str(path)
            if shape is None or len(shape) != array.ndim:
                content.pop("axes", None)  # the file lacks axes of length 1, and names those it has
        else:
            content["acquisition"] = replace_dotted(content["acquisition"], name, str(path))
    return Portable(Job.model_validate(content), tuple(homeless), tuple(written))


def write_job(job: Job, sources: Mapping[str, Source], path: Path) -> Portable:
    """Write a job file, and beside it what is in no file; call it off the window's thread.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    found = locate(job, sources, beside=path)
    try:
        write_bytes(path, as_job_file(with_paths(found.job, path.parent, relative=True)).encode())
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {reason(error)}.") from error
    return found


def free_path(wanted: Path) -> Path:
    """Return a path that nothing has yet: the wanted one, or one with a number."""
    path, number = wanted, 2
    while path.exists():
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        number += 1
    return path


def _source(layer: Image) -> Source:
    return Source(layer.name, array_of(layer), array_axes_of(layer), source_path(layer))


def _home(
    name: str, source: Source, array: NDArray[Any], beside: Path | None, pixel_size_um: Any
) -> tuple[Path | None, bool]:
    """Write an array beside a job file, unless it is there already; returns the file, and whether it is new."""
    if beside is None:
        return None, False
    path = beside.with_name(f"{beside.stem}-{file_name(name)}.tif")
    if path.exists() and shape_in(path, array) is not None:
        return path, False
    path = free_path(path)
    write_frames(path, array, source.axes, pixel_size_um if isinstance(pixel_size_um, int | float) else None)
    return path, True
