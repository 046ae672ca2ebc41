"""A job as text for the clipboard, with a sentence that says what it is."""

import os
from pathlib import Path

from napari_nstm._qt.setup.settings_files import free_path
from napari_nstm.core.settings import Job
from napari_nstm.run.job import load_job
from napari_nstm.run.scripts import Shell, as_command_line, as_commands, as_python

_SCRIPT = "Copied: a Python script."


def command_line(job: Job, file: Path | None) -> tuple[str, str]:
    """Return lines for a terminal, and what is to be said of them.

    Parameters
    ----------
    job
        Its paths are absolute; its result goes beside its raw frames.
    file
        A job file that says the same; None: the lines write one.
    """
    shell: Shell = "powershell" if os.name == "nt" else "posix"
    if file is not None:
        return as_command_line(file, shell) + "\n", f"Copied: a line for a terminal that runs {file.name}."
    raw = Path(job.raw)
    path = free_path(raw.with_name(f"{raw.stem}-job.yml"))
    said = f"Copied: lines for a terminal that write {path.name} beside the raw frames, and run it."
    return as_commands(_beside_raw(job), path, shell), said


def script(job: Job, file: Path | None) -> tuple[str, str]:
    """Return a Python script, and what is to be said of it; parameters as `command_line`."""
    if file is not None:
        known, folder = load_job(file)
        return as_python(known, folder), _SCRIPT
    return as_python(_beside_raw(job), Path(job.raw).parent), _SCRIPT


def _beside_raw(job: Job) -> Job:
    raw = Path(job.raw)
    path = str(free_path(raw.with_name(f"{raw.stem}-result.zarr")))
    return job.model_copy(update={"output": job.output.model_copy(update={"path": path})})
