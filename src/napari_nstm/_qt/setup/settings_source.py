"""Settings of a job file or of a result, taken into the form; nothing of the form is lost where they cannot be."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from pydantic import ValidationError

from napari_nstm._qt.raw_layer import known_of, may_be_raw
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm._qt.setup.settings_files import source_path
from napari_nstm.core.errors import NstmError, input_errors_from
from napari_nstm.core.settings import Job
from napari_nstm.imaging.registry import modality
from napari_nstm.io.result import read_record
from napari_nstm.run.job import job_from_mapping, load_job
from napari_nstm.run.scripts import with_paths
from napari_nstm.run.user_settings import Fragment

_BUILT_IN = frozenset({".tif", ".tiff", ".npy", ".png", ".jpg", ".bmp"})  # what napari reads without any plugin


@dataclass(frozen=True)
class TakenJob:
    """A job that the form can show.

    Parameters
    ----------
    job
        Its paths are absolute; settings that a method needs may be missing, none is wrong.
    title
        What the user knows it as.
    """

    job: Job
    title: str


def taken_from_file(path: Path) -> TakenJob:
    """Read a job file; it may be called in any thread.

    Raises
    ------
    InputError
        Names what in the file cannot be used.
    """
    return _checked(*load_job(path), path.name)


def taken_from_layer(layer: Layer) -> TakenJob:
    """Return the job that a layer's result was made with.

    Raises
    ------
    NstmError
        If the layer shows no result, or its store is needed and gone.
    """
    known = known_of(layer)
    store = known.get("store")
    if not store:
        raise NstmError(f"{layer.name} shows no result.")
    content = known["job"] if "job" in known else read_record(Path(store)).job
    return _checked(job_from_mapping(content), Path(store), layer.name)


def show_job(taken: TakenJob, form: JobForm) -> str:
    """Show a job's settings; returns a sentence about what has no row, empty where all has."""
    job = taken.job
    fit = job.fit.model_dump(mode="json", exclude_unset=True)
    others = {name: fit.pop(name, None) for name in ("motion_from", "start_from")}
    compute = job.compute.model_dump(mode="json", exclude_unset=True)
    rest = form.values.show(Fragment(job.modality, job.acquisition, fit, job.output.times, compute))
    form.fit.set_content({**form.fit.content(), **others})
    return f"The form has no row for {', '.join(rest)}." if rest else ""


def open_frames(job: Job, form: JobForm, viewer: ViewerModel, saved: Mapping[Path, Any]) -> str:
    """Choose the layer that comes from a job's raw file, which is opened if there is none.

    Parameters
    ----------
    job
        Its paths are absolute.
    form, viewer
        Where it is chosen, and opened.
    saved
        Weak references to arrays of layers, by the files that they were saved to.

    Returns
    -------
    str
        A sentence where there is no such layer in the end; empty: it is chosen.
    """
    raw = Path(job.raw)
    there = form.raw.candidates()
    own = (layer for layer in there if source_path(layer) == raw or (raw in saved and layer.data is saved[raw]()))
    layer = next(own, None)
    if layer is None:
        if not raw.exists():
            return f"Its raw frames, {raw}, are not there: choose them among the layers."
        try:
            opened = viewer.open(str(raw), plugin="napari" if raw.suffix.lower() in _BUILT_IN else None)
        except Exception:  # noqa: BLE001 -- readers of other plugins raise anything; the user can open it by hand
            opened = []
        layer = next((layer for layer in opened if may_be_raw(layer)), None)
        if layer is None:
            return f"Its raw frames are in {raw}: drop that onto the viewer."
    _label(layer, job.axes)
    form.raw.choose(layer)
    return ""


def _label(layer: Any, axes: str | None) -> None:
    """Name the axes of a layer as the job does, where the file could not."""
    if axes is not None and not layer.rgb and layer.ndim == len(axes):
        layer.axis_labels = tuple(axes)


def _checked(job: Job, folder: Path, title: str) -> TakenJob:
    """Refuse what is wrong; what is missing can be filled in in the form."""
    used = modality(job.modality)
    try:
        used.Settings.model_validate(dict(job.acquisition))
    except ValidationError as error:
        said = {f"acquisition.{name}" for name in job.acquisition}
        found = input_errors_from(error, "acquisition")
        wrong = [each for each in found if ".".join(each.field.split(".")[:2]) in said]
        if wrong:
            raise wrong[0] from error
    return TakenJob(with_paths(job, folder, relative=False), title)
