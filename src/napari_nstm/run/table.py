"""Jobs from files: one a file, or one a row of a table whose columns are settings by their dotted names."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from napari_nstm.core.errors import InputError
from napari_nstm.run.batch import BatchJob
from napari_nstm.run.job import job_from_mapping, load_job, replace_dotted, store_path
from napari_nstm.run.scripts import with_paths

_TABLES = {".csv": ",", ".tsv": "\t"}
_TEMPLATE = "job"


def read_batch(files: Sequence[Path]) -> list[BatchJob]:
    """Read the jobs of a batch.

    Parameters
    ----------
    files
        Job files (YAML, JSON), and tables (.csv, .tsv): a row a job, a column a setting (`raw`, `output.path`,
        `acquisition.wavelength_um`), values as in YAML, an empty cell the template's. The column `job` names the
        template, a job file; without it every setting must be given. Paths in the table are relative to the table.

    Raises
    ------
    InputError
        Names file, row and column of what cannot be used.
    """
    found: list[BatchJob] = []
    for path in files:
        if path.suffix.lower() in _TABLES:
            found.extend(_rows(path))
        else:
            job, base_dir = load_job(path)
            found.append(BatchJob(str(path), job, base_dir))
    found = [replace(one, after=_before(one, found[:index])) for index, one in enumerate(found)]
    if not found:
        raise InputError("batch", "no jobs", "job files, or tables with a row for each job")
    return found


def _before(one: BatchJob, earlier: Sequence[BatchJob]) -> int | None:
    """Return the index of the earlier job whose result a job starts from; None where it needs none of them."""
    start = one.job.fit.start_from
    if start is None:
        return None
    wanted = (one.base_dir / Path(start).expanduser()).absolute()
    places = [store_path(other.job, other.base_dir) for other in earlier]
    return places.index(wanted) if wanted in places else None


def _rows(path: Path) -> list[BatchJob]:
    takes = "a table whose first row names settings, and whose other rows are jobs"
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter=_TABLES[path.suffix.lower()], strict=True)
            rows = list(reader)
            columns = list(reader.fieldnames or ())
    except FileNotFoundError as error:
        raise InputError("batch", f"{path}, which does not exist", takes) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError("batch", f"{path}, which is no table", takes) from error
    if not columns or len(set(columns)) < len(columns):
        raise InputError("batch", f"{path}, whose first row names {'a column twice' if columns else 'nothing'}", takes)
    return [_row(path, number, row) for number, row in enumerate(rows, start=2) if any(row.values())]


def _row(path: Path, number: int, row: Mapping[str | None, Any]) -> BatchJob:
    name, folder = f"{path.name} row {number}", path.parent.absolute()
    if None in row:
        raise InputError(f"{name}", "more cells than there are columns", "one for each column")
    content: dict[str, Any] = {}
    template = (row.get(_TEMPLATE) or "").strip()
    if template:
        job, base_dir = load_job(folder / template)
        content = with_paths(job, base_dir, relative=False).model_dump(mode="json", exclude_unset=True)
    for column, cell in row.items():
        if column is None or column == _TEMPLATE or cell is None or not cell.strip():
            continue
        try:
            value = yaml.safe_load(cell)
        except yaml.YAMLError as error:
            raise InputError(f"{name}, column {column}", repr(cell), "a value as in YAML") from error
        if column in ("raw", "output.path", "fit.motion_from", "fit.start_from"):
            value = str(folder / cell.strip())
        content = replace_dotted(content, column, value)
    try:
        return BatchJob(name, job_from_mapping(content), folder)
    except InputError as error:
        raise InputError(f"{name}, {error.field}", error.got, error.takes) from error
