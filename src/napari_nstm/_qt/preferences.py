"""What the user set on napari's Preferences page; the defaults where napari has none, or it cannot be used."""

import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from napari_nstm.run.runs import ENVIRONMENT as RUNS

PLUGIN = "napari-nstm"

_CHOICES = {"device": ("auto", "cpu", "gpu"), "movie_format": ("mp4", "gif", "png")}
_RANGES = {
    "memory_percent": (10, 100),
    "previews_per_second": (0.5, 10.0),
    "cache_gb": (0.5, 1e4),
    "cache_days": (1, 3650),
}
_PAGES = ("reconstruction", "files")


@dataclass(frozen=True)
class Preferences:
    """Preferences of the user.

    Parameters
    ----------
    device
        What a run computes on unless its form says otherwise: auto, cpu or gpu.
    memory_percent
        Part of the free memory of the device that a run may plan with, in percent, 10 to 100.
    previews_per_second
        How often the picture of a run is drawn anew, at most: 0.5 to 10.
    cache_folder
        Where results lie that were not saved elsewhere; empty: in the user's cache.
    cache_gb, cache_days
        Largest size of that folder in GB, and for how many days its results are kept.
    movie_format
        Proposed for a new movie: mp4, gif or png.
    problem
        A sentence about what could not be used; empty: nothing.
    """

    device: str = "auto"
    memory_percent: int = 80
    previews_per_second: float = 3.0
    cache_folder: str = ""
    cache_gb: float = 5.0
    cache_days: int = 30
    movie_format: str = "mp4"
    problem: str = ""

    @property
    def memory_share(self) -> float:
        """Part of the free memory that a run may plan with, 0.1 to 1."""
        return self.memory_percent / 100

    @property
    def preview_every_s(self) -> float:
        """Least time between two pictures of a run, in s."""
        return 1 / self.previews_per_second

    @property
    def cache_bytes(self) -> float:
        """Largest size of the folder for results, in bytes."""
        return 1e9 * self.cache_gb

    @property
    def runs_folder(self) -> Path | None:
        """Folder for results; None: the one that the environment names, or the default."""
        if os.environ.get(RUNS) or not self.cache_folder.strip():
            return None
        return Path(self.cache_folder.strip()).expanduser().absolute()


def preferences_from(values: dict[str, Any]) -> Preferences:
    """Take preferences that can be used; the others get their defaults, and `problem` names them.

    Parameters
    ----------
    values
        By the names of `Preferences`; what is missing gets its default, too.
    """
    defaults = asdict(Preferences())
    given = {field.name: values[field.name] for field in fields(Preferences) if field.name in values}
    bad = [name for name, value in given.items() if not _can_be_used(name, value)]
    good = {name: type(defaults[name])(value) for name, value in given.items() if name not in bad}
    if not bad:
        return Preferences(**good)
    names = ", ".join(f"“{name.replace('_', ' ')}”" for name in bad)
    return replace(Preferences(**good), problem=f"In Preferences, {names} cannot be used: the default is.")


def read_preferences() -> Preferences:
    """Read the preferences as they are now; any error gives the defaults, with a sentence in `problem`."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # napari before 0.9 has no such page
        return Preferences()
    try:
        settings = get_plugin_settings(PLUGIN)
        values = {name: value for page in _PAGES for name, value in getattr(settings, page).model_dump().items()}
    except KeyError:  # napari does not know the plugin: its panel was made by a script
        return Preferences()
    except Exception as error:  # noqa: BLE001 -- whatever a damaged file makes napari do, the panel opens
        return Preferences(problem=f"The preferences cannot be read ({type(error).__name__}): the defaults are used.")
    return preferences_from(values)


def _can_be_used(name: str, value: Any) -> bool:
    if name in _CHOICES:
        return value in _CHOICES[name]
    if name in _RANGES:
        low, high = _RANGES[name]
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return isinstance(value, str)
