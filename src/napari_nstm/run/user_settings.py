"""What a user keeps from one session to the next: presets of their own, and the values of their last runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import platformdirs
import yaml

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.io._atomic import reason, write_bytes

ENVIRONMENT = "NAPARI_NSTM_CONFIG"

_LONGEST_NAME = 60
_LARGEST = 1_000_000  # bytes
_SUFFIX = ".yml"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the first is ten times as fast, where it was built


@dataclass(frozen=True)
class Fragment:
    """The part of a job that is the user's, not the data's.

    Parameters
    ----------
    modality
        Name of the method.
    acquisition, fit
        As in a job.
    times
        Moments to reconstruct, as `output.times` of a job.
    compute
        As in a job.
    """

    modality: str
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    times: int | tuple[float, ...] | None = None
    compute: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """What was read from the user's folder.

    Parameters
    ----------
    fragments
        By name.
    problems
        A sentence for each file that was skipped.
    latest
        Name of the newest fragment, where there is one.
    """

    fragments: Mapping[str, Fragment] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    latest: str | None = None


class UserSettings:
    """Files in a folder of the user's: one for each preset, and one for the last runs.

    Parameters
    ----------
    path
        The folder; default: the environment's NAPARI_NSTM_CONFIG, or one among the user's settings.
    """

    def __init__(self, path: Path | None = None) -> None:
        default = os.environ.get(ENVIRONMENT) or platformdirs.user_config_dir("napari-nstm", appauthor=False)
        self.path = Path(default if path is None else path).expanduser().absolute()

    # -- presets ------------------------------------------------------------

    def presets(self) -> Kept:
        """Read the presets, in alphabetical order; damaged files are skipped."""
        found, problems = {}, []
        for file in sorted(self._presets.glob(f"*{_SUFFIX}"), key=lambda file: unquote(file.stem).casefold()):
            name = unquote(file.stem)
            try:
                found[name] = _fragment(_read(file))
            except InputError as error:
                problems.append(f"The preset “{name}” was skipped: {error.got}.")
        return Kept(found, tuple(problems))

    def save_preset(self, name: str, fragment: Fragment) -> str:
        """Keep settings under a name, in place of those of the same name; returns the name as it is kept.

        Raises
        ------
        InputError
            If the name cannot be one.
        StoreError
            If the folder cannot be written.
        """
        tidy = " ".join(name.split())
        if not tidy or len(tidy) > _LONGEST_NAME or not tidy.isprintable():
            raise InputError("name", repr(name), f"a name of 1 to {_LONGEST_NAME} characters")
        _write(self._file(tidy), _content(fragment))
        return tidy

    def load_preset(self, name: str) -> Fragment:
        """Read one preset; raises InputError if there is none of that name, or it is damaged."""
        return _fragment(_read(self._file(name)))

    def delete_preset(self, name: str) -> None:
        """Remove a preset; raises StoreError if it cannot be removed."""
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"The preset “{name}” cannot be removed: {reason(error)}.") from error

    # -- last runs ----------------------------------------------------------

    def last_used(self) -> Kept:
        """Read what the last run with each method was made with."""
        try:
            content = _read(self._last) if self._last.exists() else {}
        except InputError as error:
            return Kept(problems=(f"The values of your last runs were skipped: {error.got}.",))
        found, problems = {}, []
        methods = content.get("methods")
        for name, part in (methods if isinstance(methods, Mapping) else {}).items():
            try:
                found[str(name)] = _fragment(part)
            except InputError as error:
                problems.append(f"The values of your last run with “{name}” were skipped: {error.got}.")
        latest = content.get("latest")
        return Kept(found, tuple(problems), latest if latest in found else None)

    def remember(self, fragment: Fragment) -> None:
        """Keep what a run is made with; raises StoreError if the folder cannot be written."""
        known = {**self.last_used().fragments, fragment.modality: fragment}
        methods = {name: _content(part) for name, part in known.items()}
        _write(self._last, {"latest": fragment.modality, "methods": methods})

    # -- inside -------------------------------------------------------------

    @property
    def _presets(self) -> Path:
        return self.path / "presets"

    @property
    def _last(self) -> Path:
        return self.path / f"last{_SUFFIX}"

    def _file(self, name: str) -> Path:
        return self._presets / (quote(name, safe=" ") + _SUFFIX)


def _content(fragment: Fragment) -> dict[str, Any]:
    times = list(fragment.times) if isinstance(fragment.times, tuple) else fragment.times
    output = {} if times is None else {"output": {"times": times}}
    parts = {"acquisition": dict(fragment.acquisition), "fit": dict(fragment.fit), "compute": dict(fragment.compute)}
    return {"modality": fragment.modality, **{name: part for name, part in parts.items() if part}, **output}


def _fragment(content: Any) -> Fragment:
    takes = "settings as they were kept"
    if not isinstance(content, Mapping) or not isinstance(content.get("modality"), str):
        raise InputError("preset", "it names no method", takes)
    parts = [content.get(name, {}) for name in ("acquisition", "fit", "output", "compute")]
    if not all(isinstance(part, Mapping) for part in parts):
        raise InputError("preset", "it holds no settings", takes)
    acquisition, fit, output, compute = parts
    times = output.get("times")
    if isinstance(times, list) and all(_is_number(time) for time in times):
        times = tuple(float(time) for time in times)
    elif times is not None and not (isinstance(times, int) and not isinstance(times, bool)):
        raise InputError("preset", "its time points are no numbers", takes)
    return Fragment(content["modality"], dict(acquisition), dict(fit), times, dict(compute))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read(path: Path) -> Any:
    """Read YAML; raises InputError whose `got` says what is wrong."""
    takes = "a file of settings"
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError("preset", "it is too large", takes)
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except FileNotFoundError as error:
        raise InputError("preset", "it is gone", takes) from error
    except OSError as error:
        raise InputError("preset", f"it cannot be read ({reason(error)})", takes) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError("preset", "it is damaged", takes) from error
    if not isinstance(content, Mapping):
        raise InputError("preset", "it holds no settings", takes)
    return content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(content), sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode())
    except OSError as error:
        raise StoreError(f"Your settings cannot be kept in {path.parent}: {reason(error)}.") from error
