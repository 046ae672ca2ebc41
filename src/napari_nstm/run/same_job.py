"""Whether a result was made by a job: what was found in its frames was added there, and its paths are absolute."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import Job
from napari_nstm.imaging import registry
from napari_nstm.run.scripts import with_paths

# Where a result lies, who computes, and how frames are read change nothing of it.
_ASIDE = ("nstm", "output", "compute", "axes")
_ASIDE_OF_FIT = ("device", "start_from")


def made_by(job: Job, base_dir: Path, recorded: Mapping[str, Any]) -> bool:
    """Compare a job with the one that a result says it was made by.

    Parameters
    ----------
    job, base_dir
        The job, and the folder that its paths are relative to.
    recorded
        The job in the record of a result.
    """
    said = with_paths(job, base_dir, relative=False).model_dump(mode="json", exclude_unset=True)
    content = {key: value for key, value in said.items() if key not in (*_ASIDE, "raw", "acquisition", "fit")}
    fit = {key: value for key, value in said.get("fit", {}).items() if key not in _ASIDE_OF_FIT}
    return (
        _same(content, {key: recorded.get(key) for key in content})
        and _same(fit, recorded.get("fit", {}))
        and _same_file(said["raw"], recorded.get("raw"))
        and _same_acquisition(job, said["acquisition"], recorded.get("acquisition", {}))
    )


def _same_acquisition(job: Job, said: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    found: Collection[str] = ()
    try:
        modality = registry.modality(job.modality)
        found = modality.estimates
        said = modality.Settings.model_validate(dict(said)).model_dump(mode="json", exclude_unset=True)
        kept = modality.Settings.model_validate(dict(kept)).model_dump(mode="json", exclude_unset=True)
    except (InputError, ValidationError):
        pass  # as they stand
    for name, value in said.items():
        other = kept.get(name)
        if name in found and _kind(value) != _kind(other):
            continue  # `pattern: {kind: estimate}` became the vectors that were found
        if not _same(value, other, is_part=job.frames is not None):
            return False
    return True


def _same(said: Any, kept: Any, *, is_part: bool = False) -> bool:
    """Whether what was said is in what was kept; nothing was said by None, and a part of the frames keeps a part."""
    if said is None:
        return True
    if isinstance(said, Mapping):
        if not isinstance(kept, Mapping):
            return False
        return all(_same(value, kept.get(key), is_part=is_part) for key, value in said.items())
    if is_part and isinstance(said, list) and isinstance(kept, list) and len(kept) < len(said):
        return any(said[k : k + len(kept)] == kept for k in range(len(said) - len(kept) + 1))
    if isinstance(said, str) and isinstance(kept, str) and Path(said).is_absolute():
        return _same_file(said, kept)
    return bool(said == kept)


def _same_file(said: str, kept: Any) -> bool:
    """Whether a path leads to what a result was made of; data that were moved with it keep their name."""
    old = Path(str(kept))
    return old == Path(said) or (old.name == Path(said).name and not old.exists())


def _kind(value: Any) -> Any:
    return value.get("kind") if isinstance(value, Mapping) else type(value)
