"""Names of files that a user saves."""

import re
from pathlib import Path

from napari_nstm.io.result import StoredResult


def stored_path(stored: StoredResult | None) -> Path | None:
    """Return where a result lies; None: there is none."""
    return None if stored is None else stored.path


def file_name(name: str) -> str:
    """Make a name that every file system takes of a name for people."""
    return re.sub(r"[^\w.()+-]+", "_", name).strip("_.") or "result"


def complete(chosen: str, suffix: str, takes: tuple[str, ...]) -> tuple[Path, bool]:
    """Complete a path out of a dialog.

    Parameters
    ----------
    chosen
        The path.
    suffix
        What it gets if it ends in none of `takes`.
    takes
        Suffixes that are left as they are.

    Returns
    -------
    path, replace
        Whether an existing file may be replaced: the dialog asked about the path that it returned, no other.
    """
    if chosen.lower().endswith(takes):
        return Path(chosen), True
    return Path(chosen + suffix), False
