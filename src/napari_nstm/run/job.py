"""The job file: read, checked as a whole, written back.

Paths in a job are relative to the file it came from. Whatever is wrong with
it becomes one `InputError` that names the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError, input_error_from
from napari_nstm.core.settings import AcquisitionSettings, FitSettings, Job, resolve_fit
from napari_nstm.imaging.base import Modality

JobSource = Job | Mapping[str, Any] | str | Path

_LARGEST_JOB_FILE = 4_000_000  # bytes: a job is text, a stack of images given in its place is not
_MOST_VALUES = 1_000_000  # in a job: YAML's aliases make billions of a few lines


def load_job(source: JobSource, base_dir: str | Path | None = None) -> tuple[Job, Path]:
    """Read a job from a YAML or JSON file, a mapping, or as it is.

    Parameters
    ----------
    source
        Path of a job file, a mapping of its keys, or a `Job`.
    base_dir
        Folder that paths in the job are relative to; default: the file's own, or the working folder.

    Returns
    -------
    job, base_dir

    Raises
    ------
    InputError
        If there is no such file, it is no job, or a value in it cannot be used.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        return job_from_text(_read_text(path), path.name), Path(base_dir or path.parent).absolute()
    job = source if isinstance(source, Job) else job_from_mapping(source)
    return job, Path(base_dir or ".").absolute()


def job_from_text(text: str, name: str = "job") -> Job:
    """Read a job from YAML (or JSON, which is YAML too); `name` is what the user knows the text as."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 1})"
        raise InputError("job", f"{name}, which is not YAML{where}", "a job in YAML or JSON") from error
    except (ValueError, OverflowError) as error:  # a date that is none, a number of 5,000 digits
        got = f"{name}, which holds a value that cannot be read ({' '.join(str(error).split())[:80]})"
        raise InputError("job", got, "a job in YAML or JSON") from error
    except RecursionError as error:
        raise InputError("job", f"{name}, which is nested too deeply", "a job in YAML or JSON") from error
    if _count(content, {}) > _MOST_VALUES:
        raise InputError("job", f"{name}, whose aliases stand for too many values", "a job in YAML or JSON")
    if not isinstance(content, dict):
        got = "nothing" if content is None else f"a {type(content).__name__}"
        raise InputError("job", f"{name}, which holds {got}", "a mapping of keys to values")
    return job_from_mapping(content)


def job_from_mapping(content: Mapping[Any, Any]) -> Job:
    """Check a mapping against the job's model."""
    unknown = next((key for key in content if not isinstance(key, str)), None)
    if unknown is not None:
        raise InputError("job", f"the key {unknown!r}", "keys that are text")
    try:
        job = Job.model_validate(dict(content))
    except ValidationError as error:
        raise input_error_from(error) from error
    _check_paths(job)
    return job


def acquisition_settings(job: Job, modality: Modality) -> AcquisitionSettings:
    """Check the `acquisition` part of a job with its modality."""
    try:
        return modality.Settings.model_validate(dict(job.acquisition))
    except ValidationError as error:
        raise input_error_from(error, "acquisition") from error


def fit_settings(job: Job, modality: Modality, raw: RawData, settings: AcquisitionSettings) -> FitSettings:
    """Give every value of the fit: the preset's, with what the job changes."""
    defaults = modality.defaults(job.fit.preset, raw, settings)
    try:
        return resolve_fit(defaults, job.fit)
    except ValidationError as error:
        raise input_error_from(error, "fit.advanced") from error


def dump_job(job: Job) -> str:
    """Write a job as YAML: what was said in it, not every default."""
    content = job.model_dump(mode="json", exclude_unset=True)
    content = {"nstm": job.nstm, **content}
    return str(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120))


def with_fit(job: Job, **changes: Any) -> Job:
    """Change values of a job's `fit` part, and check them."""
    content = job.model_dump(exclude_unset=True)
    return job_from_mapping({**content, "fit": {**content.get("fit", {}), **changes}})


def with_absolute_paths(job: Job, base_dir: Path, array_paths: Mapping[str, str]) -> Job:
    """Make the paths of raw data and of further arrays absolute, so that the job can move into the store.

    Parameters
    ----------
    job, base_dir
        As `load_job` gives them.
    array_paths
        Paths by the dotted name of the setting in `acquisition`, as the modality names them.
    """
    acquisition = dict(job.acquisition)
    for dotted, path in array_paths.items():
        acquisition = replace_dotted(acquisition, dotted, _absolute(base_dir, path))
    fit = job.fit
    others = {name: getattr(fit, name) for name in ("motion_from", "start_from")}
    named = {name: _absolute(base_dir, path) for name, path in others.items() if path is not None}
    if named:
        fit = fit.model_copy(update=named)
    return job.model_copy(update={"raw": _absolute(base_dir, job.raw), "acquisition": acquisition, "fit": fit})


def store_path(job: Job, base_dir: Path) -> Path:
    """Return where a job's result goes."""
    return (base_dir / Path(job.output.path).expanduser()).absolute()


def replace_dotted(content: Mapping[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    """Return nested mappings with the value at a dotted name (`background.path`) replaced."""
    first, _, rest = dotted.partition(".")
    inner = content.get(first)
    return {
        **content,
        first: replace_dotted(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value,
    }


def _check_paths(job: Job) -> None:
    """Refuse names that no file can have; those of further arrays are among the modality's settings."""
    named = {"raw": job.raw, "output.path": job.output.path}
    named |= {f"fit.{name}": getattr(job.fit, name) or "" for name in ("motion_from", "start_from")}
    for field, path in {**named, **_texts(job.acquisition, "acquisition")}.items():
        try:
            Path(path).expanduser()
        except RuntimeError as error:
            got = f"{path}, of a user whose home folder is not known"
            raise InputError(field, got, "a path on this computer") from error
        if "\0" in path:
            raise InputError(field, repr(path), "text without NUL characters")


def _texts(settings: Mapping[str, Any], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= _texts(value, f"{prefix}.{name}")
        elif isinstance(value, str):
            found[f"{prefix}.{name}"] = value
    return found


def _count(value: object, known: dict[int, int]) -> int:
    """Count the values in nested lists and mappings, those behind an alias each time; many where one holds itself."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    if id(value) not in known:
        known[id(value)] = _MOST_VALUES
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = min(1 + sum(_count(one, known) for one in inner), _MOST_VALUES + 1)
    return known[id(value)]


def _absolute(base_dir: Path, path: str) -> str:
    # Not `resolve`: a link that the user chose stays what is named.
    return str(base_dir / Path(path).expanduser())


def _read_text(path: Path) -> str:
    takes = "a job file in YAML or JSON"
    try:
        if path.is_dir():
            raise InputError("job", f"{path}, which is a folder", takes)
        if path.stat().st_size > _LARGEST_JOB_FILE:
            raise InputError("job", f"{path}, which is too large to be one", takes)
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError("job", f"{path}, which does not exist", takes) from error
    except UnicodeDecodeError as error:
        raise InputError("job", f"{path}, which is not text", takes) from error
    except OSError as error:
        raise InputError("job", f"{path}, which cannot be read ({error.strerror})", takes) from error
