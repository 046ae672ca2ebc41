"""Attempts at the same frames beside each other: in which settings they differ, in words, and how each turned out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from napari_nstm.core.errors import InputError
from napari_nstm.core.hints import hint_of
from napari_nstm.core.names import prettified, split_unit
from napari_nstm.core.settings import Job
from napari_nstm.imaging.base import Modality
from napari_nstm.imaging.registry import modality
from napari_nstm.io.record import StoreStatus
from napari_nstm.io.result import StoredResult
from napari_nstm.run.claims import read_note

_SHOWN = 4  # values of a list that are written out
_OTHER_RUNS = frozenset({"motion_from", "start_from"})
_COPIES = ".npy"  # a store's own copies of arrays are called as the setting, not as the user's file


@dataclass(frozen=True)
class Attempt:
    """One run at some frames, and how it turned out.

    Parameters
    ----------
    title
        What the user knows it as.
    path
        Its store.
    created
        When it began, ISO 8601 in UTC.
    status
        Whether it finished, was stopped, diverged, or goes on (or was interrupted: `running`).
    step, n_steps
        Steps done, and in all.
    fit_s
        Seconds that the fit took; None: not recorded.
    residual
        Root mean square of what the result does not explain of the frames, in units of the normalised frames; None:
        not known.
    in_noise_units
        The same as a multiple of the noise; None where that cannot be estimated.
    job
        What was asked for.
    """

    title: str
    path: Path
    created: str
    status: StoreStatus
    step: int
    n_steps: int
    fit_s: float | None
    residual: float | None
    in_noise_units: float | None
    job: Job


@dataclass(frozen=True)
class _Said:
    """One setting of one job; of what is a file, nothing is known where another job says nothing."""

    value: Any
    words: str
    is_file: bool = False


def attempt_of(stored: StoredResult) -> Attempt:
    """Read how a run turned out; reads the residual, which takes time.

    Raises
    ------
    StoreError
        If the store is damaged.
    """
    from napari_nstm.analysis.residuals import residual_summary

    record = stored.record
    title = read_note(stored.path).get("title")
    summary = residual_summary(stored)
    return Attempt(
        title=title if isinstance(title, str) else stored.path.stem,
        path=stored.path,
        created=record.created,
        status=stored.status,
        step=record.step,
        n_steps=record.n_steps,
        fit_s=record.timings_s.get("fit"),
        residual=None if summary is None else summary.overall,
        in_noise_units=None if summary is None else summary.in_noise_units,
        job=stored.job,
    )


def differences(jobs: Sequence[Job | Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Say of each of several jobs in what it differs from the others, in words ("Epochs 300", "Wavelength 0.53 µm").

    A setting that is left out counts as its default. Where results go, and how often they are shown, makes no
    difference.

    Parameters
    ----------
    jobs
        Jobs, or the mappings they are stored as.

    Returns
    -------
    list
        For each job the settings that are not the same in all; empty where there is only one job.
    """
    said = [_settings(job) for job in jobs]
    names = list(dict.fromkeys(name for one in said for name in one))
    differing = [name for name in names if _differs([one.get(name) for one in said])]
    return [tuple(one[name].words for name in differing if name in one) for one in said]


def _differs(found: Sequence[_Said | None]) -> bool:
    there = [one for one in found if one is not None]
    if len(there) < len(found) and any(one.is_file for one in there):
        return False
    return len(there) < len(found) or any(one.value != there[0].value for one in there)


# -- the settings of a job --------------------------------------------------


def _settings(source: Job | Mapping[str, Any]) -> dict[str, _Said]:
    """Return every setting by its dotted name, in the order in which a user would name them."""
    try:
        job = source if isinstance(source, Job) else Job.model_validate(dict(source))
    except ValidationError:  # of another version: what it says is taken literally
        return dict(_plain("", source if isinstance(source, Mapping) else {}))
    known = _modality(job.modality)
    found = {"modality": _Said(job.modality, job.modality if known is None else known.title)}
    if not job.raw.endswith(_COPIES):
        found["raw"] = _Said(job.raw, f"Frames {Path(job.raw).name}", is_file=True)
    found["region"] = _Said(job.region, _region(job))
    found["frames"] = _Said(job.frames, _frames(job))
    compute = job.compute
    found["compute"] = _Said((compute.tile_px, compute.tile_memory_gb, compute.tile_overlap_px), _tiles(job))
    found.update(sorted(_fields("fit", job.fit), key=lambda one: one[0] == "fit.seed"))  # which means least, last
    found.update(_acquisition(job, known))
    found["output.times"] = _said("times", type(job.output).model_fields["times"], job.output.times)
    return found


def _modality(name: str) -> Modality | None:
    try:
        return modality(name)
    except InputError:  # the package that brought it is gone
        return None


def _region(job: Job) -> str:
    if job.region is None:
        return "Whole field"
    row, column, height, width = job.region
    return f"Region {height} × {width} at ({row}, {column})"


def _frames(job: Job) -> str:
    if job.frames is None:
        return "All frames"
    first, n = job.frames
    return f"Frames {first} to {first + n - 1}"


def _tiles(job: Job) -> str:
    compute = job.compute
    if not compute.in_tiles:
        return "In one piece"
    parts = [] if compute.tile_px is None else [f"of {compute.tile_px} px"]
    parts += [] if compute.tile_memory_gb is None else [f"of {compute.tile_memory_gb:g} GB at most"]
    parts += [] if compute.tile_overlap_px is None else [f"overlap {compute.tile_overlap_px} px"]
    return f"Tiles {', '.join(parts)}"


def _acquisition(job: Job, known: Modality | None) -> Iterator[tuple[str, _Said]]:
    if known is not None:
        try:
            yield from _fields("acquisition", known.Settings.model_validate(dict(job.acquisition)))
        except (ValidationError, InputError):  # of another version
            pass
        else:
            return
    yield from _plain("acquisition", job.acquisition)


def _fields(prefix: str, model: BaseModel) -> Iterator[tuple[str, _Said]]:
    for name, info in type(model).model_fields.items():
        value, dotted = getattr(model, name), f"{prefix}.{name}"
        if isinstance(value, BaseModel):
            if "kind" in type(value).model_fields:
                kind = type(value).model_config.get("title") or prettified(str(getattr(value, "kind", "")))
                yield dotted, _Said(kind, f"{_label(name, info)} {kind}")
            yield from ((key, said) for key, said in _fields(dotted, value) if key != f"{dotted}.kind")
        elif name == "advanced" and isinstance(value, Mapping):
            yield from _plain(prefix, value)
        elif hint_of(info).array or name in _OTHER_RUNS:
            if value is not None and not str(value).endswith(f"{name}{_COPIES}"):
                yield dotted, _Said(value, f"{_label(name, info)} {Path(str(value)).name}", is_file=True)
        else:
            yield dotted, _said(name, info, value)


def _plain(prefix: str, content: Mapping[str, Any]) -> Iterator[tuple[str, _Said]]:
    """Say what no model describes."""
    for name, value in content.items():
        stem, unit = split_unit(str(name))
        yield f"{prefix}.{name}", _Said(value, f"{prettified(stem)} {_in_words(value)} {unit}".strip())


def _said(name: str, info: FieldInfo, value: Any) -> _Said:
    label, hint = _label(name, info), hint_of(info)
    unit = hint.unit or split_unit(name)[1]
    if value is None:
        words = f"{label} {hint.none_means or 'not given'}"
    elif isinstance(value, bool):
        words = label if value else f"{label}: no"
    else:
        choices = hint.choices or get_args(info.annotation)
        labels = dict(zip(choices, hint.labels, strict=True)) if len(choices) == len(hint.labels) else {}
        known = labels.get(value) if isinstance(value, str) else None
        words = f"{label} {known or f'{_in_words(value)} {unit}'.strip()}"
    return _Said(value, words)


# -- words ------------------------------------------------------------------


def _label(name: str, info: FieldInfo) -> str:
    return info.title or prettified(split_unit(name)[0])


def _in_words(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not given"}[value]
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{prettified(str(key))} {_in_words(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        shown = [_in_words(item) for item in value]
        if len(shown) > _SHOWN:
            shown = [*shown[: _SHOWN - 1], "…", shown[-1]]
        return ", ".join(shown) or "none"
    return str(value)
