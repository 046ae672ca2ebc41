"""A job as text to take elsewhere: a job file, lines for a terminal, a Python script."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import Job
from napari_nstm.imaging import registry
from napari_nstm.run.job import dump_job, replace_dotted

Shell = Literal["posix", "powershell"]

_KEPT = frozenset({"preset", "path"})  # written down even where it is the default, which may be another one some day
_END = "END_OF_JOB"

_SCRIPT = '''\
"""Reconstructs {raw} with napari-nstm, by the settings below."""

from napari_nstm import iter_reconstruct
from napari_nstm.core.errors import NstmError
from napari_nstm.core.events import Finished, Notice, Progress

JOB = {job}


def main() -> None:
    """Run the job, say how far it is, and where the result lies."""
    told = -1
    for event in iter_reconstruct(JOB):
        if isinstance(event, Notice):
            print(event.message)
        elif isinstance(event, Progress) and 10 * event.step // event.n_steps > told:
            told = 10 * event.step // event.n_steps
            print(f"step {{event.step}} of {{event.n_steps}}, loss {{event.loss:.4g}}", flush=True)
        elif isinstance(event, Finished):
            print(event.message)
            print(event.path)


if __name__ == "__main__":
    try:
        main()
    except NstmError as error:
        raise SystemExit(str(error)) from None
'''


def shortened(job: Job) -> Job:
    """Leave out what says no more than the default does; the preset is always said.

    Settings that are not valid are kept as they are.
    """
    acquisition = dict(job.acquisition)
    try:
        settings = registry.modality(job.modality).Settings.model_validate(acquisition)
    except (InputError, ValidationError):
        pass
    else:
        acquisition = _said(acquisition, settings)
    content = job.model_dump(mode="json", exclude_unset=True)
    fit = {"preset": job.fit.preset, **_said(content.get("fit", {}), job.fit)}
    output, compute = (_said(content.get(name, {}), getattr(job, name)) for name in ("output", "compute"))
    parts = {**content, "acquisition": acquisition, "fit": fit, "output": output, "compute": compute}
    return Job.model_validate({key: value for key, value in parts.items() if value is not None and value != {}})


def with_paths(job: Job, folder: Path, *, relative: bool) -> Job:
    """Write every path of a job from the root, or from a folder where it lies in it.

    Parameters
    ----------
    job
        Its paths are relative to `folder`, or absolute.
    folder
        The one that the job file lies in.
    relative
        Whether what lies in the folder, or below, is named from there.
    """

    def written(path: str) -> str:
        whole = (folder / Path(path).expanduser()).absolute()
        if relative and whole.is_relative_to(folder.absolute()):
            return whole.relative_to(folder.absolute()).as_posix()
        return str(whole)

    acquisition = dict(job.acquisition)
    for dotted, path in array_paths(job).items():
        acquisition = replace_dotted(acquisition, dotted, written(path))
    content = job.model_dump(mode="json", exclude_unset=True)
    content |= {"raw": written(job.raw), "acquisition": acquisition}
    for name in ("motion_from", "start_from"):
        if getattr(job.fit, name) is not None:
            content["fit"][name] = written(getattr(job.fit, name))
    content["output"] = {**content.get("output", {}), "path": written(job.output.path)}
    return Job.model_validate(content)


def array_paths(job: Job) -> dict[str, str]:
    """Return the files of further arrays that a job names, by the dotted name of the setting; none of a wrong job."""
    try:
        used = registry.modality(job.modality)
        return dict(used.array_paths(used.Settings.model_validate(dict(job.acquisition))))
    except (InputError, ValidationError):
        return {}


def as_job_file(job: Job) -> str:
    """Write a job as YAML, as short as it can be: only what was said."""
    return dump_job(shortened(job))


def as_command_line(job_path: str | Path, shell: Shell = "posix") -> str:
    """Return the line for a terminal that runs a job file.

    Parameters
    ----------
    job_path
        The job file.
    shell
        Whose quotes are written.
    """
    path = str(job_path if isinstance(job_path, PureWindowsPath) else Path(job_path).absolute())
    return f"napari-nstm reconstruct {_quoted(path, shell)}"


def as_commands(job: Job, job_path: str | Path, shell: Shell = "posix") -> str:
    """Return lines for a terminal that write a job file and run it.

    Parameters
    ----------
    job
        Its paths are absolute, or relative to the job file.
    job_path
        Where the job file goes.
    shell
        "posix" (Linux, macOS), or "powershell" (Windows).
    """
    text = as_job_file(job)
    path = str(job_path if isinstance(job_path, PureWindowsPath) else Path(job_path).absolute())
    run = as_command_line(job_path, shell)
    if shell == "powershell":
        # What stands between '@ and @' is taken as it is; a line of a job never begins with '@.
        return f"@'\n{text}'@ | Set-Content -Encoding utf8 -LiteralPath {_quoted(path, shell)}\n{run}\n"
    return f"cat > {_quoted(path, shell)} <<'{_END}'\n{text}{_END}\n{run}\n"


def as_python(job: Job, folder: Path) -> str:
    """Return a script that runs a job, says how far it is, and where the result lies.

    Parameters
    ----------
    job
        The job.
    folder
        That its paths are relative to; in the script they are absolute.
    """
    whole = shortened(with_paths(job, folder, relative=False))
    content = {"nstm": whole.nstm, **whole.model_dump(mode="json", exclude_unset=True)}
    name = " ".join(Path(whole.raw).name.replace("\\", "/").replace('"', "'").split())
    return _SCRIPT.format(raw=name, job=_literal(content))


def _literal(value: Any, indent: str = "") -> str:
    """Write plain JSON as Python: mappings over several lines, all else in one."""
    if isinstance(value, Mapping) and value:
        inner = indent + "    "
        lines = (f"{inner}{json.dumps(key, ensure_ascii=False)}: {_literal(v, inner)},\n" for key, v in value.items())
        return "{\n" + "".join(lines) + indent + "}"
    # Text as JSON is text as Python, and looks like the rest of a script.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _said(content: Mapping[str, Any], settings: BaseModel) -> dict[str, Any]:
    """Return those entries of a model's content that are not its defaults."""
    infos = type(settings).model_fields
    return {
        name: value
        for name, value in content.items()
        if name in _KEPT or name not in infos or getattr(settings, name) != _default(infos[name])
    }


def _default(info: FieldInfo) -> Any:
    return info.get_default(call_default_factory=True)


def _quoted(path: str, shell: Shell) -> str:
    if shell == "powershell":
        return "'" + path.replace("'", "''") + "'"
    return shlex.quote(path)
