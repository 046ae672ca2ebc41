"""The modalities that are installed: ours, and those of other packages."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import EntryPoint, entry_points

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import Modality

GROUP = "napari_nstm.modalities"
_PARTS = ("name", "title", "Settings", "raw_axes", "defaults", "check", "prepare", "comparisons", "simulate")


def _installed() -> dict[str, EntryPoint]:
    found: dict[str, dict[str, EntryPoint]] = defaultdict(dict)
    for entry in entry_points(group=GROUP):
        found[entry.name][entry.value] = entry
    # Our own names stay ours; among others the first in alphabetical order, so that it is always the same one.
    return {
        name: min(candidates.values(), key=lambda e: (not e.value.startswith("napari_nstm."), e.value))
        for name, candidates in found.items()
    }


def modality_names() -> tuple[str, ...]:
    """Return the names of all registered modalities, without loading them."""
    return tuple(sorted(_installed()))


def modality(name: str) -> Modality:
    """Return a registered modality.

    Parameters
    ----------
    name
        Its name in the entry point group `napari_nstm.modalities`.

    Raises
    ------
    InputError
        If there is none of that name, or the package that registers it cannot be loaded. Others are not affected.
    """
    installed = _installed()
    if name not in installed:
        raise InputError("modality", repr(name), " or ".join(sorted(installed)))
    entry = installed[name]
    broken = f"{name!r}, which {entry.value} registers"
    try:
        made = entry.load()()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError("modality", f"{broken} and which cannot be loaded ({reason})", "a working modality") from error
    missing = [part for part in _PARTS if not hasattr(made, part)]
    if missing:
        raise InputError("modality", f"{broken} without {', '.join(missing)}", "a modality that has them all")
    loaded: Modality = made
    return loaded
