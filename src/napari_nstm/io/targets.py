"""Where a movie goes: the files it becomes, and what may be in their way."""

from __future__ import annotations

import re
from pathlib import Path

from napari_nstm.core.errors import InputError

SUFFIXES = (".mp4", ".gif", ".png")
"""Of the files that a movie can be: a video, an animated picture, numbered pictures."""

_LEAST_DIGITS = 4


def movie_files(path: Path, n_frames: int) -> list[Path]:
    """Return the files of a movie: the path itself, or for more than one .png NAME-0001.png and so on."""
    if path.suffix.lower() != ".png" or n_frames == 1:
        return [path]
    digits = max(_LEAST_DIGITS, len(str(n_frames)))
    return [path.with_name(f"{path.stem}-{number:0{digits}d}{path.suffix}") for number in range(1, n_frames + 1)]


def check_target(path: Path, n_frames: int, *, overwrite: bool = False) -> None:
    """Refuse a path at which a movie cannot be written.

    Parameters
    ----------
    path
        The path that was asked for.
    n_frames
        Frames of the movie.
    overwrite
        Whether existing files of its names are replaced. None is removed: pictures of a longer series, which would
        seem to go on with the new one, are in the way in any case.

    Raises
    ------
    InputError
        Names the file at fault; field `out`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError("out", path.name, f"a file ending in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if not path.absolute().parent.is_dir():
        raise InputError("out", f"{path}, whose folder does not exist", "a path in a folder that exists")
    files = movie_files(path, n_frames)
    for file in files:
        if file.exists() and not (overwrite and file.is_file()):
            raise InputError("out", f"{file}, which exists already", "a path that does not exist yet, or --overwrite")
    if len(files) > 1:
        left = sorted(set(_numbered(path)) - set(files))
        if left:
            raise InputError("out", f"{left[0]}, which would seem to belong to this movie", "a name of its own")


def _numbered(path: Path) -> list[Path]:
    pattern = re.compile(rf"{re.escape(path.stem)}-\d{{{_LEAST_DIGITS},}}{re.escape(path.suffix)}")
    return [path.with_name(file.name) for file in path.absolute().parent.iterdir() if pattern.fullmatch(file.name)]
