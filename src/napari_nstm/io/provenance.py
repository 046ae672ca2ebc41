"""How a result was made, as files: the job that makes it again, and all that its store says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from napari_nstm.io._exporting import writing
from napari_nstm.io.record import StoreRecord
from napari_nstm.io.result import StoredResult


def export_job(result: StoredResult, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the job that makes a result again, beside it, as YAML.

    All paths are absolute, and every value of the fit stands in it: another version may have other presets. What is not
    in a job are further steps that a finished run was given (`resume --steps`); the file says if there were any.

    Parameters
    ----------
    result
        The result.
    path
        A file ending in .yml.
    overwrite
        Replace an existing file.

    Raises
    ------
    InputError
        If the path is taken or cannot be written; field `out`.
    StoreError
        If the store was moved or removed, or holds no job.
    """
    record = result.record
    _ = result.job  # it is one
    job = dict(record.job)
    # The only relative paths lead to arrays that were kept in the store.
    job["raw"] = str(result.path / job["raw"])
    job["acquisition"] = _absolute(job["acquisition"], result.path)
    job["fit"] = _whole_fit(record)
    again = result.path.with_name(f"{result.path.stem}-again.zarr")
    job["output"] = {**record.job.get("output", {}), "path": str(again)}
    content = yaml.safe_dump(job, sort_keys=False, allow_unicode=True, width=120)
    with writing(result, Path(path), ".yml", overwrite=overwrite) as stream:
        stream.write((_heading(result) + content).encode())
    return Path(path)


def export_provenance(result: StoredResult, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write all that a store says of how it was made, as JSON (.json).

    Job, every value of the fit, seed, device, versions, hashes of the input, normalisation, history, timings, losses
    and notes, under the names that they have in the store. Parameters and errors as `export_job`.
    """
    content = {"store": str(result.path), **result.record.to_json()}
    with writing(result, Path(path), ".json", overwrite=overwrite) as stream:
        stream.write((json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return Path(path)


def _absolute(settings: Mapping[str, Any], store: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found[name] = _absolute(value, store)
        elif isinstance(value, str) and value.endswith(".npy") and (store / value).is_file():
            found[name] = str(store / value)
        else:
            found[name] = value
    return found


def _whole_fit(record: StoreRecord) -> dict[str, Any]:
    """Return the `fit` part of the job, with every value."""
    asked = dict(record.job.get("fit", {}))
    if record.tiles is not None:
        return asked  # each tile has values of its own
    values = {name: value for name, value in record.to_json()["fit"].items() if name not in ("seed", "static")}
    epochs = {"epochs": values.pop("epochs")} if "epochs" in values else {}
    return {**asked, **epochs, "advanced": values}


def _heading(result: StoredResult) -> str:
    record = result.record
    lines = [
        f"Made {record.created} with napari-nstm {record.versions.get('napari-nstm', '')}; result in {result.path}",
        "Make it again:  napari-nstm reconstruct THIS_FILE",
    ]
    further = sum(session.what == "continued" for session in record.history)
    if further:
        times = "once" if further == 1 else f"{further} times"
        lines.append(f"After that it went on {times} (resume --steps), to {record.n_steps} steps in all.")
    # A path may hold a line break, which must not end the comment.
    return "".join(f"# {' '.join(line.split())}\n" for line in lines)
